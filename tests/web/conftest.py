"""A small published site behind a real socket, and Chromium to look at it."""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import datasets
import pytest

from tests.live import serving
from vo_server.app import record_keeper
from vo_server.db.database import Database
from vo_server.publish import PublishOptions, publish_file
from vo_server.settings import Settings

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # WebGL without a graphics card

SOURCES = """\
# %ECSV 1.0
# ---
# datatype:
# - {name: name, datatype: string, description: Name of the source, meta: {ucd: meta.id;meta.main}}
# - {name: ra, datatype: float64, unit: deg, description: Right ascension, meta: {ucd: pos.eq.ra;meta.main}}
# - {name: dec, datatype: float64, unit: deg, description: Declination, meta: {ucd: pos.eq.dec;meta.main}}
# - {name: flux, datatype: float64, unit: Jy, description: Flux <b>density</b>, meta: {ucd: phot.flux}}
# - {name: note, datatype: string}
# delimiter: ','
# schema: astropy-2.0
name,ra,dec,flux,note
"""
ROWS = ('Vega,279.2347,38.7837,1.5,""', 'Rigel,78.6345,-8.2016,,""', 'TXS 0506+056,77.358,5.693,0.125,"<script>document.title=1</script>"')


def sources() -> str:
    """Three known sources, and eighty on a spiral."""
    spiral = [f'S{n},{n * 4.5},{n - 40},{0.1 * n + 0.01:.2f},""' for n in range(80)]
    return SOURCES + "\n".join([*ROWS, *spiral]) + "\n"


@pytest.fixture(scope="module")
def site(servers: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running server with the table ``sky.sources`` and a few datasets."""
    server, name, tmp_path = servers("embedded"), f"web_{uuid4().hex}", tmp_path_factory.mktemp("web")
    server.create(name, server.template)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with closing(Database(server.url(name), public_url=url)) as database:
            settings = Settings(public_url=url, data_dir=tmp_path, title="Test site")
            file = tmp_path / "sources.ecsv"
            file.write_text(sources())
            publish_file(
                database, file, PublishOptions(schema="sky", title="A few sources"), records=record_keeper(settings), progress=None
            )
            with database.engine.begin() as connection:
                datasets.make(connection, tmp_path / "datasets")
            with serving(database, settings, listener) as base_url:
                yield base_url
    server.drop(name)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (dev extra)")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian package chromium)")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page. Whatever its scripts or its security policy complain of fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(10_000)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    context.close()
    assert complaints == []
