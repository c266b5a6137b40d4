"""What is published: schemas, tables, resources, as one immutable snapshot that a request uses from beginning to end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType

from vo_server.model.columns import Column


@dataclass(frozen=True, slots=True)
class Position:
    """The columns that say where a row lies: ICRS degrees. ``indexed``: the physical table carries CELL, computed from these two,
    or, if ``computed``, an index on ``vo.healpix`` of them.
    """

    ra: str
    dec: str
    indexed: bool = True
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Footprint:
    """A region column whose shape and cells are kept beside it.

    ``column`` is the text column users see; ``shape`` the hidden ``double precision[]`` column of the same physical table
    (3 numbers: circle ra dec r; more: polygon vertices, counter-clockwise), None if the column is a MOC, which its cells say
    exactly; ``cells`` the SQL name of the side table
    (``key``, ``lo``, ``hi``: closed ranges of order-29 cells); ``key`` the hidden key column that both share; ``cap`` the hidden
    column with ``vo.shape_cap(shape)`` of a table that has an index on ``vo.shape_bounds(shape)``.
    """

    column: str
    shape: str | None
    cells: str
    key: str
    cap: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key, as TAP_SCHEMA.keys says it. ``columns`` are (from, target) pairs."""

    key_id: str
    from_table: str
    target_table: str
    columns: tuple[tuple[str, str], ...]
    description: str | None = None
    utype: str | None = None


@dataclass(frozen=True)
class Table:
    """A published table or view.

    ``schema`` and ``name`` are bare spellings; ``physical`` is the SQL name, quoted and qualified, that the translator writes.
    """

    schema: str
    name: str
    physical: str
    columns: tuple[Column, ...]
    kind: str = "table"
    title: str | None = None
    description: str | None = None
    utype: str | None = None
    index: int | None = None
    nrows: int | None = None
    position: Position | None = None
    footprint: Footprint | None = None
    resource: str | None = None
    """The ``schema/name`` of the resource it belongs to."""
    datetime_loaded: datetime | None = None
    view: str | None = None
    """The ADQL query whose rows it shows; ``physical`` is then its SQL."""
    stored: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Column → its name in the physical table, where that is another."""

    @property
    def full_name(self) -> str:
        """``schema.table`` in bare spelling, as addresses have it."""
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> Column | None:
        """The column of exactly this spelling, else the only one that matches ignoring case."""
        exact = [column for column in self.columns if column.name == name]
        loose = exact or [column for column in self.columns if column.name.lower() == name.lower()]
        return loose[0] if len(loose) == 1 else None


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema of TAP_SCHEMA."""

    name: str
    description: str | None = None
    utype: str | None = None
    index: int | None = None


@dataclass(frozen=True)
class Catalogue:
    """Everything published at one moment. ``version`` grows with each change."""

    version: int
    schemas: tuple[Schema, ...]
    tables: tuple[Table, ...]
    keys: tuple[Key, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, list[Table]]:
        index: dict[str, list[Table]] = {}
        for table in self.tables:
            index.setdefault(table.full_name.lower(), []).append(table)
        return index

    def table(self, full_name: str) -> Table | None:
        """The table of this ``schema.table`` name: exact spelling first, else the only match ignoring case."""
        found = self._by_name.get(full_name.lower(), [])
        exact = [table for table in found if table.full_name == full_name] or found
        return exact[0] if len(exact) == 1 else None

    def with_tables(self, more: "tuple[Table, ...]") -> "Catalogue":
        """The same with some tables that one query alone sees (uploads, TAP 1.1 §2.7.6)."""
        return replace(self, tables=(*self.tables, *more)) if more else self

    def only(self, tables: "tuple[Table, ...]") -> "Catalogue":
        """The same with these tables alone."""
        schemas = {table.schema for table in tables}
        return replace(self, schemas=tuple(one for one in self.schemas if one.name in schemas), tables=tables)

    def of_schema(self, schema: str) -> tuple[Table, ...]:
        """The tables of a schema, in catalogue order."""
        return tuple(table for table in self.tables if table.schema == schema)
