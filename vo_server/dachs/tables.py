"""``<table>`` → a section of tables, its columns and keys (DaCHS Reference Documentation, "Element table", "Element column")."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vo_server.dachs.metadata import meta, metas, shortened, told
from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report
from vo_server.dachs.sources import Feed
from vo_server.formats.readers.infer import fold
from vo_server.formats.readers.ucds import nearest_ucd
from vo_server.formats.readers.ucds import ucd as checked_ucd
from vo_server.formats.readers.units import nearest_unit, vounit

POSITIONS = ("//scs#q3cindex", "//scs#pgs-pos-index", "//scs#splitPosIndex", "//scs#spoint-index", "//scs#positions", "//scs#q3cpositions")
MIXINS = {
    "//siap": "images are published from their files: `vo publish-images DIR`",
    "//siap2": "images are published from their files: `vo publish-images DIR`",
    "//ssap": "spectra are published by `vo publish-spectra`",
    "//obscore": "ivoa.obscore has what `vo publish-images`, `vo publish-events` and `vo publish-spectra` publish",
    "//products": "files are handed out that `vo publish-images`, `vo publish-events` and `vo publish-spectra` publish",
    "//epntap2": "EPN-TAP is not served; the table can be published with the columns of the file",
    "//slap": "spectral lines (SLAP) are not served; the table can be published with the columns of the file",
    "//timeseries": "time series are published as tables only",
    "//procs": "it is a procedure of DaCHS",
}
"""Mixins of DaCHS, by what they belong to → what to do instead."""

FRAMES = ("ICRS", "FK5", "J2000", "UNKNOWNFRAME", "BARYCENTER")
STC = re.compile(r"(?:Position|Polygon|Circle)\s+(\w+)", re.IGNORECASE)
STC_NAMES = re.compile(r"\"([^\"]+)\"|\[([^\]]+)\]")
EPOCH = re.compile(r"Epoch\s+(\S+)", re.IGNORECASE)
RA, DEC = "pos.eq.ra", "pos.eq.dec"

PRESENTED = {"index", "primary", "property", "forceUnique", "dupePolicy", "dupPolicy", "primaryKey"}
IGNORED = {
    "meta",
    "column",
    "stc",
    "mixin",
    "foreignKey",
    "publish",
    "adql",
    "onDisk",
    "id",
    "namePath",
    "register",
    "temporary",
    "readProfiles",
}


@dataclass
class Table:
    """One table as it will be written: keys of its section; columns by their names in the file; foreign keys."""

    node: Node
    name: str
    keys: dict[str, Any]
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    foreign: list[dict[str, Any]] = field(default_factory=list)

    @property
    def has_position(self) -> bool:
        """Whether a cone search is made."""
        return "ra" in self.keys


def columns_of(table: Node, tables: Mapping[str, Node], report: Report, depth: int = 0) -> list[Node]:
    """The columns of a table, those taken from another table of the descriptor written out."""
    original = table.get("original")
    inherited: list[Node] = []
    if original is not None:
        other = tables.get(original.rpartition("#")[2])
        if other is None or depth > 9:
            report.lost(table, f"it copies {original}, which is not in this descriptor")
        else:
            inherited = columns_of(other, tables, report, depth + 1)
    own = [one for one in (_copied(column, table, tables, report) for column in table.all("column", "columnRef")) if one is not None]
    names = {column.get("name") for column in own}
    return [*(column for column in inherited if column.get("name") not in names), *own]


def _copied(column: Node, table: Node, tables: Mapping[str, Node], report: Report) -> Node | None:
    original = column.get("original", "ref")
    if original is None:
        return column
    place, _, name = original.rpartition(".")
    where = place.rpartition("#")[2] or name
    other = tables.get(where) if place else next((one for one in tables.values() if one is not table and _column(one, name)), None)
    found = _column(other, name) if other is not None else None
    if found is None:
        report.lost(column, f"it copies {original}, which is not in this descriptor")
        return column if column.get("name") else None
    return Node("column", column.line, {**found.attributes, **column.attributes}, found.text, [*column.children, *found.children])


def _column(table: Node, name: str) -> Node | None:
    return next((column for column in table.all("column") if column.get("name") == name), None)


def described(table: Node, columns: list[Node], feed: Feed, schema: str, report: Report) -> Table:
    """The table as far as it can be said here; the report says the rest."""
    name = table.get("id") or "main"
    keys: dict[str, Any] = {"name": fold(name)}
    if fold(name) != name.lower():
        report.lost(table, f"{name} is called {fold(name)}: names need no quotes here")
    for key in ("title", "description"):
        if text := meta(table, key):
            keys[key] = text
    made = Table(table, fold(name), {**keys, **feed.table})
    notes = {node.get("tag") or "": told(node.text) for label, _, node in metas(table) if label == "note"}
    _columns(columns, feed, notes, made, report)
    _position(columns, made, feed, report)
    made.foreign = [_key(node, schema, report) for node in table.all("foreignKey")]
    made.foreign = [key for key in made.foreign if key]
    _elements(table, report)
    return made


def _columns(columns: list[Node], feed: Feed, notes: Mapping[str, str], made: Table, report: Report) -> None:
    for column in columns:
        name = column_name(column)
        if not name:
            report.lost(column, "it has no name")
            continue
        source = feed.column(name)
        if source is None:
            if name not in feed.computed:
                report.lost(column, f"{name}: no column of the file goes into it", "<column>")
            continue
        section = {"name": name} if name != source else {}
        section |= _unit(column, name, report) | _ucd(column, name, report)
        if utype := column.get("utype"):
            section["utype"] = utype
        text = told(column.get("description") or column.get("tablehead") or "")
        note = notes.get(column.get("note") or "")
        if text or note:
            section["description"] = f"{text} {'Note: ' + note if note else ''}".strip()
        if source in made.columns:
            report.lost(column, f"{name}: {source} of the file is {made.columns[source].get('name', source)} already", "<column>")
            continue
        made.columns[source] = section
        _rest(column, name, report)
    if feed.known is not None and (others := [name for name in feed.known if name not in made.columns]):
        listed = ", ".join(others[:8]) + (" …" if len(others) > 8 else "")
        report.covered(made.node, f"{made.name} gets all columns of the file, also those not described there: {listed}")


def column_name(column: Node) -> str:
    """As users write it; ``quoted/`` marks names that need quotes."""
    return (column.get("name") or "").removeprefix("quoted/")


def _unit(column: Node, name: str, report: Report) -> dict[str, str]:
    given = column.get("unit")
    if not given:
        return {}
    unit, remark = vounit(given)
    if remark is None:
        return {"unit": unit} if unit else {}
    near = nearest_unit(given)
    report.lost(column, f"{name}: {given!r} is no unit of VOUnits{f'; {near!r}?' if near else ''}", "<column unit>")
    return {}


def _ucd(column: Node, name: str, report: Report) -> dict[str, str]:
    given = column.get("ucd")
    if not given:
        return {}
    ucd, remark = checked_ucd(given)
    if remark is None and ucd is not None:
        return {"ucd": ucd}
    near = nearest_ucd(given)
    report.lost(column, f"{name}: {given!r} is no UCD{f'; {near!r}?' if near else ''}", "<column ucd>")
    return {}


def _rest(column: Node, name: str, report: Report) -> None:
    for values in column.all("values"):
        if values.all("option") or values.get("min", "max", "fromdb"):
            report.lost(values, "ranges and lists of values are not kept")
    if column.get("xtype") not in (None, "timestamp", "adql:TIMESTAMP"):
        report.lost(column, f"{name}: xtype {column.get('xtype')} is not set", "<column xtype>")


def _position(columns: list[Node], made: Table, feed: Feed, report: Report) -> None:
    """Which columns are the position: the UCDs say it, as for DaCHS' cone search, or STC-S."""
    stated = list(made.node.all("stc"))
    frame = next((found[1].upper() for node in stated if (found := STC.search(node.text))), "ICRS")
    main = {word: [column for column in columns if _is_main(column, word)] for word in (RA, DEC)}
    names = [column_name(main[word][0]) for word in (RA, DEC) if main[word]]
    if not names and stated and frame in FRAMES:
        names = [one or other for one, other in STC_NAMES.findall(stated[0].text)][:2]
    for node in stated:
        if epoch := EPOCH.search(node.text):
            report.lost(node, f"the epoch {epoch[1]} is not kept: put it into the description")
        elif frame in FRAMES:
            report.covered(node, "positions are ICRS")
    sources = [feed.column(name) for name in names]
    if frame not in FRAMES:
        report.lost(stated[0], f"positions are {frame}: a cone search needs right ascension and declination in ICRS")
        made.keys["position"] = False
    elif len(names) == 2 and all(sources):
        ra, dec = (made.columns.get(source or "", {}).get("name", source) for source in sources)
        units = {column.get("unit") for word in (RA, DEC) for column in main[word]}
        if units - {"deg", None, ""}:
            report.lost(made.node, f"{ra} and {dec} are in {', '.join(sorted(filter(None, units)))}, not in degrees: no cone search")
            made.keys["position"] = False
        else:
            made.keys |= {"ra": ra, "dec": dec}


