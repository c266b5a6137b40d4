"""Nothing comes from the database any more, and nothing tells so: the network, or its machine, stands still."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url

from tests.conftest import PUBLIC_URL
from tests.live import serving
from vo_server.db.database import Database
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
