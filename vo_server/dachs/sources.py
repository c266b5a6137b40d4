"""``<data>`` → where the rows of a table come from: sources and grammars (DaCHS Reference Documentation, "Grammars available")."""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from vo_server.dachs.macros import unknown_macro
from vo_server.dachs.metadata import shortened
from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report
from vo_server.dachs.rows import Rows, pairs, rows_of
from vo_server.dachs.surroundings import Surroundings

UNREAD = {
    "fitsProdGrammar": "it reads headers of images or spectra: `vo publish-images DIR` and `vo publish-spectra` do that",
    "embeddedGrammar": "rows are made by Python code: write them to a file first",
    "customGrammar": "rows are made by Python code: write them to a file first",
    "directGrammar": "rows are made by a C program: write them to a file first",
    "odbcGrammar": "rows come from another database: write them to a file first",
    "rowsetGrammar": "rows come from Python code: write them to a file first",
    "dictlistGrammar": "rows come from Python code: write them to a file first",
    "nullGrammar": "it makes no rows",
    "keyValueGrammar": "each file is one row: convert the files to one CSV",
    "freeREGrammar": "lines are taken apart by regular expressions: convert the file to CSV",
    "binaryGrammar": "the file is a dump of C structures: convert it to FITS",
    "mySQLDumpGrammar": "the file is a dump of MySQL: convert it to CSV",
    "cdfHeaderGrammar": "it reads headers of CDF files",
    "pdsGrammar": "it reads PDS labels: convert the table to CSV",
    "xmlGrammar": "the file is XML of some kind: convert it to VOTable or CSV",
    "unionGrammar": "it joins several grammars",
    "transparentGrammar": "rows come from Python code: write them to a file first",
    "contextGrammar": "rows come from a request",
}
"""Grammars whose input is nothing that we read → what to do."""

Keys = dict[str, Any]
"""Keys of the section of a table: its layout, its part."""

COMMENT = re.compile(r"(?:\(\?m\))?\^?\\?(?P<mark>[^\w\s\\.(])\.\*\$?")
SEPARATORS = {r"\s+": None, r"[ \t]+": None, r" +": None, r"\s*": None, "\t": "\t", r"\t": "\t"}
SIMPLE_SEPARATOR = re.compile(r"(?:\\s[*+])?\\?(?P<one>[^\w\s\\])(?:\\s[*+])?")
ROW_ENDS = ("\n", r"\n", r"\r?\n", r"[\r\n]+")
PLACE = re.compile(r"([A-Za-z_]\w{0,99})\s{0,99}:\s{0,99}(\d{0,9}\s{0,99}-\s{0,99}\d{1,9}|\d{1,9}\s{0,99}-|\d{1,9})(?=\s|$)")
UNPACKING = re.compile(r"(/bin/)?(zcat|gzip -d|gunzip)( -c)?")
COLUMN_NAMES = re.compile(r"\\colNames(?:\{(\w+)\})?")
PROMISED = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
"""Endings of text tables → the separator that reading them takes for granted."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Where the rows of one table come from: keys of its section, what goes into which column, and the columns of the file if known.
    ``is_there``: they are in the database already.
    """

    table: dict[str, Any]
    rows: Rows
    known: Sequence[str] | None
    is_there: bool = False

    def column(self, name: str) -> str | None:
        """The file's column for one of the table; None if there is none. Names may differ by case, as in SQL."""
        wanted = self.rows.sources.get(name)
        if wanted is None or self.known is None or wanted in self.known:
            return wanted
        return next((column for column in self.known if column.lower() == wanted.lower()), None)


@dataclass(frozen=True, slots=True)
class Origin:
    """What one ``<make>`` is about: the ``<data>``, its row maker, the names of the table's columns, and the resource's directory as seen
    from the descriptor's.
    """

    data: Node
    make: Node
    maker: Node | None
    columns: Sequence[str]
    folder: str


def grammar_of(data: Node) -> Node | None:
    """The grammar of a ``<data>``."""
    return next((child for child in data.children if child.tag.endswith("Grammar")), None)


def feed(origin: Origin, around: Surroundings, report: Report) -> Feed | None:
    """What a ``<make>`` fills its table with; None if it is nothing that we read, which the report says."""
    grammar = grammar_of(origin.data)
    if grammar is None:
        report.lost(origin.data, "it has no grammar, so that it reads nothing")
        return None
    if origin.make.get("rowSource") == "parameters":
        report.lost(origin.make, "its rows are the parameters of files, one row each")
        return None
    if grammar.tag not in READ:
        report.lost(grammar, UNREAD.get(grammar.tag, "this grammar is not known"))
        return None
    source = source_of(origin.data, origin.folder, around, report)
    keys = READ[grammar.tag](grammar, source or "", origin.columns, report)
    if source is None or keys is None:
        return None
    table: dict[str, Any] = {"source": source, **keys}
    _filters(grammar, report)
    rows = _renamed(rows_of(origin.maker, origin.columns, report, is_text=grammar.tag in TEXT_GRAMMARS), grammar)
    if rows.nulls:
        table["nulls"] = rows.nulls
    return Feed(table, rows, around.columns(table) or _named(keys))


