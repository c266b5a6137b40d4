"""Replies on a real socket over a real database: whoever reads slowly holds no connection, whoever leaves cancels his query."""

import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import uvicorn
from sqlalchemy import text

from tests.waiting import ENDLESS, SOON_S, until
from vo_server.app import create_app
from vo_server.db.database import Database
from vo_server.http.admission import Kind
from vo_server.services import Services
from vo_server.settings import Settings

ROWS = 150_000
MANY = f"SELECT TOP {ROWS} a.column_name, b.description FROM " + ", ".join(f"tap_schema.columns AS {name}" for name in "abcd")
MORE = MANY.replace(str(ROWS), str(10 * ROWS))
"""So many that neither a spool of some megabytes nor what lies on the way to it holds them."""


class Site:
    """A server in a thread, with what it has open."""

    def __init__(self, services: Services, url: str) -> None:
        self.services, self.url = services, url
        self.traffic = services.traffic

    def backends(self) -> int:
        """The PostgreSQL processes that compute users' queries."""
        statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%'"
        with self.services.database.engine.connect() as connection:
            return int(connection.execute(text(statement)).scalar_one())

    @contextmanager
    def frozen_backend(self) -> Iterator[None]:
        """The one process that computes rows stands still."""
        statement = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%'"
        with self.services.database.engine.connect() as connection:
            pid = int(connection.execute(text(statement)).scalar_one())
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def connections(self) -> int:
        """Those that are in use."""
        return self.services.pool._pool.checkedout()

    def is_quiet(self) -> bool:
        """Nothing runs, nothing waits, nothing is kept."""
        admission = self.traffic.admission
        return not (self.backends() or self.connections() or self.traffic.room.used or admission._room or admission._kinds.total())

    def ask(self, query: str, form: str = "votable", tiny: bool = True) -> socket.socket:
        """A client that has asked and reads nothing."""
        parts = urlsplit(self.url)
        client = socket.socket()
        if tiny:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.settimeout(SOON_S)
        client.connect((parts.hostname, parts.port))
        asked = urlencode({"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form, "MAXREC": 10**7})
        client.sendall(f"GET /tap/sync?{asked} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        return client

    def get(self, query: str, form: str = "votable") -> tuple[int, dict[str, str], bytes]:
        """The whole answer."""
        return read(self.ask(query, form, tiny=False))


def read(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with closing(client), closing(http.client.HTTPResponse(client)) as reply:
        reply.begin()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()


@contextmanager
def serving(database: Database, folder: Path, **settings: object) -> Iterator[Site]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        services = Services(Settings(public_url=url, data_dir=folder, spool_dir=folder, **settings), database)
        server = uvicorn.Server(uvicorn.Config(create_app(services), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        until(lambda: server.started)
        site = Site(services, url)
        try:
            yield site
            until(site.is_quiet)
        finally:
            server.should_exit = True
            thread.join(timeout=SOON_S)
            services.close()
    assert list(folder.iterdir()) == []


def test_a_slow_reader_holds_no_connection_and_gets_every_row(database: Database, tmp_path: Path) -> None:
    with serving(database, tmp_path) as site:
        fast = site.get(MANY, "csv")
        with ThreadPoolExecutor() as threads:
            clients = [site.ask(MANY, "csv") for _ in range(3)]
            until(lambda: site.traffic.room.used > 0)  # they have begun: before, nobody holds anything either
            until(lambda: site.backends() == site.connections() == site.traffic.admission._kinds.total() == 0)
            assert site.traffic.room.used > 0, "the rows wait on disk"
            assert list(tmp_path.iterdir()) == [], "in files without names"
            answers = list(threads.map(read, clients))
        assert [(status, body) for status, _, body in answers] == [(200, fast[2])] * 3
        assert fast[2].count(b"\n") == ROWS + 1


@pytest.mark.parametrize("form", ["votable", "fits"])
def test_whoever_leaves_before_the_first_row_cancels_his_query(database: Database, tmp_path: Path, form: str) -> None:
    with serving(database, tmp_path) as site:
        client = site.ask(ENDLESS, form)
        until(lambda: site.backends() == 1)
        client.close()
        until(site.is_quiet)


def test_whoever_leaves_in_mid_stream_cancels_his_query(database: Database, tmp_path: Path) -> None:
    with serving(database, tmp_path, spool_megabytes=4) as site:
        client = site.ask(MORE)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        until(lambda: site.traffic.room.used > 0)
        time.sleep(0.2)
        assert site.backends() == 1, "the spool is full, so the database waits"
        client.close()
        until(site.is_quiet)


def test_whoever_leaves_while_his_rows_are_spooled_leaves_no_file(database: Database, tmp_path: Path) -> None:
    with serving(database, tmp_path) as site:
        client = site.ask(MANY)
        assert client.recv(1000)
        until(lambda: site.backends() == 0 and site.traffic.room.used > 0)
        client.close()
        until(site.is_quiet)


def test_whoever_leaves_while_he_waits_frees_his_chair(database: Database, tmp_path: Path) -> None:
    with serving(database, tmp_path, user_queries=1) as site:
        first = site.ask(ENDLESS)
        until(lambda: site.backends() == 1)
        second = site.ask(ENDLESS)
        until(lambda: len(site.traffic.admission._room) == 1)
        second.close()
        until(lambda: site.traffic.admission._room == [])
        assert site.backends() == 1
        first.close()


def test_too_much_of_one_user_waits_and_is_then_sent_away(database: Database, tmp_path: Path) -> None:
    with serving(database, tmp_path, user_queries=1, waiting_seconds=1) as site:
        first = site.ask(ENDLESS)
        until(lambda: site.backends() == 1)
        status, headers, body = site.get(ENDLESS)
        assert (status, int(headers["retry-after"]) > 0) == (429, True)
        assert b'value="ERROR"' in body
        assert b"You have 1 queries running" in body
        first.close()


def test_slow_queries_leave_connections_for_short_requests(database: Database, tmp_path: Path) -> None:
    with serving(database, tmp_path, query_connections=2, reserved_connections=1) as site:
        first = site.ask(ENDLESS)
        until(lambda: site.backends() == 1)
        second = site.ask(ENDLESS)
        until(lambda: len(site.traffic.admission._room) == 1)
        parts = urlsplit(site.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SOON_S)
        connection.request("GET", "/sia2/query?MAXREC=1")
        assert connection.getresponse().status == 200
        connection.close()
        assert site.traffic.admission._kinds[Kind.LONG] == 1
        for client in (first, second):
            client.close()


def test_a_query_out_of_time_is_told_in_every_format_to_run_as_a_job(database: Database, tmp_path: Path) -> None:
    votable, text = "application/x-votable+xml", "text/plain; charset=utf-8"
    forms = dict.fromkeys(("votable", "votable/b2", "fits", "parquet", "arrow"), votable)
    forms |= {"csv": text, "json": "application/json", "html": "text/html; charset=utf-8"}
    with serving(database, tmp_path, sync_seconds=1, user_queries=8, query_connections=10) as site, ThreadPoolExecutor(8) as threads:
        for kind, (status, headers, body) in zip(forms.values(), threads.map(lambda form: site.get(ENDLESS, form), forms), strict=True):
            assert (status, headers["content-type"]) == (408, kind)
            assert b"run it asynchronously" in body


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that gives the database up after two seconds."""
    monkeypatch.setattr("vo_server.http.reply.GRACE_S", 1.0)
    monkeypatch.setattr("vo_server.http.reply.CLOSE_S", 0.5)


@pytest.mark.usefixtures("impatience")
def test_a_database_process_that_stands_still_costs_one_answer_and_no_place(database: Database, tmp_path: Path) -> None:
    with serving(database, tmp_path, sync_seconds=1, query_connections=1, reserved_connections=0) as site:
        first = site.ask(ENDLESS)
        until(lambda: site.backends() == 1)
        with site.frozen_backend():
            status, headers, body = read(first)
            assert (status, headers["retry-after"]) == (503, "60")
            assert b"got no answer from its database" in body
            assert site.get("SELECT TOP 1 table_name FROM tap_schema.tables")[0] == 200, "another connection has taken the place"


@pytest.mark.usefixtures("impatience")
def test_an_answer_whose_rest_never_comes_is_broken_off(database: Database, tmp_path: Path) -> None:
    with serving(database, tmp_path, sync_seconds=1, query_connections=1, reserved_connections=0, spool_megabytes=1) as site:
        client = site.ask(MANY)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        until(lambda: site.backends() == 1)
        with site.frozen_backend(), closing(client):
            ends = b""
            while piece := client.recv(1 << 20):
                ends = (ends + piece)[-100:]
            assert not ends.endswith(b"0\r\n\r\n"), "the last chunk would call it whole"
            assert site.get("SELECT TOP 1 table_name FROM tap_schema.tables")[0] == 200
