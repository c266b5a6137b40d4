"""Polygons, boxes, frames and MOCs in Python; what SQL makes of them is tested against other judges elsewhere."""

from math import pi, radians

import numpy as np
import pytest
from astropy.coordinates import Galactic, SkyCoord
from mocpy import MOC

from vo_server.sky.cells import cells_of
from vo_server.sky.frames import FROM_ICRS, rotated, rotation
from vo_server.sky.healpix import vector
from vo_server.sky.mocs import MocError, moc_area, parse_moc
from vo_server.sky.outlines import Outline
from vo_server.sky.polygons import (
    MAX_VERTICES,
    DegenerateError,
    area,
    box,
    centroid,
    counter_clockwise,
    half_spaces,
    refuse_crossings,
    signed_area,
)
from vo_server.sky.ranges import SKY, polygon_ranges

SECOND = 1 / 3600
HOOK = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (8.0, 10.0), (8.0, 2.0), (0.0, 2.0)]
BAND = [(0.0, -1.0), (100.0, -1.0), (200.0, -1.0), (200.0, 1.0), (100.0, 1.0), (0.0, 1.0)]


def test_areas_and_middles() -> None:
    assert area([(0, 0), (90, 0), (0, 90)]) == pytest.approx(5156.620156177409, rel=1e-14)
    small = [(10.0, 0.0), (10 + SECOND, 0.0), (10 + SECOND, SECOND), (10.0, SECOND)]
    assert area(small) * 3600**2 == pytest.approx(1, rel=1e-10)
    assert centroid(small) == pytest.approx((10 + SECOND / 2, SECOND / 2), abs=2e-9)
    assert centroid(box(123, -89.9, 3, 2)) == pytest.approx((123, -89.9), abs=1e-9)
    assert signed_area([vector(radians(ra), radians(dec)) for ra, dec in small[::-1]]) < 0


@pytest.mark.parametrize(
    ("vertices", "reason"),
    [
        ([(0, 0), (120, 0), (240, 0)], "half of the sky"),
        ([(0, 0), (180, 0), (90, 45)], "opposite each other"),
        ([(0, 0), (360, 0), (10, 10)], "three different"),
        ([(0, 90), (120, 90), (10, 10), (10, 20)], "great circle"),
    ],
)
def test_polygons_that_mean_nothing_say_why(vertices: list[tuple[float, float]], reason: str) -> None:
    with pytest.raises(DegenerateError, match=reason):
        counter_clockwise(vertices)


def test_edges_that_cross_are_found() -> None:
    refuse_crossings(HOOK)
    refuse_crossings(BAND)
    refuse_crossings(box(0, 90, 170, 170))
    with pytest.raises(DegenerateError, match="edges 1 and 3 of the polygon cross"):
        refuse_crossings([(0, 0), (10, 10), (10, 0), (0, 10)])
    with pytest.raises(DegenerateError, match="at most"):
        refuse_crossings([(float(number % 360), 0.0) for number in range(MAX_VERTICES + 1)])


def test_boxes_have_sizes() -> None:
    assert box(10, 0, 2, 2)[0] == pytest.approx((9, -0.9998477260772491))
    for sizes in ((0, 1), (1, 180), (-1, 1)):
        with pytest.raises(DegenerateError, match="more than 0 and less than 180"):
            box(10, 0, *sizes)


def test_only_convex_polygons_are_half_spaces() -> None:
    assert half_spaces(HOOK) is None
    assert half_spaces(BAND) is None
    assert len(half_spaces(box(0, 90, 10, 10)) or []) == 4


def test_discs_beside_in_and_across_outlines_that_are_not_convex() -> None:
    outline = Outline(HOOK)

    def place(ra: float, dec: float, radius: float) -> int:
        around, near = outline.place(vector(radians(ra), radians(dec)), radians(3 * radius), None)
        inner = outline.place(vector(radians(ra), radians(dec)), radians(radius), near if around == 0 else None)[0]
        assert around in (0, inner)
        return inner

    assert [place(9, 5, 0.5), place(4, 6, 0.5), place(9, 5, 1.5), place(7.5, 2.5, 0.3), place(8.5, 1.5, 0.3)] == [1, -1, 0, -1, 1]
    assert outline.area == pytest.approx(area(HOOK) * (pi / 180) ** 2)


@pytest.mark.parametrize("vertices", [HOOK, BAND, box(45, 41.81, 3, 1), box(0, 90, 100, 20)])
def test_ranges_of_polygons_miss_nothing_and_hold_little_else(vertices: list[tuple[float, float]]) -> None:
    ranges = polygon_ranges(vertices)
    generator = np.random.default_rng(5)
    ra, dec = generator.uniform(0, 360, 40_000), np.degrees(np.arcsin(generator.uniform(-1, 1, 40_000)))
    outline = Outline(vertices)
    inside = np.array([outline.place(vector(*places), 0.0, None)[0] > 0 for places in np.radians(np.stack([ra, dec], axis=1)).tolist()])
    cells = cells_of(ra, dec)
    covered = np.any([(cells >= low) & (cells <= high) for low, high in ranges], axis=0)
    assert covered[inside].all()
    assert len(ranges) <= 12
    assert sum(high - low + 1 for low, high in ranges) / SKY[1] < 8 * area(vertices) / 41253


def test_frames_turn_there_and_back() -> None:
    assert rotated((266.40498829, -28.93617776), rotation("ICRS", "GALACTIC"))[1] == pytest.approx(0, abs=1e-7)
    galactic = SkyCoord(10, 20, unit="deg").transform_to(Galactic())
    assert rotated((10, 20), rotation("ICRS", "GALACTIC")) == pytest.approx((galactic.l.deg, galactic.b.deg), abs=1e-11)
    for frame in FROM_ICRS:
        there = rotated((10, 20), rotation("ICRS", frame))
        assert rotated(there, rotation(frame, "ICRS")) == pytest.approx((10, 20), abs=1e-11)


def test_mocs_are_those_of_mocpy() -> None:
    text = "3/12 14-17 4/200 29/1152921504606846976"
    ranges = parse_moc(text)
    assert [[low, high + 1] for low, high in ranges] == MOC.from_string(text).to_depth29_ranges.tolist()
    assert moc_area(ranges) == pytest.approx(MOC.from_string(text).sky_fraction * 41252.96124941927, rel=1e-12)
    assert parse_moc("3/12,14-17\n4/200 29/1152921504606846976") == ranges
    assert parse_moc("s3/ 12 14-17 s4/200 29/1152921504606846976") == ranges
    assert parse_moc("0/0-11") == [SKY]
    assert parse_moc("6/") == []


@pytest.mark.parametrize("text", ["12", "30/1", "0/12", "3/5-4", "3/x", "3/1 -2", "3/1.5", "'"])
def test_what_is_no_moc_is_refused(text: str) -> None:
    with pytest.raises(MocError):
        parse_moc(text)
