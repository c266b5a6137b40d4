"""First light: the catalogue, resources and records, ObsCore, and the views through which users see them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TAP_SCHEMA = """
CREATE VIEW tap_schema.schemas AS
SELECT tap_name AS schema_name, utype, description, schema_index
FROM vo.schemas;

CREATE VIEW tap_schema.tables AS
SELECT
    s.tap_name AS schema_name, t.tap_name AS table_name, t.table_type, t.utype,
    coalesce(t.description, t.title) AS description, t.table_index
FROM vo.tables AS t JOIN vo.schemas AS s USING (schema_name);

CREATE VIEW tap_schema.columns AS
SELECT
    t.tap_name AS table_name, c.tap_name AS column_name, c.datatype, c.arraysize, c.xtype,
    CASE WHEN c.arraysize ~ '^[0-9]{1,9}$' THEN c.arraysize::integer END AS size,
    c.description, c.utype, c.unit, c.ucd,
    c.indexed::integer AS indexed, c.principal::integer AS principal, c.std::integer AS std, c.column_index
FROM vo.columns AS c JOIN vo.tables AS t USING (table_id);

CREATE VIEW tap_schema.keys AS
SELECT k.key_id, f.tap_name AS from_table, t.tap_name AS target_table, k.description, k.utype
FROM vo.keys AS k JOIN vo.tables AS f ON f.table_id = k.from_table JOIN vo.tables AS t ON t.table_id = k.target_table;

CREATE VIEW tap_schema.key_columns AS
SELECT p.key_id, coalesce(f.tap_name, p.from_column) AS from_column, coalesce(t.tap_name, p.target_column) AS target_column
FROM vo.key_columns AS p JOIN vo.keys AS k USING (key_id)
LEFT JOIN vo.columns AS f ON f.table_id = k.from_table AND f.column_name = p.from_column
LEFT JOIN vo.columns AS t ON t.table_id = k.target_table AND t.column_name = p.target_column;
"""
"""TAP 1.1 §4. The views run as their owner, so users read through them what they may not read itself."""

OBSCORE = """
CREATE VIEW ivoa.obscore AS
SELECT
    dataproduct_type, calib_level, obs_collection, obs_id, obs_publisher_did,
    CASE WHEN access_path ~ '^[A-Za-z][A-Za-z0-9+.-]*:' THEN access_path
         ELSE coalesce(current_setting('vo.public_url', true), '') || access_path END AS access_url,
    access_format, access_estsize, target_name, s_ra, s_dec, s_fov, s_region, s_resolution, s_xel1, s_xel2,
    t_min, t_max, t_exptime, t_resolution, t_xel, em_min, em_max, em_res_power, em_xel, o_ucd, pol_states, pol_xel,
    facility_name, instrument_name,
    dataproduct_subtype, obs_title, s_pixel_scale, obs_release_date, data_rights,
    obs_key, shape
