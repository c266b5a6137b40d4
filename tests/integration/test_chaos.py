"""Jobs and streams while connections to the database end at random: every job ends, what is finished is whole, nothing is left."""

import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from test_streams import SOON_S, Site, read, serving, until

from vo_server.app import create_worker
from vo_server.db.database import Database
from vo_server.jobs.store import JobStore
from vo_server.model.job import Phase

JOBS, CLIENTS, DEATHS = 12, 4, 6
ROWS = 20_000
QUERY = f"SELECT TOP {ROWS} a.column_name, b.description FROM tap_schema.columns AS a, tap_schema.columns AS b, tap_schema.columns AS c"
VICTIMS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
ORDER BY pid
"""
ENDS = {Phase.COMPLETED, Phase.ERROR}


def end_connections(database: Database, stop: threading.Event) -> int:
    """End one connection after another, whoever's it is; how many that were."""
    dice, ended = random.Random(7), 0
    for _ in range(DEATHS):
        if stop.wait(dice.uniform(0.1, 0.4)):
            break
        with suppress(OperationalError), database.engine.begin() as connection:
            pids = list(connection.execute(text(VICTIMS)).scalars())
            if pids:
                connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": dice.choice(pids)})
                ended += 1
    return ended


def patient_get(store: JobStore, job_id: str) -> Phase | None:
    try:
        return store.get(job_id).phase
    except OperationalError:
        return None


def ask(site: Site) -> tuple[int, bytes] | None:
    """The answer to a client, None if its connection was broken."""
    client: socket.socket = site.ask(QUERY, "csv", tiny=False)
    try:
        status, _, body = read(client)
    except (OSError, HTTPException):
        return None
    return status, body


def test_jobs_and_streams_survive_the_death_of_connections(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    with serving(database, folder, result_store=str(tmp_path / "results"), stalled_seconds=2, user_queries=CLIENTS) as site:
        services = site.services
        with database.engine.begin() as connection:
            services.results.claim(connection)
        services.start()
        expected = site.get(QUERY, "csv")[2]
        assert expected.count(b"\n") == ROWS + 1
        worker = create_worker(services)
        worker.start()
        stop = threading.Event()
        try:
            ids = []
            for _ in range(JOBS):
                ids.append(services.jobs.create("tap", [("LANG", "ADQL"), ("QUERY", QUERY), ("RESPONSEFORMAT", "csv")]).job_id)
                services.jobs.start(ids[-1])
            with ThreadPoolExecutor(CLIENTS + 1) as threads:
                killing = threads.submit(end_connections, database, stop)
                answers = list(threads.map(ask, [site] * (2 * CLIENTS)))
                assert killing.result(SOON_S) > 0
            until(lambda: all(patient_get(services.jobs, job_id) in ENDS for job_id in ids))
        finally:
            stop.set()
            worker.stop()
        assert all(status != 200 or body == expected for status, body in filter(None, answers)), "what ends properly is whole"
        for job_id in ids:
            job = services.jobs.get(job_id)
            if job.phase is Phase.COMPLETED:
                assert job.result is not None
                assert b"".join(services.results.read(job.result.path)) == expected
            else:
                assert job.error is not None
                assert job.error.transient
        until(lambda: services.job_pool._pool.checkedout() == 0)
    with closing(database.engine.connect()) as connection:
        assert connection.execute(text("SELECT count(*) FROM vo_queue.procrastinate_jobs")).scalar_one() == 0
