"""Rows into a new physical table: committed, but in no catalogue, so that nobody sees it before the flip."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import numpy
import pyarrow
from sqlalchemy import Connection, CursorResult, func, select, update
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from vo_server.db import schema
from vo_server.db.addresses import masked
from vo_server.db.database import Database
from vo_server.errors import DataError, UnavailableError
from vo_server.model.columns import CELL, Column
from vo_server.publish.options import Progress
from vo_server.publish.plan import Plan
from vo_server.publish.survey import Survey
from vo_server.sql.literals import quote_identifier

DATA_SCHEMA = "vo_data"
LOCK_SPACE = 0x766F6C64
"""First key of the advisory lock that a loader holds on its load (``vold``)."""

SORT_BYTES = 1 << 27
"""Up to this size rows are sorted in memory, beyond it by PostgreSQL."""

PIECE_BYTES = 1 << 27
"""So much is loaded in one transaction; what was committed is not loaded again after an interruption."""

SORT_MEMORY = "256MB"
"""What PostgreSQL may take for that, and for building an index."""

SAMPLE = 100_000
"""Rows that are looked at to find the borders of partitions."""

SLICE_ROWS = 65_536
LOST = ("08", "57P")
CANCELLED = "57014"
NOT_INDEXED = ("23505", "54000", "0A000")
"""SQLSTATEs of values that occur twice, of values that no index takes, and of partitions, where nothing is unique without its
position."""


@dataclass(frozen=True, slots=True)
class Load:
    """A physical table being filled. ``name`` is bare, within DATA_SCHEMA; ``done``: rows that wait in its staging table already, from
    an attempt that was interrupted.
    """

    load_id: int
    name: str
    done: int = 0

    @property
    def physical(self) -> str:
        """Quoted and qualified."""
        return f"{DATA_SCHEMA}.{quote_identifier(self.name)}"

    @property
    def staging(self) -> str:
        """The bare name of the table in which rows wait to be sorted."""
        return f"{self.name}_staging"


INTERRUPTIONS = (KeyboardInterrupt, SystemExit, UnavailableError)
"""What is nobody's fault in the data: a load goes on from there."""


@contextmanager
def begun(database: Database, table: str, origin: Mapping[str, Any] | None = None) -> Iterator[Load]:
    """A new load, held by an advisory lock as long as it lasts; or one of the same `origin` that was interrupted.

    What goes wrong inside leaves no table behind, but for interruptions of a load with an origin that has come some way: it waits to be
    gone on with, for as long as `sweep` lets it.
    """
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as owner:
        load = (_adopted(owner, database, origin) if origin is not None else None) or _register(owner, table, origin)
        try:
            yield load
        except BaseException as error:
            with suppress(SQLAlchemyError):  # the server may be gone: then a sweep finds the load without its loader
                if not (isinstance(error, INTERRUPTIONS) and _rows_done(owner, load)):
                    discard(database, load)
            raise
        finally:
            with suppress(SQLAlchemyError):
                owner.execute(select(func.pg_advisory_unlock(LOCK_SPACE, load.load_id)))


def _adopted(owner: Connection, database: Database, origin: Mapping[str, Any]) -> Load | None:
    """A load of this origin whose loader is gone, with all rows that it says it has."""
    loads = schema.loads.c
    left = select(loads.load_id, loads.physical, loads.rows_done).where(
        loads.state == "loading", loads.rows_done > 0, loads.origin == dict(origin)
    )
    for row in owner.execute(left.order_by(loads.rows_done.desc())).all():
        if not owner.execute(select(func.pg_try_advisory_lock(LOCK_SPACE, row.load_id))).scalar_one():
            continue
        load = Load(row.load_id, row.physical.removeprefix(f"{DATA_SCHEMA}.").strip('"'), row.rows_done)
        if _staged(database, load) == load.done:
            return load
        owner.execute(select(func.pg_advisory_unlock(LOCK_SPACE, row.load_id)))
    return None


def _staged(database: Database, load: Load) -> int | None:
    """How many rows wait in the staging table; None without one."""
    staging = f"{DATA_SCHEMA}.{quote_identifier(load.staging)}"
    with database.publish_engine.connect() as connection:
        if connection.execute(select(func.to_regclass(staging))).scalar_one() is None:
            return None
        return int(_execute(connection, f"SELECT count(*) FROM {staging}").scalar_one())  # noqa: S608 — quoted


