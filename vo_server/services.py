"""What is open while a server runs: settings, database, query pool, the catalogue's snapshot, the clock."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Protocol

from anyio import move_on_after
from anyio.to_thread import run_sync
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from starlette.requests import HTTPConnection

from vo_server import scratch
from vo_server.db.catalogue import CHANNEL, load_catalogue, load_holdings, load_resources, load_site, read_secret, read_version
from vo_server.db.database import Database
from vo_server.db.listen import Watch
from vo_server.db.replicas import query_pool, require_present
from vo_server.db.stream import LimitedPool
from vo_server.formats import Format
from vo_server.http.identity import caller, digest
from vo_server.http.reply import Traffic
from vo_server.jobs.changes import Changes
from vo_server.jobs.keeper import Keeper
from vo_server.jobs.results import ResultStore
from vo_server.jobs.store import JobStore, Terms
from vo_server.model.catalogue import Catalogue
from vo_server.model.columns import Column
from vo_server.model.holdings import Holdings
from vo_server.model.resource import Resource, Site
from vo_server.model.result import Info, Statement, TableHead
from vo_server.model.service import ServiceDescriptor, ServiceParam
from vo_server.query.descriptors import descriptors_for
from vo_server.query.fetch import Sources
from vo_server.query.origin import Asked, data_origin, query_origin
from vo_server.query.run import Answer
from vo_server.query.uploads import UploadReader
from vo_server.settings import Settings

log = logging.getLogger("vo_server")

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


ANSWER_S = 5.0
"""The database has this long to answer before the server calls itself unwell."""

LOOK_S = 60.0
"""What is announced may be lost: so often a server looks whether something new is published."""

PAGE_CONNECTIONS = 2
PAGE_S = 10
"""Longest database time of a part of a page, in seconds."""

LEFT_ALONE = "5s"
"""So soon a backend notices that the worker it computes for is dead."""


def job_terms(settings: Settings) -> Terms:
    """What a job gets, as the settings say."""
    hours, hard = settings.retention_hours, settings.hard_retention_hours
    return Terms(
        settings.async_seconds,
        settings.hard_async_seconds,
        timedelta(hours=hours),
        timedelta(hours=hard),
        settings.user_jobs,
        settings.user_running_jobs,
        settings.user_upload_bytes,
    )


@dataclass(frozen=True)
class Snapshot:
    """What is published at one moment; a request uses one from beginning to end."""

    catalogue: Catalogue
    resources: tuple[Resource, ...]
    site: Site
    holdings: Holdings = field(default_factory=Holdings)

    @cached_property
    def _resources_by_table(self) -> dict[str, Resource]:
        return {table: resource for resource in self.resources for table in resource.tables}

    def resources_of(self, tables: Iterable[str]) -> list[Resource]:
        """The resources that tables with these full names belong to, each once."""
        found = {resource.id: resource for table in tables if (resource := self._resources_by_table.get(table))}
        return list(found.values())


def answers(database: Database) -> bool:
    """Whether the database answers; waits as long as it takes to know."""
    try:
        with database.engine.connect() as connection:
            connection.execute(select(1))
    except SQLAlchemyError:
        return False
    return True


def load_snapshot(connection: Connection) -> Snapshot:
    """What is published, as one transaction sees it."""
    return Snapshot(load_catalogue(connection), load_resources(connection), load_site(connection), load_holdings(connection))


class Wanted(Protocol):
    """What every request for rows says of them: how to write them, and how many there may be."""

    @property
    def format(self) -> Format:
        """How they are written."""

    @property
    def content_type(self) -> str:
        """What that is called, as it was asked for."""

    @property
    def maxrec(self) -> int | None:
        """The most of them."""


class Services:
    """Opened once by the composition root, handed to every route."""

    def __init__(self, settings: Settings, database: Database, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.started = clock()
        self.pool = query_pool(database, settings.query_connections, {"statement_timeout": f"{settings.sync_seconds}s"})
        self.job_pool = query_pool(database, settings.worker_concurrency, {"client_connection_check_interval": LEFT_ALONE})
        self.page_pool = query_pool(database, PAGE_CONNECTIONS, {"statement_timeout": f"{PAGE_S}s"})
        """For what pages show of tables: it takes nothing from users' queries."""
        self.traffic = Traffic.of(settings)
        self._lock = threading.Lock()
        self._snapshot = self._load()
        self._away = False
        self._watch = Watch("catalogue-watch", database.app_uri, CHANNEL, lambda _: self.refresh(), LOOK_S)
        self.jobs = JobStore(database.engine, job_terms(settings), clock)
        self.secret = self._keep_secret()
        """Signs what browsers keep for us; the same for all servers of this database."""
        self.results = ResultStore(settings.results_url)
        sources = Sources(settings.upload_networks, settings.upload_seconds)
        self.uploads = UploadReader(settings.upload_rows, settings.upload_bytes, sources)
        self.changes = Changes(database.app_uri)
        self._keeper = Keeper(self.jobs, self.results, settings.stalled_seconds)

    def start(self) -> None:
        """Begin to hear of changes, and to keep the jobs."""
        scratch.sweep()
        for part in (self._watch, self.changes, self._keeper):
            part.start()

    def close(self) -> None:
        """Stop listening and close the pools; the database is closed by whoever opened it."""
        for part in (self._watch, self.changes, self._keeper):
            part.stop()
        for pool in (self.pool, self.job_pool, self.page_pool):
            pool.close()

    def snapshot(self) -> Snapshot:
        """What is published now."""
        return self._snapshot

    def catalogue(self) -> Catalogue:
        """The published tables now."""
        return self._snapshot.catalogue

    def resources(self) -> tuple[Resource, ...]:
        """The published resources now."""
        return self._snapshot.resources

    def site(self) -> Site:
        """The publisher."""
        return self._snapshot.site

    def answer(
        self,
        statement: Statement,
        wanted: Wanted,
        asked: Asked,
        *,
        columns: tuple[Column, ...] | None = None,
        infos: tuple[Info, ...] = (),
        description: str | None = None,
        params: tuple[ServiceParam, ...] = (),
        descriptors: tuple[ServiceDescriptor, ...] = (),
        pool: LimitedPool | None = None,
    ) -> Answer:
        """The rows of `statement`, not yet started, as `head` describes them.

        `columns` describe the rows where a standard demands other words than the statement's own. `pool`: connections
        with other limits than those of synchronous queries.
        """
        told = (*infos, *(Info("warning", sentence) for sentence in statement.warnings))
        head = self.head(
            columns or statement.columns,
            asked,
            reads=statement.reads,
            infos=told,
            description=description,
            params=params,
            descriptors=descriptors,
            is_of_one_table=statement.is_of_one_table,
        )
        return Answer(pool or self.pool, statement, head, wanted.format, wanted.content_type, wanted.maxrec, self.traffic.room)

    def head(
        self,
        columns: tuple[Column, ...],
        asked: Asked,
        *,
        reads: tuple[str, ...] = (),
        infos: tuple[Info, ...] = (),
        description: str | None = None,
        params: tuple[ServiceParam, ...] = (),
        descriptors: tuple[ServiceDescriptor, ...] = (),
        is_of_one_table: bool = False,
    ) -> TableHead:
        """What an answer says besides its rows: its origin (see query.origin), with that of the tables it `reads`, and the services for
        the datasets that the rows name, besides `descriptors`. Rows that are each of one table may have a position to tell of.
        """
        snapshot = self.snapshot()
        origin = (
            *infos,  # of two that differ in case alone, SSA's SERVICE_PROTOCOL and the Note's, astropy takes the later one
            *query_origin(snapshot.site, asked, self.clock()),
            *(info for resource in snapshot.resources_of(reads) for info in data_origin(snapshot.site, resource)),
        )
        described = (*descriptors_for(columns, self.settings.base_url, self.site()), *descriptors)
        mivot = self.settings.mivot and is_of_one_table
        return TableHead(columns, origin, "result", description, self.settings.votable_version, described, params, mivot)

    def refresh(self) -> bool:
        """Take a new snapshot if there is something new; tells whether there was. A database that is away changes nothing."""
        alone = self._lock.acquire(timeout=ANSWER_S)  # else who has the lock waits for a connection that is dead
        try:
            with self.database.engine.connect() as connection:
                version = read_version(connection)
                self._away = False
                if version == self._snapshot.catalogue.version:
                    return False
            loaded = self._load()
            if alone or loaded.catalogue.version > self._snapshot.catalogue.version:
                self._snapshot = loaded
        except OperationalError:
            if not self._away:  # said once an outage
                log.warning("the catalogue could not be read: the database does not answer")
            self._away = True
            return False
        else:
            return True
        finally:
            if alone:
                self._lock.release()

    def client(self, request: HTTPConnection) -> str:
        """Who is counted for the jobs of a request: a digest of its caller's address, which nobody else can make."""
        return digest(caller(request, self.settings.trusted_proxies), self.secret)

    async def is_up(self) -> bool:
        """Whether the database answers within ANSWER_S seconds."""
        with move_on_after(ANSWER_S):
            return await run_sync(answers, self.database, abandon_on_cancel=True)
        return False

    def _keep_secret(self) -> bytes:
        with self.database.engine.begin() as connection:
            return read_secret(connection).encode()

    def _load(self) -> Snapshot:
        with self.database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            snapshot = load_snapshot(connection)
            require_present(connection, self.pool, self.job_pool)  # before anybody asks for what is new
            return snapshot
