"""A small published site behind a real socket, for real clients."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from tests.live import serving
from vo_server.app import record_keeper
from vo_server.db.database import Database
from vo_server.publish import PublishOptions, publish_file
from vo_server.settings import Settings

SOURCES = """\
source_id,name,ra,dec,flux,detected
1,Vega,279.2347,38.7837,1.5,2020-01-02T03:04:05
2,Rigel,78.6345,-8.2016,,2021-01-01T00:00:00
3,Polaris,37.9546,89.2641,0.25,
4,Sirius,101.2872,-16.7161,9.75,2019-06-01T12:00:00
5,TXS 0506+056,77.358,5.693,0.125,2017-09-22T20:54:30
"""


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """Where the server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


@pytest.fixture(scope="module")
def database_url(servers: Callable[[str], Any]) -> Iterator[str]:
    """The address of a database for all tests of a file: a server takes seconds to start and to stop."""
    server, name = servers("embedded"), f"live_{uuid4().hex}"
    server.create(name, server.template)
    yield server.url(name)
    server.drop(name)


@pytest.fixture(scope="module")
def database(database_url: str, listener: socket.socket) -> Iterator[Database]:
    """A migrated database, whose rows have addresses that lead to the server."""
    with closing(Database(database_url, public_url=address(listener))) as database:
        yield database


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def configured() -> dict[str, Any]:
    """What the module's server is set to beside the defaults; a module may have its own."""
    return {}


@pytest.fixture(scope="module")
def live(
    database: Database, listener: socket.socket, configured: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The base URL of a running server with the table ``sky.sources``, that gives thirty rows unless asked for more."""
    url = address(listener)
    tmp_path = tmp_path_factory.mktemp("live")
    settings = Settings(public_url=url, data_dir=tmp_path, default_maxrec=30, **configured)
    file = tmp_path / "sources.csv"
    file.write_text(SOURCES)
    publish_file(database, file, PublishOptions(schema="sky", title="A few sources"), records=record_keeper(settings), progress=None)
    with serving(database, settings, listener) as base_url:
        yield base_url