def _rows_done(owner: Connection, load: Load) -> int:
    return int(owner.execute(select(schema.loads.c.rows_done).where(schema.loads.c.load_id == load.load_id)).scalar_one())


def _register(owner: Connection, table: str, origin: Mapping[str, Any] | None) -> Load:
    values = {"physical": "", "state": "loading", "owner_pid": func.pg_backend_pid(), "origin": origin}
    load_id = int(owner.execute(schema.loads.insert().values(values).returning(schema.loads.c.load_id)).scalar_one())
    owner.execute(select(func.pg_advisory_lock(LOCK_SPACE, load_id)))
    load = Load(load_id, f"t_{table[:40]}_{load_id}")
    owner.execute(update(schema.loads).where(schema.loads.c.load_id == load_id).values(physical=load.physical))
    return load


def discard(database: Database, load: Load) -> None:
    """Drop a load that came to nothing."""
    with database.publish_engine.begin() as connection:
        for name in (load.name, load.staging):
            _execute(connection, f"DROP TABLE IF EXISTS {DATA_SCHEMA}.{quote_identifier(name)}")
    with database.engine.begin() as connection:
        connection.execute(update(schema.loads).where(schema.loads.c.load_id == load.load_id).values(state="failed"))


def fill(database: Database, load: Load, plan: Plan, survey: Survey, progress: Progress, before: Load | None = None) -> str | None:
    """Create, fill, index and analyse the table of `load`; returns the column that proved to identify a row. `before`: a load of the same
    columns whose rows come in too.

    Raises DataError naming row and column of what does not fit, UnavailableError if the database goes away.
    """
    indexed = plan.position is not None
    with _explained(plan):
        if not load.done:
            with database.publish_engine.begin() as connection:
                _create(connection, load.name, plan.columns, indexed=indexed)
        batches = _counted(map(survey.see, plan.batches()), plan.source.nrows, progress)
        _copy(database, load, plan, batches, progress, before)
        progress("Indexing", survey.rows, survey.rows)
        return _finish(database, load, plan, indexed=indexed)


def _create(
    connection: Connection, name: str, columns: tuple[Column, ...], *, indexed: bool, unlogged: bool = False, division: str = ""
) -> None:
    fields = [f"{quote_identifier(column.name)} {column.sql_type}" for column in columns]
    fields += [f"{quote_identifier(CELL)} bigint"] if indexed else []
    kind = "UNLOGGED TABLE" if unlogged else "TABLE"
    _execute(connection, f"CREATE {kind} {DATA_SCHEMA}.{quote_identifier(name)} ({', '.join(fields)}){division}")


def _execute(connection: Connection, statement: str) -> CursorResult[Any]:
    """A statement with names in it as they are: neither colons nor percent signs mean anything."""
    return connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _counted(batches: Iterator[pyarrow.RecordBatch], total: int | None, progress: Progress) -> Iterator[pyarrow.RecordBatch]:
    done = 0
    for batch in batches:
        done += batch.num_rows
        yield batch
        progress("Loading", done, total)


def _copy(
    database: Database, load: Load, plan: Plan, batches: Iterator[pyarrow.RecordBatch], progress: Progress, before: Load | None
) -> None:
    """All rows into the table, in the order of their cells where they have positions."""
    if plan.position is None:
        if before is not None:
            with database.publish_engine.begin() as connection:
                _execute(connection, f"INSERT INTO {load.physical} SELECT * FROM {before.physical}")  # noqa: S608 — quoted
        _ingest(database, load.name, batches)
        return
    if not load.done:
        held, rest = _gathered(batches, SORT_BYTES)
        if rest is None and before is None:
            _ingest(database, load.name, _sorted(held))
            return
        with database.publish_engine.begin() as connection:
            _create(connection, load.staging, plan.columns, indexed=True, unlogged=True)
        batches = chain(_drained(held), rest or ())
    _ingest_in_pieces(database, load, _after(batches, load.done))
    progress("Sorting", plan.source.nrows or 0, plan.source.nrows)
    staging = f"{DATA_SCHEMA}.{quote_identifier(load.staging)}"
    rows = f"SELECT * FROM {staging}" if before is None else f"SELECT * FROM {before.physical} UNION ALL SELECT * FROM {staging}"  # noqa: S608
    with database.publish_engine.begin() as connection:
        _execute(connection, f"SET LOCAL work_mem = '{SORT_MEMORY}'")
        _divide(connection, load, plan, rows)
        _execute(connection, f"INSERT INTO {load.physical} {rows} ORDER BY {quote_identifier(CELL)}")
        _execute(connection, f"DROP TABLE {staging}")


