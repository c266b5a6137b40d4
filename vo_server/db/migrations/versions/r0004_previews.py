"""Datasets and their previews as rows of one view, for protocols that know no links (SIAP 1.0 §4.1.4)."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

URL_PATH = r"""
CREATE FUNCTION vo.url_path(path text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN path ~ '^[A-Za-z0-9_.~/-]*$' THEN path ELSE (
        SELECT string_agg(
            CASE WHEN letter ~ '^[A-Za-z0-9_.~/-]$' THEN letter
                 ELSE regexp_replace(upper(encode(convert_to(letter, 'UTF8'), 'hex')), '(..)', '%%\1', 'g') END,
            '' ORDER BY place)
        FROM regexp_split_to_table(path, '') WITH ORDINALITY AS letters (letter, place)) END
$$;
"""
"""A path as it stands in an address: all but letters, digits and ``_.~/-`` percent-encoded (RFC 3986 §2.1). psycopg wants % doubled."""

PREVIEWED = """
CREATE VIEW vo_data.obscore_previewed AS
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
    o.dataproduct_type, o.calib_level, o.obs_collection, o.obs_id, o.obs_publisher_did, o.target_name, o.s_ra, o.s_dec, o.s_fov,
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
    """The view, and the function that makes addresses of paths."""
    for text in (URL_PATH, PREVIEWED):
        op.get_bind().exec_driver_sql(text)
