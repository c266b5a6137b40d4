"""Names and types."""

import pytest
from adql_tables import CATALOGUE

from vo_server.adql import build, parse, resolve
from vo_server.adql.functions import features
from vo_server.errors import QueryMeaningError
from vo_server.model.columns import Column
from vo_server.sql import compile_adql, translate


def columns(text: str) -> tuple[Column, ...]:
    return resolve(parse(text), CATALOGUE).columns


REFUSED = [
    ("SELECT a FROM data.strs", "data.strs", "Did you mean data.stars"),
    ("SELECT id FROM events", "events", "data.events, other.events"),
    ("SELECT id FROM a.data.stars", "a.data.stars", "no table"),
    ("SELECT nme FROM data.stars", "nme", "Did you mean name"),
    ("SELECT s.nme FROM data.stars s", "s.nme", "Did you mean s.name"),
    ("SELECT x.id FROM data.stars s", "x", "Tables here: s"),
    ("SELECT stars.id FROM data.stars AS s", "stars", "No table"),
    ("SELECT id FROM data.stars, data.events", "id", "stars.id, events.id"),
    ('SELECT "VMAG " FROM data.stars', '"VMAG "', "no column"),
    ("SELECT TWIN FROM data.stars", "TWIN", "ambiguous"),
    ('SELECT "_hpx29" FROM data.stars', '"_hpx29"', "no column"),
    ("SELECT FOO(id) FROM data.stars", "FOO", "no function FOO"),
    ("SELECT ABSS(id) FROM data.stars", "ABSS", "Did you mean ABS"),
    ("SELECT name + 1 FROM data.stars", "", "calculate"),
    ("SELECT id || 'x' FROM data.stars", "", "CAST"),
    ("SELECT SQRT(name) FROM data.stars", "", "calculate"),
    ("SELECT LOWER(id) FROM data.stars", "", "a text"),
    ("SELECT id FROM data.stars WHERE name = 3", "", "compare"),
    ("SELECT id FROM data.stars WHERE seen > 'yesterday'", "", "instant"),
    ("SELECT id FROM data.stars WHERE cov > cov", "", "order"),
    ("SELECT id FROM data.stars WHERE id LIKE 'x'", "", "LIKE"),
    ("SELECT id FROM data.stars WHERE COUNT(*) > 1", "COUNT", "HAVING"),
    ("SELECT COUNT(*) AS n FROM data.stars GROUP BY n", "", "COUNT makes no groups"),
    ("SELECT RANK() OVER (ORDER BY id) AS n FROM data.stars GROUP BY 1", "", "window function makes no groups"),
    ("SELECT id, COUNT(*) FROM data.stars", "", "grouped"),
    ("SELECT id FROM data.stars GROUP BY name", "", "grouped"),
    ("SELECT id FROM data.stars ORDER BY 2", "2", "number 2"),
    ("SELECT DISTINCT id FROM data.stars ORDER BY ra", "", "DISTINCT"),
    ("SELECT id FROM data.stars UNION SELECT id, energy FROM data.events", "UNION", "1 and 2"),
    ("SELECT id FROM data.stars UNION SELECT name FROM data.events", "UNION", "CAST"),
    ("SELECT id FROM data.stars UNION SELECT id FROM data.events ORDER BY ra", "", "They are id"),
    ("SELECT id FROM data.stars LEFT JOIN data.events", "", "ON or USING"),
    ("SELECT id FROM data.stars JOIN data.events USING (ra)", "ra", "no column ra"),
    ("SELECT (SELECT id, ra FROM data.stars) AS x FROM data.stars", "", "one column"),
    ("SELECT CIRCLE(1, 100, 1) FROM data.stars", "", "latitude 100"),
    ("SELECT CIRCLE(1, 10, -1) FROM data.stars", "", "negative"),
    ("SELECT CIRCLE('SUPER', 1, 10, 1) FROM data.stars", "SUPER", "coordinate system"),
    ("SELECT AREA(id) FROM data.stars", "", "geometry"),
    ("SELECT IN_UNIT(id, 'm') FROM data.stars", "", "no unit"),
    ("SELECT IN_UNIT(ra, 'TeV') FROM data.stars", "IN_UNIT", "cannot be converted"),
    ("SELECT IN_UNIT(ra, 'frob') FROM data.stars", "IN_UNIT", "not a unit"),
    ("SELECT COALESCE(id, 'x') FROM data.stars", "COALESCE", "different types"),
    ("SELECT 1 / 0 FROM data.stars", "/", "zero"),
    ('SELECT id FROM data.stars WHERE name = "alpha"', '"alpha"', "texts in single ones: 'alpha'"),
    ("SELECT id FROM data.stars WHERE seen > '2019-02-29'", "", "'2019-02-29' is not an instant"),
    ("SELECT CAST('2019-02-28T24:00:00' AS TIMESTAMP) FROM data.stars", "", "is not an instant"),
    ("SELECT (SELECT COUNT(s.id) FROM data.events) AS n FROM data.stars AS s", "COUNT", "own tables"),
    ("SELECT (SELECT ivo_string_agg(s.name, ',') FROM data.events) AS n FROM data.stars AS s", "IVO_STRING_AGG", "own tables"),
    ("SELECT SUM(COUNT(*)) FROM data.stars", "", "inside another set function"),
    ("SELECT 1 FROM data.stars HAVING COUNT(*) > 1 ORDER BY id", "", "id is neither grouped nor aggregated"),
    ("WITH a AS (SELECT id FROM data.stars), A AS (SELECT id FROM data.stars) SELECT id FROM a", "A", "Two common tables"),
]


