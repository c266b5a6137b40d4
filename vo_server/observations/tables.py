"""Tables that a collection has beside its datasets: loaded before, put in place within the collection's transaction, joined by keys."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from vo_server.db import schema
from vo_server.db.database import Database
from vo_server.formats.readers.infer import with_id
from vo_server.publish.flip import Flip, flip
from vo_server.publish.load import begun, fill
from vo_server.publish.plan import Plan
from vo_server.publish.survey import Survey


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key: the column of `source` is one of the same name in `target`."""

    source: str
    target: str
    column: str
    meaning: str


def loaded(held: ExitStack, database: Database, plan: Plan) -> Flip:
    """The rows of a plan in a table of their own, which nobody sees; gone when `held` ends, unless it was put in place."""
    survey = Survey((plan.position.ra, plan.position.dec) if plan.position else None, plan.times)
    load = held.enter_context(begun(database, plan.table))
    identifier = fill(database, load, plan, survey, lambda *_: None)
    columns = plan.columns if identifier is None else tuple(with_id(plan.columns, identifier))
    return Flip(plan, load.physical, load, survey.learned(identifier), columns, plan.position is not None)


def put_in_place(connection: Connection, changes: Sequence[Flip], now: datetime) -> None:
    """Make what was loaded the tables of these names; the caller renders the records."""
    for change in changes:
        flip(connection, change, lambda *_: None, now)


def store_keys(connection: Connection, keys: Sequence[Key]) -> None:
    """Make these the foreign keys of their columns in TAP_SCHEMA."""
    for one in keys:
        name = f"{one.source}.{one.column}"
        connection.execute(delete(schema.keys).where(schema.keys.c.key_id == name))
        ends = {"from_table": _table_id(connection, one.source), "target_table": _table_id(connection, one.target)}
        connection.execute(insert(schema.keys).values(key_id=name, description=one.meaning, **ends))
        connection.execute(insert(schema.key_columns).values(key_id=name, key_index=1, from_column=one.column, target_column=one.column))


def _table_id(connection: Connection, full_name: str) -> int:
    schema_name, name = full_name.split(".")
    found = select(schema.tables.c.table_id).where(schema.tables.c.schema_name == schema_name, schema.tables.c.table_name == name)
    return int(connection.execute(found).scalar_one())
