"""Who serves a database: the first server of it decides what its address is."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from vo_server.db.database import Database

LOCK = 0x766F7365727665
"""Key of the advisory lock that the first server holds (``voserve``)."""


@contextmanager
def first_to_serve(database: Database) -> Iterator[bool]:
    """Whether nobody else serves `database` now; then we hold the lock that says so for as long as this context lasts."""
    connection = psycopg.connect(database.app_uri, autocommit=True, application_name="vo-server address")
    try:
        yield connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,)
    finally:
        connection.close()
