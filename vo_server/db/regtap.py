"""The relational registry in PostgreSQL: the schema ``rr``, filled from the records in the transaction that stores them (RegTAP 1.2).

The records are the truth and these rows follow from them, so the tables are made anew, and filled, whenever their definition changes:
they belong to the definitions, not to the migrations.
"""

import hashlib
import inspect
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from vo_registry.records import relational, relational_rows
from vo_server.db import schema
from vo_server.model import regtap
from vo_server.model.catalogue import Footprint, Key, Table
from vo_server.model.regtap import RegistryTable
from vo_server.sky.mocs import parse_moc

DIGEST_KEY = "regtap"
CELLS = "stc_spatial_cells"
"""The cells of stc_spatial.coverage, which queries never see."""

NAMES = (*(table.name for table in regtap.TABLES), CELLS)
"""All tables, that of the records first."""

COVERAGE = Footprint("coverage", None, f"{regtap.SCHEMA}.{CELLS}", "ivoid")

BATCH = 200
"""Records read at once when the tables are filled anew."""

INDEXES = (
    ("res_subject", "lower(res_subject)"),
    ("capability", "standard_id"),
    ("relationship", "related_id"),
    ("res_table", "table_utype"),
    ("res_detail", "detail_xpath"),
    ("table_column", "ucd text_pattern_ops"),
    (CELLS, "lo, hi"),
)
"""What RegTAP advises to index, beside keys."""

TAP_TABLE = """
CREATE VIEW rr.tap_table AS
WITH queried AS (
  SELECT t.ivoid, t.table_name, t.table_title, t.table_description, t.table_utype
  FROM rr.res_table AS t WHERE t.table_type IS DISTINCT FROM 'output'),
services AS (SELECT DISTINCT ivoid FROM rr.capability WHERE standard_id = 'ivo://ivoa.net/std/tap'),
of_resources AS (
  SELECT DISTINCT ON (r.related_id, q.table_name)
    q.ivoid AS resid, r.related_id AS svcid, q.table_name, q.table_title, q.table_description, q.table_utype
  FROM queried AS q
  JOIN rr.capability AS c ON c.ivoid = q.ivoid AND c.standard_id = 'ivo://ivoa.net/std/tap#aux'
  JOIN rr.relationship AS r ON r.ivoid = q.ivoid AND r.relationship_type = 'isservedby'
  JOIN services AS s ON s.ivoid = r.related_id
  ORDER BY r.related_id, q.table_name, q.ivoid)
SELECT * FROM of_resources
UNION ALL
SELECT q.ivoid, q.ivoid, q.table_name, q.table_title, q.table_description, q.table_utype
FROM queried AS q JOIN services AS s ON s.ivoid = q.ivoid
WHERE NOT EXISTS (SELECT FROM of_resources AS o WHERE o.svcid = q.ivoid AND o.table_name = q.table_name)
"""
"""Each table that TAP serves once, with the record that describes it best: a resource's own before the service's (RegTAP 1.2 §8.18)."""


def tables() -> tuple[Table, ...]:
    """The tables as the catalogue has them."""
    return tuple(
        Table(
            schema=regtap.SCHEMA,
            name=table.name,
            physical=f"{regtap.SCHEMA}.{table.name}",
            columns=table.columns,
            kind="view" if table is regtap.TAP_TABLE else "table",
            description=table.description,
            utype=table.utype,
            index=index,
            footprint=COVERAGE if table.name == "stc_spatial" else None,
        )
        for index, table in enumerate((*regtap.TABLES, regtap.TAP_TABLE), 1)
    )


def keys() -> tuple[Key, ...]:
    """Every table refers to the record of its rows."""
    name = f"{regtap.SCHEMA}.{regtap.RESOURCE.name}"
    return tuple(
        Key(f"{regtap.SCHEMA}.{table.name}.ivoid", f"{regtap.SCHEMA}.{table.name}", name, (("ivoid", "ivoid"),), "Record of a row")
        for table in regtap.TABLES
        if table is not regtap.RESOURCE
    )


