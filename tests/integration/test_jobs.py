"""Jobs and workers on a real queue: one transaction, one worker a job, and no death of a process that leaves a job hanging."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tests.waiting import ENDLESS, SOON_S, until
from vo_server.app import create_worker, performers
from vo_server.db.database import QUEUE_SCHEMA, Database
from vo_server.errors import ForbiddenError, NotFoundError, SetupError, TimeLimitError, TooManyError, UnavailableError, UsageError, VoError
from vo_server.http.params import Params
from vo_server.jobs.attempt import Attempt
from vo_server.jobs.keeper import Keeper, let_in, revive, sweep_results
from vo_server.jobs.results import MARK, ResultStore
from vo_server.jobs.store import CHANNEL, JobStore
from vo_server.jobs.worker import ATTEMPTS, Runner, Worker
from vo_server.model.job import Failure, Job, Phase, Result
from vo_server.protocols import tap
from vo_server.services import Services, job_terms
from vo_server.settings import Settings


class Task:
    """Work that does what a test says: `pieces` of a result, then `failure`, or nothing at all until it is cancelled."""

    content_type = "text/plain"
    filename = "result.txt"
    status = None

    def __init__(self, *pieces: bytes, failure: VoError | None = None, endless: bool = False) -> None:
        self.pieces, self.failure, self.endless = pieces, failure, endless
        self.rows = len(pieces)
        self.cancelled = threading.Event()
        self.started = threading.Event()
        self.closed = False

    def start(self) -> None:
        self.started.set()
        if self.endless:
            assert self.cancelled.wait(SOON_S)
            raise UsageError("cancelled")

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database.engine, job_terms(Settings()), lambda: datetime.now(UTC))


@pytest.fixture
def results(tmp_path: Path, database: Database) -> ResultStore:
    results = ResultStore(str(tmp_path / "results"))
    with database.engine.begin() as connection:
        results.claim(connection)
    return results


def queued(store: JobStore) -> list[tuple[int, str]]:
    """What waits in the queue."""
    statement = f"SELECT id, args->>'job_id' FROM {QUEUE_SCHEMA}.procrastinate_jobs WHERE status = 'todo' ORDER BY id"
    with store.engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(text(statement))]


def waiting_job(store: JobStore) -> str:
    job_id = store.create("fake", [("A", "1")]).job_id
    store.start(job_id)
    return job_id


def run_next(runner: Runner, store: JobStore) -> None:
    number, job_id = queued(store)[0]
    runner.run(job_id, number)


@contextmanager
def working(database: Database, runner: Runner, concurrency: int = 2) -> Iterator[Worker]:
    worker = Worker(database, runner, concurrency, stalled_s=20)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


@pytest.mark.every_postgres
def test_a_job_and_its_place_in_the_queue_are_one_transaction(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = store.create("fake", []).job_id
    assert queued(store) == []
    with monkeypatch.context() as patch:
        patch.setattr("vo_server.jobs.store.announce", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.start(job_id)
    assert (store.get(job_id).phase, queued(store)) == (Phase.PENDING, [])
    store.start(job_id)
    assert (store.get(job_id).phase, [name for _, name in queued(store)]) == (Phase.QUEUED, [job_id])
    with monkeypatch.context() as patch:
        patch.setattr(store.queue, "drop", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.abort(job_id)
    assert store.get(job_id).phase == Phase.QUEUED
    store.abort(job_id)
    assert queued(store) == []


def test_workers_are_told_of_another_destruction(store: JobStore, database: Database) -> None:
    """It may have come: the query of the job ends then, and not at the worker's next look."""
    job_id = store.create("fake", []).job_id
    with psycopg.connect(database.app_uri, autocommit=True) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        store.keep_until(job_id, datetime.now(UTC))
        assert [told.payload for told in connection.notifies(timeout=10, stop_after=1)] == [job_id]


def test_positions_in_the_queue(store: JobStore) -> None:
    ids = [waiting_job(store) for _ in range(3)]
    assert [store.get(job_id).ahead for job_id in ids] == [0, 1, 2]
    store.abort(ids[0])
    assert [store.get(job_id).ahead for job_id in ids] == [None, 0, 1]


