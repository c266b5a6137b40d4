"""Nearest neighbours without a radius: the same rows, in the same order, as sorting all by the distance, and by the index."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from positions import fill
from test_sky_joins import catalogue
from test_sky_matching import COUNT, crowded

from vo_server.model.catalogue import Catalogue
from vo_server.sky.cells import cells_of
from vo_server.sql import compile_adql, function_definitions

MANY = 20_000
PUBLISHED = catalogue(COUNT, COUNT)
UNINDEXED = replace(PUBLISHED, tables=tuple(replace(table, position=None) for table in PUBLISHED.tables))

HERE = "POINT(b.ra, b.dec)"
PLACES = ("POINT(0, 90)", "POINT(45, 41.8103148957786)", "POINT(359.999, -0.001)", "POINT(17, 3)", "POINT(123, -45)")
QUERIES = {
    "of the select list": "SELECT TOP 5 id, DISTANCE({here}, {place}) AS d FROM d.b AS b ORDER BY d, id",
    "from the place": "SELECT TOP 5 id FROM d.b AS b ORDER BY DISTANCE({place}, {here}), id DESC",
    "by the number": "SELECT TOP 1 DISTANCE({here}, {place}) AS d FROM d.b AS b ORDER BY 1",
    "conditions": "SELECT TOP 7 id FROM d.b AS b WHERE MOD(id, 11) = 3 AND radius > 0.1 ORDER BY DISTANCE({here}, {place}), id",
    "no row fulfils them": "SELECT TOP 3 id FROM d.b AS b WHERE radius < 0 ORDER BY DISTANCE({here}, {place}), id",
    "fewer rows than wanted": "SELECT TOP 9 id FROM d.b AS b WHERE id < 3 ORDER BY DISTANCE({here}, {place}), id",
    "behind others": "SELECT TOP 5 id FROM d.b AS b ORDER BY DISTANCE({here}, {place}), id OFFSET 4",
    "joined": "SELECT TOP 5 b.id, a.id FROM d.a AS a JOIN d.b AS b ON a.id = b.id ORDER BY DISTANCE({here}, {place}), b.id",
    "left joined": (
        "SELECT TOP 9 b.id, a.id FROM d.b AS b LEFT JOIN d.a AS a ON a.id = b.id + 895 ORDER BY DISTANCE({here}, {place}), b.id, a.id"
    ),
    "inside": "SELECT MAX(n.d) AS m FROM (SELECT TOP 5 DISTANCE({here}, {place}) AS d FROM d.b AS b ORDER BY d) AS n",
    "a part of a union": "(SELECT TOP 2 id FROM d.b AS b ORDER BY DISTANCE({here}, {place}), id) UNION SELECT -7 AS i FROM d.b ORDER BY 1",
    "common": "WITH n AS (SELECT TOP 4 * FROM d.b AS b ORDER BY DISTANCE({here}, {place}), id) SELECT id FROM n ORDER BY id",
}
EACH = {
    "value": "SELECT a.id, (SELECT TOP 1 b.id FROM d.b AS b WHERE b.id >= 0 ORDER BY DISTANCE({A}, {B}), b.id) AS n FROM d.a AS a",
    "another": "SELECT a.id, (SELECT TOP 1 b.id FROM d.a AS b WHERE b.id <> a.id ORDER BY DISTANCE({B}, {A}), b.id) AS n FROM d.a AS a",
    "joined by it": (
        "SELECT a.id, b.id FROM d.a AS a JOIN d.b AS b"
        " ON b.id = (SELECT TOP 1 c.id FROM d.b AS c ORDER BY DISTANCE({A}, POINT(c.ra, c.dec)), c.id)"
    ),
    "in it": "SELECT a.id FROM d.a AS a WHERE a.id IN (SELECT TOP 2 b.id FROM d.b AS b ORDER BY DISTANCE({A}, {B}), b.id)",
    "of one source": "SELECT TOP 12 a.id, b.id FROM d.a AS a, d.b AS b WHERE a.id = 7 ORDER BY DISTANCE({A}, {B}), b.id",
    "closest pairs": "SELECT TOP 30 a.id, b.id FROM d.a AS a JOIN d.a AS b ON a.id < b.id ORDER BY DISTANCE({A}, {B}), a.id, b.id",
}
LEFT_ALONE = {
    "farthest": "SELECT TOP 5 id FROM d.b AS b ORDER BY DISTANCE({here}, {place}) DESC",
    "most rows": "SELECT TOP 500 id FROM d.b AS b ORDER BY DISTANCE({here}, {place})",
    "grouped": "SELECT TOP 5 ra, dec FROM d.b AS b GROUP BY ra, dec ORDER BY DISTANCE({here}, {place})",
    "distinct": "SELECT DISTINCT TOP 5 DISTANCE({here}, {place}) AS d FROM d.b AS b ORDER BY d",
    "windows": "SELECT TOP 5 RANK() OVER (ORDER BY id) AS n FROM d.b AS b ORDER BY DISTANCE({here}, {place})",
    "within a radius": "SELECT TOP 5 id FROM d.b AS b WHERE DISTANCE({here}, {place}) < 1 ORDER BY DISTANCE({here}, {place})",
    "may be missing": "SELECT TOP 5 b.id FROM d.a AS a LEFT JOIN d.b AS b ON a.id = b.id ORDER BY DISTANCE({here}, {place})",
    "paired by name": "SELECT TOP 5 b.id FROM d.a AS a JOIN d.b AS b ON a.id = b.id ORDER BY DISTANCE({here}, POINT(a.ra, a.dec))",
}


@pytest.fixture(scope="module")
def connection(servers: Any) -> Iterator[psycopg.Connection]:
    server = servers("embedded")
    server.create("nearest", "template0")
    with psycopg.connect(server.url("nearest"), autocommit=True) as opened:
        opened.execute("CREATE SCHEMA vo")
        opened.execute(function_definitions().encode())
        for number, name in enumerate(("a", "b"), 1):
            fill(opened, name, *crowded(0.3, number))
            opened.execute(f"ALTER TABLE {name} ADD radius float8; UPDATE {name} SET radius = abs(sin(id)); ANALYZE {name}".encode())
        yield opened
    server.drop("nearest")


def rows(connection: psycopg.Connection, adql: str, published: Catalogue) -> list[tuple[object, ...]]:
    return connection.execute(compile_adql(adql, published).sql.encode()).fetchall()


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_the_nearest_of_a_place(connection: psycopg.Connection, query: str) -> None:
    for place in PLACES:
        adql = query.format(here=HERE, place=place)
        assert "ring.step" in compile_adql(adql, PUBLISHED).sql
        assert "ring.step" not in compile_adql(adql, UNINDEXED).sql
        assert rows(connection, adql, PUBLISHED) == rows(connection, adql, UNINDEXED)


@pytest.mark.parametrize("query", EACH.values(), ids=list(EACH))
def test_the_nearest_of_each_row(connection: psycopg.Connection, query: str) -> None:
    adql = query.format(A="POINT(a.ra, a.dec)", B="POINT(b.ra, b.dec)")
    assert "ring.step" in compile_adql(adql, PUBLISHED).sql
    found, expected = (rows(connection, adql, published) for published in (PUBLISHED, UNINDEXED))
    assert found == expected if "TOP 12" in adql or "TOP 30" in adql else sorted(found) == sorted(expected)
    assert found


def test_as_many_as_there_are(connection: psycopg.Connection) -> None:
    """Rows without a position come last, as PostgreSQL sorts them: NaN, then NULL."""
    published = replace(PUBLISHED, tables=tuple(replace(table, nrows=1_000_000) for table in PUBLISHED.tables))
    adql = f"SELECT TOP 2000 id FROM d.b AS b ORDER BY DISTANCE({HERE}, POINT(17, 3)), id"
    found = rows(connection, adql, published)
    assert found == rows(connection, adql, UNINDEXED)
    assert found[-3:] == [(-2,), (-3,), (-1,)]


@pytest.mark.parametrize("query", LEFT_ALONE.values(), ids=list(LEFT_ALONE))
def test_what_rings_do_not_help(query: str) -> None:
    assert "ring.step" not in compile_adql(query.format(here=HERE, place="POINT(17, 3)"), PUBLISHED).sql


def test_plans(connection: psycopg.Connection) -> None:
    random = np.random.default_rng(3)
    ra, dec = random.uniform(0, 360, MANY), np.degrees(np.arcsin(random.uniform(-1, 1, MANY)))
    order = np.argsort(cells_of(ra, dec))
    fill(connection, "many", ra[order], dec[order])
    table = replace(PUBLISHED.tables[1], name="b", nrows=MANY, physical="many")
    published = replace(PUBLISHED, tables=(PUBLISHED.tables[0], table))
    fewer = QUERIES["fewer rows than wanted"].format(here=HERE, place="POINT(17, 3)")
    names = ("of the select list", "from the place", "fewer rows than wanted", "behind others", "left joined")
    for query in (*(QUERIES[name] for name in names), EACH["of one source"], EACH["value"] + " WHERE a.id >= 0"):
        adql = query.format(here=HERE, place="POINT(17, 3)", A="POINT(a.ra, a.dec)", B="POINT(b.ra, b.dec)")
        plan = explained(connection, compile_adql(adql, published).sql)
        assert "many__hpx29_idx" in plan
        scans = [line for line in plan.split("\n") if "Seq Scan on many" in line]
        assert all("never executed" in line for line in scans) == (adql != fewer), plan


def explained(connection: psycopg.Connection, sql: str) -> str:
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {sql}".encode()).fetchall())
