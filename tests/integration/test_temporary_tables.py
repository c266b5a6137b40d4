"""Tables of one statement: there for it, for nobody else, and gone however it ends."""

import threading
import time
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest
from sqlalchemy import text

from vo_server.db.database import Database
from vo_server.db.stream import QueryPool
from vo_server.errors import SetupError, TimeLimitError, UnavailableError, UsageError
from vo_server.model.columns import Column
from vo_server.model.result import Statement, TemporaryTable

SOON_S = 10.0
ROWS = pa.table({"c1": pa.array(range(5000), pa.int64()), "_hpx29": pa.array([None, *range(4999)], pa.int64())})
TABLE = TemporaryTable("u1", (("c1", "bigint"), ("_hpx29", "bigint")), ROWS, "_hpx29")


@pytest.fixture
def pool(database: Database) -> Iterator[QueryPool]:
    pool = QueryPool(database.query_uri({"statement_timeout": "20s"}), 2)
    yield pool
    pool.close()


def statement(sql: str, *tables: TemporaryTable) -> Statement:
    return Statement(sql, (Column("n", "long"),), tables=tables)


def numbers(pool: QueryPool, asked: Statement) -> list[int]:
    stream = pool.open(asked)
    try:
        stream.run()
        return [value for batch in stream for value in batch.column(0).to_pylist()]
    finally:
        stream.close()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def left_over(database: Database) -> int:
    with database.engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM pg_catalog.pg_class WHERE relpersistence = 't'")).scalar_one())


def queries(database: Database) -> int:
    with database.engine.connect() as connection:
        found = text("SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()")
        return int(connection.execute(found).scalar_one())


def test_a_statement_reads_its_tables_and_leaves_none(pool: QueryPool, database: Database) -> None:
    assert numbers(pool, statement("SELECT sum(c1)::int8 FROM pg_temp.u1 WHERE _hpx29 > 4000", TABLE)) == [sum(range(4002, 5000))]
    with pytest.raises(Exception, match="does not exist"):
        numbers(pool, statement("SELECT c1 FROM pg_temp.u1"))
    assert eventually(lambda: left_over(database) == 0)


def test_the_session_writes_nothing_else(pool: QueryPool) -> None:
    with pytest.raises(Exception, match="read-only"):
        numbers(pool, statement("SELECT lo_create(0)::bigint", TABLE))


def test_nothing_is_left_when_somebody_stops_reading(pool: QueryPool, database: Database) -> None:
    stream = pool.open(statement("SELECT a.c1 FROM pg_temp.u1 AS a, pg_temp.u1 AS b", TABLE))
    stream.run()
    next(iter(stream))
    stream.close()
    assert eventually(lambda: left_over(database) == 0)


def test_nothing_is_left_when_the_statement_fails(pool: QueryPool, database: Database) -> None:
    with pytest.raises(UsageError, match="division by zero"):
        numbers(pool, statement("SELECT sum(c1 / 0)::int8 FROM pg_temp.u1", TABLE))
    assert eventually(lambda: left_over(database) == 0)


def test_nothing_is_left_when_it_is_cancelled(pool: QueryPool, database: Database) -> None:
    stream = pool.open(statement("SELECT c1 FROM pg_temp.u1, pg_catalog.pg_sleep(60)", TABLE))
    failures: list[Exception] = []

    def run() -> None:
        try:
            stream.run()
            list(stream)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert eventually(lambda: queries(database) == 1)
    stream.cancel()
    thread.join(SOON_S)
    stream.close()
    assert isinstance(failures[0], TimeLimitError)
    assert eventually(lambda: left_over(database) == 0)


def test_a_lost_connection_is_told(pool: QueryPool, database: Database) -> None:
    stream = pool.open(statement("SELECT a.c1 FROM pg_temp.u1 AS a, pg_temp.u1 AS b", TABLE))
    stream.run()
    with database.engine.connect() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_temp.u1 AS a%' AND pid <> pg_backend_pid()")
        )
    with pytest.raises(UnavailableError):
        list(stream)
    stream.close()
    assert eventually(lambda: left_over(database) == 0)


def test_a_database_without_temporary_tables_says_what_to_grant(pool: QueryPool, database: Database) -> None:
    with database.engine.begin() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC"))
    with pytest.raises(SetupError, match="GRANT TEMPORARY"):
        numbers(pool, statement("SELECT c1 FROM pg_temp.u1", TABLE))
