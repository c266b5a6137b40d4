"""Tables that live as long as the connection of one statement: uploads."""

from collections.abc import Callable, Iterable
from contextlib import closing

import adbc_driver_postgresql.dbapi
from sqlalchemy.pool import PoolProxiedConnection

from vo_server.model.result import TEMPORARY, TemporaryTable
from vo_server.sql.literals import quote_identifier

Hold = Callable[[PoolProxiedConnection, adbc_driver_postgresql.dbapi.Cursor], None]
"""Called with a pooled connection and each cursor of it before it works, so that somebody else can cancel it."""


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
    with closing(connection.cursor()) as cursor:
        hold(connection, cursor)
        cursor.adbc_ingest(table.name, table.rows.to_reader(), mode="append", temporary=True)


def _execute(connection: PoolProxiedConnection, statement: str, hold: Hold) -> None:
    with closing(connection.cursor()) as cursor:
        hold(connection, cursor)
        cursor.execute(statement)
