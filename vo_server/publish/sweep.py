"""Physical tables that nobody reads any more: replaced ones after a while, abandoned ones as soon as their loader is gone."""

from contextlib import suppress

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from vo_server.db import schema
from vo_server.db.database import Database
from vo_server.publish.load import LOCK_SPACE

LOCK_WAIT = "200ms"
"""A reader that is still there is not waited for: the next sweep will do."""

KEPT_SECONDS = 3600.0
"""So long a replaced table stays: longer than any query that may still read it."""

RESUMABLE_SECONDS = 86_400.0
"""So long an interrupted load waits to be gone on with."""

STAGING = "_staging"


def sweep(database: Database, older_than: float = KEPT_SECONDS) -> int:
    """Drop loads retired more than `older_than` seconds ago and loads without a loader; returns how many. Nobody ever waits for it."""
    with database.engine.connect() as connection:
        loads = schema.loads.c
        old = loads.retired < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, older_than)
        hopeless = (loads.rows_done == 0) | (loads.started < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, RESUMABLE_SECONDS))
        chosen = ((loads.state == "loading") & hopeless) | ((loads.state == "retired") & old)
        rows = connection.execute(select(loads.load_id, loads.physical, loads.state).where(chosen)).all()
        connection.commit()
        return sum(_swept(database, connection, row.load_id, row.physical, row.state) for row in rows)


def _swept(database: Database, connection: Connection, load_id: int, physical: str, state: str) -> bool:
    """Drop one load unless its loader is alive or somebody reads it."""
    with connection.begin():
        if not connection.execute(select(func.pg_try_advisory_xact_lock(LOCK_SPACE, load_id))).scalar_one():
            return False
        current = connection.execute(select(schema.loads.c.state).where(schema.loads.c.load_id == load_id)).scalar_one()
        if current != state or not _dropped(database, physical):
            return False
        mine = schema.loads.c.load_id == load_id
        connection.execute(
            delete(schema.loads).where(mine) if state == "retired" else update(schema.loads).where(mine).values(state="failed")
        )
        return True


def _dropped(database: Database, physical: str) -> bool:
    """Whether the table, and its staging table, could be dropped without waiting."""
    if not physical:
        return True
    names = (physical, physical[:-1] + STAGING + '"' if physical.endswith('"') else physical + STAGING)
    with suppress(DBAPIError), database.publish_engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
        for name in names:
            connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
        return True
    return False
