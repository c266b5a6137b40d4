"""The queue of jobs in PostgreSQL: procrastinate's tables, in a schema of their own.

The rows of ``vo.jobs`` are the truth and those of the queue follow from them (``jobs.keeper`` mends what does not fit), so the queue's
tables may be made anew whenever the library brings other ones: they belong to the definitions, not to the migrations.
"""

import asyncio
import hashlib
import time
from typing import Any, LiteralString

import procrastinate
import procrastinate.exceptions
import psycopg
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from vo_server.db import schema
from vo_server.db.database import PATIENCE_S, PAUSE_S, QUEUE_SCHEMA, Database

QUEUE = "jobs"
TASK = "run_job"
DIGEST_KEY = "queue"

SEARCH_PATH = f"SET LOCAL search_path TO {QUEUE_SCHEMA}, pg_catalog"
RESET = "SET LOCAL search_path TO DEFAULT"

CLEAR = f"""
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT oid::regclass AS name FROM pg_catalog.pg_class WHERE relnamespace = '{QUEUE_SCHEMA}'::regnamespace AND relkind = 'r'
    LOOP EXECUTE format('DROP TABLE %s CASCADE', found.name); END LOOP;
    FOR found IN SELECT oid::regprocedure AS name FROM pg_catalog.pg_proc WHERE pronamespace = '{QUEUE_SCHEMA}'::regnamespace
    LOOP EXECUTE format('DROP FUNCTION %s CASCADE', found.name); END LOOP;
    FOR found IN SELECT oid::regtype AS name FROM pg_catalog.pg_type
        WHERE typnamespace = '{QUEUE_SCHEMA}'::regnamespace AND typtype IN ('e', 'c')
    LOOP EXECUTE format('DROP TYPE %s CASCADE', found.name); END LOOP;
END $$
"""  # noqa: S608 — our own constant

PIN = f"""
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT oid::regprocedure AS name FROM pg_catalog.pg_proc WHERE pronamespace = '{QUEUE_SCHEMA}'::regnamespace
    LOOP EXECUTE format('ALTER FUNCTION %s SET search_path = {QUEUE_SCHEMA}, pg_catalog', found.name); END LOOP;
END $$
"""  # noqa: S608 — our own constant
"""The functions, triggers among them, find their tables whatever the caller's search_path."""


def is_made(connection: Connection) -> bool:
    """Whether the tables are there, as the installed library wants them."""
    return connection.execute(select(schema.site.c.value).where(schema.site.c.key == DIGEST_KEY)).scalar() == _digest()


def make(connection: Connection) -> None:
    """Make the tables anew unless they are as the installed library wants them."""
    if is_made(connection):
        return
    cursor = connection.connection.cursor()  # without parameters psycopg takes a text as it is, percent signs included
    for script in (SEARCH_PATH, CLEAR, SchemaManager.get_schema(), PIN, RESET):
        cursor.execute(script)
    row = insert(schema.site).values(key=DIGEST_KEY, value=_digest())
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))


class Queue:
    """Puts jobs in and takes them out, inside the caller's transaction."""

    def __init__(self) -> None:
        self._app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())  # never opened: it uses the caller's connection

    def put(self, connection: Connection, job_id: str) -> int:
        """A worker shall run the job as soon as the transaction has committed; gives the number of its row in the queue."""
        connection.execute(text(SEARCH_PATH))
        task = self._app.configure_task(TASK, queue=QUEUE, connection=connection.connection.driver_connection)
        number = task.defer(job_id=job_id)
        connection.execute(text(RESET))
        return number

    @staticmethod
    def drop(connection: Connection, number: int | None, *, running: bool = False) -> None:
        """Take a row out; one that a worker holds only if `running`."""
        states = ("todo", "doing") if running else ("todo",)
        statement = text(f"DELETE FROM {QUEUE_SCHEMA}.procrastinate_jobs WHERE id = :number AND status::text = ANY(:states)")  # noqa: S608
        connection.execute(statement, {"number": number, "states": list(states)})


class PatientConnector(procrastinate.PsycopgConnector):
    """Says again what could not be said while the database was away, for PATIENCE_S seconds. The library does not, and the row of a job
    that ended just then would stay for as long as its worker lives.
    """

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """Run a statement that gives nothing."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                await super().execute_query_async(query, **arguments)
            except procrastinate.exceptions.ConnectorException as error:
                if not isinstance(error.__cause__, psycopg.OperationalError) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(PAUSE_S)
            else:
                return


def worker_app(database: Database) -> procrastinate.App:
    """The library's application for a worker; its own connections, opened by ``open_async``."""
    connector = PatientConnector(
        conninfo=database.queue_uri, min_size=1, max_size=4, kwargs={"application_name": "vo-server worker"}, configure=_set_up
    )
    return procrastinate.App(connector=connector)


async def _set_up(connection: psycopg.AsyncConnection[Any]) -> None:
    """The session's settings as statements too: a pooler may drop what comes with the address."""
    await connection.execute(f"SET search_path = {QUEUE_SCHEMA}, pg_catalog; SET timezone = 'UTC'")
    await connection.commit()


def _digest() -> str:
    return hashlib.sha256(SchemaManager.get_schema().encode() + PIN.encode()).hexdigest()
