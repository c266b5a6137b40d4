"""One short transaction that makes a load the published table: catalogue, TAP_SCHEMA, resource and records change together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from vo_server.db import schema
from vo_server.db.catalogue import RESOURCE_JSON, broken_views, bump_version, column_row
from vo_server.db.records import lock_records
from vo_server.errors import DataError
from vo_server.model.columns import Column
from vo_server.model.example import Example
from vo_server.model.names import adql_name, adql_table_name
from vo_server.model.resource import Coverage, Resource
from vo_server.publish.descriptor import KeySection
from vo_server.publish.load import Load
from vo_server.publish.options import RecordRenderer
from vo_server.publish.origin import LEARNED_JSON
from vo_server.publish.plan import Plan
from vo_server.publish.survey import Learned, joined, spanned


@dataclass(frozen=True, slots=True)
class Flip:
    """What the transaction writes: the plan, the table that fulfils it (of a load, or somebody else's), what was learned of its rows,
    the final columns, and whether an index knows the cells of its positions.
    """

    plan: Plan
    physical: str
    load: Load | None
    learned: Learned
    columns: tuple[Column, ...]
    indexed: bool
    kind: str = "table"
    origin: Mapping[str, Any] | None = None


def check_free(connection: Connection, plan: Plan, physical: str | None = None) -> bool:
    """Whether the plan replaces a table of ours, or the `physical` one in place; DataError if the name is somebody else's, or belongs to
    another resource.
    """
    row = _existing(connection, plan)
    if row is None:
        return False
    name = plan.source.path.name
    if (row.load_id is None) != (physical is not None) or row.resource is None:
        raise DataError(
            f"{plan.full_name} exists and was not made by publishing {'a file' if physical is None else 'in place'}.",
            source=name,
            hint="Choose another name with --table or --schema.",
        )
    if row.resource not in (None, plan.resource):
        hint = f"Choose another name with --table, or publish it as part of {row.resource} (key `name` of its descriptor)."
        raise DataError(f"{plan.full_name} belongs to the resource {row.resource_schema}/{row.resource}.", source=name, hint=hint)
    return True


def flip(connection: Connection, change: Flip, records: RecordRenderer, now: datetime) -> bool:
    """Write everything inside the transaction of `connection`; returns whether a published table was replaced."""
    lock_records(connection)  # first: whoever publishes or renders waits here, and nobody else
    plan = change.plan
    check_free(connection, plan, change.physical if change.load is None else None)
    row = _existing(connection, plan)
    connection.execute(upsert(schema.schemas).values(schema_name=plan.schema, tap_name=adql_name(plan.schema)).on_conflict_do_nothing())
    resource_id, before = _resource_row(connection, plan, now)
    table_id = _store_table(connection, change, resource_id, row, now)
    described_anew = _store_columns(connection, table_id, change.columns)
    if plan.descriptor is not None:
        _store_keys(connection, table_id, plan)
    _store_resource(connection, change, resource_id, before, changed=described_anew, now=now)
    if change.load is not None and (row is None or row.load_id != change.load.load_id):
        _set_live(connection, change.load, row.load_id if row else None, now)
    records(connection, f"{plan.schema}/{plan.resource}")
    keep_views(connection, plan.full_name)
    bump_version(connection)
    return row is not None


def keep_views(connection: Connection, table: str) -> None:
    """DataError if a view can no longer be made, now that `table` has changed in the transaction of `connection`."""
    for name, fault in broken_views(connection).items():
        raise DataError(
            f"{table} cannot be changed like that, for the view {name} reads it ({fault}).",
            hint=f"Change or retract {name} first. Nothing was changed.",
        )


def _existing(connection: Connection, plan: Plan) -> Row[int, int | None, str | None, str | None] | None:
    tables, resources = schema.tables.c, schema.resources.c
    return connection.execute(
        select(tables.table_id, tables.load_id, resources.name.label("resource"), resources.schema_name.label("resource_schema"))
        .select_from(schema.tables.outerjoin(schema.resources, tables.resource_id == resources.resource_id))
        .where(func.lower(tables.schema_name) == plan.schema, func.lower(tables.table_name) == plan.table)
    ).first()


def _resource_row(connection: Connection, plan: Plan, now: datetime) -> tuple[int, Resource | None]:
    """The id of the plan's resource, made if it is new, and what was known of it."""
    resources = schema.resources.c
    found = connection.execute(
        select(resources.resource_id, resources.body).where(resources.schema_name == plan.schema, resources.name == plan.resource)
    ).first()
    if found is not None:
        return int(found.resource_id), RESOURCE_JSON.validate_python(found.body)
    body = RESOURCE_JSON.dump_python(Resource(plan.schema, plan.resource, plan.title, plan.title, now, now), mode="json")
    made = insert(schema.resources).values(schema_name=plan.schema, name=plan.resource, body=body)
    return int(connection.execute(made.returning(resources.resource_id)).scalar_one()), None


def _store_table(
    connection: Connection, change: Flip, resource_id: int, row: Row[int, int | None, str | None, str | None] | None, now: datetime
) -> int:
    plan = change.plan
    values: dict[str, Any] = {
        "resource_id": resource_id,
        "title": plan.table_title or plan.title,
        "description": plan.table_description,
        "physical": change.physical,
        "load_id": change.load.load_id if change.load else None,
        "table_type": change.kind,
        "nrows": change.learned.rows,
        "origin": change.origin,
        "learned": LEARNED_JSON.dump_python(change.learned, mode="json"),
        "ra_column": plan.position.ra if plan.position else None,
        "dec_column": plan.position.dec if plan.position else None,
        "cell_indexed": change.indexed,
    }
    if row is None or change.load is None or row.load_id != change.load.load_id:
        values["loaded"] = now
    if row is not None:
        connection.execute(update(schema.tables).where(schema.tables.c.table_id == row.table_id).values(values))
        return int(row.table_id)
    names = {"schema_name": plan.schema, "table_name": plan.table, "tap_name": adql_table_name(plan.schema, plan.table)}
    made = insert(schema.tables).values({**names, **values})
    return int(connection.execute(made.returning(schema.tables.c.table_id)).scalar_one())


def _store_columns(connection: Connection, table_id: int, columns: Sequence[Column]) -> bool:
    """Replace the columns of a table; whether they are other than before."""
    rows = [{"table_id": table_id, "column_index": index, **column_row(column)} for index, column in enumerate(columns, 1)]
    mine = schema.columns.c.table_id == table_id
    before = [
        dict(row) for row in connection.execute(select(schema.columns).where(mine).order_by(schema.columns.c.column_index)).mappings()
    ]
    if before == rows:
        return False
    connection.execute(delete(schema.columns).where(mine))
    connection.execute(insert(schema.columns), rows)
    return True


def _store_keys(connection: Connection, table_id: int, plan: Plan) -> None:
    """Replace the foreign keys of the plan's table (TAP 1.1 §4.4); DataError if one names what there is not."""
    connection.execute(delete(schema.keys).where(schema.keys.c.from_table == table_id))
    for number, key in enumerate(plan.descriptor.keys if plan.descriptor else (), 1):
        target_id = _target(connection, plan, key)
        key_id = f"{plan.full_name}.{number}"
        row = {"key_id": key_id, "from_table": table_id, "target_table": target_id, "description": key.description}
        connection.execute(insert(schema.keys).values(row))
        pairs = [
            {"key_id": key_id, "key_index": place, "from_column": own, "target_column": other}
            for place, (own, other) in enumerate(key.pairs, 1)
        ]
        connection.execute(insert(schema.key_columns), pairs)


def _target(connection: Connection, plan: Plan, key: KeySection) -> int:
    """The id of the table that a foreign key leads to."""
    tables, source = schema.tables.c, plan.source.path.name
    schema_name, _, table = key.target.lower().partition(".")
    wanted = (func.lower(tables.schema_name) == schema_name, func.lower(tables.table_name) == table)
    found = connection.execute(select(tables.table_id).where(*wanted)).scalar()
    if found is None:
        raise DataError(f"a key leads to {key.target}, and there is no such table.", source=source, hint="Publish that table first.")
    there = connection.execute(select(schema.columns.c.column_name).where(schema.columns.c.table_id == found)).scalars().all()
    for names, known, where in (
        ([own for own, _ in key.pairs], [column.name for column in plan.columns], plan.full_name),
        ([other for _, other in key.pairs], list(there), key.target),
    ):
        if missing := [name for name in names if name not in known]:
            raise DataError(
                f"a key names {missing[0]}, which is no column of {where}.", source=source, hint=f"There are: {', '.join(known)}."
            )
    return int(found)


def _store_resource(
    connection: Connection, change: Flip, resource_id: int, before: Resource | None, *, changed: bool, now: datetime
) -> None:
    """Write the resource's body. ``updated`` moves only if what is said of it, or of its columns, is other than before."""
    tables, plan = schema.tables.c, change.plan
    names = connection.execute(
        select(tables.schema_name, tables.table_name).where(tables.resource_id == resource_id).order_by(tables.table_id)
    ).all()
    after = replace(_described(change, before, now), tables=tuple(f"{row.schema_name}.{row.table_name}" for row in names))
    if before is not None and not changed and replace(after, updated=before.updated) == before:
        after = before
    values: dict[str, Any] = {"body": RESOURCE_JSON.dump_python(after, mode="json"), "retracted": False}
    if plan.descriptor is not None:
        values["descriptor"] = plan.descriptor.resource.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    connection.execute(update(schema.resources).where(schema.resources.c.resource_id == resource_id).values(values))


def _described(change: Flip, before: Resource | None, now: datetime) -> Resource:
    """The resource as plan and rows have it; of a resource with other tables too, their title, description and coverage stay."""
    plan = change.plan
    shared = before is not None and any(name != plan.full_name for name in before.tables)
    known = before if shared else None
    said = plan.descriptor.resource if plan.descriptor else None
    base = known or Resource(plan.schema, plan.resource, plan.title, plan.description or f"The table {plan.full_name}.", now, now)
    described = base if said is None else replace(
        base,
        title=plan.title,
        description=plan.description or base.description,
        facilities=tuple(said.facility),
        instruments=tuple(said.instrument),
        type=tuple(said.type),
        examples=_examples(plan) or (base.examples if shared else ()),
        **said.facts,
    )  # fmt: skip
    waveband = tuple(said.waveband) if said else base.coverage.waveband
    return replace(
        described,
        created=before.created if before else now,
        updated=now,
        coverage=_coverage(change.learned, known.coverage if known else Coverage(), waveband),
        sample=change.learned.sample or base.sample,
    )


def _examples(plan: Plan) -> tuple[Example, ...]:
    sections = plan.descriptor.examples if plan.descriptor else ()
    return tuple(
        Example(f"{plan.schema}-{plan.resource}-{number}", section.title, section.query, description=section.description)
        for number, section in enumerate(sections, 1)
    )


def _coverage(learned: Learned, others: Coverage, waveband: tuple[str, ...]) -> Coverage:
    """Where and when the rows lie, together with what is known of the resource's other tables."""
    spatial, temporal = joined(learned.spatial, others.spatial), spanned(learned.temporal, others.temporal)
    return Coverage(spatial, temporal, others.spectral, waveband)


def _set_live(connection: Connection, load: Load, old: int | None, now: datetime) -> None:
    loads = schema.loads
    connection.execute(update(loads).where(loads.c.load_id == load.load_id).values(state="live"))
    if old is not None:
        connection.execute(update(loads).where(loads.c.load_id == old).values(state="retired", retired=now))
