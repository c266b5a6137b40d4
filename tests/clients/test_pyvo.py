"""pyvo, as a user's script has it, against a live server."""

import gc
import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pyvo
from astropy.coordinates import SkyCoord
from uploads import SERIALISATIONS, sample, written


def test_tap_with_metadata(live: str) -> None:
    service = pyvo.dal.TAPService(f"{live}/tap")
    assert service.maxrec == 30
    assert "sky.sources" in service.tables
    columns = {column.name: column for column in service.tables["sky.sources"].columns}
    assert columns["ra"].unit == "deg"
    result = service.search("SELECT name, flux, detected FROM sky.sources WHERE flux > 1 ORDER BY flux")
    assert list(result["name"]) == ["Vega", "Sirius"]
    assert result.fielddescs[2].xtype == "timestamp"


def test_overflow_warns_and_errors_carry_our_words(live: str) -> None:
    service = pyvo.dal.TAPService(f"{live}/tap")
    with pytest.warns(pyvo.dal.DALOverflowWarning):
        assert len(service.search("SELECT * FROM tap_schema.columns")) == 30
    assert len(service.search("SELECT * FROM sky.sources", maxrec=2)) == 2
    with pytest.raises(pyvo.dal.DALQueryError, match=r"Line 1, column 8.*flux"):
        service.search("SELECT flx FROM sky.sources")


def test_cone_search(live: str) -> None:
    cone = pyvo.dal.SCSService(f"{live}/scs/sky.sources?")
    found = cone.search(pos=SkyCoord(77.43, 5.79, unit="deg"), radius=0.2)
    assert [record["name"] for record in found] == ["TXS 0506+056"]
    assert found[0].id == "5"
    assert found[0].pos.separation(SkyCoord(77.358, 5.693, unit="deg")).arcsec < 1e-6
    assert len(cone.search(pos=(0, 90), radius=1.0)) == 1


def test_registry_names_what_is_served(live: str) -> None:
    capabilities = pyvo.dal.TAPService(f"{live}/tap").capabilities
    assert {capability.standardid for capability in capabilities} >= {"ivo://ivoa.net/std/TAP", "ivo://ivoa.net/std/VOSI#tables-1.1"}


@pytest.fixture
def service(live: str) -> Iterator[pyvo.dal.TAPService]:
    yield pyvo.dal.TAPService(f"{live}/tap")
    gc.collect()  # pyvo leaves connections open, which are not to be noticed in another test


leaves_connections = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@leaves_connections
def test_a_job_from_beginning_to_end(service: pyvo.dal.TAPService) -> None:
    found = service.run_async("SELECT name, flux FROM sky.sources WHERE flux > 1 ORDER BY flux")
    assert list(found["name"]) == ["Vega", "Sirius"]
    assert service.run_async("SELECT * FROM sky.sources", maxrec=2).status[0] == "OVERFLOW"


@leaves_connections
def test_a_job_step_by_step(service: pyvo.dal.TAPService) -> None:
    job = service.submit_job("SELECT name FROM sky.sources ORDER BY name", runid="mine")
    assert (job.phase, job.owner, job.query) == ("PENDING", None, "SELECT name FROM sky.sources ORDER BY name")
    job.execution_duration = 30
    assert job.execution_duration.sec == 30
    job.query = "SELECT name FROM sky.sources WHERE source_id = 1"
    job.run().wait(timeout=20)
    assert (job.phase, job.result.href) == ("COMPLETED", f"{job.url}/results/result")
    assert list(job.fetch_result()["name"]) == ["Vega"]
    assert job.destruction is not None
    url = job.url
    job.delete()
    with pytest.raises(pyvo.dal.DALServiceError):
        pyvo.dal.AsyncTAPJob(url)


@leaves_connections
def test_a_failed_job_carries_our_words(service: pyvo.dal.TAPService) -> None:
    job = service.submit_job("SELECT flx FROM sky.sources")
    job.run().wait(timeout=20)
    with pytest.raises(pyvo.dal.DALQueryError, match=r"Line 1, column 8.*flux"):
        job.raise_if_error()
    job.delete()


@leaves_connections
def test_an_aborted_job(service: pyvo.dal.TAPService) -> None:
    slow = "SELECT COUNT(*) AS n FROM " + ", ".join(f"tap_schema.columns AS c{number}" for number in range(7))
    job = service.submit_job(slow)
    job.run()
    while job.phase == "QUEUED":
        time.sleep(0.05)
    assert job.phase == "EXECUTING"
    job.abort()
    assert job.phase == "ABORTED"


MATCH = "SELECT m.*, s.name AS source FROM TAP_UPLOAD.mine AS m JOIN sky.sources AS s ON DISTANCE(m.ra, m.de, s.ra, s.dec) < 1/3600."


@leaves_connections
def test_uploads(service: pyvo.dal.TAPService, tmp_path: Path) -> None:
    table = sample()
    file = tmp_path / "mine.csv"
    file.write_text("RA,DE,remark\n279.2347,38.7837,mine\n")
    for form, serialisation in enumerate(SERIALISATIONS):
        content = io.BytesIO(written(sample(nulls=serialisation != "binary"), serialisation))
        found = service.search(f"{MATCH} ORDER BY source", uploads={"mine": content})
        assert list(found["source"]) == ["Sirius", "Vega"], form
    back = service.search("SELECT * FROM TAP_UPLOAD.mine", uploads={"mine": table}).to_table()
    assert back.colnames == table.colnames
    for name in table.colnames:
        assert str(back[name].dtype) in (str(table[name].dtype), "object"), name
        assert back[name].unit == table[name].unit
        gap = np.nan if name == "f" else "" if name == "name" else 0
        assert np.array_equal(np.ma.filled(back[name], gap), np.ma.filled(table[name], gap), equal_nan=name == "f"), name
    assert back["size"].description == "A reserved word"
    assert list(service.run_async(f"{MATCH} ORDER BY source", uploads={"mine": table})["source"]) == ["Sirius", "Vega"]
    two = service.search(
        "SELECT a.remark, b.name FROM TAP_UPLOAD.a JOIN TAP_UPLOAD.b ON DISTANCE(a.ra, a.de, b.ra, b.de) < 0.1",
        uploads={"a": str(file), "b": table},
    )
    assert (list(two["remark"]), list(two["name"])) == (["mine"], ["Vega"])
    with pytest.raises(pyvo.dal.DALQueryError, match=r"TAP_UPLOAD.mine: row 2, .*1 values for 2 columns"):
        service.search("SELECT * FROM TAP_UPLOAD.mine", uploads={"mine": io.BytesIO(b"a,b\n1,2\n3\n")})


@leaves_connections
def test_the_result_of_a_job_goes_into_the_next_query(service: pyvo.dal.TAPService) -> None:
    job = service.submit_job("SELECT name, ra, dec FROM sky.sources WHERE flux > 1")
    job.run().wait(timeout=20)
    found = service.search("SELECT name FROM TAP_UPLOAD.before ORDER BY name", uploads={"before": job})
    assert list(found["name"]) == ["Sirius", "Vega"]
    job.delete()


def test_examples_run(live: str) -> None:
    examples = pyvo.dal.TAPService(f"{live}/tap").examples
    assert len(examples) >= 3
    for example in examples:
        assert example.execute().status[0] in ("OK", "OVERFLOW")
