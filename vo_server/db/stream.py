"""Rows out of PostgreSQL: COPY BINARY to Arrow batches, over pooled ADBC connections.

A fresh ADBC connection costs tens of milliseconds, a clone three, a pooled one nothing. Connections autocommit and are read-only
by the options in their URI; a query is one statement, hence one transaction.
"""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from types import MappingProxyType

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import pyarrow
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from vo_server.db.temporary import Hold, fill
from vo_server.errors import SetupError, TimeLimitError, TooLargeError, UnavailableError, UsageError, VoError
from vo_server.model.columns import Column
from vo_server.model.result import Statement
from vo_server.sql.literals import quote_text

BATCH_BYTES = 1 << 20
"""Size of a batch: small enough for an early first byte, large enough to keep the per-batch work invisible."""

LARGE_BYTES = BATCH_BYTES // 2
"""A batch of this size is hardly the last one."""

POOL_WAIT_S = 10

AGAIN_S = 1.0

DATA_EXCEPTION = "22"
QUERY_CANCELED = "57014"
NO_PRIVILEGE = "42501"
LIMIT_EXCEEDED = "54"
CONNECTION_LOST = ("08", "57P")


FAILURES = (OSError, pyarrow.ArrowException, adbc_driver_manager.Error)
"""What reading may raise in mid-stream: libpq's error, a COPY cut short by a cancellation, the driver's own."""


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
        self._cursor: adbc_driver_postgresql.dbapi.Cursor | None = None
        self._at_work: PoolProxiedConnection | None = None
        """Where the statement, or what comes before it, runs."""
        self._reader: pyarrow.RecordBatchReader | None = None
        self._coming: Future[pyarrow.RecordBatch | None] | None = None
        """What the thread reads."""

    def run(self) -> None:
        """Run the statement; raises VoError if the database refuses it before the first row."""
        self._connection, self._reader = self._pool._run(self._statement, self._seconds, self._hold)

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        """The batches, in order; their columns correspond to `columns` by position. Behind a large one the next is read by a thread
        while the caller is at work, so that neither waits for the other.
        """
        batch = self._read()
        while batch is not None and batch.nbytes < LARGE_BYTES:
            yield batch
            batch = self._read()
        if batch is None:
            return
        with ThreadPoolExecutor(1, "read-ahead") as ahead:
            while batch is not None:
                self._coming = ahead.submit(self._read)
                yield batch
                batch = self._coming.result()

    def _read(self) -> pyarrow.RecordBatch | None:
        """The next batch with rows; None at the end."""
        while self._reader is not None and not self._finished:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                self._finished = self._complete = True
            except FAILURES as error:
                self._finished = True
                raise explain(error) from None
            else:
                if batch.num_rows:
                    return batch
        return None

    def cancel(self) -> None:
        """Stop the statement in the database; safe to call twice and after the end. Before the first row it is said again and again:
        PostgreSQL hears nothing of it while it is about to begin.
        """
        with self._lock:
            self._cancelled = True
            if self._cursor is None or self._finished:
                return
            with suppress(adbc_driver_manager.Error):
                self._cursor.adbc_cancel()
            if self._reader is None:
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
        """Give the connection back. After an unfinished statement the state of its COPY is uncertain: cancelled and thrown away,
        since closing alone would read it to its end, and a clone costs three milliseconds. So does a connection with temporary tables:
        that they are gone in every case is PostgreSQL's care.
        """
        self.cancel()
        if self._coming is not None:
            wait((self._coming,))  # cancelled: it ends at once
        with self._lock:
            connection, self._connection = self._connection, None
            cursor, self._cursor = self._cursor, None
            self._at_work = None
        if connection is None or cursor is None:
            return
        with suppress(*FAILURES):
            cursor.close()
        if self._complete and not self._statement.tables:
            connection.close()
        else:
            _throw_away(connection)

    def _hold(self, connection: PoolProxiedConnection, cursor: adbc_driver_postgresql.dbapi.Cursor) -> None:
        """The statement is about to run on `cursor`."""
        with self._lock:
            if self._cancelled:
                raise TimeLimitError("The query was cancelled.")
            self._at_work, self._cursor = connection, cursor


