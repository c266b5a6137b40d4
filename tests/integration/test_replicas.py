"""Queries on replicas, and the primary in their place: for a replica that is behind, one that is away, one that follows nobody."""

import logging
import os
import pwd
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import publishing
import pytest

from tests.conftest import Server, running, started
from vo_server.db import cluster
from vo_server.db.catalogue import load_catalogue
from vo_server.db.database import Database
from vo_server.db.replicas import ReplicatedPool, query_pool, require_present
from vo_server.model.columns import Column, text
from vo_server.model.result import Statement
from vo_server.sql import compile_adql

WHERE = Statement("SELECT pg_is_in_recovery() AS follows", (Column("follows", "boolean"),))
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2"
FOLLOWING = {"wal_level": "replica", "max_wal_senders": "4"}


@dataclass
class Pair:
    """A primary and a hot standby of it, with one prepared database."""

    primary: Server
    standby: Server

    def open(self, *replicas: str) -> Database:
        return Database(self.primary.url(self.primary.template), replica_urls=replicas or (self.standby.url(self.primary.template),))


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    account = cluster.Account.of(pwd.getpwnam("nobody")) if os.geteuid() == 0 else None
    binaries = cluster.usable_programs(cluster.wheel_programs(), account, print)
    with running(cluster.wheel_programs(), **FOLLOWING) as primary:
        assert primary.template
        home = primary.socket / "standby"
        home.mkdir()
        if account is not None:
            os.chown(home, account.uid, account.gid)
        copy = [binaries / "pg_basebackup", "-d", primary.url("postgres", "postgres"), "-D", home / "data", "-R", "--checkpoint=fast"]
        made = cluster.run(copy, account)
        assert made.returncode == 0, made.stderr
        with started(binaries, home, account, **FOLLOWING) as standby:
            yield Pair(primary, standby)


def rows(pool: ReplicatedPool, statement: Statement) -> list[object]:
    stream = pool.open(statement)
    try:
        stream.run()
        return [value for batch in stream for value in batch.column(0).to_pylist()]
    finally:
        stream.close()


def replicated(database: Database, options: dict[str, str] | None = None) -> ReplicatedPool:
    pool = query_pool(database, 1, options or {})
    assert isinstance(pool, ReplicatedPool)
    return pool


def publish(database: Database, pool: ReplicatedPool, folder: Path, name: str) -> Statement:
    """A published table with the numbers 1 and 2, and the query for them, as a server that hears of it makes it."""
    file = folder / f"{name}.csv"
    file.write_text("x\n1\n2\n")
    publishing.publish(database, file)
    with database.engine.connect() as connection:
        catalogue = load_catalogue(connection)
        require_present(connection, pool)
    return compile_adql(f"SELECT x FROM data.{name} ORDER BY x", catalogue, max_rows=10)


def becomes(pool: ReplicatedPool, statement: Statement, wanted: list[object]) -> bool:
    deadline = time.monotonic() + 20
    while rows(pool, statement) != wanted:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_the_standby_answers_as_restricted_as_the_primary(pair: Pair) -> None:
    with closing(pair.open()) as database:
        pool = replicated(database, {"statement_timeout": "7s"})
        assert rows(pool, WHERE) == [True]
        settings = "current_user || ' ' || current_setting('default_transaction_read_only') || ' ' || current_setting('statement_timeout')"
        assert rows(pool, Statement(f"SELECT {settings} AS said", (text("said"),))) == ["vo_query on 7s"]
        pool.close()


def test_what_the_standby_has_not_heard_of_the_primary_answers(pair: Pair, tmp_path: Path) -> None:
    with closing(pair.open()) as database:
        pool = replicated(database)
        pair.standby.execute("SELECT pg_wal_replay_pause()")
        try:
            statement = publish(database, pool, tmp_path, "fresh")
            assert rows(pool, statement) == [1, 2]
            assert rows(pool, WHERE) == [False]
        finally:
            pair.standby.execute("SELECT pg_wal_replay_resume()")
        assert becomes(pool, WHERE, [True])
        assert rows(pool, statement) == [1, 2]
        pool.close()


def test_a_row_is_never_missing_however_far_the_standby_is(pair: Pair, tmp_path: Path) -> None:
    """A table is there before its rows are: a standby between the two must not answer."""
    with closing(pair.open()) as database:
        pool = replicated(database)
        for number in range(5):
            statement = publish(database, pool, tmp_path, f"t{number}")
            assert [rows(pool, statement) for _ in range(20)] == [[1, 2]] * 20
        pool.close()


@pytest.mark.parametrize("replica", [NOWHERE, "the primary itself"])
def test_a_replica_that_is_none_is_left_alone(pair: Pair, replica: str, caplog: pytest.LogCaptureFixture) -> None:
    url = NOWHERE if replica == NOWHERE else pair.primary.url(pair.primary.template)
    with closing(pair.open(url)) as database:
        pool = replicated(database)
        with database.engine.connect() as connection:
            require_present(connection, pool)
        with caplog.at_level(logging.WARNING):
            assert [rows(pool, WHERE) for _ in range(3)] == [[False]] * 3
        pool.close()
    assert len([record for record in caplog.records if "left alone" in record.message]) == 1
