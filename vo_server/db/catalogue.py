"""The catalogue in PostgreSQL: read whole as one snapshot, versioned, its changes announced to every process."""

import logging
import secrets
from collections import defaultdict
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, cast, delete, func, select, true
from sqlalchemy.dialects.postgresql import array, insert

from vo_server.db import schema
from vo_server.db.views import with_views
from vo_server.errors import VoError
from vo_server.model.catalogue import Catalogue, Footprint, Key, Position, Schema, Table
from vo_server.model.columns import Column, Group
from vo_server.model.holdings import Holdings, Kind, Product
from vo_server.model.names import adql_name
from vo_server.model.resource import Resource, Site

LOG = logging.getLogger(__name__)
CHANNEL = "vo_catalogue"
VIEW = "view"
"""Key of a table's origin: the ADQL query that it shows."""

VERSION_KEY = "version"
SITE_KEY = "site"
ADDRESS_KEY = "address"
FINGERPRINT_KEY = "records"
SIGNING_KEY = "signing_key"

MOST_KINDS = 1000
"""Kinds of datasets that are told apart: lists for people to choose from are no longer than that."""

RESOURCE_JSON = TypeAdapter(Resource)
SITE_JSON = TypeAdapter(Site)


def bump_version(connection: Connection) -> int:
    """Count the catalogue's version up and announce it; both take effect when the transaction commits."""
    row = insert(schema.site).values(key=VERSION_KEY, value=1)
    row = row.on_conflict_do_update(index_elements=["key"], set_={"value": func.to_jsonb(cast(schema.site.c.value, Integer) + 1)})
    version = int(connection.execute(row.returning(schema.site.c.value)).scalar_one())
    connection.execute(select(func.pg_notify(CHANNEL, str(version))))
    return version


def read_version(connection: Connection) -> int:
    """The version of what is published now; 0 before anything was."""
    return int(connection.execute(select(schema.site.c.value).where(schema.site.c.key == VERSION_KEY)).scalar() or 0)


def load_catalogue(connection: Connection, only: str | None = None) -> Catalogue:
    """Everything published, in the order of schema_index, table_index and name. The connection's transaction should be repeatable read.

    `only` is the id of a resource: its tables, and those that standards define, for what is said of them.
    """
    if only is not None:
        return _stored(connection, schema.tables.c.resource_id.is_(None) | schema.tables.c.resource_id.in_(_ids(only)))
    catalogue, faults = with_views(_stored(connection))
    for name, fault in faults.items():  # publishing and retracting see to it that there are none
        LOG.error("the view %s is left out: %s", name, fault)
    return catalogue


def broken_views(connection: Connection) -> dict[str, VoError]:
    """The views that cannot be made of what is in the catalogue now, and why."""
    tables = schema.tables.c
    if connection.execute(select(tables.table_id).where(tables.origin.has_key(VIEW)).limit(1)).first() is None:
        return {}
    return with_views(_stored(connection))[1]


def _stored(connection: Connection, wanted: ColumnElement[bool] | None = None) -> Catalogue:
    """The catalogue as its tables say it, of all tables or of those `wanted`."""
    columns: dict[int, list[Column]] = defaultdict(list)
    described = select(schema.columns).order_by(schema.columns.c.table_id, schema.columns.c.column_index)
    if wanted is not None:
        described = described.where(schema.columns.c.table_id.in_(select(schema.tables.c.table_id).where(wanted)))
    for row in connection.execute(described):
        columns[row.table_id].append(_column(row))
    source = schema.tables.outerjoin(schema.resources, schema.tables.c.resource_id == schema.resources.c.resource_id).join(
        schema.schemas, schema.tables.c.schema_name == schema.schemas.c.schema_name
    )
    rows = connection.execute(
        select(schema.tables, (schema.resources.c.schema_name + "/" + schema.resources.c.name).label("resource"))
        .select_from(source)
        .where(true() if wanted is None else wanted)
        .order_by(
            schema.schemas.c.schema_index.nulls_first(),
            schema.tables.c.schema_name,
            schema.tables.c.table_index.nulls_last(),
            schema.tables.c.table_name,
        )
    ).all()
    tables = {row.table_id: _table(row, tuple(columns[row.table_id])) for row in rows}
    return Catalogue(read_version(connection), _schemas(connection), tuple(tables.values()), _keys(connection, tables))


