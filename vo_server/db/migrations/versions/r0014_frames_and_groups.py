"""Frame and epoch of coordinates, and groups of columns."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Four columns of the columns."""
    for name, comment in (
        ("frame", "word of the vocabulary refframe"),
        ("epoch", "instant of the coordinates: J1991.25"),
        ("group_name", "what the column belongs to, together with others"),
        ("group_description", None),
    ):
        op.add_column("columns", sa.Column(name, sa.Text(), comment=comment), schema="vo")