FROM vo_data.obscore;
"""
"""ObsCore 1.1 §4. A relative access_path begins with a slash; obs_key and shape serve regions and are never listed."""


def upgrade() -> None:
    """Everything; the schemas themselves exist already, because `vo db init` needs rights to make them."""
    _create_resources()
    _create_catalogue()
    _create_datasets()
    for views in (TAP_SCHEMA, OBSCORE):
        op.get_bind().exec_driver_sql(views)


def _create_resources() -> None:
    """Resources, registry records, and what is true of the whole site."""
    op.create_table(
        "records",
        sa.Column("identifier", sa.Text(), nullable=False, comment="ivoid"),
        sa.Column("datestamp", sa.DateTime(timezone=True), nullable=False, comment="moves exactly when the content changes"),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("ivo_vor", sa.Text(), comment="the record as XML; null when deleted"),
        sa.Column("oai_dc", sa.Text(), comment="the record as Dublin Core; null when deleted"),
        sa.PrimaryKeyConstraint("identifier", name="records_pkey"),
        schema="vo",
        comment="registry records",
    )
    op.create_index("records_datestamp", "records", ["datestamp", "identifier"], unique=False, schema="vo")
    op.create_table(
        "resources",
        sa.Column("resource_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", JSONB(), nullable=False, comment="model.resource.Resource as JSON"),
        sa.Column("descriptor", JSONB(), comment="the TOML descriptor that the operator gave"),
        sa.Column("retracted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", name="resources_pkey"),
        sa.UniqueConstraint("schema_name", "name", name="resources_schema_name_name_key"),
        schema="vo",
        comment="published resources",
    )
    op.create_table(
        "site",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="site_pkey"),
        schema="vo",
        comment="what is true of the whole site: publisher, authority, catalogue version",
    )


def _create_catalogue() -> None:
    """What TAP_SCHEMA shows, and the loads behind it."""
    op.create_table(
        "loads",
        sa.Column("load_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("physical", sa.Text(), nullable=False, comment="quoted and qualified"),
        sa.Column("state", sa.Text(), server_default="loading", nullable=False, comment="loading, live, retired, failed"),
        sa.Column("started", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("retired", sa.DateTime(timezone=True)),
        sa.Column("owner_pid", sa.Integer(), comment="PostgreSQL backend of the loader: a load whose backend is gone was abandoned"),
        sa.PrimaryKeyConstraint("load_id", name="loads_pkey"),
        schema="vo",
        comment="physical tables, one a load",
    )
    op.create_table(
        "schemas",
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("tap_name", sa.Text(), nullable=False, comment="as typed in ADQL: model.names.adql_name"),
        sa.Column("description", sa.Text()),
        sa.Column("utype", sa.Text()),
        sa.Column("schema_index", sa.Integer()),
        sa.PrimaryKeyConstraint("schema_name", name="schemas_pkey"),
        schema="vo",
        comment="schemas of TAP_SCHEMA",
    )
    op.create_table(
        "tables",
        sa.Column("table_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("resource_id", sa.Integer()),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False, comment="bare spelling"),
        sa.Column("tap_name", sa.Text(), nullable=False, comment="schema.table as typed in ADQL: model.names.adql_table_name"),
        sa.Column("table_type", sa.Text(), server_default="table", nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("utype", sa.Text()),
        sa.Column("table_index", sa.Integer()),
        sa.Column("physical", sa.Text(), nullable=False, comment="SQL name the translator writes, quoted and qualified"),
        sa.Column("load_id", sa.Integer(), comment="the load it shows; null for views and tables of others"),
        sa.Column("nrows", sa.BigInteger()),
        sa.Column("loaded", sa.DateTime(timezone=True)),
        sa.Column("ra_column", sa.Text()),
        sa.Column("dec_column", sa.Text()),
        sa.Column(
            "cell_indexed",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="the physical table carries _hpx29 for ra_column, dec_column",
        ),
        sa.Column("footprint", JSONB(), comment="model.catalogue.Footprint as JSON"),
        sa.ForeignKeyConstraint(["load_id"], ["vo.loads.load_id"], name="tables_load_id_fkey"),
        sa.ForeignKeyConstraint(["resource_id"], ["vo.resources.resource_id"], name="tables_resource_id_fkey"),
        sa.ForeignKeyConstraint(["schema_name"], ["vo.schemas.schema_name"], name="tables_schema_name_fkey"),
        sa.PrimaryKeyConstraint("table_id", name="tables_pkey"),
        schema="vo",
        comment="published tables",
    )
    op.create_index(
        "tables_name_key",
        "tables",
        [sa.literal_column("lower(schema_name)"), sa.literal_column("lower(table_name)")],
        unique=True,
        schema="vo",
    )
    op.create_table(
        "columns",
        sa.Column("table_id", sa.Integer(), nullable=False),
        sa.Column("column_index", sa.Integer(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False, comment="bare spelling"),
        sa.Column("tap_name", sa.Text(), nullable=False, comment="as typed in ADQL: model.names.adql_name"),
        sa.Column("datatype", sa.Text(), nullable=False),
        sa.Column("arraysize", sa.Text()),
        sa.Column("xtype", sa.Text()),
        sa.Column("unit", sa.Text()),
        sa.Column("ucd", sa.Text()),
        sa.Column("utype", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("indexed", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("principal", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("std", sa.SmallInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["table_id"], ["vo.tables.table_id"], name="columns_table_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("table_id", "column_index", name="columns_pkey"),
        schema="vo",
        comment="columns of published tables",
    )
    op.create_table(
        "keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("from_table", sa.Integer(), nullable=False),
        sa.Column("target_table", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("utype", sa.Text()),
        sa.ForeignKeyConstraint(["from_table"], ["vo.tables.table_id"], name="keys_from_table_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["target_table"], ["vo.tables.table_id"], name="keys_target_table_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_id", name="keys_pkey"),
        schema="vo",
        comment="foreign keys of TAP_SCHEMA",
    )
    op.create_table(
        "key_columns",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("key_index", sa.Integer(), nullable=False),
        sa.Column("from_column", sa.Text(), nullable=False),
        sa.Column("target_column", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["vo.keys.key_id"], name="key_columns_key_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_id", "key_index", name="key_columns_pkey"),
        schema="vo",
        comment="columns of foreign keys",
    )


def _create_datasets() -> None:
    """Files, their ObsCore rows and the cells of their footprints."""
    op.create_table(
        "collections",
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False, comment="directory whose files are served under /files/<collection>/"),
        sa.Column("resource_id", sa.Integer()),
        sa.ForeignKeyConstraint(["resource_id"], ["vo.resources.resource_id"], name="collections_resource_id_fkey"),
        sa.PrimaryKeyConstraint("collection", name="collections_pkey"),
        schema="vo",
        comment="directories of datasets",
    )
    op.create_table(
        "obscore",
        sa.Column("obs_key", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("access_path", sa.Text(), comment="below the public URL, or an absolute address"),
        sa.Column("shape", sa.ARRAY(sa.Double()), comment="3 numbers: circle; more: polygon, counter-clockwise; ICRS degrees"),
        sa.Column("dataproduct_type", sa.Text()),
        sa.Column("dataproduct_subtype", sa.Text()),
        sa.Column("calib_level", sa.Integer(), nullable=False),
        sa.Column("obs_collection", sa.Text(), nullable=False),
        sa.Column("obs_id", sa.Text(), nullable=False),
        sa.Column("obs_publisher_did", sa.Text(), nullable=False),
        sa.Column("obs_title", sa.Text()),
        sa.Column("access_format", sa.Text()),
        sa.Column("access_estsize", sa.BigInteger()),
        sa.Column("target_name", sa.Text()),
        sa.Column("s_ra", sa.Double()),
        sa.Column("s_dec", sa.Double()),
        sa.Column("s_fov", sa.Double()),
        sa.Column("s_region", sa.Text()),
        sa.Column("s_resolution", sa.Double()),
        sa.Column("s_xel1", sa.BigInteger()),
        sa.Column("s_xel2", sa.BigInteger()),
        sa.Column("s_pixel_scale", sa.Double()),
        sa.Column("t_min", sa.Double()),
        sa.Column("t_max", sa.Double()),
        sa.Column("t_exptime", sa.Double()),
        sa.Column("t_resolution", sa.Double()),
        sa.Column("t_xel", sa.BigInteger()),
        sa.Column("em_min", sa.Double()),
        sa.Column("em_max", sa.Double()),
        sa.Column("em_res_power", sa.Double()),
        sa.Column("em_xel", sa.BigInteger()),
        sa.Column("o_ucd", sa.Text()),
        sa.Column("pol_states", sa.Text()),
        sa.Column("pol_xel", sa.BigInteger()),
        sa.Column("facility_name", sa.Text()),
        sa.Column("instrument_name", sa.Text()),
        sa.Column("obs_release_date", sa.DateTime()),
        sa.Column("data_rights", sa.Text()),
        sa.ForeignKeyConstraint(["collection"], ["vo.collections.collection"], name="obscore_collection_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("obs_key", name="obscore_pkey"),
        sa.UniqueConstraint("obs_publisher_did", name="obscore_obs_publisher_did_key"),
        schema="vo_data",
        comment="datasets; users see the view ivoa.obscore",
    )
    op.create_table(
        "obscore_cells",
        sa.Column("obs_key", sa.BigInteger(), nullable=False),
        sa.Column("lo", sa.BigInteger(), nullable=False),
        sa.Column("hi", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["obs_key"], ["vo_data.obscore.obs_key"], name="obscore_cells_obs_key_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("obs_key", "lo", name="obscore_cells_pkey"),
        schema="vo_data",
        comment="footprints as closed ranges of order-29 HEALPix cells",
    )
    op.create_index("obscore_cells_range", "obscore_cells", ["lo", "hi"], unique=False, schema="vo_data")
    # ### end Alembic commands ###
