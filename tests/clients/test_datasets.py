"""From a search to a part of what was found, as scripts have it: pyvo, astropy and the STILTS validator against a live server."""

import gc
import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

import astropy.units as u
import datasets
import pytest
import pyvo
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from datasets import identifier

from vo_server.db.database import Database

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
needs_stilts = pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed (Debian package stilts)")

CIRCLE = [83.6, 22.0, 0.028] * u.deg


@pytest.fixture
def site(live: str, database: Database, tmp_path: Path) -> Iterator[str]:
    with database.publish_engine.begin() as connection:
        datasets.make(connection, tmp_path / "sky")
    yield live
    gc.collect()  # pyvo leaves connections open, which are not to be noticed in another test


def images(site: str) -> pyvo.dal.sia2.SIA2Results:
    return pyvo.dal.SIA2Service(f"{site}/sia2").search(pos=(83.6, 22.0, 0.1), maxrec=4)


def opened(stream: object) -> fits.HDUList:
    return fits.open(BytesIO(stream.read()))  # type: ignore[attr-defined]


def test_links_of_all_that_was_found(site: str) -> None:
    found = {links.original_row["obs_id"]: {link.semantics for link in links} for links in images(site).iter_datalinks()}
    assert found == {"image": {"#this", "#cutout"}, "cube": {"#this", "#cutout"}, "late": {"#this", "#preview", "#cutout"}}


def test_from_a_record_to_its_file_and_to_a_part(site: str) -> None:
    (record,) = (record for record in images(site) if record["obs_id"] == "image")
    links = record.getdatalink()
    whole = fits.open(BytesIO(next(links.bysemantics("#this", include_narrower=False)).getdataset().read()))
    (part,) = opened(links.get_first_proc().process(circle=CIRCLE))
    assert part.data.shape == (6, 6)
    here = WCS(part.header).pixel_to_world(2.5, 2.5)
    assert here.separation(SkyCoord(83.6, 22.0, unit="deg")).arcsec < 1e-3
    assert part.data[0, 0] == whole[0].data[17, 17]


def test_processed_right_from_the_search(site: str) -> None:
    """The description stands in the answer itself (PITFALLS P-104), of SIA as of TAP."""
    rows = pyvo.dal.TAPService(f"{site}/tap").search("SELECT * FROM ivoa.obscore WHERE obs_id = 'cube'")
    for record in (*(record for record in images(site) if record["obs_id"] == "cube"), rows[0]):
        (part,) = opened(record.processed(circle=CIRCLE, band=[508, 522] * u.nm))
        assert part.data.shape == (2, 6, 6)
        assert WCS(part.header).spectral.pixel_to_world(0).to_value(u.nm) == pytest.approx(510)


def test_events_by_energy(site: str) -> None:
    (row,) = pyvo.dal.TAPService(f"{site}/tap").search("SELECT * FROM ivoa.obscore WHERE dataproduct_type = 'event'")
    process = row.getdatalink().get_first_proc()
    assert "ENERGY" in {param.name for param in process.input_params}
    assert opened(process.process(energy=[9e11, 2e12] * u.eV, circle=[83.6, 22.0, 1.0] * u.deg))["EVENTS"].data["ENERGY"].tolist() == [1.0]


def test_errors_carry_our_words(site: str) -> None:
    (late,) = (record for record in images(site) if record["obs_id"] == "late")
    with pytest.raises(pyvo.dal.DALServiceError, match="AuthorizationError: This is not public yet: it will be from 2031-05-06"):
        late.processed(circle=CIRCLE)


NEWER_WORD = "Unknown predicate 'documentation'"
"""A word of the vocabulary since 2021; STILTS 3.4.7 without a network knows an older edition."""


def faults(site: str, path: str, **query: object) -> list[str]:
    command = ["stilts", "datalinklint", "report=EWF", f"votable={site}{path}?{urlencode(query, doseq=True)}"]
    report = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100).stdout
    assert "Totals: " in report
    return [line for line in report.splitlines() if line.startswith(("E-", "W-", "F-")) and NEWER_WORD not in line]


@needs_stilts
def test_datalinklint_finds_nothing_in_links(site: str) -> None:
    names = ("image", "cube", "events", "spectrum", "late")
    assert faults(site, "/datalink/links", ID=[*(identifier(name) for name in names), "ivo://nobody/x"]) == []
    assert faults(site, "/datalink/links") == []


NO_LINKS = ("E-DLCT", "E-RCOL", "E-DRID", "E-DRS0")
"""What it says of a table that is not one of links: its media type, and that the columns of links are not there."""


@needs_stilts
def test_datalinklint_finds_nothing_in_descriptions_beside_results(site: str) -> None:
    for path, query in (("/sia2/query", {"MAXREC": 2}), ("/tap/sync", {"LANG": "ADQL", "QUERY": "SELECT * FROM ivoa.obscore"})):
        assert [fault for fault in faults(site, path, **query) if not fault.startswith(NO_LINKS)] == []