@pytest.mark.parametrize(("text", "word", "part"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_refuses(text: str, word: str, part: str) -> None:
    with pytest.raises(QueryMeaningError) as caught:
        resolve(parse(text), CATALOGUE)
    assert caught.value.word == word
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("SELECT name, COUNT(*) FROM data.stars", 8),
        ("SELECT MAX(name), ra + 1 FROM data.stars", 19),
        ("SELECT ra, name FROM data.stars GROUP BY ra", 12),
        ("SELECT COUNT(*) FROM data.stars HAVING ra > 1", 40),
        ("SELECT name, SUM(ra) OVER () AS s, COUNT(*) FROM data.stars GROUP BY name", 18),
        ("SELECT id, RANK() OVER (ORDER BY COUNT(*)) AS r FROM data.stars", 8),
        ("SELECT COUNT(*), (SELECT MAX(e.id) FROM data.events AS e WHERE e.id = s.id) AS m FROM data.stars AS s", 1),
        ("SELECT name FROM data.stars AS s GROUP BY name HAVING EXISTS (SELECT 1 FROM data.events AS e WHERE e.id = s.id)", 1),
        ("SELECT name, (SELECT SUM(e.id + s.id) FROM data.events AS e) AS m FROM data.stars AS s GROUP BY name", 1),
    ],
)
def test_what_is_not_grouped_is_pointed_at(text: str, column: int) -> None:
    with pytest.raises(QueryMeaningError, match="neither grouped nor aggregated") as caught:
        resolve(parse(text), CATALOGUE)
    assert caught.value.column == column


def test_a_plain_column_keeps_its_metadata_through_everything() -> None:
    (plain,) = columns(
        "WITH w AS (SELECT id AS i FROM data.stars) SELECT q.j FROM (SELECT i AS j FROM w UNION SELECT id FROM data.events) AS q"
    )
    assert plain == Column("j", "long", ucd="meta.id", utype="x:id", description="number")


@pytest.mark.parametrize(
    ("expression", "datatype", "unit"),
    [
        ("pm * Vmag", "double", "(mas/yr).mag"),
        ("ra * ra", "double", "deg**2"),
        ("ra / dec", "double", None),
        ("id / 2", "int", None),
        ("1 / ra", "double", "deg**-1"),
        ("ra * 2", "double", "deg"),
        ("ra - dec", "double", "deg"),
        ("ra + Vmag", "double", None),
        ("Vmag + Vmag", "float", "mag"),
        ("-Vmag", "float", "mag"),
        ("ABS(id)", "int", None),
        ("SQRT(ra)", "double", None),
        ("RADIANS(ra)", "double", "rad"),
        ("ROUND(ra, 1)", "double", "deg"),
        ("IN_UNIT(pm, 'deg/yr')", "double", "deg/yr"),
        ("DISTANCE(ra, dec, 1, 2)", "double", "deg"),
        ("CASE WHEN id = 1 THEN ra ELSE 0 END", "double", "deg"),
        ("COALESCE(id, 2.5)", "double", None),
        ("name || 'x'", "unicodeChar", None),
        ("CAST(ra AS REAL)", "float", "deg"),
        ("3000000000", "long", None),
        ("MOD(id, 2)", "int", None),
        ("MOD(id, 2.5)", "double", None),
        ("CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 3))", "int", None),
    ],
)
def test_types_and_units_of_expressions(expression: str, datatype: str, unit: str | None) -> None:
    (column,) = columns(f"SELECT {expression} AS x FROM data.stars")
    assert (column.datatype, column.unit) == (datatype, unit)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name, (SELECT MAX(e.id) FROM data.events AS e WHERE e.id = s.id) AS m FROM data.stars AS s GROUP BY name, id",
        "SELECT (SELECT SUM(e.id + s.id) FROM data.events AS e) AS m FROM data.stars AS s",
        "SELECT SUM((SELECT MAX(e.id) FROM data.events AS e WHERE e.id = s.id)) AS m FROM data.stars AS s",
        "SELECT name, SUM(COUNT(*)) OVER () AS total FROM data.stars GROUP BY name",
        "SELECT id FROM data.stars WHERE seen > '2016-12-31T23:59:60' OR seen > '2020-02-29 12:00Z'",
    ],
)
def test_takes(text: str) -> None:
    assert columns(text)


