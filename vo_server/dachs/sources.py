"""``<data>`` → where the rows of a table come from: sources, grammars, row makers (DaCHS Reference Documentation, "Grammars available")."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from vo_server.dachs.expand import unknown_macro
from vo_server.dachs.metadata import shortened
from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report

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
    "hdf5Grammar": "HDF5 files need no grammar here: name the file in source",
    "pdsGrammar": "it reads PDS labels: convert the table to CSV",
    "xmlGrammar": "the file is XML of some kind: convert it to VOTable or CSV",
    "unionGrammar": "it joins several grammars",
    "transparentGrammar": "rows come from Python code: write them to a file first",
    "contextGrammar": "rows come from a request",
}
"""Grammars whose input is nothing that we read → what to do."""

COMMENT = re.compile(r"(?:\(\?m\))?\^?\\?(?P<mark>[^\w\s\\.(])\.\*\$?")
SEPARATORS = {r"\s+": None, r"[ \t]+": None, r" +": None, r"\s*": None, "\t": "\t", r"\t": "\t"}
SIMPLE_SEPARATOR = re.compile(r"(?:\\s[*+])?\\?(?P<one>[^\w\s\\])(?:\\s[*+])?")
PLACE = re.compile(r"([A-Za-z_]\w*)\s*:\s*(\d*\s*-\s*\d*|\d+)")
PASSED = re.compile(r"(?:(?:float|int|str|bool)\()?(?:@|vars\[[\"'])(\w+)(?:[\"']\])?(?:\.strip\(\))?\)?")
WITH_NULL = re.compile(r"parseWithNull\(\s*@(\w+)\s*,\s*[\w.]+\s*,\s*(\"[^\"]*\"|'[^']*')\s*(?:,[^()]*)?\)")
SENTINEL = re.compile(r"[+-]?9{2,}(?:\.[90]*)?|[+-]?0?\.?9{3,}|[-+.]+|.*[^-+.\deE].*")
"""Literals that mean a missing value and nothing else."""


@dataclass(frozen=True, slots=True)
class DataFiles:
    """What lies beside a descriptor: `match` gives the files of a pattern; `columns` those of a section, None if it cannot be read."""

    match: Callable[[str], Sequence[str]]
    columns: Callable[[Mapping[str, Any]], Sequence[str] | None]


no_files = DataFiles(lambda _pattern: (), lambda _table: None)
"""Nothing is known but the descriptor."""


@dataclass
class Feed:
    """Where the rows of one table come from: keys of its section, and column of the table → column of the file."""

    table: dict[str, Any]
    mapped: dict[str, str] = field(default_factory=dict)
    computed: set[str] = field(default_factory=set)
    """Columns of the table of which the report has said that Python makes them."""
    passes_all: bool = False
    known: Sequence[str] | None = None

    def column(self, name: str) -> str | None:
        """The file's column for one of the table; None if there is none."""
        wanted = self.mapped.get(name, name if self.passes_all and name not in self.computed else None)
        if wanted is None or self.known is None:
            return wanted
        exact = [column for column in self.known if column == wanted]
        return next((column for column in exact or self.known if column.lower() == wanted.lower()), None)


def feed(data: Node, make: Node, makers: Mapping[str, Node], columns: Sequence[str], files: DataFiles, report: Report) -> Feed | None:
    """What `make` in `data` fills a table of these columns with; None if it is nothing that we read, which the report says."""
    grammars = [child for child in data.children if child.tag.endswith("Grammar")]
    if not grammars:
        report.lost(data, "it has no grammar, so that it reads nothing")
        return None
    grammar = grammars[0]
    if grammar.tag in UNREAD or grammar.tag not in READ:
        report.lost(grammar, UNREAD.get(grammar.tag, "this grammar is not known"))
        return None
    source = _source(data, files, report)
    layout = READ[grammar.tag](grammar, source, columns, report)
    if source is None or layout is None:
        return None
    table: dict[str, Any] = {"source": source}
    if layout:
        table["layout"] = layout
    _filters(grammar, report)
    made = Feed(table)
    made.known = layout.get("names") or list(layout.get("places", ())) or files.columns(table)
    _rows(make, makers, made, report, is_text=grammar.tag not in ("fitsTableGrammar", "voTableGrammar"))
    _mapped_keys(grammar, made)
    return made


