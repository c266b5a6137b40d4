"""Regions in words, and what is wrong with geometries: said with line and column."""

import pytest
from adql_tables import CATALOGUE

from vo_server.adql.regions import Part, RegionError, parse_region
from vo_server.errors import QueryMeaningError
from vo_server.sql import compile_adql


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Circle ICRS 1 2 3", [("CIRCLE", 1, 2, 3)]),
        ("  CIRCLE\tICRS GEOCENTER SPHERICAL2 1 -2.5 .5e0 ", [("CIRCLE", 1, -2.5, 0.5)]),
        ("position 10 +20", [("POINT", 10, 20)]),
        ("Box J2000 1 2 3 4", [("BOX", 1, 2, 3, 4)]),
        ("1 2", [("POINT", 1, 2)]),
        ("1 2 3", [("CIRCLE", 1, 2, 3)]),
        ("1 2  3 4\n5 6", [("POLYGON", 1, 2, 3, 4, 5, 6)]),
        ("Polygon 1 2 3 4 5 6 7 8", [("POLYGON", 1, 2, 3, 4, 5, 6, 7, 8)]),
        ("Union ICRS (Circle 1 2 3 Union(Position 4 5 Box 1 2 3 4))", [("CIRCLE", 1, 2, 3), ("POINT", 4, 5), ("BOX", 1, 2, 3, 4)]),
    ],
)
def test_regions_are_read(text: str, parts: list[tuple[str, float]]) -> None:
    assert parse_region(text) == tuple(Part(name, tuple(map(float, numbers))) for name, *numbers in parts)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing stands here"),
        ("Ellipse 1 2 3 4 5", "not 'Ellipse'"),
        ("1 2 3 4", "4 numbers where"),
        ("Circle 1 2", "has 2 numbers where 3"),
        ("Polygon 1 2 3 4 5 6 7", "an even number"),
        ("Circle GALACTIC 1 2 3", "GALACTIC"),
        ("Circle 1 2 3 x", "'x' follows"),
        ("Union ICRS Circle 1 2 3", "parentheses"),
        ("Union (Circle 1 2 3", "parentheses"),
        ("Union ()", "parentheses"),
        ("Union (" * 30, "parentheses"),
        ("Union (" + "Position 1 2 " * 31 + ")", "at most 30 shapes"),
        ("Circle nan 1 2", "0 numbers"),
    ],
)
def test_what_is_no_region_says_why(text: str, reason: str) -> None:
    with pytest.raises(RegionError, match=reason):
        parse_region(text)


MISTAKES = [
    ("POLYGON(0, 0, 10, 10, 10, 0, 0, 12)", "edges 1 and 3 of the polygon cross"),
    ("POLYGON(0, 0, 10, 0, 20, 0)", "great circle"),
    ("POLYGON(0, 0, 0, 0, 1, 1)", "three different"),
    ("BOX(1, 2, 0, 1)", "more than 0 and less than 180"),
    ("BOX(1, 95, 1, 1)", "latitude 95"),
    ("REGION('Ellipse 1 2 3')", "Ellipse"),
    ("REGION('Circle 1 95 3')", "latitude 95"),
    ("MOC('x')", "neither an order"),
    ("MOC(name)", "text in quotes"),
    ("MOC('5/')", "no cells"),
    ("ivo_geom_transform('ICRS', 'galactic', POINT(1, 2))", "'galactic' is not a reference frame"),
    ("ivo_geom_transform(name, 'ICRS', POINT(1, 2))", "text in quotes"),
    ("CAST('1 2 3' AS POINT)", "is no POINT"),
    ("CENTROID(MOC('0/1'))", "single shape"),
]


@pytest.mark.parametrize(("shape", "reason"), MISTAKES)
def test_mistakes_have_a_place(shape: str, reason: str) -> None:
    text = f"SELECT id,\n  AREA({shape}) AS a FROM data.stars"
    with pytest.raises(QueryMeaningError, match=reason) as caught:
        compile_adql(text, CATALOGUE)
    assert caught.value.line == 2
    assert 8 <= caught.value.column <= 40
    assert caught.value.excerpt.endswith("^" * max(1, len(caught.value.word)))


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("1 = CONTAINS(CIRCLE(1, 2, 3), MOC('0/1'))", "cannot be compared"),
        ("1 = CONTAINS(CIRCLE(1, 2, 3), REGION('Union (Position 1 2 Position 3 4)'))", "Only positions"),
        ("1 = CONTAINS(POINT(1, 2), name)", "geometry"),
        ("ivo_healpix_index(30, ra, dec) = 1", "order 30"),
        ("id IN (SELECT SUM(COUNT(*)) FROM data.stars)", "inside another"),
        ("ivo_string_agg(name, ',') = 'x'", "HAVING"),
        ("ivo_to_mjd('yesterday') = 1", "not an instant"),
        ("ivo_to_mjd(id) = 1", "an instant"),
    ],
)
def test_conditions_that_mean_nothing_say_why(condition: str, reason: str) -> None:
    with pytest.raises(QueryMeaningError, match=reason):
        compile_adql(f"SELECT id FROM data.stars WHERE {condition}", CATALOGUE)
