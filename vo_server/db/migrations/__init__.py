"""The history of our schema, run by alembic; ``db.setup`` starts it, and a test compares its sum with ``db.schema``."""
