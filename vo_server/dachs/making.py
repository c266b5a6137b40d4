"""All ``<make>`` of a descriptor → tables and collections (DaCHS Reference Documentation, "Element data", "Element make")."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vo_server.dachs.access import Access, access_of, closed, filters
from vo_server.dachs.collections import Collection, collection_of, kept_back
from vo_server.dachs.expand import Expander
from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report
from vo_server.dachs.rows import Rows
from vo_server.dachs.sources import Feed, Origin, directory_of, feed, grammar_of
from vo_server.dachs.surroundings import Surroundings
from vo_server.dachs.tables import Table, column_mixin, column_name, columns_of, described, image_mixin, is_quoted, unserved
from vo_server.formats.readers.infer import fold
from vo_server.publish.plan import DEFAULT_SCHEMA

IN_DATA = ("make", "sources", "rowmaker", "meta", "table", "property", "publish", "register", "recreateAfter")


@dataclass
class Making:
    """Goes through all ``<make>`` of a descriptor, and gathers the ``tables`` and ``collections`` that come of them."""

    home: Expander
    around: Surroundings
    report: Report
    keys: Mapping[str, Any]
    with_restricted: bool
    in_place: bool = False
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
        if self.in_place:
            for table in self.home.tables.values():
                self._find(table)
        else:
            self._make_from_files()
        for made in self.tables:
            self._keep_keys(made)

    def _find(self, table: Node) -> None:
        """A table or view that DaCHS has made already: PostgreSQL knows names in lower case, unless they were quoted."""
        name = table.get("id") or ""
        if (why := closed(table, self.access)) and self._restrict(table, f"{name}: {why}"):
            return
        if mixin := column_mixin(table):
            self.report.lost(mixin, f"{name}: the columns that the mixin brings are not known here", f"<mixin>{mixin.text.strip()}")
            return
        table = replace(table, children=[child for child in table.children if child.tag != "viewStatement"])
        columns = self._columns(table)
        names = {column_name(column): column for column in columns}
        sources = {one: one if is_quoted(column) else one.lower() for one, column in names.items()}
        source = f"{self.home.expanded.get('schema') or DEFAULT_SCHEMA}.{name}".lower()
        self._take(described(table, columns, Feed({"source": source}, Rows(sources), None, is_there=True), self._schema, self.report))

    def _make_from_files(self) -> None:
        if not any(data.all("make") for data in self.home.expanded.all("data")):
            self.report.lost(self.home.expanded, "it makes no table")
        for data in self.home.expanded.all("data"):
            for make in data.all("make"):
                self._make(data, make)
            for node in data.children:
                if not (node.tag.endswith("Grammar") or node.tag in IN_DATA):
                    self.report.lost(node, "nothing else happens when a table is made")
        for node in self.home.expanded.all("table"):
            if (name := node.get("id") or "") not in self.seen:
                is_view = node.get("viewStatement") is not None
                why = "views are published from the database: `vo publish --in-place`" if is_view else "no <data> makes its rows"
                self.report.lost(node, f"{name}: {why}")

    @property
    def _schema(self) -> str:
        return str(self.keys.get("schema", DEFAULT_SCHEMA))

    def _columns(self, table: Node) -> list[Node]:
        return [column for column in columns_of(table, self.home, self.report) if not self._is_hidden(column)]

    def _keep_keys(self, table: Table) -> None:
        """Drops keys that point to tables of this descriptor that were not taken over."""
        gone = {f"{self._schema}.{fold(name)}" for name in self.home.tables} - {f"{self._schema}.{one.name}" for one in self.tables}
        for key in table.foreign:
            if key["target"] in gone:
                self.report.lost(table.node, f"{table.name}: the key to {key['target']} is dropped with that table")
        table.foreign = [key for key in table.foreign if key["target"] not in gone]

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
            columns = self._columns(table)
            origin = Origin(data, make, maker, [column_name(column) for column in columns], self.folder)
            fed = feed(origin, self.around, self.report)
            if fed is not None:
                self._take(described(table, columns, fed, self._schema, self.report))

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
        left_out = [self._restrict(node, f"{name}: {why}") for node, why in reasons]
        return any(left_out)

    def _is_hidden(self, column: Node) -> bool:
        return column.is_true("hidden") and self._restrict(column, f"{column_name(column)}: the column is hidden")

    def _restrict(self, node: Node, message: str) -> bool:
        """Says that not everybody may have something; whether it is left out for that."""
        if self.with_restricted:
            self.report.lost(node, f"{message}; what is published here is open to all")
        else:
            self.report.withheld(node, message)
        return not self.with_restricted

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
