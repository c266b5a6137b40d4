"""Jobs that wait for a place in the queue, in the order of each client's turns: who asks for his place reads nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The index of a client's waiting jobs."""
    waiting = sa.text("phase = 'QUEUED' AND queue_id IS NULL")
    op.create_index("jobs_waiting", "jobs", ["client", "created", "job_id"], unique=False, schema="vo", postgresql_where=waiting)
