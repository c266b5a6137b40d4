"""Matches of two tables in ADQL against all pairs, in every spelling and whatever the tables' sizes, and the plans they get."""

from dataclasses import replace

import numpy as np
import psycopg
import pytest
from astropy.coordinates import angular_separation
from positions import PLACELESS, fill
from test_sky_matching import COUNT, crowded

from vo_server.errors import QueryMeaningError
from vo_server.model.catalogue import Catalogue, Position, Schema, Table
from vo_server.model.columns import Column
from vo_server.sky.cells import cells_of
from vo_server.sql import compile_adql

COLUMNS = (Column("id", "int"), Column("ra", "double", unit="deg"), Column("dec", "double", unit="deg"))
PLACE = Position("ra", "dec")
MANY = 20_000
SIZES = [(None, None), (900, 900_000), (900_000, 900)]
"""Rows as the catalogue has them: they choose who gets the keys, and whether they are hashed or looked up."""

A, B = "POINT(a.ra, a.dec)", "POINT(b.ra, b.dec)"
SPELLINGS = {
    "contains": "1 = CONTAINS({A}, CIRCLE(b.ra, b.dec, {r}))",
    "contains the other way": "CONTAINS({B}, CIRCLE({A}, {r})) = 1",
    "contains above zero": "CONTAINS({A}, CIRCLE({B}, {r})) > 0",
    "distance": "DISTANCE({A}, {B}) <= {r}",
    "distance of numbers": "{r} > DISTANCE(a.ra, a.dec, b.ra, b.dec)",
    "circles": "1 = INTERSECTS(CIRCLE({A}, {r} / 2), CIRCLE({B}, {r} / 2))",
    "a column's radius": "DISTANCE({A}, {B}) < a.radius",
    "the other column's radius": "1 = CONTAINS({B}, CIRCLE(a.ra, a.dec, b.radius / 1.0))",
}
INNER = {
    "join": "SELECT a.id, b.id FROM d.a AS a JOIN d.b AS b ON {test}",
    "where": "SELECT a.id, b.id FROM d.a AS a, d.b AS b WHERE {test} AND a.id > -5",
    "limited": "SELECT TOP 1000000 a.id, b.id FROM d.a AS a, d.b AS b WHERE b.id > -5 AND {test}",
    "subquery": "SELECT a.id, b.id FROM (SELECT * FROM d.a) AS a JOIN d.b AS b ON {test}",
    "subqueries": "SELECT a.id, b.id FROM (SELECT id, ra, dec, radius FROM d.a WHERE id > -5) AS a JOIN (SELECT * FROM d.b) AS b ON {test}",
    "common": "WITH c AS (SELECT * FROM d.b) SELECT a.id, b.id FROM d.a AS a JOIN c AS b ON {test}",
    "behind an outer join": "SELECT a.id, b.id FROM d.b AS c LEFT JOIN d.a AS a ON a.id = c.id JOIN d.b AS b ON {test} WHERE a.id >= 0",
    "twice": "SELECT a.id, b.id FROM d.a AS a JOIN d.b AS b ON {test} WHERE {test}",
    "inside": "SELECT b.id, a.id FROM d.b AS b JOIN d.a AS a ON {test}",
}
LEFT = {
    "left": "SELECT a.id, b.id FROM d.a AS a LEFT JOIN d.b AS b ON {test}",
    "left with another test": "SELECT a.id, b.id FROM d.a AS a LEFT JOIN d.b AS b ON b.id > -5 AND {test}",
    "left of a join": "SELECT a.id, b.id FROM d.a AS a LEFT JOIN (d.b AS b JOIN d.b AS c ON b.id = c.id) ON {test} AND c.id >= 0",
    "right": "SELECT a.id, b.id FROM d.b AS b RIGHT JOIN d.a AS a ON {test}",
    "left of a subquery": "SELECT a.id, b.id FROM d.a AS a LEFT JOIN (SELECT * FROM d.b) AS b ON {test}",
}


