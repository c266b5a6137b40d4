"""The grammar: what is ADQL, what is not, and how that is said."""

import pytest

from vo_server.adql import parse, tree
from vo_server.adql.lexer import MAX_LISTED, MAX_TOKENS, tokenize
from vo_server.adql.parser import MAX_DEPTH
from vo_server.adql.words import ADQL_WORDS, RESERVED, SQL_WORDS
from vo_server.errors import QuerySyntaxError

ACCEPTED = [
    "select a from t",
    "SELECT ALL a, b AS c, t.d x, s.t.* FROM s.t;",
    "SELECT DISTINCT TOP 5 * FROM t ORDER BY 1 DESC, a ASC, t.b OFFSET 3",
    "SELECT *, a + 1 AS b FROM t -- the end",
    "SELECT a /* b */ FROM t--",
    "SELECT 'it''s' 'one' FROM t",
    "SELECT 12., .5, 1e-4, 12.3E+4, 0x1F FROM t",
    'SELECT "select", "a ""b""" FROM "I/239/hip_main" AS "t t"',
    "SELECT public.t.size FROM public.t, external.gaia g JOIN x.catalog ON g.date = 1",
    "SELECT a FROM t WHERE a <> 1 AND a != 2 OR NOT a IS NOT NULL AND (a + b) IS NULL",
    "SELECT a FROM t WHERE a NOT BETWEEN 1 AND 2 AND b NOT IN (1, 2) AND c NOT LIKE 'x' AND d ILIKE 'y'",
    "SELECT a FROM t WHERE EXISTS (SELECT * FROM u) AND a IN (SELECT b FROM u) AND a IN ((SELECT 1 FROM u))",
    "SELECT a FROM t NATURAL LEFT OUTER JOIN u FULL JOIN v USING (a, b) CROSS JOIN w",
    "SELECT a FROM ((t JOIN u ON t.a = u.a) JOIN v USING (a))",
    "SELECT a FROM ((SELECT b FROM u) AS q JOIN v USING (b))",
    "SELECT a FROM ((SELECT b FROM u) UNION (SELECT c FROM v) ORDER BY 1) AS q",
    "(SELECT a FROM t ORDER BY a) UNION ALL (SELECT b FROM u OFFSET 1) EXCEPT SELECT c FROM v ORDER BY 1",
    "WITH x AS (SELECT a FROM t), y AS (SELECT * FROM x) SELECT * FROM y",
    "SELECT COUNT(*), COUNT(DISTINCT a), SUM(ALL b) FROM t GROUP BY c, d + 1 HAVING COUNT(*) > 1",
    "SELECT CAST(a AS DOUBLE PRECISION), CAST(b AS VARCHAR(5)), CAST('1 2' AS POINT), CAST(c AS timestamp) FROM t",
    "SELECT CASE WHEN a = 1 THEN 'x' ELSE NULL END, CASE a WHEN 1 THEN 2 WHEN 2 THEN 3 END FROM t",
    "SELECT COALESCE(NULL), 2 * NULL, NULL || 'x', - - a, +a FROM t",
    "SELECT POINT('ICRS', a, b), CIRCLE(POINT(a, b), 1), BOX('', 1, 2, 3, 4), POLYGON(1, 2, 3, 4, 5, 6), REGION('CIRCLE 1 2 3') FROM t",
    "SELECT a FROM t WHERE CONTAINS(p, s_region) AND 1 = INTERSECTS(CENTROID(c), REGION('a' 'b'))",
    "SELECT PI(), RAND(), RAND(1), ROUND(a), ROUND(a, -2), TRUNCATE(a, 1), LOWER(b), UPPER(b), IN_UNIT(a, 'm') FROM t",
    "SELECT RANK() OVER (PARTITION BY a ORDER BY b DESC), SUM(c) OVER () FROM t",
    "SELECT (SELECT MAX(b) FROM u) AS m, my_function(), TRUE FROM t",
]

