"""The open database: engines for our own tables, addresses of logins, and the role that users' queries run under."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from vo_server.db.addresses import libpq_uri
from vo_server.db.cluster import Say
from vo_server.db.embedded import Embedded
from vo_server.errors import SetupError, UnavailableError
from vo_server.settings import Settings

DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")

QUEUE_SCHEMA = "vo_queue"
"""Schema of the queue of jobs."""

SESSION = {"timezone": "UTC"}
"""Settings of sessions on our own tables."""

POOL_SIZE = 4
POOL_OVERFLOW = 16
POOL_WAIT_S = 10

LIVELY = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""libpq's words for: a server that is not there, or not any more, is noticed within a minute. Nobody else tells of a machine that lost its
power, or of a firewall that forgot a connection. What an address says itself counts more.
"""


PATIENCE_S = 30.0
"""How long what must be done waits for a database that restarts."""

PAUSE_S = 0.5

Done = TypeVar("Done")


class Database:
    """One PostgreSQL database through up to three logins (DESIGN: query, app, publish).

    `app_url` reads and writes our own tables; `publish_url` (default: the same) owns them and creates tables; `query_url` runs
    users' queries, and so do `replica_urls`, logins of the same name at servers that follow this one. Without `query_url` queries
    run on `app_url` after SET ROLE to the query role, which a statement could undo: `sets_role` says so. `public_url` is what
    ``vo.public_url`` is in users' sessions, the beginning of every access_url.
    """

    def __init__(
        self,
        app_url: str,
        *,
        publish_url: str | None = None,
        query_url: str | None = None,
        replica_urls: Sequence[str] = (),
        role_prefix: str = "vo",
        public_url: str = "",
    ) -> None:
        self._app = parse_url(app_url)
        self._publish = parse_url(publish_url or app_url)
        self._query = parse_url(query_url or app_url)
        self._replicas = tuple(parse_url(url) for url in replica_urls)
        self._public_url = public_url
        self.sets_role = query_url is None
        self.query_role = f"{role_prefix}_query"
        self.app_role = f"{role_prefix}_app"

    @cached_property
    def engine(self) -> Engine:
        """Reads and writes our own tables."""
        return _engine(self._app)

    @cached_property
    def publish_engine(self) -> Engine:
        """Creates and drops tables: the owner of everything of ours."""
        return self.engine if self._publish == self._app else _engine(self._publish)

    @property
    def app_uri(self) -> str:
        """The address of `engine`'s login, for psycopg."""
        return _uri(self._app)

    @property
    def queue_uri(self) -> str:
        """The address of `engine`'s login, for the workers' library, whose SQL names nothing with its schema."""
        return _uri(self._app, {"timezone": "UTC", "search_path": f"{QUEUE_SCHEMA},pg_catalog"})

    @property
    def publish_uri(self) -> str:
        """The address of `publish_engine`'s login, for psycopg and for ADBC, which loads."""
        return _uri(self._publish, {"timezone": "UTC"})

    @property
    def query_login_uri(self) -> str:
        """The address of the login for users' queries, without a role or limits: to see who it is."""
        return _uri(self._query)

    def query_uri(self, options: Mapping[str, str] | None = None) -> str:
        """The address for users' queries. Its sessions are as `query_session` says, `options` on top."""
        return _uri(self._query, self.query_session(options))

    def replica_uris(self, options: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """As `query_uri`, of the servers that follow this one."""
        return tuple(_uri(replica, self.query_session(options)) for replica in self._replicas)

    def query_session(self, options: Mapping[str, str] | None = None) -> dict[str, str]:
        """PostgreSQL's settings for users' queries: read-only, under the query role; `options` on top (statement_timeout, work_mem …)."""
        session = {
            "default_transaction_read_only": "on",
            "search_path": "pg_catalog",  # every name that the translator writes is qualified
            "timezone": "UTC",
            "vo.public_url": self._public_url,
        }
        role = {"role": self.query_role} if self.sets_role else {}
        return {**role, **session, **(options or {})}

    def close(self) -> None:
        """Close all pooled connections."""
        for name in ("engine", "publish_engine"):
            if name in self.__dict__:
                self.__dict__[name].dispose()


@contextmanager
def open_database(settings: Settings, say: Say) -> Iterator[Database]:
    """The database that `settings` name, as it is (`setup.prepare` makes it usable); the embedded one runs as long as this context.

    `say` gets sentences for the person at the screen. Raises SetupError if settings or machine do not allow it.
    """
    if settings.database_url is not None:
        database = _remote(settings, settings.database_url)
        try:
            yield database
        finally:
            database.close()
        return
    for name in ("query_database_url", "publish_database_url"):
        if getattr(settings, name) is not None:
            raise SetupError(f"{name} is set, and database_url is not.", hint="Set all of them, or none for the embedded database.")
    with Embedded(settings.data_dir, say) as server:
        database = _local(settings, server)
        try:
            yield database
        finally:
            database.close()


def _remote(settings: Settings, app_url: str) -> Database:
    return Database(
        app_url,
        publish_url=settings.publish_database_url,
        query_url=settings.query_database_url,
        replica_urls=settings.replica_database_urls,
        role_prefix=settings.role_prefix,
        public_url=settings.base_url,
    )


def _local(settings: Settings, server: Embedded) -> Database:
    query_role = f"{settings.role_prefix}_query"
    server.provide(query_role)
    server.watch()
    return Database(server.url(), query_url=server.url(query_role), role_prefix=settings.role_prefix, public_url=settings.base_url)


AWAY = ("08", "57P", "53300")
"""SQLSTATEs of a database that takes no connection, or has broken it."""


def is_away(error: BaseException) -> bool:
    """Whether `error` says that the database cannot be had now, rather than that a statement failed."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, OperationalError):
        return False
    state = getattr(error.orig, "sqlstate", None)  # none: there was no server to give one
    return state is None or state.startswith(AWAY)


UNREACHABLE = (OperationalError, PoolTimeoutError, UnavailableError)
"""What is raised, by SQLAlchemy and by ourselves, when the database cannot be had now."""


def patiently(action: Callable[[], Done]) -> Done:
    """Do `action`, again and again while the database is away, for PATIENCE_S seconds. It must do no harm twice: what it did may have been
    committed when the connection broke.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return action()
        except UNREACHABLE:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_S)