def catalogue(first: int | None, second: int | None) -> Catalogue:
    columns = (*COLUMNS, Column("radius", "double", unit="deg"))
    tables = (Table("d", name, name, columns, nrows=rows, position=PLACE) for name, rows in (("a", first), ("b", second)))
    return Catalogue(1, (Schema("d"),), tuple(tables))


def rows(connection: psycopg.Connection, adql: str, published: Catalogue, most: int | None = None) -> list[tuple[int, ...]]:
    return connection.execute(compile_adql(adql, published, max_rows=most).sql.encode()).fetchall()


def two_tables(connection: psycopg.Connection, radius: float) -> list[tuple[int, int]]:
    """Fills a and b; the pairs within the radius."""
    one, other = crowded(radius, 1), crowded(radius, 2)
    fill(connection, "a", *one)
    fill(connection, "b", *other)
    for name in ("a", "b"):
        connection.execute(f"ALTER TABLE {name} ADD radius float8 DEFAULT {radius!r}; ANALYZE {name}".encode())
    apart = np.degrees(angular_separation(*(np.radians(axis)[:, None] for axis in one), *(np.radians(axis)[None] for axis in other)))
    expected = sorted(zip(*(index.tolist() for index in np.nonzero(apart <= radius)), strict=True))
    assert len(expected) > COUNT
    return expected


@pytest.mark.parametrize("radius", [2 / 3600, 0.3, 12.0])
def test_every_spelling_finds_every_pair_once(connection: psycopg.Connection, radius: float) -> None:
    expected = two_tables(connection, radius)
    for spelling, text in SPELLINGS.items():
        for shape, query in {"join": INNER["join"], "where": INNER["where"]}.items():
            adql = query.format(test=text.format(A=A, B=B, r=repr(radius)))
            assert "k1" in compile_adql(adql, catalogue(None, None)).sql
            assert sorted(rows(connection, adql, catalogue(None, None))) == expected, (spelling, shape)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_query_finds_every_pair_once(connection: psycopg.Connection, sizes: tuple[int | None, int | None]) -> None:
    expected = two_tables(connection, 0.3)
    unmatched = set(range(-PLACELESS, COUNT)) - {first for first, _ in expected}
    test = SPELLINGS["contains"].format(A=A, B=B, r=0.3)
    for name, query in INNER.items():
        adql = query.format(test=test)
        assert "k1" in compile_adql(adql, catalogue(*sizes)).sql
        found = rows(connection, adql, catalogue(*sizes))
        assert sorted(found if name != "inside" else [row[::-1] for row in found]) == expected, name
    for name, query in LEFT.items():
        adql = query.format(test=test)
        assert "k1" in compile_adql(adql, catalogue(*sizes)).sql
        found = rows(connection, adql, catalogue(*sizes))
        assert sorted(row for row in found if row[1] is not None) == expected, name
        assert sorted(row[0] for row in found if row[1] is None) == sorted(unmatched), name


UNKNOWN = {
    "calculated": ("POINT(a.ra / 15 * 15, a.dec)", B),
    "calculated on the other side": (A, "POINT(b.ra + 0 * b.radius, b.dec)"),
    "both": ("POINT(a.ra / 15 * 15, a.dec)", "POINT(b.ra / 15 * 15, b.dec)"),
}


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_positions_that_no_index_knows_are_matched_by_cells_too(
    connection: psycopg.Connection, sizes: tuple[int | None, int | None]
) -> None:
    """Uploads whose columns have other names, coordinates in hours, and at another epoch: never each row with each."""
    expected = two_tables(connection, 0.3)
    unmatched = set(range(-PLACELESS, COUNT)) - {first for first, _ in expected}
    published = catalogue(*sizes)
    for name, (a, b) in UNKNOWN.items():
        test = SPELLINGS["distance"].format(A=a, B=b, r=0.3)
        for shape in ("join", "where", "limited", "subquery", "common"):
            adql = INNER[shape].format(test=test)
            assert "vo.healpix(" in compile_adql(adql, published).sql
            assert sorted(rows(connection, adql, published)) == expected, (name, shape)
        found = rows(connection, LEFT["left"].format(test=test), published)
        assert sorted(row for row in found if row[1] is not None) == expected, name
        assert sorted(row[0] for row in found if row[1] is None) == sorted(unmatched), name
    near = "DISTANCE(POINT(a.ra / 15 * 15, a.dec), POINT(b.ra, b.dec)) < 0.3"
    inside = rows(connection, f"SELECT id FROM d.a AS a WHERE EXISTS (SELECT * FROM d.b AS b WHERE {near})", published)
    assert {number for (number,) in inside} == {first for first, _ in expected}


