"""``publish_file``: plan, load, flip."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from vo_server.db.database import Database
from vo_server.formats.readers.infer import with_id
from vo_server.publish.flip import Flip, check_free, flip
from vo_server.publish.load import begun, fill
from vo_server.publish.options import Progress, Published, PublishOptions, RecordRenderer
from vo_server.publish.plan import Plan, make_plan
from vo_server.publish.survey import Survey


def utc_now() -> datetime:
    """The time of day, aware, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def publish_file(
    database: Database,
    path: Path,
    options: PublishOptions,
    *,
    records: RecordRenderer,
    progress: Progress | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Published:
    """Publish a table of a data file, or the one a descriptor describes; `records` renders the registry's records in the same transaction.

    Readers see the old table or the new one, never anything between. Whatever fails, Ctrl-C too, leaves everything as it was:
    DataError names what is wrong with the file, UnavailableError a database that went away.
    """
    report = progress or _silent
    report("Reading", 0, None)
    plan = make_plan(path, options)
    with database.engine.connect() as connection:
        check_free(connection, plan)
    survey = Survey((plan.position.ra, plan.position.dec) if plan.position else None, plan.times)
    with begun(database, plan.table) as load:
        identifier = fill(database, load, plan, survey, report)
        columns = plan.columns if identifier is None else tuple(with_id(plan.columns, identifier))
        with database.engine.begin() as connection:
            replaced = flip(connection, Flip(plan, load.physical, load, survey, columns, plan.position is not None), records, clock())
    notes = (*plan.notes, *_learned(plan, survey, identifier))
    return Published(
        plan.full_name, f"{plan.schema}/{plan.resource}", survey.rows, notes, replaced, plan.position is not None, plan.source.other_tables
    )


def _learned(plan: Plan, survey: Survey, identifier: str | None) -> list[str]:
    notes = []
    if survey.placeless:
        notes.append(f"{survey.placeless:,} of {survey.rows:,} rows have no valid position; no search by position finds them")
    if identifier is not None and plan.id_column is None:
        notes.append(f"{identifier} is taken as what identifies a row: its values are all different")
    return notes


def _silent(_stage: str, _rows: int, _total: int | None) -> None:
    """Nobody watches."""