def _named(keys: Keys) -> Sequence[str] | None:
    """The names that a layout gives to the columns."""
    layout = keys.get("layout", {})
    return layout.get("names") or list(layout.get("places", ())) or None


def source_of(data: Node, folder: str, around: Surroundings, report: Report) -> str | None:
    """The file, or its pattern, from which a ``<data>`` takes its rows; None if nothing says it."""
    patterns = _said(data, report)
    if not patterns:
        return None
    sources = data.all("sources")
    matched = _files(sources, patterns, folder, around, report)
    if len(matched) > 1:
        report.lost(
            sources[0],
            f"there are {len(matched)} files, of which this takes {matched[0]}: `vo publish --append` adds those with the same columns",
        )
    elif not matched and (len(patterns) > 1 or any(sign in patterns[0] for sign in "*?[")):
        report.lost(sources[0], f"no file is there that {', '.join(patterns[:3])} matches: write its name as source")
    return matched[0] if matched else patterns[0]


def directory_of(data: Node, folder: str, around: Surroundings, report: Report) -> str | None:
    """The directory below which all files of a ``<data>`` lie; None if nothing says it."""
    patterns = _said(data, report)
    if not patterns:
        return None
    files = _files(data.all("sources"), patterns, folder, around, report) or [re.split(r"[*?[]", one)[0] + "x" for one in patterns]
    parents = {str(PurePosixPath(path).parent) for path in files}
    same_root = len({path.startswith("/") for path in parents}) == 1
    return (posixpath.commonpath(parents) or ".") if same_root else "."


def _said(data: Node, report: Report) -> list[str]:
    """The patterns of the files of a ``<data>``; none if DaCHS alone can tell."""
    patterns = [part for node in data.all("sources") for part in _patterns(node)]
    if not patterns:
        report.lost(data, "it names no sources")
    macro = next((found for pattern in patterns if (found := unknown_macro(pattern)) is not None), None)
    if macro is not None:
        report.lost(data.all("sources")[0], f"only DaCHS knows what {macro} is: name the file")
        return []
    return patterns


def _files(sources: Sequence[Node], patterns: Sequence[str], folder: str, around: Surroundings, report: Report) -> list[str]:
    """The files of patterns in the resource's directory, else in the descriptor's own, without those to ignore."""
    recurse = any(node.is_true("recurse") for node in sources)
    matched = [
        path
        for pattern in patterns
        for path in around.match(str(PurePosixPath(folder) / pattern), recurse) or around.match(pattern, recurse)
    ]
    ignored = []
    for node in (child for one in sources for child in one.all("ignoreSources", "ignoredSources")):
        found = _patterns(node)
        ignored += found
        if node.get("fromdb", "fromdbUpdating", "fromfile") or not found:
            report.lost(node, "every file is taken that no pattern here excludes")
    return [path for path in matched if not any(fnmatchcase(path, f"*{pattern}") for pattern in ignored)]


def _patterns(node: Node) -> list[str]:
    said = [node.get("pattern", "patterns"), *(child.text for child in node.all("pattern", "item")), node.text, node.get("items")]
    return list(dict.fromkeys(pattern.strip() for pattern in said if pattern and pattern.strip()))


def _fits(grammar: Node, _source: str, _columns: Sequence[str], report: Report) -> Keys | None:
    number = grammar.get("hdu") or "1"
    if number == "1":
        return {}
    report.lost(grammar, f"hdu={number}: if that extension has an EXTNAME, write it as part")
    return {"part": f"table{number}"}


def _votable(_grammar: Node, _source: str, _columns: Sequence[str], _report: Report) -> Keys | None:
    return {}


def _hdf5(grammar: Node, _source: str, _columns: Sequence[str], report: Report) -> Keys | None:
    if (style := grammar.get("style") or "astropy") != "astropy":
        report.lost(grammar, f"it is in the style of {style}: write the path of the table in the file as part")
        return {}
    dataset = grammar.get("dataset")
    return {"part": dataset} if dataset else {}


def _csv(grammar: Node, source: str, columns: Sequence[str], report: Report) -> Keys | None:
    names, skipped = _names(grammar, columns, report), _skipped(grammar)
    separator = (grammar.attributes.get("delimiter") or grammar.get("delimiter") or ",").replace(r"\t", "\t")[:1]
    endings = [suffix.lower() for suffix in PurePosixPath(source).suffixes[-2:]]
    if not names and not skipped and any(PROMISED.get(ending) == separator for ending in endings):
        return {}
    layout: dict[str, Any] = {"separator": separator, "comment": ""}
    return {"layout": {**layout, **({"names": names, "skip": skipped} if names else {"skip": skipped + 1})}}


