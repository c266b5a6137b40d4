"""Housekeeping of jobs: what dead workers left behind is run again or ends, what is due is destroyed.

Not a periodic task of the queue: it must also happen while every worker is busy with long jobs, or dead. Servers and workers all do it;
a row that one of them holds is skipped by the others.
"""

import logging
import threading
import time
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, select, text

from vo_server.db import schema
from vo_server.db.database import QUEUE_SCHEMA, UNREACHABLE
from vo_server.errors import report_incident
from vo_server.jobs import turns
from vo_server.jobs.results import ResultStore
from vo_server.jobs.store import JobStore, enter, jobs
from vo_server.jobs.worker import ATTEMPTS
from vo_server.model.job import ACTIVE, Failure, Phase

log = logging.getLogger("vo_server")

SWEEP_S = 3600.0
"""How often files are looked for that belong to no job, or that nobody will finish: only a crash leaves any."""

ROUND_S = 60.0
"""A round of housekeeping that takes longer is left alone, and another one begins."""

HANGING = 3
"""No more rounds than these are under way: each may hold a connection."""

STALLED = f"""
SELECT j.job_id, j.phase, j.queue_id, j.attempts FROM vo.jobs AS j
WHERE (j.phase = 'EXECUTING' OR j.phase = 'QUEUED' AND j.queue_id IS NOT NULL) AND NOT EXISTS (
    SELECT FROM {QUEUE_SCHEMA}.procrastinate_jobs AS q LEFT JOIN {QUEUE_SCHEMA}.procrastinate_workers AS w ON w.id = q.worker_id
    WHERE q.id = j.queue_id AND (
        q.status = 'todo' AND j.phase = 'QUEUED'
        OR q.status = 'doing' AND w.last_heartbeat >= now() - make_interval(secs => :stalled) AND (
            j.phase = 'EXECUTING' OR EXISTS (SELECT FROM {QUEUE_SCHEMA}.procrastinate_events AS e
                WHERE e.job_id = q.id AND e.type = 'started' AND e.at >= now() - make_interval(secs => :stalled))
        )
    )
)
FOR UPDATE OF j SKIP LOCKED
"""  # noqa: S608 — our own constant
"""Jobs that should be run or waiting, and of which the queue knows nothing, or only a worker that has given no sign of life, or one that
took the job and does not begin it: the connection broke before it heard that it has it."""

LEFT_OVER = f"""
DELETE FROM {QUEUE_SCHEMA}.procrastinate_jobs AS q
WHERE q.status = 'doing' AND NOT EXISTS (SELECT FROM vo.jobs AS j WHERE j.queue_id = q.id)
AND NOT EXISTS (SELECT FROM {QUEUE_SCHEMA}.procrastinate_workers AS w
    WHERE w.id = q.worker_id AND w.last_heartbeat >= now() - make_interval(secs => :stalled))
RETURNING q.args->>'job_id'
"""  # noqa: S608 — our own constant
"""Rows of the queue whose job has ended and whose worker died before it could say so."""


def revive(store: JobStore, results: ResultStore, stalled_s: int) -> int:
    """Queue again, or give up after ATTEMPTS, all jobs that nobody runs any more; returns how many there were. What dead workers wrote of
    jobs that have ended is deleted.
    """
    with store.engine.begin() as connection:
        rows = connection.execute(text(STALLED), {"stalled": stalled_s}).all()
        given_up = [row.job_id for row in rows if not _revive(store, connection, row)]
        left = connection.execute(text(LEFT_OVER), {"stalled": stalled_s}).scalars().all()
    for job_id in {*given_up, *left}:
        _clear(store, results, job_id)
    return len(rows)


