"""MOCs that rows have, as regions."""

from alembic import op

from vo_server.sql import function_definitions

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The functions anew, for vo.moc."""
    op.get_bind().connection.cursor().execute(function_definitions())
