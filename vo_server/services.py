"""What is open while a server runs: settings, database, query pool, the catalogue's snapshot, the clock."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from anyio import CapacityLimiter
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from vo_server.db.catalogue import CatalogueWatch, load_catalogue, load_resources, load_site, read_version
from vo_server.db.database import Database
from vo_server.db.stream import QueryPool
from vo_server.formats import Format
from vo_server.model.catalogue import Catalogue
from vo_server.model.columns import Column
from vo_server.model.resource import Resource, Site
from vo_server.model.result import Info, Statement, TableHead
from vo_server.query.run import Answer
from vo_server.settings import Settings

log = logging.getLogger("vo_server")

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Snapshot:
    """What is published at one moment; a request uses one from beginning to end."""

    catalogue: Catalogue
    resources: tuple[Resource, ...]
    site: Site


class Services:
    """Opened once by the composition root, handed to every route."""

    def __init__(self, settings: Settings, database: Database, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.started = clock()
        self.pool = QueryPool(database.query_uri({"statement_timeout": f"{settings.sync_seconds}s"}), settings.query_connections)
        # more threads than connections: replies that are being sent hold a thread only while they work
        self.limiter = CapacityLimiter(settings.query_connections * 4)
        self._lock = threading.Lock()
        self._snapshot = self._load()
        self._watch = CatalogueWatch(database.app_uri, self.refresh)

    def start(self) -> None:
        """Begin to hear of changes."""
        self._watch.start()

    def close(self) -> None:
        """Stop listening and close the pool; the database is closed by whoever opened it."""
        self._watch.stop()
        self.pool.close()

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
        standard_id: str,
        form: Format,
        content_type: str,
        maxrec: int,
        *,
        columns: tuple[Column, ...] | None = None,
        infos: tuple[Info, ...] = (),
        description: str | None = None,
    ) -> Answer:
        """The rows of `statement`, not yet started, with what every answer says of its origin (DALI 1.1 §4.4.4; Data Origin in the VO §3).

        `columns` describe the rows where a standard demands other words than the statement's own.
        """
        origin = (
            Info("standardID", standard_id),
            *infos,
            Info("request_date", self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")),
            Info("server_software", "vo-server"),
            Info("publisher", self.site().organisation),
        )
        head = TableHead(columns or statement.columns, origin, "result", description, self.settings.votable_version)
        return Answer(self.pool, statement, head, form, content_type, maxrec)

    def refresh(self) -> bool:
        """Take a new snapshot if there is something new; tells whether there was. A database that is away changes nothing."""
        try:
            with self._lock:
                with self.database.engine.connect() as connection:
                    if read_version(connection) == self._snapshot.catalogue.version:
                        return False
                self._snapshot = self._load()
                return True
        except OperationalError:
            log.warning("the catalogue could not be read: the database does not answer")
            return False

    def _load(self) -> Snapshot:
        with self.database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            return Snapshot(load_catalogue(connection), load_resources(connection), load_site(connection))
