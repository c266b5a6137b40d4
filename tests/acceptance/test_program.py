"""The ``vo`` program as an operator uses it: a demo from nothing, data published beside it, killed and started again."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvo
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from sickle import Sickle

from tests.stilts import SERIALISATIONS, needs_stilts, taplint, votlint

READY_S = 90
ENDLESS = "SELECT COUNT(*) AS n FROM " + ", ".join(f"tap_schema.columns AS c{number}" for number in range(8))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """A running ``vo demo`` or ``vo serve``."""

    def __init__(self, command: str, data_dir: Path, port: int, cwd: Path, **variables: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.data_dir = data_dir
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VO_")}
        self.log = (cwd / f"{command}.log").open("a+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vo_server", command, "--port", str(port), "--data-dir", str(data_dir)],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            cwd=cwd,
            env=environment | variables,
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()
        self.log.seek(0)
        assert "ready" in self.ready, self.log.read()

    def end(self, with_signal: int = signal.SIGINT) -> int:
        self.process.send_signal(with_signal)
        code = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()
        return code


def vo(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("VO_")}
    return subprocess.run(
        [sys.executable, "-m", "vo_server", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[Program]:
    program = Program("demo", folder / "data", free_port(), folder)
    yield program
    program.end()


@pytest.mark.timeout(180)
def test_the_demo_finds_the_blazar_beside_the_neutrino(demo: Program) -> None:
    service = pyvo.dal.TAPService(f"{demo.url}/tap")
    found = service.search(
        "SELECT a.name, f.association, DISTANCE(POINT(a.ra, a.dec), POINT(f.ra, f.dec)) AS separation "
        "FROM icecube.alerts AS a JOIN fermi.bright AS f ON DISTANCE(POINT(a.ra, a.dec), POINT(f.ra, f.dec)) < 0.5 "
        "WHERE a.name = 'IC170922A'"
    )
    assert [(row["name"], row["association"]) for row in found] == [("IC170922A", "TXS 0506+056")]
    assert found["separation"][0] == pytest.approx(0.113, abs=0.001)


@pytest.mark.timeout(180)
def test_the_readme_tells_what_happens(demo: Program, tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    snippet, printed = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", readme, flags=re.DOTALL)[0]
    script = tmp_path / "readme.py"
    script.write_text(snippet.replace("http://127.0.0.1:8000", demo.url), encoding="utf-8")
    done = subprocess.run([sys.executable, "-W", "ignore", str(script)], capture_output=True, text=True, check=True, timeout=60)
    assert [line.rstrip() for line in done.stdout.splitlines()] == [line.rstrip() for line in printed.splitlines()]


def test_cone_image_and_registry_of_the_demo(demo: Program, tmp_path: Path, datalink_vocabulary: None) -> None:
    cone = pyvo.dal.SCSService(f"{demo.url}/scs/hipparcos.stars?").search(pos=(77.43, 5.79), radius=1.0)
    assert len(cone) > 0
    assert cone[0].pos is not None
    images = pyvo.dal.sia2.SIA2Service(f"{demo.url}/sia2/query").search(pos=(77.43, 5.79, 0.1), collection="hipparcos_maps")
    assert len(images) == 1
    path = tmp_path / "image.fits"
    images[0].cachedataset(filename=str(path))
    with fits.open(path) as opened:
        assert opened[0].data.sum() > 0
        assert opened[0].header["CTYPE1"].startswith("RA---TAN")
    sed, picture = pyvo.dal.SSAService(f"{demo.url}/ssa").search(pos=SkyCoord(77.36, 5.69, unit="deg"), diameter=0.1)
    assert sed.getdataset().read(100).startswith(b"<?xml")
    assert picture.getdataset().read(8) == b"\x89PNG\r\n\x1a\n"
    records = list(Sickle(f"{demo.url}/oai").ListRecords(metadataPrefix="ivo_vor"))
    assert {record.header.identifier.rpartition("/")[2] for record in records} >= {"registry", "org", "tap", "alerts", "stars"}


@needs_stilts
def test_validators_find_nothing_in_the_demo(demo: Program) -> None:
    """All stages of taplint, and a result of each serialisation of VOTable."""
    assert taplint(demo.url) == []
    for form in SERIALISATIONS:
        assert votlint(demo.url, form, "SELECT TOP 300 * FROM icecube.alerts") == []


def test_a_published_file_shows_at_once_and_a_bad_one_changes_nothing(demo: Program, folder: Path) -> None:
    good = folder / "my_stars.csv"
    good.write_text("name,ra,dec,mag\nα Lyr,279.2347,38.7837,0.03\nβ Ori,78.6345,-8.2016,0.13\n")
    published = vo("publish", good, "--data-dir", demo.data_dir, cwd=folder)
    assert published.returncode == 0, published.stderr
    assert "/scs/data.my_stars" in published.stdout
    service = pyvo.dal.TAPService(f"{demo.url}/tap")
    assert sorted(service.search("SELECT name FROM data.my_stars").to_table()["name"]) == ["α Lyr", "β Ori"]
    good.write_text("name,ra,dec,mag\nα Lyr,279.2347,38.7837\n")
    refused = vo("publish", good, "--data-dir", demo.data_dir, cwd=folder)
    assert refused.returncode == 1
    assert re.search(r"row|line", refused.stderr)
    assert "Traceback" not in refused.stderr
    assert len(service.search("SELECT name FROM data.my_stars")) == 2


def test_republishing_replaces_without_a_reader_noticing(demo: Program, folder: Path) -> None:
    file = folder / "flip.fits"
    service = pyvo.dal.TAPService(f"{demo.url}/tap")
    for generation in (1, 2):
        Table({"id": list(range(500)), "generation": [generation] * 500}).write(file, overwrite=True)
        with subprocess.Popen(
            [sys.executable, "-m", "vo_server", "publish", str(file), "--data-dir", str(demo.data_dir)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        ) as publishing:
            while publishing.poll() is None:
                if generation == 2:
                    rows = service.search("SELECT generation, COUNT(*) AS n FROM data.flip GROUP BY generation").to_table()
                    assert [(row["n"]) for row in rows] == [500]
                time.sleep(0.02)
    assert service.search("SELECT MAX(generation) AS g FROM data.flip")["g"][0] == 2


@pytest.mark.timeout(180)
def test_a_killed_server_starts_again_on_its_data(tmp_path: Path) -> None:
    """UWS-043, UWS 1.1 §2.1.3: of its jobs those that ran are run again, the others are as they were."""
    data_dir, port = tmp_path / "data", free_port()
    first = Program("serve", data_dir, port, tmp_path, VO_STALLED_SECONDS="3")
    (tmp_path / "one.csv").write_text("x\n1\n")
    assert vo("publish", tmp_path / "one.csv", "--data-dir", data_dir, cwd=tmp_path).returncode == 0
    service = pyvo.dal.TAPService(f"{first.url}/tap")
    done, running, pending = (service.submit_job(query) for query in ("SELECT x FROM data.one", ENDLESS, "SELECT x FROM data.one"))
    done.run().wait(timeout=30)
    running.run().wait(phases=["EXECUTING"], timeout=30)
    begun = running.job.starttime
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = Program("serve", data_dir, port, tmp_path, VO_STALLED_SECONDS="3")
    assert pyvo.dal.TAPService(f"{second.url}/tap").search("SELECT x FROM data.one")["x"][0] == 1
    assert (done.phase, done.fetch_result()["x"][0]) == ("COMPLETED", 1)
    assert pending.phase == "PENDING"
    deadline = time.monotonic() + 40
    while running.phase != "EXECUTING" or running.job.starttime == begun:
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.2)
    running.abort()
    pending.run().wait(timeout=30)
    assert (running.phase, pending.phase) == ("ABORTED", "COMPLETED")
    assert second.end(signal.SIGTERM) == 0


def test_the_demo_runs_jobs_itself(demo: Program) -> None:
    found = pyvo.dal.TAPService(f"{demo.url}/tap").run_async("SELECT TOP 3 name FROM icecube.alerts ORDER BY name")
    assert len(found) == 3


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = vo("serve", "--port", str(taken.getsockname()[1]), "--data-dir", tmp_path / "d", cwd=tmp_path)
    assert result.returncode == 1
    assert "Cannot listen" in result.stderr
    assert not (tmp_path / "d").exists()