def ticking() -> Callable[[], datetime]:
    """A clock that is never asked twice within the millisecond to which jobs tell their time."""
    ticks = count()
    return lambda: datetime.now(UTC) + timedelta(milliseconds=next(ticks))


def many_of(store: JobStore, client: str, number: int) -> list[str]:
    ids = [store.create("fake", [], client=client).job_id for _ in range(number)]
    for job_id in ids:
        store.start(job_id)
    return ids


def in_order(store: JobStore, results: ResultStore) -> list[str]:
    """Run all that waits, one after the other; the ids as they came."""
    ran: list[str] = []

    def perform(job: Job) -> Task:
        ran.append(job.job_id)
        return Task(b"x")

    runner = Runner(store, results, {"fake": perform})
    while waiting := queued(store):
        number, job_id = waiting[0]
        runner.run(job_id, number)
        with store.engine.begin() as connection:
            connection.execute(text(f"DELETE FROM {QUEUE_SCHEMA}.procrastinate_jobs WHERE id = :number"), {"number": number})
    return ran


@pytest.mark.every_postgres
def test_many_jobs_of_one_client_keep_nobody_waiting(database: Database, results: ResultStore) -> None:
    store = JobStore(database.engine, replace(job_terms(Settings()), at_once=3), ticking())
    greedy, modest = many_of(store, "greedy", 20), many_of(store, "modest", 2)
    assert [job_id for _, job_id in queued(store)] == [*greedy[:3], *modest]
    expected = [*greedy[:3], *modest, *greedy[3:]]
    assert [store.get(job_id).ahead for job_id in expected] == list(range(len(expected)))
    assert in_order(store, results) == expected
    assert {store.get(job_id).phase for job_id in expected} == {Phase.COMPLETED}


def test_every_end_of_a_job_is_somebody_elses_turn(database: Database, results: ResultStore) -> None:
    store = JobStore(database.engine, replace(job_terms(Settings()), at_once=1), ticking())
    ids = many_of(store, "one", 6)

    def running() -> Job:
        number, job_id = queued(store)[-1]
        job = store.begin(job_id, number)
        assert job is not None
        hold(store, number)
        return job

    assert queued(store)[-1][1] == ids[0]
    store.abort(ids[0])
    assert queued(store)[-1][1] == ids[1]
    store.remove(ids[1])
    assert queued(store)[-1][1] == ids[2]
    assert store.fail(running(), Failure("wrong"))
    assert queued(store)[-1][1] == ids[3]
    for _ in range(ATTEMPTS):
        running()
        assert revive(store, results, 20) == 1
    assert store.get(ids[3]).phase == Phase.ERROR
    assert queued(store)[-1][1] == ids[4]
    store.remove(ids[5])
    assert [job_id for _, job_id in queued(store)] == [ids[4]], "who only waited leaves no place"
    assert revive(store, results, 20) == 0


def test_a_limit_that_was_raised_lets_more_in(database: Database, store: JobStore) -> None:
    narrow = JobStore(database.engine, replace(store.terms, at_once=1), store.clock)
    ids = many_of(narrow, "one", 3)
    let_in(store)
    assert [job_id for _, job_id in queued(store)] == ids


def test_clients_who_start_at_once_get_no_more_turns(database: Database) -> None:
    store = JobStore(database.engine, replace(job_terms(Settings()), at_once=3), ticking())
    ids = [store.create("fake", [], client="one").job_id for _ in range(24)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(store.start, ids))
    assert len(queued(store)) == 3


def test_nobody_has_more_unfinished_jobs_than_he_may(database: Database) -> None:
    store = JobStore(database.engine, replace(job_terms(Settings()), unfinished=2), lambda: datetime.now(UTC))
    ids = [store.create("fake", [], client="one").job_id for _ in range(2)]
    with pytest.raises(TooManyError, match="2 jobs that have not ended"):
        store.create("fake", [], client="one")
    store.create("fake", [], client="other")
    store.abort(ids[0])
    store.create("fake", [], client="one")


def test_clients_who_upload_at_once_keep_no_more_than_they_may(database: Database) -> None:
    store = JobStore(database.engine, replace(job_terms(Settings()), uploaded_bytes=3500), lambda: datetime.now(UTC))

    def made(_: int) -> bool:
        try:
            store.create("fake", [], client="one", uploaded_bytes=1000)
        except ForbiddenError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(made, range(16))) == 3


