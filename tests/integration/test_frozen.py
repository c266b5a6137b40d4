"""Nothing comes from the database any more, and nothing tells so: the network, its machine, or one of its processes stands still."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url, text

from tests.conftest import PUBLIC_URL
from tests.live import serving
from tests.waiting import ENDLESS, until
from vo_server.app import create_worker
from vo_server.db.database import Database
from vo_server.jobs.keeper import revive
from vo_server.model.job import Phase
from vo_server.services import Services
from vo_server.settings import Settings

ASKED = (
    ("GET", "/tap/sync?LANG=ADQL&QUERY=SELECT+TOP+1+table_name+FROM+tap_schema.tables"),
    ("GET", "/tap/sync?LANG=ADQL&QUERY=SELECT+*+FROM+data.nowhere"),
    ("POST", "/tap/async?LANG=ADQL&QUERY=SELECT+TOP+1+table_name+FROM+tap_schema.tables&PHASE=RUN"),
    ("GET", "/tap/async/0123456789"),
    ("GET", "/tap/availability"),
    ("GET", "/tap/capabilities"),
    ("GET", "/datalink/links?ID=ivo://vo.test/~?a/b"),
    ("GET", "/oai?verb=ListRecords&metadataPrefix=ivo_vor"),
    ("GET", "/sia2/query?MAXREC=1"),
    ("GET", "/health"),
    ("GET", "/"),
)
SHORT = "SELECT TOP 1 table_name FROM tap_schema.tables"
LONGEST_S = 20.0
BLOCK = 1 << 16


class Line:
    """What lies between a server and its PostgreSQL: passes bytes on in both directions, until it is frozen."""

    def __init__(self, socket_of: Path, directory: Path) -> None:
        self._target = str(socket_of)
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / socket_of.name))
        self._listener.listen(100)
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """From now on nothing arrives."""
        self._flows.clear()

    def thaw(self) -> None:
        """All that was sent meanwhile arrives."""
        self._flows.set()

    def close(self) -> None:
        """Nobody connects any more."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._flows.wait()
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._target)
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while block := one.recv(BLOCK):
                self._flows.wait()
                other.sendall(block)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def line(database_url: str, tmp_path: Path) -> Iterator[Line]:
    host = make_url(database_url).query["host"]
    with closing(Line(Path(str(host)) / ".s.PGSQL.5432", tmp_path)) as line:
        yield line


def test_every_wait_for_a_frozen_database_has_an_end(
    line: Line, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vo_server.http.threads.PATIENCE_S", 2.0)
    monkeypatch.setattr("vo_server.http.reply.GRACE_S", 1.0)
    monkeypatch.setattr("vo_server.http.reply.CLOSE_S", 0.5)
    monkeypatch.setattr("vo_server.services.ANSWER_S", 1.0)
    url = make_url(database_url).update_query_dict({"host": str(tmp_path), "connect_timeout": "2"}).render_as_string()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = Settings(public_url=base, data_dir=tmp_path / "data", sync_seconds=1)
        with (
            closing(Database(url, public_url=PUBLIC_URL)) as database,
            serving(database, settings, listener),
            ThreadPoolExecutor(2 * len(ASKED)) as threads,
        ):

            def ask(asked: tuple[str, str]) -> int | str:
                try:
                    return httpx2.request(asked[0], base + asked[1], timeout=LONGEST_S).status_code
                except httpx2.TimeoutException:
                    return f"no answer to {asked[1]}"

            before = list(threads.map(ask, ASKED))
            assert set(before) <= {200, 303, 400, 404}
            line.freeze()
            try:
                frozen = list(threads.map(ask, 2 * ASKED))
            finally:
                line.thaw()
            assert set(frozen) <= {200, 400, 404, 503}
            assert 503 in frozen
            assert list(threads.map(ask, ASKED)) == before


# jobs


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRACE_S", "CLOSE_S"):
        monkeypatch.setattr(f"vo_server.jobs.attempt.{name}", 1.0)


@contextmanager
def working(database: Database, folder: Path) -> Iterator[Services]:
    """Services with a worker that has one place for a job."""
    settings = Settings(public_url=PUBLIC_URL, data_dir=folder, worker_concurrency=1, stalled_seconds=3)
    with closing(Services(settings, database)) as services:
        with database.engine.begin() as connection:
            services.results.claim(connection)
        worker = create_worker(services)
        worker.start()
        try:
            yield services
        finally:
            worker.stop()


def start(services: Services, query: str, duration_s: int | None = None) -> str:
    job = services.jobs.create("tap", [("LANG", "ADQL"), ("QUERY", query)], duration_s=duration_s)
    services.jobs.start(job.job_id)
    return job.job_id


def backends(database: Database) -> list[int]:
    """The PostgreSQL processes that compute users' queries."""
    statement = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%'"
    with database.engine.connect() as connection:
        return list(connection.execute(text(statement)).scalars())


@pytest.mark.parametrize(("way", "end"), [("duration", Phase.ERROR), ("abort", Phase.ABORTED), ("remove", None)])
def test_a_job_whose_backend_stands_still_ends_and_makes_room(
    database: Database, tmp_path: Path, impatient: None, way: str, end: Phase | None
) -> None:
    """UWS 1.1 §2.1.3, §2.1.5: no job is EXECUTING for ever; UWS-010: whoever aborts it waits for nobody."""
    with working(database, tmp_path) as services:
        still = start(services, ENDLESS, 4 if way == "duration" else None)
        until(lambda: len(backends(database)) == 1)
        (pid,) = backends(database)
        os.kill(pid, signal.SIGSTOP)
        try:
            if way != "duration":
                getattr(services.jobs, way)(still)
            others = [start(services, SHORT) for _ in range(2)]
            until(lambda: all(services.jobs.get(job_id).phase == Phase.COMPLETED for job_id in others))
            assert backends(database) == [pid], "it stands still even now"
            if end is not None:
                job = services.jobs.get(still)
                assert (job.phase, job.attempts) == (end, 1)
            if end is Phase.ERROR:
                assert job.error is not None
                assert job.error.transient
                assert "beyond its execution duration of 4 s" in job.error.message
        finally:
            os.kill(pid, signal.SIGCONT)
        until(lambda: backends(database) == [])  # what was given up is cancelled all the same
        if end is not None:
            assert services.jobs.get(still).phase == end


def test_a_job_behind_a_frozen_network_is_run_by_another_worker(
    line: Line, database_url: str, database: Database, tmp_path: Path, impatient: None
) -> None:
    url = make_url(database_url).update_query_dict({"host": str(tmp_path)}).render_as_string()
    with closing(Database(url, public_url=PUBLIC_URL)) as behind, working(behind, tmp_path / "data") as services:
        job_id = start(services, ENDLESS)
        until(lambda: len(backends(database)) == 1)
        line.freeze()
        try:
            with working(database, tmp_path / "data") as others:
                until(lambda: revive(others.jobs, others.results, 3) == 1)
                until(lambda: others.jobs.get(job_id).attempts == 2)
                short = start(others, SHORT)
                others.jobs.abort(job_id)
                until(lambda: others.jobs.get(short).phase == Phase.COMPLETED)
        finally:
            line.thaw()
        last = start(services, SHORT)
        until(lambda: services.jobs.get(last).phase == Phase.COMPLETED)  # by the worker that was frozen
        assert services.jobs.get(job_id).phase == Phase.ABORTED
