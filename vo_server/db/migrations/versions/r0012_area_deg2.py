"""The size of a sky map's area under a name that ADQL does not reserve, and that says its unit."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The column in table and view."""
    op.alter_column("skymap_areas", "area", new_column_name="area_deg2", schema="vo_data")
    op.execute("ALTER VIEW ivoa.skymap_areas RENAME COLUMN area TO area_deg2")
