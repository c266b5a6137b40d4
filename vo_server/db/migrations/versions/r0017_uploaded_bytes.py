"""How much came with a job, so that what one user keeps has a limit. What is kept already counts nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column of the jobs."""
    column = sa.Column("uploaded_bytes", sa.BigInteger(), nullable=False, server_default="0", comment="of the tables that came with it")
    op.add_column("jobs", column, schema="vo")
