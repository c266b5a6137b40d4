"""How far a load has come, and with what, so that one that was interrupted can go on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns of the loads."""
    op.add_column("loads", sa.Column("origin", JSONB(), comment="publish.origin: what is being loaded"), schema="vo")
    op.add_column(
        "loads",
        sa.Column("rows_done", sa.BigInteger(), nullable=False, server_default="0", comment="rows committed to the staging table"),
        schema="vo",
    )