def _divide(connection: Connection, load: Load, plan: Plan, rows: str) -> None:
    """If there are too many rows for one table, make it anew in partitions by cell, of about equally many rows each; what has no position
    has one of its own. Regions of the sky then concern few of them, and each can be maintained, or moved to another server, alone.
    """
    if plan.partition_rows is None:
        return
    total = int(_execute(connection, f"SELECT count(*) FROM ({rows}) AS r").scalar_one())  # noqa: S608 — quoted
    if total <= plan.partition_rows:
        return
    cell, parts = quote_identifier(CELL), -(-total // plan.partition_rows)
    share = min(1.0, SAMPLE / total)
    shares = ", ".join(str(place / parts) for place in range(1, parts))
    sampled = f"SELECT percentile_disc(ARRAY[{shares}]) WITHIN GROUP (ORDER BY {cell}) FROM ({rows}) AS r WHERE random() < {share}"  # noqa: S608
    borders = sorted(set(_execute(connection, sampled).scalar_one()) - {None})
    _execute(connection, f"DROP TABLE {load.physical}")
    _create(connection, load.name, plan.columns, indexed=True, division=f" PARTITION BY RANGE ({cell})")
    bounds = ["MINVALUE", *map(str, borders), "MAXVALUE"]
    for number, (low, high) in enumerate(pairwise(bounds), 1):
        name = f"{DATA_SCHEMA}.{quote_identifier(f'{load.name}_p{number}')}"
        _execute(connection, f"CREATE TABLE {name} PARTITION OF {load.physical} FOR VALUES FROM ({low}) TO ({high})")
    placeless = f"{DATA_SCHEMA}.{quote_identifier(f'{load.name}_p0')}"
    _execute(connection, f"CREATE TABLE {placeless} PARTITION OF {load.physical} DEFAULT")


def _drained(held: list[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """The batches of a list, which lets go of each as it is taken."""
    held.reverse()
    while held:
        yield held.pop()


def _after(batches: Iterator[pyarrow.RecordBatch], count: int) -> Iterator[pyarrow.RecordBatch]:
    """The rows behind the first `count`."""
    for batch in batches:
        passed = min(count, batch.num_rows)
        count -= passed
        if passed < batch.num_rows:
            yield batch.slice(passed)


def _ingest_in_pieces(database: Database, load: Load, batches: Iterator[pyarrow.RecordBatch]) -> None:
    """The rows into the staging table, a transaction each PIECE_BYTES, which also notes how many there are."""
    done = load.done
    while True:
        piece, rest = _gathered(batches, PIECE_BYTES)
        done += sum(batch.num_rows for batch in piece)
        _ingest(database, load.staging, _drained(piece), f"UPDATE vo.loads SET rows_done = {done} WHERE load_id = {load.load_id}")  # noqa: S608
        if rest is None:
            return


def _gathered(batches: Iterator[pyarrow.RecordBatch], limit: int) -> tuple[list[pyarrow.RecordBatch], Iterator[pyarrow.RecordBatch] | None]:
    """(all batches, None), or as many as have `limit` bytes and the others still to come."""
    held: list[pyarrow.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.get_total_buffer_size()
        if size > limit:
            return held, batches
    return held, None


def _sorted(held: list[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """The rows by cell, those without a position last, and otherwise in the order of the file. Empties `held`."""
    if not held:
        return
    table = pyarrow.Table.from_batches(held).combine_chunks()
    held.clear()
    cells = table.column(CELL).fill_null(numpy.iinfo(numpy.int64).max).to_numpy()
    order = numpy.argsort(cells, kind="stable")
    for start in range(0, len(order), SLICE_ROWS):
        yield from table.take(pyarrow.array(order[start : start + SLICE_ROWS])).combine_chunks().to_batches()


def _ingest(database: Database, name: str, batches: Iterator[pyarrow.RecordBatch], note: str | None = None) -> None:
    """COPY the batches into an existing table, in one transaction, which the statement `note` belongs to. What `batches` raises comes out
    unchanged.
    """
    raised: list[BaseException] = []

    def watched() -> Iterator[pyarrow.RecordBatch]:
        try:
            yield from batches
        except BaseException as error:
            raised.append(error)
            raise

    stream = watched()
    first = next(stream, None)
    if first is None:
        return
    reader = pyarrow.RecordBatchReader.from_batches(first.schema, chain((first,), stream))
    with adbc_driver_postgresql.dbapi.connect(database.publish_uri) as connection, connection.cursor() as cursor:
        try:
            cursor.adbc_ingest(name, reader, mode="append", db_schema_name=DATA_SCHEMA)
        except (adbc_driver_manager.Error, pyarrow.ArrowException, OSError):
            if raised:
                raise raised[0] from None
            raise
        if raised:
            raise raised[0]
        if note is not None:
            cursor.execute(note)
        connection.commit()


def _finish(database: Database, load: Load, plan: Plan, *, indexed: bool) -> str | None:
    """Indexes, rights, statistics; returns the column that identifies a row."""
    engine = database.publish_engine
    with engine.begin() as connection:
        _execute(connection, f"SET LOCAL maintenance_work_mem = '{SORT_MEMORY}'")
        _execute(connection, f"GRANT SELECT ON {load.physical} TO {quote_identifier(database.query_role)}")
        if indexed:
            _execute(connection, f"CREATE INDEX ON {load.physical} ({quote_identifier(CELL)})")
        found = _index_id(connection, load, plan)
        _index_columns(connection, load, plan, found)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # the rows will only be read from now on: freeze them once, and let index-only scans know that all are visible
        _execute(connection, f"VACUUM (FREEZE, ANALYZE) {load.physical}")
    return found


def _index_id(connection: Connection, load: Load, plan: Plan) -> str | None:
    """Index the column that identifies a row: the declared one, else the first candidate without NULLs whose values are all different."""
    if plan.id_column is not None:
        return plan.id_column if _indexed(connection, load, plan.id_column, unique=False) else None
    several = _holds(connection, f"SELECT count(*) > 1 FROM (SELECT FROM {load.physical} LIMIT 2) AS few")  # noqa: S608 — quoted
    for name in plan.id_candidates if several else ():  # one row tells nothing
        column = quote_identifier(name)
        gaps = _holds(connection, f"SELECT EXISTS (SELECT FROM {load.physical} WHERE {column} IS NULL)")  # noqa: S608 — quoted
        if not gaps and _indexed(connection, load, name, unique=True):
            return name
    return None


def _index_columns(connection: Connection, load: Load, plan: Plan, found: str | None) -> None:
    """Index the columns that are to have one. DataError names a column whose values are too long for it."""
    for column in plan.columns:
        if column.indexed and column.name != found and not _indexed(connection, load, column.name, unique=False):
            raise DataError("its values are too long for an index.", source=plan.source.path.name, column=column.name)


def _holds(connection: Connection, question: str) -> bool:
    return bool(_execute(connection, question).scalar())


def _indexed(connection: Connection, load: Load, name: str, *, unique: bool) -> bool:
    """Whether the column could be indexed: values may repeat, or be too long for an index."""
    savepoint = connection.begin_nested()
    try:
        _execute(connection, f"CREATE {'UNIQUE ' if unique else ''}INDEX ON {load.physical} ({quote_identifier(name)})")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in NOT_INDEXED:
            raise
        savepoint.rollback()
        return False
    savepoint.commit()
    return True


@contextmanager
def _explained(plan: Plan) -> Iterator[None]:
    """What PostgreSQL refuses, as a DataError about the file; a lost connection as UnavailableError, Ctrl-C as KeyboardInterrupt."""
    try:
        yield
    except (adbc_driver_manager.Error, DBAPIError) as error:
        state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None) or ""
        detail = masked(str(getattr(error, "orig", None) or error).strip().splitlines()[0])
        if state == CANCELLED and "timeout" not in detail:
            raise KeyboardInterrupt from error  # Ctrl-C, which the driver passed on to PostgreSQL
        if str(state).startswith(LOST) or (not state and isinstance(error, (adbc_driver_manager.OperationalError, OperationalError))):
            raise UnavailableError(f"The database went away while {plan.source.path.name} was loaded ({detail}).") from error
        raise DataError(
            f"PostgreSQL cannot store the table: {detail}.", source=plan.source.path.name, hint="Nothing was changed."
        ) from error
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"the rows cannot be read ({error}).", source=plan.source.path.name, hint="Nothing was changed.") from error
