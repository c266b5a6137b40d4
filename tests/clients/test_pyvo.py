"""pyvo, as a user's script has it, against a live server."""

import gc
import time
from collections.abc import Iterator

import pytest
import pyvo
from astropy.coordinates import SkyCoord


def test_tap_with_metadata(live: str) -> None:
    service = pyvo.dal.TAPService(f"{live}/tap")
    assert service.maxrec == 4
    assert "sky.sources" in service.tables
    columns = {column.name: column for column in service.tables["sky.sources"].columns}
    assert columns["ra"].unit == "deg"
    result = service.search("SELECT name, flux, detected FROM sky.sources WHERE flux > 1 ORDER BY flux")
    assert list(result["name"]) == ["Vega", "Sirius"]
    assert result.fielddescs[2].xtype == "timestamp"


def test_overflow_warns_and_errors_carry_our_words(live: str) -> None:
    service = pyvo.dal.TAPService(f"{live}/tap")
    with pytest.warns(pyvo.dal.DALOverflowWarning):
        assert len(service.search("SELECT * FROM sky.sources")) == 4
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