def is_made(connection: Connection) -> bool:
    """Whether the tables are there as this code wants them."""
    return connection.execute(select(schema.site.c.value).where(schema.site.c.key == DIGEST_KEY)).scalar() == _digest()


def make(connection: Connection) -> None:
    """Make the tables anew and fill them, unless they are as this code wants them."""
    if is_made(connection):
        return
    for statement in _definitions():
        connection.execute(text(statement))
    for records in _all_records(connection):
        _insert(connection, records)
    row = insert(schema.site).values(key=DIGEST_KEY, value=_digest())
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))


def store_rows(connection: Connection, records: Mapping[str, str]) -> None:
    """Make the rows of `records`, ivo_vor by identifier, what these say."""
    forget_rows(connection, records)
    _insert(connection, records.values())


def forget_rows(connection: Connection, identifiers: Iterable[str]) -> None:
    """Take out all rows of these records.

    No foreign key does it: with one, each row that comes would be looked up, and each record that goes would be looked for in every
    table. Only this module writes here, one process at a time (`records.lock_records`).
    """
    lower = [identifier.lower() for identifier in identifiers]
    known = connection.execute(text("SELECT ivoid FROM rr.resource WHERE ivoid = ANY(:ivoids)"), {"ivoids": lower}).scalars().all()
    if known:
        for name in NAMES:
            connection.execute(text(f"DELETE FROM rr.{name} WHERE ivoid = ANY(:ivoids)"), {"ivoids": list(known)})  # noqa: S608


def _insert(connection: Connection, records: Iterable[str]) -> None:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        for name, more in relational_rows(record).items():
            rows[name] += more
    rows[CELLS] = [
        {"ivoid": row["ivoid"], "lo": low, "hi": high} for row in rows["stc_spatial"] for low, high in parse_moc(row["coverage"] or "")
    ]
    cursor = connection.connection.cursor()
    for name in NAMES:
        if rows[name]:
            columns = list(rows[name][0])
            names = SQL(", ").join(map(Identifier, columns))
            with cursor.copy(SQL("COPY rr.{} ({}) FROM STDIN").format(Identifier(name), names)) as copy:
                for row in rows[name]:
                    copy.write_row([row[column] for column in columns])


def _all_records(connection: Connection) -> Iterator[list[str]]:
    """The texts of all records, in batches."""
    last = ""
    while True:
        query = select(schema.records.c.identifier, schema.records.c.ivo_vor).where(schema.records.c.identifier > last)
        found = connection.execute(query.order_by(schema.records.c.identifier).limit(BATCH)).all()
        if not found:
            return
        last = found[-1].identifier
        yield [row.ivo_vor for row in found if row.ivo_vor is not None]


def _definitions() -> list[str]:
    return [
        "DROP VIEW IF EXISTS rr.tap_table",
        *(f"DROP TABLE IF EXISTS rr.{name} CASCADE" for name in NAMES),
        *(_create_table(table) for table in regtap.TABLES),
        f"CREATE TABLE rr.{CELLS} (ivoid text NOT NULL, lo bigint NOT NULL, hi bigint NOT NULL)",
        *(f"CREATE INDEX ON rr.{name} (ivoid)" for name in NAMES[1:]),
        *(f"CREATE INDEX ON rr.{name} ({columns})" for name, columns in INDEXES),
        TAP_TABLE,
    ]


def _create_table(table: RegistryTable) -> str:
    columns = [f'"{column.name}" {column.sql_type}' for column in table.columns]
    columns[0] += " PRIMARY KEY" if table is regtap.RESOURCE else " NOT NULL"
    return f"CREATE TABLE rr.{table.name} ({', '.join(columns)})"


def _digest() -> str:
    """Of the tables, and of how records become rows."""
    fields = [asdict(table) for table in regtap.TABLES]
    content = [_definitions(), fields, regtap.ROLES, regtap.DETAILS, inspect.getsource(relational)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
