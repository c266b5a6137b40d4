"""``publish_file``: plan, load, flip."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from vo_server.db.database import Database
from vo_server.formats.readers.infer import with_id
from vo_server.publish.descriptor import read_entry
from vo_server.publish.flip import Flip, check_free, flip
from vo_server.publish.load import begun, fill
from vo_server.publish.options import Progress, Published, PublishOptions, RecordRenderer, Rehearsal, utc_now
from vo_server.publish.origin import Kept, added_to, kept, origin_of
from vo_server.publish.plan import Plan, make_plan, refuse_embargoed
from vo_server.publish.survey import Learned, Survey, together
from vo_server.publish.views import publish_view


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
    entry = read_entry(path, options.entry) if path.suffix.lower() == ".toml" else None
    if entry is not None and entry.table.view is not None:
        return publish_view(database, path, entry, options, records=records, clock=clock)
    plan = make_plan(path, options)
    refuse_embargoed(plan, clock())
    origin = origin_of(plan)
    with database.engine.connect() as connection:
        check_free(connection, plan)
        same = None if options.reload else kept(connection, plan, origin)
        before, plan = added_to(connection, plan) if options.append else (None, plan)
    if same is not None and not options.append:
        return _described_anew(database, plan, same, origin, records, clock())
    survey = Survey((plan.position.ra, plan.position.dec) if plan.position else None, plan.times)
    with begun(database, plan.table, None if options.reload else {"append": options.append, **origin}) as load:
        identifier = fill(database, load, plan, survey, report, before.load if before else None)
        learned = survey.learned(identifier)
        if before is not None:
            learned, origin = together(before.learned, learned), {"appended": origin}  # no file alone holds the rows any more
        columns = plan.columns if identifier is None else tuple(with_id(plan.columns, identifier))
        with database.engine.begin() as connection:
            change = Flip(plan, load.physical, load, learned, columns, plan.position is not None, origin=origin)
            replaced = flip(connection, change, records, clock())
    return _published(plan, change.learned, replaced=replaced)


def rehearse(path: Path, options: PublishOptions, progress: Progress | None = None) -> Rehearsal:
    """Plan it and read all rows, as `publish_file` would, without a database. DataError names what is wrong with the file."""
    report = progress or _silent
    report("Reading", 0, None)
    plan = make_plan(path, options)
    survey = Survey((plan.position.ra, plan.position.dec) if plan.position else None, plan.times)
    for batch in plan.batches():
        survey.see(batch)
        report("Reading", survey.rows, plan.source.nrows)
    notes = (*plan.notes, *_remarks(plan, survey.learned()))
    return Rehearsal(plan.full_name, f"{plan.schema}/{plan.resource}", survey.rows, plan.columns, notes, plan.source)


def _described_anew(
    database: Database, plan: Plan, same: Kept, origin: Mapping[str, Any], records: RecordRenderer, now: datetime
) -> Published:
    """The table with its rows as they are, and everything that is said of it as the plan has it."""
    identifier = same.learned.identifier
    columns = plan.columns if identifier is None else tuple(with_id(plan.columns, identifier))
    change = Flip(plan, same.load.physical, same.load, same.learned, columns, plan.position is not None, origin=origin)
    with database.engine.begin() as connection:
        flip(connection, change, records, now)
    return replace(_published(plan, same.learned, replaced=True), loaded=False)


def _published(plan: Plan, learned: Learned, *, replaced: bool) -> Published:
    notes = (*plan.notes, *_remarks(plan, learned))
    resource, positions = f"{plan.schema}/{plan.resource}", plan.position is not None
    return Published(plan.full_name, resource, learned.rows, notes, replaced, positions, plan.source)


def _remarks(plan: Plan, learned: Learned) -> list[str]:
    notes = []
    identifier = learned.identifier
    if learned.placeless:
        notes.append(f"{learned.placeless:,} of {learned.rows:,} rows have no valid position; no search by position finds them")
    if identifier is not None and plan.id_column is None:
        notes.append(f"{identifier} is taken as what identifies a row: its values are all different")
    return notes


def _silent(_stage: str, _rows: int, _total: int | None) -> None:
    """Nobody watches."""
