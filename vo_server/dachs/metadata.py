"""``<meta>`` → what the registry says of a resource (DaCHS Reference Documentation, "Metadata")."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from vo_server.dachs.expand import LICENCES
from vo_server.dachs.macros import unknown_macro
from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report

TEXTS = {"title": "title", "description": "description", "referenceURL": "reference_url", "rights": "rights", "copyright": "rights"}
LISTS = {
    "subject": "subjects",
    "subjects": "subjects",
    "facility": "facility",
    "instrument": "instrument",
    "coverage.waveband": "waveband",
    "waveband": "waveband",
    "contentLevel": "content_level",
    "content.contentLevel": "content_level",
    "type": "type",
    "content.type": "type",
    "contentType": "type",
}
"""Names of metadata → keys of ``[resource]``."""

COVERED = {
    "publisher": "the publisher is the site's: vo.toml",
    "contact": "the contact is the site's: vo.toml",
    "coverage.profile": "where there are rows on the sky is found out from them",
    "coverage.spatial": "where there are rows on the sky is found out from them",
    "coverage.temporal": "when there are rows is found out from them",
    "creationDate": "the day on which it is published stands in the record",
    "datetimeUpdated": "the day on which it is published stands in the record",
    "dateUpdated": "the day on which it is published stands in the record",
    "testQuery": "the record's example is made of a row",
    "_related": "the page of the table links to what belongs to it",
    "schema-rank": "tables are listed by name",
    "table-rank": "tables are listed by name",
}
BIBCODE = re.compile(r"\d{4}[A-Za-z.&]{5}[\w.]{9}[A-Za-z.:]")
DOI = re.compile(r"(?:doi:|https?://(?:dx\.)?doi\.org/)?(10\.\d{4,}/\S+)", re.IGNORECASE)
ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
PLACEHOLDER = re.compile(r"%[^%]*%|_+|\.\.\.|TBD|TODO|", re.DOTALL)
FORMAT = re.compile(r"(rst|plain|literal|raw):")
"""What a value in a line begins with, to say how it is written."""

SHORT_NAME = 16
STATED = {
    "RSTccby": LICENCES["license-cc-by"],
    "RSTccbysa": LICENCES["license-cc-by-sa"],
    "RSTcc0": LICENCES["license-cc0"],
}
"""Macros that state a licence → its name and address."""


@dataclass
class Resource:
    """The keys of ``[resource]`` so far."""

    report: Report
    keys: dict[str, Any] = field(default_factory=dict)

    def take(self, parent: Node) -> None:
        """All metadata of an element."""
        for name, text, node in metas(parent):
            self._one(name, text, node)

    def _one(self, name: str, text: str, node: Node) -> None:
        what = f'<meta name="{name}">'
        if PLACEHOLDER.fullmatch(text):
            self.report.lost(node, "nobody has filled it in yet", what)
        elif licence := _licence(text):
            self.keys["rights"], self.keys["rights_uri"] = licence
            self.report.lost(node, f"the licence is written as {licence[0]}, which DaCHS states up to 2.7: compare with your record", what)
        elif (macro := unknown_macro(text)) is not None:
            self.report.lost(node, f"only DaCHS knows what {macro} is: write it yourself", what)
        else:
            self._take(name, text, node, what)

    def _take(self, name: str, text: str, node: Node, what: str) -> None:
        if name in LISTS:
            self._listed(LISTS[name], text)
        elif name.partition(".")[0] == "creator":
            self._creator(name, text, node)
        elif name == "shortName":
            self._short_name(text, node)
        elif name in ("source", "doi", "identifier.doi"):
            self._source(text, node, what)
        elif name in ("rightsURI", "rights.rightsURI", "_license"):
            self._address("rights_uri", text, node, what)
        elif name == "referenceURL":
            self._address("reference_url", text, node, what)
        elif name in TEXTS:
            self.keys.setdefault(TEXTS[name], text)
        elif covered := COVERED.get(name) or COVERED.get(name.partition(".")[0]):
            self.report.covered(node, covered, what)
        else:
            self.report.lost(node, "there is no key for it", what)

    def _listed(self, key: str, text: str) -> None:
        words = [word.strip() for word in re.split(r"[;,]" if key in ("subjects", "waveband") else r"[;\n]", text)]
        known = self.keys.setdefault(key, [])
        known += [word for word in words if word and word not in known]

    def _creator(self, name: str, text: str, node: Node) -> None:
        creators: list[Any] = self.keys.setdefault("creators", [])
        if name in ("creator", "creator.name"):
            creators += [one.strip() for one in text.split(";") if one.strip()]
        elif name == "creator.altIdentifier" and (orcid := ORCID.search(text)) and creators and isinstance(creators[-1], str):
            creators[-1] = {"name": creators[-1], "orcid": orcid[0]}
        else:
            self.report.lost(node, "there is no key for it", f'<meta name="{name}">')

    def _short_name(self, text: str, node: Node) -> None:
        if len(text) > SHORT_NAME:
            self.report.lost(node, f"{text!r} has more than the {SHORT_NAME} characters that VOResource allows", '<meta name="shortName">')
        else:
            self.keys.setdefault("short_name", text)

    def _source(self, text: str, node: Node, what: str) -> None:
        bibcodes = BIBCODE.findall(text)
        if bibcodes:
            known = self.keys.setdefault("source", bibcodes[0])
            for other in bibcodes:
                if other != known:
                    self.report.lost(node, f"there is one source only, {known}; this is another: {other}", what)
        elif doi := DOI.search(text):
            self.keys.setdefault("doi", doi[1])
        else:
            self.report.lost(node, f"{shortened(text)!r} is neither a bibcode nor a DOI", what)

    def _address(self, key: str, text: str, node: Node, what: str) -> None:
        if re.match(r"https?://\S+$", text):
            self.keys.setdefault(key, text)
        else:
            self.report.lost(node, f"{shortened(text)!r} is no address", what)


def _licence(text: str) -> tuple[str, str] | None:
    """The licence that a macro in `text` states."""
    found = re.search(r"\\(RST\w+)", text)
    return STATED.get(found[1]) if found else None


def metas(parent: Node, prefix: str = "") -> Iterator[tuple[str, str, Node]]:
    """The metadata of an element: (dotted name, text, where); nested ones and those in lines of text written out."""
    for node in parent.all("meta"):
        name = node.attributes.get("name", "")
        if not name:
            yield from _lines(node, prefix)
            continue
        full = f"{prefix}{name}"
        if node.text.strip() or not node.children:
            yield full, told(node.text), node
        yield from metas(node, f"{full}.")


def meta(parent: Node, *names: str) -> str | None:
    """The first of these metadata of an element itself; None also for what nobody has filled in."""
    found = {name: text for name, text, _ in reversed(list(metas(parent)))}
    texts = (found[name] for name in names if name in found)
    return next((text for text in texts if not PLACEHOLDER.fullmatch(text) and unknown_macro(text) is None), None)


def _lines(node: Node, prefix: str) -> Iterator[tuple[str, str, Node]]:
    """``name: value`` lines; a backslash at the end of a line goes on in the next, ``!name`` drops what was said elsewhere before."""
    for line in re.sub(r"\\\s*\n\s*", "", node.text).splitlines():
        name, colon, value = line.strip().partition(":")
        if colon and not name.startswith("#"):
            yield f"{prefix}{name.strip().lstrip('!')}", told(FORMAT.sub("", value.strip())), node


def told(text: str) -> str:
    """A text for people: paragraphs stay, lines do not."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n[ \t]*\n", text.strip()))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def shortened(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}…"
