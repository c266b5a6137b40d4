"""Several server processes on one port: replaced one by one while clients go on asking, ended without breaking off an answer."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx2
import pytest

from tests.acceptance.test_program import free_port

STARS = "name,ra,dec\nα Lyr,279.2347,38.7837\nβ Ori,78.6345,-8.2016\n"
PROCESSES = 2


class Site:
    """A running ``vo serve`` with several processes."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VO_")}
        environment |= {
            "VO_PROCESSES": str(PROCESSES),
            "VO_LOG_FORMAT": "json",
            "VO_LOG_REQUESTS": "true",
            "VO_DATA_DIR": str(folder / "data"),
        }
        environment |= {"VO_PORT": self.url.rpartition(":")[2], "VO_EMBEDDED_WORKER": "false"}
        (folder / "stars.csv").write_text(STARS, encoding="utf-8")
        vo = [sys.executable, "-m", "vo_server"]
        subprocess.run(
            [*vo, "publish", str(folder / "stars.csv")], env=environment, cwd=folder, check=True, capture_output=True, timeout=120
        )
        self.log = folder / "serve.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*vo, "serve"], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        assert "ready" in self.process.stdout.readline(), self.log.read_text()

    def pids(self) -> set[int]:
        """The processes that answer: children of ours that PostgreSQL's supervisor and Python's helpers are not."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {int(pid) for pid in children if b"multiprocessing.spawn" in Path(f"/proc/{pid}/cmdline").read_bytes()}

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class Crowd:
    """Clients that ask without pause until the block ends: some on connections that they keep, some on a new one each time."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/scs/data.stars?RA=279&DEC=39&SR=2"
        self.answered = 0
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(keeps,)) for keeps in (True, True, False, False)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keeps: bool) -> None:
        headers = {} if keeps else {"Connection": "close"}
        with httpx2.Client(headers=headers, timeout=30) as client:
            while not self._stop.is_set():
                try:
                    answer = client.get(self.url)
                    assert answer.status_code == 200
                    assert "α Lyr" in answer.text
                    self.answered += 1
                except Exception as error:
                    self.failures.append(repr(error))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("processes"))
    yield site
    assert site.end() == 0


@pytest.mark.timeout(180)
def test_a_rolling_restart_loses_no_request(site: Site) -> None:
    before = site.pids()
    assert len(before) == PROCESSES
    with Crowd(site.url) as crowd:
        site.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 120
        while (now := site.pids()) & before or len(now) != PROCESSES:
            assert time.monotonic() < deadline, site.log.read_text()
            time.sleep(0.2)
    assert crowd.failures == []
    assert crowd.answered > 0


@pytest.mark.timeout(180)
def test_a_killed_process_is_replaced(site: Site) -> None:
    before = site.pids()
    os.kill(next(iter(before)), signal.SIGKILL)
    deadline = time.monotonic() + 120
    while len(site.pids() - before) != 1 or len(site.pids()) != PROCESSES:
        assert time.monotonic() < deadline, site.log.read_text()
        time.sleep(0.2)
    assert httpx2.get(f"{site.url}/health").status_code == 200


def test_numbers_of_all_processes_are_told_together(site: Site) -> None:
    for _ in range(8):
        httpx2.get(f"{site.url}/tap/availability")
    told = [httpx2.get(f"{site.url}/metrics").text for _ in range(4)]
    wanted = 'vo_requests_total{protocol="tap/availability",purpose="use",status="200"} 8.0'
    assert all(wanted in text for text in told)
