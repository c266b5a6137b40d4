"""Tables and views that are in the database already, published where they are. Nothing of them is touched without consent."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import pyarrow
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from vo_server.db.addresses import masked
from vo_server.db.database import Database
from vo_server.db.roles import SCHEMAS, who
from vo_server.errors import DataError
from vo_server.formats.readers import Source
from vo_server.formats.readers.infer import with_id
from vo_server.model.columns import Column
from vo_server.publish.descriptor import Entry, read_entry
from vo_server.publish.flip import Flip, check_free, flip
from vo_server.publish.options import Published, PublishOptions, RecordRenderer, utc_now
from vo_server.publish.plan import RESERVED_SCHEMAS, Plan, plan_of
from vo_server.publish.survey import Survey
from vo_server.sql.literals import quote_identifier

SAMPLE_ROWS = 100_000
"""So many rows are looked at where names alone do not tell whether columns are positions."""

SERVED = {
    "bool": "boolean",
    "int2": "short",
    "int4": "int",
    "int8": "long",
    "float4": "float",
    "float8": "double",
    "numeric": "double",
    "text": "unicodeChar",
    "varchar": "unicodeChar",
    "bpchar": "unicodeChar",
    "name": "unicodeChar",
    "char": "unicodeChar",
    "citext": "unicodeChar",
    "uuid": "char",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
    "date": "timestamp",
}
"""PostgreSQL type → VOTable primitive (or ``timestamp``) under which it is served."""

FAITHFUL = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "timestamp")
"""Types that queries can use as they are; others are cast."""

KINDS = {"r": "table", "p": "table", "f": "table", "v": "view", "m": "view"}
"""pg_class.relkind → what TAP_SCHEMA calls it."""

RELATION = "SELECT c.oid, n.nspname, c.relname, c.relkind::text AS relkind, pg_catalog.obj_description(c.oid, 'pg_class') AS comment"
FOUND = f"{RELATION} FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(:name)"
NEIGHBOURS = (
    "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' "
    "AND n.nspname <> ALL (:ours) ORDER BY 1 LIMIT 20"
)
COLUMNS = """
    SELECT a.attname AS name, b.typname AS type, e.typname AS element, b.typtype = 'e' AS enumerated,
      format_type(a.atttypid, a.atttypmod) AS words,
      pg_catalog.col_description(a.attrelid, a.attnum) AS comment,
      EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum) AS indexed,
      EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND i.indkey::text = a.attnum::text) AS key
    FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
      LEFT JOIN pg_catalog.pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
    WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
BEHIND = """
    SELECT DISTINCT c.oid, n.nspname, c.relname, c.relkind::text AS relkind, NULL AS comment
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
      JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'm', 'p')
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE r.ev_class = :oid AND d.refclassid = 'pg_class'::regclass AND (
      SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN (:ra, :dec)) = 2
"""
"""The tables behind a view that have both columns of the position under the same names."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What the operator lets us do to somebody else's table: create its index, give users' queries the right to read it."""

    index: bool = False
    grant: bool = False


def publish_in_place(
    database: Database,
    name: str,
    options: PublishOptions,
    consent: Consent,
    *,
    records: RecordRenderer,
    clock: Callable[[], datetime] = utc_now,
) -> Published:
    """Publish the table or view `name` (``schema.table``), or the one that is the source of a descriptor.

    Statements that were not run for lack of consent are in the notes. DataError where users' queries could not read it.
    """
    descriptor = read_entry(Path(name), options.entry) if name.lower().endswith(".toml") else None
    target = descriptor.table.source if descriptor else name
    with database.publish_engine.connect() as connection:
        relation = _relation(connection, target)
        found = connection.execute(text(COLUMNS), {"oid": relation.oid}).all()
    notes = [_unserved(row) for row in found if _column(row) is None]
    served = {row: column for row in found if (column := _column(row)) is not None}
    if descriptor is not None and descriptor.table.only_described:
        served = {row: column for row, column in served.items() if column.name in descriptor.columns}
    if not served:
        raise DataError("it has no column of a type that can be served.", source=target)
    _readable(database, relation, consent, target)
    _no_new_index(descriptor, list(served.values()), target)
    source = Source(
        Path(target),
        relation.relname,
        tuple(served.values()),
        partial(sample_rows, database, _selected(relation, list(served), list(served.values()))),
        title=options.title or relation.relname,
        description=relation.comment,
        notes=tuple(notes),
    )
    own = None if relation.nspname in RESERVED_SCHEMAS else relation.nspname
    plan = plan_of(source, descriptor, options, schema=own, table=relation.relname)
    key = next((column.name for row, column in zip(served, plan.columns, strict=True) if row.key), None)
    columns = tuple(with_id(plan.columns, key)) if key and plan.id_column is None else plan.columns
    physical = _selected(relation, list(served), list(columns))
    with database.engine.connect() as connection:
        check_free(connection, plan, physical)
    survey = surveyed(database, plan, physical)
    indexed, told = _index(database, relation, plan, physical, list(served), consent)
    with database.engine.begin() as connection:
        replaced = flip(
            connection, Flip(plan, physical, None, survey.learned(key), columns, indexed, KINDS[relation.relkind]), records, clock()
        )
    return Published(
        plan.full_name, f"{plan.schema}/{plan.resource}", survey.rows, (*plan.notes, *told), replaced, plan.position is not None
    )