def _source(data: Node, files: DataFiles, report: Report) -> str | None:
    sources = data.all("sources")
    patterns = [part for node in sources for part in _patterns(node)]
    if not patterns:
        report.lost(data, "it names no sources")
        return None
    for node in (child for one in sources for child in one.all("ignoreSources", "ignoredSources")):
        report.lost(node, "every row of the source is taken")
    if (macro := unknown_macro(patterns[0])) is not None:
        report.lost(sources[0], f"only DaCHS knows what {macro} is: name the file")
        return None
    matched = [path for pattern in patterns for path in files.match(pattern)]
    if len(matched) > 1:
        report.lost(
            sources[0],
            f"there are {len(matched)} files, of which this takes {matched[0]}: `vo publish --append` adds those with the same columns",
        )
    elif not matched and (len(patterns) > 1 or any(sign in patterns[0] for sign in "*?[")):
        report.lost(sources[0], f"no file is there that {', '.join(patterns[:3])} matches: write its name as source")
    return matched[0] if matched else patterns[0]


def _patterns(node: Node) -> list[str]:
    said = [node.get("pattern", "patterns"), *(child.text for child in node.all("pattern", "item")), node.text, node.get("items")]
    return list(dict.fromkeys(pattern.strip() for pattern in said if pattern and pattern.strip()))


Layout = dict[str, Any]
"""Keys of ``[table.layout]``; none of them if the file needs none."""


def _nothing(grammar: Node, _source: str | None, _columns: Sequence[str], report: Report) -> Layout:
    if grammar.get("hdu") not in (None, "1"):
        report.lost(grammar, f'hdu={grammar.get("hdu")}: name that table as part = "…" (its EXTNAME)')
    return {}


def _csv(grammar: Node, source: str | None, columns: Sequence[str], report: Report) -> Layout:
    names, skipped = _names(grammar, columns, report), _skipped(grammar)
    suffixes = [suffix.lower() for suffix in PurePosixPath(source or "").suffixes]
    if not names and not skipped and any(suffix in (".csv", ".tsv", ".tab") for suffix in suffixes):
        return {}
    separator = (grammar.attributes.get("delimiter") or grammar.get("delimiter") or ",").replace("\\t", "\t")
    return {"separator": separator[0], "names": names, "skip": skipped} if names else {"separator": separator[0], "skip": skipped + 1}


def _re(grammar: Node, _source: str | None, columns: Sequence[str], report: Report) -> Layout | None:
    separator, end = grammar.get("fieldSep") or r"\s+", grammar.attributes.get("recordSep", "\n")
    simple = SIMPLE_SEPARATOR.fullmatch(separator)
    if separator not in SEPARATORS and simple is None:
        report.lost(grammar, f"cells are separated by the regular expression {separator}: convert the file to CSV")
        return None
    if end not in ("\n", r"\n", r"\r?\n", r"[\r\n]+") or grammar.get("recordCleaner", "stopPat"):
        report.lost(grammar, "rows are found by regular expressions: convert the file to CSV")
        return None
    names = _names(grammar, columns, report)
    if not names:
        report.lost(grammar, "it names no columns")
        return None
    layout: Layout = {"names": names, "comment": _comment(grammar, report)}
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


def _places(grammar: Node, _source: str | None, _columns: Sequence[str], report: Report) -> Layout | None:
    places = {name: "".join(span.split()) for name, span in PLACE.findall(grammar.get("colDefs") or "")}
    for col in grammar.all("col"):
        places[col.get("key", "name") or ""] = "".join(col.text.split())
    places = {name: f"1{span}" if span.startswith("-") else span for name, span in places.items()}
    wrong = [name for name, span in places.items() if not name or not re.fullmatch(r"\d+(-\d*)?", span)]
    if wrong or not places:
        report.lost(grammar, f"the places of the columns are not understood{': ' + ', '.join(wrong) if wrong else ''}")
        return None
    return _skipping(grammar, {"places": places, "comment": grammar.get("commentIntroducer") or ""})


def _skipped(grammar: Node) -> int:
    said = grammar.get("topIgnoredLines") or "0"
    return int(said) if said.isdecimal() else 0


def _skipping(grammar: Node, layout: Layout) -> Layout:
    skipped = _skipped(grammar)
    return {**layout, "skip": skipped} if skipped else layout


def _names(grammar: Node, columns: Sequence[str], report: Report) -> list[str]:
    said = grammar.get("names") or ""
    if said.startswith("\\colNames"):
        return list(columns)
    if (macro := unknown_macro(said)) is not None:
        report.lost(grammar, f"only DaCHS knows what {macro} is: write the names yourself")
        return []
    return [name for name in re.split(r"[,\s]+", said) if name]


