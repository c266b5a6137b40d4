"""What is looked at before enrolment: each fault is found, and a registry without faults passes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from registry_samples import SITE, ask, sample_store

from vo_registry.enrolment import PROBES, Ask, identity_findings, registry_findings, rule_file, site_findings
from vo_server.model.resource import Site

REAL = replace(SITE, authority="observatory.fr", contact_email="vo@observatory.fr", is_example=False)


def registry() -> Ask:
    store = sample_store()
    return lambda pairs: ask(store, list(pairs))


def test_a_registry_without_faults_passes() -> None:
    assert list(registry_findings(registry())) == []
    assert site_findings(REAL, "https://vo.observatory.fr/server") == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"authority": "ab"}, "authority"),
        ({"authority": "no spaces.fr"}, "authority"),
        ({"authority": "example.org"}, "authority"),
        ({"authority": "my.example"}, "authority"),
        ({"authority": "observatory"}, "authority"),
        ({"is_example": True}, "authority"),
        ({"organisation": " "}, "organisation"),
        ({"contact_email": "vo"}, "contact e-mail"),
        ({"contact_email": "vo@example.com"}, "contact e-mail"),
        ({"reference_url": "ftp://x"}, "page"),
    ],
)
def test_what_is_wrong_with_a_publisher_is_named(change: dict[str, object], where: str) -> None:
    assert [finding.where for finding in identity_findings(replace(REAL, **change))] == [where]


def test_the_example_says_all_that_is_to_be_changed() -> None:
    found = site_findings(Site(), "http://127.0.0.1:8000")
    assert [finding.where for finding in found] == ["authority", "organisation", "contact e-mail", "public_url"]
    assert all("`vo registry init`" in str(finding) for finding in found[:3])


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://10.0.0.1", "http://vo", "https://vo.example.org", "https://vo.fr/?x=1"])
def test_an_address_that_nobody_else_reaches_is_named(url: str) -> None:
    assert [finding.where for finding in site_findings(REAL, url)] == ["public_url"]


def test_answers_that_are_wrong_are_named() -> None:
    right = registry()

    def confused(pairs: Sequence[tuple[str, str]]) -> bytes:
        return right([("verb", "Identify")] if ("verb", "Nonsense") in pairs else pairs)

    assert [finding.where for finding in registry_findings(confused)] == ["?verb=Nonsense"]

    def newer(pairs: Sequence[tuple[str, str]]) -> bytes:
        return right(pairs).replace(b"<waveband>Gamma-ray</waveband>", b"<waveband>Neutrino</waveband>")

    found = list(registry_findings(newer))
    assert [(one.where, one.what) for one in found] == [("ivo://example.org/data/alerts", "Only bands of light are known there.")]

    def broken(pairs: Sequence[tuple[str, str]]) -> bytes:
        return b"<html>" if not pairs else right(pairs)

    assert "not XML" in str(next(registry_findings(broken)))


def test_every_mistake_of_the_protocol_is_asked_for() -> None:
    wanted = {probe.wanted for probe in PROBES}
    assert wanted >= {"badVerb", "badArgument", "badResumptionToken", "cannotDisseminateFormat", "idDoesNotExist", "noRecordsMatch"}
    assert len(PROBES) >= 29


def test_rules_are_where_they_are_looked_for() -> None:
    assert all(b"schematron" in rule_file(name) for name in ("record", "oai", "rofr"))
