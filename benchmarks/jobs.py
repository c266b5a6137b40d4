"""What is asked of jobs, with few and with many of them in the table: the list and its filters, a job's document, a new job, a deletion
with the list that follows it, and the server's housekeeping.

    VO_EMBEDDED_WORKER=false vo serve
    python benchmarks/jobs.py http://127.0.0.1:8000

Run it where the server runs, with the same settings: the many jobs are put into its database, and taken out again. A fifth of them waits,
of two hundred users; without a worker nothing takes them away. The aim: with 10,000 jobs nothing takes three times as long as with fifty.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import httpx2
from kit import report
from sqlalchemy import Connection, text

from vo_server.db.database import open_database
from vo_server.jobs.keeper import STALLED
from vo_server.settings import load

RUN_ID = "benchmark"
OWN = 50
"""As many as a browser's cookie holds."""

FILL = """
INSERT INTO vo.jobs (job_id, kind, phase, run_id, client, created, ended, duration_s, destruction, parameters, result)
SELECT md5(n::text), 'tap', phase, :run_id, 'user ' || n % 200, now() - n * interval '1 minute', now(), 60, now() + interval '1 day',
    jsonb_build_array(jsonb_build_array('LANG', 'ADQL'), jsonb_build_array('QUERY', 'SELECT ' || repeat('a, ', 100) || 'b FROM c')),
    '{"path": "x", "content_type": "text/csv", "size": 1, "filename": "x.csv"}'
FROM generate_series(1, :jobs) AS n,
    LATERAL (SELECT CASE WHEN n % 5 = 0 THEN 'QUEUED' WHEN n % 5 = 1 THEN 'ERROR' ELSE 'COMPLETED' END) AS p (phase)
"""
EMPTY = "DELETE FROM vo.jobs WHERE run_id = :run_id"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    with (
        open_database(load(), print) as database,
        closing(database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")) as connection,
        httpx2.Client(base_url=f"{options.url}/tap/async", timeout=60) as client,
    ):
        try:
            own = [create(client, PHASE="RUN" if number % 2 else None) for number in range(OWN)]
            few = measured(client, connection, own, options.rounds)
            connection.execute(text(FILL), {"run_id": RUN_ID, "jobs": options.jobs})
            connection.execute(text("ANALYZE vo.jobs"))
            time.sleep(1)
            print(f"with {options.jobs} jobs more:")
            many = measured(client, connection, own, options.rounds)
        finally:
            connection.execute(text(EMPTY), {"run_id": RUN_ID})
    print("\n".join(f"{name:24s} {many[name] / few[name]:6.2f} times as long" for name in few))


def create(client: httpx2.Client, **parameters: str | None) -> str:
    """The address of a new job."""
    form = {"LANG": "ADQL", "QUERY": "SELECT TOP 1 * FROM tap_schema.tables", "RUNID": RUN_ID}
    reply = client.post("", data=form | {name: value for name, value in parameters.items() if value})
    if reply.status_code != 303:
        raise SystemExit(reply.text)
    return reply.headers["location"]


def measured(client: httpx2.Client, connection: Connection, own: list[str], rounds: int) -> dict[str, float]:
    """Median seconds of each thing, told as they come."""
    waiting, after = own[-1], datetime.now(UTC).isoformat()[:10]

    def create_and_delete() -> None:
        reply = client.delete(create(client))
        client.get(reply.headers["location"]).raise_for_status()

    asked: dict[str, Callable[[], object]] = {
        "list": lambda: client.get("").raise_for_status(),
        "list PHASE=QUEUED": lambda: client.get("", params={"PHASE": "QUEUED"}).raise_for_status(),
        "list AFTER, LAST=5": lambda: client.get("", params={"AFTER": after, "LAST": 5}).raise_for_status(),
        "document": lambda: client.get(own[0]).raise_for_status(),
        "document, waiting": lambda: client.get(waiting).raise_for_status(),
        "create, delete, list": create_and_delete,
        "look for lost jobs": lambda: connection.execute(text(STALLED), {"stalled": 20}).all(),
    }
    medians = {}
    for name, ask in asked.items():
        seconds = []
        for _ in range(rounds):
            begin = time.perf_counter()
            ask()
            seconds.append(time.perf_counter() - begin)
        report(name, seconds)
        medians[name] = sorted(seconds)[len(seconds) // 2]
    return medians


if __name__ == "__main__":
    main()
