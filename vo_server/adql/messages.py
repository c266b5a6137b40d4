"""Where an error lies in an ADQL text, and how to show it."""

from collections.abc import Iterable
from difflib import get_close_matches

from vo_server.errors import QueryMeaningError, QuerySyntaxError

WINDOW = 100
"""Longest part of a line that an excerpt shows, in characters."""
MAX_CANDIDATES = 2000
"""Names compared when looking for the nearest: keeps the search well below 100 ms."""


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column, both from 1, of the character at offset `at`."""
    before = text[:at]
    line = before.count("\n") + 1
    return line, at - (before.rfind("\n") + 1) + 1


def excerpt(text: str, at: int, length: int = 1) -> str:
    """The line of `at`, cut to a window, and below it a caret line under the offending word."""
    if not text:
        return ""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)].replace("\t", " ").rstrip("\r")
    column = at - start
    first = max(0, column - WINDOW // 2)
    shown = line[first : first + WINDOW]
    carets = "^" * max(1, min(length, len(shown) - (column - first)))
    return f"{shown}\n{' ' * (column - first)}{carets}"


def syntax_error(
    text: str, at: int, message: str, *, word: str = "", expected: tuple[str, ...] = (), hint: str | None = None
) -> QuerySyntaxError:
    """An error of the grammar at offset `at` of `text`."""
    line, column = place(text, at)
    return QuerySyntaxError(
        message, line=line, column=column, word=word, expected=expected, hint=hint, excerpt=excerpt(text, at, len(word))
    )


def meaning_error(
    text: str, at: int, message: str, *, word: str = "", expected: tuple[str, ...] = (), hint: str | None = None
) -> QueryMeaningError:
    """An error of names or types at offset `at` of `text`."""
    line, column = place(text, at)
    return QueryMeaningError(
        message, line=line, column=column, word=word, expected=expected, hint=hint, excerpt=excerpt(text, at, len(word))
    )


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The candidates most like `name`, ignoring case, best first."""
    spelling: dict[str, str] = {}
    for candidate in candidates:
        spelling.setdefault(candidate.lower(), candidate)
        if len(spelling) >= MAX_CANDIDATES:
            break
    found = get_close_matches(name.lower(), list(spelling), n=count, cutoff=0.6)
    return tuple(spelling[key] for key in found)


def did_you_mean(names: Iterable[str]) -> str | None:
    """A hint that offers names; None when there are none."""
    listed = ", ".join(names)
    return f"Did you mean {listed}?" if listed else None