def test_a_random_position_is_not_looked_up(connection: psycopg.Connection) -> None:
    """It would be another one in the exact test."""
    sql = compile_adql(
        "SELECT a.id FROM d.a AS a JOIN d.b AS b ON DISTANCE(a.ra + RAND(), a.dec, b.ra, b.dec) < 1", catalogue(None, None)
    ).sql
    assert "vo.healpix(" not in sql


def test_a_left_join_by_a_radius_that_each_row_says(connection: psycopg.Connection) -> None:
    expected = two_tables(connection, 0.3)
    connection.execute("CREATE INDEX ON b (_hpx29); ANALYZE b")
    unmatched = set(range(-PLACELESS, COUNT)) - {first for first, _ in expected}
    for name in ("left", "left of a subquery"):
        sql = compile_adql(LEFT[name].format(test=f"DISTANCE({A}, {B}) <= a.radius"), catalogue(None, None)).sql
        found = connection.execute(sql.encode()).fetchall()
        assert sorted(row for row in found if row[1] is not None) == expected
        assert sorted(row[0] for row in found if row[1] is None) == sorted(unmatched)
        assert "b__hpx29_idx" in "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}".encode()).fetchall())


BY_ROWS = {
    "full": "SELECT a.id, b.id FROM d.a AS a FULL JOIN d.b AS b ON {test}",
    "full by a column": "SELECT a.id, b.id FROM d.b AS b FULL JOIN d.a AS a ON DISTANCE({A}, {B}) <= a.radius",
    "full, limited": "SELECT TOP 1000000 a.id, b.id FROM d.a AS a FULL JOIN d.b AS b ON {test} AND (a.id > -5 OR b.id > -5)",
    "full of others": (
        "SELECT a.id, b.id FROM d.a AS c JOIN d.a AS d ON c.id = d.id AND c.id = -1 CROSS JOIN (d.a AS a FULL JOIN d.b AS b ON {test})"
    ),
    "left by the missing side's radius": "SELECT a.id, b.id FROM d.a AS a LEFT JOIN d.b AS b ON DISTANCE({A}, {B}) <= b.radius",
    "right by the missing side's radius": "SELECT a.id, b.id FROM d.b AS b RIGHT JOIN d.a AS a ON 1 = CONTAINS({A}, CIRCLE({B}, b.radius))",
}


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_outer_joins_by_the_rows_of_the_inner_one(connection: psycopg.Connection, sizes: tuple[int | None, int | None]) -> None:
    expected = two_tables(connection, 0.3)
    alone = (
        set(range(-PLACELESS, COUNT)) - {first for first, _ in expected},
        set(range(-PLACELESS, COUNT)) - {second for _, second in expected},
    )
    for name, query in BY_ROWS.items():
        adql = query.format(A=A, B=B, test=SPELLINGS["contains"].format(A=A, B=B, r=0.3))
        assert "ctid" in compile_adql(adql, catalogue(*sizes)).sql
        found = rows(connection, adql, catalogue(*sizes))
        assert sorted(row for row in found if None not in row) == expected, name
        assert sorted(row[0] for row in found if row[1] is None) == sorted(alone[0]), name
        assert sorted(row[1] for row in found if row[0] is None) == (sorted(alone[1]) if "full" in name else []), name
    inner = BY_ROWS["full"].format(test=f"DISTANCE({A}, {B}) <= 0.3") + f" WHERE DISTANCE({A}, {B}) <= 0.3"
    assert sorted(rows(connection, inner, catalogue(*sizes))) == expected
    nearest = BY_ROWS["left by the missing side's radius"].format(A=A, B=B).replace("SELECT", "SELECT TOP 1")
    assert rows(connection, f"{nearest} WHERE a.id = 7 ORDER BY DISTANCE({A}, POINT(1, 2))", catalogue(*sizes))[0][0] == 7


