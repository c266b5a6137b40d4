"""Spectra among a million images are found without reading these."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index of the spectra alone: few rows, which SSAP looks at one by one."""
    spectra = sa.text("dataproduct_type IN ('spectrum', 'sed')")
    op.create_index("obscore_spectra", "obscore", ["obs_key"], unique=False, schema="vo_data", postgresql_where=spectra)
