"""Tables are published while whatever takes part is killed: publisher, server, PostgreSQL's postmaster, supervisor and backends.

Whenever one looks there is one whole version, not older than the last that was said to be published, and finished jobs keep their results.
``VO_CHAOS_ROUNDS`` and ``VO_CHAOS_SEED`` make it longer, and another one.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random

import httpx2
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acceptance.test_program import free_port
from tests.chaos.mischief import kill
from tests.chaos.site import Program
from vo_server.db.database import open_database
from vo_server.settings import Settings

ROWS = 60_000
ROUNDS = int(os.environ.get("VO_CHAOS_ROUNDS", "3"))
SEED = int(os.environ.get("VO_CHAOS_SEED", "3"))
PATIENCE_S = 60.0
SECONDS = (0.0, 0.8)
"""So long after its load has begun a publisher may go on: to the flip, and beyond."""

CONTENT = "SELECT version, COUNT(*) AS n, SUM(number) AS total FROM data.stars GROUP BY version"


def write(path: Path, version: int) -> None:
    """The table of a version, whose number of rows and whose every row tell which."""
    count, dice = ROWS + version, np.random.default_rng(version)
    columns = {"number": np.arange(count), "ra": dice.uniform(0, 360, count), "dec": dice.uniform(-90, 90, count)}
    pq.write_table(pa.table({**columns, "version": np.full(count, version)}), path)


def expected(version: int) -> str:
    """What CONTENT gives."""
    count = ROWS + version
    return f"version,n,total\n{version},{count},{count * (count - 1) // 2}"


def ask(url: str, **parameters: str) -> str:
    """The answer of a server that may be about to find its database again: it says so, and nothing else goes wrong."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with suppress(httpx2.TransportError):
            reply = httpx2.get(url, params=parameters, follow_redirects=True, timeout=PATIENCE_S)
            if reply.status_code == 200:
                return reply.text.replace("\r\n", "\n").strip()
            assert reply.status_code == 503, reply.text
        assert time.monotonic() < deadline, url
        time.sleep(0.1)


def finished_job(url: str) -> tuple[str, str]:
    """The address of a job's result, and the result."""
    made = httpx2.post(
        f"{url}/tap/async", data={"LANG": "ADQL", "QUERY": CONTENT, "RESPONSEFORMAT": "csv", "PHASE": "RUN"}, timeout=PATIENCE_S
    )
    location = made.headers["location"]
    deadline = time.monotonic() + PATIENCE_S
    while (phase := ask(f"{location}/phase")) != "COMPLETED":
        assert phase in ("QUEUED", "EXECUTING"), phase
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return f"{location}/results/result", ask(f"{location}/results/result")


def until_ready(server: Program) -> None:
    """Wait until it says that it answers."""
    deadline = time.monotonic() + PATIENCE_S
    while not server.is_ready():
        assert server.process.poll() is None, server.log.read_text()
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)


def end(program: Program) -> None:
    """Whatever has happened, nothing of it goes on."""
    if program.process.poll() is None:
        program.process.kill()
        program.process.wait()


def parent(pid: int) -> int:
    """The process that started another."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.timeout(60 + 60 * ROUNDS)
def test_no_death_loses_a_published_row_or_a_finished_job(tmp_path: Path) -> None:
    dice, happened = Random(SEED), Counter[str]()
    table, port = tmp_path / "stars.parquet", free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
    environment |= {"VO_DATA_DIR": str(tmp_path / "data"), "VO_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"

    def publisher() -> Program:
        return Program("publish", ("publish", str(table)), tmp_path, environment)

    with open_database(Settings(data_dir=tmp_path / "data"), print) as database, ExitStack() as ending:

        def numbers(statement: bytes) -> list[int]:
            with psycopg.connect(database.publish_uri) as connection:
                return [row[0] for row in connection.execute(statement)]

        def loads() -> set[int]:
            return set(numbers(b"SELECT load_id FROM vo.loads WHERE state = 'loading'"))

        def backends() -> list[int]:
            return numbers(b"SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")

        def postmaster() -> int:
            with psycopg.connect(database.publish_uri) as connection:
                return parent(connection.info.backend_pid)

        write(table, 1)
        first = publisher()
        assert first.process.wait(PATIENCE_S) == 0, first.log.read_text()
        server = Program("serve", ("serve",), tmp_path, environment)
        ending.callback(end, server)
        until_ready(server)
        published, jobs = 1, [finished_job(url)]
        for version in range(2, 2 + ROUNDS):
            write(table, version)
            abandoned, running = loads(), publisher()
            ending.callback(end, running)
            while running.process.poll() is None and not loads() - abandoned:
                time.sleep(0.02)
            time.sleep(dice.uniform(*SECONDS))
            victims: dict[str, Callable[[], int]] = {
                "postmaster": postmaster,
                "publisher": lambda at=running: at.process.pid,
                "server": lambda: server.process.pid,
                "supervisor": lambda: parent(postmaster()),
                "backend": lambda: dice.choice(backends()),
            }
            name = list(victims)[version - 2] if len(victims) >= ROUNDS else dice.choice(list(victims))
            with suppress(psycopg.OperationalError, IndexError):
                happened[name] += kill(victims[name]())
            code = running.process.wait(PATIENCE_S)
            if name == "server":
                server.process.wait(PATIENCE_S)
                server.restart_if_dead()
                until_ready(server)
            assert server.process.poll() is None, (name, server.log.read_text())
            found = ask(f"{url}/tap/sync", LANG="ADQL", QUERY=CONTENT, RESPONSEFORMAT="csv")
            assert found in (expected(version), *([] if code == 0 else [expected(published)])), (name, code, running.log.read_text())
            happened["published" if found == expected(version) else "not published"] += 1
            published = version if found == expected(version) else published
            for result, content in jobs:
                assert ask(result) == content, (name, result)
            jobs.append(finished_job(url))
            if code != 0 and jobs[-1][1] == expected(version):
                published = version  # it was committed before the publisher could say so, and the server heard of it a moment later
            assert jobs[-1][1] == expected(published)
        last = publisher()
        assert last.process.wait(PATIENCE_S) == 0, last.log.read_text()
        assert ask(f"{url}/tap/sync", LANG="ADQL", QUERY=CONTENT, RESPONSEFORMAT="csv") == expected(version)
        with psycopg.connect(database.publish_uri) as connection:
            left = connection.execute("SELECT physical FROM vo.loads WHERE state = 'loading' AND rows_done = 0").fetchall()
        assert left == []  # the last publisher has swept up what the killed ones began
        assert server.end() == []
    print(dict(happened))
    assert sum(happened[name] for name in victims) > 0
