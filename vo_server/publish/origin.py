"""Where the rows of a published table came from: if nothing of that has changed, a new descriptor needs no new load."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow
from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, Select, func, select

from vo_server.db import schema
from vo_server.errors import DataError
from vo_server.formats.readers import Source
from vo_server.model.columns import SQL_TYPES
from vo_server.publish.load import DATA_SCHEMA, Load
from vo_server.publish.plan import Plan
from vo_server.publish.survey import Learned

_NUMBERS = ("unsignedByte", "short", "int", "long", "float", "double")
WIDER: dict[str, tuple[str, ...]] = {
    **{kind: (kind,) for kind in SQL_TYPES},
    **{kind: _NUMBERS[place:] for place, kind in enumerate(_NUMBERS)},
    "int": ("int", "long", "double"),
    "long": ("long",),
    "char": ("char", "unicodeChar"),
    "unicodeChar": ("char", "unicodeChar"),
}
"""Type of a column → types that hold all its values."""

LEARNED_JSON: TypeAdapter[Learned] = TypeAdapter(Learned)


@dataclass(frozen=True, slots=True)
class Kept:
    """The load that a table shows, and what was learned of its rows."""

    load: Load
    learned: Learned


def origin_of(plan: Plan) -> dict[str, Any]:
    """Everything that decides what the rows in the database are: the file, the part of it, the columns' names and types, the position."""
    status = plan.source.path.stat()
    layout = plan.descriptor.layout if plan.descriptor else None
    indexed = [column.name for column in plan.columns if column.indexed]
    return {
        **({"layout": repr(layout)} if layout else {}),
        **({"indexed": indexed} if indexed else {}),
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
    row = connection.execute(_live(plan)).first()
    if row is None or row.learned is None or row.origin != dict(origin):
        return None
    return _kept(row)


def added_to(connection: Connection, plan: Plan) -> tuple[Kept, Plan]:
    """The load to whose rows those of the plan are added, and the plan with their types, where they are only wider than the file's: the
    numbers of one night's CSV may all be whole. DataError if there is no such table, or if its columns are others.
    """
    name = plan.source.path.name
    row = connection.execute(_live(plan)).first()
    if row is None:
        raise DataError(f"there is no table {plan.full_name} to append to.", source=name, hint="Publish it without --append.")
    if row.learned is None:
        raise DataError(f"{plan.full_name} was loaded by an older version.", source=name, hint="Load it once more with --reload.")
    columns = schema.columns.c
    there = connection.execute(
        select(columns.column_name.label("name"), columns.datatype, columns.arraysize, columns.xtype)
        .where(columns.table_id == row.table_id)
        .order_by(columns.column_index)
    ).all()
    fault = _misfit(plan, there, (row.ra_column, row.dec_column))
    if fault:
        raise DataError(f"its rows do not fit into {plan.full_name}: {fault}.", source=name, hint="Nothing was changed.")
    return _kept(row), _fitted(plan, there)


def _misfit(plan: Plan, there: Sequence[Any], position: tuple[str | None, str | None]) -> str | None:
    """Why the plan's rows cannot stand in a table of these columns, if so."""
    names, known = [column.name for column in plan.columns], [one.name for one in there]
    if differing := sorted(set(names) ^ set(known)):
        return f"these columns are not in both: {', '.join(differing)}"
    if names != known:
        return "its columns come in another order"
    if (plan.position.ra, plan.position.dec) != position if plan.position else position != (None, None):
        return f"its position is not {position[0]}, {position[1]}" if position[0] else "the table has no position"
    for column, one in zip(plan.columns, there, strict=True):
        if (column.arraysize, column.xtype) != (one.arraysize, one.xtype) or one.datatype not in WIDER[column.datatype]:
            return f"the column {column.name} is of the type {column.datatype} here and {one.datatype} there"
    return None


def _fitted(plan: Plan, there: Sequence[Any]) -> Plan:
    """The plan with the types of the table."""
    columns = tuple(
        column if column.datatype == "unicodeChar" else replace(column, datatype=one.datatype)
        for column, one in zip(plan.columns, there, strict=True)
    )
    given = tuple(replace(one, name=column.name) for one, column in zip(columns, plan.source.columns, strict=True))
    source = replace(plan.source, columns=given, batches=partial(_cast, plan.source, replace(plan.source, columns=given).schema))
    return replace(plan, source=source, columns=columns)


def _cast(source: Source, wanted: pyarrow.Schema) -> Iterator[pyarrow.RecordBatch]:
    for batch in source.batches():
        yield batch.cast(wanted)


def _live(plan: Plan) -> Select[Any]:
    """The row of the plan's table, if it shows a load."""
    tables, loads = schema.tables.c, schema.loads.c
    return (
        select(tables.table_id, tables.load_id, tables.learned, tables.origin, tables.ra_column, tables.dec_column, loads.physical)
        .select_from(schema.tables.join(schema.loads, tables.load_id == loads.load_id))
        .where(func.lower(tables.schema_name) == plan.schema, func.lower(tables.table_name) == plan.table, loads.state == "live")
    )


def _kept(row: Row[Any]) -> Kept:
    name = row.physical.removeprefix(f"{DATA_SCHEMA}.").strip('"')
    return Kept(Load(row.load_id, name), LEARNED_JSON.validate_python(row.learned))
