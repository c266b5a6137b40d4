"""A small published site, behind the real application: everything but the socket."""

from collections.abc import Iterator
from pathlib import Path

import datasets
import pytest
from starlette.testclient import TestClient

from vo_server.app import create_app, record_keeper
from vo_server.db.database import Database
from vo_server.publish import PublishOptions, publish_file
from vo_server.services import Services
from vo_server.settings import Settings

STARS = """\
name,ra,dec,mag,zone,seen
Vega,279.2347,38.7837,0.03,A0,2020-01-02T03:04:05
Rigel,78.6345,-8.2016,0.13,B8,2021-01-01T00:00:00
Polaris,37.9546,89.2641,1.98,F7,
Sirius,101.2872,-16.7161,-1.46,A0,2019-06-01T12:00:00
"Côr Caroli",194.0069,38.3184,2.81,A0,2022-02-02T22:22:22
Edge,0.001,0.0,9.5,,2022-02-02T22:22:22
Other edge,359.999,0.0,9.6,,2022-02-02T22:22:22
"""


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[Services]:
    """Services over a database with the table ``sky.stars``."""
    settings = Settings(public_url="http://testserver", data_dir=tmp_path, default_maxrec=1000, hard_maxrec=5000)
    file = tmp_path / "stars.csv"
    file.write_text(STARS, encoding="utf-8")
    publish_file(database, file, PublishOptions(schema="sky", title="Bright stars"), records=record_keeper(settings), progress=None)
    services = Services(settings, database)
    yield services
    services.close()


@pytest.fixture
def sky(site: Services, database: Database, tmp_path: Path) -> Path:
    """The directory with the files of the datasets of tests/datasets.py, which the site has."""
    directory = tmp_path / "sky"
    with database.engine.begin() as connection:
        datasets.make(connection, directory)
    site.refresh()
    return directory


@pytest.fixture
def client(site: Services) -> TestClient:
    return TestClient(create_app(site))
