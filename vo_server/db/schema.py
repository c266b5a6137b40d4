"""The tables of our own in PostgreSQL, as SQLAlchemy Core; ``migrations`` makes them, and a test compares the two.

Three schemas: ``vo`` (catalogue, loads, datasets, records, jobs: ours alone), ``vo_data`` (the physical tables that publishing loads) and
``tap_schema`` / ``ivoa`` (views for users). The query role may read ``vo_data``, ``tap_schema`` and ``ivoa``, and nothing of ``vo``.
A fourth, ``vo_queue``, holds the queue of jobs: ``db.queue`` makes it.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

resources = Table(
    "resources",
    metadata,
    Column("resource_id", Integer, Identity(always=True), primary_key=True),
    Column("schema_name", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("body", JSONB, nullable=False, comment="model.resource.Resource as JSON"),
    Column("descriptor", JSONB, comment="the TOML descriptor that the operator gave"),
    Column("retracted", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("schema_name", "name"),
    schema="vo",
    comment="published resources",
)

schemas = Table(
    "schemas",
    metadata,
    Column("schema_name", Text, primary_key=True),
    Column("tap_name", Text, nullable=False, comment="as typed in ADQL: model.names.adql_name"),
    Column("description", Text),
    Column("utype", Text),
    Column("schema_index", Integer),
    schema="vo",
    comment="schemas of TAP_SCHEMA",
)

tables = Table(
    "tables",
    metadata,
    Column("table_id", Integer, Identity(always=True), primary_key=True),
    Column("resource_id", Integer, ForeignKey("vo.resources.resource_id")),
    Column("schema_name", Text, ForeignKey("vo.schemas.schema_name"), nullable=False),
    Column("table_name", Text, nullable=False, comment="bare spelling"),
    Column("tap_name", Text, nullable=False, comment="schema.table as typed in ADQL: model.names.adql_table_name"),
    Column("table_type", Text, nullable=False, server_default="table"),
    Column("title", Text),
    Column("description", Text),
    Column("utype", Text),
    Column("table_index", Integer),
    Column("physical", Text, nullable=False, comment="SQL name the translator writes, quoted and qualified"),
    Column("load_id", Integer, ForeignKey("vo.loads.load_id"), comment="the load it shows; null for views and tables of others"),
    Column("nrows", BigInteger),
    Column("loaded", DateTime(timezone=True)),
    Column("ra_column", Text),
    Column("dec_column", Text),
    Column(
        "cell_indexed",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="the physical table carries _hpx29 for ra_column, dec_column",
    ),
    Column("footprint", JSONB, comment="model.catalogue.Footprint as JSON"),
    Column("origin", JSONB, comment="publish.origin: the file and what was read of it"),
    Column("learned", JSONB, comment="publish.survey.Learned as JSON"),
    schema="vo",
    comment="published tables",
)
Index("tables_name_key", func.lower(tables.c.schema_name), func.lower(tables.c.table_name), unique=True)

columns = Table(
    "columns",
    metadata,
    Column("table_id", Integer, ForeignKey("vo.tables.table_id", ondelete="CASCADE"), primary_key=True),
    Column("column_index", Integer, primary_key=True),
    Column("column_name", Text, nullable=False, comment="bare spelling"),
    Column("tap_name", Text, nullable=False, comment="as typed in ADQL: model.names.adql_name"),
    Column("datatype", Text, nullable=False),
    Column("arraysize", Text),
    Column("xtype", Text),
    Column("unit", Text),
    Column("ucd", Text),
    Column("utype", Text),
    Column("description", Text),
    Column("indexed", SmallInteger, nullable=False, server_default="0"),
    Column("principal", SmallInteger, nullable=False, server_default="0"),
    Column("std", SmallInteger, nullable=False, server_default="0"),
    Column("frame", Text, comment="word of the vocabulary refframe"),
    Column("epoch", Text, comment="instant of the coordinates: J1991.25"),
    Column("group_name", Text, comment="what the column belongs to, together with others"),
    Column("group_description", Text),
    schema="vo",
    comment="columns of published tables",
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("from_table", Integer, ForeignKey("vo.tables.table_id", ondelete="CASCADE"), nullable=False),
    Column("target_table", Integer, ForeignKey("vo.tables.table_id", ondelete="CASCADE"), nullable=False),
    Column("description", Text),
    Column("utype", Text),
    schema="vo",
    comment="foreign keys of TAP_SCHEMA",
)

key_columns = Table(
    "key_columns",
    metadata,
    Column("key_id", Text, ForeignKey("vo.keys.key_id", ondelete="CASCADE"), primary_key=True),
    Column("key_index", Integer, primary_key=True),
    Column("from_column", Text, nullable=False),
    Column("target_column", Text, nullable=False),
    schema="vo",
    comment="columns of foreign keys",
)

loads = Table(
    "loads",
    metadata,
    Column("load_id", Integer, Identity(always=True), primary_key=True),
    Column("physical", Text, nullable=False, comment="quoted and qualified"),
    Column("state", Text, nullable=False, server_default="loading", comment="loading, live, retired, failed"),
    Column("started", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("retired", DateTime(timezone=True)),
    Column("owner_pid", Integer, comment="PostgreSQL backend of the loader: a load whose backend is gone was abandoned"),
    Column("origin", JSONB, comment="publish.origin: what is being loaded"),
    Column("rows_done", BigInteger, nullable=False, server_default="0", comment="rows committed to the staging table"),
    schema="vo",
    comment="physical tables, one a load",
)

collections = Table(
    "collections",
    metadata,
    Column("collection", Text, primary_key=True),
    Column("root", Text, nullable=False, comment="directory whose files are served under /files/<collection>/"),
    Column("resource_id", Integer, ForeignKey("vo.resources.resource_id")),
    schema="vo",
    comment="directories of datasets",
)

records = Table(
    "records",
    metadata,
    Column("identifier", Text, primary_key=True, comment="ivoid"),
    Column("datestamp", DateTime(timezone=True), nullable=False, comment="moves exactly when the content changes"),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=text("false")),
    Column("content_hash", Text, nullable=False),
    Column("ivo_vor", Text, comment="the record as XML; null when deleted"),
    Column("oai_dc", Text, comment="the record as Dublin Core; null when deleted"),
    schema="vo",
    comment="registry records",
)
Index("records_datestamp", records.c.datestamp, records.c.identifier)
Index("records_lower_identifier", func.lower(records.c.identifier))

record_versions = Table(
    "record_versions",
    metadata,
    Column("identifier", Text, ForeignKey("vo.records.identifier"), primary_key=True),
    Column("datestamp", DateTime(timezone=True), primary_key=True),
    Column("ivo_vor", Text, comment="the record as XML; null where it was deleted"),
    schema="vo",
    comment="every version of every registry record",
)
Index("record_versions_lower_identifier", func.lower(record_versions.c.identifier), record_versions.c.datestamp)

site = Table(
    "site",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    schema="vo",
    comment="what is true of the whole site: publisher, authority, catalogue version",
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", Text, primary_key=True, comment="128 random bits in hexadecimal: who knows it may use the job"),
    Column("kind", Text, nullable=False, comment="what performs it"),
    Column("phase", Text, nullable=False, comment="model.job.Phase"),
    Column("owner", Text, comment="login; null for anonymous users"),
    Column("run_id", Text, comment="the client's own name for it"),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("started", DateTime(timezone=True)),
    Column("ended", DateTime(timezone=True)),
    Column("duration_s", Integer, nullable=False, comment="longest database time, in seconds"),
    Column("destruction", DateTime(timezone=True), nullable=False),
    Column("parameters", JSONB, nullable=False, comment="pairs of name and value, in order"),
    Column("queue_id", BigInteger, comment="its row in vo_queue; null unless it waits or runs"),
    Column("attempts", Integer, nullable=False, server_default="0", comment="how often a worker began it; only the last may end it"),
    Column("rows_written", BigInteger),
    Column("result", JSONB, comment="model.job.Result as JSON"),
    Column("error", JSONB, comment="model.job.Failure as JSON"),
    Column(
        "client",
        Text,
        nullable=False,
        server_default="",
        comment="who is counted for it: a keyed digest of an address; empty if nobody is",
    ),
    Column("uploaded_bytes", BigInteger, nullable=False, server_default="0", comment="of the tables that came with it"),
    schema="vo",
    comment="asynchronous jobs (UWS 1.1)",
)
Index("jobs_phase", jobs.c.phase, jobs.c.queue_id)
Index("jobs_destruction", jobs.c.destruction)
Index("jobs_client", jobs.c.client, jobs.c.phase)
Index("jobs_waiting", jobs.c.client, jobs.c.created, jobs.c.job_id, postgresql_where=text("phase = 'QUEUED' AND queue_id IS NULL"))

obscore = Table(
    "obscore",
    metadata,
    Column("obs_key", BigInteger, Identity(always=True), primary_key=True),
    Column("collection", Text, ForeignKey("vo.collections.collection", ondelete="CASCADE"), nullable=False),
    Column("path", Text, comment="the file, below the collection's root; null if it lies elsewhere"),
    Column("hdu", Integer, comment="which HDU of the file it is, the primary being 0; null: the whole file"),
    Column("access_path", Text, comment="below the public URL, or an absolute address"),
    Column("shape", ARRAY(Double), comment="3 numbers: circle; more: polygon, counter-clockwise; ICRS degrees"),
    Column("dataproduct_type", Text),
    Column("dataproduct_subtype", Text),
    Column("calib_level", Integer, nullable=False),
    Column("obs_collection", Text, nullable=False),
    Column("obs_id", Text, nullable=False),
    Column("obs_publisher_did", Text, nullable=False, unique=True),
    Column("obs_title", Text),
    Column("access_format", Text),
    Column("access_estsize", BigInteger),
    Column("target_name", Text),
    Column("s_ra", Double),
    Column("s_dec", Double),
    Column("s_fov", Double),
    Column("s_region", Text),
    Column("s_resolution", Double),
    Column("s_xel1", BigInteger),
    Column("s_xel2", BigInteger),
    Column("s_pixel_scale", Double),
    Column("t_min", Double),
    Column("t_max", Double),
    Column("t_exptime", Double),
    Column("t_resolution", Double),
    Column("t_xel", BigInteger),
    Column("em_min", Double),
    Column("em_max", Double),
    Column("em_res_power", Double),
    Column("em_xel", BigInteger),
    Column("o_ucd", Text),
    Column("pol_states", Text),
    Column("pol_xel", BigInteger),
    Column("facility_name", Text),
    Column("instrument_name", Text),
    Column("obs_release_date", DateTime(timezone=False)),
    Column("data_rights", Text),
    Column("cap", ARRAY(Double), Computed("vo.shape_cap(shape)", persisted=True), comment="where the region lies, see functions.sql"),
    schema="vo_data",
    comment="datasets; users see the view ivoa.obscore",
)
Index("obscore_file", obscore.c.collection, obscore.c.path)
Index("obscore_bounds", func.vo.shape_bounds(obscore.c.shape), postgresql_using="gist")
Index("obscore_spectra", obscore.c.obs_key, postgresql_where=text("dataproduct_type IN ('spectrum', 'sed')"))
"""What SSAP looks at, however many images there are."""

obscore_cells = Table(
    "obscore_cells",
    metadata,
    Column("obs_key", BigInteger, ForeignKey("vo_data.obscore.obs_key", ondelete="CASCADE"), primary_key=True),
    Column("lo", BigInteger, primary_key=True),
    Column("hi", BigInteger, nullable=False),
    schema="vo_data",
    comment="footprints as closed ranges of order-29 HEALPix cells",
)
Index("obscore_cells_span", func.int8range(obscore_cells.c.lo, obscore_cells.c.hi, text("'[]'")), postgresql_using="gist")

obscore_hea = Table(
    "obscore_hea",
    metadata,
    Column("obs_key", BigInteger, ForeignKey("vo_data.obscore.obs_key", ondelete="CASCADE"), primary_key=True),
    Column("ev_xel", BigInteger),
    Column("s_ref_energy", Double),
    Column("em_ref_energy", Double),
    Column("s_ref_oaa", Double),
    Column("em_ref_oaa", Double),
    Column("t_intervals", Text, comment="good time intervals as a T-MOC in ASCII"),
    Column("energy_min", Double, comment="eV"),
    Column("energy_max", Double, comment="eV"),
    Column("obs_mode", Text),
    Column("tracking_mode", Text),
    Column("scan_mode", Text),
    Column("pointing_mode", Text),
    Column("analysis_mode", Text),
    Column("event_type", Text),
    Column("messenger_name", Text),
    Column("messenger_pdgid", Text),
    schema="vo_data",
    comment="what the high-energy extension says of datasets; users see the view ivoa.obscore_hea",
)

skymap_areas = Table(
    "skymap_areas",
    metadata,
    Column("area_key", BigInteger, Identity(always=True), primary_key=True),
    Column("obs_key", BigInteger, ForeignKey("vo_data.obscore.obs_key", ondelete="CASCADE"), nullable=False),
    Column("probability", Double, nullable=False, comment="of the source to lie inside"),
    Column("area_deg2", Double, nullable=False, comment="square degrees"),
    Column("moc", Text, nullable=False, comment="in ASCII"),
    UniqueConstraint("obs_key", "probability"),
    schema="vo_data",
    comment="credible areas of sky maps; users see the view ivoa.skymap_areas",
)

skymap_cells = Table(
    "skymap_cells",
    metadata,
    Column("area_key", BigInteger, ForeignKey("vo_data.skymap_areas.area_key", ondelete="CASCADE"), primary_key=True),
    Column("lo", BigInteger, primary_key=True),
    Column("hi", BigInteger, nullable=False),
    schema="vo_data",
    comment="the areas exactly, as closed ranges of order-29 HEALPix cells",
)
Index("skymap_cells_span", func.int8range(skymap_cells.c.lo, skymap_cells.c.hi, text("'[]'")), postgresql_using="gist")

links = Table(
    "links",
    metadata,
    Column("link_id", BigInteger, Identity(always=True), primary_key=True),
    Column("obs_key", BigInteger, ForeignKey("vo_data.obscore.obs_key", ondelete="CASCADE"), nullable=False),
    Column("semantics", Text, nullable=False, comment="word of the DataLink vocabulary, #calibration; never #this"),
    Column("local_semantics", Text, comment="what it is in the collection's own words"),
    Column("collection", Text, ForeignKey("vo.collections.collection", ondelete="CASCADE"), comment="where the file below lies"),
    Column("path", Text, comment="a file we serve, below the collection's root; else access_url is given"),
    Column("hdu", Integer, comment="which HDU of the file is meant; null: the whole file"),
    Column("access_url", Text, comment="absolute, for what lies elsewhere"),
    Column("content_type", Text),
    Column("content_length", BigInteger, comment="bytes"),
    Column("content_qualifier", Text, comment="word of the product-type or response-type vocabulary"),
    Column("description", Text),
    schema="vo",
    comment="what belongs to a dataset beside itself, as DataLink shows it",
)
Index("links_dataset", links.c.obs_key)
Index("links_file", links.c.collection, links.c.path)

files = Table(
    "files",
    metadata,
    Column("collection", Text, ForeignKey("vo.collections.collection", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, primary_key=True, comment="below the collection's root"),
    Column("size", BigInteger, nullable=False, comment="bytes"),
    Column("modified", BigInteger, nullable=False, comment="nanoseconds since 1970"),
    Column("reader", Text, nullable=False, comment="digest of the code that read it"),
    Column("reading", JSONB, nullable=False, comment="what was read, or why nothing was"),
    schema="vo",
    comment="files of collections as they were read: unchanged ones are not read again",
)
