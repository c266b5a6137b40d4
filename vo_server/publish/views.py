"""A view: a published table that is an ADQL query over others. No row is stored; types, units and UCDs come from the tables behind it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from vo_server.adql import parse, resolve, resolved
from vo_server.adql.positions import position_of_query
from vo_server.db.catalogue import VIEW, load_catalogue
from vo_server.db.database import Database
from vo_server.errors import DataError, QueryMeaningError
from vo_server.formats.readers import Source
from vo_server.model.catalogue import Catalogue
from vo_server.publish.descriptor import Entry
from vo_server.publish.flip import Flip, check_free, flip
from vo_server.publish.in_place import sample_rows, surveyed
from vo_server.publish.options import Published, PublishOptions, RecordRenderer
from vo_server.publish.plan import Plan, plan_of, refuse_embargoed
from vo_server.sql.queries import row_source


def publish_view(
    database: Database, path: Path, entry: Entry, options: PublishOptions, *, records: RecordRenderer, clock: Callable[[], datetime]
) -> Published:
    """Publish the view that a descriptor's table describes. DataError says what is wrong with its query."""
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        query, physical = _resolved(path, entry, _without(load_catalogue(connection), options, entry))
    source = Source(path, entry.table.name or path.stem, query.columns, partial(sample_rows, database, physical))
    plan = plan_of(source, entry, options, schema=None, table=entry.table.name or path.stem)
    refuse_embargoed(plan, clock())
    physical = row_source(query, plan.columns)
    with database.engine.connect() as connection:
        check_free(connection, plan, physical)
    survey = surveyed(database, plan, physical)
    indexed = _passes_cells(query, plan)
    notes = [*plan.notes, *query.warnings]
    if plan.position is not None and not indexed:
        notes.append("searches by position read all its rows: ra and dec are not passed on as they are from one table with an index")
    with database.engine.begin() as connection:
        change = Flip(plan, physical, None, survey.learned(plan.id_column), plan.columns, indexed, "view", origin={VIEW: entry.table.view})
        replaced = flip(connection, change, records, clock())
    resource = f"{plan.schema}/{plan.resource}"
    return Published(plan.full_name, resource, survey.rows, tuple(notes), replaced, plan.position is not None)


def _without(catalogue: Catalogue, options: PublishOptions, entry: Entry) -> Catalogue:
    """The catalogue without the view itself, which may be there from before."""
    own = f"{options.schema or entry.resource.schema_name or 'data'}.{options.table or entry.table.name}".lower()
    return replace(catalogue, tables=tuple(table for table in catalogue.tables if table.full_name.lower() != own))


def _resolved(path: Path, entry: Entry, catalogue: Catalogue) -> tuple[resolved.Query, str]:
    """What the view's query means, and what of it can stand behind FROM."""
    try:
        query = resolve(parse(entry.table.view or ""), catalogue)
        return query, row_source(query, query.columns)
    except QueryMeaningError as error:
        raise DataError(f"view: {error.message}", source=path.name, hint=error.hint) from None


def _passes_cells(query: resolved.Query, plan: Plan) -> bool:
    """Whether the view's position is that of a table behind it, whose index of cells then finds the view's rows too."""
    place = position_of_query(query)
    if place is None or plan.position is None:
        return False
    names = [column.name for column in plan.columns]
    return place == tuple(f"c{names.index(name) + 1}" for name in (plan.position.ra, plan.position.dec))
