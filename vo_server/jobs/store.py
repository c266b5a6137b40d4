"""The rows of jobs. Every change of phase is one transaction with the change of the queue, and is announced when it commits."""

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, delete, func, or_, select, tuple_, update

from vo_server.db import schema
from vo_server.db.queue import Queue
from vo_server.errors import ForbiddenError, NotFoundError, UsageError
from vo_server.jobs import turns
from vo_server.model.job import Failure, Job, Phase, Result, before

CHANNEL = "vo_jobs"
"""Channel on which the id of a job is announced whose phase changed or which was destroyed."""

ID_BYTES = 16
ID = re.compile(rf"[0-9a-f]{{{2 * ID_BYTES}}}")

Parameters = Sequence[tuple[str, str]]

jobs = schema.jobs.c

AHEAD = turns.ahead().label("ahead")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a job gets unless it asks, and the most it gets: database time in seconds, life. ``unfinished`` jobs are the most of one client,
    ``at_once`` of them the most in the queue or under way; ``uploaded_bytes`` the most that all of one client's jobs came with.
    """

    duration_s: int
    hard_duration_s: int
    retention: timedelta
    hard_retention: timedelta
    unfinished: int
    at_once: int
    uploaded_bytes: int

    def duration(self, asked: int) -> int:
        """What a job gets that asks for so many seconds; 0 asks for no limit, which is the hard one (UWS 1.1 §2.1.5)."""
        return min(asked, self.hard_duration_s) or self.hard_duration_s

    def destruction(self, asked: datetime, now: datetime) -> datetime:
        """When a job is destroyed that asks for this time (UWS 1.1 §2.1.6)."""
        return min(asked, now + self.hard_retention)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs to list (UWS 1.1 §2.2.2.1). ``ids`` limits it to these; ``phases`` empty: all."""

    ids: tuple[str, ...]
    phases: frozenset[Phase] = frozenset()
    after: datetime | None = None
    last: int | None = None