Read = Callable[[Node, str | None, Sequence[str], Report], Layout | None]
READ: dict[str, Read] = {
    "csvGrammar": _csv,
    "fitsTableGrammar": _nothing,
    "voTableGrammar": _nothing,
    "reGrammar": _re,
    "columnGrammar": _places,
}
"""Grammars → the layout of their files; None if it is none that we read."""


def _filters(grammar: Node, report: Report) -> None:
    for node in grammar.all("rowfilter", "sourceFields"):
        report.lost(node, "rows are taken as they stand in the file")
    packed = grammar.get("preFilter")
    if packed and not re.match(r"(/bin/)?(zcat|gzip -d|gunzip)", packed):
        report.lost(grammar, f"run `{shortened(packed)}` yourself and name the file that it makes", f"<{grammar.tag} preFilter>")
    if (grammar.get("encoding", "enc") or "utf-8").lower() not in ("utf-8", "utf8", "ascii"):
        report.lost(grammar, "files are read as UTF-8: convert it with iconv", f"<{grammar.tag} encoding>")


def _mapped_keys(grammar: Node, made: Feed) -> None:
    """Names that the grammar gives to what stands in the file: ``dest:src`` pairs, or elements."""
    renamed: dict[str, str] = {}
    for node in grammar.all("mapKeys"):
        renamed |= _pairs(node.get("maps") or node.text)
        renamed |= {child.get("key", "dest") or "": child.text.strip() for child in node.all("map")}
    made.mapped = {name: renamed.get(source, source) for name, source in made.mapped.items()}
    if made.passes_all:
        made.mapped = {**renamed, **made.mapped}


def _pairs(text: str) -> dict[str, str]:
    return dict(re.findall(r"([\w./-]+)\s*:\s*([\w./ -]*[\w./-])", text))


def _rows(make: Node, makers: Mapping[str, Node], made: Feed, report: Report, *, is_text: bool) -> None:
    """What the row maker passes on, and under which names."""
    named = (make.get("rowmaker") or "").rpartition("#")[2]
    maker = next(iter(make.all("rowmaker")), None) or makers.get(named)
    if maker is None:
        made.passes_all = True
        return
    idmaps = maker.get("idmaps")
    made.passes_all = idmaps is not None and "*" in idmaps
    made.mapped |= {name: name for name in re.split(r"[,\s]+", idmaps or "") if name and "*" not in name}
    made.mapped |= _pairs(maker.get("simplemaps") or "")
    variables = {node.get("key", "name") or "": node for node in maker.all("var")}
    for node in maker.children:
        if node.tag == "map":
            _mapping(node, made, variables, report, is_text=is_text)
        elif node.tag not in ("idmaps", "simplemaps", "var"):
            report.lost(node, f"it computes with rows, which are taken as they stand in the file{_named(node)}")
    for name, node in variables.items():
        if name not in made.mapped:
            _mapping(node, made, {}, report, is_text=is_text)
    for node in make.all("script"):
        report.lost(node, "nothing is run when a table is made")
    for node in make.all("parmaker"):
        report.lost(node, "tables have no parameters")


def _named(node: Node) -> str:
    name = node.get("procDef", "name")
    return f" ({name})" if name else ""


def _mapping(node: Node, made: Feed, variables: Mapping[str, Node], report: Report, *, is_text: bool) -> None:
    name = node.get("key", "dest", "name") or ""
    source, expression = node.get("source", "src"), " ".join(node.text.split())
    null = node.get("nullExpr", "nullValue")
    if found := WITH_NULL.fullmatch(expression):
        source, null = found[1], found[2][1:-1]
    elif source is None and not expression:
        source = name
    elif source is None and (passed := PASSED.fullmatch(expression)):
        source = passed[1]
    if source is None or source in variables:
        report.lost(node, f"{name} is computed by Python: {shortened(expression) or source}", f"<{node.tag}>")
        made.mapped.pop(name, None)
        made.computed.add(name)
        return
    made.mapped[name] = source
    if null is not None and is_text:
        _null(node, null.strip("\"'"), made, report)


def _null(node: Node, literal: str, made: Feed, report: Report) -> None:
    if not literal:
        return
    if SENTINEL.fullmatch(literal):
        nulls = made.table.setdefault("nulls", [])
        nulls += [literal] if literal not in nulls else []
        report.covered(node, f"{literal} is a missing value, in all columns of the table", f"<{node.tag}>")
    else:
        report.lost(node, f"{literal} would be a missing value in this column only", f"<{node.tag}>")
