"""Subjects against the thesaurus: what is meant is found, whatever way it is written."""

import json
from pathlib import Path

import pytest

from vo_registry import subjects
from vo_registry.subjects import find_terms, read_terms, subject_fault
from vo_server.errors import DataError

SOME = {
    "neutrino-astronomy": {"label": "Neutrino astronomy"},
    "gamma-ray-astronomy": {"label": "Gamma-ray astronomy"},
    "surveys": {"label": "Surveys"},
    "sky-surveys": {"label": "Sky surveys"},
    "old-term": {"label": "Old term", "deprecated": ""},
}
TERMS = read_terms(json.dumps({"uri": subjects.ADDRESS, "terms": SOME}), "here")


@pytest.mark.parametrize(
    ("subject", "meant"),
    [
        ("Neutrino astronomy", "perhaps neutrino-astronomy."),
        ("neutrino astonomy", "perhaps neutrino-astronomy."),
        ("survey", "perhaps surveys."),
        ("sky", "perhaps sky-surveys."),
        ("old-term", "is not a term of the thesaurus."),
        ("cheese", "is not a term of the thesaurus."),
    ],
)
def test_what_is_meant_is_suggested(subject: str, meant: str) -> None:
    assert (subject_fault(subject, TERMS) or "").endswith(meant)


def test_a_term_is_right() -> None:
    assert subject_fault("neutrino-astronomy", TERMS) is None


def test_without_the_thesaurus_only_the_form_is_looked_at() -> None:
    assert subject_fault("any-words", None) is None
    assert "perhaps neutrino-astronomy" in (subject_fault("Neutrino Astronomy", None) or "")


def test_the_thesaurus_is_read_from_a_file_fetched_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cache = tmp_path / "given.json", tmp_path / "uat.json"
    file.write_text(json.dumps({"terms": SOME}))
    assert find_terms(file, cache) == TERMS
    with pytest.raises(DataError, match="no such file"):
        find_terms(tmp_path / "none", cache)
    monkeypatch.setattr(subjects, "ADDRESS", file.as_uri())
    assert find_terms(None, cache) == TERMS
    file.unlink()
    assert find_terms(None, cache) == TERMS, "it was kept"
    cache.unlink()
    assert find_terms(None, cache) is None
    cache.write_text("[]")
    with pytest.raises(DataError, match="no vocabulary"):
        find_terms(None, cache)