class JobStore:
    """Jobs as clients know them: made, started, changed, aborted, destroyed."""

    def __init__(self, engine: Engine, terms: Terms, clock: Callable[[], datetime]) -> None:
        self.engine = engine
        self.terms = terms
        self.clock = clock
        self.queue = Queue()

    def create(
        self,
        kind: str,
        parameters: Parameters,
        run_id: str | None = None,
        *,
        owner: str | None = None,
        client: str = "",
        uploaded_bytes: int = 0,
        duration_s: int | None = None,
        destruction: datetime | None = None,
    ) -> Job:
        """A new PENDING job with an id that nobody can guess, and with the duration and destruction asked for, as far as terms allow.
        TooManyError if `client`, unless nameless, has as many as one may, ForbiddenError if with `uploaded_bytes` of tables he would keep
        too much.
        """
        now = self.clock()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as it is shown: AFTER is compared with it
        if destruction is not None and destruction <= now:
            raise UsageError("DESTRUCTION is over already: the job would be gone before anybody sees it.", parameter="DESTRUCTION")
        values = {
            "job_id": secrets.token_hex(ID_BYTES),
            "kind": kind,
            "phase": Phase.PENDING,
            "owner": owner,
            "client": client,
            "uploaded_bytes": uploaded_bytes,
            "run_id": run_id,
            "created": now,
            "duration_s": self.terms.duration_s if duration_s is None else self.terms.duration(duration_s),
            "destruction": now + self.terms.retention if destruction is None else self.terms.destruction(destruction, now),
            "parameters": _stored(parameters),
        }
        with self.engine.begin() as connection:
            turns.refuse_more(connection, client, self.terms.unfinished)
            turns.refuse_bytes(connection, client, uploaded_bytes + _size(parameters), self.terms.uploaded_bytes)
            return _job(connection.execute(schema.jobs.insert().values(values).returning(schema.jobs)).one())

    def get(self, job_id: str) -> Job:
        """The job now; NotFoundError if there is none or its time is over."""
        if not ID.fullmatch(job_id):  # PostgreSQL takes no text with U+0000
            raise NotFoundError("There is no such job: its id has 32 hexadecimal digits.")
        with self.engine.connect() as connection:
            row = connection.execute(self._readable(schema.jobs, AHEAD).where(jobs.job_id == job_id)).one_or_none()
        if row is None:
            raise _missing(job_id)
        return _job(row)

    def phase(self, job_id: str) -> Phase:
        """Where the job is now, for those who ask again and again: who is before it takes a look at all that wait. Raises as `get`."""
        with self.engine.connect() as connection:
            phase = connection.execute(self._readable(jobs.phase).where(jobs.job_id == job_id)).scalar()
        if phase is None:
            raise _missing(job_id)
        return Phase(phase)

    def find(self, selection: Selection, *, ahead: bool = False) -> list[Job]:
        """The selected jobs, newest first; ``ahead`` of them is known only if it is asked for."""
        statement = self._readable(schema.jobs, *([AHEAD] if ahead else ())).where(jobs.job_id.in_(selection.ids))
        if selection.phases:
            statement = statement.where(jobs.phase.in_(selection.phases))
        if selection.after is not None:
            statement = statement.where(jobs.created > selection.after)
        statement = statement.order_by(jobs.created.desc(), jobs.job_id).limit(selection.last)
        with self.engine.connect() as connection:
            return [_job(row) for row in connection.execute(statement)]

    def count_phases(self) -> dict[Phase, int]:
        """How many jobs are in each phase that any is in."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(jobs.phase, func.count()).group_by(jobs.phase)).all()
        return {Phase(phase): count for phase, count in rows}

    def start(self, job_id: str) -> None:
        """PENDING → QUEUED, and into the queue unless enough of its client's jobs are there."""
        with self.engine.begin() as connection:
            if not enter(connection, job_id, Phase.QUEUED, jobs.phase == Phase.PENDING):
                raise self._refusal(connection, job_id, "started")
            turns.let_in_after(connection, self.queue, job_id, self.terms.at_once)

    def abort(self, job_id: str) -> None:
        """End it; whoever runs it hears of it and cancels its work."""
        with self.engine.begin() as connection:
            row = connection.execute(select(jobs.queue_id).where(jobs.job_id == job_id).with_for_update()).one_or_none()
            if not self.finish(connection, job_id, Phase.ABORTED):
                raise self._refusal(connection, job_id, "aborted")
            self.queue.drop(connection, row.queue_id if row else None)

    @contextmanager
    def changing(self, job_id: str) -> Iterator[dict[str, Any]]:
        """What a client may change of a PENDING job, to be changed in place: ``parameters`` (pairs), ``run_id``, ``duration_s``,
        ``destruction``. Nobody else changes or starts the job meanwhile. ForbiddenError if it was started before.
        """
        changeable = select(jobs.parameters, jobs.run_id, jobs.duration_s, jobs.destruction)
        with self.engine.begin() as connection:
            pending = changeable.where(jobs.job_id == job_id, jobs.phase == Phase.PENDING)
            row = connection.execute(pending.with_for_update()).one_or_none()
            if row is None:
                raise self._refusal(connection, job_id, "changed")
            values = dict(row._mapping)
            yield values
            _update(connection, job_id, {**values, "parameters": _stored(values["parameters"])})

    @contextmanager
    def keeping(self, job_id: str, uploaded_bytes: int, parameters: Parameters) -> Iterator[None]:
        """Within this, tables of so many bytes are added to a PENDING job, and parameters. ForbiddenError if it was started before, or
        its client would keep too much.
        """
        self._count(job_id, uploaded_bytes, _size(parameters))
        try:
            yield
        except BaseException:
            with suppress(ForbiddenError, NotFoundError):
                self._count(job_id, -uploaded_bytes, 0)
            raise

    def _count(self, job_id: str, uploaded_bytes: int, more_bytes: int) -> None:
        with self.engine.begin() as connection:
            row = connection.execute(select(jobs.client).where(jobs.job_id == job_id).with_for_update())  # before its client's lock
            client = row.scalar() or ""
            if uploaded_bytes + more_bytes > 0:
                turns.refuse_bytes(connection, client, uploaded_bytes + more_bytes, self.terms.uploaded_bytes)
            if not _update(connection, job_id, {"uploaded_bytes": jobs.uploaded_bytes + uploaded_bytes}, jobs.phase == Phase.PENDING):
                raise self._refusal(connection, job_id, "changed")

    def limit(self, job_id: str, seconds: int) -> None:
        """Set the execution duration, as far as the terms allow (UWS 1.1 §2.2.3.1)."""
        with self.changing(job_id) as values:
            values["duration_s"] = self.terms.duration(seconds)

    def keep_until(self, job_id: str, destruction: datetime) -> None:
        """Set the time of destruction, in any phase; who runs the job is told, since it may have come."""
        with self.engine.begin() as connection:
            if not _update(connection, job_id, {"destruction": self.terms.destruction(destruction, self.clock())}):
                raise _missing(job_id)
            announce(connection, job_id)

    def remove(self, job_id: str) -> bool:
        """Destroy the row and its place in the queue; whether it was there. Its files are the result store's matter."""
        with self.engine.begin() as connection:
            removal = delete(schema.jobs).where(jobs.job_id == job_id).returning(jobs.queue_id, jobs.client)
            row = connection.execute(removal).one_or_none()
            if row is None:
                return False
            self.queue.drop(connection, row.queue_id)
            turns.let_in(connection, self.queue, row.client, self.terms.at_once)
            announce(connection, job_id)
            return True

    def begin(self, job_id: str, queue_id: int) -> Job | None:
        """QUEUED → EXECUTING for the worker that holds this row of the queue; None if the job does not wait for it any more."""
        with self.engine.begin() as connection:
            statement = (
                update(schema.jobs)
                .where(jobs.job_id == job_id, jobs.phase.in_(before(Phase.EXECUTING)), jobs.queue_id == queue_id)
                .values(phase=Phase.EXECUTING, started=self.clock(), attempts=jobs.attempts + 1, rows_written=None)
                .returning(schema.jobs)
            )
            row = connection.execute(statement).one_or_none()
            if row is not None:
                announce(connection, job_id)
        return _job(row) if row is not None else None

    def progress(self, job: Job, rows: int | None) -> None:
        """Note how many rows are written so far."""
        with self.engine.begin() as connection:
            _update(connection, job.job_id, {"rows_written": rows}, *_mine(job))

    def complete(self, job: Job, result: Result, rows: int | None) -> bool:
        """EXECUTING → COMPLETED; False if the job is not this worker's any more. It may be said twice."""
        with self.engine.begin() as connection:
            if self.finish(connection, job.job_id, Phase.COMPLETED, *_mine(job), result=asdict(result), rows_written=rows):
                return True
            path = connection.execute(select(jobs.result["path"].astext).where(jobs.job_id == job.job_id)).scalar()
            return bool(path == result.path)

    def fail(self, job: Job, failure: Failure) -> bool:
        """EXECUTING → ERROR; False if the job is not this worker's any more."""
        with self.engine.begin() as connection:
            return self.finish(connection, job.job_id, Phase.ERROR, *_mine(job), error=asdict(failure))

    def give_back(self, job: Job, *, counted: bool) -> bool:
        """EXECUTING → QUEUED: another attempt, of which only those that are `counted` are limited."""
        attempts = job.attempts if counted else job.attempts - 1
        with self.engine.begin() as connection:
            values = {"queue_id": self.queue.put(connection, job.job_id), "attempts": attempts, "started": None, "rows_written": None}
            back = enter(connection, job.job_id, Phase.QUEUED, *_mine(job), **values)
            if not back:
                connection.rollback()
            return back

    def finish(self, connection: Connection, job_id: str, phase: Phase, *conditions: ColumnElement[bool], **values: Any) -> bool:
        """Enter a phase that is an end, as `enter` does, and let another job of the same client into the queue."""
        ended = enter(connection, job_id, phase, *conditions, ended=self.clock(), queue_id=None, **values)
        if ended:
            turns.let_in_after(connection, self.queue, job_id, self.terms.at_once)
        return ended

    def still_running(self, attempts: Iterable[tuple[str, int]]) -> set[str]:
        """Those of the (job id, attempt) that are still to be run."""
        mine = [and_(jobs.job_id == job_id, jobs.attempts == attempt) for job_id, attempt in attempts]
        with self.engine.connect() as connection:
            statement = select(jobs.job_id).where(or_(*mine), jobs.phase == Phase.EXECUTING, jobs.destruction > self.clock())
            return set(connection.execute(statement).scalars())

    def writing(self, attempts: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
        """Those of the (job id, attempt) that may be writing a file: running, or, in attempt 0, waiting to be started."""
        may = or_(jobs.phase == Phase.EXECUTING, and_(jobs.phase == Phase.PENDING, jobs.attempts == 0))
        with self.engine.connect() as connection:
            statement = select(jobs.job_id, jobs.attempts).where(tuple_(jobs.job_id, jobs.attempts).in_(list(attempts)), may)
            return {(row.job_id, row.attempts) for row in connection.execute(statement)}

    def _readable(self, *columns: Any) -> Any:
        """Jobs whose time is not over."""
        return select(*columns).where(jobs.destruction > self.clock())

    def _refusal(self, connection: Connection, job_id: str, verb: str) -> Exception:
        phase = connection.execute(select(jobs.phase).where(jobs.job_id == job_id)).scalar()
        if phase is None:
            return _missing(job_id)
        return ForbiddenError(f"The job is {phase} and cannot be {verb} any more.")


def enter(connection: Connection, job_id: str, phase: Phase, *conditions: ColumnElement[bool], **values: Any) -> bool:
    """Change the phase along one of the EDGES, announce it; whether that was possible."""
    entered = _update(connection, job_id, {"phase": phase, **values}, jobs.phase.in_(before(phase)), *conditions)
    if entered:
        announce(connection, job_id)
    return entered


def announce(connection: Connection, job_id: str) -> None:
    """Tell everybody who listens, when the transaction commits."""
    connection.execute(select(func.pg_notify(CHANNEL, job_id)))


def _update(connection: Connection, job_id: str, values: dict[str, Any], *conditions: ColumnElement[bool]) -> bool:
    return connection.execute(update(schema.jobs).where(jobs.job_id == job_id, *conditions).values(values)).rowcount == 1


def _mine(job: Job) -> tuple[ColumnElement[bool], ...]:
    """Holds as long as no other worker has begun the job: one that was taken for dead, and is not, changes nothing."""
    return (jobs.phase == Phase.EXECUTING, jobs.attempts == job.attempts)


def _job(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    del values["queue_id"], values["client"], values["uploaded_bytes"]
    phase = Phase(values["phase"])
    return Job(
        **values
        | {
            "phase": phase,
            "parameters": tuple((name, value) for name, value in row.parameters),
            "result": Result(**row.result) if row.result else None,
            "error": Failure(**row.error) if row.error else None,
            "ahead": values.get("ahead"),
        }
    )


def _stored(parameters: Parameters) -> list[list[str]]:
    """Parameters as a job's row has them."""
    return [list(pair) for pair in parameters]


def _size(parameters: Parameters) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in parameters)


def _missing(job_id: str) -> NotFoundError:
    return NotFoundError(f"There is no job {job_id}.", hint="Jobs and their results are destroyed at the time that the job document names.")
