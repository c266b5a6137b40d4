"""Aladin, as Debian has it, draws an image and the rows of a cone search that it fetches from a live server.

Aladin wants the services of its home at start. Here a proxy stands for them, which knows a dictionary of addresses and
has nothing else to say.
"""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_discovery import HERE, write_image

from vo_server.db.catalogue import bump_version
from vo_server.db.database import Database
from vo_server.publish.datasets import Dataset, replace_datasets

ALADIN = Path("/usr/share/java/aladin.jar")

pytestmark = [
    pytest.mark.skipif(not (ALADIN.exists() and shutil.which("xvfb-run")), reason="aladin is not installed (Debian packages aladin, xvfb)"),
    pytest.mark.timeout(150),
]

DICTIONARY = b"""\
%A Http
%D Any address
%O CDS'aladin
%U $1

%A VizieR.Meta
%O CDS'aladin
%U http://nowhere.invalid/meta

%A VizieRXML++
%O CDS'aladin
%U http://nowhere.invalid/vizier

%A MocServer
%O CDS'aladin
%U http://nowhere.invalid/moc

%A Images
%D A server must be there
%O CDS'aladin
%Z ALADIN
%U http://nowhere.invalid/sia1?POS=$1,$2&SIZE=$3
%P.D 1:Right Ascension
%P.K 1:Target(RAd)
%P.D 2:Declination
%P.K 2:Target(DEd)
%P.D 3:Size
%P.K 3:Field(RAd)
%R Mime(sia/xml)
%Aladin.Label Images
%Aladin.LabelPlane Images
%Aladin.Protocol SIAP

"""


class Home(BaseHTTPRequestHandler):
    """What stands for Aladin's home."""

    def do_GET(self) -> None:
        body = DICTIONARY if "nph-glu" in self.path else b""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def home() -> Iterator[int]:
    """The port of the proxy."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Home) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def draw(script: str, home: int, folder: Path) -> None:
    java = ["java", f"-Duser.home={folder}", "-Dhttp.proxyHost=127.0.0.1", f"-Dhttp.proxyPort={home}", "-jar", str(ALADIN)]
    quiet = ["-nogui", "-noreleasetest", "-nosamp", "-noplugin", "-nolog"]
    with (folder / "aladin.log").open("w") as log:
        command = ["xvfb-run", "-a", *java, *quiet, f"-script={script};quit"]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        assert process.wait(timeout=90) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_aladin_draws_an_image_and_the_sources_in_it(live: str, database: Database, home: int, tmp_path: Path) -> None:
    write_image(tmp_path / "blazar.fits")
    image = Dataset(path="blazar.fits", obs_id="blazar", access_format="application/fits", access_estsize=6, shape=(*HERE, 0.5))
    with database.publish_engine.begin() as connection:
        replace_datasets(connection, "Blazars", tmp_path, [image])
        bump_version(connection)
    picture = tmp_path / "view.png"
    cone = f"{live}/scs/sky.sources?RA={HERE[0]}&DEC={HERE[1]}&SR=0.2"
    draw(f"load {live}/files/Blazars/blazar.fits;sync;load {cone};sync;save {picture};sync", home, tmp_path)
    red, green, blue = np.moveaxis(np.asarray(Image.open(picture).convert("RGB")).astype(int), -1, 0)
    assert len(np.unique(red[(red == green) & (green == blue)])) > 20, "the image is a ramp of greys"
    source = (red > 150) & (green < 100) & (blue < 100)
    assert source.any(), "the source is drawn in red"
    rows, columns = np.nonzero(source)
    assert abs(np.median(rows) / red.shape[0] - 0.5) < 0.1
    assert abs(np.median(columns) / red.shape[1] - 0.5) < 0.1
