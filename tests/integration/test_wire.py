"""Rows off the socket and through libpq, from real PostgreSQL: the same, also in failure, and the connection stays usable."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from vo_server.db import wire
from vo_server.db.database import Database
from vo_server.db.wire import Connection, Libpq, Rows, Socket

EVERYTHING = {
    "boolean": "CASE n % 3 WHEN 0 THEN true WHEN 1 THEN false END",
    "smallint": "nullif(n % 7, 3)::int2",
    "integer": "-n",
    "bigint": "n * 10000000000",
    "real": "CASE n % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE n / 8.0 END::float4",
    "double precision": "nullif(n, 5) / 7.0::float8",
    "text": "CASE n % 5 WHEN 0 THEN '' WHEN 1 THEN NULL ELSE repeat('é𝄞', n % 50) END",
    "timestamp": "'2017-09-22T20:54:30.43'::timestamp + n * '1 day'::interval",
    "integer[]": "CASE n % 3 WHEN 0 THEN ARRAY[n, NULL, 3] WHEN 1 THEN '{}' END",
    "double precision[]": "ARRAY[n, n / 2.0]::float8[]",
}
TYPES = list(EVERYTHING)
ROWS = 20_000


def selected(rows: int) -> str:
    return f"SELECT {', '.join(EVERYTHING.values())} FROM generate_series(1, {rows}) AS n ORDER BY n"


@pytest.fixture(params=[Socket, Libpq], ids=["socket", "libpq"])
def connection(request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setattr(wire, "source_of", lambda _: request.param)
    connection = psycopg.connect(database.query_uri(), autocommit=True)
    yield connection
    connection.close()


def read(connection: Connection, sql: str, types: list[str]) -> pa.Table:
    rows = Rows(connection, sql, types)
    try:
        return pa.Table.from_batches(rows)
    finally:
        rows.close()


def test_rows_are_what_libpq_says_they_are(connection: Connection) -> None:
    table = read(connection, selected(ROWS), TYPES)
    expected = connection.execute(selected(ROWS).encode()).fetchall()
    got = zip(*(column.to_pylist() for column in table.columns), strict=True)
    assert all(repr(one) == repr(other) for one, other in zip(got, expected, strict=True))  # repr: NaN is NaN


@pytest.mark.parametrize("rows", [0, 1, 2, 3000])
def test_a_connection_is_used_again_and_again(connection: Connection, rows: int) -> None:
    for _ in range(3):
        batches = list(Rows(connection, selected(rows), TYPES))
        assert sum(batch.num_rows for batch in batches) == rows
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_takes_its_time_after_a_large_answer_is_waited_for(connection: Connection) -> None:
    assert read(connection, selected(ROWS), TYPES).num_rows == ROWS
    assert read(connection, "SELECT 7 FROM pg_sleep(0.1)", ["integer"]).column(0).to_pylist() == [7]


def test_a_row_larger_than_any_batch_comes_whole(connection: Connection) -> None:
    table = read(connection, "SELECT n, repeat('x', n * 5000000) FROM generate_series(0, 2) AS n", ["integer", "text"])
    assert [len(text) for text in table.column(1).to_pylist()] == [0, 5_000_000, 10_000_000]


@pytest.mark.parametrize(
    ("sql", "state"),
    [("SELECT nothing", "42703"), ("SELECT 1 / 0", "22012"), ("SELECT 1 / (50000 - n) FROM generate_series(1, 99999) AS n", "22012")],
)
def test_errors_have_their_sqlstate_and_their_words(connection: Connection, sql: str, state: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        read(connection, sql, ["integer"])
    assert caught.value.sqlstate == state
    assert str(caught.value).partition("\n")[0].endswith(("does not exist", "division by zero"))


def test_notices_among_rows_are_no_rows(connection: Connection) -> None:
    connection.execute("SET client_min_messages = debug5")
    assert read(connection, selected(2000), TYPES).num_rows == 2000


def _read_slowly(rows: Rows) -> None:
    for _ in rows:
        time.sleep(0.001)


def disturbed(connection: Connection, action: Callable[[int], Any]) -> psycopg.Error:
    """What reading raises when `action` is done to its backend meanwhile."""
    rows = Rows(connection, "SELECT n, repeat('x', 100) FROM generate_series(1, 100000000) AS n", ["integer", "text"])
    timer = threading.Timer(0.2, action, (connection.info.backend_pid,))
    timer.start()
    try:
        with pytest.raises(psycopg.Error) as caught:
            _read_slowly(rows)
        return caught.value
    finally:
        timer.join()
        rows.close()


def test_a_statement_is_cancelled_from_another_thread(connection: Connection) -> None:
    error = disturbed(connection, lambda _: connection.cancel_safe(timeout=5))
    assert error.sqlstate == "57014"


def test_a_lost_connection_is_an_error(connection: Connection, database: Database) -> None:
    def terminate(pid: int) -> None:
        with database.engine.connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")

    error = disturbed(connection, terminate)
    assert isinstance(error, psycopg.OperationalError)
