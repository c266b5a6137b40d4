"""Polygons of one vertex, or of none, are none."""

from alembic import op

from vo_server.sql import function_definitions

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The functions anew, for vo.polygon."""
    op.get_bind().connection.cursor().execute(function_definitions())
