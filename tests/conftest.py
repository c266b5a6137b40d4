"""PostgreSQL for tests: a server a session, a fresh database a test.

``database`` is a migrated Database, ``postgres_url`` the address of an empty one. Both belong to an ordinary login, as in production.
A test marked ``every_postgres`` runs on every PostgreSQL that is there: the embedded one, Debian's, and the directories of programs
listed in TEST_POSTGRES (separated by colons).
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache, cached_property
from pathlib import Path

import psycopg
import pytest

from vo_server.db import cluster
from vo_server.db.database import Database
from vo_server.db.setup import init
from vo_server.db.supervisor import die_with
from vo_server.sql import function_definitions

PUBLIC_URL = "http://vo.test"
OWNER = "vo_owner"
TEMPLATE = "vo_template"
EMBEDDED = "embedded"
DEBIAN = Path("/usr/lib/postgresql")

MEMORY = Path("/dev/shm")
ENOUGH_MEMORY = 4 << 30

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "jit": "off",
    "timezone": "Asia/Kolkata",  # whoever relies on the server's zone shall notice
}

numbers = itertools.count(1)


class Server:
    """A running PostgreSQL; everybody on this machine who can reach its socket may log in as anybody."""

    def __init__(self, major: int, socket: Path) -> None:
        self.major = major
        self.socket = socket

    def url(self, name: str, user: str = OWNER) -> str:
        return f"postgresql://{user}@/{name}?host={self.socket}&port=5432"

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, name: str, template: str) -> None:
        self.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}")

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @cached_property
    def template(self) -> str:
        """Name of a database that `init` has prepared, to be copied."""
        self.create(TEMPLATE, "template0")
        with closing(Database(self.url(TEMPLATE))) as database:
            init(database)
        return TEMPLATE


def programs() -> dict[str, Path]:
    """Name → directory of programs of each PostgreSQL to test on, the embedded one first."""
    extra = [Path(text) for text in os.environ.get("TEST_POSTGRES", "").split(":") if text]
    found = {EMBEDDED: cluster.wheel_programs()}
    return found | {path.parent.name: path for path in (*sorted(DEBIAN.glob("*/bin")), *extra) if (path / "initdb").exists()}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "postgres_server" in metafunc.fixturenames and metafunc.definition.get_closest_marker("every_postgres"):
        metafunc.parametrize("postgres_server", list(programs()), indirect=True)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine the tests run on reaches them."""
    for name in os.environ:
        if name.startswith(("VO_", "PG")):
            monkeypatch.delenv(name)


@pytest.fixture
def datalink_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vocabulary of DataLink's semantics, which pyvo would fetch from its home; none of its words has narrower ones here."""
    words = ("this", "calibration", "auxiliary", "preview", "cutout")
    monkeypatch.setattr("pyvo.utils.vocabularies.get_vocabulary", lambda _: {"terms": {word: {"narrower": []} for word in words}})


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], Server]]:
    """The server of a name (`programs`), started at its first use, gone at the end of the session."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(running(programs()[name])))


@pytest.fixture
def postgres_server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """The embedded PostgreSQL; for tests marked every_postgres each one in turn."""
    return servers(getattr(request, "param", EMBEDDED))


@contextmanager
def running(binaries: Path, **settings: str) -> Iterator[Server]:
    """A new server without any durability; `settings` are PostgreSQL's, over SETTINGS."""
    account = cluster.Account.of(pwd.getpwnam("nobody")) if os.geteuid() == 0 else None
    binaries = cluster.usable_programs(binaries, account, print)
    home = Path(tempfile.mkdtemp(prefix="vo-test-", dir=MEMORY if shutil.disk_usage(MEMORY).free > ENOUGH_MEMORY else None))
    if account is not None:
        os.chown(home, account.uid, account.gid)
    try:
        with started(binaries, initialised(binaries, home, account), account, **settings) as server:
            server.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


def initialised(binaries: Path, home: Path, account: cluster.Account | None) -> Path:
    """`home`, with an empty data directory in it."""
    initdb = [
        binaries / "initdb",
        f"--pgdata={home}/data",
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    made = cluster.run(initdb, account)
    assert made.returncode == 0, made.stderr
    return home


@contextmanager
def started(binaries: Path, home: Path, account: cluster.Account | None, **settings: str) -> Iterator[Server]:
    """The server of a data directory."""
    settings = {"listen_addresses": "", "unix_socket_directories": str(home), **SETTINGS, **settings}
    command = [str(binaries / "postgres"), "-D", f"{home}/data"]
    for name, text in settings.items():
        command += ["-c", f"{name}={text}"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
            **cluster.process_options(account),
        )
    try:
        server = Server(int(cluster.server_version(binaries, account).partition(".")[0]), home)
        while psycopg.pq.PGconn.ping(server.url("postgres", "postgres").encode()) != psycopg.pq.Ping.OK:
            assert process.poll() is None, (home / "log").read_text()
            time.sleep(0.02)
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The address of an empty database, as its owner, who may create roles."""
    name = f"empty_{next(numbers)}"
    postgres_server.create(name, "template0")
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def connection(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection to a database that has nothing but the functions which translated queries call."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA vo")
        connection.execute(function_definitions().encode())
        yield connection


@pytest.fixture
def database_url(postgres_server: Server) -> Iterator[str]:
    """The address of a fresh copy of a migrated database: what VO_DATABASE_URL would be."""
    name = f"vo_{next(numbers)}"
    postgres_server.create(name, postgres_server.template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database; queries run after SET ROLE."""
    database = Database(database_url, public_url=PUBLIC_URL)
    yield database
    database.close()
