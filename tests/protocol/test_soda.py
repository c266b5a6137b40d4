"""SODA 1.0 over HTTP: parts of datasets, no content, and errors as text behind a label."""

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from datasets import identifier
from lxml import etree
from sqlalchemy import select
from starlette.testclient import TestClient

from vo_server.app import performers
from vo_server.cutout.cutters import CUTTERS
from vo_server.db import schema
from vo_server.db.database import Database
from vo_server.jobs.results import MARK
from vo_server.jobs.worker import Runner
from vo_server.services import Services

pytestmark = pytest.mark.usefixtures("sky")

SYNC = "/soda/sync"


def test_a_part_of_an_image(client: TestClient) -> None:
    for name, value in (("CIRCLE", "83.6 22.0 0.028"), ("POS", "CIRCLE 83.6 22.0 0.028"), ("circle", "83.6 22.0 0.028")):
        for ask in (lambda query: client.get(SYNC, params=query), lambda query: client.post(SYNC, data=query)):
            reply = ask({"ID": identifier("image"), name: value})
            assert (reply.status_code, reply.headers["content-type"]) == (200, "application/fits")
            assert reply.headers["content-disposition"] == 'inline; filename="image-cutout.fits"'
            (part,) = fits.open(BytesIO(reply.content))
            assert part.data.shape == (6, 6)
            assert part.data[0, 0] == 17 * 40 + 17


def test_every_parameter_of_a_region(client: TestClient) -> None:
    square = "83.628 21.972 83.572 21.972 83.572 22.028 83.628 22.028"
    for name, value in (("POLYGON", square), ("POS", f"POLYGON {square}"), ("POS", "RANGE 83.572 83.628 21.972 22.028")):
        (part,) = fits.open(BytesIO(client.get(SYNC, params={"ID": identifier("image"), name: value}).content))
        assert part.data.shape == (6, 6)


def test_planes_and_events(client: TestClient) -> None:
    (part,) = fits.open(BytesIO(client.get(SYNC, params={"ID": identifier("cube"), "BAND": "5.08e-7 5.22e-7"}).content))
    assert part.data[:, 0, 0].tolist() == [10000.0, 20000.0]
    for name, value in (("BAND", "1e-18 1.3e-18"), ("ENERGY", "9e11 2e12")):
        reply = client.get(SYNC, params={"ID": identifier("events"), name: value, "CIRCLE": "83.6 22 1"})
        assert fits.open(BytesIO(reply.content))["EVENTS"].data["RA"].tolist() == [83.6]


def test_a_dataset_whole(client: TestClient, sky: Path) -> None:
    (part,) = fits.open(BytesIO(client.get(SYNC, params={"ID": identifier("image")}).content))
    np.testing.assert_array_equal(part.data, fits.getdata(sky / "image.fits"))


def test_head_has_no_body(client: TestClient) -> None:
    reply = client.head(SYNC, params={"ID": identifier("image")})
    assert (reply.status_code, reply.headers["content-type"], reply.content) == (200, "application/fits", b"")


def test_nothing_is_no_content(client: TestClient) -> None:
    for query in ({"CIRCLE": "10 10 1"}, {"BAND": "1 2", "ID": identifier("cube")}, {"ID": identifier("events"), "ENERGY": "1 2"}):
        reply = client.get(SYNC, params={"ID": identifier("image"), **query})
        assert (reply.status_code, reply.content) == (204, b"")


REFUSED = (
    ({}, 400, "UsageError: The parameter ID is missing"),
    ({"ID": ""}, 400, "UsageError: The parameter ID is missing"),
    ({"ID": "ivo://nobody/x"}, 404, "UsageError: There is no dataset"),
    ({"ID": "a\0"}, 400, "UsageError: ID: the character U+0000"),
    ({"ID": ["a", "b"]}, 400, "MultiValuedParamNotSupported: ID"),
    ({"CIRCLE": ["1 2 3", "2 3 4"]}, 400, "MultiValuedParamNotSupported: CIRCLE"),
    ({"BAND": ["1 2", "2 3"]}, 400, "MultiValuedParamNotSupported: BAND"),
    ({"CIRCLE": "1 2"}, 400, "UsageError: CIRCLE"),
    ({"CIRCLE": "1 2 3", "POS": "CIRCLE 1 2 3"}, 400, "UsageError: POS and CIRCLE"),
    ({"POLYGON": "1 1 2 2"}, 400, "UsageError: POLYGON"),
    ({"POLYGON": "0 0 1 1 1 0 0 1.5"}, 400, "UsageError: P"),
    ({"POS": "BOX 1 2 3 4"}, 400, "UsageError: POS"),
    ({"BAND": "2 1"}, 400, "UsageError: BAND"),
    ({"BAND": "1 2"}, 400, "UsageError: BAND"),
    ({"BAND": "1 2", "ENERGY": "1 2"}, 400, "UsageError: BAND and ENERGY"),
    ({"TIME": "now"}, 400, "UsageError: TIME"),
    ({"POL": "Z"}, 400, "UsageError: POL"),
    ({"RESPONSEFORMAT": "image/png"}, 400, "UsageError: RESPONSEFORMAT"),
    ({"ID": identifier("spectrum")}, 400, "UsageError: The dataset"),
    ({"ID": identifier("late")}, 403, "AuthorizationError: This is not public yet: it will be from 2031-05-06T00:00:00Z on."),
)