def _no_new_index(descriptor: Entry | None, columns: Sequence[Column], target: str) -> None:
    """DataError if the descriptor asks for an index that somebody else's table does not have."""
    for column in columns:
        section = descriptor.columns.get(column.name) if descriptor else None
        if section is not None and section.index and not column.indexed:
            raise DataError(
                "it has no index.", source=target, column=column.name, hint="The table's owner can create one; or drop the key `index`."
            )


def _relation(connection: Connection, name: str) -> Row[Any]:
    try:
        found = connection.execute(text(FOUND), {"name": name}).first()
    except DBAPIError as error:
        raise DataError(f"this is no name of a table: {str(error.orig).splitlines()[0]}.", source=name) from None
    if found is None:
        others = connection.execute(text(NEIGHBOURS), {"ours": list(SCHEMAS)}).scalars().all()
        raise DataError("there is no such table or view.", source=name, hint=f"There are: {', '.join(others) or 'none'}.")
    if found.relkind not in KINDS:
        raise DataError("it is neither a table nor a view.", source=name)
    if found.nspname in SCHEMAS or found.nspname.startswith("pg_"):
        raise DataError(f"the schema {found.nspname} belongs to this server or to PostgreSQL.", source=name)
    return found


def _column(row: Row[Any]) -> Column | None:
    """A column as it is served, None if its type cannot be."""
    kind = "char" if row.enumerated else SERVED.get(row.element or row.type)
    if kind is None or (row.element and kind in ("timestamp", "char", "unicodeChar")):
        return None
    size = "*" if row.element or kind in ("timestamp", "char", "unicodeChar") else None
    datatype, xtype = ("char", "timestamp") if kind == "timestamp" else (kind, None)
    return Column(row.name, datatype, size, xtype, description=row.comment, indexed=row.indexed)


def _unserved(row: Row[Any]) -> str:
    return f"the column {row.name} is of the type {row.words}, which cannot be served: it is left out"


def _qualified(relation: Row[Any]) -> str:
    return f"{quote_identifier(relation.nspname)}.{quote_identifier(relation.relname)}"


def _selected(relation: Row[Any], rows: list[Row[Any]], columns: list[Column]) -> str:
    """The table, or where columns have other names or types than they are served under, the query that gives them these."""
    if all(row.name == column.name and _faithful(row) for row, column in zip(rows, columns, strict=True)):
        return _qualified(relation)
    listed = ", ".join(f"{_value(row, column)} AS {quote_identifier(column.name)}" for row, column in zip(rows, columns, strict=True))
    return f"(SELECT {listed} FROM {_qualified(relation)} AS o)"  # noqa: S608 — quoted


def _faithful(row: Row[Any]) -> bool:
    return not row.enumerated and (row.element or row.type) in FAITHFUL


def _value(row: Row[Any], column: Column) -> str:
    name = f"o.{quote_identifier(row.name)}"
    return name if _faithful(row) else f"{name}::{column.sql_type}"


def _readable(database: Database, relation: Row[Any], consent: Consent, name: str) -> None:
    """See to it that users' queries may read the table; DataError with the statements that would allow it."""
    role = quote_identifier(database.query_role)
    needed = {
        f"GRANT USAGE ON SCHEMA {quote_identifier(relation.nspname)} TO {role}": "has_schema_privilege(:role, :schema, 'USAGE')",
        f"GRANT SELECT ON {_qualified(relation)} TO {role}": "has_table_privilege(:role, CAST(:oid AS oid), 'SELECT')",
    }
    with database.publish_engine.begin() as connection:
        login = who(connection).name
        keys = {"role": database.query_role, "schema": relation.nspname, "oid": relation.oid}
        missing = [grant for grant, test in needed.items() if not connection.execute(text(f"SELECT {test}"), keys).scalar_one()]
        statements = "".join(f"\n    {grant};" for grant in missing)
        if missing and not consent.grant:
            raise DataError("users' queries may not read it.", source=name, hint=f"Its owner can allow it, or --grant runs it:{statements}")
        try:
            for grant in missing:
                connection.exec_driver_sql(grant)
        except DBAPIError as error:
            raise DataError(
                f"{login} may not allow users' queries to read it ({str(error.orig).splitlines()[0]}).",
                source=name,
                hint=f"Its owner can:{statements}",
            ) from None


