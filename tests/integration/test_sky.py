"""Regions in SQL against astropy, position by position."""

from typing import Any

import numpy as np
import psycopg
import pytest
from astropy.coordinates import angular_separation
from positions import fill

from vo_server.model.catalogue import Catalogue, Position, Schema, Table
from vo_server.model.columns import Column
from vo_server.sql import compile_adql

COLUMNS = (Column("id", "int"), Column("ra", "double", unit="deg"), Column("dec", "double", unit="deg"))
CATALOGUE = Catalogue(
    1,
    (Schema("data"),),
    tuple(
        Table("data", name, "points", COLUMNS, nrows=rows, position=Position("ra", "dec"))
        for name, rows in (("points", None), ("many", 10**8))
    ),
)
RNG = np.random.default_rng(7)
COUNT = 20_000


def positions() -> tuple[np.ndarray, np.ndarray]:
    """All over the sky, crowded at the poles, at RA 0, and around one place."""
    ra = RNG.uniform(0, 360, COUNT)
    dec = np.degrees(np.arcsin(RNG.uniform(-1, 1, COUNT)))
    dec[:1000] = 90 - RNG.exponential(0.1, 1000)
    dec[1000:2000] = -90 + RNG.exponential(0.1, 1000)
    ra[2000:3000] = RNG.normal(0, 0.1, 1000) % 360
    dec[2000:3000] = RNG.normal(0, 0.1, 1000)
    ra[3000:5000], dec[3000:5000] = RNG.normal(123.4, 0.01, 2000), RNG.normal(41.81, 0.01, 2000)
    ra[5000:5004], dec[5000:5004] = (0, 0, 123.4, 360), (90, -90, 41.81, 0)
    return ra, dec


RA, DEC = positions()
CONES = [
    (ra, dec, radius)
    for ra, dec in ((0.0, 90.0), (77.0, -90.0), (0.0, 0.0), (359.99, 0.05), (123.4, 41.81), (200.0, 30.0), (45.0, -41.8103))
    for radius in (0.0, 1e-4, 0.01, 0.1, 1.0, 10.0, 90.0, 179.0, 180.0)
]


@pytest.fixture
def connection(connection: psycopg.Connection) -> psycopg.Connection:
    fill(connection, "points", RA, DEC)
    return connection


def found(connection: psycopg.Connection, condition: str) -> set[int]:
    """The ids for which a condition is true: by ranges, and by the join that a table of many rows gets."""
    texts = [compile_adql(f"SELECT id FROM data.{table} WHERE {condition}", CATALOGUE).sql for table in ("points", "many")]
    ranged, joined = ([row[0] for row in connection.execute(text.encode()).fetchall()] for text in texts)
    assert sorted(ranged) == sorted(joined)
    return set(ranged)


@pytest.mark.every_postgres
def test_cones_hold_what_astropy_says(connection: psycopg.Connection) -> None:
    for ra, dec, radius in CONES:
        separation = np.degrees(angular_separation(np.radians(ra), np.radians(dec), np.radians(RA), np.radians(DEC)))
        inside = set(np.flatnonzero(separation <= radius).tolist())
        # a rim that a rounding error could move
        doubtful = set(np.flatnonzero(np.abs(separation - radius) < 1e-9).tolist())
        point, circle = "POINT(ra, dec)", f"CIRCLE({ra}, {dec}, {radius})"
        assert found(connection, f"1 = CONTAINS({point}, {circle})") - doubtful == inside - doubtful
        assert found(connection, f"DISTANCE({point}, POINT({ra}, {dec})) < {radius}") - doubtful == inside - doubtful
        outside = set(range(COUNT)) - inside - doubtful
        assert found(connection, f"0 = CONTAINS({point}, {circle})") - doubtful == outside


def test_a_position_lies_in_the_cone_of_no_radius_around_it(connection: psycopg.Connection) -> None:
    assert found(connection, "1 = CONTAINS(POINT(ra, dec), CIRCLE(123.4, 41.81, 0))") == {5002}
    assert found(connection, "DISTANCE(ra, dec, 123.4, 41.81) < 0") == set()
    assert 5003 in found(connection, "1 = CONTAINS(POINT(ra, dec), CIRCLE(0, 0, 0))")


def test_a_cone_reads_the_index(connection: psycopg.Connection) -> None:
    sql = compile_adql("SELECT id FROM data.points WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(200, 30, 0.5))", CATALOGUE).sql
    plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}".encode()).fetchall())
    assert "points__hpx29_idx" in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(
    "region",
    ["CIRCLE(200, 30, 20)", "POLYGON(200, 30, 220, 30, 220, 50)", "POLYGON(200, 30, 220, 30, 205, 35, 200, 50)", "MOC('3/100-110')"],
)
def test_a_large_region_joins_the_index(connection: psycopg.Connection, region: str) -> None:
    for adql in (f"1 = CONTAINS(POINT(ra, dec), {region})", f"1 = CONTAINS(POINT(ra, dec), {region}) AND id > 5"):
        sql = compile_adql(f"SELECT id FROM data.many WHERE {adql}", CATALOGUE).sql
        assert "unnest" in sql
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}".encode()).fetchall())
        assert "points__hpx29_idx" in plan
        assert "Seq Scan" not in plan


def test_polygons_hold_what_their_half_spaces_hold(connection: psycopg.Connection) -> None:
    vectors: Any = np.array(
        [np.cos(np.radians(DEC)) * np.cos(np.radians(RA)), np.cos(np.radians(DEC)) * np.sin(np.radians(RA)), np.sin(np.radians(DEC))]
    )
    for corners in ([(120, 40), (126, 40), (126, 44), (120, 44)], [(0, 85), (90, 85), (180, 85), (270, 85)], [(358, -2), (2, -2), (0, 3)]):
        turned = np.radians(np.array(corners, dtype=float))
        points = np.array(
            [np.cos(turned[:, 1]) * np.cos(turned[:, 0]), np.cos(turned[:, 1]) * np.sin(turned[:, 0]), np.sin(turned[:, 1])]
        ).T
        normals = np.cross(points, np.roll(points, -1, axis=0))
        inside = set(np.flatnonzero((normals @ vectors >= 0).all(axis=0)).tolist())
        for order in (corners, corners[::-1]):
            listed = ", ".join(f"{ra}, {dec}" for ra, dec in order)
            assert found(connection, f"1 = CONTAINS(POINT(ra, dec), POLYGON({listed}))") == inside
        assert inside