def test_the_result_appears_whole(store: JobStore, results: ResultStore) -> None:
    job_id = waiting_job(store)
    run_next(Runner(store, results, {"fake": lambda _: Task(b"one ", b"two")}), store)
    job = store.get(job_id)
    assert (job.phase, job.rows_written, job.attempts) == (Phase.COMPLETED, 2, 1)
    assert job.result is not None
    assert (b"".join(results.read(job.result.path)), job.result.size) == (b"one two", 7)


def test_a_failure_in_mid_stream_leaves_nothing(store: JobStore, results: ResultStore, tmp_path: Path) -> None:
    job_id = waiting_job(store)
    task = Task(b"half a ", failure=UsageError("division by zero"))
    run_next(Runner(store, results, {"fake": lambda _: task}), store)
    job = store.get(job_id)
    assert (job.phase, job.error, job.result) == (Phase.ERROR, Failure("division by zero"), None)
    assert task.closed
    assert [path.name for path in (tmp_path / "results").rglob("*") if path.is_file()] == [MARK]


def test_a_failure_counts_for_what_it_is_however_a_format_tells_it(store: JobStore, results: ResultStore) -> None:
    class Broken(Task):
        def chunks(self) -> Iterator[bytes]:
            yield b"half a "
            raise UsageError("The CSV output broke off.")

    job_id = waiting_job(store)
    run_next(Runner(store, results, {"fake": lambda _: Broken(failure=UnavailableError("gone"))}), store)
    assert store.get(job_id).phase == Phase.QUEUED


def test_what_nobody_foresaw_is_told_without_details(store: JobStore, results: ResultStore) -> None:
    def perform(_: Job) -> Task:
        raise RuntimeError("secret")

    job_id = waiting_job(store)
    run_next(Runner(store, results, {"fake": perform}), store)
    error = store.get(job_id).error
    assert error is not None
    assert "incident" in error.message
    assert "secret" not in error.message


def test_a_lost_connection_is_tried_again_but_not_for_ever(store: JobStore, results: ResultStore) -> None:
    job_id = waiting_job(store)
    runner = Runner(store, results, {"fake": lambda _: Task(failure=UnavailableError("gone"))})
    for _ in range(ATTEMPTS):
        assert store.get(job_id).phase == Phase.QUEUED
        run_next(runner, store)
        with store.engine.begin() as connection:
            connection.execute(text(f"DELETE FROM {QUEUE_SCHEMA}.procrastinate_jobs WHERE id < (SELECT queue_id FROM vo.jobs)"))
    job = store.get(job_id)
    assert job.phase == Phase.ERROR
    assert job.error is not None
    assert job.error.transient


def test_a_job_without_its_worker_waits_for_another_one_at_most_so_often(store: JobStore, results: ResultStore) -> None:
    job_id = waiting_job(store)
    for attempt in range(1, ATTEMPTS + 1):
        number = queued(store)[0][0]
        assert store.begin(job_id, number) is not None
        hold(store, number)
        assert revive(store, results, 20) == 1
        job = store.get(job_id)
        assert (job.phase, job.attempts) == (Phase.QUEUED if attempt < ATTEMPTS else Phase.ERROR, attempt)
    assert job.error is not None
    assert "lost" in job.error.message
    assert revive(store, results, 20) == 0
    assert queued(store) == []


