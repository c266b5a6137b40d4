"""What the rows of a table came from, and what was learned of them while they were loaded."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns of the published tables; those loaded before know neither, and are loaded anew the next time."""
    op.add_column("tables", sa.Column("origin", JSONB(), comment="publish.origin: the file and what was read of it"), schema="vo")
    op.add_column("tables", sa.Column("learned", JSONB(), comment="publish.survey.Learned as JSON"), schema="vo")
