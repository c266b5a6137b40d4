"""Where the rows of a published table came from: if nothing of that has changed, a new descriptor needs no new load."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, func, select

from vo_server.db import schema
from vo_server.publish.load import DATA_SCHEMA, Load
from vo_server.publish.plan import Plan
from vo_server.publish.survey import Learned

LEARNED_JSON: TypeAdapter[Learned] = TypeAdapter(Learned)


@dataclass(frozen=True, slots=True)
class Kept:
    """The load that a table shows, and what was learned of its rows."""

    load: Load
    learned: Learned


def origin_of(plan: Plan) -> dict[str, Any]:
    """Everything that decides what the rows in the database are: the file, the part of it, the columns' names and types, the position."""
    status = plan.source.path.stat()
    return {
        "path": str(plan.source.path.resolve()),
        "size": status.st_size,
        "mtime_ns": str(status.st_mtime_ns),
        "part": plan.source.name,
        "nulls": list(plan.nulls),
        "columns": [[column.name, column.datatype, column.arraysize, column.xtype] for column in plan.columns],
        "position": [plan.position.ra, plan.position.dec] if plan.position else None,
        "times": [column.name for column in plan.times],
        "identifier": plan.id_column,
    }


def kept(connection: Connection, plan: Plan, origin: Mapping[str, Any]) -> Kept | None:
    """The load that the plan's table shows now, if a new one would hold the same rows."""
    tables, loads = schema.tables.c, schema.loads.c
    row = connection.execute(
        select(tables.load_id, tables.learned, tables.origin, loads.physical)
        .select_from(schema.tables.join(schema.loads, tables.load_id == loads.load_id))
        .where(func.lower(tables.schema_name) == plan.schema, func.lower(tables.table_name) == plan.table, loads.state == "live")
    ).first()
    if row is None or row.learned is None or row.origin != dict(origin):
        return None
    name = row.physical.removeprefix(f"{DATA_SCHEMA}.").strip('"')
    return Kept(Load(row.load_id, name), LEARNED_JSON.validate_python(row.learned))
