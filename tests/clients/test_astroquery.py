"""astroquery's TapPlus, which is how ESA's and many others' users ask by TAP.

``load_tables()`` without an argument reads the documents of ESA's servers alone: it wants an attribute of theirs on every column, which
validators refuse (the wildcard of VODataService's BaseParam is strict). With either of its arguments, and so does ``load_table``, it sends
parameters of ESA's, and is understood.
"""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from astropy.table import Table

pytestmark = pytest.mark.filterwarnings("ignore")  # astroquery's own, of every kind
tap_core = pytest.importorskip("astroquery.utils.tap.core", reason="astroquery is not installed (extra validators)")

QUERY = "SELECT name, flux, detected FROM sky.sources WHERE flux > 1 ORDER BY flux"


@pytest.fixture
def tap(live: str) -> Iterator[Any]:
    yield tap_core.TapPlus(url=f"{live}/tap")
    gc.collect()  # it leaves connections open


@pytest.mark.parametrize("form", ["votable", "csv", "json"])
def test_a_synchronous_query(tap: Any, form: str) -> None:
    assert list(tap.launch_job(QUERY, output_format=form).get_results()["name"]) == ["Vega", "Sirius"]


def test_a_job(tap: Any) -> None:
    job = tap.launch_job_async(QUERY)
    assert list(job.get_results()["name"]) == ["Vega", "Sirius"]
    assert job.get_phase() == "COMPLETED"


def test_a_job_step_by_step(tap: Any) -> None:
    job = tap.launch_job_async(QUERY, autorun=False)
    assert job.get_phase() == "PENDING"
    job.start()
    job.wait_for_job_end()
    again = tap.load_async_job(jobid=job.jobid)
    assert again.get_phase(update=True) == "COMPLETED"
    assert list(again.get_results()["name"]) == ["Vega", "Sirius"]
    job = tap.launch_job_async(QUERY, autorun=False)
    with pytest.raises(Exception, match="303"):  # it takes the redirect that UWS 1.1 §2.2.3.4 asks for to be an error
        job.abort()
    assert tap.load_async_job(jobid=job.jobid, load_results=False).get_phase(update=True) == "ABORTED"


def test_nobody_is_listed_the_jobs_of_others(tap: Any) -> None:
    """It keeps no cookie without a login."""
    tap.launch_job_async(QUERY, name="mine")
    assert tap.list_async_jobs() == []


def test_a_failed_job_carries_our_words(tap: Any) -> None:
    job = tap.launch_job_async("SELECT flx FROM sky.sources", background=True)
    with pytest.raises(Exception, match=r"column 8: There is no column flx.*Did you mean flux?"):
        job.get_results()
    assert job.get_phase(update=True) == "ERROR"


def test_tables_are_loaded(tap: Any) -> None:
    assert "sky.sources" in {table.name for table in tap.load_tables(only_names=True)}
    tables = {table.name: table for table in tap.load_tables(include_shared_tables=True)}
    for table in (tables["sky.sources"], tap.load_table("sky.sources")):
        columns = {column.name: column for column in table.columns}
        assert list(columns) == ["source_id", "name", "ra", "dec", "flux", "detected"]
        assert (columns["ra"].unit, columns["ra"].ucd, columns["ra"].data_type) == ("deg", "pos.eq.ra;meta.main", "double")
        assert [columns[name].flags for name in ("source_id", "ra", "dec", "flux")] == ["16", "1", "2", "0"]
    with pytest.raises(Exception, match=r"404:\s*There is no table sky\.source\. Did you mean sky\.sources"):
        tap.load_table("sky.source")


def test_a_service_told_by_its_parts(live: str, tap: Any) -> None:
    """Its addresses then begin with two slashes."""
    host, port = live.removeprefix("http://").split(":")
    parts = {"host": host, "port": int(port), "server_context": "", "tap_context": "tap", "datalink_context": "datalink"}
    told = tap_core.TapPlus(**parts)
    assert list(told.launch_job(QUERY).get_results()["name"]) == ["Vega", "Sirius"]
    assert list(told.launch_job_async(QUERY).get_results()["name"]) == ["Vega", "Sirius"]
    (link,) = told.get_datalinks("ivo://nobody/x")
    assert "NotFoundFault" in link["error_message"]


def test_an_upload(tap: Any) -> None:
    mine = Table({"label": ["here", "nowhere"], "ra": [77.36, 10.0], "dec": [5.69, 10.0]})
    query = "SELECT m.label, s.name FROM tap_upload.mine AS m JOIN sky.sources AS s ON DISTANCE(m.ra, m.dec, s.ra, s.dec) < 0.1"
    found = tap.launch_job(query, upload_resource=mine, upload_table_name="mine").get_results()
    assert [tuple(row) for row in found] == [("here", "TXS 0506+056")]


@pytest.mark.parametrize("form", ["votable", "csv", "json"])
def test_an_error_carries_our_words(tap: Any, form: str) -> None:
    with pytest.raises(Exception, match=r"Error 400:\s.*column 18: There is no column flx.*Did you mean flux?"):
        tap.launch_job("SELECT flx FROM sky.sources", output_format=form)
