"""Footprints found by an index that knows both ends of a range: a b-tree on (lo, hi) reads all that begin before a region ends."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """GiST on the ranges instead of the b-trees."""
    for table in ("obscore_cells", "skymap_cells"):
        op.execute(f"DROP INDEX vo_data.{table}_range")
        op.execute(f"CREATE INDEX {table}_span ON vo_data.{table} USING gist (int8range(lo, hi, '[]'))")