def _is_main(column: Node, word: str) -> bool:
    words = [one.strip().lower() for one in (column.get("ucd") or "").split(";")]
    return words[0] == word and "meta.main" in words


def _key(node: Node, schema: str, report: Report) -> dict[str, Any]:
    target, ours = node.get("inTable", "table"), node.get("source")
    theirs = node.get("dest") or ours
    if not target or not ours or not theirs:
        report.lost(node, "it does not say which columns belong together")
        return {}
    place, _, name = target.rpartition("#")
    named = name if "." in name else f"{schema}.{fold(name)}"
    if place:
        report.lost(node, f"{target} is in another descriptor; it is taken for {named}, which must be published first")
    pair = [[one.strip() for one in names.split(",")] for names in (ours, theirs)]
    return {"columns": pair[0], "target": named, "target_columns": pair[1]}


def _elements(table: Node, report: Report) -> None:
    """What else stands in a table."""
    for node in table.all("mixin"):
        text = node.text.strip()
        if text in POSITIONS:
            report.covered(node, "positions are indexed anyway", f"<mixin>{text}")
        else:
            report.lost(
                node,
                MIXINS.get(text.partition("#")[0], "it is defined elsewhere, and its columns are not known"),
                f"<mixin>{shortened(text)}",
            )
    if (table.get("adql") or "false").lower() not in ("true", "hidden", "1", "yes", "on"):
        report.lost(table, f"{table.get('id')} was not open to ADQL there; what is published here is open to all")
    for name, _, node in metas(table):
        if name.partition(".")[0] not in ("title", "description", "note", "table-rank", "schema-rank"):
            report.lost(node, "tables have no such metadata", f'<meta name="{name}">')
    for node in table.children:
        if node.tag in PRESENTED:
            report.covered(node, "positions and identifiers are indexed; other indexes are not made")
        elif node.tag == "param":
            report.lost(node, f"tables have no parameters: {node.get('name')} = {shortened(node.text)}")
        elif node.tag == "FEED":
            report.lost(node, f"{node.attributes.get('source')} is defined elsewhere: write its columns into the descriptor")
        elif node.tag in ("viewStatement",):
            report.lost(node, "views are published from the database: `vo publish --in-place`")
        elif node.tag not in IGNORED and (node.children or node.text.strip() == ""):
            report.lost(node, "there is no place for it in a table")
