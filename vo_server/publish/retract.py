"""Taking a published table away: users no longer see it, harvesters get its tombstone (OAI-PMH 2.0 §2.5.1)."""

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from vo_server.db import schema
from vo_server.db.catalogue import RESOURCE_JSON, bump_version
from vo_server.db.records import lock_records
from vo_server.errors import NotFoundError, UsageError
from vo_server.publish.flip import keep_views
from vo_server.publish.options import RecordRenderer


@dataclass(frozen=True, slots=True)
class Retracted:
    """What is no longer served. ``resource`` is the id of a resource of which nothing is left, None if it has other tables, or datasets."""

    table: str
    resource: str | None


def retract_table(connection: Connection, name: str, records: RecordRenderer) -> Retracted:
    """Take the table `name` (``schema.table``) out of everything, inside the transaction of `connection`. Its rows are dropped by the next
    sweep, when no reader needs them. Raises NotFoundError, and UsageError for a table that a standard defines."""
    lock_records(connection)
    tables = schema.tables.c
    schema_name, _, table_name = name.lower().partition(".")
    row = connection.execute(
        select(tables.table_id, tables.schema_name, tables.table_name, tables.resource_id, tables.load_id).where(
            func.lower(tables.schema_name) == schema_name, func.lower(tables.table_name) == table_name
        )
    ).first()
    if row is None:
        raise NotFoundError(f"There is no table {name}.", hint="`vo list` names what is published.")
    if row.resource_id is None:
        raise UsageError(f"{name} belongs to the server itself.")
    full_name = f"{row.schema_name}.{row.table_name}"
    take_away(connection, tables.table_id == row.table_id)
    keep_views(connection, full_name)
    resource, is_gone = _without(connection, row.resource_id, full_name)
    records(connection, resource)
    bump_version(connection)
    return Retracted(full_name, resource if is_gone else None)


def take_away(connection: Connection, which: ColumnElement[bool]) -> list[str]:
    """Take tables out of the catalogue, those of ``vo.tables`` for which `which` holds, and retire their rows; the tables' names."""
    tables = schema.tables.c
    gone = connection.execute(delete(schema.tables).where(which).returning(tables.schema_name, tables.table_name, tables.load_id)).all()
    loads = [row.load_id for row in gone if row.load_id is not None]
    retired = {"state": "retired", "retired": func.now()}
    connection.execute(update(schema.loads).where(schema.loads.c.load_id.in_(loads)).values(retired))
    return [f"{row.schema_name}.{row.table_name}" for row in gone]


def _without(connection: Connection, resource_id: int, table: str) -> tuple[str, bool]:
    """Take a table out of its resource; the resource's id, and whether nothing is left and it is retracted: neither tables nor datasets."""
    mine = schema.resources.c.resource_id == resource_id
    known = RESOURCE_JSON.validate_python(connection.execute(select(schema.resources.c.body).where(mine)).scalar_one())
    left = tuple(name for name in known.tables if name != table)
    body = RESOURCE_JSON.dump_python(replace(known, tables=left), mode="json")
    collections = select(schema.collections.c.collection).where(schema.collections.c.resource_id == resource_id)
    is_gone = not left and connection.execute(collections).first() is None
    connection.execute(update(schema.resources).where(mine).values(body=body, retracted=is_gone))
    return known.id, is_gone
