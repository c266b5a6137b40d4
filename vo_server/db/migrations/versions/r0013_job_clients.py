"""Whose job it is, so that one client's many do not keep others waiting."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column of the jobs."""
    comment = "who is counted for it: a keyed digest of an address; empty if nobody is"
    op.add_column("jobs", sa.Column("client", sa.Text(), nullable=False, server_default="", comment=comment), schema="vo")
    op.create_index("jobs_client", "jobs", ["client", "phase"], unique=False, schema="vo")
