"""Spans of cones: nothing within is missed, nothing called inside is outside, and there are as many as the table's size deserves."""

import numpy as np
import pytest

from vo_server.sky.cells import cells_of
from vo_server.sky.covers import Span, cone_cover

CENTERS = [(10.0, 20.0), (123.4, 90.0), (0.0, -89.9), (359.9999, -5.0), (45.0, 41.8103), (0.0, 0.0)]


def distance(ra, dec, center):
    """Degrees from a centre, by haversines."""
    lon, lat, ra, dec = (np.radians(angle) for angle in (*center, ra, dec))
    squared = np.sin((dec - lat) / 2) ** 2 + np.cos(dec) * np.cos(lat) * np.sin((ra - lon) / 2) ** 2
    return 2 * np.degrees(np.arcsin(np.sqrt(np.clip(squared, 0, 1))))


def around(center, radius, count, random):
    """Positions near a circle, and everywhere."""
    angle = random.uniform(0, 2 * np.pi, count)
    reach = np.radians(np.clip(radius * (1 + random.choice([1e-10, 1e-5, 0.01, 0.3], count) * random.normal(0, 1, count)), 0, 180))
    height = np.radians(center[1])
    rise = np.sin(height) * np.cos(reach) + np.cos(height) * np.sin(reach) * np.cos(angle)
    turn = np.arctan2(np.sin(angle) * np.sin(reach) * np.cos(height), np.cos(reach) - np.sin(height) * rise)
    ra = np.append((center[0] + np.degrees(turn)) % 360, random.uniform(0, 360, count))
    return ra, np.append(np.degrees(np.arcsin(np.clip(rise, -1, 1))), random.uniform(-90, 90, count))


@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize("radius", [180, 179.9, 120, 90, 20, 1, 0.01, 1e-7, 0])
@pytest.mark.parametrize("rows", [100, 2_000_000, 1_000_000_000])
def test_spans_hold_the_cone_and_tell_what_is_inside(center, radius, rows):
    ra, dec = around(center, radius, 5000, np.random.default_rng(5))
    spans = cone_cover(*center, radius, rows)
    low, high = np.array([(span.low, span.high) for span in spans]).T
    assert (low <= high).all()
    assert (low[1:] > high[:-1]).all()
    cells, apart = cells_of(ra, dec), distance(ra, dec, center)
    place = np.searchsorted(low, cells, side="right") - 1
    held = (place >= 0) & (cells <= high[place])
    inside = held & np.array([span.inside for span in spans])[place]
    assert held[apart <= radius].all()
    assert apart[inside].max(initial=0) <= radius


def test_the_tables_size_decides():
    counts = [len(cone_cover(10, 20, 1, rows)) for rows in (1000, 2_000_000, 100_000_000)]
    assert counts[0] < counts[1] < counts[2]
    assert not any(span.inside for span in cone_cover(10, 20, 1, 2_000_000))
    assert any(span.inside for span in cone_cover(10, 20, 1, 100_000_000))


def test_most_of_a_large_cone_needs_no_test():
    spans = cone_cover(10, 20, 10, 10_000_000)
    inside, all_of_it = (sum(span.high - span.low + 1 for span in spans if span.inside or every) for every in (False, True))
    assert 0.75 < inside / all_of_it < 1


@pytest.mark.parametrize(("radius", "spans"), [(-1, []), (180, [Span(0, 12 * 4**29 - 1, True)])])
def test_ends(radius, spans):
    assert cone_cover(1, 2, radius, 1000) == spans