@pytest.mark.parametrize("end", ["given up", "aborted", "removed", "completed"])
def test_nothing_is_left_of_what_a_dead_worker_wrote(store: JobStore, results: ResultStore, tmp_path: Path, end: str) -> None:
    job_id = waiting_job(store)
    number = queued(store)[0][0]
    job = store.begin(job_id, number)
    assert job is not None
    hold(store, number)
    whole, half = f"{job_id}/1-result.txt", f"{job_id}/1-result.txt.part"
    for path in (whole, half):
        results.write(path, [b"x"])
    if end == "given up":
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE vo.jobs SET attempts = :most"), {"most": ATTEMPTS})
    elif end == "aborted":
        store.abort(job_id)
    elif end == "removed":
        store.remove(job_id)
    else:
        assert store.complete(job, Result(whole, "text/plain", 1, "result.txt"), 1)
    revive(store, results, 20)
    left = {str(path.relative_to(tmp_path / "results")) for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert left == {MARK, *([whole] if end == "completed" else [])}


def test_an_end_that_was_committed_and_not_heard_of_is_no_second_one(store: JobStore, results: ResultStore) -> None:
    class Deaf(JobStore):
        """The connection breaks behind every commit, once."""

        broken = 0

        def complete(self, job: Job, result: Any, rows: int | None) -> bool:
            done = super().complete(job, result, rows)
            Deaf.broken += 1
            if Deaf.broken == 1:
                raise OperationalError("COMMIT", {}, Exception("the connection is gone"))
            return done

    job_id = waiting_job(store)
    deaf = Deaf(store.engine, store.terms, store.clock)
    run_next(Runner(deaf, results, {"fake": lambda _: Task(b"whole")}), deaf)
    job = store.get(job_id)
    assert job.phase == Phase.COMPLETED
    assert job.result is not None
    assert b"".join(results.read(job.result.path)) == b"whole"


def hold(store: JobStore, number: int) -> None:
    """Make a row of the queue look as if a worker had it that is dead."""
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {QUEUE_SCHEMA}.procrastinate_jobs SET status = 'doing' WHERE id = :number"), {"number": number})


def test_a_worker_that_was_taken_for_dead_changes_nothing_any_more(store: JobStore, results: ResultStore) -> None:
    job_id = waiting_job(store)
    number = queued(store)[0][0]
    first = store.begin(job_id, number)
    assert first is not None
    assert store.begin(job_id, number) is None, "a row of the queue begins a job once"
    hold(store, number)
    revive(store, results, 20)
    second = store.begin(job_id, queued(store)[0][0])
    assert second is not None
    assert not store.fail(first, Failure("late"))
    assert not store.give_back(first, counted=True)
    assert store.still_running([(job_id, 1), (job_id, 2)]) == {job_id}
    assert store.get(job_id).phase == Phase.EXECUTING
    assert store.fail(second, Failure("in time"))


def test_what_a_living_worker_has_is_left_alone(store: JobStore, results: ResultStore) -> None:
    waiting_job(store)
    assert revive(store, results, 20) == 0
    with store.engine.begin() as connection:
        worker = connection.execute(text(f"INSERT INTO {QUEUE_SCHEMA}.procrastinate_workers DEFAULT VALUES RETURNING id")).scalar_one()
        connection.execute(text(f"UPDATE {QUEUE_SCHEMA}.procrastinate_jobs SET status = 'doing', worker_id = {worker}"))
    assert revive(store, results, 20) == 0
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {QUEUE_SCHEMA}.procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"))
    assert revive(store, results, 20) == 1


def test_a_worker_that_does_not_know_what_it_took_keeps_no_job(store: JobStore, results: ResultStore) -> None:
    job_id = waiting_job(store)
    with store.engine.begin() as connection:
        worker = connection.execute(text(f"INSERT INTO {QUEUE_SCHEMA}.procrastinate_workers DEFAULT VALUES RETURNING id")).scalar_one()
        connection.execute(text(f"UPDATE {QUEUE_SCHEMA}.procrastinate_jobs SET status = 'doing', worker_id = {worker}"))
    assert revive(store, results, 20) == 0
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {QUEUE_SCHEMA}.procrastinate_events SET at = at - interval '1 minute'"))
    assert revive(store, results, 20) == 1
    assert [name for _, name in queued(store)] == [job_id]


@pytest.mark.every_postgres
def test_two_workers_run_every_job_once(database: Database, store: JobStore, results: ResultStore) -> None:
    ran: list[tuple[str, str]] = []

    def runner(name: str) -> Runner:
        def perform(job: Job) -> Task:
            ran.append((job.job_id, name))
            return Task(b"x")

        return Runner(store, results, {"fake": perform})

    with working(database, runner("first")), working(database, runner("second")):
        ids = [waiting_job(store) for _ in range(20)]
        until(lambda: all(store.get(job_id).phase == Phase.COMPLETED for job_id in ids))
    assert sorted(job_id for job_id, _ in ran) == sorted(ids)
    assert queued(store) == []


@pytest.mark.parametrize("way", ["abort", "remove"])
def test_whoever_ends_a_job_ends_its_work(database: Database, store: JobStore, results: ResultStore, way: str) -> None:
    task = Task(endless=True)
    job_id = waiting_job(store)
    with working(database, Runner(store, results, {"fake": lambda _: task})):
        assert task.started.wait(SOON_S)
        getattr(store, way)(job_id)
        assert task.cancelled.wait(SOON_S)
        until(lambda: task.closed)
    if way == "abort":
        assert store.get(job_id).phase == Phase.ABORTED
    else:
        with pytest.raises(NotFoundError):
            store.get(job_id)


def test_a_worker_that_stops_gives_its_jobs_back(database: Database, store: JobStore, results: ResultStore) -> None:
    task = Task(endless=True)
    job_id = waiting_job(store)
    with working(database, Runner(store, results, {"fake": lambda _: task})):
        assert task.started.wait(SOON_S)
    job = store.get(job_id)
    assert (job.phase, job.attempts) == (Phase.QUEUED, 0)
    with working(database, Runner(store, results, {"fake": lambda _: Task(b"done")})):
        until(lambda: store.get(job_id).phase == Phase.COMPLETED)


def test_the_row_of_a_job_leaves_the_queue_when_the_connection_breaks_at_its_end(
    database: Database, store: JobStore, results: ResultStore
) -> None:
    """The connections of the worker's library are ended again and again while jobs end."""
    whose = "datname = current_database() AND application_name = 'vo-server worker'"
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {whose}"
    with working(database, Runner(store, results, {"fake": lambda _: Task(b"x")})):
        ids = [waiting_job(store) for _ in range(12)]
        for _ in range(8):
            with database.engine.begin() as connection:
                connection.execute(text(end))
            time.sleep(0.1)
        until(lambda: all(store.get(job_id).phase == Phase.COMPLETED for job_id in ids))
        statement = f"SELECT count(*) FROM {QUEUE_SCHEMA}.procrastinate_jobs"

        def is_empty() -> bool:
            with store.engine.connect() as connection:
                return connection.execute(text(statement)).scalar_one() == 0

        until(is_empty)


def test_a_job_that_could_not_be_begun_in_time_is_left_to_another_worker(
    store: JobStore, results: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database stood still while the job was taken: that is no fault of its query's."""
    job_id = waiting_job(store)
    runner = Runner(store, results, {"fake": lambda _: Task(b"x")})
    begin, cancel, late = store.begin, Attempt.cancel, threading.Event()

    def begin_late(*arguments: Any) -> Job | None:
        job = begin(*arguments)
        assert late.wait(SOON_S)
        return job

    def cancel_aloud(attempt: Attempt) -> None:
        cancel(attempt)
        late.set()

    with monkeypatch.context() as patch:
        patch.setattr("vo_server.jobs.attempt.GRACE_S", 0.0)
        patch.setattr(store, "begin", begin_late)
        patch.setattr(Attempt, "cancel", cancel_aloud)
        run_next(runner, store)
    job = store.get(job_id)
    assert (job.phase, job.attempts) == (Phase.QUEUED, 0)
    runner.run(job_id, queued(store)[-1][0])  # the first row is the library's to take away
    assert store.get(job_id).phase == Phase.COMPLETED


def test_a_silent_job_whose_end_cannot_be_told_keeps_no_worker(
    store: JobStore, results: ResultStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The keeper finds it later."""
    for name in ("attempt.GRACE_S", "attempt.CLOSE_S"):
        monkeypatch.setattr(f"vo_server.jobs.{name}", 0.0)
    monkeypatch.setattr("vo_server.db.database.PATIENCE_S", 0.0)
    thawed = threading.Event()

    class Deaf(Task):
        def start(self) -> None:
            assert thawed.wait(SOON_S)

        def give_up(self) -> None:
            """There is nothing to give up."""

    def fail_not(*_: Any) -> bool:
        raise UnavailableError("The database does not answer.")

    job_id = store.create("fake", [], duration_s=1).job_id
    store.start(job_id)
    with monkeypatch.context() as patch:
        patch.setattr(store, "fail", fail_not)
        run_next(Runner(store, results, {"fake": lambda _: Deaf()}), store)
    assert "the end of the job cannot be told: The database does not answer." in caplog.text
    thawed.set()
    until(lambda: store.get(job_id).phase == Phase.COMPLETED)  # it was not silent for ever


def test_housekeeping_goes_on_whatever_happens(
    store: JobStore, results: ResultStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No connection to be had, a mistake of ours, a round that hangs: the next one comes."""
    monkeypatch.setattr("vo_server.jobs.keeper.ROUND_S", 0.1)
    thawed, rounds = threading.Event(), count()

    def revive_badly(*arguments: Any) -> int:
        number = next(rounds)
        if number == 0:
            raise PoolTimeoutError("QueuePool limit")
        if number == 1:
            raise ZeroDivisionError
        if number == 2:
            thawed.wait(SOON_S)
        return revive(*arguments)

    monkeypatch.setattr("vo_server.jobs.keeper.revive", revive_badly)
    job_id = store.create("fake", []).job_id
    store.keep_until(job_id, datetime.now(UTC))
    keeper = Keeper(store, results, stalled_s=0)
    keeper.start()
    try:
        until(lambda: store.count_phases() == {})
        assert "a round of housekeeping of jobs hangs: 1 of at most 3 do" in caplog.text
    finally:
        thawed.set()
        keeper.stop()


def test_files_without_a_job_are_swept(store: JobStore, results: ResultStore) -> None:
    job = store.create("fake", [])
    for name in (job.job_id, "0" * 32):
        results.write(f"{name}/file", [b"x"])
    assert sweep_results(store, results) == 1
    assert results.job_ids() == {job.job_id}


def test_what_a_dead_worker_has_half_written_is_swept(store: JobStore, results: ResultStore, tmp_path: Path) -> None:
    job_id = waiting_job(store)
    job = store.begin(job_id, queued(store)[0][0])
    assert job is not None
    for attempt in (0, 1):
        (tmp_path / "results" / job_id).mkdir(exist_ok=True)
        (tmp_path / "results" / job_id / f"{attempt}-result.vot.part").write_bytes(b"half")
    assert sweep_results(store, results) == 1
    assert sweep_results(store, results) == 0, "what is being written is left alone"
    assert store.give_back(job, counted=True)
    assert sweep_results(store, results) == 1


def test_a_worker_needs_the_servers_result_store(database: Database, tmp_path: Path) -> None:
    mine, other = ResultStore(str(tmp_path / "mine")), ResultStore(str(tmp_path / "other"))
    with database.engine.begin() as connection:
        with pytest.raises(SetupError, match="No server"):
            mine.check(connection)
        mine.claim(connection)
        mine.check(connection)
        ResultStore(str(tmp_path / "mine")).claim(connection)
        mine.check(connection)
        with pytest.raises(SetupError, match="not the result store"):
            other.check(connection)
        (tmp_path / "file").write_text("")
        with pytest.raises(SetupError, match="cannot be"):
            ResultStore(str(tmp_path / "file" / "below")).claim(connection)


def test_a_store_without_directories_does_as_well(database: Database, store: JobStore) -> None:
    results = ResultStore("memory://bucket/results")
    with database.engine.begin() as connection:
        results.claim(connection)
        results.check(connection)
    job_id = waiting_job(store)
    run_next(Runner(store, results, {"fake": lambda _: Task(b"one ", b"two")}), store)
    result = store.get(job_id).result
    assert result is not None
    assert b"".join(results.read(result.path)) == b"one two"
    assert results.job_ids() == {job_id}
    results.remove(job_id)
    assert results.job_ids() == set()
    with pytest.raises(NotFoundError):
        results.read(result.path)


def test_an_unknown_kind_of_store_is_named() -> None:
    with pytest.raises(SetupError, match="nowhere://x"):
        ResultStore("nowhere://x")


# a real worker, a real query


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Iterator[Services]:
    services = Services(Settings(data_dir=tmp_path, public_url="http://vo.test", stalled_seconds=3), database)
    with database.engine.begin() as connection:
        services.results.claim(connection)
    yield services
    services.close()


def endless_job(services: Services) -> str:
    job_id = services.jobs.create("tap", [("LANG", "ADQL"), ("QUERY", ENDLESS)]).job_id
    services.jobs.start(job_id)
    return job_id


def backends(database: Database) -> list[int]:
    """The PostgreSQL processes that compute users' queries."""
    statement = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%'"
    with database.engine.connect() as connection:
        return list(connection.execute(text(statement)).scalars())


@contextmanager
def worker_program(url: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("VO_")}
    settings = {"VO_DATABASE_URL": url, "VO_DATA_DIR": str(folder), "VO_STALLED_SECONDS": "3", "VO_PUBLIC_URL": "http://vo.test"}
    command = [sys.executable, "-m", "vo_server", "worker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**environment, **settings}, cwd=folder) as process:
        try:
            assert process.stdout is not None
            assert "ready" in process.stdout.readline()
            yield process
        finally:
            process.kill()


@contextmanager
def real_worker(services: Services) -> Iterator[Any]:
    worker = create_worker(services)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def test_a_killed_worker_loses_no_job_and_leaves_no_query(
    services: Services, database: Database, database_url: str, tmp_path: Path
) -> None:
    with worker_program(database_url, tmp_path) as program:
        job_id = endless_job(services)
        until(lambda: len(backends(database)) == 1)
        program.send_signal(signal.SIGKILL)
        program.wait()
    assert services.jobs.get(job_id).phase == Phase.EXECUTING
    until(lambda: revive(services.jobs, services.results, 3) == 1)
    with real_worker(services):
        until(lambda: services.jobs.get(job_id).attempts == 2)
        until(lambda: len(backends(database)) == 1)  # that of the dead worker has noticed
        services.jobs.abort(job_id)
        until(lambda: backends(database) == [])
    assert services.jobs.get(job_id).phase == Phase.ABORTED


def test_a_worker_ends_on_sigterm_and_gives_back(services: Services, database: Database, database_url: str, tmp_path: Path) -> None:
    with worker_program(database_url, tmp_path) as program:
        job_id = endless_job(services)
        until(lambda: len(backends(database)) == 1)
        program.send_signal(signal.SIGTERM)
        assert program.wait(SOON_S) == 0
    assert services.jobs.get(job_id).phase == Phase.QUEUED
    assert backends(database) == []


def test_a_killed_backend_costs_an_attempt(services: Services, database: Database) -> None:
    with database.engine.begin() as connection:  # the tests' PostgreSQL forgets in a crash what it has just committed
        connection.execute(text(f"ALTER DATABASE {database.engine.url.database} SET synchronous_commit = on"))
    database.engine.dispose()
    with real_worker(services):
        job_id = endless_job(services)
        until(lambda: len(backends(database)) == 1)
        os.kill(backends(database)[0], signal.SIGKILL)  # PostgreSQL restarts, and ends all connections

        def tried_again() -> bool:
            try:
                return services.jobs.get(job_id).attempts == 2 and len(backends(database)) == 1
            except OperationalError:
                return False

        until(tried_again)
        services.jobs.abort(job_id)
        until(lambda: backends(database) == [])


def test_a_query_is_cancelled_before_its_first_row(services: Services, database: Database) -> None:
    answer = tap.perform(
        services, tap.Request.from_params(Params([("LANG", "ADQL"), ("QUERY", ENDLESS)]), services.settings), lambda _: None
    )
    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(answer.start)
        until(lambda: len(backends(database)) == 1)
        answer.cancel()
        with pytest.raises(TimeLimitError, match="cancelled"):
            starting.result(SOON_S)
    answer.close()
    assert backends(database) == []


def test_destruction_while_it_runs(services: Services, database: Database) -> None:
    runner = Runner(services.jobs, services.results, performers(services))
    job_id = endless_job(services)
    number = queued(services.jobs)[0][0]
    thread = threading.Thread(target=runner.run, args=(job_id, number))
    thread.start()
    until(lambda: len(backends(database)) == 1)
    services.jobs.keep_until(job_id, datetime.now(UTC) - timedelta(seconds=1))
    runner.look()
    thread.join(SOON_S)
    assert not thread.is_alive()
    assert services.results.job_ids() == set()
