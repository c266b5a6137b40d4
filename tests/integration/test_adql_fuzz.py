"""Whatever the text: a statement that PostgreSQL runs, or an explanation."""

import sys
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from adql_families import FAMILIES
from adql_texts import queries, token_soups
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_golden import CATALOGUE, golden_database

from vo_server.errors import QueryError
from vo_server.model.result import Statement
from vo_server.sql import compile_adql

QUIET = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

OF_THE_DATA = (
    psycopg.errors.DivisionByZero,
    psycopg.errors.NumericValueOutOfRange,
    psycopg.errors.InvalidArgumentForLogarithm,
    psycopg.errors.InvalidArgumentForPowerFunction,
    psycopg.errors.InvalidTextRepresentation,
    psycopg.errors.FloatingPointException,
)
"""What rows can do to a query, and nobody can know before."""


@pytest.fixture(scope="module")
def connection(servers: object) -> Iterator[psycopg.Connection]:
    with golden_database(servers("embedded")) as opened:  # type: ignore[operator]
        yield opened


def outcome(text: str) -> Statement | QueryError:
    """The statement of a text, or the error that says where it is wrong."""
    try:
        return compile_adql(text, CATALOGUE, max_rows=10)
    except QueryError as error:
        found = error
    lines = text.split("\n")
    assert 1 <= found.line <= len(lines)
    assert 1 <= found.column <= len(lines[found.line - 1]) + 1
    assert found.message.strip()
    return found


def run(connection: psycopg.Connection, statement: Statement) -> None:
    with suppress(*OF_THE_DATA):
        connection.execute(statement.sql.encode()).fetchall()


@settings(QUIET, max_examples=800)
@given(text=queries)
def test_what_is_translated_can_be_run(connection: psycopg.Connection, text: str) -> None:
    found = outcome(text)
    if isinstance(found, Statement):
        run(connection, found)


@settings(QUIET, max_examples=500)
@given(text=token_soups)
def test_words_in_any_order_are_a_query_or_an_error(text: str) -> None:
    outcome(text)


@settings(QUIET, max_examples=300)
@given(text=st.text(max_size=200))
def test_any_characters_are_a_query_or_an_error(text: str) -> None:
    assert not isinstance(outcome(text), Statement)


@settings(QUIET, max_examples=300)
@given(text=queries, at=st.integers(0, 300), junk=st.sampled_from(("'", '"', "--", "/*", "$$", "\\", "\0", ";", "(", "é", "0x", "\u2019")))
def test_a_query_with_something_thrown_in_is_a_query_or_an_error(connection: psycopg.Connection, text: str, at: int, junk: str) -> None:
    found = outcome(text[:at] + junk + text[at:])
    if isinstance(found, Statement):
        run(connection, found)


HOSTILE = (
    "a'; DROP TABLE x; --",
    "\\'; SELECT 1",
    "$$; SELECT 1; $$",
    "E'\\x",
    "%s %(x)s :x {0}",
    "\u2019\u202e",
    "a\nb\r\n",
    '"',
    "--",
    "/*",
    "U&'\\0061'",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_and_names_stay_what_they_are(connection: psycopg.Connection, text: str) -> None:
    quoted, name = text.replace("'", "''"), text.replace('"', '""')
    query = f"SELECT '{quoted}' AS \"{name}\", ivo_hasword('{quoted}', 'x') AS w FROM data.stars AS \"{name}\" WHERE \"{name}\".id = 1"
    statement = compile_adql(query, CATALOGUE)
    assert statement.columns[0].name == text
    assert connection.execute(statement.sql.encode()).fetchall()[0][0] == text


LONG = {
    "lists": "SELECT id FROM data.stars WHERE id IN (" + ", ".join(map(str, range(4900))) + ")",
    "choices": "SELECT id FROM data.stars WHERE " + " OR ".join(f"id = {number}" for number in range(2400)),
    "sums": "SELECT " + " + ".join(["id"] * 4900) + " AS x FROM data.stars",
    "columns": "SELECT " + ", ".join(["*"] * 150) + " FROM data.stars",
    "polygon": "SELECT id FROM data.stars WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON("
    + ", ".join(f"{10 + number / 100}, {20 + (number % 2) / 100}" for number in range(299))
    + ", 12, 60))",
    "cones": "SELECT id FROM data.stars WHERE " + " OR ".join(f"DISTANCE(ra, dec, {number}, 0) < 5" for number in range(150)),
    "depth": "SELECT " + "(" * 58 + "1" + ")" * 58 + " AS x FROM data.stars",
    "moc": "SELECT id FROM data.stars WHERE 1 = CONTAINS(POINT(ra, dec), MOC('12/"
    + " ".join(str(2 * number) for number in range(20_000))
    + "'))",
    "joins": "SELECT 1 AS x FROM data.stars AS t0 " + " ".join(f"JOIN data.stars AS t{number} USING (id)" for number in range(1, 90)),
}


REFUSED = ("columns too many", "nested too deep", "vertices too many", "cells too many", "number too large", "stars too many", "turned")
LONG |= {
    "cells too many": "SELECT id FROM data.stars WHERE 1 = CONTAINS(POINT(ra, dec), MOC(29, CIRCLE(1, 10, 20)))",
    "number too large": "SELECT 0x" + "F" * 390 + " AS x FROM data.stars",
    "stars too many": " UNION ALL ".join(["SELECT " + ", ".join(["*"] * 80) + " FROM data.stars"] * 40),
    "turned": "SELECT " + "IVO_GEOM_TRANSFORM('GALACTIC', 'ICRS', " * 50 + "POINT(ra, dec)" + ")" * 50 + " AS x FROM data.stars",
    "full joins": "SELECT 1 AS x FROM data.stars AS t0 "
    + " ".join(f"FULL JOIN data.stars AS t{number} USING (id)" for number in range(1, 99)),
}
"""Each once took seconds, or all memory: what grows by itself is counted."""
LONG |= {
    "columns too many": "SELECT " + ", ".join(["*"] * 200) + " FROM data.stars",
    "nested too deep": "SELECT " + "(" * 61 + "1" + ")" * 61 + " AS x FROM data.stars",
    "vertices too many": LONG["polygon"].replace("12, 60", "12, 60, 11, 61, 11, 62"),
}


@pytest.mark.parametrize("name", LONG)
def test_long_queries_are_translated_or_refused(name: str) -> None:
    assert isinstance(outcome(LONG[name]), Statement) == (name not in REFUSED)


def work(text: str) -> int:
    """How many functions are called until a text is translated or refused: what it costs, and the same on every machine."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        outcome(text)
    finally:
        sys.setprofile(None)
    return calls


MOST_WORK = 1_500_000


@pytest.mark.parametrize("name", FAMILIES)
def test_work_grows_as_the_text_does(name: str) -> None:
    size, family = FAMILIES[name]
    outcome(family(2))  # what is computed once
    assert work(family(size)) < min(5 * work(family(size // 2)) + 20_000, MOST_WORK)
