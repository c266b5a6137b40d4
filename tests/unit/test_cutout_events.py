"""Parts of event lists: the rows inside and no others, times of good data cut, all else as it was."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time

from vo_server.cutout import Bounds, Cutout, Filters, NoOverlapError, Source
from vo_server.cutout import events as module
from vo_server.dali.intervals import Interval
from vo_server.dali.shapes import Circle, Polygon, Range
from vo_server.errors import UsageError

COUNT = 500
DICE = np.random.default_rng(7)
RA, DEC = DICE.uniform(80, 88, COUNT), DICE.uniform(18, 26, COUNT)
ENERGY = 10 ** DICE.uniform(-1, 2, COUNT)
TIME = np.sort(DICE.uniform(1000, 3000, COUNT))
MJDREF = 51910.000742870370
METRE_TEV = 1.239841984332e-18
CLOCK = {"MJDREFI": 51910, "MJDREFF": 0.000742870370, "TIMESYS": "TT", "TIMEUNIT": "s"}


def table(system: str = "ICRS", *, lists: bool = False) -> fits.BinTableHDU:
    columns = [
        fits.Column("EVENT_ID", "K", array=np.arange(COUNT)),
        fits.Column("TIME", "D", "s", array=TIME),
        fits.Column("RA", "D", "deg", array=RA),
        fits.Column("DEC", "D", "deg", array=DEC),
        fits.Column("ENERGY", "D", "TeV", array=ENERGY),
    ]
    if lists:
        hits = np.empty(COUNT, object)
        hits[:] = [np.arange(number % 5, dtype=np.int16) for number in range(COUNT)]
        columns.append(fits.Column("HITS", "PI()", array=hits))
    hdu = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    hdu.header.update({**CLOCK, "HDUCLAS1": "EVENTS", "RADECSYS": system, "TSTART": 1000.0, "TSTOP": 3000.0})
    hdu.header.update({"ONTIME": 1800.0, "LIVETIME": 1700.0, "DEADC": 0.94, "DSTYP1": "TIME", "DSVAL1": "TABLE"})
    return hdu


def file(path: Path, events: Any = None) -> Path:
    gti = fits.BinTableHDU.from_columns(
        [fits.Column("START", "D", "s", array=[1000.0, 2000.0]), fits.Column("STOP", "D", "s", array=[1900.0, 2900.0])], name="GTI"
    )
    gti.header.update(CLOCK)
    area = fits.BinTableHDU.from_columns([fits.Column("EFFAREA", "6E", "m2", array=[np.arange(6)])], name="AEFF")
    fits.HDUList([fits.PrimaryHDU(), events or table(), gti, area]).writeto(path, checksum=True)
    return path


def cut(path: Path, bounds: Bounds | None = None, **filters: Any) -> fits.HDUList:
    work = Cutout(Source("ivo://vo.test/~?run", path, None, "event", bounds or Bounds()), Filters(**filters))
    try:
        work.start()
        content = b"".join(work.chunks())
    finally:
        work.close()
    assert len(content) % 2880 == 0
    found = fits.open(BytesIO(content), memmap=False, checksum=True)
    found.verify("exception")
    assert [hdu.name for hdu in found] == ["PRIMARY", "EVENTS", "GTI", "AEFF"]
    assert found["AEFF"].data["EFFAREA"].tolist() == [list(range(6))]
    assert found["EVENTS"].header["HISTORY"][-1] == "Part of ivo://vo.test/~?run"
    return found


def utc(seconds: float) -> float:
    return float(Time(MJDREF + seconds / 86400, format="mjd", scale="tt").utc.mjd)


PLACES = SkyCoord(RA, DEC, unit="deg")
REGIONS: dict[str, tuple[Any, Any]] = {
    "circle": (Circle(84.0, 22.0, 1.5), PLACES.separation(SkyCoord(84.0, 22.0, unit="deg")) < 1.5 * u.deg),
    "range": (Range((81.0, 83.0), (20.0, 25.0)), (RA >= 81) & (RA <= 83) & (DEC >= 20) & (DEC <= 25)),
    # an arrow: what lies in its notch lies outside
}


@pytest.mark.parametrize("name", ["circle", "range"])
def test_events_of_a_region(name: str, tmp_path: Path) -> None:
    region, expected = REGIONS[name]
    found = cut(file(tmp_path / "a.fits"), region=region)["EVENTS"]
    assert found.data["EVENT_ID"].tolist() == np.flatnonzero(expected).tolist()
    np.testing.assert_array_equal(found.data["ENERGY"], ENERGY[expected])
    assert found.header["DSTYP2"] == "POS(RA,DEC)"
    assert (found.header["DSVAL1"], found.header["TSTART"], found.header["ONTIME"]) == ("TABLE", 1000.0, 1800.0)


NOTCHED = Polygon(((82.0, 20.0), (86.0, 20.0), (84.0, 22.0), (84.0, 25.0)))


def test_a_polygon_may_have_a_notch(tmp_path: Path) -> None:
    events = table()
    events.data["RA"][:4], events.data["DEC"][:4] = [84.0, 84.5, 83.5, 85.0], [21.0, 22.5, 21.0, 23.5]
    found = set(cut(file(tmp_path / "a.fits", events), region=NOTCHED)["EVENTS"].data["EVENT_ID"].tolist())
    assert {0, 1, 2, 3} & found == {0, 2}


def test_events_by_energy(tmp_path: Path) -> None:
    """Wavelengths the wrong way round are energies the right way round."""
    found = cut(file(tmp_path / "a.fits"), band=Interval(METRE_TEV / 10, METRE_TEV / 1))["EVENTS"]
    assert found.data["EVENT_ID"].tolist() == np.flatnonzero((ENERGY >= 1) & (ENERGY <= 10)).tolist()
    assert (found.header["DSTYP2"], found.header["DSUNI2"], found.header["DSVAL2"]) == ("ENERGY", "eV", "1e+12:1e+13")


def test_events_of_a_time_and_their_good_times(tmp_path: Path) -> None:
    found = cut(file(tmp_path / "a.fits"), time=Interval(utc(1500), utc(2100)))
    expected = np.flatnonzero((TIME >= 1500) & (TIME <= 2100))
    assert len(set(found["EVENTS"].data["EVENT_ID"].tolist()) ^ set(expected.tolist())) <= 1  # a microsecond of an MJD
    np.testing.assert_allclose(found["GTI"].data["START"], [1500.0, 2000.0], atol=2e-5)
    np.testing.assert_allclose(found["GTI"].data["STOP"], [1900.0, 2100.0], atol=2e-5)
    head = found["EVENTS"].header
    np.testing.assert_allclose([head["TSTART"], head["TSTOP"]], [1500, 2100], atol=2e-5)
    np.testing.assert_allclose([head["ONTIME"], head["LIVETIME"]], [500, 1700 * 500 / 1800], atol=1e-4)
    assert (head["DSTYP2"], head["DSVAL2"], head["DSREF2"]) == ("TIME", "TABLE", ":GTI")
    (late,) = cut(tmp_path / "a.fits", time=Interval(utc(2000), float("inf")))["GTI"].data
    assert late[1] == 2900.0


def test_all_at_once_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 37)
    region, inside = REGIONS["circle"]
    wanted = {"region": region, "band": Interval(0.0, METRE_TEV), "time": Interval(utc(0), utc(2500))}
    found = cut(file(tmp_path / "a.fits"), **wanted)["EVENTS"]
    assert found.data["EVENT_ID"].tolist() == np.flatnonzero(inside & (ENERGY >= 1) & (TIME <= 2500)).tolist()


def test_arrays_of_any_length_stay_with_their_events(tmp_path: Path) -> None:
    found = cut(file(tmp_path / "a.fits", table(lists=True)), region=REGIONS["circle"][0])["EVENTS"]
    for number, hits in zip(found.data["EVENT_ID"], found.data["HITS"], strict=True):
        assert hits.tolist() == list(range(number % 5))


def test_positions_in_fk5(tmp_path: Path) -> None:
    place = SkyCoord(RA, DEC, unit="deg", frame="fk5").icrs
    expected = place.separation(SkyCoord(84.0, 22.0, unit="deg")) < 1.5 * u.deg
    found = cut(file(tmp_path / "a.fits", table("FK5")), region=REGIONS["circle"][0])["EVENTS"]
    assert found.data["EVENT_ID"].tolist() == np.flatnonzero(expected).tolist()


def without(*keywords: str) -> Callable[[], fits.BinTableHDU]:
    def make() -> fits.BinTableHDU:
        events = table()
        for keyword in keywords:
            del events.header[keyword]
        return events

    return make


REFUSED: dict[str, tuple[Callable[[], Any], dict[str, Any], str]] = {
    "no clock": (without("MJDREFI", "MJDREFF"), {"time": Interval(51910.0, 51911.0)}, "MJDREF"),
    "galactic": (lambda: table("GALACTIC"), {"region": Circle(84.0, 22.0, 1.0)}, "ICRS or FK5"),
    "no energies": (
        lambda: fits.BinTableHDU.from_columns([fits.Column("RA", "D", array=[1.0])], name="EVENTS"),
        {"band": Interval(0.0, 1.0)},
        "no such axis",
    ),
    "no events": (lambda: fits.BinTableHDU.from_columns([fits.Column("RA", "D", array=[1.0])], name="PHOTONS"), {}, "no table EVENTS"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_known_is_refused(name: str, tmp_path: Path) -> None:
    make, filters, message = REFUSED[name]
    with pytest.raises(UsageError, match=message):
        cut(file(tmp_path / "a.fits", make()), **filters)


def test_no_event_is_no_content(tmp_path: Path) -> None:
    path = file(tmp_path / "a.fits")
    for filters in ({"region": Circle(10.0, 10.0, 1.0)}, {"band": Interval(1.0, 2.0)}, {"time": Interval(50000.0, 50001.0)}):
        with pytest.raises(NoOverlapError):
            cut(path, **filters)
