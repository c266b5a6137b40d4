"""Asynchronous jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table of jobs; the queue beside it belongs to the definitions."""
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.Text(), nullable=False, comment="128 random bits in hexadecimal: who knows it may use the job"),
        sa.Column("kind", sa.Text(), nullable=False, comment="what performs it"),
        sa.Column("phase", sa.Text(), nullable=False, comment="model.job.Phase"),
        sa.Column("owner", sa.Text(), comment="login; null for anonymous users"),
        sa.Column("run_id", sa.Text(), comment="the client's own name for it"),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True)),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("duration_s", sa.Integer(), nullable=False, comment="longest database time, in seconds"),
        sa.Column("destruction", sa.DateTime(timezone=True), nullable=False),
        sa.Column("parameters", JSONB(), nullable=False, comment="pairs of name and value, in order"),
        sa.Column("queue_id", sa.BigInteger(), comment="its row in vo_queue; null unless it waits or runs"),
        sa.Column(
            "attempts", sa.Integer(), server_default="0", nullable=False, comment="how often a worker began it; only the last may end it"
        ),
        sa.Column("rows_written", sa.BigInteger()),
        sa.Column("result", JSONB(), comment="model.job.Result as JSON"),
        sa.Column("error", JSONB(), comment="model.job.Failure as JSON"),
        sa.PrimaryKeyConstraint("job_id", name="jobs_pkey"),
        schema="vo",
        comment="asynchronous jobs (UWS 1.1)",
    )
    op.create_index("jobs_phase", "jobs", ["phase", "queue_id"], unique=False, schema="vo")
    op.create_index("jobs_destruction", "jobs", ["destruction"], unique=False, schema="vo")
