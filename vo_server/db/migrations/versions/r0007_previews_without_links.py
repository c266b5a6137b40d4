"""A preview is no dataset of its own: it has no identifier, so that nobody follows its links and gets the dataset instead."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PREVIEWED = """
CREATE OR REPLACE VIEW vo_data.obscore_previewed AS
SELECT
    o.dataproduct_type, o.calib_level, o.obs_collection, o.obs_id, o.obs_publisher_did, o.target_name, o.s_ra, o.s_dec, o.s_fov,
    o.s_region, o.s_resolution, o.s_xel1, o.s_xel2, o.t_min, o.t_max, o.t_exptime, o.t_resolution, o.t_xel, o.em_min, o.em_max,
    o.em_res_power, o.em_xel, o.o_ucd, o.pol_states, o.pol_xel, o.facility_name, o.instrument_name, o.dataproduct_subtype,
    o.obs_title, o.s_pixel_scale, o.obs_release_date, o.data_rights, o.obs_key, o.shape,
    CASE WHEN o.access_path ~ '^[A-Za-z][A-Za-z0-9+.-]*:' THEN o.access_path
         ELSE coalesce(current_setting('vo.public_url', true), '') || o.access_path END AS access_url,
    o.access_format, o.access_estsize
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
    l.content_type, (l.content_length + 999) / 1000
FROM vo_data.obscore AS o JOIN vo.links AS l USING (obs_key)
WHERE l.semantics = '#preview';
"""


def upgrade() -> None:
    """The view anew."""
    op.get_bind().exec_driver_sql(PREVIEWED)
