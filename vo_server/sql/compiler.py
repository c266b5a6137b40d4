"""ADQL text → Statement, in one step."""

from vo_server.adql import parse, resolve
from vo_server.adql.tree import Query
from vo_server.errors import TooLargeError
from vo_server.model.catalogue import Catalogue
from vo_server.model.result import Statement
from vo_server.sql.queries import translate

MAX_LENGTH = 200_000
"""Longest text, in characters (the setting ``max_query_length`` may lower it)."""


def compile_adql(text: str, catalogue: Catalogue, *, max_rows: int | None = None, max_length: int = MAX_LENGTH) -> Statement:
    """The statement of an ADQL query.

    Raises QuerySyntaxError, QueryMeaningError, or TooLargeError for texts longer than `max_length`.
    """
    return translate(resolve(parse_adql(text, max_length=max_length), catalogue), max_rows=max_rows)


def parse_adql(text: str, *, max_length: int = MAX_LENGTH) -> Query:
    """The tree of an ADQL text. Raises QuerySyntaxError, or TooLargeError for texts longer than `max_length`."""
    if len(text) > max_length:
        raise TooLargeError(f"The query has {len(text)} characters; {max_length} are allowed.", hint="Ask in several queries.")
    return parse(text)
