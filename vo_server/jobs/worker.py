"""A worker: takes jobs out of the queue and runs them, several at a time, until it is stopped."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context

import procrastinate.exceptions
import procrastinate.worker

from vo_server import logs
from vo_server.db.database import PATIENCE_S, UNREACHABLE, Database, patiently
from vo_server.db.listen import Watch
from vo_server.db.queue import QUEUE, TASK, worker_app
from vo_server.errors import NotFoundError, TimeLimitError, UnavailableError, VoError, report_incident
from vo_server.jobs.attempt import Attempt, SilentError
from vo_server.jobs.results import ResultStore
from vo_server.jobs.store import CHANNEL, JobStore
from vo_server.jobs.work import Perform, Work
from vo_server.model.job import Failure, Job, Phase, Result
from vo_server.model.result import Piece

log = logging.getLogger("vo_server")

POLL_S = 0.5
"""A notification of a new job can be missed: the queue is looked at so often."""

TICK_S = 5.0
"""A notification of an abortion too: so often a worker looks whether its jobs are still to be run."""

PROGRESS_S = 1.0
"""How often the number of rows written is noted."""

ATTEMPTS = 3
"""A job whose worker or database connection is lost so often is given up."""

HEARTBEATS = 4
"""Signs of life within the time after which a worker is taken for dead."""

PAUSE_S = 0.5


class Runner:
    """Runs single jobs. Jobs that are aborted or destroyed, whoever does it, have their work cancelled."""

    def __init__(self, store: JobStore, results: ResultStore, performers: Mapping[str, Perform]) -> None:
        self._store = store
        self._results = results
        self._performers = performers
        self._running: dict[tuple[str, int], Attempt] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def run(self, job_id: str, queue_id: int) -> None:
        """Run a job from its beginning to its end, unless it does not wait for this row of the queue any more; or until it is clear that
        it has none.
        """
        with logs.about(logs.JOB, job_id):
            attempt = Attempt(lambda attempt: self._run(job_id, queue_id, attempt))
            if not attempt.run():
                self._leave(attempt)

    def _run(self, job_id: str, queue_id: int, attempt: Attempt) -> None:
        job = patiently(lambda: self._store.begin(job_id, queue_id))
        if job is None:
            return
        if not attempt.begin(job):  # the database stood still, and the job has not been touched
            patiently(lambda: self._store.give_back(job, counted=False))
            return
        try:
            with self._registered(job, attempt):
                work = self._performers[job.kind](job)
                try:
                    attempt.start(work)
                    result = self._perform(job, work, attempt.sign)
                finally:
                    work.close()
            if patiently(lambda: self._store.complete(job, result, work.rows)):
                if job.attempts > 1:
                    self._results.clear(job.job_id, but=result.path)
            else:
                self._drop(job)
        except Exception as error:  # noqa: BLE001 whatever happens, the job must come to an end that its owner can read
            self._end(job, error)

    def look(self, job_id: str | None = None) -> None:
        """Cancel what is not to be run any more; `job_id`: only this job may be concerned."""
        with self._lock:
            mine = [key for key in self._running if job_id in (None, key[0])]
        if mine:
            alive = self._store.still_running(mine)
            self._cancel([key for key in mine if key[0] not in alive])

    def stop(self) -> None:
        """Cancel everything; the jobs go back into the queue."""
        with self._lock:
            self._stopping = True
            mine = list(self._running)
        self._cancel(mine)

    def _perform(self, job: Job, work: Work, sign: Callable[[], None]) -> Result:
        work.start()
        filename = work.filename or "result"
        path, size = self._results.write_result((job.job_id, job.attempts), filename, self._noting(job, work, sign))
        sign()
        return Result(path, work.content_type, size, filename, work.status)

    def _noting(self, job: Job, work: Work, sign: Callable[[], None]) -> Iterator[Piece]:
        """The chunks of the work; notes its progress, and ends in what went wrong."""
        noted = time.monotonic()
        try:
            for chunk in work.chunks():
                sign()
                if time.monotonic() - noted > PROGRESS_S:
                    noted = time.monotonic()
                    with suppress(*UNREACHABLE):
                        self._store.progress(job, work.rows)
                yield chunk
        except VoError as error:  # a format that cannot say what went wrong raises something of its own
            raise work.failure or error from None
        if work.failure is not None:
            raise work.failure

    @contextmanager
    def _registered(self, job: Job, attempt: Attempt) -> Iterator[None]:
        key = (job.job_id, job.attempts)
        with self._lock:
            self._running[key] = attempt
            stopping = self._stopping
        try:
            if stopping:
                attempt.cancel()
            self.look(job.job_id)  # it may have been aborted before anybody could cancel it
            yield
        finally:
            self._forget(job)

    def _forget(self, job: Job) -> None:
        with self._lock:
            self._running.pop((job.job_id, job.attempts), None)

    def _leave(self, attempt: Attempt) -> None:
        """The worker has its place for other jobs. If even that cannot be told to the database, the keeper finds the job."""
        log.warning("the job gives no sign of life any more, and is given up")
        if attempt.job is not None:
            self._forget(attempt.job)
            end = threading.Thread(target=copy_context().run, args=(self._end_silent, attempt.job), name="end of a silent job", daemon=True)
            end.start()
            end.join(PATIENCE_S)

    def _end_silent(self, job: Job) -> None:
        try:
            self._end(job, SilentError("Nothing is heard of the job's work."))
        except UNREACHABLE as error:
            log.warning("the end of the job cannot be told: %s", error)

    def _end(self, job: Job, error: Exception) -> None:
        """Tell why; or give the job back if neither it nor its owner is to blame."""
        if self._stopping:
            ended = patiently(lambda: self._store.give_back(job, counted=False))
        elif isinstance(error, UNREACHABLE) and job.attempts < ATTEMPTS:
            log.warning("job %s is tried again: %s", job.job_id, error)
            ended = patiently(lambda: self._store.give_back(job, counted=True))
        else:
            failure = explain(job, error)
            ended = patiently(lambda: self._store.fail(job, failure))
        if not ended:
            self._drop(job)

    def _drop(self, job: Job) -> None:
        """The job was aborted, destroyed or taken over: what it wrote is nobody's, unless somebody else writes too. Or this worker has
        ended it, and was not told so because the connection broke.
        """
        try:
            now = patiently(lambda: self._store.get(job.job_id))
        except NotFoundError:
            self._results.remove(job.job_id)
            return
        if now.phase in (Phase.ABORTED, Phase.ERROR):
            self._results.clear(job.job_id)

    def _cancel(self, keys: list[tuple[str, int]]) -> None:
        with self._lock:
            attempts = [self._running[key] for key in keys if key in self._running]
        for attempt in attempts:
            attempt.cancel()


def explain(job: Job, error: Exception) -> Failure:
    """What the owner of a job reads about `error`."""
    if isinstance(error, TimeLimitError):
        return Failure(
            f"The job took longer than its execution duration of {job.duration_s} s. "
            "Ask for less, or give it more by EXECUTIONDURATION before it is started."
        )
    if isinstance(error, SilentError):
        return Failure(
            f"Nothing was heard of the job's work beyond its execution duration of {job.duration_s} s, not even that it was cancelled: "
            "the database or the store of results stands still. Try again later.",
            transient=True,
        )
    if isinstance(error, UNREACHABLE):
        what = error.message if isinstance(error, UnavailableError) else "The database connection was lost."
        return Failure(f"{what} The job was tried {job.attempts} times.", transient=True)
    return Failure(str(error if isinstance(error, VoError) else report_incident(f"job {job.job_id}", error)))


class Worker:
    """Threads that run jobs. Connections that break are made anew; `stop` cancels what runs and gives it back."""

    def __init__(self, database: Database, runner: Runner, concurrency: int, stalled_s: int) -> None:
        self._database = database
        self._runner = runner
        self._concurrency = concurrency
        self._stalled_s = stalled_s
        self._watch = Watch("job-abort", database.app_uri, CHANNEL, runner.look, TICK_S)
        self._thread = threading.Thread(target=self._serve, name="worker", daemon=True)
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._taker: procrastinate.worker.Worker | None = None

    def start(self) -> None:
        """Begin to take jobs."""
        self._watch.start()
        self._thread.start()

    def stop(self) -> None:
        """Take no more jobs, give back those that run; returns when that is done."""
        self._stopping.set()
        if self._loop is not None:
            with suppress(RuntimeError, TimeoutError):  # it has ended by itself, or has no time
                asyncio.run_coroutine_threadsafe(self._take_no_more(), self._loop).result(PATIENCE_S)
        self._runner.stop()  # after that: what is given back must not be taken again
        if self._thread.is_alive():
            self._thread.join(timeout=PATIENCE_S)
        self._watch.stop()

    def _serve(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        # the library runs jobs in the loop's own threads, of which there are few on a small machine
        self._loop.set_default_executor(ThreadPoolExecutor(self._concurrency + 2, thread_name_prefix="job"))
        while not self._stopping.is_set():
            try:
                await self._take_jobs()
            except Exception as error:  # noqa: BLE001 a worker that ends silently would leave all jobs waiting
                log.warning("the worker begins anew: %s", error)
            await asyncio.sleep(PAUSE_S)

    async def _take_jobs(self) -> None:
        app = worker_app(self._database)

        @app.task(name=TASK, queue=QUEUE, pass_context=True)
        def run_job(context: procrastinate.JobContext, job_id: str) -> None:
            if context.job.id is not None:
                self._runner.run(job_id, context.job.id)

        async with app.open_async():
            self._taker = procrastinate.worker.Worker(
                app,
                queues=[QUEUE],
                concurrency=self._concurrency,
                fetch_job_polling_interval=POLL_S,
                abort_job_polling_interval=self._stalled_s,
                install_signal_handlers=False,
                delete_jobs="always",
                update_heartbeat_interval=self._stalled_s,  # see _show_life
                stalled_worker_timeout=self._stalled_s,
            )
            life = asyncio.create_task(self._show_life(app, self._taker))
            try:
                if not self._stopping.is_set():
                    await self._taker.run()  # type: ignore[no-untyped-call]
            finally:
                life.cancel()

    async def _show_life(self, app: procrastinate.App, taker: procrastinate.worker.Worker) -> None:
        """Signs of life. The library's own end for ever when the database is away once, and nobody would notice."""
        while True:
            await asyncio.sleep(self._stalled_s / HEARTBEATS)
            if taker.worker_id is not None:
                with suppress(procrastinate.exceptions.ConnectorException):
                    await app.job_manager.update_heartbeat(taker.worker_id)

    async def _take_no_more(self) -> None:
        if self._taker is not None:
            self._taker.stop()  # type: ignore[no-untyped-call]
