"""What registry records said before."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table of versions, begun with what the records say now."""
    op.create_table(
        "record_versions",
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("datestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ivo_vor", sa.Text(), comment="the record as XML; null where it was deleted"),
        sa.ForeignKeyConstraint(["identifier"], ["vo.records.identifier"], name="record_versions_identifier_fkey"),
        sa.PrimaryKeyConstraint("identifier", "datestamp", name="record_versions_pkey"),
        schema="vo",
        comment="every version of every registry record",
    )
    op.execute("INSERT INTO vo.record_versions SELECT identifier, datestamp, ivo_vor FROM vo.records")