def sample_rows(database: Database, physical: str) -> Iterator[pyarrow.RecordBatch]:
    """Some rows of what can stand behind FROM."""
    return _stream(database, f"SELECT * FROM {physical} AS t LIMIT {SAMPLE_ROWS}")  # noqa: S608 — quoted


def _stream(database: Database, query: str) -> Iterator[pyarrow.RecordBatch]:
    with closing(adbc_driver_postgresql.dbapi.connect(database.publish_uri)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        yield from cursor.fetch_record_batch()


def surveyed(database: Database, plan: Plan, physical: str) -> Survey:
    """What is learned of the rows: how many, where, when. One pass over positions and times, of nothing else."""
    place = (plan.position.ra, plan.position.dec) if plan.position else None
    survey = Survey(place, plan.times)
    names = dict.fromkeys([*(place or ()), *(column.name for column in plan.times)])
    if not names:
        with database.publish_engine.connect() as connection:
            survey.rows = int(connection.exec_driver_sql(f"SELECT count(*) FROM {physical} AS t").scalar_one())  # noqa: S608 — quoted
        return survey
    listed = ", ".join(f"{quote_identifier(name)}::float8 AS {quote_identifier(name)}" for name in names)
    for batch in _stream(database, f"SELECT {listed} FROM {physical} AS t"):  # noqa: S608 — quoted
        survey.see(batch)
    return survey


# the index


def _index(
    database: Database, relation: Row[Any], plan: Plan, physical: str, rows: list[Row[Any]], consent: Consent
) -> tuple[bool, list[str]]:
    """Whether searches by position have an index, and what is to be said of it."""
    if plan.position is None:
        return False, []
    if _has_index(database, plan, physical):
        return True, []
    stored = {column.name: row.name for row, column in zip(rows, plan.columns, strict=True)}
    names = stored[plan.position.ra], stored[plan.position.dec]
    with database.publish_engine.connect() as connection:
        tables = [relation]
        if relation.relkind == "v":
            tables = list(connection.execute(text(BEHIND), {"oid": relation.oid, "ra": names[0], "dec": names[1]}).all())
    if len(tables) != 1 or relation.relkind == "f":
        return False, [f"searches by position read all rows: put an index on vo.healpix({names[0]}, {names[1]}) of the table behind it"]
    statements = _statements(tables[0], names)
    listed = "".join(f"\n    {statement};" for statement in statements)
    if not consent.index:
        return False, [f"searches by position read all rows until there is an index. Run this, or repeat with --index:{listed}"]
    _create(database, statements, plan, listed)
    return _has_index(database, plan, physical), [f"created the index for searches by position:{listed}"]


def _statements(table: Row[Any], names: tuple[str, str]) -> list[str]:
    """The index (not CONCURRENTLY on a partitioned table, which PostgreSQL does not allow), and the statistics of its expression."""
    how = "" if table.relkind == "p" else " CONCURRENTLY"
    index, target = quote_identifier(f"{table.relname[:50]}_vo_healpix"), _qualified(table)
    columns = ", ".join(map(quote_identifier, names))
    return [f"CREATE INDEX{how} {index} ON {target} (vo.healpix({columns}))", f"ANALYZE {target}"]


def _create(database: Database, statements: list[str], plan: Plan, listed: str) -> None:
    with database.publish_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            for statement in statements:
                connection.exec_driver_sql(statement)
        except DBAPIError as error:
            reason = masked(str(error.orig).strip().splitlines()[0])
            raise DataError(
                f"the index could not be created ({reason}).", source=str(plan.source.path), hint=f"The table's owner can run:{listed}"
            ) from None


def _has_index(database: Database, plan: Plan, physical: str) -> bool:
    """Whether PostgreSQL finds rows by the cells of their positions: it is asked, so that views and partitions are no special cases."""
    if plan.position is None:
        return False
    ra, dec = quote_identifier(plan.position.ra), quote_identifier(plan.position.dec)
    question = f"EXPLAIN SELECT 1 FROM {physical} AS t WHERE vo.healpix(t.{ra}, t.{dec}) BETWEEN 1 AND 2"  # noqa: S608 — quoted
    with database.publish_engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan_lines = connection.exec_driver_sql(question).scalars().all()
    return any("Index Cond" in line and "healpix(" in line for line in plan_lines)