class QueryPool:
    """Connections for users' queries. `uri` carries role, read-only mode and time limit as libpq options; `session` has them again, to be
    said as statements, since a pooler between us and PostgreSQL may drop options (pgbouncer does, or refuses them).
    """

    def __init__(self, uri: str, size: int, session: Mapping[str, str] = MappingProxyType({})) -> None:
        self._uri = uri
        self._session = [f"SET {name} = {quote_text(value)}" for name, value in session.items()]
        self._base: adbc_driver_postgresql.dbapi.Connection | None = None
        self._first = threading.Lock()
        self._pool = QueuePool(self._clone, pool_size=size, max_overflow=0, timeout=POOL_WAIT_S, reset_on_return=None, use_lifo=True)

    def open(self, statement: Statement) -> ResultStream:
        """The rows of `statement`, not yet begun."""
        return ResultStream(self, statement)

    def limited(self, seconds: int) -> "LimitedPool":
        """The same connections, each statement with a time limit of its own."""
        return LimitedPool(self, seconds)

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._pool.dispose()
        if self._base is not None:
            self._base.close()

    def ask(self, sql: str) -> object:
        """The one value that a statement gives; raises as `open` does."""
        stream = self.open(Statement(sql, ()))
        try:
            stream.run()
            return next(value for batch in stream for value in batch.column(0).to_pylist())
        finally:
            stream.close()

    def _clone(self) -> adbc_driver_postgresql.dbapi.Connection:
        with self._first:  # several threads may come at once
            if self._base is None:
                self._base = adbc_driver_postgresql.dbapi.connect(self._uri, autocommit=True)
        connection = self._base.adbc_clone()
        connection.adbc_connection.set_autocommit(True)  # a clone does not inherit it
        with connection.cursor() as cursor:
            for statement in self._session:
                cursor.execute(statement)
        return connection

    def _run(self, statement: Statement, seconds: int | None, hold: Hold) -> tuple[PoolProxiedConnection, pyarrow.RecordBatchReader]:
        for attempt in range(self._pool.size() + 1):
            connection = self._checkout()
            try:
                if seconds is not None:
                    self._limit(connection, seconds)
                if statement.tables:
                    fill(connection, statement.tables, hold)
                return connection, self._execute(connection, statement.sql, hold)
            except VoError:
                if statement.tables:
                    _throw_away(connection)
                else:
                    connection.close()
                raise
            except adbc_driver_manager.Error as error:
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
        except adbc_driver_manager.Error as error:
            raise explain(error) from None

    @staticmethod
    def _limit(connection: PoolProxiedConnection, seconds: int) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute(f"SET statement_timeout = '{seconds}s'")
        finally:
            cursor.close()

    @staticmethod
    def _execute(connection: PoolProxiedConnection, sql: str, hold: Hold) -> pyarrow.RecordBatchReader:
        cursor = connection.cursor()
        try:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)})
            hold(connection, cursor)
            cursor.execute(sql)
            return cursor.fetch_record_batch()
        except BaseException:
            cursor.close()
            raise


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
    """Whether `error` says that the connection is gone, rather than that the statement is wrong."""
    state = getattr(error, "sqlstate", None)
    if state:
        return str(state).startswith(CONNECTION_LOST)
    return any(
        sign in str(error)
        for sign in (
            "no connection to the server",
            "server closed the connection",
            "could not connect",
            "connection to server",
            "terminating connection",
            "PQconnect",
        )
    )


def explain(error: Exception) -> VoError | Exception:
    """The error to tell for one of the driver's. What is neither the user's fault nor the database's absence is given back as it is."""
    state, text = str(getattr(error, "sqlstate", None) or ""), str(error)
    if state == QUERY_CANCELED or "canceling statement" in text:
        if "user request" in text:
            return TimeLimitError("The query was cancelled.")
        return TimeLimitError(
            "The query took longer than a synchronous query may.", hint="Ask for less (TOP, a smaller region), or run it asynchronously."
        )
    if state.startswith(DATA_EXCEPTION) or (not state and "ERROR:  " in text and any(sign in text for sign in DATA_FAULTS)):
        return UsageError(f"The database could not compute a value of the query: {_first_line(text)}.", parameter="QUERY")
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


UPLOADED_ROW = (
    "A row of an uploaded table is too wide for the database",
    "A number takes up to 8 bytes, a long text or array 18. Upload only the columns that the query needs.",
)
WHOLE_QUERY = ("The query is too much for the database", "Ask for fewer columns, or for less at a time.")
"""What PostgreSQL's own limits stand in the way of, and what to do about it."""

DATA_FAULTS = (
    "division by zero",
    "out of range",
    "invalid input syntax",
    "cannot take",
    "is not defined",
    "negative substring",
    "invalid value",
)
"""What PostgreSQL says of a value that cannot be computed; in mid-stream ADBC gives no SQLSTATE."""


def _first_line(text: str) -> str:
    after = text.partition("ERROR:  ")[2] or text
    return after.splitlines()[0].rstrip(".")
