"""Whose turn it is. Of each client's jobs a few are in the queue or run, the others wait for those to end: however many one client starts,
nobody else waits for more than these few.

Everything here happens inside the transaction that changes a job's phase. A client's turns are counted under a lock of his own.
"""

from sqlalchemy import ColumnElement, Connection, case, func, select, update
from sqlalchemy.orm import aliased

from vo_server.db import schema
from vo_server.db.queue import Queue
from vo_server.errors import ForbiddenError, TooManyError
from vo_server.model.job import ACTIVE, Phase

LOCK_SPACE = 0x766F6A74
"""First key of the advisory locks; the second is the client's hash."""

RETRY_S = 60

jobs = schema.jobs.c


def let_in(connection: Connection, queue: Queue, client: str, most: int) -> None:
    """Put the client's oldest waiting jobs into the queue, as long as no more than `most` are there or run. A client without a name is
    nobody in particular, and not counted.
    """
    _lock(connection, client)
    own = select(func.count()).where(jobs.client == client, jobs.queue_id.is_not(None))
    room = most - connection.execute(own).scalar_one() if client else None
    waiting = (
        select(jobs.job_id)
        .where(jobs.client == client, jobs.phase == Phase.QUEUED, jobs.queue_id.is_(None))
        .order_by(jobs.created, jobs.job_id)
        .limit(None if room is None else max(room, 0))
        .with_for_update(skip_locked=True)
    )
    for job_id in connection.execute(waiting).scalars().all():
        number = queue.put(connection, job_id)
        connection.execute(update(schema.jobs).where(jobs.job_id == job_id).values(queue_id=number))


def let_in_after(connection: Connection, queue: Queue, job_id: str, most: int) -> None:
    """A job has been started or has ended: whoever of its client's is next takes his turn."""
    client = connection.execute(select(jobs.client).where(jobs.job_id == job_id)).scalar_one()
    let_in(connection, queue, client, most)


def waiting_clients(connection: Connection) -> list[str]:
    """Those of whose jobs some are not in the queue yet."""
    statement = select(jobs.client).distinct().where(jobs.phase == Phase.QUEUED, jobs.queue_id.is_(None))
    return list(connection.execute(statement).scalars())


def refuse_more(connection: Connection, client: str, most: int) -> None:
    """TooManyError if the client has `most` jobs that have not ended."""
    if not client:
        return
    _lock(connection, client)
    own = select(func.count()).where(jobs.client == client, jobs.phase.in_(ACTIVE))
    if connection.execute(own).scalar_one() >= most:
        raise TooManyError(
            f"You have {most} jobs that have not ended, as many as one user may.",
            hint="Wait for some of them to end, or abort or delete those that you do not need.",
            retry_after=RETRY_S,
        )


def refuse_bytes(connection: Connection, client: str, more: int, most: int) -> None:
    """ForbiddenError if with `more` bytes the tables and parameters of all jobs of the client, whatever their phase, exceed `most`."""
    if not client:
        return
    _lock(connection, client)
    each = jobs.uploaded_bytes + func.pg_column_size(jobs.parameters)
    held = int(connection.execute(select(func.coalesce(func.sum(each), 0)).where(jobs.client == client)).scalar_one())
    if held + more > most:
        raise ForbiddenError(
            f"Your jobs keep {held} bytes of tables and parameters; {more} more are beyond the {most} that one user may keep.",
            hint="Delete jobs that you do not need: what came with a job is kept until it is destroyed.",
        )


def ahead() -> ColumnElement[int]:
    """How many jobs will probably be begun before this one. Behind the queue clients take turns, each with his oldest job: the order of
    the index ``jobs_waiting``, which has all that is looked at.
    """
    other = aliased(schema.jobs).c
    queued = select(func.count()).where(other.phase == Phase.QUEUED, other.queue_id.is_not(None))
    turn = func.row_number().over(partition_by=other.client, order_by=(other.created, other.job_id))
    turns = select(other.job_id, other.created, turn.label("turn")).where(other.phase == Phase.QUEUED, other.queue_id.is_(None)).subquery()
    place = func.row_number().over(order_by=(turns.c.turn, turns.c.created, turns.c.job_id))
    # computed at the first job that needs it, and once for all
    places = select(turns.c.job_id, (place - 1).label("before")).cte("places").prefix_with("MATERIALIZED")
    before = select(places.c.before).where(places.c.job_id == jobs.job_id)
    return case(
        (jobs.phase != Phase.QUEUED, None),
        (jobs.queue_id.is_not(None), queued.where(other.queue_id < jobs.queue_id).scalar_subquery()),
        else_=queued.scalar_subquery() + before.scalar_subquery(),
    )


def _lock(connection: Connection, client: str) -> None:
    if client:
        connection.execute(select(func.pg_advisory_xact_lock(LOCK_SPACE, func.hashtext(client))))
