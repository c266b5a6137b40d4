"""ADQL texts at random over the golden tables: hypothesis strategies for values by type, conditions, queries."""

from hypothesis import strategies as st

NUMBERS = ("id", "ra", "dec", "Vmag", "pm", '"size"')
TEXTS = ("name", "'it''s'", "''", "'a\\'", "'$$ -- /*'", "'%_'", "'12'", "name || 'é'")
INSTANTS = ("seen", "CAST('2017-09-22T20:54:30' AS TIMESTAMP)")
SYSTEM = st.sampled_from(("", "", "'ICRS', ", "'', "))
plain_numbers = st.one_of(
    st.sampled_from(NUMBERS),
    st.integers(0, 400).map(str),
    st.floats(0, 1e6, allow_nan=False).map(repr),
    st.sampled_from(("NULL", "-1", "0", "1e-300", ".5", "0x1F", "9999999999", "PI()", "RAND()")),
)
texts = st.sampled_from(TEXTS)
degrees = st.one_of(st.sampled_from(("ra", "dec", "id", "0", "NULL")), st.integers(-90, 90).map(str), st.floats(-90, 90).map(repr))
points = st.one_of(
    st.just("POINT(ra, dec)"),
    st.builds("POINT({}{}, {})".format, SYSTEM, degrees, degrees),
    st.builds("ivo_healpix_center({}, {})".format, st.integers(0, 29), st.integers(0, 1000)),
    st.builds("ivo_geom_transform('ICRS', 'GALACTIC', POINT({}, {}))".format, degrees, degrees),
)
sizes = st.sampled_from(("0", "0.1", "3", "179", "ABS(pm)", "pm", "NULL"))
shapes = st.one_of(
    points,
    st.builds("CIRCLE({}{}, {}, {})".format, SYSTEM, degrees, degrees, sizes),
    st.builds("CIRCLE({}, {})".format, points, sizes),
    st.builds("BOX({}{}, {}, {}, {})".format, SYSTEM, degrees, degrees, sizes, sizes),
    st.builds("POLYGON({})".format, st.lists(degrees, min_size=6, max_size=10).map(lambda found: ", ".join(found[: len(found) // 2 * 2]))),
    st.builds("POLYGON({}, {}, {})".format, points, points, points),
    st.sampled_from(("REGION('Circle ICRS 1 2 3')", "REGION('Union (Circle 1 2 3 Box 4 5 6 7)')", "MOC('3/1-9')", "NULL")),
)


def _calls(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = (
        "ABS",
        "ACOS",
        "ASIN",
        "ATAN",
        "CEILING",
        "COS",
        "COT",
        "DEGREES",
        "EXP",
        "FLOOR",
        "LOG10",
        "LOG",
        "SQRT",
        "TAN",
        "ROUND",
        "TRUNCATE",
    )
    return st.one_of(
        st.builds("{}({})".format, st.sampled_from(one), values),
        st.builds("{}({}, {})".format, st.sampled_from(("MOD", "POWER", "ATAN2", "NULLIF", "LEAST", "COALESCE")), values, values),
        st.builds("({} {} {})".format, values, st.sampled_from("+-*/%"), values),
        st.builds("-{}".format, values),
        st.builds("CAST({} AS {})".format, values, st.sampled_from(("INTEGER", "BIGINT", "REAL", "DOUBLE PRECISION", "VARCHAR(3)"))),
        st.builds("CASE WHEN {} > 1 THEN {} ELSE {} END".format, values, values, values),
        st.builds("DISTANCE({}, {})".format, points, points),
        st.builds("{}({})".format, st.sampled_from(("AREA", "COORD1", "COORD2")), shapes),
        st.builds("{}({}, {})".format, st.sampled_from(("CONTAINS", "INTERSECTS")), shapes, shapes),
        st.builds("ivo_healpix_index({}, {})".format, st.integers(-1, 30), points),
        st.builds("ivo_interval_overlaps({}, {}, 1, 2)".format, values, values),
        st.builds("ivo_epoch_prop_pos({}, {}, 1, 2, 3, 4, 2000, {})".format, values, values, values).map("COORD1({})".format),
    )


numbers = st.recursive(plain_numbers, _calls, max_leaves=5)
_signs = st.sampled_from(("=", "<>", "!=", "<", ">", "<=", ">="))
_predicates = st.one_of(
    st.builds("{} {} {}".format, numbers, _signs, numbers),
    st.builds("{} {} {}".format, texts, _signs, texts),
    st.builds("{} {} {}".format, st.sampled_from(INSTANTS), _signs, st.sampled_from((*INSTANTS, "'2018-01-01'"))),
    st.builds("{} {} {}".format, st.builds("DISTANCE({}, {})".format, points, points), _signs, sizes),
    st.builds("{} = CONTAINS({}, {})".format, st.sampled_from("01"), points, shapes),
    st.builds("INTERSECTS({}, {}) {} 1".format, shapes, shapes, _signs),
    st.builds("{} BETWEEN {} AND {}".format, numbers, numbers, numbers),
    st.builds("{} NOT IN ({}, {})".format, numbers, numbers, numbers),
    st.builds("{} {} {}".format, texts, st.sampled_from(("LIKE", "NOT LIKE", "ILIKE")), texts),
    st.builds("{} IS NOT NULL".format, numbers),
    st.builds("id IN (SELECT id FROM data.events WHERE energy > {})".format, st.integers(0, 99)),
    st.just("EXISTS (SELECT * FROM data.events AS e WHERE e.id = stars.id)"),
    st.builds("ivo_hasword({}, {}) = 1".format, texts, texts),
)
conditions = st.recursive(
    _predicates,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner), st.builds("({} OR {})".format, inner, inner), inner.map("NOT ({})".format)
    ),
    max_leaves=4,
)
_items = st.one_of(
    numbers, texts, shapes, st.just("*"), st.just("stars.*"), st.just("COUNT(*)"), numbers.map("SUM({})".format), st.just("cov")
)
_aliased = st.builds("{}{}".format, _items, st.sampled_from(("", "", " AS x", ' AS "x"" y"', " x")))
_selects = st.builds(
    "SELECT {}{} FROM data.stars{}{}{}".format,
    st.sampled_from(("", "DISTINCT ", "TOP 3 ", "TOP 0 ")),
    st.lists(_aliased, min_size=1, max_size=3).map(", ".join),
    st.sampled_from(("", "", " LEFT JOIN data.events USING (id)", " NATURAL JOIN data.events", ", data.shapes")),
    st.one_of(st.just(""), conditions.map(" WHERE {}".format)),
    st.sampled_from(("", "", " GROUP BY id", " ORDER BY 1", " ORDER BY ra DESC", " HAVING COUNT(*) > 1")),
)
queries = st.one_of(
    _selects,
    st.builds("({}) {} ({})".format, _selects, st.sampled_from(("UNION", "EXCEPT ALL", "INTERSECT")), _selects),
    st.builds("WITH w AS ({}) SELECT * FROM w".format, _selects),
    st.builds("SELECT * FROM ({}) AS q".format, _selects),
)
_WORDS = (
    *(
        "SELECT",
        "FROM",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "AS",
        "JOIN",
        "ON",
        "TOP",
        "GROUP",
        "BY",
        "ORDER",
        "UNION",
        "WITH",
        "CASE",
        "WHEN",
        "END",
    ),
    *("CAST", "IN", "NULL", "LIKE", "POINT", "CIRCLE", "CONTAINS", "COUNT", "EXISTS", "data.stars", "id", "ra", "name", "1", "1.5", "1e5"),
    *(
        "(",
        ")",
        ",",
        ".",
        "*",
        "=",
        "<",
        ">",
        "+",
        "-",
        "/",
        "||",
        "'",
        '"',
        "--",
        "/*",
        "*/",
        ";",
        "'x'",
        "0x",
        "\0",
        "é",
        "$$",
        "\\",
        "\n",
    ),
)
token_soups = st.lists(st.sampled_from(_WORDS), max_size=40).map(" ".join)
