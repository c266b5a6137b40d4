"""Users' queries on servers that follow the primary by streaming replication; the primary steps in where one cannot answer."""

import itertools
import logging
import threading
import time
from collections.abc import Mapping, Sequence

import psycopg
from sqlalchemy import Connection, text

from vo_server.db.database import Database
from vo_server.db.stream import Begun, QueryPool, ResultStream
from vo_server.db.temporary import Hold
from vo_server.errors import UnavailableError
from vo_server.model.columns import Column
from vo_server.model.result import Statement

log = logging.getLogger("vo_server")

REST_S = 15.0
"""A replica that did not answer is left alone for so long."""

CONFLICT = "40001"
"""SQLSTATE of a replica that had to give a query up for what it was told to replay."""

WRITTEN = text("SELECT (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::int8")
REPLAYED = Statement("SELECT (pg_catalog.pg_last_wal_replay_lsn() - '0/0'::pg_catalog.pg_lsn)::int8", (Column("replayed", "long"),))
"""Where in the stream of changes the primary is, and a replica (NULL if it follows nobody)."""


def query_pool(database: Database, size: int, options: Mapping[str, str]) -> QueryPool:
    """Connections for users' queries, `size` to each server; `options`: PostgreSQL settings of their sessions."""
    session = database.query_session(options)
    primary = QueryPool(database.query_uri(options), size, session)
    replicas = [QueryPool(uri, size, session) for uri in database.replica_uris(options)]
    return ReplicatedPool(primary, replicas) if replicas else primary


def require_present(connection: Connection, *pools: QueryPool) -> None:
    """Replicas that have not all that `connection`, one to the primary, sees now are not to be asked by `pools`."""
    replicated = [pool for pool in pools if isinstance(pool, ReplicatedPool)]
    if replicated:
        position = connection.execute(WRITTEN).scalar_one()
        for pool in replicated:
            pool.require(position)


class ReplicatedPool(QueryPool):
    """A pool that takes its connections from `replicas`, in turn. Statements with temporary tables go to `primary`, which alone can have
    some, and so does what no replica can answer.
    """

    def __init__(self, primary: QueryPool, replicas: Sequence[QueryPool]) -> None:
        self._primary = primary
        self._replicas = tuple(replicas)
        self._turns = itertools.count()
        self._resting: dict[QueryPool, float] = {}
        self._needed = 0
        self._reached: dict[QueryPool, int] = {}
        self._lock = threading.Lock()

    def open(self, statement: Statement) -> ResultStream:
        """The rows of `statement`, not yet begun."""
        return self._primary.open(statement) if statement.tables else ResultStream(self, statement)

    def close(self) -> None:
        """Close all connections that are not in use."""
        for pool in (self._primary, *self._replicas):
            pool.close()

    def require(self, position: int) -> None:
        """From now on ask only replicas that have followed the primary to this position: a table may be there, and its rows not yet."""
        with self._lock:
            self._needed = max(self._needed, position)

    def _run(self, statement: Statement, seconds: int | None, hold: Hold) -> Begun:
        for replica in self._awake() if not statement.tables else ():
            try:
                if self._is_level(replica):
                    return replica._run(statement, seconds, hold)
            except UnavailableError as error:
                self._rest(replica, str(error))
            except psycopg.Error as error:
                if error.sqlstate != CONFLICT:
                    raise
        return self._primary._run(statement, seconds, hold)

    def _awake(self) -> list[QueryPool]:
        """The replicas to ask, the next one first."""
        turn = next(self._turns) % len(self._replicas)
        with self._lock:
            now = time.monotonic()
            return [pool for pool in (*self._replicas[turn:], *self._replicas[:turn]) if self._resting.get(pool, 0.0) <= now]

    def _is_level(self, replica: QueryPool) -> bool:
        """Whether a replica has all that it needs to have. One that had it once has it for ever, so it is seldom asked."""
        with self._lock:
            needed = self._needed
            if self._reached.get(replica, -1) >= needed:
                return True
        replayed = replica.ask(REPLAYED)
        if not isinstance(replayed, int):
            raise UnavailableError("It follows no other server by streaming replication.")
        with self._lock:
            self._reached[replica] = replayed
        return replayed >= needed

    def _rest(self, replica: QueryPool, why: str) -> None:
        with self._lock:
            self._resting[replica] = time.monotonic() + REST_S
        log.warning("a replica of the database is left alone for %d seconds: %s", REST_S, why)
