"""Footprints found by the boxes around them, an entry each in the index, and told apart by caps: cells took twenty times as long.

PostgreSQL computes both from the shapes, also those of the rows that are there: the column is written for all rows at once (a hundred
seconds for a million), the table is locked meanwhile.
"""

import sqlalchemy as sa
from alembic import op

from vo_server.sql import function_definitions

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OBSCORE = """
CREATE OR REPLACE VIEW ivoa.obscore AS
SELECT
    dataproduct_type, calib_level, obs_collection, obs_id, obs_publisher_did,
    CASE WHEN access_path ~ '^[A-Za-z][A-Za-z0-9+.-]*:' THEN access_path
         ELSE coalesce(current_setting('vo.public_url', true), '') || access_path END AS access_url,
    access_format, access_estsize, target_name, s_ra, s_dec, s_fov, s_region, s_resolution, s_xel1, s_xel2,
    t_min, t_max, t_exptime, t_resolution, t_xel, em_min, em_max, em_res_power, em_xel, o_ucd, pol_states, pol_xel,
    facility_name, instrument_name,
    dataproduct_subtype, obs_title, s_pixel_scale, obs_release_date, data_rights,
    obs_key, shape, cap
FROM vo_data.obscore;
"""

PREVIEWED = """
CREATE OR REPLACE VIEW vo_data.obscore_previewed AS
SELECT
    o.dataproduct_type, o.calib_level, o.obs_collection, o.obs_id, o.obs_publisher_did, o.target_name, o.s_ra, o.s_dec, o.s_fov,
    o.s_region, o.s_resolution, o.s_xel1, o.s_xel2, o.t_min, o.t_max, o.t_exptime, o.t_resolution, o.t_xel, o.em_min, o.em_max,
    o.em_res_power, o.em_xel, o.o_ucd, o.pol_states, o.pol_xel, o.facility_name, o.instrument_name, o.dataproduct_subtype,
    o.obs_title, o.s_pixel_scale, o.obs_release_date, o.data_rights, o.obs_key, o.shape,
    CASE WHEN o.access_path ~ '^[A-Za-z][A-Za-z0-9+.-]*:' THEN o.access_path
         ELSE coalesce(current_setting('vo.public_url', true), '') || o.access_path END AS access_url,
    o.access_format, o.access_estsize, o.cap
FROM vo_data.obscore AS o
UNION ALL
SELECT
    o.dataproduct_type, o.calib_level, o.obs_collection, o.obs_id, NULL, o.target_name, o.s_ra, o.s_dec, o.s_fov,
    o.s_region, o.s_resolution, o.s_xel1, o.s_xel2, o.t_min, o.t_max, o.t_exptime, o.t_resolution, o.t_xel, o.em_min, o.em_max,
    o.em_res_power, o.em_xel, o.o_ucd, o.pol_states, o.pol_xel, o.facility_name, o.instrument_name, o.dataproduct_subtype,
    o.obs_title, o.s_pixel_scale, o.obs_release_date, o.data_rights, o.obs_key, o.shape,
    coalesce(
        l.access_url,
        coalesce(current_setting('vo.public_url', true), '') || '/files/' || vo.url_path(l.collection) || '/' || vo.url_path(l.path)
    ),
    l.content_type, (l.content_length + 999) / 1000, o.cap
FROM vo_data.obscore AS o JOIN vo.links AS l USING (obs_key)
WHERE l.semantics = '#preview';
"""


def upgrade() -> None:
    """The index, the column, and the column in both views."""
    op.get_bind().connection.cursor().execute(function_definitions())  # which the index and the column need
    cap: sa.Column[list[float]] = sa.Column(
        "cap", sa.ARRAY(sa.Double()), sa.Computed("vo.shape_cap(shape)", persisted=True), comment="where the region lies, see functions.sql"
    )
    op.add_column("obscore", cap, schema="vo_data")
    op.execute("CREATE INDEX obscore_bounds ON vo_data.obscore USING gist (vo.shape_bounds(shape))")
    for view in (OBSCORE, PREVIEWED):
        op.get_bind().exec_driver_sql(view)
