"""``<table>`` → a section of tables, its columns and keys (DaCHS Reference Documentation, "Element table", "Element column")."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vo_server.dachs.expand import Expander
from vo_server.dachs.metadata import meta, metas, shortened, told
from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report
from vo_server.dachs.sources import Feed
from vo_server.formats.readers.infer import fold
from vo_server.formats.readers.ucds import nearest_ucd
from vo_server.formats.readers.ucds import ucd as checked_ucd
from vo_server.formats.readers.units import nearest_unit, vounit

POSITIONS = ("//scs#q3cindex", "//scs#pgs-pos-index", "//scs#splitPosIndex", "//scs#spoint-index", "//scs#positions", "//scs#q3cpositions")
IMAGES = ("//siap#", "//siap2#")
"""How mixins begin that make a table one of images."""

FOREIGN = {
    "//ssap": "its rows are spectra: `vo publish-spectra DIR` publishes their files",
    "//epntap2": "EPN-TAP is not served",
    "//epntap": "EPN-TAP is not served",
    "//slap": "spectral lines (SLAP) are not served",
    "//linetap": "spectral lines (LineTAP) are not served",
    "//timeseries": "time series are not published as datasets; `vo publish` makes tables of them",
}
"""Mixins of DaCHS that bring the table's columns with them, by what they belong to → why there is no table here."""

ADDED = {
    "//obscore": "ivoa.obscore has what `vo publish-images`, `vo publish-events` and `vo publish-spectra` publish",
    "//obsvis": "ivoa.obscore has what `vo publish-images`, `vo publish-events` and `vo publish-spectra` publish",
    "//products": "files are handed out that `vo publish-images` and `vo publish-events` publish",
}
"""Mixins of DaCHS that add something to a table → what to do instead."""

FRAMES = ("ICRS", "FK5", "J2000", "UNKNOWNFRAME", "BARYCENTER")
STC = re.compile(r"(?:Position|Polygon|Circle)\s+(\w+)", re.IGNORECASE)
STC_NAMES = re.compile(r"\"([^\"]{1,99})\"|\[([^\]]{1,99})\]")
EPOCH = re.compile(r"Epoch\s+(\S+)", re.IGNORECASE)
YEAR = re.compile(r"[JB]\d+(\.\d*)?")
RA, DEC = "pos.eq.ra", "pos.eq.dec"
RA_DEC = ("ra", "dec")
DEEPEST = 9

SAID = {
    "primary": "positions and identifiers are indexed",
}
"""Elements of a table that need not be taken over → what happens anyway."""

LEFT = {
    "param": "tables have no parameters",
    "FEED": "it is defined elsewhere: write its columns into the descriptor",
    "viewStatement": "views are published from the database: `vo publish --in-place`",
    "dm": "annotation with data models is not kept",
}
"""Elements of a table that are lost → why."""

SILENT = ("meta", "column", "columnRef", "index", "stc", "mixin", "foreignKey", "group", "publish", "register", "property")
"""Elements that are looked at elsewhere, or say nothing of data."""


