"""What an analyst of gamma rays does in a notebook: a query, DataLink, and the events with their response functions on the own disk."""

import gc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvo
from astropy.io import fits

from vo_server.app import record_keeper
from vo_server.db.database import Database
from vo_server.observations.collections import Collection, Work, with_own_schema
from vo_server.observations.eventtables import publish_events
from vo_server.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

RA, DEC = 83.633, 22.014
EVENTS = 40
ENERGIES = np.geomspace(0.1, 100, 5)
OFFSETS = np.array([0.0, 1.0, 2.5])
REFERENCE = {"MJDREFI": 51910, "MJDREFF": 0.000742870370370241, "TIMESYS": "TT", "TIMEUNIT": "s", "TIMEREF": "LOCAL"}
BAND = "WHERE 1 = CONTAINS(POINT(83.633, 22.014), o.s_region) AND h.messenger_name = 'photon' AND h.energy_max > 1e12"


def bins(name: str, edges: Any, unit: str) -> list[fits.Column]:
    """The two columns of an axis (OGIP CAL/GEN/92-003)."""
    ends = (("LO", edges[:-1]), ("HI", edges[1:]))
    return [fits.Column(f"{name}_{end}", f"{len(values)}E", unit, array=[values]) for end, values in ends]


def response(name: str, kind: tuple[str, str], *columns: fits.Column) -> fits.BinTableHDU:
    """A response function as GADF 0.3 has it."""
    hdu = fits.BinTableHDU.from_columns(columns, name=name)
    words = {"HDUCLASS": "GADF", "HDUDOC": "https://github.com/open-gamma-ray-astro/gamma-astro-data-formats", "HDUVERS": "0.2"}
    hdu.header.update({**words, "HDUCLAS1": "RESPONSE", "HDUCLAS2": kind[0], "HDUCLAS3": "FULL-ENCLOSURE", "HDUCLAS4": kind[1]})
    return hdu


def cells(name: str, unit: str, *shape: int, value: float) -> fits.Column:
    """A column of one cell, an array of `shape`, slowest axis first."""
    size, dimensions = int(np.prod(shape)), ",".join(map(str, reversed(shape)))
    return fits.Column(name, f"{size}E", unit, dim=f"({dimensions})", array=np.full((1, *shape), value, np.float32))


def write_run(path: Path) -> None:
    """An observation of the Crab: events, good times, effective area, energy dispersion and point spread function in one file."""
    dice = np.random.default_rng(1)
    seconds = np.sort(dice.uniform(0, 1500, EVENTS))
    columns = [
        fits.Column("EVENT_ID", "K", array=np.arange(EVENTS)),
        fits.Column("TIME", "D", "s", array=seconds),
        fits.Column("RA", "E", "deg", array=dice.normal(RA, 0.1, EVENTS)),
        fits.Column("DEC", "E", "deg", array=dice.normal(DEC, 0.1, EVENTS)),
        fits.Column("ENERGY", "E", "TeV", array=np.geomspace(0.3, 20, EVENTS)),
    ]
    events = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    events.header.update({"HDUCLASS": "GADF", "HDUVERS": "0.2", "HDUCLAS1": "EVENTS", "OBS_ID": 7, "OBJECT": "Crab", "TELESCOP": "EYE"})
    events.header.update({"RA_PNT": RA, "DEC_PNT": DEC + 0.5, "RA_OBJ": RA, "DEC_OBJ": DEC, "EQUINOX": 2000.0, "RADECSYS": "ICRS"})
    events.header.update({"TSTART": 0.0, "TSTOP": 1500.0, "ONTIME": 1500.0, "LIVETIME": 1400.0, "DEADC": 0.93, **REFERENCE})
    events.header.update({"GEOLON": 16.5, "GEOLAT": -23.3, "ALTITUDE": 1835.0})
    good = fits.BinTableHDU.from_columns(
        [fits.Column("START", "D", "s", array=[0.0]), fits.Column("STOP", "D", "s", array=[1500.0])], name="GTI"
    )
    good.header.update({"HDUCLASS": "GADF", "HDUCLAS1": "GTI", **REFERENCE})
    energies, offsets = len(ENERGIES) - 1, len(OFFSETS) - 1
    axes = [*bins("ENERG", ENERGIES, "TeV"), *bins("THETA", OFFSETS, "deg")]
    migras = np.array([0.5, 1.0, 1.5])
    area = response("AEFF", ("EFF_AREA", "AEFF_2D"), *axes, cells("EFFAREA", "m2", offsets, energies, value=1e5))
    dispersion = response(
        "EDISP",
        ("EDISP", "EDISP_2D"),
        *bins("ENERG", ENERGIES, "TeV"),
        *bins("MIGRA", migras, ""),
        *bins("THETA", OFFSETS, "deg"),
        cells("MATRIX", "", offsets, len(migras) - 1, energies, value=1.0),
    )
    names = (("SCALE", "sr-1", 1.0), *((f"SIGMA_{n}", "deg", 0.1) for n in (1, 2, 3)), ("AMPL_2", "", 0.0), ("AMPL_3", "", 0.0))
    spread = response(
        "PSF", ("RPSF", "PSF_3GAUSS"), *axes, *(cells(name, unit, offsets, energies, value=value) for name, unit, value in names)
    )
    path.parent.mkdir()
    fits.HDUList([fits.PrimaryHDU(), events, good, area, dispersion, spread]).writeto(path)


