"""The demonstration's data: described in full, in words and units of the standards, and true to their sources."""

import csv
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import Distance, SkyCoord
from astropy.io import fits
from astropy.io.votable.ucd import check_ucd
from astropy.time import Time
from astropy.wcs import WCS

from vo_server.demo import DATA, STARS, TABLES, hipparcos, images
from vo_server.publish.descriptor import Descriptor, read_descriptor

DESCRIPTORS = (*TABLES, STARS)


@pytest.fixture(scope="module")
def stars() -> dict[str, np.ndarray]:
    table = hipparcos.read_stars()
    return {name: table[name].to_numpy() for name in table.column_names}


def descriptor(stem: str) -> Descriptor:
    return read_descriptor(DATA / f"{stem}.toml")


def rows(stem: str) -> list[dict[str, str]]:
    with (DATA / f"{stem}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_descriptor_is_published() -> None:
    assert {path.stem for path in DATA.glob("*.toml")} == set(DESCRIPTORS)


@pytest.mark.parametrize("stem", DESCRIPTORS)
def test_resources_say_what_the_registry_wants(stem: str) -> None:
    resource = descriptor(stem).resource
    assert f"{resource.schema_name}_{resource.name}" == stem
    assert all((resource.title, resource.people, resource.subjects, resource.reference_url, resource.rights, resource.facility))
    assert len(resource.description or "") > 200


@pytest.mark.parametrize("stem", DESCRIPTORS)
def test_columns_are_described_with_ucds_and_units_of_the_standards(stem: str) -> None:
    for name, column in descriptor(stem).columns.items():
        assert column.description, name
        assert check_ucd(column.ucd, check_controlled_vocabulary=True, has_colon=False), (name, column.ucd)
        if column.unit is not None:
            units.Unit(column.unit, format="vounit", parse_strict="raise")


@pytest.mark.parametrize("stem", TABLES)
def test_descriptors_describe_just_the_columns_there_are(stem: str) -> None:
    assert list(descriptor(stem).columns) == list(rows(stem)[0])


def test_the_stars_descriptor_describes_just_the_columns_there_are(stars: dict[str, np.ndarray]) -> None:
    assert list(descriptor(STARS).columns) == list(stars)


@pytest.mark.parametrize(
    ("stem", "count"), [("icecube_alerts", 24), ("auger_events", 20), ("tev_sources", 19), ("gw_superevents", 34), ("fermi_bright", 200)]
)
def test_tables_are_whole_and_their_names_unique(stem: str, count: int) -> None:
    names = [row["name"] for row in rows(stem)]
    assert len(names) == len(set(names)) == count


@pytest.mark.parametrize("stem", ["icecube_alerts", "auger_events", "gw_superevents"])
def test_times_and_julian_dates_agree(stem: str) -> None:
    for row in rows(stem):
        assert abs(Time(row["event_time"], scale="utc").mjd - float(row["mjd"])) * 86400 < 0.5, row["name"]


def test_the_blazar_lies_beside_the_neutrino() -> None:
    neutrino = next(row for row in rows("icecube_alerts") if row["name"] == "IC170922A")
    blazar = next(row for row in rows("fermi_bright") if row["association"] == "TXS 0506+056")
    assert blazar["name"] == "4FGL J0509.4+0542"
    places = [SkyCoord(float(row["ra"]), float(row["dec"]), unit="deg") for row in (neutrino, blazar)]
    assert places[0].separation(places[1]).deg == pytest.approx(0.113, abs=0.001)


def test_stars_are_those_of_the_catalogue(stars: dict[str, np.ndarray]) -> None:
    assert len(stars["hip"]) == 117_955
    barnard = int(np.flatnonzero(stars["hip"] == 87937)[0])
    assert (stars["plx"][barnard], stars["pmra"][barnard], stars["pmdec"][barnard]) == (548.31, -798.58, 10328.12)
    assert stars["ra"].min() >= 0
    assert stars["ra"].max() < 360


def test_positions_at_j2000_are_those_astropy_computes(stars: dict[str, np.ndarray]) -> None:
    chosen = slice(None, None, 5000)
    pick = {name: column[chosen] for name, column in stars.items()}
    catalogue = SkyCoord(
        pick["ra"] * units.deg,
        pick["dec"] * units.deg,
        pm_ra_cosdec=pick["pmra"] * units.mas / units.yr,
        pm_dec=pick["pmdec"] * units.mas / units.yr,
        distance=Distance(np.full(pick["ra"].size, 100.0), unit="pc"),
        radial_velocity=np.zeros(pick["ra"].size) * units.km / units.s,
        obstime=Time(1991.25, format="jyear", scale="tdb"),
    )
    moved = catalogue.apply_space_motion(Time(2000.0, format="jyear", scale="tdb"))
    ours = SkyCoord(pick["ra2000"] * units.deg, pick["dec2000"] * units.deg)
    assert moved.separation(ours).mas.max() < 0.1


def test_maps_count_the_stars_where_they_are(tmp_path: Path) -> None:
    alert = images.Alert("edge", 0.5, 85.0)
    ra, dec = np.array([0.5, 350.0, 0.5, 0.5]), np.array([85.0, 86.0, 86.0, 89.5])
    content = dict(images.draw_maps([alert], ra, dec))["edge"]
    with fits.open(BytesIO(content)) as hdus:
        hdus.verify("exception")
        header, counts = hdus[0].header, hdus[0].data
    assert counts.sum() == 3  # the last star is outside
    for star in range(3):
        x, y = WCS(header).world_to_array_index(SkyCoord(ra[star], dec[star], unit="deg"))
        assert counts[x, y] == 1
    assert (header["OBJECT"], header["BUNIT"], header["RADESYS"], header["CTYPE1"]) == ("edge", "count", "ICRS", "RA---TAN")


def test_maps_are_the_same_each_time_and_not_written_twice(tmp_path: Path, stars: dict[str, np.ndarray]) -> None:
    alerts = images.read_alerts(DATA / "icecube_alerts.csv")
    images.write_maps(tmp_path, alerts, stars["ra2000"], stars["dec2000"])
    first = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(first) == 24
    (tmp_path / "IC170922A.fits").write_bytes(b"broken")
    images.write_maps(tmp_path, alerts, stars["ra2000"], stars["dec2000"])
    again = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert {name for name in first if first[name] != again[name]} == {"IC170922A.fits"}
    assert (tmp_path / "IC170922A.fits").read_bytes()[:6] == b"SIMPLE"
