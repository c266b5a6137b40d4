"""Rows out of PostgreSQL: COPY BINARY to Arrow batches, over pooled connections.

A fresh connection costs some milliseconds, a pooled one nothing. Connections autocommit and are read-only by the options in their URI; a
query is one statement, hence one transaction.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from types import MappingProxyType
from typing import cast

import psycopg
import pyarrow
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from vo_server.db.rows import MisreadError
from vo_server.db.temporary import Hold, fill
from vo_server.db.wire import Connection, Rows, own
from vo_server.errors import SetupError, TimeLimitError, TooLargeError, UnavailableError, UsageError, VoError
from vo_server.model.columns import Column
from vo_server.model.result import Statement
from vo_server.sql.literals import quote_text

POOL_WAIT_S = 10

AGAIN_S = 1.0
CANCEL_S = 10.0
"""So long PostgreSQL may take to hear that a statement is cancelled."""

NOT_COMPUTED = ("21", "22")
"""Several rows where there may be one, and values that a function does not take."""
QUERY_CANCELED = "57014"
NO_PRIVILEGE = "42501"
LIMIT_EXCEEDED = "54"
CONNECTION_LOST = ("08", "57P")


class ResultStream:
    """Batches of a running statement, and the connection they come from, which is given back by `close`.

    `run` begins it; iterating raises VoError when the database fails. `cancel` may be called from any thread at any time: the database
    may compute for long before `run` returns, which is when the first row is there.
    """

    def __init__(self, pool: "QueryPool", statement: Statement, seconds: int | None = None) -> None:
        self.columns: tuple[Column, ...] = statement.columns
        self._pool, self._statement, self._seconds = pool, statement, seconds
        self._lock = threading.Lock()
        self._cancelled = False
        self._finished = False
        self._complete = False
        self._connection: PoolProxiedConnection | None = None
        self._at_work: PoolProxiedConnection | None = None
        """Where the statement, or what comes before it, runs."""
        self._rows: Rows | None = None
        self._batches: Iterator[pyarrow.RecordBatch] = iter(())

    def run(self) -> None:
        """Run the statement; raises VoError if the database refuses it before the first row."""
        self._connection, self._rows, self._batches = self._pool._run(self._statement, self._seconds, self._hold)

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        """The batches, in order; their columns correspond to `columns` by position."""
        while (batch := self._read()) is not None:
            yield batch

    def _read(self) -> pyarrow.RecordBatch | None:
        """The next batch; None at the end."""
        if self._rows is None or self._finished:
            return None
        try:
            batch = next(self._batches, None)
        except (psycopg.Error, MisreadError) as error:
            self._finished = True
            raise explain(error) from None
        self._finished = self._complete = batch is None
        return batch

    def cancel(self) -> None:
        """Stop the statement in the database; safe to call twice and after the end. Before the first row it is said again and again:
        PostgreSQL hears nothing of it while it is about to begin.
        """
        with self._lock:
            self._cancelled = True
            connection = self._at_work and cast("Connection | None", self._at_work.dbapi_connection)
            if connection is None or self._finished:
                return  # not begun, thrown away, or over
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=CANCEL_S)
            if self._rows is None:
                again = threading.Timer(AGAIN_S, self.cancel)
                again.daemon = True
                again.start()

    def give_up(self) -> None:
        """A new connection may take the place of this one, from which nothing comes any more, not even that it was cancelled. Whoever
        waits for it goes on waiting, and closes the stream in the end.
        """
        connection = self._at_work  # without the lock: who cancels may hold it for as long
        if connection is not None and not connection.is_detached:
            connection.detach()

    def close(self) -> None:
        """Give the connection back. After an unfinished statement more of it may come: it is cancelled, and the connection thrown away.
        So is one with temporary tables: that they are gone in every case is PostgreSQL's care.
        """
        self.cancel()
        with self._lock:
            connection, self._connection = self._connection, None
            self._at_work = None
        if connection is None or self._rows is None:
            return
        self._rows.close()
        if self._complete and not self._statement.tables:
            connection.close()
        else:
            _throw_away(connection)

    def _hold(self, connection: PoolProxiedConnection) -> None:
        """The statement is about to run on `connection`."""
        with self._lock:
            if self._cancelled:
                raise TimeLimitError("The query was cancelled.")
            self._at_work = connection


Begun = tuple[PoolProxiedConnection, Rows, Iterator[pyarrow.RecordBatch]]


class QueryPool:
    """Connections for users' queries. `uri` carries role, read-only mode and time limit as libpq options; `session` has them again, to be
    said as statements, since a pooler between us and PostgreSQL may drop options (pgbouncer does, or refuses them).
    """

    def __init__(self, uri: str, size: int, session: Mapping[str, str] = MappingProxyType({})) -> None:
        self._uri = uri
        self._session = [f"SET {name} = {quote_text(value)}" for name, value in session.items()]
        self._pool = QueuePool(self._connect, pool_size=size, max_overflow=0, timeout=POOL_WAIT_S, reset_on_return=None, use_lifo=True)

    def open(self, statement: Statement) -> ResultStream:
        """The rows of `statement`, not yet begun."""
        return ResultStream(self, statement)

    def limited(self, seconds: int) -> "LimitedPool":
        """The same connections, each statement with a time limit of its own."""
        return LimitedPool(self, seconds)

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._pool.dispose()

    def ask(self, statement: Statement) -> object:
        """The one value that a statement gives; raises as `open` does."""
        stream = self.open(statement)
        try:
            stream.run()
            return next(value for batch in stream for value in batch.column(0).to_pylist())
        finally:
            stream.close()

    def _connect(self) -> DBAPIConnection:
        connection: Connection = psycopg.connect(self._uri, autocommit=True, client_encoding="UTF8", prepare_threshold=None)
        for statement in self._session:
            connection.execute(statement.encode())
        return cast("DBAPIConnection", connection)

    def _run(self, statement: Statement, seconds: int | None, hold: Hold) -> Begun:
        for attempt in range(self._pool.size() + 1):
            connection = self._checkout()
            try:
                hold(connection)
                if seconds is not None:
                    own(connection).execute(f"SET statement_timeout = '{seconds}s'")
                if statement.tables:
                    fill(connection, statement.tables, hold)
                hold(connection)
                return connection, *_begun(connection, statement)
            except VoError:
                if statement.tables:
                    _throw_away(connection)
                else:
                    connection.close()
                raise
            except psycopg.Error as error:
                _throw_away(connection)
                # connections that idled through a restart of PostgreSQL all die at their first use
                if not is_lost(error) or attempt == self._pool.size():
                    raise explain(error) from None
        raise AssertionError

    def _checkout(self) -> PoolProxiedConnection:
        try:
            return self._pool.connect()
        except PoolTimeoutError:
            raise UnavailableError("All connections for queries are busy.", hint="Try again in a few seconds.") from None
        except psycopg.Error as error:
            raise explain(error) from None


def _begun(connection: PoolProxiedConnection, statement: Statement) -> tuple[Rows, Iterator[pyarrow.RecordBatch]]:
    """The rows, once the first of them are there."""
    rows = Rows(own(connection), statement.sql, [column.sql_type for column in statement.columns])
    try:
        batches = iter(rows)
        first = next(batches, None)
    except BaseException:
        rows.close()
        raise
    return rows, chain((first,), batches) if first is not None else batches


class LimitedPool:
    """A QueryPool whose statements run at most `seconds`. All users of the pool must come this way: the limit stays in the session."""

    def __init__(self, pool: QueryPool, seconds: int) -> None:
        self._pool, self._seconds = pool, seconds

    def open(self, statement: Statement) -> ResultStream:
        """The rows of `statement`, not yet begun."""
        return ResultStream(self._pool, statement, self._seconds)


def _throw_away(connection: PoolProxiedConnection) -> None:
    """Close a connection whose state is uncertain; the pool makes a new one in its place, unless it has done so already."""
    if connection.is_detached:
        connection.close()
    else:
        connection.invalidate()


def is_lost(error: Exception) -> bool:
    """Whether `error` says that the connection is gone, rather than that the statement is wrong: libpq alone gives no SQLSTATE."""
    state = getattr(error, "sqlstate", None)
    return str(state).startswith(CONNECTION_LOST) if state else isinstance(error, psycopg.OperationalError)


def explain(error: Exception) -> VoError | Exception:
    """The error to tell for one of the driver's. What is neither the user's fault nor the database's absence is given back as it is."""
    state, text = str(getattr(error, "sqlstate", None) or ""), str(error)
    if state == QUERY_CANCELED:
        if "user request" in text:
            return TimeLimitError("The query was cancelled.")
        return TimeLimitError(
            "The query took longer than a synchronous query may.", hint="Ask for less (TOP, a smaller region), or run it asynchronously."
        )
    if state.startswith(NOT_COMPUTED):
        message = f"The database could not compute a value of the query: {_first_line(text)}."
        return UsageError(message, hint=REMEDIES.get(state), parameter="QUERY")
    if state.startswith(LIMIT_EXCEEDED):
        what, hint = UPLOADED_ROW if "row is too big" in text else WHOLE_QUERY
        return TooLargeError(f"{what}: {_first_line(text)}.", hint=hint)
    if state == NO_PRIVILEGE and "temporary" in text:
        return SetupError(
            "Users' queries may not create temporary tables in the database, which uploads need.",
            hint="GRANT TEMPORARY ON DATABASE … TO the role of queries (vo_query) allows it.",
        )
    if is_lost(error):
        return UnavailableError("The database does not answer.", hint="Try again in a moment.")
    return error


_DOMAIN = "CASE WHEN … THEN … END computes it only where it can be, and is NULL elsewhere."
REMEDIES = {
    "21000": "MIN, MAX or TOP 1 in the subquery makes it one row.",
    "22003": "CAST(… AS DOUBLE PRECISION) of what is calculated with makes room for larger numbers. " + _DOMAIN,
    "22012": "Dividing by NULLIF(…, 0) makes such values NULL.",
    "2201E": _DOMAIN,
    "2201F": _DOMAIN,
}
"""What a query can do where a value could not be computed, by SQLSTATE."""

UPLOADED_ROW = (
    "A row of an uploaded table is too wide for the database",
    "A number takes up to 8 bytes, a long text or array 18. Upload only the columns that the query needs.",
)
WHOLE_QUERY = ("The query is too much for the database", "Ask for fewer columns, or for less at a time.")
"""What PostgreSQL's own limits stand in the way of, and what to do about it."""


def _first_line(text: str) -> str:
    return text.splitlines()[0].rstrip(".")