@pytest.fixture(scope="module")
def runs(live: str, database: Database, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A site with one observation."""
    directory = tmp_path_factory.mktemp("runs") / "dl3"
    write_run(directory / "run7.fits")
    work = Work(records=record_keeper(Settings(public_url=live)))
    publish_events(database, with_own_schema(Collection(name="eye", directory=directory)), work)
    return live


@pytest.fixture
def links(runs: str, datalink_vocabulary: None) -> Iterator[pyvo.dal.adhoc.DatalinkResults]:
    """The links of the observation that a query by position, messenger and energy finds."""
    query = f"SELECT o.* FROM ivoa.obscore AS o JOIN ivoa.obscore_hea AS h ON o.obs_publisher_did = h.obs_publisher_did {BAND}"
    (run,) = pyvo.dal.TAPService(f"{runs}/tap").search(query)
    assert run["dataproduct_type"] == "event"
    yield run.getdatalink()
    gc.collect()  # pyvo leaves connections open, which are not to be noticed in another test


def test_events_and_responses_are_a_query_and_a_link_away(links: pyvo.dal.adhoc.DatalinkResults) -> None:
    with fits.open(BytesIO(next(links.bysemantics("#this")).getdataset().read())) as run:
        assert len(run["EVENTS"].data) == EVENTS
        assert run["EVENTS"].header["OBJECT"] == "Crab"
    responses = {link["local_semantics"]: link for link in links.bysemantics("#calibration")}
    assert responses.keys() == {"aeff_2d", "edisp_2d", "psf_3gauss"}
    for name, link in responses.items():
        with fits.open(BytesIO(link.getdataset().read())) as file:
            found = [hdu for hdu in file if hdu.header.get("HDUCLAS4", "").lower() == name]
            assert len(found) == 1, name
            assert found[0].name in link.description
    (good,) = links.bysemantics("#auxiliary")
    with fits.open(BytesIO(good.getdataset().read())) as file:
        assert file["GTI"].data["STOP"].tolist() == [1500.0]


def test_gammapy_reads_what_was_fetched(links: pyvo.dal.adhoc.DatalinkResults, tmp_path: Path) -> None:
    data = pytest.importorskip("gammapy.data", reason="gammapy is not installed")
    file = tmp_path / "run.fits"
    file.write_bytes(next(links.bysemantics("#this")).getdataset().read())
    observation = data.Observation.read(file)
    assert len(observation.events.table) == EVENTS
    assert observation.gti.time_sum.to_value("s") == pytest.approx(1500)
    assert observation.aeff.evaluate(energy_true="1 TeV", offset="1 deg").to_value("m2") == pytest.approx(1e5)
    assert observation.psf is not None
    assert observation.edisp is not None
