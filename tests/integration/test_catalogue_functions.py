"""The IVOA's catalogue of user defined functions in SQL: astropy and cdshealpix are the judges."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from astropy import units
from astropy.coordinates import FK5, BarycentricMeanEcliptic, FK4NoETerms, Galactic, Latitude, Longitude, SkyCoord, Supergalactic
from astropy.time import Time
from cdshealpix.nested import healpix_to_lonlat, lonlat_to_healpix

from vo_server.adql.functions import USER_DEFINED
from vo_server.model.catalogue import Catalogue, Schema, Table
from vo_server.model.columns import Column
from vo_server.sql import compile_adql

NAMES = ("ra", "dec", "plx", "pmra", "pmdec", "rv")
CATALOGUE = Catalogue(
    1,
    (Schema("data"),),
    (
        Table(
            "data",
            "stars",
            "stars",
            (Column("id", "int"), *(Column(name, "double") for name in NAMES), Column("seen", "char", "*", "timestamp")),
        ),
    ),
)
RNG = np.random.default_rng(3)
COUNT = 500
MAS = 1 / 3.6e6


def stars() -> dict[str, np.ndarray]:
    dec = np.degrees(np.arcsin(RNG.uniform(-1, 1, COUNT)))
    dec[:4] = (89.9999, -89.9999, 0, 41.8103149)
    parallax = 10 ** RNG.uniform(-1, 2.9, COUNT)
    return {
        "ra": RNG.uniform(0, 360, COUNT),
        "dec": dec,
        "plx": parallax,
        "pmra": parallax * RNG.normal(0, 20, COUNT),
        "pmdec": parallax * RNG.normal(0, 20, COUNT),
        "rv": RNG.normal(0, 100, COUNT),
    }


STARS = stars()
MOMENTS = [datetime(1910, 12, 31, 6) + timedelta(seconds=float(number)) for number in RNG.uniform(0, 5e9, COUNT)]


@pytest.fixture
def connection(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute(
        "CREATE TABLE stars (id int, ra float8, dec float8, plx float8, pmra float8, pmdec float8, rv float8, seen timestamp)"
    )
    for number, (moment, *values) in enumerate(zip(MOMENTS, *(STARS[name].tolist() for name in NAMES), strict=True)):
        connection.execute("INSERT INTO stars VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", (number, *values, moment))
    return connection


def column(connection: psycopg.Connection, expression: str) -> np.ndarray:
    sql = compile_adql(f"SELECT {expression} AS x, id FROM data.stars ORDER BY id", CATALOGUE).sql
    return np.array([row[0] for row in connection.execute(sql.encode()).fetchall()])


def apart(one: Any, ra: Any, dec: Any) -> np.ndarray:
    """Distances in degrees."""
    return np.asarray(SkyCoord(one[:, 0], one[:, 1], unit="deg").separation(SkyCoord(ra, dec, unit="deg")).deg)


@pytest.mark.every_postgres
@pytest.mark.parametrize("epoch", [1875.0, 2016.0, 2100.0])
def test_epoch_propagation_is_that_of_astropy(connection: psycopg.Connection, epoch: float) -> None:
    moved = SkyCoord(
        STARS["ra"] * units.deg,
        STARS["dec"] * units.deg,
        distance=(1000 / STARS["plx"]) * units.pc,
        pm_ra_cosdec=STARS["pmra"] * units.mas / units.yr,
        pm_dec=STARS["pmdec"] * units.mas / units.yr,
        radial_velocity=STARS["rv"] * units.km / units.s,
        obstime=Time(2000.0, format="jyear", scale="tdb"),
    ).apply_space_motion(new_obstime=Time(epoch, format="jyear", scale="tdb"))
    found = column(connection, f"ivo_epoch_prop_pos(ra, dec, plx, pmra, pmdec, rv, 2000, {epoch})")
    # astropy's ERFA takes the Doppler factor into account: some 1e-4 of the motion
    motion = np.hypot(STARS["pmra"], STARS["pmdec"]) * abs(epoch - 2000) * MAS
    assert (apart(found, moved.ra.deg, moved.dec.deg) < 1e-10 + 2e-3 * motion).all()
    slow = np.abs(STARS["rv"]) < 3
    assert (apart(found, moved.ra.deg, moved.dec.deg)[slow] < 1e-9 + 1e-4 * motion[slow]).all()


def test_motions_that_are_missing_are_none(connection: psycopg.Connection) -> None:
    still = column(connection, "ivo_epoch_prop_pos(ra, dec, NULL, NULL, NULL, NULL, 2000, 2100)")
    assert (apart(still, STARS["ra"], STARS["dec"]) < 1e-12).all()
    far = column(connection, "ivo_epoch_prop_pos(ra, dec, NULL, pmra, pmdec, rv, 2000, 2100)")
    assert (apart(far, *column(connection, "ivo_epoch_prop_pos(ra, dec, -1, pmra, pmdec, 0, 2000, 2100)").T) < 1e-12).all()
    assert set(column(connection, "ivo_epoch_prop_pos(ra, dec, plx, pmra, pmdec, rv, NULL, 2100)")) == {None}


FRAMES = {
    "FK5": FK5(equinox="J2000"),
    "FK4": FK4NoETerms(equinox="B1950", obstime="B1950"),
    "GALACTIC": Galactic(),
    "SUPER_GALACTIC": Supergalactic(),
    "ECLIPTIC": BarycentricMeanEcliptic(equinox="J2000"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_are_those_of_astropy(connection: psycopg.Connection, name: str) -> None:
    turned = SkyCoord(STARS["ra"], STARS["dec"], unit="deg").transform_to(FRAMES[name]).spherical
    found = column(connection, f"ivo_geom_transform('ICRS', '{name}', POINT(ra, dec))")
    assert (apart(found, turned.lon.deg, turned.lat.deg) < 1e-9).all()
    circles = column(connection, f"ivo_geom_transform('ICRS', '{name}', CIRCLE(ra, dec, 2))")
    assert (apart(circles[:, :2], turned.lon.deg, turned.lat.deg) < 1e-9).all()
    assert (circles[:, 2] == 2).all()
    round_trip = column(connection, f"ivo_geom_transform('{name}', 'ICRS', ivo_geom_transform('ICRS', '{name}', POINT(ra, dec)))")
    assert (apart(round_trip, STARS["ra"], STARS["dec"]) < 1e-9).all()


@pytest.mark.every_postgres
@pytest.mark.parametrize("order", [0, 1, 6, 17, 29])
def test_cells_are_those_of_cdshealpix(connection: psycopg.Connection, order: int) -> None:
    cells = lonlat_to_healpix(Longitude(STARS["ra"], "deg"), Latitude(STARS["dec"], "deg"), order).astype(np.int64)
    found = column(connection, f"ivo_healpix_index({order}, POINT(ra, dec))")
    assert np.mean(found == cells) > (0.98 if order == 29 else 0.999)
    lon, lat = healpix_to_lonlat(cells.astype(np.uint64), order)
    for number in range(0, COUNT, 50):
        center = column(connection, f"ivo_healpix_center({order}, {cells[number]})")[:1]
        assert apart(center, lon.deg[number : number + 1], lat.deg[number : number + 1])[0] < 1e-9


def test_dates_are_those_of_astropy(connection: psycopg.Connection) -> None:
    times = Time(MOMENTS, scale="tai")
    assert np.abs(column(connection, "ivo_to_mjd(seen)") - times.mjd).max() < 1e-9
    assert np.abs(column(connection, "ivo_to_jd(seen)") - times.jd).max() < 1e-8


def test_angles_in_words_are_those_of_astropy(connection: psycopg.Connection) -> None:
    for number in range(5):
        place = SkyCoord(STARS["ra"][number], STARS["dec"][number], unit="deg")
        for hours, degrees in (
            (place.ra.to_string("hourangle", sep=":", pad=True), place.dec.to_string(sep=":", pad=True, alwayssign=True)),
            (place.ra.to_string("hourangle"), place.dec.to_string("deg")),
            (place.ra.to_string("hourangle", sep="", pad=True), place.dec.to_string(sep="", pad=True)),
        ):
            assert abs(column(connection, f"ivo_hms_to_degrees('{hours}')")[0] - place.ra.deg) < 1e-6
            assert abs(column(connection, f"ivo_dms_to_degrees('{degrees}')")[0] - place.dec.deg) < 1e-6


def test_histograms_are_those_of_numpy(connection: psycopg.Connection) -> None:
    sql = compile_adql("SELECT ivo_histogram(ra, 30, 330, 25) AS h, ivo_histogram(NULL, 0, 1, 2) AS n FROM data.stars", CATALOGUE).sql
    found, nothing = connection.execute(sql.encode()).fetchall()[0]
    counts, _ = np.histogram(STARS["ra"], 25, (30, 330))
    assert found == [int((STARS["ra"] < 30).sum()), *counts.tolist(), int((STARS["ra"] >= 330).sum())]
    assert nothing == [COUNT, 0, 0, 0]


def test_random_numbers_are_normal(connection: psycopg.Connection) -> None:
    found = column(connection, "ivo_normal_random(10, 2)")
    assert len(set(found.tolist())) == COUNT
    assert abs(found.mean() - 10) < 0.6
    assert 1.6 < found.std() < 2.4


def test_the_whole_catalogue_but_one_is_there() -> None:
    names = {function.name.lower() for function in USER_DEFINED}
    assert names >= {"ivo_healpix_index", "ivo_string_agg", "ivo_nocasematch", "ivo_hasword", "ivo_hashlist_has", "ivo_interval_overlaps"}
    assert "ivo_simbadpoint" not in names
    assert all(
        form.lower().startswith(f"{function.name.lower()}(") and " -> " in form for function in USER_DEFINED for form in function.forms
    )
    assert all(function.description for function in USER_DEFINED)