def test_queries_inside_others_look_around_each_row(connection: psycopg.Connection) -> None:
    expected = two_tables(connection, 0.3)
    having = {first for first, _ in expected}
    test = SPELLINGS["distance"].format(A=A, B=B, r=0.3)
    published = catalogue(None, None)
    exists = f"SELECT a.id FROM d.a AS a WHERE {{}}EXISTS (SELECT * FROM d.b AS b WHERE {test})"
    assert {row[0] for row in rows(connection, exists.format(""), published)} == having
    assert {row[0] for row in rows(connection, exists.format("NOT "), published)} == set(range(-PLACELESS, COUNT)) - having
    nearest = f"SELECT a.id, (SELECT TOP 1 b.id FROM d.b AS b WHERE {test} ORDER BY DISTANCE({A}, {B})) AS other FROM d.a AS a"
    found = rows(connection, nearest, published)
    assert len(found) == COUNT + PLACELESS
    assert {row[0] for row in found if row[1] is not None} == having
    assert {row for row in found if row[1] is not None} <= set(expected)
    counted = f"SELECT a.id, (SELECT COUNT(*) FROM d.b AS b WHERE {test}) AS n FROM d.a AS a"
    assert sum(row[1] for row in rows(connection, counted, published)) == len(expected)


def test_what_is_far_apart_or_not_wanted_near_stays_a_test() -> None:
    for condition in (
        f"DISTANCE({A}, {B}) > 1",
        f"DISTANCE({A}, {B}) < 40",
        f"0 = CONTAINS({A}, CIRCLE({B}, 1))",
        f"DISTANCE({A}, {B}) < -1",
    ):
        assert "k1" not in compile_adql(INNER["join"].format(test=condition), catalogue(None, None)).sql
        assert "k1" not in compile_adql(LEFT["left"].format(test=condition), catalogue(None, None)).sql
    either = f"(DISTANCE({A}, {B}) < 1 OR a.id = b.id)"
    assert "k1" not in compile_adql(INNER["join"].format(test=either), catalogue(None, None)).sql
    full = f"SELECT a.id FROM d.a AS a FULL JOIN {{}} AS b ON DISTANCE({A}, {B}) < 1"
    with pytest.raises(QueryMeaningError, match="FULL JOIN needs an equality"):
        compile_adql(full.format("(SELECT * FROM d.b)"), catalogue(None, None))
    assert "k1" not in compile_adql(f"{full.format('d.b')} AND a.id = b.id", catalogue(None, None)).sql


def test_a_radius_that_a_query_says_takes_no_longer_at_each_level() -> None:
    radius = "1"
    for level in range(12):
        near = f"DISTANCE(a{level}.ra, a{level}.dec, b{level}.ra, b{level}.dec) < {radius}"
        radius = f"(SELECT MIN(a{level}.radius) AS r FROM d.a AS a{level} JOIN d.b AS b{level} ON {near})"
    sql = compile_adql(f"SELECT id FROM d.a WHERE radius < {radius}", catalogue(None, None)).sql
    assert sql.count("SELECT min") == 12
    assert sql.count(" AS _hpx29_k1 ") == 1


