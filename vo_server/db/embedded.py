"""The embedded PostgreSQL, as a client sees it: there is one below the data directory while anybody needs it.

``Embedded`` attaches to the running instance or starts one (``db.supervisor`` explains who keeps whom alive). Its home,
``<data_dir>/postgres``, or a directory below /var/lib/vo-server where PostgreSQL's account could not reach that, holds

    data/            PostgreSQL's data directory          log/             its logs
    run/             its socket                           password         of the superuser, 0600
    postgresql.conf  for the operator to add to           vo-server.conf   written at each start, for the machine
    supervisor.lock  lease  startup.lock                  supervisor.log
"""

import hmac
import os
import secrets
import stat
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

import vo_server
from vo_server.db import cluster, locks, supervisor
from vo_server.db.addresses import libpq_uri
from vo_server.db.cluster import DATABASE, PORT, SUPERUSER, Account, Say
from vo_server.errors import SetupError

STARTUP_LOCK = "startup.lock"
SUPERVISOR_LOG = "supervisor.log"

LONGEST_SOCKET_PATH = 100
"""Bytes of a socket's path; the kernel takes 107."""

STARTED_S = 180.0
"""Recovery after a crash may take a while."""

STOPPED_S = 75.0
PAUSE_S = 0.05
WATCH_S = 1.0
RETRY_S = 15.0
LOG_LINES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance lives, and who runs it (None: we ourselves)."""

    home: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "data"

    @property
    def exists(self) -> bool:
        """Whether the data directory has been made."""
        return (self.data / "PG_VERSION").exists()


class Embedded:
    """The PostgreSQL of one data directory, running as long as this context, or another process's, is open.

    `say` gets sentences for the person at the screen. Raises SetupError if it cannot run here.
    """

    def __init__(self, data_dir: Path, say: Say) -> None:
        self._data_dir = data_dir
        self._say = say
        self._lease: int | None = None
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Self:
        forget_other_servers()
        try:
            self._place = find_place(self._data_dir, self._say)
            self._programs = cluster.usable_programs(cluster.wheel_programs(), self._place.account, self._say)
            self._sockets = socket_directory(self._place)
            self.ensure_running()
        except OSError as error:
            self._let_go()
            raise SetupError(
                f"{error.filename or self._data_dir} cannot be used for the embedded database: {error.strerror}.",
                hint="Run the command as the owner of the data directory, or choose another VO_DATA_DIR.",
            ) from None
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        if self._watcher is not None:
            self._watcher.join()
        self._let_go()
        self._await_stop()

    def url(self, user: str = SUPERUSER, database: str = DATABASE) -> str:
        """The address for a login; `password_of` says with which password a login must be made for that."""
        place = {"host": str(self._sockets), "port": str(PORT)}
        return libpq_uri(URL.create("postgresql", user, self.password_of(user), database=database, query=place))

    def password_of(self, user: str) -> str:
        """The password of a login, derived from the superuser's, which alone is stored."""
        key = _read_password(self._place)
        return key if user == SUPERUSER else hmac.new(key.encode(), user.encode(), "sha256").hexdigest()

    def ensure_running(self) -> None:
        """Start PostgreSQL unless it runs; return when it takes connections. Any thread may call it."""
        home = self._place.home
        with locks.locked(home / STARTUP_LOCK):
            if self._lease is None:
                self._lease = self._take_lease()
            if not supervised(home):
                prepare_home(self._place, self._programs, self._say)
                self._start_supervisor()
            self._await_start()

    def provide(self, login: str) -> None:
        """Make the database, and an ordinary `login` with the password that `url` puts into its addresses, unless they are there."""
        with locks.locked(self._place.home / STARTUP_LOCK), psycopg.connect(self.url(database="postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            role = connection.execute("SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = %s", [login]).fetchone()
            if role != (True,):
                statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
                verb = sql.SQL("CREATE" if role is None else "ALTER")
                connection.execute(statement.format(verb, sql.Identifier(login), sql.Literal(self.password_of(login))))

    def watch(self) -> None:
        """Look every second, in a thread that ends with the context, whether the supervisor lives; replace it if not."""
        self._watcher = threading.Thread(target=self._watch, name="embedded-postgres-watch", daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        while not self._closing.wait(WATCH_S):
            if not supervised(self._place.home):
                try:
                    self.ensure_running()
                except (SetupError, OSError) as error:
                    self._say(f"PostgreSQL could not be started again: {error}")
                    self._closing.wait(RETRY_S)

    def _take_lease(self) -> int | None:
        """A shared lock on the lease. A supervisor that is stopping holds it exclusively until it is gone."""
        path = self._place.home / supervisor.LEASE
        lease = locks.take(path, locks.SHARED, patience_s=1.0)
        if lease is None:
            self._say("Waiting for PostgreSQL to stop before it is started again.")
            lease = locks.take(path, locks.SHARED)
        return lease

    def _let_go(self) -> None:
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None

    def _start_supervisor(self) -> None:
        """Start the supervisor; when this returns it holds its lock."""
        command = [sys.executable, "-P", "-m", supervisor.__name__, str(self._place.home), str(self._programs), str(self._sockets)]
        ours = str(Path(vo_server.__file__).parents[1])
        paths = os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH"))))
        with (self._place.home / SUPERVISOR_LOG).open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 (our own words)
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=os.environ | {"PYTHONPATH": paths},
                start_new_session=True,  # Ctrl-C is for us: PostgreSQL must outlive our last query
            )
        if process.wait() not in (0, supervisor.BUSY):
            raise SetupError(f"The supervisor of PostgreSQL did not start:\n{log_tail(self._place.home)}")

    def _await_start(self) -> None:
        deadline = time.monotonic() + STARTED_S
        target = psycopg.conninfo.make_conninfo(host=str(self._sockets), port=PORT, dbname="postgres", user=SUPERUSER).encode()
        while psycopg.pq.PGconn.ping(target) != psycopg.pq.Ping.OK:
            if not supervised(self._place.home):
                raise SetupError(
                    f"PostgreSQL did not start:\n{log_tail(self._place.home)}", hint=f"Its logs are in {self._place.home / 'log'}."
                )
            if time.monotonic() > deadline:
                raise SetupError("PostgreSQL takes no connections.", hint=f"Its logs are in {self._place.home / 'log'}.")
            time.sleep(PAUSE_S)

    def _await_stop(self) -> None:
        """If nobody else needs PostgreSQL, return when it is gone.

        While others hold leases a shared lock is always to be had; a supervisor that is stopping refuses it. Right after we let
        go the supervisor may not have noticed yet, hence several looks.
        """
        home = self._place.home
        deadline = time.monotonic() + STOPPED_S
        looks = 0
        while looks < 4 and supervised(home) and time.monotonic() < deadline:
            looks = looks + 1 if locks.is_free(home / supervisor.LEASE, locks.SHARED) else 0
            time.sleep(PAUSE_S)


def forget_other_servers() -> None:
    """Remove PGPORT, PGSERVICE, PGOPTIONS and their like from the environment: libpq obeys them, and they are about another PostgreSQL."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def supervised(home: Path) -> bool:
    """Whether a supervisor lives."""
    return not locks.is_free(home / supervisor.LOCK, locks.SHARED)


def exists(data_dir: Path) -> bool:
    """Whether `data_dir` has an embedded database, ours or somebody else's. Makes nothing."""
    home = data_dir.resolve() / "postgres"
    try:
        return any(Place(candidate, None).exists for candidate in (home, cluster.SHARED / cluster.shared_name(home)))
    except PermissionError:
        return True


def find_place(data_dir: Path, say: Say) -> Place:
    """Where the instance of `data_dir` is, or will be. As root that is below /var/lib/vo-server if PostgreSQL's account cannot reach it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    home = data_dir.resolve() / "postgres"
    shared = cluster.SHARED / cluster.shared_name(home)
    for candidate in (home, shared):
        if (candidate / "data" / "PG_VERSION").exists():
            return _existing_place(candidate)
    account = cluster.choose_account(say)
    if cluster.can_use(data_dir.resolve(), account):
        cluster.make_directory(home, 0o700 if account is None else 0o711)
        return Place(home, account)
    who = account.name if account else "PostgreSQL"
    say(f"The user {who}, who runs PostgreSQL, cannot reach {data_dir.resolve()}; the database is in {shared}.")
    return Place(cluster.make_shared(shared.name), account)


def _existing_place(home: Path) -> Place:
    account = cluster.owner_account(home / "data")
    if not cluster.can_use(home, account):
        raise SetupError(
            f"The user {account.name if account else ''}, who runs PostgreSQL, can no longer reach {home}.",
            hint="Let others enter the directories above it (chmod o+x), or move the data directory.",
        )
    return Place(home, account)


def socket_directory(place: Place) -> Path:
    """The directory of the socket, for PostgreSQL's account alone; below /tmp if the path would be too long for a socket, or has a
    comma, which separates directories for server and clients alike.
    """
    directory = place.home / "run"
    if len(os.fsencode(directory / f".s.PGSQL.{PORT}")) > LONGEST_SOCKET_PATH or "," in str(directory):
        directory = Path("/tmp") / f"vo-{cluster.shared_name(place.home)}"  # noqa: S108 (looked at below)
    cluster.make_private(directory, place.account)
    uid = place.account.uid if place.account else os.geteuid()
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise SetupError(f"{directory} should be a directory of mode 0700 of user {uid}, and is not.", hint="Remove it and start again.")
    return directory


def prepare_home(place: Place, programs: Path, say: Say) -> None:
    """Make what is missing, and write this machine's settings. The caller holds the startup lock."""
    version = cluster.server_version(programs, place.account)
    if place.exists:
        refuse_other_version(place.data, version)
    else:
        say(f"Making a PostgreSQL {version} database in {place.data}.")
        cluster.init_data(programs, place.data, _new_password(place), place.account)
    cluster.make_private(place.home / "log", place.account)
    cluster.configure(place.home)


def refuse_other_version(data: Path, version: str) -> None:
    """SetupError if the data directory was made by another major version than `version`."""
    made_by, major = (data / "PG_VERSION").read_text(encoding="ascii").strip(), version.partition(".")[0]
    if made_by != major:
        raise SetupError(
            f"The data in {data} were written by PostgreSQL {made_by}, and the one installed is {version}.",
            hint=f"Install embedded-postgres=={made_by}.* again, or dump them with pg_dump of PostgreSQL {made_by} and restore them, "
            "or choose an empty VO_DATA_DIR and publish again.",
        )


def log_tail(home: Path) -> str:
    """The last lines that PostgreSQL or its supervisor wrote."""
    logs = [path for path in (home / SUPERVISOR_LOG, *sorted((home / "log").glob("*.log"))) if path.is_file()]
    newest = sorted(logs, key=lambda path: path.stat().st_mtime)[-2:]
    lines = [line for path in newest for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]]
    return "\n".join(lines)


def _new_password(place: Place) -> str:
    """Store a new password; whatever was there belongs to data that do not exist."""
    path = place.home / "password"
    path.unlink(missing_ok=True)
    password = secrets.token_hex(32)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    return password


def _read_password(place: Place) -> str:
    path = place.home / "password"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise SetupError(f"{path}, the password of the database in {place.data}, is missing.", hint="Restore it from a backup.") from None