def parse_url(text: str) -> URL:
    """A PostgreSQL address (``postgresql://user:password@host/database``); SetupError if it is none. The message never shows a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SetupError(
            "A database address could not be read.", hint="It looks like postgresql://user:password@host:5432/database."
        ) from None
    if url.drivername not in DRIVERS:
        shown = url.render_as_string(hide_password=True).partition("?")[0]
        raise SetupError(
            f"The database address {shown} is for {url.drivername}; only PostgreSQL will do.",
            hint="It looks like postgresql://user:password@host:5432/database.",
        )
    return url.set(drivername="postgresql")


def _options(url: URL, settings: Mapping[str, str]) -> str:
    """libpq's ``options``: what `url` says already, then `settings` for each session."""
    given = url.query.get("options", ())
    before = [given] if isinstance(given, str) else list(given)
    return " ".join([*before, *(f"-c {name}={_escape(value)}" for name, value in settings.items())])


def _escape(value: str) -> str:
    """A value inside libpq's ``options``: blanks and backslashes are escaped by a backslash."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _uri(url: URL, settings: Mapping[str, str] | None = None) -> str:
    """The address as libpq reads it; `settings` hold for each session."""
    url = url.update_query_dict(_lively(url))
    if settings:
        url = url.update_query_dict({"options": _options(url, settings)})
    return libpq_uri(url)


def _lively(url: URL) -> dict[str, str]:
    return {name: value for name, value in LIVELY.items() if name not in url.query}


def _engine(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,  # PostgreSQL may have been restarted meanwhile
        pool_size=POOL_SIZE,
        pool_timeout=POOL_WAIT_S,
        max_overflow=POOL_OVERFLOW,
        connect_args={"application_name": "vo-server", **_lively(url), "options": _options(url, SESSION)},
    )
    event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: Any, _: object) -> None:
    """Say the session's settings again as statements: a pooler between us and PostgreSQL may drop what comes with the address."""
    connection.execute("".join(f"SET {name} = '{value}';" for name, value in SESSION.items()))
    connection.commit()
