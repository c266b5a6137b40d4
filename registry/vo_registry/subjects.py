"""Subjects are terms of the Unified Astronomy Thesaurus, in the form that the IVOA's vocabulary gives them (VOResource 1.2 §3.1.4).

The thesaurus is not part of this package (its licence asks that what is made of it is shared alike): it is read from a file or fetched
from the IVOA, in the form that Vocabularies in the VO 2.0 §3.2.1 calls desise.
"""

import difflib
import json
import re
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from vo_server.errors import DataError

ADDRESS = "https://www.ivoa.net/rdf/uat"
DESISE = "application/x-desise+json"
TERM = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SECONDS = 10
"""The IVOA has so long to answer."""

Terms = Mapping[str, str]
"""Term → its label."""


def read_terms(text: str | bytes, source: str) -> Terms:
    """The terms of a vocabulary in desise, without those that are deprecated. Raises DataError if it is none."""
    try:
        said = json.loads(text)["terms"].items()
        return {term: str(about.get("label", term)) for term, about in said if "deprecated" not in about}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError("this is no vocabulary in desise (JSON with the key terms).", source=source) from None


def find_terms(file: Path | None, cache: Path, *, fetch: bool = True) -> Terms | None:
    """The thesaurus from `file`, else from `cache`, else fetched (if `fetch`) and kept there; None if it cannot be had now."""
    known = file or (cache if cache.is_file() else None)
    if known is not None:
        try:
            return read_terms(known.read_bytes(), str(known))
        except OSError:
            raise DataError("there is no such file.", source=str(known)) from None
    if not fetch:
        return None
    try:
        with urllib.request.urlopen(urllib.request.Request(ADDRESS, headers={"Accept": DESISE}), timeout=SECONDS) as reply:
            text: bytes = reply.read()
        terms = read_terms(text, ADDRESS)
    except (OSError, DataError):
        return None
    if cache.parent.is_dir():
        cache.write_bytes(text)
    return terms


def subject_fault(subject: str, terms: Terms | None) -> str | None:
    """What is wrong with a subject, with what may be meant; None if nothing is, as far as is known without `terms`."""
    folded = fold(subject)
    if terms is None:
        return None if TERM.fullmatch(subject) else f"{subject!r} is not written as a term of the thesaurus: perhaps {folded}."
    if subject in terms:
        return None
    near = nearest(subject, terms)
    return f"{subject!r} is not a term of the thesaurus" + (f": perhaps {', '.join(near)}." if near else ".")


def nearest(subject: str, terms: Terms) -> list[str]:
    """At most three terms that may be meant: the same word in another form, one spelt nearly so, or one that holds it."""
    folded = fold(subject)
    if folded in terms:
        return [folded]
    by_label = {label.lower(): term for term, label in terms.items()}
    close = [*difflib.get_close_matches(folded, terms, 3, 0.75)]
    close += [by_label[label] for label in difflib.get_close_matches(subject.lower(), by_label, 3, 0.75)]
    holding = sorted((term for term in terms if folded and f"-{folded}-" in f"-{term}-"), key=len)
    return list(dict.fromkeys([*close, *holding]))[:3]


def fold(subject: str) -> str:
    """A subject as words of the thesaurus are written: lower case, hyphens between words."""
    return re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")