def _revive(store: JobStore, connection: Connection, row: Row[Any]) -> bool:
    """Whether the job waits again."""
    store.queue.drop(connection, row.queue_id, running=True)
    if row.attempts >= ATTEMPTS:
        failure = Failure(f"The worker that ran this job was lost, {row.attempts} times.", transient=True)
        store.finish(connection, row.job_id, Phase.ERROR, error=asdict(failure))
        return False
    log.warning("job %s has lost its worker and waits for another one", row.job_id)
    number = store.queue.put(connection, row.job_id)
    values = {"queue_id": number, "started": None, "rows_written": None}
    if row.phase == Phase.QUEUED:
        connection.execute(schema.jobs.update().where(jobs.job_id == row.job_id).values(values))
    else:
        enter(connection, row.job_id, Phase.QUEUED, **values)
    return True


def _clear(store: JobStore, results: ResultStore, job_id: str) -> None:
    """Delete what is neither the job's result nor came with it; nobody works on it any more."""
    with store.engine.connect() as connection:
        row = connection.execute(select(jobs.phase, jobs.result["path"].astext).where(jobs.job_id == job_id)).one_or_none()
    if row is None:
        results.remove(job_id)
    elif Phase(row[0]) not in ACTIVE:
        results.clear(job_id, but=row[1])


def let_in(store: JobStore) -> None:
    """Give every client the turns that are his: each end of a job does so, unless the limits have changed since."""
    with store.engine.connect() as connection:
        clients = turns.waiting_clients(connection)
    for client in clients:
        with store.engine.begin() as connection:
            turns.let_in(connection, store.queue, client, store.terms.at_once)


def destroy_due(store: JobStore, results: ResultStore) -> int:
    """Destroy all jobs whose time is over; returns how many."""
    with store.engine.connect() as connection:
        due = connection.execute(select(jobs.job_id).where(jobs.destruction <= store.clock())).scalars().all()
    removed = [job_id for job_id in due if store.remove(job_id)]
    for job_id in removed:
        results.remove(job_id)
    return len(removed)


def sweep_results(store: JobStore, results: ResultStore) -> int:
    """Delete the files of jobs that are no more, and what dead workers have half written; returns how many jobs and files."""
    found = results.job_ids()  # looked at first: a job has its row before its first file
    with store.engine.connect() as connection:
        known = set(connection.execute(select(jobs.job_id).where(jobs.job_id.in_(found))).scalars())
    for job_id in found - known:
        results.remove(job_id)
    return len(found - known) + results.drop_unfinished(store.writing)


class Keeper:
    """A thread that does all this again and again, each round in a thread of its own: one that hangs in a database process that stands
    still keeps no other from being done.
    """

    def __init__(self, store: JobStore, results: ResultStore, stalled_s: int) -> None:
        self._store = store
        self._results = results
        self._stalled_s = stalled_s
        self._swept = float("-inf")
        self._rounds: list[threading.Thread] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="job-keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the round that is under way unless it takes long."""
        self._stop.set()
        for thread in (self._thread, *self._rounds):
            if thread.is_alive():
                thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._rounds = [one for one in self._rounds if one.is_alive()]
            if len(self._rounds) < HANGING:
                self._begin_round()
            self._stop.wait(self._stalled_s / 2)

    def _begin_round(self) -> None:
        begun = threading.Thread(target=self._do_all, name="job-keeper round", daemon=True)
        self._rounds.append(begun)
        begun.start()
        end = time.monotonic() + ROUND_S
        while begun.is_alive() and time.monotonic() < end and not self._stop.is_set():
            begun.join(0.2)
        if begun.is_alive() and not self._stop.is_set():
            log.warning("a round of housekeeping of jobs hangs: %d of at most %d do", sum(one.is_alive() for one in self._rounds), HANGING)

    def _do_all(self) -> None:
        try:
            revive(self._store, self._results, self._stalled_s)
            let_in(self._store)
            destroy_due(self._store, self._results)
            if time.monotonic() - self._swept > SWEEP_S:
                self._swept = time.monotonic()
                sweep_results(self._store, self._results)
        except UNREACHABLE as error:
            log.warning("housekeeping of jobs waits: %s", str(getattr(error, "orig", error)).partition("\n")[0])
        except Exception as error:  # noqa: BLE001 the next round may do better
            report_incident("housekeeping of jobs", error)
