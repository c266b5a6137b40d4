"""Arrow batches into a table by COPY BINARY, whatever they hold.

Two things the driver gets wrong (adbc-driver-postgresql 1.8). Of a batch that is a part of another, it writes the arrays of the whole one's
first rows: such batches are copied. A NULL within an array it writes as 0, or false: such batches are rare, and go through a temporary
table, in which the arrays are texts.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby

import adbc_driver_postgresql.dbapi
import pyarrow
import pyarrow.compute as pc

from vo_server.sql.literals import quote_identifier

SQL_ARRAYS = {
    pyarrow.bool_(): "boolean[]",
    pyarrow.int16(): "smallint[]",
    pyarrow.int32(): "integer[]",
    pyarrow.int64(): "bigint[]",
    pyarrow.float32(): "real[]",
    pyarrow.float64(): "double precision[]",
}
"""Arrow type of an element → the type of the arrays in PostgreSQL."""

DETOUR = "vo_detour"


def ingest(
    cursor: adbc_driver_postgresql.dbapi.Cursor, table: str, batches: Iterable[pyarrow.RecordBatch], schema: str | None = None
) -> None:
    """Append the rows of `batches`, which have columns of the table's names and types. `schema`: of the table; None if it is temporary.
    What `batches` raises may come out as an error of the driver.
    """
    for gaps, run in groupby(batches, _gaps):
        if gaps:
            _copy_around(cursor, table, gaps, run, schema)
        else:
            _copy(cursor, table, run, schema)


def _copy(cursor: adbc_driver_postgresql.dbapi.Cursor, table: str, batches: Iterator[pyarrow.RecordBatch], schema: str | None) -> None:
    first = next(batches)
    reader = pyarrow.RecordBatchReader.from_batches(first.schema, map(_whole, chain((first,), batches)))
    if schema is None:
        cursor.adbc_ingest(table, reader, mode="append", temporary=True)
    else:
        cursor.adbc_ingest(table, reader, mode="append", db_schema_name=schema)


def _copy_around(
    cursor: adbc_driver_postgresql.dbapi.Cursor,
    table: str,
    gaps: tuple[int, ...],
    batches: Iterator[pyarrow.RecordBatch],
    schema: str | None,
) -> None:
    """The same by way of a temporary table, where the columns at `gaps` are texts."""
    first = next(batches)
    target = quote_identifier(table) if schema is None else f"{quote_identifier(schema)}.{quote_identifier(table)}"
    names = [quote_identifier(name) for name in first.schema.names]
    there, back = list(names), list(names)
    for place in gaps:
        there[place] = f"{names[place]}::text AS {names[place]}"
        back[place] = f"{names[place]}::{SQL_ARRAYS[first.schema.types[place].value_type]}"
    cursor.execute(f"CREATE TEMPORARY TABLE {DETOUR} AS SELECT {', '.join(there)} FROM {target} WITH NO DATA")  # noqa: S608 — quoted
    _copy(cursor, DETOUR, (_worded(batch, gaps) for batch in chain((first,), batches)), None)
    cursor.execute(f"INSERT INTO {target} ({', '.join(names)}) SELECT {', '.join(back)} FROM {DETOUR}")  # noqa: S608 — quoted
    cursor.execute(f"DROP TABLE {DETOUR}")


def _lists(batch: pyarrow.RecordBatch) -> list[int]:
    """The places of columns with arrays."""
    return [place for place, kind in enumerate(batch.schema.types) if pyarrow.types.is_list(kind)]


def _whole(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """The same rows; if they are a part of others, without these."""
    if not any(batch.column(place).offset or batch.column(place).values.offset for place in _lists(batch)):
        return batch
    return pyarrow.ipc.read_record_batch(batch.serialize(), batch.schema)


def _gaps(batch: pyarrow.RecordBatch) -> tuple[int, ...]:
    """The places of columns whose arrays have NULL among their elements."""
    return tuple(place for place in _lists(batch) if batch.column(place).flatten().null_count)


def _worded(batch: pyarrow.RecordBatch, gaps: tuple[int, ...]) -> pyarrow.RecordBatch:
    """The same rows, these columns as PostgreSQL writes arrays: ``{1,NULL,3}``."""
    for place in gaps:
        batch = batch.set_column(place, batch.schema.names[place], _literals(batch.column(place)))
    return batch


def _literals(arrays: pyarrow.Array) -> pyarrow.Array:
    elements = pc.fill_null(arrays.flatten().cast(TEXT), "NULL")
    offsets = pc.cumulative_sum(pc.fill_null(pc.list_value_length(arrays), 0).cast(pyarrow.int64()))
    lists = pyarrow.LargeListArray.from_arrays(pyarrow.concat_arrays([pyarrow.array([0], pyarrow.int64()), offsets]), elements)
    begin, between, end, nothing = (pyarrow.scalar(text, TEXT) for text in ("{", ",", "}", ""))
    whole = pc.binary_join_element_wise(begin, pc.binary_join(lists, between), end, nothing)
    return pc.if_else(arrays.is_valid(), whole, pyarrow.scalar(None, TEXT))


TEXT = pyarrow.large_string()
