"""Through pgbouncer in session mode, which drops what comes with the address: sessions are restricted all the same, and jobs run."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from tests.conftest import OWNER, Server
from vo_server.db.database import Database
from vo_server.db.listen import Watch
from vo_server.db.replicas import query_pool
from vo_server.model.columns import Column
from vo_server.model.result import Statement

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")

SETTINGS = """\
[databases]
* = host={server}
[pgbouncer]
unix_socket_dir = {home}
listen_port = 6432
auth_type = trust
auth_file = {home}/users
pool_mode = session
ignore_startup_parameters = options
logfile = {home}/log
"""


@pytest.fixture
def pooled_url(postgres_server: Server, database_url: str) -> Iterator[str]:
    """The address of the database by way of pgbouncer."""
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed")
    home = Path("/tmp") / f"vo-pgbouncer-{os.getpid()}"
    home.mkdir()
    (home / "users").write_text(f'"{OWNER}" ""\n')
    (home / "ini").write_text(SETTINGS.format(server=postgres_server.socket, home=home))
    if os.geteuid() == 0:
        shutil.chown(home, "nobody")
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen([PROGRAM, *user, str(home / "ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"postgresql://{OWNER}@/{make_url(database_url).database}?host={home}&port=6432"
        deadline = time.monotonic() + 10
        while psycopg.pq.PGconn.ping(url.encode()) != psycopg.pq.Ping.OK:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url
        process.terminate()
    shutil.rmtree(home)


def test_users_sessions_are_restricted(pooled_url: str) -> None:
    with closing(Database(pooled_url, public_url="http://it's.a/test")) as database:
        pool = query_pool(database, 1, {"statement_timeout": "7s"})
        names = ("role", "default_transaction_read_only", "statement_timeout", "search_path", "timezone", "vo.public_url")
        said = [pool.ask(Statement(f"SELECT current_setting('{name}')", (Column("said", "char", "*"),))) for name in names]
        pool.close()
    assert said == ["vo_query", "on", "7s", "pg_catalog", "UTC", "http://it's.a/test"]


def test_our_own_sessions_are_in_utc_and_hear_notifications(pooled_url: str) -> None:
    heard: list[str | None] = []
    with closing(Database(pooled_url)) as database:
        watch = Watch("test-pooled", database.app_uri, "vo_test", heard.append)
        watch.start()
        deadline = time.monotonic() + 10
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
            while "it" not in heard and time.monotonic() < deadline:
                connection.execute(text("NOTIFY vo_test, 'it'"))
                time.sleep(0.1)
        watch.stop()
    assert "it" in heard
