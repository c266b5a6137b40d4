"""Keys of a match: no pair within the radius may be missed, wherever on the sphere, and no pair found twice."""

import numpy as np
import pytest
from cdshealpix.nested import neighbours, vertices
from match_keys import X_HIGH, X_LOW, Y_HIGH, Y_LOW, corner_keys, match_keys, step_keys

from vo_server.sky import match
from vo_server.sky.cells import NOWHERE, cells_of
from vo_server.sky.match import MatchOrders, match_orders, range_orders, strip_order

SECONDS = 1 / 3600
COMPASS = {(-1, -1): 0, (0, -1): 1, (1, -1): 2, (-1, 0): 3, (1, 0): 5, (-1, 1): 6, (0, 1): 7, (1, 1): 8}
"""Where cdshealpix lists the neighbour that is so many steps away along x and y."""


def away(ra, dec, distance, angle):
    """Positions at some distances (degrees) and angles (radians) from others."""
    height, reach = np.radians(dec), np.radians(distance)
    rise = np.sin(height) * np.cos(reach) + np.cos(height) * np.sin(reach) * np.cos(angle)
    turn = np.arctan2(np.sin(angle) * np.sin(reach) * np.cos(height), np.cos(reach) - np.sin(height) * rise)
    return (ra + np.degrees(turn)) % 360, np.degrees(np.arcsin(np.clip(rise, -1, 1)))


def crowd(place, radius, count, random):
    """Positions where a match can go wrong."""
    angle = random.uniform(0, 2 * np.pi, count)
    far = np.abs(random.normal(0, 1.5 * radius, count))
    if place == "everywhere":
        return random.uniform(0, 360, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))
    if place == "poles":
        return away(random.uniform(0, 360, count), random.choice([-90.0, 90.0], count), far, angle)
    if place == "ra 0":
        return (random.normal(0, radius, count)) % 360, random.uniform(-90, 90, count)
    # corners of base cells, of their quarters, and of the cells as wide as the radius
    order = {"base cells": 0, "quarters": 1, "strips": max(0, strip_order(radius))}[place]
    lon, lat = vertices(random.integers(0, 12 * 4**order, count).astype(np.uint64), order)
    corner = random.integers(0, 4, count)
    return away(lon.deg[np.arange(count), corner], lat.deg[np.arange(count), corner], far, angle)


def missed(place, radius, orders, count=15_000, seed=1):
    """Pairs exactly `radius` apart whose keys do not say so."""
    random = np.random.default_rng(seed)
    ra, dec = crowd(place, radius, count, random)
    other = cells_of(*away(ra, dec, np.full(count, radius), random.uniform(0, 2 * np.pi, count)))
    keys = match_keys(cells_of(ra, dec), orders)
    return int((keys != (other >> orders.shift)[:, None]).all(axis=1).sum())


@pytest.mark.parametrize("place", ["everywhere", "poles", "ra 0", "base cells", "quarters", "strips"])
@pytest.mark.parametrize("radius", [19, 9.7, 3, 0.6, 0.03, 2 * SECONDS, 0.01 * SECONDS])
def test_no_pair_is_missed(place, radius):
    strip = strip_order(radius)
    for cell in {0, strip // 2, strip - 1}:
        assert missed(place, radius, MatchOrders(cell, strip)) == 0


@pytest.mark.parametrize("strip", [1, 2, 5, 16])
@pytest.mark.parametrize("place", ["base cells", "quarters", "strips"])
def test_no_pair_is_missed_at_the_largest_radius_of_an_order(strip, place):
    largest = np.degrees(match.CELL_WIDTH / 2**strip) * (1 - 1e-9)
    assert strip_order(largest) == strip
    assert missed(place, largest, MatchOrders(strip - 1, strip), count=100_000) == 0


def test_wider_radii_would_miss_pairs():
    too_large = np.degrees(0.72 / 2**10)
    assert missed("quarters", too_large, MatchOrders(9, 10), count=300_000) > 0


@pytest.mark.parametrize("order", range(5))
@pytest.mark.parametrize("step", COMPASS)
def test_neighbours_are_cdshealpixs(order, step):
    own = np.arange(12 * 4**order)
    orders = MatchOrders(order, order + 1)
    along_x = np.full_like(own, {-1: X_LOW, 0: -1, 1: X_HIGH}[step[0]])
    along_y = np.full_like(own, {-1: Y_LOW, 0: -1, 1: Y_HIGH}[step[1]])
    found = step_keys(own, np.maximum(along_x, along_y), orders) if 0 in step else corner_keys(own, along_x, along_y, orders)
    expected = neighbours(own.astype(np.uint64), order)[:, COMPASS[step]].astype(np.int64)
    np.testing.assert_array_equal(found, expected)


def test_keys_are_different_and_few():
    ra, dec = crowd("everywhere", 1.0, 50_000, np.random.default_rng(2))
    keys = np.sort(match_keys(cells_of(ra, dec), MatchOrders(8, 12)), axis=1)
    assert not ((keys[:, 1:] == keys[:, :-1]) & (keys[:, 1:] >= 0)).any()
    assert (keys >= 0).sum() < 1.3 * len(keys)


def test_what_is_nowhere_has_no_key():
    assert (match_keys(np.array([NOWHERE]), MatchOrders(8, 12)) == -1).all()


@pytest.mark.parametrize(("radius", "order"), [(38.9, 0), (19.4, 1), (2 * SECONDS, 16), (0.0, 29), (90, -2)])
def test_strip_order(radius, order):
    assert strip_order(radius) == order


def test_orders_follow_the_table():
    small, large = match_orders(2 * SECONDS, 1_000_000), match_orders(2 * SECONDS, 1_000_000_000)
    assert small is not None
    assert large is not None
    assert small.strip == large.strip == 16
    assert small.cell < large.cell < 16
    assert match_orders(30, 1_000_000) is None


def test_orders_of_ranges_weigh_neighbours_against_rows_read():
    assert [range_orders(16, rows) for rows in (1000, 2_000_000, 1_000_000_000)] == [
        MatchOrders(3, 16),
        MatchOrders(9, 16),
        MatchOrders(13, 16),
    ]
    assert range_orders(1, 10**9) == MatchOrders(0, 1)
