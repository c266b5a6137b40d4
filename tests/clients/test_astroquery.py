"""astroquery's TapPlus, which is how ESA's and many others' users ask by TAP.

Its ``load_tables`` reads the documents of ESA's servers alone: it wants an attribute of theirs on every column, for which validators want
ESA's own schema (the wildcard of VODataService's BaseParam is strict).
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


def test_an_upload(tap: Any) -> None:
    mine = Table({"label": ["here", "nowhere"], "ra": [77.36, 10.0], "dec": [5.69, 10.0]})
    query = "SELECT m.label, s.name FROM tap_upload.mine AS m JOIN sky.sources AS s ON DISTANCE(m.ra, m.dec, s.ra, s.dec) < 0.1"
    found = tap.launch_job(query, upload_resource=mine, upload_table_name="mine").get_results()
    assert [tuple(row) for row in found] == [("here", "TXS 0506+056")]


@pytest.mark.parametrize("form", ["votable", "csv", "json"])
def test_an_error_carries_our_words(tap: Any, form: str) -> None:
    with pytest.raises(Exception, match=r"Error 400:\s.*column 18: There is no column flx.*Did you mean flux?"):
        tap.launch_job("SELECT flx FROM sky.sources", output_format=form)