def test_what_is_always_null_takes_the_type_of_the_other_side() -> None:
    assert columns("SELECT NULL AS e FROM data.stars UNION SELECT energy FROM data.events") == (Column("e", "double", unit="TeV"),)
    assert columns("SELECT id FROM data.stars UNION SELECT NULL FROM data.events UNION SELECT NULL FROM data.stars")[0].datatype == "int"


def test_aggregates_keep_units() -> None:
    found = columns("SELECT MIN(pm), AVG(Vmag), SUM(id), SUM(Vmag), COUNT(ra), MAX(seen) FROM data.stars")
    kinds = [(column.name, column.datatype, column.unit) for column in found]
    assert kinds[:3] == [("min", "double", "mas/yr"), ("avg", "double", "mag"), ("sum", "long", None)]
    assert kinds[3:5] == [("sum_2", "double", "mag"), ("count", "long", None)]
    assert found[5].is_timestamp


def test_names_are_unique_ignoring_case() -> None:
    names = [column.name for column in columns('SELECT id, ID, ra AS Id, dec AS id_2, id + 1, name AS "Id" FROM data.stars')]
    assert names == ["id", "id_3", "Id_4", "id_2", "column_5", "Id_5"]


def test_names_match_as_the_standard_says() -> None:
    found = columns('SELECT ID, "id", VMAG, "twin", Twin, "a.b c", STARS.id FROM Data.Stars')
    assert [column.name for column in found][:6] == ["id", "id_2", "Vmag", "twin", "Twin_2", "a.b c"]


def test_a_star_never_shows_hidden_columns() -> None:
    assert "_hpx29" not in [column.name for column in columns("SELECT * FROM data.stars")]
    joined = [column.name for column in columns("SELECT * FROM data.stars a JOIN data.stars b USING (id)")]
    assert joined[:2] == ["id", "ra"]
    assert "ra_2" in joined
    assert "id_2" not in joined


def test_built_trees_are_as_good_as_parsed_ones() -> None:
    ra, dec = build.column("ra"), build.column("dec")
    where = build.every(
        [
            build.within(ra, dec, 10.5, -20.0, 0.5),
            build.compare(build.column("id"), ">", -3),
            build.one_of(build.column("name"), ["x", None]),
        ]
    )
    built = build.select(("data", "stars"), ["id", ra], where, [(build.column("id"), True)], top=7)
    text = (
        "SELECT TOP 7 id, ra FROM data.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10.5, -20.0, 0.5)) "
        "AND id > -3 AND name IN ('x', NULL) ORDER BY id DESC"
    )
    one, other = translate(resolve(built, CATALOGUE), max_rows=5), compile_adql(text, CATALOGUE, max_rows=5)
    assert one.columns == other.columns
    assert sorted(one.sql.replace("1 = ", "").split()) == sorted(other.sql.replace("1 = ", "").split())
    assert (one.limit, one.sql.endswith("LIMIT 5")) == (7, True)


@pytest.mark.parametrize("newer", [False, True])
def test_features_declare_each_form_once(newer: bool) -> None:
    forms = [(feature.type.rpartition("#")[2], form) for feature in features(newer=newer) for form, _ in feature.forms]
    assert len(forms) == len(set(forms))
    assert ("features-adqlgeo", "DISTANCE") in forms
    assert (("features-adql-conditional", "COALESCE") in forms) is newer
    assert (("extra-adql-keywords", "MOC") in forms) is newer
    for name in ("COALESCE(", "MOC("):
        assert any(kind == "features-udf" and form.startswith(name) for kind, form in forms) is (name == "MOC(" or not newer)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT 5/60 AS a FROM data.stars", ["Line 1, column 9: Integers divide as integers"]),
        ("SELECT id / 2 AS a FROM data.stars GROUP BY id / 2", ["Line 1, column 11", "Line 1, column 48"]),
        ("SELECT 5./60 AS a, id / 2.0 AS b FROM data.stars", []),
        (
            "SELECT id FROM data.stars WHERE 1 = CONTAINS(POINT('GALACTIC', ra, dec), CIRCLE('ICRS', 1, 2, 3))",
            ["GALACTIC converts nothing"],
        ),
    ],
)
def test_what_may_not_be_meant_is_told(query: str, told: list[str]) -> None:
    warnings = resolve(parse(query), CATALOGUE).warnings
    assert len(warnings) == len(told)
    assert all(part in warning for part, warning in zip(told, warnings, strict=True))
