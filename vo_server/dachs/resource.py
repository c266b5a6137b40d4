"""A whole resource descriptor → the texts of ours, and what they could not take over."""

import posixpath
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from vo_server.dachs import written
from vo_server.dachs.access import Access, access_of, closed, filters
from vo_server.dachs.collections import Collection, collection_of, kept_back
from vo_server.dachs.expand import Expander, Shared
from vo_server.dachs.metadata import Resource, meta
from vo_server.dachs.nodes import Node, parse
from vo_server.dachs.report import Fate, Remark, Report
from vo_server.dachs.services import served
from vo_server.dachs.sources import Origin, directory_of, feed, grammar_of
from vo_server.dachs.surroundings import Surroundings
from vo_server.dachs.tables import Table, column_name, columns_of, described, image_mixin, unserved
from vo_server.errors import DataError
from vo_server.formats.readers.infer import fold
from vo_server.observations.descriptor import CollectionDescriptor
from vo_server.publish.descriptor import Descriptor, explain
from vo_server.publish.plan import DEFAULT_SCHEMA, RESERVED_SCHEMAS

LEFT = {
    "execute": "commands that DaCHS runs again and again: use cron or a systemd timer with `vo publish`",
    "job": "commands that DaCHS runs again and again: use cron or a systemd timer with `vo publish`",
    "resRec": "records of other resources are not written",
    "script": "nothing is run when a table is made",
    "condDesc": "conditions of forms: users write ADQL",
    "dm": "annotation with data models is not kept",
    "FEED": "it is defined elsewhere",
    "mixin": "it is defined elsewhere",
}
COVERED = {
    "coverage": "where and when there are rows is found out from them",
    "publish": "every table that is published gets a record",
    "property": "it says nothing about data",
    "regSuite": "`vo selftest URL` tries what clients do",
    "outputTable": "all columns are given; users choose theirs",
}
HANDLED = ("meta", "table", "data", "service", "rowmaker", "schema", "resdir", "readProfiles", "allProfiles")
IN_DATA = ("make", "sources", "rowmaker", "meta", "table", "property", "publish", "register", "recreateAfter")
FATES = {
    Fate.WITHHELD: "Left out, for DaCHS does not give it to everybody (--with-restricted takes it over):",
    Fate.LOST: "Not taken over:",
    Fate.COVERED: "Done here without being asked, or elsewhere:",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """``text`` is a descriptor (TOML) of the ``tables``, empty if none could be taken over; ``collections``: name of a collection of images
    → its descriptor; ``remarks`` say what became of the rest, the weightiest first.
    """

    text: str
    tables: tuple[str, ...]
    collections: Mapping[str, str]
    remarks: tuple[Remark, ...]

    def of(self, fate: Fate) -> tuple[Remark, ...]:
        """The remarks of one kind."""
        return tuple(remark for remark in self.remarks if remark.fate is fate)


def import_rd(content: bytes, source: str, around: Surroundings | None = None, *, with_restricted: bool = False) -> Imported:
    """The resource descriptor called `source` as ours. What DaCHS does not give to everybody is left out unless `with_restricted`.
    DataError if it is none, or defines itself by itself.
    """
    around = around or Surroundings(source.removesuffix(".rd"))
    report = Report()
    home = Expander(parse(content, source), source, around.rd_id, Shared(report, around))
    root = home.expanded
    resource = Resource(report)
    resource.take(root)
    keys = {**_names(root, source, report), **resource.keys}
    makers = _Makers(home, around, report, keys, with_restricted=with_restricted)
    makers.make_all()
    _services(root, {table.node.get("id") or "main": table for table in makers.tables}, keys, makers.cores, report)
    _others(root, report)
    remarks = tuple(report.remarks())
    tables = _in_order(makers.tables, keys.get("schema", DEFAULT_SCHEMA))
    text = _checked("\n".join(_text(source, keys, tables, remarks)), Descriptor, source) if tables else ""
    collections = {
        one.name: _checked("\n".join(_collection_text(source, keys, one, remarks)), CollectionDescriptor, source)
        for one in makers.collections
    }
    return Imported(text, tuple(table.name for table in tables), collections, remarks)


def _names(root: Node, source: str, report: Report) -> dict[str, Any]:
    given = root.get("schema") or ""
    schema = fold(given) if given else ""
    if not schema:
        report.lost(root, f"it has no schema: tables come into the schema {DEFAULT_SCHEMA}")
        return {"name": fold(source.rpartition("/")[2].partition(".")[0])}
    if schema in RESERVED_SCHEMAS:
        report.lost(root, f"the schema {given} is reserved here: tables come into the schema {DEFAULT_SCHEMA}")
        return {"name": schema}
    if schema != given:
        report.lost(root, f"the schema {given} is called {schema}: names need no quotes here")
    return {"schema": schema, "name": schema}


@dataclass
class _Makers:
    """Goes through all ``<make>`` of a descriptor, and gathers the tables and collections that come of them."""

    home: Expander
    around: Surroundings
    report: Report
    keys: Mapping[str, Any]
    with_restricted: bool
    tables: list[Table] = field(default_factory=list)
    collections: list[Collection] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        root = self.home.expanded
        self.cores = {node.get("id") or "": node for node in root.children if node.tag.endswith("Core")}
        self.rowmakers = {node.get("id") or "": node for node in root.walk() if node.tag == "rowmaker" and node.get("id")}
        self.access: Access = access_of(root, self.cores)
        here = posixpath.dirname(self.home.rd_id) or "."
        given = root.get("resdir") or root.get("schema") or "."
        self.folder = posixpath.relpath(here if given == "." else given, here)

    def make_all(self) -> None:
        """All tables, and what is said of those of which nothing comes."""
        if not any(data.all("make") for data in self.home.expanded.all("data")):
            self.report.lost(self.home.expanded, "it makes no table")
        for data in self.home.expanded.all("data"):
            for make in data.all("make"):
                self._make(data, make)
            for node in data.children:
                if not (node.tag.endswith("Grammar") or node.tag in IN_DATA):
                    self.report.lost(node, "nothing else happens when a table is made")
        for name, node in self.home.tables.items():
            if name not in self.seen and node in self.home.expanded.children:
                is_view = node.get("viewStatement") is not None
                why = "views are published from the database: `vo publish --in-place`" if is_view else "no <data> makes its rows"
                self.report.lost(node, f"{name}: {why}")

    def _make(self, data: Node, make: Node) -> None:
        reference = make.get("table") or ""
        name = reference.rpartition("#")[2]
        table = self.home.tables.get(name) or next(iter(make.all("table")), None)
        if table is None:
            self.report.lost(make, f"the table {reference} is not in this descriptor")
        elif name and name in self.seen:
            self.report.lost(make, f"{name} has rows from several <data>: `vo publish --append` adds files with the same columns")
        else:
            self.seen.add(name)
            self._fill(data, make, table)

    def _fill(self, data: Node, make: Node, table: Node) -> None:
        maker = self._maker(make)
        if self._is_withheld(data, make, maker, table):
            return
        if foreign := unserved(table):
            self.report.lost(foreign[0], f"{table.get('id')}: {foreign[1]}", f"<mixin>{foreign[0].text.strip()}")
        elif image_mixin(table) is not None:
            self._collect(data, table)
        else:
            columns = [column for column in columns_of(table, self.home, self.report) if not self._is_hidden(column)]
            origin = Origin(data, make, maker, [column_name(column) for column in columns], self.folder)
            fed = feed(origin, self.around, self.report)
            if fed is not None:
                self._take(described(table, columns, fed, self.keys.get("schema", DEFAULT_SCHEMA), self.report))

    def _take(self, table: Table) -> None:
        if table.columns:
            self.tables.append(table)
        else:
            self.report.lost(table.node, f"{table.name}: nothing of the file goes into it")

    def _maker(self, make: Node) -> Node | None:
        named = (make.get("rowmaker") or "").rpartition("#")[2]
        return next(iter(make.all("rowmaker")), None) or self.rowmakers.get(named)

    def _is_withheld(self, data: Node, make: Node, maker: Node | None, table: Node) -> bool:
        """Whether not everybody may have the table as it lies in the file; the report says why."""
        name, grammar = table.get("id") or "main", grammar_of(data)
        reasons = [(table, why)] if (why := closed(table, self.access)) else []
        if grammar is not None:
            reasons += filters(grammar, make, maker)
            reasons += [(grammar, why)] if (why := kept_back(grammar)) else []
        for node, why in reasons:
            self._restrict(node, f"{name}: {why}")
        return bool(reasons) and not self.with_restricted

    def _is_hidden(self, column: Node) -> bool:
        if column.is_true("hidden"):
            self._restrict(column, f"{column_name(column)}: the column is hidden")
        return column.is_true("hidden") and not self.with_restricted

    def _restrict(self, node: Node, message: str) -> None:
        if self.with_restricted:
            self.report.lost(node, f"{message}; what is published here is open to all")
        else:
            self.report.withheld(node, message)

    def _collect(self, data: Node, table: Node) -> None:
        directory = directory_of(data, self.folder, self.around, self.report)
        if directory is None:
            return
        one = collection_of(table, directory, self.keys, self.keys["name"], self.report)
        if any(one.name == other.name for other in self.collections):
            self.report.lost(table, f"there is a collection {one.name} already")
        else:
            self.collections.append(one)
            self.report.covered(table, f"{table.get('id')}: `vo publish-images` finds the images of the collection {one.name} itself")


def _in_order(tables: Sequence[Table], schema: str) -> list[Table]:
    """Tables before those whose keys point to them, as they are published."""
    waiting, ordered = list(tables), list[Table]()
    while waiting:
        names = {f"{schema}.{table.name}" for table in waiting}
        free = next(
            (one for one in waiting if not any(key["target"] in names - {f"{schema}.{one.name}"} for key in one.foreign)), waiting[0]
        )
        waiting.remove(free)
        ordered.append(free)
    return ordered


def _services(root: Node, tables: Mapping[str, Table], keys: dict[str, Any], cores: Mapping[str, Node], report: Report) -> None:
    for service in root.all("service"):
        served(service, cores, tables, report)
        short = meta(service, "shortName")
        if short and len(short) <= 16:
            keys.setdefault("short_name", short)


def _others(root: Node, report: Report) -> None:
    for node in root.children:
        if node.tag in HANDLED or node.tag.endswith("Core"):
            continue
        if node.tag in COVERED:
            report.covered(node, COVERED[node.tag])
        else:
            name = node.attributes.get("source") or (node.text.strip() if node.tag == "mixin" else "")
            report.lost(node, f"{f'{name}: ' if name else ''}{LEFT.get(node.tag, 'there is no place for it here')}")


def _head(source: str, how: str, remarks: Sequence[Remark]) -> Iterator[str]:
    yield written.comment(f"Imported from {source}. {how}")
    for fate, title in FATES.items():
        if some := [remark for remark in remarks if remark.fate is fate]:
            yield "#"
            yield written.comment(title)
            yield from (written.comment(f"* {remark}") for remark in some)
    yield ""


def _text(source: str, keys: Mapping[str, Any], tables: Sequence[Table], remarks: Sequence[Remark]) -> Iterator[str]:
    yield from _head(source, "`vo check` says what is wrong and what could be better; `vo publish` publishes it.", remarks)
    yield from written.section("[resource]", keys)
    for table in tables:
        if len(tables) == 1:
            yield from _one(table, "[table]", "columns", "keys")
        else:
            yield from _one(table, "[[tables]]", "tables.columns", "tables.keys")


def _one(table: Table, header: str, columns: str, keys: str) -> Iterator[str]:
    yield from written.section(header, table.keys)
    for name, section in table.columns.items():
        yield from written.section(f"[{columns}.{written.key(name)}]", section)
    for foreign in table.foreign:
        yield from written.section(f"[[{keys}]]", foreign)


def _collection_text(source: str, keys: Mapping[str, Any], one: Collection, remarks: Sequence[Remark]) -> Iterator[str]:
    yield from _head(source, "`vo publish-images` publishes it.", remarks)
    yield from written.section("[collection]", one.keys)
    yield from written.section("[resource]", {key: value for key, value in keys.items() if key not in ("schema", "name")})
    yield from written.section("[values]", one.values)


def _checked(text: str, model: type[BaseModel], source: str) -> str:
    """`text`; DataError if it is no descriptor: some value of the other has a form that is not allowed here."""
    try:
        model.model_validate(tomllib.loads(text))
    except ValidationError as error:
        faults = "; ".join(f"{where}: {message}" for _, where, message in explain(text, error))
        raise DataError(f"it holds what a descriptor must not hold here: {faults}.", source=source) from None
    return text
