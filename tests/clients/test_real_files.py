"""Whatever lies below the directory that ``REAL_DATA`` names is published, and validators look at all of it.

Files of observatories are odder than those that tests make: they are not among the project's, for their licences differ.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.publishing import catalogue
from tests.stilts import SERIALISATIONS, needs_stilts, taplint, votlint
from vo_server.app import record_keeper
from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.observations.alerts import publish_alerts
from vo_server.observations.collections import Collection, Work, with_own_schema
from vo_server.observations.eventtables import publish_events
from vo_server.observations.images import publish_images
from vo_server.observations.skymaps import publish_skymaps
from vo_server.publish import PublishOptions, publish_file
from vo_server.settings import Settings

FOLDER = Path(os.environ.get("REAL_DATA") or "/nowhere")

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason="REAL_DATA names no directory with files to publish"),
    pytest.mark.timeout(400),
]

TABLES = (".fits", ".fit", ".fits.gz", ".fit.gz", ".csv", ".ecsv", ".parquet", ".vot", ".xml")
MOST_BYTES = 12 << 20
MOST_ALIKE = 4
"""So many files of a directory with many of one kind."""

COLLECTIONS = (publish_images, publish_skymaps, publish_events, publish_alerts)


def files() -> Iterator[Path]:
    """Files of all directories, but not all of those that are alike."""
    alike: Counter[tuple[Path, str]] = Counter()
    for path in sorted(FOLDER.rglob("*")):
        ending = "".join(path.suffixes[-2:]).lower()
        if path.is_file() and ending.endswith(TABLES) and path.stat().st_size <= MOST_BYTES:
            alike[path.parent, ending] += 1
            if alike[path.parent, ending] <= MOST_ALIKE:
                yield path


@pytest.fixture(scope="module")
def refused(live: str, database: Database) -> dict[str, str]:
    """Publishes what can be; for all else, what was said. Another exception than DataError fails here."""
    settings = Settings(public_url=live)
    said: dict[str, str] = {}
    for path in files():
        try:
            publish_file(database, path, PublishOptions(schema=f"real_{path.parent.name}"), records=record_keeper(settings))
        except DataError as error:
            said[str(path.relative_to(FOLDER))] = str(error)
    for folder in sorted(path for path in FOLDER.iterdir() if path.is_dir()):
        for publish in COLLECTIONS:
            collection = Collection(name=f"{publish.__name__}_{folder.name}", directory=folder)
            work = Work(records=record_keeper(settings))
            try:
                publish(database, with_own_schema(collection), work)
            except DataError as error:
                said[f"{folder.name} {publish.__name__}"] = str(error)
    return said


def test_files_are_published_or_refused_with_a_reason(refused: dict[str, str], database: Database) -> None:
    published = [table for table in catalogue(database).tables if table.schema.startswith("real_")]
    assert len(published) > 10
    assert all(reason.strip() for reason in refused.values())


@needs_stilts
def test_taplint_finds_nothing_in_any_of_them(live: str, refused: dict[str, str]) -> None:
    assert taplint(live) == []


@needs_stilts
@pytest.mark.parametrize("form", SERIALISATIONS)
def test_votlint_finds_nothing_in_the_widest_of_them(live: str, refused: dict[str, str], database: Database, form: str) -> None:
    tables = sorted(catalogue(database).tables, key=lambda table: -len({(one.datatype, one.xtype) for one in table.columns}))
    for table in tables[:8]:
        assert votlint(live, form, f"SELECT * FROM {table.full_name}") == [], table.full_name
