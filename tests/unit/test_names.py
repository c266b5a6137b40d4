"""How names are spelled in ADQL."""

import pytest

from vo_server.model.names import adql_full_name, adql_name, adql_table_name
from vo_server.model.reserved import ADQL_WORDS, RESERVED, SQL_WORDS


def test_reserved_words_are_those_of_the_standard() -> None:
    assert (len(SQL_WORDS), len(ADQL_WORDS), len(RESERVED)) == (226, 41, 267)
    assert {"SIZE", "END-EXEC", "VALUE"} <= SQL_WORDS
    assert {"DISTANCE", "IN_UNIT", "TOP"} <= ADQL_WORDS


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("ra", "ra"),
        ("RAJ2000", "RAJ2000"),
        ("e_ra", "e_ra"),
        ("_hidden", '"_hidden"'),
        ("2mass", '"2mass"'),
        ("flux 100", '"flux 100"'),
        ("größe", '"größe"'),
        ("size", '"size"'),
        ("Distance", '"Distance"'),
        ('so "said"', '"so ""said"""'),
        ("trailing\n", '"trailing\n"'),
        ("", '""'),
    ],
)
def test_names_that_are_not_regular_are_quoted(name: str, written: str) -> None:
    assert adql_name(name) == written


def test_tables_are_qualified_and_quoted_in_parts() -> None:
    assert adql_table_name("data", "Order 66") == 'data."Order 66"'
    assert adql_full_name("public.t.1") == '"public"."t.1"'
