"""What follows the code and not a migration: the SQL functions that queries call, and TAP_SCHEMA's rows for the tables that standards
define, TAP_SCHEMA itself, ivoa.obscore and its extension, and rr (TAP 1.1 §4, ObsCore 1.1 §4, RegTAP 1.2 §8); the tables of rr; and the
queue of jobs, whose SQL is that of its library.

`define` brings the database up to date with the code; a digest of all of it tells whether that is needed.
"""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from vo_server.db import queue, regtap, schema
from vo_server.db.catalogue import bump_version, column_row
from vo_server.model import obscore, obscore_hea, skymap_areas, tap_schema
from vo_server.model import regtap as regtap_model
from vo_server.model.catalogue import Footprint, Key, Position, Schema, Table
from vo_server.model.names import adql_name, adql_table_name
from vo_server.sql import function_definitions

DIGEST_KEY = "definitions"

SCHEMAS = (
    Schema(obscore.SCHEMA, "Tables whose columns IVOA standards define", index=1000),
    Schema(regtap_model.SCHEMA, regtap_model.DESCRIPTION, regtap_model.UTYPE, index=1001),
    Schema(tap_schema.SCHEMA, tap_schema.DESCRIPTION, index=1002),
)

OBSCORE = Table(
    schema=obscore.SCHEMA,
    name=obscore.TABLE,
    physical=f"{obscore.SCHEMA}.{obscore.TABLE}",
    columns=obscore.COLUMNS,
    kind="view",
    title="ObsCore",
    description=obscore.DESCRIPTION,
    utype=obscore.UTYPE,
    index=1,
    position=Position("s_ra", "s_dec", indexed=False),
    footprint=Footprint("s_region", obscore.SHAPE, "vo_data.obscore_cells", obscore.KEY, obscore.CAP),
)

OBSCORE_HEA = Table(
    schema=obscore.SCHEMA,
    name=obscore_hea.TABLE,
    physical=f"{obscore.SCHEMA}.{obscore_hea.TABLE}",
    columns=obscore_hea.COLUMNS,
    kind="view",
    title="ObsCore for high-energy astrophysics",
    description=obscore_hea.DESCRIPTION,
    utype=obscore_hea.UTYPE,
    index=2,
)

SKYMAP_AREAS = Table(
    schema=obscore.SCHEMA,
    name=skymap_areas.TABLE,
    physical=f"{obscore.SCHEMA}.{skymap_areas.TABLE}",
    columns=skymap_areas.COLUMNS,
    kind="view",
    title="Areas of sky maps",
    description=skymap_areas.DESCRIPTION,
    index=3,
    footprint=Footprint("moc", None, "vo_data.skymap_cells", skymap_areas.KEY_COLUMN),
)

PREVIEWED = replace(OBSCORE, schema="vo_data", name="obscore_previewed", physical="vo_data.obscore_previewed")
"""The rows of ivoa.obscore, and again those that have a preview, with that as their file. No query of a user's sees it."""

TABLES = (
    OBSCORE,
    OBSCORE_HEA,
    SKYMAP_AREAS,
    *(
        Table(
            schema=tap_schema.SCHEMA,
            name=table.name,
            physical=f"{tap_schema.SCHEMA}.{table.name}",
            columns=table.columns,
            kind="view",
            description=table.description,
            index=index,
        )
        for index, table in enumerate(tap_schema.TABLES, 1)
    ),
    *regtap.tables(),
)

KEYS = (*tap_schema.KEYS, obscore_hea.KEY, skymap_areas.KEY, *regtap.keys())


def are_defined(connection: Connection) -> bool:
    """Whether functions, rows and queue are those of this version of the code."""
    return queue.is_made(connection) and regtap.is_made(connection) and _are_described(connection)


def define(connection: Connection) -> None:
    """Create the functions and write the rows, and announce it, unless they are there."""
    queue.make(connection)
    regtap.make(connection)
    if _are_described(connection):
        return
    # every function is CREATE OR REPLACE; one whose signature changes is dropped by a migration.
    # Without parameters, psycopg takes the text as it is: several statements, percent signs and colons included
    connection.connection.cursor().execute(function_definitions())
    for entry in SCHEMAS:
        _upsert(connection, schema.schemas, "schema_name", _schema_row(entry))
    ids = {table.full_name: _describe_table(connection, table) for table in TABLES}
    connection.execute(delete(schema.keys).where(schema.keys.c.from_table.in_(ids.values())))
    for key in KEYS:
        _describe_key(connection, key, ids)
    _upsert(connection, schema.site, "key", {"key": DIGEST_KEY, "value": _digest()})
    bump_version(connection)


def read_digest(connection: Connection) -> str | None:
    """What the descriptions of the standard tables in the database are told by; None before they were written."""
    digest = connection.execute(select(schema.site.c.value).where(schema.site.c.key == DIGEST_KEY)).scalar()
    return None if digest is None else str(digest)


def _are_described(connection: Connection) -> bool:
    return read_digest(connection) == _digest()


def _describe_table(connection: Connection, table: Table) -> int:
    """Write a table's row and columns; its table_id."""
    row = _table_row(table)
    known = select(schema.tables.c.table_id).where(schema.tables.c.schema_name == table.schema, schema.tables.c.table_name == table.name)
    table_id = connection.execute(known).scalar()
    if table_id is None:
        table_id = connection.execute(schema.tables.insert().values(row).returning(schema.tables.c.table_id)).scalar_one()
    else:
        connection.execute(schema.tables.update().where(schema.tables.c.table_id == table_id).values(row))
        connection.execute(delete(schema.columns).where(schema.columns.c.table_id == table_id))
    rows = [{"table_id": table_id, "column_index": index, **column_row(column)} for index, column in enumerate(table.columns, 1)]
    connection.execute(schema.columns.insert(), rows)
    return int(table_id)


def _describe_key(connection: Connection, key: Key, ids: dict[str, int]) -> None:
    row = {"key_id": key.key_id, "description": key.description, "utype": key.utype}
    connection.execute(schema.keys.insert().values(row | {"from_table": ids[key.from_table], "target_table": ids[key.target_table]}))
    pairs = [
        {"key_id": key.key_id, "key_index": index, "from_column": source, "target_column": target}
        for index, (source, target) in enumerate(key.columns, 1)
    ]
    connection.execute(schema.key_columns.insert(), pairs)


def _schema_row(entry: Schema) -> dict[str, Any]:
    return {
        "schema_name": entry.name,
        "tap_name": adql_name(entry.name),
        "description": entry.description,
        "utype": entry.utype,
        "schema_index": entry.index,
    }


def _table_row(table: Table) -> dict[str, Any]:
    return {
        "schema_name": table.schema,
        "table_name": table.name,
        "tap_name": adql_table_name(table.schema, table.name),
        "table_type": table.kind,
        "title": table.title,
        "description": table.description,
        "utype": table.utype,
        "table_index": table.index,
        "physical": table.physical,
        "ra_column": table.position.ra if table.position else None,
        "dec_column": table.position.dec if table.position else None,
        "cell_indexed": bool(table.position and table.position.indexed),
        "footprint": asdict(table.footprint) if table.footprint else None,
    }


def _upsert(connection: Connection, table: Any, key: str, row: dict[str, Any]) -> None:
    statement = insert(table).values(row)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[key], set_={name: value for name, value in row.items() if name != key})
    )


def _digest() -> str:
    """Of everything that `define` writes."""
    content = [
        function_definitions(),
        [_schema_row(entry) for entry in SCHEMAS],
        [[_table_row(table), [column_row(column) for column in table.columns]] for table in TABLES],
        [asdict(key) for key in KEYS],
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
