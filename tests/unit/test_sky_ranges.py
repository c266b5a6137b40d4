"""Ranges of cells: astropy and cdshealpix are the judges."""

from itertools import pairwise

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import Latitude, Longitude, SkyCoord
from cdshealpix.nested import healpix_to_lonlat, vertices

from vo_server.sky.cells import NOWHERE, cells_of
from vo_server.sky.healpix import MAX_ORDER, RADII, center, locate, nested, vector
from vo_server.sky.polygons import DegenerateError, counter_clockwise
from vo_server.sky.ranges import SKY, cone_ranges, merge, polygon_ranges

RNG = np.random.default_rng(20260722)
EDGES = [(0.0, 90.0), (0.0, -90.0), (359.999999, 0.0), (0.0, 0.0), (45.0, 41.8103149), (90.0, -41.8103149), (180.0, 89.9999), (45.0, 0.0)]


def covered(cells: np.ndarray, ranges: list[tuple[int, int]]) -> np.ndarray:
    inside = np.zeros(cells.shape, dtype=bool)
    for low, high in ranges:
        inside |= (cells >= low) & (cells <= high)
    return inside


def centers(count: int) -> list[tuple[float, float]]:
    ra, dec = RNG.uniform(0, 360, count), np.degrees(np.arcsin(RNG.uniform(-1, 1, count)))
    return [*EDGES, *zip(ra.tolist(), dec.tolist(), strict=True)]


@pytest.mark.parametrize("radius", [0.0, 1e-6, 2 / 3600, 0.01, 0.1, 0.9, 5.0, 40.0, 100.0, 179.9])
def test_a_cone_misses_no_cell(radius: float) -> None:
    for ra, dec in centers(8):
        middle = SkyCoord(ra, dec, unit="deg")
        inside = middle.directional_offset_by(RNG.uniform(0, 360, 200) * units.deg, radius * np.sqrt(RNG.uniform(0, 1, 200)) * units.deg)
        rim = middle.directional_offset_by(RNG.uniform(0, 360, 200) * units.deg, radius * units.deg)
        places = np.concatenate([inside.ra.deg, rim.ra.deg]), np.concatenate([inside.dec.deg, rim.dec.deg])
        assert covered(cells_of(*places), cone_ranges(ra, dec, radius)).all()


@pytest.mark.parametrize(("radius", "most"), [(0.01, 5), (0.5, 5), (1.0, 12), (30.0, 12)])
def test_ranges_are_few_and_tight(radius: float, most: int) -> None:
    share = np.sin(np.radians(radius) / 2) ** 2
    wastes = []
    for ra, dec in centers(60):
        ranges = cone_ranges(ra, dec, radius)
        assert len(ranges) <= most
        assert all(low <= high for low, high in ranges)
        assert all(first[1] + 1 < second[0] for first, second in pairwise(ranges))
        wastes.append(sum(high - low + 1 for low, high in ranges) / (SKY[1] + 1) / share)
    assert np.median(wastes) < 4


def test_cones_without_limits() -> None:
    assert cone_ranges(10, 20, 180) == [SKY]
    assert cone_ranges(10, 20, 500) == [SKY]
    assert cone_ranges(10, 20, -1) == []


def test_merging_closes_the_smallest_gaps() -> None:
    assert merge([(10, 12), (1, 2), (3, 4), (20, 30), (14, 15)], 3) == [(1, 4), (10, 15), (20, 30)]
    assert merge([(1, 5), (2, 3)], 1) == [(1, 5)]


def test_cells_are_those_of_cdshealpix_and_nothing_is_nowhere() -> None:
    ra = np.array([10.0, np.nan, 370.0, 5.0, np.inf, 5.0])
    dec = np.array([20.0, 0.0, 20.0, 91.0, 0.0, np.nan])
    cells = cells_of(ra, dec)
    assert cells[0] == cells[2] != NOWHERE
    assert (cells[[1, 3, 4, 5]] == NOWHERE).all()
    masked = cells_of(np.ma.array([1.0, 2.0], mask=[True, False]), np.array([1.0, 2.0]))
    assert masked[0] == NOWHERE != masked[1]


@pytest.mark.parametrize("order", [0, 1, 2, 5, 12, 29])
def test_centers_and_radii_are_those_of_healpix(order: int) -> None:
    total = 12 * 4**order
    for index in {0, total - 1, *(int(number) for number in RNG.integers(0, total, 60))}:
        face, rest = divmod(index, 4**order)
        x = sum((rest >> 2 * bit & 1) << bit for bit in range(order))
        y = sum((rest >> 2 * bit + 1 & 1) << bit for bit in range(order))
        assert nested(x, y) == rest
        point = np.array(center(face, x, y, order))
        number = np.array([index], dtype=np.uint64)
        lon, lat = healpix_to_lonlat(number, order)
        assert np.allclose(point, vector(lon.rad[0], lat.rad[0]), atol=1e-14)
        corners = np.array([vector(a, b) for a, b in zip(*(part.rad[0] for part in vertices(number, order)), strict=True)])
        assert 2 * np.arcsin(np.linalg.norm(corners - point, axis=1) / 2).max() <= RADII[order] + 1e-14


def test_places_within_base_cells_are_those_of_healpix() -> None:
    for ra, dec in centers(100):
        face, across, up = locate(vector(np.radians(ra), np.radians(dec)))
        side = 2**12
        cell = (face << 24) + nested(min(int(across * side), side - 1), min(int(up * side), side - 1))
        corner_lon, corner_lat = healpix_to_lonlat(np.array([cell], dtype=np.uint64), 12)
        there = SkyCoord(Longitude(corner_lon), Latitude(corner_lat))
        assert there.separation(SkyCoord(ra, dec, unit="deg"))[0].rad <= RADII[12] * (1 + 1e-6)
    assert MAX_ORDER == 29


def test_a_polygon_is_its_smaller_side_whatever_its_winding() -> None:
    square = [(10.0, 10.0), (20.0, 10.0), (20.0, 20.0), (10.0, 20.0)]
    assert counter_clockwise(square) == counter_clockwise([*square, square[0]]) == square
    assert counter_clockwise(square[::-1]) == square
    pole = counter_clockwise([(270.0, 80.0), (180.0, 80.0), (90.0, 80.0), (0.0, 80.0)])
    assert pole == [(0.0, 80.0), (90.0, 80.0), (180.0, 80.0), (270.0, 80.0)]


@pytest.mark.parametrize("vertices_given", [[(1, 1), (2, 2)], [(1, 1), (1, 1), (2, 2), (1, 1)], [(0, 0), (10, 0), (20, 0)]])
def test_polygons_without_inside_are_refused(vertices_given: list[tuple[float, float]]) -> None:
    with pytest.raises(DegenerateError):
        counter_clockwise(vertices_given)


def test_polygon_ranges_cover_the_vertices_and_the_middle() -> None:
    polygon = [(359.0, -1.0), (1.0, -1.0), (1.0, 1.0), (359.0, 1.0)]
    cells = cells_of(np.array([359.0, 1.0, 0.0, 359.5]), np.array([-1.0, 1.0, 0.0, 0.9]))
    assert covered(cells, polygon_ranges(polygon)).all()
