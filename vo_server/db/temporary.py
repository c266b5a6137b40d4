"""Tables that live as long as the connection of one statement: uploads."""

import io
from collections.abc import Callable, Iterable

import pyarrow
import pyarrow.compute as pc
from pyarrow import csv
from sqlalchemy.pool import PoolProxiedConnection

from vo_server.db.wire import own
from vo_server.model.result import TEMPORARY, TemporaryTable
from vo_server.sql.literals import quote_identifier

Hold = Callable[[PoolProxiedConnection], None]
"""Called with a pooled connection before it works, so that somebody else can cancel it."""

BATCH_ROWS = 10_000
WRITTEN = csv.WriteOptions(include_header=False, quoting_style="all_valid")
"""In quotes whatever is not NULL: for COPY what stands there without them is NULL."""

TEXT = pyarrow.large_string()


def fill(connection: PoolProxiedConnection, tables: Iterable[TemporaryTable], hold: Hold) -> None:
    """Make and fill `tables`. The session, read-only otherwise, writes for as long as that takes; it must not be used for anybody else
    afterwards, and ends with its tables.
    """
    _execute(connection, "SET default_transaction_read_only = off", hold)
    for table in tables:
        physical = f"{TEMPORARY}.{quote_identifier(table.name)}"
        fields = ", ".join(f"{quote_identifier(name)} {sql_type}" for name, sql_type in table.columns)
        _execute(connection, f"CREATE TEMPORARY TABLE {quote_identifier(table.name)} ({fields})", hold)
        _copy(connection, table, hold)
        if table.indexed is not None:
            _execute(connection, f"CREATE INDEX ON {physical} ({quote_identifier(table.indexed)})", hold)
        _execute(connection, f"ANALYZE {physical}", hold)
    _execute(connection, "SET default_transaction_read_only = on", hold)


def _copy(connection: PoolProxiedConnection, table: TemporaryTable, hold: Hold) -> None:
    hold(connection)
    statement = f"COPY {TEMPORARY}.{quote_identifier(table.name)} FROM STDIN (FORMAT csv)"
    with own(connection).cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for batch in table.rows.to_batches(BATCH_ROWS):
            copy.write(_written(batch))


def _written(batch: pyarrow.RecordBatch) -> memoryview:
    """The rows as COPY's CSV."""
    columns = [_literals(column) if pyarrow.types.is_list(column.type) else column for column in batch.columns]
    sink = io.BytesIO()
    csv.write_csv(pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names), sink, WRITTEN)
    return sink.getbuffer()


def _literals(arrays: pyarrow.Array) -> pyarrow.Array:
    """Arrays as PostgreSQL writes them: ``{1,NULL,3}``."""
    elements = pc.fill_null(arrays.flatten().cast(TEXT), "NULL")
    offsets = pc.cumulative_sum(pc.fill_null(pc.list_value_length(arrays), 0).cast(pyarrow.int64()))
    lists = pyarrow.LargeListArray.from_arrays(pyarrow.concat_arrays([pyarrow.array([0], pyarrow.int64()), offsets]), elements)
    begin, between, end, nothing = (pyarrow.scalar(text, TEXT) for text in ("{", ",", "}", ""))
    whole = pc.binary_join_element_wise(begin, pc.binary_join(lists, between), end, nothing)
    return pc.if_else(arrays.is_valid(), whole, pyarrow.scalar(None, TEXT))


def _execute(connection: PoolProxiedConnection, statement: str, hold: Hold) -> None:
    hold(connection)
    own(connection).execute(statement.encode())
