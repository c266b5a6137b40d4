"""Shapes with a NaN, of which nothing is known, and records by identifiers in any case."""

import sqlalchemy as sa
from alembic import op

from vo_server.sql import function_definitions

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The functions anew, for vo.shapes_intersect and vo.shape_inside; two indexes."""
    op.get_bind().connection.cursor().execute(function_definitions())
    lowered = sa.text("lower(identifier)")
    op.create_index("records_lower_identifier", "records", [lowered], schema="vo")
    op.create_index("record_versions_lower_identifier", "record_versions", [lowered, "datestamp"], schema="vo")
