"""Our Schematron rules: every document of ours keeps them, and each rule notices when one does not."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import test_documents_datalink
from lxml import etree
from lxml.etree import _Element as Element
from registry_samples import (
    ALERTS_ID,
    CATALOGUE,
    CONE,
    CREATED,
    NOW,
    RULES,
    SCS2,
    SERVICES,
    SIA1,
    SSA,
    TAP,
    all_records,
    ask,
    sample_store,
    violations,
)

from vo_server.documents import vosi
from vo_server.documents.xml import NAMESPACES

STORE = sample_store()
CAPABILITIES = vosi.capabilities([*SERVICES[0].capabilities, CONE, SCS2, SIA1, SSA])
RECORDS = {name: record.dated(CREATED, NOW)[0].encode() for name, record in all_records().items()}
ANSWERS = [
    ask(STORE, verb="Identify"),
    ask(STORE, verb="ListSets"),
    ask(STORE, verb="ListMetadataFormats"),
    ask(STORE, verb="ListRecords", metadataPrefix="ivo_vor"),
    ask(STORE, verb="ListRecords", metadataPrefix="oai_dc"),
    ask(STORE, verb="ListIdentifiers", metadataPrefix="oai_dc"),
    ask(STORE, verb="Bogus"),
    ask(STORE, verb="ListRecords", resumptionToken="x"),
]
OURS: dict[str, Sequence[bytes]] = {
    "capabilities": [CAPABILITIES, *(vosi.capabilities(service.capabilities) for service in SERVICES[:2]), *RECORDS.values()],
    "tables": [vosi.tables(CATALOGUE), vosi.tables(CATALOGUE, detail="min"), *RECORDS.values()],
    "record": [*RECORDS.values(), ANSWERS[3]],
    "oai": ANSWERS,
    "rofr": [CAPABILITIES, *RECORDS.values(), ANSWERS[3]],
}


@pytest.mark.parametrize("rules", OURS)
def test_our_documents_keep_the_rules(rules: str) -> None:
    assert [violations(document, rules) for document in OURS[rules]] == [[] for _ in OURS[rules]]


Edit = Callable[[Element], None]


def remove(element: Element) -> None:
    element.getparent().remove(element)


def twice(element: Element) -> None:
    element.addnext(etree.fromstring(etree.tostring(element)))


def text(value: str) -> Edit:
    def edit(element: Element) -> None:
        element.text = value

    return edit


def attribute(name: str, value: str | None) -> Edit:
    def edit(element: Element) -> None:
        prefix, _, local = name.rpartition(":")
        qualified = f"{{{NAMESPACES[prefix]}}}{local}" if prefix else name
        if value is None:
            del element.attrib[qualified]
        else:
            element.set(qualified, value)

    return edit


def child(name: str, **attributes: str) -> Edit:
    def edit(element: Element) -> None:
        etree.SubElement(element, name, attributes)

    return edit


ALERTS = RECORDS[ALERTS_ID]
AUTHORITY = RECORDS["ivo://example.org"]
REGISTRY = RECORDS["ivo://example.org/registry"]
TABLES = vosi.tables(CATALOGUE)
IDENTIFY, SETS, FORMATS, LIST = ANSWERS[:4]
BAD_VERB, BAD_TOKEN = ANSWERS[6:]
TABLE_ACCESS = "//capability[@xsi:type='tr:TableAccess']"

BROKEN: list[tuple[str, str, bytes, str, Edit]] = [
    ("record", "type-prefix", ALERTS, "//capability[2]", attribute("xsi:type", "nn:ConeSearch")),
    ("record", "typed", ALERTS, "/ri:Resource", attribute("xsi:type", None)),
    ("record", "utc", ALERTS, "/ri:Resource", attribute("created", "2025-01-01T00:00:00")),
    ("record", "order-of-dates", ALERTS, "/ri:Resource", attribute("created", "2027-01-01T00:00:00Z")),
    ("record", "dated", ALERTS, "/ri:Resource", attribute("updated", "1970-01-01T00:00:00Z")),
    ("record", "contact-email", ALERTS, "//contact/email", remove),
    ("record", "publisher-id", ALERTS, "//publisher", attribute("ivo-id", None)),
    ("record", "reference-url", ALERTS, "//referenceURL", text("/tables")),
    ("record", "aux-served", ALERTS, "//relationship", remove),
    ("record", "authority-identifier", AUTHORITY, "/ri:Resource/identifier", text("ivo://example.org/authority")),
    ("record", "managing-org", AUTHORITY, "//managingOrg", remove),
    ("record", "harvest", REGISTRY, "//interface[@xsi:type='vg:OAIHTTP']", attribute("role", None)),
    ("record", "harvest-standard", REGISTRY, "//capability[1]", attribute("standardID", "ivo://ivoa.net/std/OAI")),
    ("record", "not-full", REGISTRY, "//full", text("true")),
    ("record", "own-authority", REGISTRY, "//managedAuthority", text("other.org")),
    ("record", "doi", ALERTS, "/ri:Resource/altIdentifier", text("https://doi.org/10.1/x")),
    ("record", "orcid", ALERTS, "//creator/altIdentifier", text("orcid:0000-0001-2345-6789")),
    ("record", "relationship", ALERTS, "//relationshipType", text("served-by")),
    ("record", "moc", ALERTS, "//spatial", text("Circle 1 2 3")),
    ("record", "messenger", ALERTS, "//waveband", text("xray")),
    ("record", "product-term", ALERTS, "/ri:Resource", child("productTypeServed")),
    ("record", "votable-type", ALERTS, "//column[1]/dataType", attribute("xsi:type", "vs:TAPType")),
    ("capabilities", "one-tap", CAPABILITIES, TABLE_ACCESS, twice),
    ("capabilities", "vosi", vosi.capabilities(SERVICES[0].capabilities), "//capability[contains(@standardID, '#capabilities')]", remove),
    ("capabilities", "standard", CAPABILITIES, "//capability[1]", attribute("standardID", None)),
    ("capabilities", "described", CAPABILITIES, "//capability[1]/description", remove),
    ("capabilities", "vosi-full", CAPABILITIES, "//capability[contains(@standardID, 'VOSI#tables')]//accessURL", attribute("use", "base")),
    ("capabilities", "untyped-aux", ALERTS, "//capability[1]", attribute("xsi:type", "cs:ConeSearch")),
    ("capabilities", "prefix", CAPABILITIES, "//capability[1]/interface", attribute("xsi:type", "nn:ParamHTTP")),
    (
        "capabilities",
        "one-method",
        CAPABILITIES,
        "//capability[1]/interface",
        lambda one: [child("securityMethod", standardID="x")(one) for _ in "ab"],
    ),
    ("capabilities", "anonymous", CAPABILITIES, "//capability[1]/interface", child("securityMethod")),
    ("capabilities", "use", CAPABILITIES, "//capability[1]//accessURL", attribute("use", None)),
    ("capabilities", "tap-standard", CAPABILITIES, TABLE_ACCESS, attribute("standardID", "ivo://ivoa.net/std/TAP/")),
    ("capabilities", "tap-interface", CAPABILITIES, TABLE_ACCESS + "/interface", attribute("version", "1.0")),
    ("capabilities", "adql", CAPABILITIES, "//language/name", text("SQL")),
    ("capabilities", "votable-format", CAPABILITIES, "//outputFormat[1]", attribute("ivo-id", None)),
    ("capabilities", "limits-once", CAPABILITIES, "//executionDuration", twice),
    (
        "capabilities",
        "cone-standard",
        CAPABILITIES,
        "//capability[@xsi:type='cs:ConeSearch']",
        attribute("standardID", "ivo://ivoa.net/std/SCS"),
    ),
    ("capabilities", "cone-url", CAPABILITIES, "//capability[@xsi:type='cs:ConeSearch']//accessURL", text("https://vo.example.org/scs")),
    ("capabilities", "cone-described", CAPABILITIES, "//param[name='flux']/description", remove),
    *(
        ("capabilities", assertion, CAPABILITIES, f"//capability[@xsi:type='{kind}']{path}", edit)
        for kind, assertion, path, edit in (
            ("sia:SimpleImageAccess", "sia-standard", "", attribute("standardID", "ivo://ivoa.net/std/SIA#query-2.0")),
            ("sia:SimpleImageAccess", "sia-url", "//accessURL", text("https://vo.example.org/sia1")),
            ("ssap:SimpleSpectralAccess", "ssa-standard", "", attribute("standardID", "ivo://ivoa.net/std/SSAP")),
            ("ssap:SimpleSpectralAccess", "ssa-url", "//accessURL", text("https://vo.example.org/ssa")),
            ("ssap:SimpleSpectralAccess", "ssa-request", "//queryDataCmd", text("REQUEST=queryData&POS=1,2")),
        )
    ),
    (
        "capabilities",
        "feature-spelling",
        CAPABILITIES,
        "//languageFeatures[1]",
        attribute("type", "ivo://ivoa.net/std/tapregext#features-adqlgeo"),
    ),
    ("capabilities", "feature-forms", CAPABILITIES, "//languageFeatures[2]/feature", remove),
    ("capabilities", "default-hard", CAPABILITIES, "//outputLimit/hard", text("10")),
    ("tables", "qualified", TABLES, "//table[name='data.alerts']/name", text("alerts")),
    ("tables", "kind", TABLES, "//table[1]", attribute("type", "base_table")),
    ("tables", "column-type", TABLES, "//column[1]/dataType", remove),
    ("tables", "unique-column", TABLES, "//column[name='ra'][1]", twice),
    ("tables", "array", TABLES, "//column[name='ra']/dataType", attribute("arraysize", "1")),
    ("tables", "target", TABLES, "//foreignKey[1]/targetTable", text("data.Order 66")),
    ("tables", "from", TABLES, "//foreignKey[1]/fkColumn[1]/fromColumn", text("size")),
    ("tables", "quotes", TABLES, "//table[2]/name", text('data."Order')),
    ("tables", "delimited", TABLES, "//column[1]/name", text("2mass")),
    ("oai", "response-date", IDENTIFY, "//oai:responseDate", text("2026-01-01T00:00:00+00:00")),
    ("oai", "no-echo", BAD_VERB, "//oai:request", attribute("verb", "Identify")),
    ("oai", "echo", BAD_TOKEN, "//oai:request", attribute("verb", None)),
    ("oai", "base-url", IDENTIFY, "//oai:baseURL", text("https://vo.example.org/server/oai?")),
    ("oai", "granularity", IDENTIFY, "//oai:granularity", text("YYYY-MM-DD")),
    ("oai", "deleted-record", IDENTIFY, "//oai:deletedRecord", text("no")),
    ("oai", "registry-record", IDENTIFY, "//oai:description", remove),
    ("oai", "managed-set", SETS, "//oai:setSpec", text("all")),
    ("oai", "formats", FORMATS, "//oai:metadataFormat[1]", remove),
    ("oai", "seconds", LIST, "//oai:record[1]//oai:datestamp", text("2026-01-01")),
    ("oai", "managed", LIST, "//oai:record[1]//oai:setSpec", remove),
    ("oai", "tombstone", LIST, "//oai:record[1]/oai:header", attribute("status", "deleted")),
    ("oai", "metadata", LIST, "//oai:record[1]/oai:metadata", remove),
    ("oai", "same-identifier", LIST, "//oai:record[1]//oai:identifier", text("ivo://example.org/else")),
    ("oai", "not-newer", LIST, "//oai:record[1]//ri:Resource", attribute("updated", "2030-01-01T00:00:00Z")),
    ("oai", "token-last", LIST, "//oai:ListRecords", lambda one: one.insert(0, etree.Element(f"{{{NAMESPACES['oai']}}}resumptionToken"))),
    ("rofr", "waveband", ALERTS, "//waveband", text("Neutrino")),
    ("rofr", "dali-interface", CAPABILITIES, "//capability[1]/interface", attribute("xsi:type", "tr:DALIInterface")),
    ("rofr", "simple-type", CAPABILITIES, "//param[1]/dataType", text("double")),
    ("rofr", "for-mode", CAPABILITIES, "//outputLimit", attribute("forMode", "sync")),
    ("rofr", "product-type", ALERTS, "/ri:Resource", child("productTypeServed")),
    ("rofr", "frame", CAPABILITIES, "//supportedFrame[1]", text("GALACTIC")),
    ("rofr", "event-stream", ALERTS, "//capability[1]", attribute("xsi:type", "voe:StreamEndpoint")),
]


@pytest.mark.parametrize(("rules", "assertion", "document", "path", "edit"), BROKEN, ids=[f"{one[0]}-{one[1]}" for one in BROKEN])
def test_each_rule_notices(rules: str, assertion: str, document: bytes, path: str, edit: Edit) -> None:
    root = etree.fromstring(document)
    element = root.xpath(path, namespaces=dict(NAMESPACES))[0]
    edit(element)
    assert assertion in violations(etree.tostring(root), rules)


def test_no_rule_is_without_a_broken_document() -> None:
    written = {(path.stem, name) for path in RULES.glob("*.sch") for name in re.findall(r'<assert id="([^"]+)"', path.read_text())}
    links = {("datalink", assertion) for assertion, _ in test_documents_datalink.BROKEN}
    assert written == {(rules, assertion) for rules, assertion, *_ in BROKEN} | links


def test_what_a_wrong_model_would_write_is_noticed() -> None:
    wrong = replace(CONE, interfaces=(replace(CONE.interfaces[0], url="https://vo.example.org/scs"),))
    assert violations(vosi.capabilities([TAP, wrong]), "capabilities") == ["vosi", "cone-url"]
