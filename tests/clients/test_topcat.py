"""TOPCAT itself, on a display of its own: it loads a result of ours by SAMP and shows it."""

import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

pytestmark = [
    pytest.mark.skipif(not (shutil.which("topcat") and shutil.which("Xvfb")), reason="topcat and xvfb are not installed (Debian packages)"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(180),
]
samp_ = pytest.importorskip("pyvo.samp", reason="this pyvo is older than 1.9, and has no SAMP")
PATIENCE_S = 90


@pytest.fixture
def display(tmp_path: Path) -> Iterator[str]:
    """A screen whose pixels are in the file ``Xvfb_screen0``."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1000x700x24", "-fbdir", str(tmp_path), "-nolisten", "tcp"]
    with running(command, pass_fds=(writing,)):
        os.close(writing)
        with os.fdopen(reading) as number:
            yield f":{number.readline().strip()}"


@pytest.fixture
def samp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a hub of our own, which programs find by SAMP_HUB."""
    lock = tmp_path / "samp.lock"
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{lock.as_uri()}")
    samp_.conf.use_internet = False
    hub = samp_.SAMPHubServer(lockfile=str(lock), web_profile=False, addr="127.0.0.1")
    hub.start()
    client = samp_.SAMPIntegratedClient(name="vo-server's tests", addr="127.0.0.1")
    client.connect(hub=hub)
    yield client
    client.disconnect()
    hub.stop()


def test_a_result_is_loaded_and_shown(live: str, display: str, samp: Any, tmp_path: Path) -> None:
    log = (tmp_path / "topcat.log").open("w")
    with log, running(["topcat", "-nohub", "-samp"], env=os.environ | {"DISPLAY": display}, stdout=log, stderr=log):
        topcat = wait_for(lambda: find(samp, "topcat", "table.load.votable"), log)
        before = screenshot(tmp_path)
        query = {"LANG": "ADQL", "QUERY": "SELECT * FROM sky.sources", "RESPONSEFORMAT": "votable/b2"}
        message = {"url": f"{live}/tap/sync?{urlencode(query)}", "table-id": "sources", "name": "Sources of ours"}
        answer = samp.ecall_and_wait(topcat, "table.load.votable", str(PATIENCE_S), **message)
        assert answer["samp.status"] == "samp.ok", answer
        wait_for(lambda: selected(samp, topcat, "sources", 0, 4) or None, log)
        assert not selected(samp, topcat, "another", 0)
        shown = wait_for(lambda: settled(before, tmp_path), log)
    (tmp_path / "screenshot.ppm").write_bytes(b"P6 %d %d 255\n" % shown.shape[1::-1] + shown.tobytes())  # to be looked at
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 50, "the screen is empty"


def selected(samp: Any, topcat: str, table: str, *rows: int) -> bool:
    """Whether TOPCAT has these rows of a table: it selects them."""
    message = {"table-id": table, "row-list": [str(row) for row in rows]}
    return bool(samp.ecall_and_wait(topcat, "table.select.rowList", str(PATIENCE_S), **message)["samp.status"] == "samp.ok")


def find(samp: Any, name: str, mtype: str) -> str | None:
    listening = samp.get_subscribed_clients(mtype)
    return next((client for client in listening if samp.get_metadata(client).get("samp.name") == name), None)


def settled(before: np.ndarray, folder: Path) -> np.ndarray | None:
    """The screen, if it is other than before and nothing moves any more."""
    first = screenshot(folder)
    time.sleep(1)
    now = screenshot(folder)
    return now if (before != now).any() and not (first != now).any(axis=2).mean() > 0.0005 else None


def screenshot(folder: Path) -> np.ndarray:
    """The screen's pixels, height × width × RGB; Xvfb writes them in the format of xwd."""
    data = (folder / "Xvfb_screen0").read_bytes()
    header = struct.unpack(">25I", data[:100])
    size, width, height, line, colours = header[0], header[4], header[5], header[12], header[19]
    pixels = np.frombuffer(data, np.uint8, height * line, size + 12 * colours).reshape(height, line)
    return pixels[:, : width * 4].reshape(height, width, 4)[:, :, 2::-1].copy()


def wait_for(look: Any, log: Any) -> Any:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.2)
    return pytest.fail(Path(log.name).read_text())


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[None]:
    """A program, until the end of the context."""
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, 15)
            process.wait(20)
