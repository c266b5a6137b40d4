"""Observations: which file and HDU a dataset is, what belongs to it, the high-energy extension, areas of sky maps."""

from urllib.parse import unquote

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OBSCORE_HEA = """
CREATE VIEW ivoa.obscore_hea AS
SELECT
    o.obs_publisher_did, h.ev_xel, h.s_ref_energy, h.em_ref_energy, h.s_ref_oaa, h.em_ref_oaa, h.t_intervals,
    h.energy_min, h.energy_max, h.obs_mode, h.tracking_mode, h.scan_mode, h.pointing_mode, h.analysis_mode,
    h.event_type, h.messenger_name, h.messenger_pdgid
FROM vo_data.obscore_hea AS h JOIN vo_data.obscore AS o USING (obs_key);
"""
"""ObsCore High-Energy extension, endorsed note of 2026, §4."""

SKYMAP_AREAS = """
CREATE VIEW ivoa.skymap_areas AS
SELECT
    o.obs_publisher_did, o.obs_id, o.obs_collection, a.probability, a.area, a.moc,
    a.area_key
FROM vo_data.skymap_areas AS a JOIN vo_data.obscore AS o USING (obs_key);
"""
"""area_key serves regions and is never listed."""


def upgrade() -> None:
    """New columns of datasets, and the tables beside them."""
    op.add_column(
        "obscore",
        sa.Column("path", sa.Text(), comment="the file, below the collection's root; null if it lies elsewhere"),
        schema="vo_data",
    )
    op.add_column(
        "obscore",
        sa.Column("hdu", sa.Integer(), comment="which HDU of the file it is, the primary being 0; null: the whole file"),
        schema="vo_data",
    )
    op.create_index("obscore_file", "obscore", ["collection", "path"], schema="vo_data")
    _fill_paths()
    _create_extension()
    _create_skymaps()
    _create_links()
    for view in (OBSCORE_HEA, SKYMAP_AREAS):
        op.get_bind().exec_driver_sql(view)


def _fill_paths() -> None:
    """Datasets published before knew their files only by their addresses."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT obs_key, access_path FROM vo_data.obscore WHERE access_path LIKE '/files/%/%'")).all()
    for key, address in rows:
        path = unquote(address.split("/", 3)[3])
        connection.execute(sa.text("UPDATE vo_data.obscore SET path = :path WHERE obs_key = :key"), {"path": path, "key": key})


def _create_extension() -> None:
    op.create_table(
        "obscore_hea",
        sa.Column("obs_key", sa.BigInteger(), nullable=False),
        sa.Column("ev_xel", sa.BigInteger()),
        sa.Column("s_ref_energy", sa.Double()),
        sa.Column("em_ref_energy", sa.Double()),
        sa.Column("s_ref_oaa", sa.Double()),
        sa.Column("em_ref_oaa", sa.Double()),
        sa.Column("t_intervals", sa.Text(), comment="good time intervals as a T-MOC in ASCII"),
        sa.Column("energy_min", sa.Double(), comment="eV"),
        sa.Column("energy_max", sa.Double(), comment="eV"),
        sa.Column("obs_mode", sa.Text()),
        sa.Column("tracking_mode", sa.Text()),
        sa.Column("scan_mode", sa.Text()),
        sa.Column("pointing_mode", sa.Text()),
        sa.Column("analysis_mode", sa.Text()),
        sa.Column("event_type", sa.Text()),
        sa.Column("messenger_name", sa.Text()),
        sa.Column("messenger_pdgid", sa.Text()),
        sa.ForeignKeyConstraint(["obs_key"], ["vo_data.obscore.obs_key"], name="obscore_hea_obs_key_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("obs_key", name="obscore_hea_pkey"),
        schema="vo_data",
        comment="what the high-energy extension says of datasets; users see the view ivoa.obscore_hea",
    )


def _create_skymaps() -> None:
    op.create_table(
        "skymap_areas",
        sa.Column("area_key", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("obs_key", sa.BigInteger(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False, comment="of the source to lie inside"),
        sa.Column("area", sa.Double(), nullable=False, comment="square degrees"),
        sa.Column("moc", sa.Text(), nullable=False, comment="in ASCII"),
        sa.ForeignKeyConstraint(["obs_key"], ["vo_data.obscore.obs_key"], name="skymap_areas_obs_key_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("area_key", name="skymap_areas_pkey"),
        sa.UniqueConstraint("obs_key", "probability", name="skymap_areas_obs_key_probability_key"),
        schema="vo_data",
        comment="credible areas of sky maps; users see the view ivoa.skymap_areas",
    )
    op.create_table(
        "skymap_cells",
        sa.Column("area_key", sa.BigInteger(), nullable=False),
        sa.Column("lo", sa.BigInteger(), nullable=False),
        sa.Column("hi", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["area_key"], ["vo_data.skymap_areas.area_key"], name="skymap_cells_area_key_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("area_key", "lo", name="skymap_cells_pkey"),
        schema="vo_data",
        comment="the areas exactly, as closed ranges of order-29 HEALPix cells",
    )
    op.create_index("skymap_cells_range", "skymap_cells", ["lo", "hi"], schema="vo_data")


def _create_links() -> None:
    op.create_table(
        "links",
        sa.Column("link_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("obs_key", sa.BigInteger(), nullable=False),
        sa.Column("semantics", sa.Text(), nullable=False, comment="word of the DataLink vocabulary, #calibration; never #this"),
        sa.Column("local_semantics", sa.Text(), comment="what it is in the collection's own words"),
        sa.Column("collection", sa.Text(), comment="where the file below lies"),
        sa.Column("path", sa.Text(), comment="a file we serve, below the collection's root; else access_url is given"),
        sa.Column("hdu", sa.Integer(), comment="which HDU of the file is meant; null: the whole file"),
        sa.Column("access_url", sa.Text(), comment="absolute, for what lies elsewhere"),
        sa.Column("content_type", sa.Text()),
        sa.Column("content_length", sa.BigInteger(), comment="bytes"),
        sa.Column("content_qualifier", sa.Text(), comment="word of the product-type or response-type vocabulary"),
        sa.Column("description", sa.Text()),
        sa.ForeignKeyConstraint(["obs_key"], ["vo_data.obscore.obs_key"], name="links_obs_key_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["collection"], ["vo.collections.collection"], name="links_collection_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("link_id", name="links_pkey"),
        schema="vo",
        comment="what belongs to a dataset beside itself, as DataLink shows it",
    )
    op.create_index("links_dataset", "links", ["obs_key"], schema="vo")
    op.create_index("links_file", "links", ["collection", "path"], schema="vo")
    op.create_table(
        "files",
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="below the collection's root"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes"),
        sa.Column("modified", sa.BigInteger(), nullable=False, comment="nanoseconds since 1970"),
        sa.Column("reader", sa.Text(), nullable=False, comment="digest of the code that read it"),
        sa.Column("reading", JSONB(), nullable=False, comment="what was read, or why nothing was"),
        sa.ForeignKeyConstraint(["collection"], ["vo.collections.collection"], name="files_collection_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("collection", "path", name="files_pkey"),
        schema="vo",
        comment="files of collections as they were read: unchanged ones are not read again",
    )