REFUSED = [
    # text, the word marked, part of the message
    ("", "", "empty"),
    ("SELECT FROM t", "FROM", "expression"),
    ("SELECT a", "", "FROM"),
    ("DELETE FROM t", "DELETE", "SELECT or WITH expected, but found DELETE. A query only reads"),
    ("SELECT a FROM t UNION DELETE", "DELETE", "SELECT expected"),
    ("SELECT a FROM", "", "table"),
    ("SELECT a FROM t WHERE", "", "column"),
    ("SELECT a FROM t WHERE a", "a", "condition"),
    ("SELECT a FROM t WHERE a = 1 = 2", "=", "chained"),
    ("SELECT a FROM t LIMIT 10", "LIMIT", "SELECT TOP 10"),
    ("SELECT TOP -1 a FROM t", "-", "unsigned integer"),
    ("SELECT a FROM t OFFSET 1.5", "1.5", "unsigned integer"),
    ("SELECT a FROM t ORDER a", "a", "BY"),
    ("SELECT a FROM t WHERE b == 1", "=", "column"),
    ("SELECT _a FROM t", "_a", 'double quotes around it: "_a"'),
    ("SELECT 2mass FROM t", "2mass", '"2mass"'),
    ("SELECT caf\u00e9 FROM t", "\u00e9", "\u00e9"),
    ("SELECT a FROM t WHERE b = \u2018x\u2019", "\u2018", "typographic quote"),
    ("SELECT\u00a0a FROM t", "\u00a0", "no-break space"),
    ("SELECT 'a FROM t", "'", "never ends"),
    ('SELECT "a FROM t', '"', "never ends"),
    ("SELECT a /* b FROM t", "/*", "never ends"),
    ('SELECT "" FROM t', '""', "empty"),
    ("SELECT size FROM t", "size", '"size"'),
    ("SELECT a AS date FROM t", "date", '"date"'),
    ("SELECT COUNT(*) AS count FROM t", "count", 'double quotes: "count"'),
    ("SELECT TOP 5 DISTINCT a FROM t", "DISTINCT", "SELECT DISTINCT TOP 5"),
    ("SELECT sum FROM t", "sum", "parentheses"),
    ("SELECT sin() FROM t", "sin", "1 argument, not 0"),
    ("SELECT sum(a, b) FROM t", ",", "one argument"),
    ("SELECT POINT(a, 1, 2) FROM t", "POINT", "coordinate system"),
    ("SELECT POLYGON(1, 2, 3, 4, 5, 6, 7) FROM t", "POLYGON", "pairs"),
    ("SELECT REGION('a' || b) FROM t", "REGION", "quotes"),
    ("SELECT DISTANCE(a, 1, 2) FROM t", "DISTANCE", "four numbers"),
    ("SELECT POINT(1, 2) || 'a' FROM t", "POINT", "geometry"),
    ("SELECT CAST(a AS INT) FROM t", "INT", "Did you mean INTEGER"),
    ("SELECT CAST(a AS FLOAT) FROM t", "FLOAT", "DOUBLE PRECISION"),
    ("SELECT * FROM (SELECT a FROM t)", "", "name for the subquery"),
    ("SELECT * FROM (WITH x AS (SELECT a FROM t) SELECT * FROM x) AS q", "WITH", "beginning"),
    ("SELECT a.b.c.d.e FROM t", ".", "at most 4"),
    ("INSERT INTO t VALUES (1)", "INSERT", "SELECT"),
    ("SELECT a FROM t WHERE a IN 5", "5", "after IN"),
    ("SELECT a FROM t WHERE (a, b) = (1, 2)", ",", "Several values"),
    ("SELECT a FROM t WHERE a LIKE 'x' ESCAPE '!'", "ESCAPE", "ESCAPE"),
    ("SELECT a FROM t; SELECT b FROM t", "SELECT", "end of the query"),
    ("SELECT a FROM f(1)", "(", "function"),
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepts(text: str) -> None:
    assert isinstance(parse(text), tree.Query)


@pytest.mark.parametrize(("text", "word", "part"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_refuses(text: str, word: str, part: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    assert caught.value.word == word
    assert part in str(caught.value)


def test_an_error_shows_line_column_and_word() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse("SELECT a\nFROM t\nWHERE b >> 3")
    assert (caught.value.line, caught.value.column) == (3, 10)
    assert caught.value.excerpt == "WHERE b >> 3\n         ^"


def test_a_long_line_is_cut_around_the_word() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse("SELECT " + "a, " * 100 + "? FROM t")
    shown, carets = caught.value.excerpt.split("\n")
    assert len(shown) <= 100
    assert shown[carets.index("^")] == "?"


def test_words_of_the_standard() -> None:
    assert (len(SQL_WORDS), len(ADQL_WORDS), len(RESERVED)) == (226, 41, 267)


def test_operations_associate_to_the_left() -> None:
    select = parse("SELECT a - b - c * d / e FROM t").body
    assert isinstance(select, tree.Select)
    chain = select.items[0].value  # type: ignore[union-attr]
    assert isinstance(chain, tree.Chain)
    assert [step.sign for step in chain.rest] == ["-", "-"]
    assert [step.sign for step in chain.rest[1].operand.rest] == ["*", "/"]  # type: ignore[attr-defined]


def test_intersect_binds_tighter_and_the_rest_associates_to_the_left() -> None:
    body = parse("SELECT a FROM t UNION SELECT a FROM u INTERSECT SELECT a FROM v EXCEPT SELECT a FROM w").body
    assert isinstance(body, tree.SetOperation)
    assert body.word == "EXCEPT"
    assert isinstance(body.left, tree.SetOperation)
    assert isinstance(body.left.right, tree.SetOperation)
    assert (body.left.word, body.left.right.word) == ("UNION", "INTERSECT")


def test_not_binds_tighter_than_and_than_or() -> None:
    where = parse("SELECT a FROM t WHERE NOT a = 1 AND b = 2 OR c = 3").body.where  # type: ignore[union-attr]
    assert isinstance(where, tree.Logical)
    assert where.word == "OR"
    assert isinstance(where.operands[0], tree.Logical)
    assert isinstance(where.operands[0].operands[0], tree.Not)


def test_lists_have_the_tokens_of_any_text() -> None:
    items = "1, 'a' ,'b''c', 'd' 'e',\n22 , -3, 1.5, 0x1F /* x */, '', 4"
    listed, free = tokenize(f"IN ({items})"), tokenize(f"XX ({items})")
    assert listed[1:] == free[1:]
    assert [token.value for token in listed][2:9:2] == ["1", "a", "b'c", "de"]


def test_texts_that_follow_each_other_are_one() -> None:
    assert [token.value for token in tokenize("'a' --x\n 'b''c'")] == ["ab'c", ""]


@pytest.mark.parametrize("opening", ["(", "NOT ", "- ", "ABS(", "1 IN (SELECT a FROM t WHERE "])
def test_depth_has_a_limit(opening: str) -> None:
    with pytest.raises(QuerySyntaxError, match="levels deep"):
        parse("SELECT a FROM t WHERE " + opening * (MAX_DEPTH + 1))


def test_length_has_a_limit() -> None:
    parse("SELECT a FROM t WHERE a = " + "+".join("1" * (MAX_TOKENS // 2 - 10)))
    with pytest.raises(QuerySyntaxError, match="more than 10000"):
        parse("SELECT a FROM t WHERE a = " + "+".join("1" * (MAX_TOKENS // 2)))


def test_lists_behind_in_may_be_longer() -> None:
    parse("SELECT a FROM t WHERE a IN (" + ",".join("1" * 10_000) + ") OR b IN ('x'" + ",-1" * 2000 + ")")
    with pytest.raises(QuerySyntaxError, match="more than 15000 constants"):
        parse("SELECT a FROM t WHERE a IN (" + ",".join("1" * (MAX_LISTED // 2 + 1)) + ")")
    with pytest.raises(QuerySyntaxError, match="more than 10000"):
        parse("SELECT a FROM t WHERE a IN (ABS(1)" + ",1" * (MAX_TOKENS // 2) + ")")
