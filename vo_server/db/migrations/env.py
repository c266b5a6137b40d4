"""What alembic runs around the revisions: the connection and its transaction come from ``db.setup``."""

from alembic import context

from vo_server.db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, version_table_schema="vo")
context.run_migrations()
