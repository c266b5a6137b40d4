"""The SQL of matches: the functions against numpy, and each form of a join against all pairs."""

import numpy as np
import psycopg
import pytest
from astropy.coordinates import angular_separation
from match_keys import match_keys
from positions import PLACELESS, fill

from vo_server.sky.cells import NOWHERE, cells_of
from vo_server.sky.match import MatchOrders, strip_order
from vo_server.sql.matching import HIGH, KEY, LOW, key_range, own_key, row_keys, with_keys, with_ranges

COUNT = 900
HAVERSINE = (
    'sin(radians(b."dec" - a."dec") / 2) ^ 2 + cos(radians(a."dec")) * cos(radians(b."dec")) * sin(radians(b.ra - a.ra) / 2) ^ 2'
    " <= sin(radians({radius}) / 2.0) ^ 2"
)
FORMS = {
    "first keyed, by key": "{keyed_a} JOIN b ON {own_b} = a.{KEY}",
    "second keyed, by key": "a JOIN {keyed_b} ON {own_a} = b.{KEY}",
    "first keyed, by range": "{keyed_a} JOIN b ON {range_b}",
    "first with ranges": "{ranges_a} JOIN b ON b._hpx29 BETWEEN a.{LOW} AND a.{HIGH}",
    "keys by row": "a CROSS JOIN LATERAL unnest({row_keys}) AS r (key) JOIN b ON {range_r}",
    "ranges by function": "a CROSS JOIN LATERAL vo.cone_ranges(a._hpx29, {radius}) AS r JOIN b ON b._hpx29 BETWEEN r.lo AND r.hi",
}
LEFT_FORMS = {
    "by row": "a LEFT JOIN LATERAL (SELECT b.* FROM unnest({row_keys}) AS r (key) JOIN b ON {range_r}) AS b ON {test}",
    "by key": "a LEFT JOIN {keyed_b} ON {own_a} = b.{KEY} AND {test}",
    "by range": (
        "a LEFT JOIN LATERAL"
        " (SELECT b.* FROM vo.cone_ranges(a._hpx29, {radius}) AS r JOIN b ON b._hpx29 BETWEEN r.lo AND r.hi) AS b ON {test}"
    ),
}


def crowded(radius: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions close together where a match can go wrong: poles, RA 0, where base cells meet, and everywhere."""
    random = np.random.default_rng(seed)
    places = [(0, 90), (0, -90), (0, 0), (45, 0), (45, 41.8103148957786), (90, 60), (270, -41.8103148957786), (180, -75), (17, 3)]
    chosen = np.array(places)[random.integers(0, len(places), COUNT)]
    dec = np.clip(chosen[:, 1] + random.normal(0, 3 * radius, COUNT), -90, 90)
    ra = (chosen[:, 0] + random.normal(0, 3 * radius, COUNT) / np.maximum(np.cos(np.radians(dec)), 1e-3)) % 360
    ra[:4], dec[:4] = (0, 360, 45, 0), (90, 0, -90, 41.8103148957786)
    return ra, dec


def texts(radius: float, orders: MatchOrders) -> dict[str, str]:
    """What the forms are made of."""
    return {
        "radius": repr(radius),
        "test": HAVERSINE.format(radius=radius),
        "KEY": KEY,
        "LOW": LOW,
        "HIGH": HIGH,
        "keyed_a": with_keys("a", "a", "a._hpx29", orders),
        "keyed_b": with_keys("b", "b", "b._hpx29", orders),
        "ranges_a": with_ranges("a", "a", "a._hpx29", orders),
        "own_a": own_key("a._hpx29", orders),
        "own_b": own_key("b._hpx29", orders),
        "row_keys": row_keys("a._hpx29", orders),
        "range_r": key_range("b._hpx29", "r.key", orders),
        "range_b": key_range("b._hpx29", f"a.{KEY}", orders),
    }


@pytest.mark.parametrize("radius", [2 / 3600, 0.3, 12.0])
def test_every_form_finds_every_pair_once(connection: psycopg.Connection, radius: float) -> None:
    one, other = crowded(radius, 1), crowded(radius, 2)
    fill(connection, "a", *one)
    fill(connection, "b", *other)
    apart = np.degrees(angular_separation(*(np.radians(axis)[:, None] for axis in one), *(np.radians(axis)[None] for axis in other)))
    expected = sorted(zip(*(index.tolist() for index in np.nonzero(apart <= radius)), strict=True))
    unmatched = set(range(-PLACELESS, COUNT)) - {first for first, _ in expected}
    assert len(expected) > COUNT
    strip = strip_order(radius)
    for cell in {strip - 1, max(0, strip - 4)}:
        parts = texts(radius, MatchOrders(cell, strip))
        for name, form in FORMS.items():
            rows = connection.execute(f"SELECT a.id, b.id FROM {form.format(**parts)} AND {parts['test']}".encode()).fetchall()
            assert sorted(rows) == expected, name
        for name, form in LEFT_FORMS.items():
            rows = connection.execute(f"SELECT a.id, b.id FROM {form.format(**parts)}".encode()).fetchall()
            assert sorted(row for row in rows if row[1] is not None) == expected, name
            assert {row[0] for row in rows if row[1] is None} == unmatched, name


@pytest.mark.every_postgres
def test_functions_agree_with_numpy(connection: psycopg.Connection) -> None:
    ra, dec = np.concatenate([crowded(radius, 5) for radius in (1e-5, 1.0, 30.0)], axis=1)
    fill(connection, "a", ra, dec)
    unlike = connection.execute('SELECT ra, "dec", _hpx29 FROM a WHERE vo.healpix(ra, "dec") IS DISTINCT FROM _hpx29').fetchall()
    # on edges of cells rounding decides, then a nudge of a hundredth of a cell gives the other's answer
    nudges = 5e-12 * np.array([(0, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)])
    for lon, lat, cell in unlike:
        near = [
            connection.execute("SELECT vo.healpix(%s, %s)", (float(lon + x), float(np.clip(lat + y, -90, 90)))).fetchone()
            for x, y in nudges
        ]
        assert (cell,) in near
    assert len(unlike) < 50
    for orders in (MatchOrders(0, 1), MatchOrders(0, 4), MatchOrders(2, 3), MatchOrders(10, 16), MatchOrders(25, 29)):
        query = f"SELECT vo.neighbours_near(_hpx29, {orders.cell}, {orders.strip}) FROM a WHERE id >= 0 ORDER BY ctid"
        found = [[NOWHERE if key is None else key for key in row[0]] for row in connection.execute(query.encode()).fetchall()]
        np.testing.assert_array_equal(found, match_keys(cells_of(ra, dec), orders)[:, 1:])


@pytest.mark.parametrize("position", ["NULL, 0", "'NaN', 0", "0, 'NaN'", "'Infinity', 0", "0, 90.1", "0, -91"])
def test_nowhere_has_no_cell(connection: psycopg.Connection, position: str) -> None:
    assert connection.execute(f"SELECT vo.healpix({position})".encode()).fetchone() == (None,)


@pytest.mark.parametrize(("radius", "count"), [("-1", 0), ("'NaN'", 0), ("NULL", 0), ("19.1", 1), ("180", 1)])
def test_ranges_of_unusual_radii(connection: psycopg.Connection, radius: str, count: int) -> None:
    assert connection.execute(f"SELECT count(*) FROM vo.cone_ranges(12345, {radius})".encode()).fetchone() == (count,)