def load_resources(connection: Connection, only: str | None = None) -> tuple[Resource, ...]:
    """All resources that are not retracted, in order of their ids; or the one of the id `only`, if it is not."""
    chosen = select(schema.resources.c.body).where(~schema.resources.c.retracted)
    if only is not None:
        chosen = chosen.where(schema.resources.c.resource_id.in_(_ids(only)))
    rows = connection.execute(chosen.order_by(schema.resources.c.schema_name, schema.resources.c.name))
    return tuple(RESOURCE_JSON.validate_python(body) for (body,) in rows)


def count_resources(connection: Connection) -> int:
    """How many resources are not retracted."""
    return int(connection.execute(select(func.count()).select_from(schema.resources).where(~schema.resources.c.retracted)).scalar_one())


def _ids(resource: str) -> Select[Any]:
    """The key of a resource, from its id ``schema/name``."""
    schema_name, _, name = resource.partition("/")
    return select(schema.resources.c.resource_id).where(schema.resources.c.schema_name == schema_name, schema.resources.c.name == name)


def load_site(connection: Connection) -> Site:
    """Who publishes; the marked example authority until an operator says otherwise."""
    value = connection.execute(select(schema.site.c.value).where(schema.site.c.key == SITE_KEY)).scalar()
    return SITE_JSON.validate_python(value) if value is not None else Site()


def load_holdings(connection: Connection) -> Holdings:
    """What datasets there are, at most MOST_KINDS kinds of them."""
    row = schema.obscore.c
    alike = (row.dataproduct_type, row.obs_collection, row.facility_name, row.instrument_name, row.access_format)
    place = func.min(array([row.s_ra, row.s_dec])).filter(row.s_ra.is_not(None), row.s_dec.is_not(None))
    query = select(*alike, place).group_by(*alike).order_by(*alike).limit(MOST_KINDS)
    return Holdings(tuple(Kind(*words, *(place or (None, None))) for *words, place in connection.execute(query)))


def load_products(connection: Connection) -> dict[str, frozenset[Product]]:
    """What the datasets of each resource are, by the resource's id."""
    resources, product = schema.resources.c, (schema.obscore.c.dataproduct_type, schema.obscore.c.access_format)
    name = resources.schema_name + "/" + resources.name
    source = schema.obscore.join(schema.collections, schema.obscore.c.collection == schema.collections.c.collection).join(
        schema.resources, schema.collections.c.resource_id == resources.resource_id
    )
    found: dict[str, set[Product]] = defaultdict(set)
    for resource, *words in connection.execute(select(name, *product).select_from(source).distinct()):
        found[resource].add(Product(*words))
    return {resource: frozenset(products) for resource, products in found.items()}


def store_site(connection: Connection, site: Site) -> None:
    """Remember who publishes, and announce it."""
    row = insert(schema.site).values(key=SITE_KEY, value=SITE_JSON.dump_python(site, mode="json"))
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))
    bump_version(connection)


def read_fingerprint(connection: Connection) -> str | None:
    """What all records were last rendered from (`app.fingerprint`)."""
    value = connection.execute(select(schema.site.c.value).where(schema.site.c.key == FINGERPRINT_KEY)).scalar()
    return str(value) if value is not None else None


def store_fingerprint(connection: Connection, fingerprint: str) -> None:
    """Remember what all records were rendered from."""
    row = insert(schema.site).values(key=FINGERPRINT_KEY, value=fingerprint)
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))


