"""What pages read of a table: some of its rows, through the role of users' queries, in bounded time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vo_server.db.stream import QueryPool, ResultStream
from vo_server.model.catalogue import Table
from vo_server.model.columns import Column, text
from vo_server.model.names import adql_table_name
from vo_server.model.result import Statement
from vo_server.services import Services
from vo_server.sql import compile_adql
from vo_server.sql.literals import quote_identifier

LOADED = "vo_data."
"""Where the tables lie that we loaded; those of others are nowhere below it."""

SAMPLED = 100_000
"""Rows that drawings are made of."""
COUNTED = 50_000
"""Rows that statistics are made of."""
FIRST_ROWS = 10
HUGE = 10_000_000
"""Rows of a table that is not read as a whole to choose some of them."""
MOST_COLUMNS = 400
"""Columns of which statistics are made: PostgreSQL gives at most 1,664 values in a row."""
MOST_SHOWN = 14
"""Columns of a first look."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What is known of a column's values: lowest and highest as text (None where they have no order), how many are missing, how many
    different ones there are; None: not known.
    """

    low: str | None
    high: str | None
    missing: int
    distinct: int | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """By column name, of `rows` rows; ``whole``: they are all there are."""

    spreads: dict[str, Spread]
    rows: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows as Python's own values."""

    columns: tuple[Column, ...]
    values: tuple[tuple[Any, ...], ...]


class Sampler:
    """Rows of published tables."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def state(self, table: Table) -> tuple[object, ...]:
        """What distinguishes what was read of a table from what would be read now. Tables of others, and those without a load, are
        read again every quarter of an hour.
        """
        if table.nrows is not None and table.datetime_loaded is not None:
            return (table.full_name, table.physical)
        return (table.full_name, table.physical, int(self.services.clock().timestamp()) // 900, self.services.catalogue().version)

    def numbers(self, table: Table, names: Sequence[str]) -> list[npt.NDArray[np.float64]]:
        """Columns of some rows as numbers, NaN where there is none; times as Modified Julian Dates."""
        columns = [column for name in names if (column := table.column(name))]
        read = [
            f"extract(epoch FROM {_sql(table, column)})::float8 / 86400 + 40587"
            if column.is_timestamp
            else f"{_sql(table, column)}::float8"
            for column in columns
        ]
        shown = tuple(Column(f"c{number}", "double") for number in range(len(columns)))
        rows = self._read(table, SAMPLED, ", ".join(read), shown)
        return [column.fill_null(np.nan).to_numpy() if len(column) else np.array([]) for column in rows.columns]

    def statistics(self, table: Table) -> Statistics:
        """What values its columns have."""
        asked = [part for column in table.columns[:MOST_COLUMNS] for part in _measures(_sql(table, column), column)]
        shown = (Column("n", "long"), *(text("low") if number % 4 < 2 else Column("n", "long") for number in range(len(asked))))
        (values,) = self._read(table, COUNTED, ", ".join(("count(*)", *asked)), shown).to_pydict_rows()
        rows, rest = values[0], values[1:]
        groups = zip(*(rest[start::4] for start in range(4)), strict=True)
        spreads = {
            column.name: Spread(low, high, rows - present, distinct)
            for column, (low, high, present, distinct) in zip(table.columns, groups, strict=False)
        }
        return Statistics(spreads, rows, whole=rows < COUNTED if table.nrows is None else rows >= table.nrows)

    def first(self, table: Table) -> Rows:
        """A first look: the principal columns, and others as far as they fit."""
        chosen = set(sorted(table.columns, key=lambda column: not column.principal)[:MOST_SHOWN])
        shown = [column for column in table.columns if column in chosen]
        names = ", ".join('"' + column.name.replace('"', '""') + '"' for column in shown)
        adql = f"SELECT TOP {FIRST_ROWS} {names} FROM {adql_table_name(table.schema, table.name)}"  # noqa: S608 ADQL
        return read_rows(self.services.page_pool, compile_adql(adql, self.services.catalogue()), FIRST_ROWS)

    def _read(self, table: Table, most: int, selected: str, columns: tuple[Column, ...]) -> "Columns":
        return read_all(self.services.page_pool, Statement(f"SELECT {selected} FROM {_some(table, most)}", columns))  # noqa: S608 quoted


class Columns:
    """The columns of a small result."""

    def __init__(self, table: pa.Table) -> None:
        self.columns = [column.combine_chunks() for column in table.columns]
        self.rows = table.num_rows

    def to_pydict_rows(self) -> list[tuple[Any, ...]]:
        """Row by row."""
        return list(zip(*(column.to_pylist() for column in self.columns), strict=True))


def read_all(pool: QueryPool, statement: Statement) -> Columns:
    """All rows of a statement that gives few, or none with the right number of columns."""
    return taken(pool.open(statement))


def taken(stream: ResultStream) -> Columns:
    """All rows of a stream that has few, and its connection is given back."""
    try:
        stream.run()
        batches = list(stream)
    finally:
        stream.close()
    if batches:
        return Columns(pa.Table.from_batches(batches))
    return Columns(pa.table([pa.array([], pa.float64())] * len(stream.columns), [f"c{n}" for n in range(len(stream.columns))]))


def read_rows(pool: QueryPool, statement: Statement, most: int) -> Rows:
    """At most so many rows of a statement."""
    return Rows(statement.columns, tuple(read_all(pool, statement).to_pydict_rows()[:most]))


def _sql(table: Table, column: Column) -> str:
    return quote_identifier(table.stored.get(column.name, column.name))


def _measures(name: str, column: Column) -> Iterator[str]:
    """Lowest, highest, how many there are, how many different ones."""
    ordered = not column.is_array and column.datatype != "boolean"
    yield from (f"{function}({name})::text" if ordered else "NULL::text" for function in ("min", "max"))
    yield f"count({name})"
    yield f"count(DISTINCT {name})" if not column.is_array else "NULL::bigint"


def _some(table: Table, most: int) -> str:
    """What to read from: rows chosen at random of a table that we loaded and that has more than `most`, of a huge one all rows of pages
    chosen at random (which lie together on the sky, as rows are stored); else the first rows, since views and foreign tables know no
    TABLESAMPLE.
    """
    if table.physical.startswith(LOADED) and (table.nrows or 0) > most:
        method = "BERNOULLI" if (table.nrows or 0) <= HUGE else "SYSTEM"
        return f"{table.physical} TABLESAMPLE {method} ({100 * most / (table.nrows or 1):.6f}) REPEATABLE (29)"
    return f"(SELECT * FROM {table.physical} LIMIT {most}) AS first_rows"  # noqa: S608 the catalogue's own name