@dataclass
class Table:
    """One table as it will be written: keys of its section; columns by their names in the file; foreign keys; groups of columns;
    epoch of its position.
    """

    node: Node
    name: str
    keys: dict[str, Any]
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    foreign: list[dict[str, Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    epoch: str | None = None

    @property
    def has_position(self) -> bool:
        """Whether a cone search is made."""
        return "ra" in self.keys


def unserved(table: Node) -> tuple[Node, str] | None:
    """The mixin that brings the columns of a table, and why no such table is published here; None if it has columns of its own."""
    for node in table.all("mixin"):
        if why := FOREIGN.get(node.text.strip().partition("#")[0]):
            return node, why
    return None


def image_mixin(table: Node) -> Node | None:
    """The mixin that makes a table one of images."""
    return next((node for node in table.all("mixin") if node.text.strip().startswith(IMAGES)), None)


def column_mixin(table: Node) -> Node | None:
    """A mixin that brings columns of a table which are not known here."""
    found = unserved(table)
    return found[0] if found else image_mixin(table)


def columns_of(table: Node, home: Expander, report: Report, depth: int = 0) -> list[Node]:
    """The columns of a table, those taken from other tables written out."""
    original = table.get("original")
    inherited: list[Node] = []
    if original is not None:
        found = home.table(original)
        if found is None or depth > DEEPEST:
            report.lost(table, f"it copies {original}, which is neither in this descriptor nor in one beside it")
        else:
            inherited = _moved(columns_of(found[1], found[0], report, depth + 1), table)
    own = [one for column in table.all("column", "columnRef") if (one := _copied(column, table, home, report)) is not None]
    names = {column.get("name") for column in own}
    return [*(column for column in inherited if column.get("name") not in names), *own]


def _moved(columns: Sequence[Node], table: Node) -> list[Node]:
    """Columns of another table, reported where they are copied."""
    return [Node(column.tag, table.line, column.attributes, column.text, column.children) for column in columns]


def _copied(column: Node, table: Node, home: Expander, report: Report) -> Node | None:
    original = column.get("original", "ref", "key")
    if original is None or (column.tag == "column" and column.get("original") is None):
        return column
    found = _column(original, table, home)
    if found is None:
        report.lost(column, f"it copies {original}, which is neither in this descriptor nor in one beside it")
        return column if column.get("name") else None
    attributes = {key: value for key, value in {**found.attributes, **column.attributes}.items() if key not in ("id", "original", "ref")}
    return Node("column", column.line, attributes, found.text, [*column.children, *found.children])


def _column(reference: str, table: Node, home: Expander) -> Node | None:
    """The column that is meant: ``table.column``, the id of a column, or a name in the table of ``namePath``, else in any other."""
    place, dot, name = reference.rpartition(".")
    path = place if dot else table.get("namePath")
    if path:
        found = home.table(path)
        return _of_name(found[1], name) if found is not None else None
    others = (_of_name(one, name) for one in home.tables.values() if one is not table)
    return home.column(reference) or next((one for one in others if one is not None), None)


def _of_name(table: Node, name: str) -> Node | None:
    return next((column for column in table.all("column") if column.get("name") == name), None)


def described(table: Node, columns: list[Node], feed: Feed, schema: str, report: Report) -> Table:
    """The table as far as it can be said here; the report says the rest."""
    name = table.get("id") or "main"
    if fold(name) != name.lower():
        report.lost(table, f"{name} is called {fold(name)}: names need no quotes here")
    texts = {key: text for key in ("title", "description") if (text := meta(table, key))}
    made = Table(table, fold(name), {"name": fold(name), **texts, **feed.table, "only_described": True})
    notes = {node.get("tag") or "": told(node.text) for label, _, node in metas(table) if label == "note"}
    for column in columns:
        _take(column, feed, notes, made, report)
    _position(columns, made, feed, report)
    for node in table.all("index"):
        _index(node, made, feed, report)
    made.foreign = [key for node in table.all("foreignKey") if (key := _key(node, schema, report))]
    for node in table.all("group"):
        _group(node, made, feed, report)
    _elements(table, report)
    return made


def _take(column: Node, feed: Feed, notes: Mapping[str, str], made: Table, report: Report) -> None:
    """One column, under the name that it has in the file."""
    name = column_name(column)
    source = feed.column(name)
    if not name:
        report.lost(column, "it has no name")
    elif source is None:
        if name not in feed.rows.told:
            report.lost(column, f"{name}: no column of the file goes into it")
    elif source in made.columns:
        report.lost(column, f"{name}: {source} of the file is {made.columns[source].get('name', source)} already")
    else:
        section = {"name": name} if name != source else {}
        made.columns[source] = section | _unit(column, name, report) | _ucd(column, name, report) | _texts(column, notes)
        _rest(column, name, report)


def _texts(column: Node, notes: Mapping[str, str]) -> dict[str, str]:
    utype = column.get("utype")
    text = told(column.get("description") or column.get("tablehead") or "")
    note = notes.get(column.get("note") or "")
    described = f"{text} {f'Note: {note}' if note else ''}".strip()
    return {key: value for key, value in (("utype", utype), ("description", described)) if value}


def column_name(column: Node) -> str:
    """As users write it; ``quoted/`` marks names that need quotes."""
    return (column.get("name") or "").removeprefix("quoted/")


def is_quoted(column: Node) -> bool:
    """Whether its name needs quotes."""
    return (column.get("name") or "").startswith("quoted/")


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
        if values.all("option") or values.get("min", "max", "fromdb", "options"):
            report.lost(values, "ranges and lists of values are not kept")
        if literal := values.get("nullLiteral"):
            report.covered(values, f"{literal} is not needed for missing values: they are NULL")
    if column.get("xtype") not in (None, "timestamp", "adql:TIMESTAMP"):
        report.lost(column, f"{name}: xtype {column.get('xtype')} is not set", "<column xtype>")


def _position(columns: list[Node], made: Table, feed: Feed, report: Report) -> None:
    """Which columns are the position: the UCDs say it, as for DaCHS' cone search, or STC-S."""
    stated = made.node.all("stc")
    frame = next((found[1].upper() for node in stated if (found := STC.search(node.text))), "ICRS")
    main = [column for word in (RA, DEC) for column in columns if _is_main(column, word)][:2]
    names = [column_name(column) for column in main]
    if not names and stated:
        names = [one or other for one, other in STC_NAMES.findall(stated[0].text)][:2]
    if frame in FRAMES:
        for node in stated:
            report.covered(node, "positions are ICRS")
    sources = [feed.column(name) for name in names]
    if frame not in FRAMES:
        report.lost(stated[0], f"positions are {frame}: a cone search needs right ascension and declination in ICRS")
        made.keys["position"] = False
    elif strange := sorted({unit for column in main if vounit(unit := column.get("unit") or "deg")[0] != "deg"}):
        report.lost(made.node, f"{' and '.join(names)} are in {', '.join(strange)}, not in degrees: no cone search")
        made.keys["position"] = False
    elif len(names) == len(RA_DEC) and all(sources):
        made.keys |= {key: made.columns.get(source or "", {}).get("name", source) for key, source in zip(RA_DEC, sources, strict=True)}
        _epoch(stated, made)
    for node in stated:
        if made.epoch is None and (epoch := EPOCH.search(node.text)):
            report.lost(node, f"the epoch {epoch[1]} is not kept")


def _epoch(stated: Sequence[Node], made: Table) -> None:
    epochs = [found[1] for node in stated if (found := EPOCH.search(node.text)) and YEAR.fullmatch(found[1])]
    made.epoch = epochs[0] if epochs else None


def _index(node: Node, made: Table, feed: Feed, report: Report) -> None:
    """An index of one column becomes the column's; of what is published in place all indexes stay."""
    names = [name.strip() for name in (node.get("columns") or "").split(",")]
    source = feed.column(names[0]) if len(names) == 1 and not node.text.strip() else None
    if feed.is_there:
        report.covered(node, "all indexes stay as they are")
    elif source is None or source not in made.columns:
        report.lost(node, "indexes of several columns or of expressions are not made")
    elif names[0] in (made.keys.get("ra"), made.keys.get("dec")):
        report.covered(node, "positions are indexed anyway")
    else:
        made.columns[source]["index"] = True


def _group(node: Node, made: Table, feed: Feed, report: Report) -> None:
    """A group of columns (Reference Documentation, "Element group"), and those within it, beside it."""
    name = node.get("name") or node.get("utype") or node.get("ucd") or f"group{len(made.groups) + 1}"
    taken = {column: group["name"] for group in made.groups for column in group["columns"]}
    columns: list[str] = []
    for reference in node.all("columnRef"):
        wanted = reference.get("key", "dest") or ""
        column = _published(wanted, made, feed)
        if column is None:
            report.lost(reference, f"{name}: the column {wanted} is not published", "<group>")
        elif column in taken:
            report.lost(reference, f"{name}: {column} is in the group {taken[column]} already, and can be in one", "<group>")
        elif column not in columns:
            columns.append(column)
    for key in ("ucd", "utype"):
        if node.get(key) not in (None, name):
            report.lost(node, f"{name}: groups have no {key}", f"<group {key}>")
    for inner in node.all("param", "paramRef"):
        report.lost(inner, f"{name}: {LEFT['param']}", "<group>")
    if columns:
        description = told(node.get("description") or "")
        made.groups.append({"name": name, "columns": columns} | ({"description": description} if description else {}))
    for inner in node.all("group"):
        report.lost(inner, f"{name}: a group within it stands beside it", "<group>")
        _group(inner, made, feed, report)


def _published(name: str, made: Table, feed: Feed) -> str | None:
    """What a column is called in the published table, if it is there."""
    source = feed.column(name)
    return None if source is None or source not in made.columns else str(made.columns[source].get("name", source))


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
            why = ADDED.get(text.partition("#")[0], "it is defined elsewhere, and its columns are not known")
            report.lost(node, why, f"<mixin>{shortened(text)}")
    for name, _, node in metas(table):
        if name.partition(".")[0] not in ("title", "description", "note", "table-rank", "schema-rank"):
            report.lost(node, "tables have no such metadata", f'<meta name="{name}">')
    for node in table.children:
        if node.tag in SAID:
            report.covered(node, SAID[node.tag])
        elif node.tag in LEFT:
            named = node.get("name", "source")
            report.lost(node, f"{f'{named}: ' if named else ''}{LEFT[node.tag]}")
        elif node.tag not in SILENT and node.children:
            report.lost(node, "there is no place for it in a table")