def forget_fingerprint(connection: Connection) -> None:
    """Let whoever publishes or serves next render all records."""
    connection.execute(delete(schema.site).where(schema.site.c.key == FINGERPRINT_KEY))


def store_address(connection: Connection, public_url: str) -> None:
    """Remember the public address of the server that now serves this database, for programs that publish beside it."""
    row = insert(schema.site).values(key=ADDRESS_KEY, value=public_url)
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))


def read_address(connection: Connection) -> str | None:
    """The public address under which this database was last served."""
    value = connection.execute(select(schema.site.c.value).where(schema.site.c.key == ADDRESS_KEY)).scalar()
    return str(value) if value is not None else None


def read_secret(connection: Connection) -> str:
    """A secret of this database's servers, made at its first use."""
    connection.execute(insert(schema.site).values(key=SIGNING_KEY, value=secrets.token_hex(32)).on_conflict_do_nothing())
    return str(connection.execute(select(schema.site.c.value).where(schema.site.c.key == SIGNING_KEY)).scalar_one())


def column_row(column: Column) -> dict[str, Any]:
    """The values of a row of ``vo.columns`` for `column`, its table and place apart."""
    same = {name: getattr(column, name) for name in SAME}
    flags = {name: int(getattr(column, name)) for name in ("indexed", "principal", "std")}
    name, description = (column.group.name, column.group.description) if column.group else (None, None)
    group = {"group_name": name, "group_description": description}
    return {"column_name": column.name, "tap_name": adql_name(column.name), **same, **flags, **group}


SAME = ("datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description", "frame", "epoch")
"""Attributes of a column that are stored as they are."""


def _column(row: Row[Any]) -> Column:
    return Column(
        row.column_name,
        row.datatype,
        row.arraysize,
        row.xtype,
        row.unit,
        row.ucd,
        row.utype,
        row.description,
        bool(row.indexed),
        bool(row.principal),
        bool(row.std),
        row.frame,
        row.epoch,
        Group(row.group_name, row.group_description) if row.group_name else None,
    )


def _position(row: Row[Any]) -> Position:
    """A table of somebody else (without a load) has an index on a function instead of a column of cells."""
    computed = row.cell_indexed and row.load_id is None and _view(row) is None
    return Position(row.ra_column, row.dec_column, row.cell_indexed, computed=computed)


def _view(row: Row[Any]) -> str | None:
    """The query that a table shows."""
    return (row.origin or {}).get(VIEW)


def _table(row: Row[Any], columns: tuple[Column, ...]) -> Table:
    loaded: datetime | None = row.loaded
    return Table(
        schema=row.schema_name,
        name=row.table_name,
        physical=row.physical,
        columns=columns,
        kind=row.table_type,
        title=row.title,
        description=row.description,
        utype=row.utype,
        index=row.table_index,
        nrows=row.nrows,
        position=_position(row) if row.ra_column and row.dec_column else None,
        footprint=Footprint(**row.footprint) if row.footprint else None,
        resource=row.resource,
        datetime_loaded=loaded,
        view=_view(row),
    )


def _schemas(connection: Connection) -> tuple[Schema, ...]:
    rows = connection.execute(select(schema.schemas).order_by(schema.schemas.c.schema_index.nulls_first(), schema.schemas.c.schema_name))
    return tuple(Schema(row.schema_name, row.description, row.utype, row.schema_index) for row in rows)


def _keys(connection: Connection, tables: dict[int, Table]) -> tuple[Key, ...]:
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in connection.execute(select(schema.key_columns).order_by(schema.key_columns.c.key_id, schema.key_columns.c.key_index)):
        pairs[row.key_id].append((row.from_column, row.target_column))
    return tuple(
        Key(
            row.key_id,
            tables[row.from_table].full_name,
            tables[row.target_table].full_name,
            tuple(pairs[row.key_id]),
            row.description,
            row.utype,
        )
        for row in connection.execute(select(schema.keys).order_by(schema.keys.c.key_id))
        if row.from_table in tables and row.target_table in tables
    )
