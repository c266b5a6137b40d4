"""Publishing as tests do it: without records, at noon; and what is published then."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from vo_server.db.catalogue import load_catalogue
from vo_server.db.database import Database
from vo_server.model.catalogue import Catalogue, Table
from vo_server.publish import Published, PublishOptions, publish_file

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def silent(connection: Connection, _: str | None = None) -> None:
    """Renders no records."""


def publish(database: Database, path: Path, now: datetime = NOON, **options: object) -> Published:
    return publish_file(database, path, PublishOptions(**options), records=silent, clock=lambda: now)  # type: ignore[arg-type]


def catalogue(database: Database) -> Catalogue:
    with database.engine.connect() as connection:
        return load_catalogue(connection)


def table(database: Database, name: str) -> Table:
    """The published table of this name, which there is."""
    found = catalogue(database).table(name)
    assert found is not None, name
    return found
