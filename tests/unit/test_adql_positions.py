"""What a query takes as the position of a table that comes with it."""

import pytest

from vo_server.adql import parse
from vo_server.adql.positions import written_position
from vo_server.model.columns import Column

COLUMNS = [
    Column("uid", "int"),
    Column("Lon", "double"),
    Column("lat", "float"),
    Column("note", "char", "*"),
    Column("pair", "double", "2"),
]

WRITTEN = [
    ("1 = CONTAINS(POINT(t.ra, t.dec), CIRCLE('ICRS', m.lon, m.lat, 0.1))", ("Lon", "lat")),
    ("1 = CONTAINS(POINT('ICRS', m.lon, m.LAT), CIRCLE(t.ra, t.dec, 0.1))", ("Lon", "lat")),
    ("DISTANCE(t.ra, t.dec, m.lon, m.lat) < 0.1", ("Lon", "lat")),
    ("DISTANCE(POINT(lon, lat), POINT(t.ra, t.dec)) < 0.1", ("Lon", "lat")),
    ("DISTANCE(POINT(TAP_UPLOAD.mine.lon, mine.lat), POINT(t.ra, t.dec)) < 0.1", ("Lon", "lat")),
    ('DISTANCE(POINT(m."Lon", m.lat), POINT(t.ra, t.dec)) < 0.1', ("Lon", "lat")),
    ("1 = INTERSECTS(BOX(m.lon, m.lat, 1, 1), CIRCLE(t.ra, t.dec, 0.1))", ("Lon", "lat")),
    ("t.ra IN (SELECT x.ra FROM x WHERE DISTANCE(m.lon, m.lat, x.ra, x.dec) < 1)", ("Lon", "lat")),
    ('DISTANCE(POINT(m."lon", m.lat), POINT(t.ra, t.dec)) < 0.1', None),
    ("DISTANCE(POINT(t.lon, t.lat), POINT(1, 2)) < 0.1", None),
    ("DISTANCE(POINT(m.lon, t.lat), POINT(1, 2)) < 0.1", None),
    ("DISTANCE(POINT(m.lon / 15, m.lat), POINT(1, 2)) < 0.1", None),
    ("DISTANCE(POINT(m.lon, m.note), POINT(1, 2)) < 0.1", None),
    ("DISTANCE(POINT(m.lon, m.pair), POINT(1, 2)) < 0.1", None),
    ("m.lon < m.lat", None),
]


@pytest.mark.parametrize(("condition", "expected"), WRITTEN)
def test_what_stands_in_a_geometry_is_the_position(condition: str, expected: tuple[str, str] | None) -> None:
    query = parse(f"SELECT m.uid FROM sky.stars AS t JOIN TAP_UPLOAD.mine AS m ON {condition}")
    assert written_position(query, "mine", COLUMNS) == expected