def _re(grammar: Node, _source: str, columns: Sequence[str], report: Report) -> Keys | None:
    separator, end = grammar.get("fieldSep") or r"\s+", grammar.attributes.get("recordSep", "\n")
    simple = SIMPLE_SEPARATOR.fullmatch(separator)
    if separator not in SEPARATORS and simple is None:
        report.lost(grammar, f"cells are separated by the regular expression {separator}: convert the file to CSV")
        return None
    if end not in ROW_ENDS or grammar.get("recordCleaner", "stopPat"):
        report.lost(grammar, "rows are found by regular expressions: convert the file to CSV")
        return None
    names = _names(grammar, columns, report)
    if not names:
        report.lost(grammar, "it names no columns")
        return None
    layout: dict[str, Any] = {"names": names, "comment": _comment(grammar, report)}
    one = simple["one"] if simple and separator not in SEPARATORS else SEPARATORS.get(separator)
    if one is not None:
        layout["separator"] = one
    return _skipping(grammar, layout)


def _comment(grammar: Node, report: Report) -> str:
    pattern = grammar.get("commentPat")
    if pattern is None:
        return ""
    simple = COMMENT.fullmatch(pattern)
    if simple is None:
        report.lost(grammar, f"comments are found by the regular expression {pattern}: say in layout.comment how those lines begin")
    return simple["mark"] if simple else ""


def _places(grammar: Node, _source: str, _columns: Sequence[str], report: Report) -> Keys | None:
    said = grammar.get("colDefs") or ""
    places = {name: "".join(span.split()) for name, span in PLACE.findall(said)}
    for col in grammar.all("col"):
        places[col.get("key", "name") or ""] = "".join(col.text.split())
    places = {name: f"1{span}" if span.startswith("-") else span for name, span in places.items()}
    wrong = [f"{name}: {span}" for name, span in places.items() if not name or not re.fullmatch(r"\d+(-\d*)?", span)]
    if rest := PLACE.sub("", said).strip():
        wrong.append(shortened(rest))
    if wrong or not places:
        report.lost(grammar, f"the places of the columns are not understood{': ' + ', '.join(wrong) if wrong else ''}")
        return None
    return _skipping(grammar, {"places": places, "comment": grammar.get("commentIntroducer") or ""})


def _skipped(grammar: Node) -> int:
    said = grammar.get("topIgnoredLines") or "0"
    return int(said) if said.isdecimal() and len(said) < 7 else 0


def _skipping(grammar: Node, layout: dict[str, Any]) -> Keys:
    skipped = _skipped(grammar)
    return {"layout": {**layout, "skip": skipped} if skipped else layout}


def _names(grammar: Node, columns: Sequence[str], report: Report) -> list[str]:
    said = grammar.get("names") or ""
    if COLUMN_NAMES.fullmatch(said):
        return list(columns)
    if (macro := unknown_macro(said)) is not None:
        report.lost(grammar, f"only DaCHS knows what {macro} is: write the names yourself")
        return []
    return [name for name in re.split(r"[,\s]+", said) if name]


READ: dict[str, Callable[[Node, str, Sequence[str], Report], Keys | None]] = {
    "csvGrammar": _csv,
    "fitsTableGrammar": _fits,
    "voTableGrammar": _votable,
    "hdf5Grammar": _hdf5,
    "reGrammar": _re,
    "columnGrammar": _places,
}
"""Grammars → keys of the section of a table, None if their files are none that we read."""

TEXT_GRAMMARS = ("csvGrammar", "reGrammar", "columnGrammar")


def _filters(grammar: Node, report: Report) -> None:
    for node in grammar.all("rowfilter", "sourceFields"):
        report.lost(node, "rows are taken as they stand in the file")
    packed = grammar.get("preFilter")
    if packed and not UNPACKING.fullmatch(packed):
        report.lost(grammar, f"run `{shortened(packed)}` yourself and name the file that it makes", f"<{grammar.tag} preFilter>")
    if (grammar.get("encoding", "enc") or "utf-8").lower() not in ("utf-8", "utf8", "ascii"):
        report.lost(grammar, "files are read as UTF-8: convert it with iconv", f"<{grammar.tag} encoding>")


def _renamed(rows: Rows, grammar: Node) -> Rows:
    """The rows with the names that stand in the file, where the grammar gives others: ``dest:src`` pairs, or elements."""
    renamed: dict[str, str] = {}
    for node in grammar.all("mapKeys"):
        renamed |= pairs(node.get("maps") or node.text)
        renamed |= {child.get("key", "dest") or "": child.text.strip() for child in node.all("map")}
    rows.sources = {name: renamed.get(source, source) for name, source in rows.sources.items()}
    return rows