@pytest.fixture
def spread(connection: psycopg.Connection) -> psycopg.Connection:
    """Tables a and b of many rows all over the sky, each row of b near one of a."""
    random = np.random.default_rng(3)
    ra, dec = random.uniform(0, 360, MANY), np.degrees(np.arcsin(random.uniform(-1, 1, MANY)))
    for name, north in (("a", dec), ("b", np.clip(dec + 1 / 3600, -90, 90))):
        order = np.argsort(cells_of(ra, north))
        fill(connection, name, ra[order], north[order])
        connection.execute(f"ALTER TABLE {name} ADD radius float8 DEFAULT 0.0005; ANALYZE {name}".encode())
    return connection


def plan(connection: psycopg.Connection, adql: str, published: Catalogue, most: int | None = None) -> str:
    sql = compile_adql(adql, published, max_rows=most).sql
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}".encode()).fetchall())


def test_plans_of_matches(spread: psycopg.Connection) -> None:
    whole = catalogue(MANY, MANY)
    near, told = f"DISTANCE({A}, {B}) < 0.0005", f"DISTANCE({A}, {B}) < a.radius"
    inner, left = "SELECT COUNT(*) AS n FROM d.a AS a JOIN d.b AS b ON {}", "SELECT COUNT(*) AS n FROM d.a AS a LEFT JOIN d.b AS b ON {}"
    full = f"SELECT COUNT(*) AS n FROM d.a AS a FULL JOIN d.b AS b ON {told}"
    assert "b__hpx29_idx" in plan(spread, full, whole)
    assert rows(spread, full, whole) == [(MANY + 2 * PLACELESS,)]
    for adql in (inner, left):
        text = plan(spread, adql.format(near), whole)
        assert "Hash" in text or "Merge" in text
        assert rows(spread, adql.format(near), whole) == [(MANY + PLACELESS * ("LEFT" in adql),)]
    looked_up = {
        "small": (inner.format(near), catalogue(100, MANY), None),
        "small, left": (left.format(near), catalogue(100, MANY), None),
        "conditions": (inner.format(near) + " WHERE a.id < 100", whole, None),
        "few": (f"SELECT a.id, b.id FROM d.a AS a, d.b AS b WHERE {near}", whole, 100),
        "some": (f"SELECT a.id, b.id FROM d.b AS b, (SELECT * FROM d.a) AS a WHERE {near}", whole, 4000),
        "some of a subquery": (f"SELECT n.id FROM (SELECT a.id FROM d.a AS a JOIN d.b AS b ON {near}) AS n", whole, 4000),
        "some of subqueries": (f"SELECT a.id FROM (SELECT * FROM d.a) AS a, (SELECT * FROM d.b) AS b WHERE {near}", whole, 4000),
        "column": (inner.format(told), whole, None),
        "exists": (f"SELECT COUNT(*) AS n FROM d.a AS a WHERE EXISTS (SELECT * FROM d.b AS b WHERE {near})", whole, None),
        "nearest": (f"SELECT (SELECT TOP 1 b.id FROM d.b AS b WHERE {near} ORDER BY DISTANCE({A}, {B})) AS n FROM d.a AS a", whole, None),
    }
    for name, (adql, published, most) in looked_up.items():
        text = plan(spread, adql, published, most)
        assert "b__hpx29_idx" in text, (name, text)
        assert "Seq Scan on b" not in text, (name, text)
        assert len(rows(spread, adql, published, most)) > 0


def test_the_catalogue_says_how_many_rows_there_are() -> None:
    whole = catalogue(MANY, MANY)
    renamed = replace(whole, tables=tuple(replace(table, nrows=1000 * MANY if table.name == "b" else MANY) for table in whole.tables))
    adql = INNER["join"].format(test=f"DISTANCE({A}, {B}) < 0.0005")
    assert 't2."_hpx29" BETWEEN t1._hpx29_k1_low AND t1._hpx29_k1_high' in compile_adql(adql, renamed).sql
    assert 't2."_hpx29" >>' in compile_adql(adql, whole).sql