def test_errors_are_text_behind_a_label(client: TestClient) -> None:
    for query, status, start in REFUSED:
        reply = client.get(SYNC, params={**({"ID": identifier("image")} if query and "ID" not in query else {}), **query})
        assert (reply.status_code, reply.headers["content-type"]) == (status, "text/plain; charset=utf-8")
        assert reply.text.startswith(start)


def test_a_file_that_has_gone(client: TestClient, sky: Path) -> None:
    (sky / "image.fits").unlink()
    reply = client.get(SYNC, params={"ID": identifier("image")})
    assert (reply.status_code, reply.text.partition(":")[0]) == (404, "UsageError")
    (sky / "cube.fits").write_bytes(b"SIMPLE")
    reply = client.get(SYNC, params={"ID": identifier("cube")})
    assert reply.status_code == 500
    assert "incident" in reply.text


def test_jobs(client: TestClient, site: Services, database: Database) -> None:
    with database.engine.begin() as connection:
        site.results.claim(connection)
    runner = Runner(site.jobs, site.results, performers(site))
    wanted = {"ID": identifier("image"), "POL": ["I", "Q"], "PHASE": "RUN"}
    for query, media_type in (({"CIRCLE": "83.6 22 0.03"}, "application/fits"), ({"CIRCLE": "1 2 0.03"}, "text/plain; charset=utf-8")):
        reply = client.post("/soda/async", data={**wanted, "POL": [], **query}, follow_redirects=False)
        job = reply.headers["location"].removeprefix("http://testserver")
        run(runner, site, job.rpartition("/")[2])
        assert client.get(f"{job}/phase").text == "COMPLETED"
        result = client.get(f"{job}/results/result")
        assert result.headers["content-type"] == media_type
        assert result.content[:6] in (b"SIMPLE", b"Error:")
        assert "<rows>" not in client.get(job).text, "a file has none"
    reply = client.post("/soda/async", data={**wanted, "ID": "ivo://nobody/x"}, follow_redirects=False)
    job = reply.headers["location"].removeprefix("http://testserver")
    run(runner, site, job.rpartition("/")[2])
    assert "There is no dataset" in client.get(job).text
    assert "I Q" in client.get(f"{job}/parameters").text
    many = client.post("/soda/async", data={"ID": ["a", "b"]})
    assert (many.status_code, "ID was given 2 values" in many.text) == (400, True)


def test_the_execution_duration_of_a_job_holds(
    client: TestClient, site: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UWS 1.1 §2.1.5: an image whose pieces come too slowly ends in ERROR, and leaves no file."""

    def slow(*_: object) -> Iterator[bytes]:
        while True:
            time.sleep(0.1)
            yield b"SIMPLE"

    monkeypatch.setitem(CUTTERS, "image", slow)
    with database.engine.begin() as connection:
        site.results.claim(connection)
    job = client.post("/soda/async", data={"ID": identifier("image")}, follow_redirects=False).headers["location"]
    client.post(f"{job}/executionduration", data={"EXECUTIONDURATION": "1"})
    client.post(f"{job}/phase", data={"PHASE": "RUN"})
    run(Runner(site.jobs, site.results, performers(site)), site, job.rpartition("/")[2])
    shown = client.get(job).text
    assert "<uws:phase>ERROR" in shown
    assert "execution duration of 1 s" in shown
    assert [path.name for path in Path(site.settings.results_url).rglob("*") if path.is_file()] == [MARK]


def run(runner: Runner, site: Services, job_id: str) -> None:
    """Do what a worker would."""
    with site.database.engine.connect() as connection:
        queue_id = connection.execute(select(schema.jobs.c.queue_id).where(schema.jobs.c.job_id == job_id)).scalar_one()
    runner.run(job_id, queue_id)


def test_the_service_describes_itself(client: TestClient) -> None:
    root = etree.fromstring(client.get("/soda/capabilities").content)
    found = {part.get("standardID"): part.findtext("interface/accessURL") for part in root.iterfind("capability")}
    assert found["ivo://ivoa.net/std/SODA#sync-1.0"] == "http://testserver/soda/sync"
    assert found["ivo://ivoa.net/std/SODA#async-1.0"] == "http://testserver/soda/async"
    assert client.get("/soda/availability").status_code == 200
