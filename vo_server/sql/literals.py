"""The one place where values and names become SQL text.

Relies on ``standard_conforming_strings = on``, which every connection of ours sets: a backslash is an ordinary character, and E'' is
never written.
"""

from math import isfinite


def quote_identifier(name: str) -> str:
    """A name in double quotes. Raises ValueError for what PostgreSQL cannot store."""
    if not name or "\0" in name:
        raise ValueError(f"{name!r} cannot be a name in SQL")
    return '"' + name.replace('"', '""') + '"'


def quote_text(value: str) -> str:
    """A text in single quotes. Raises ValueError for U+0000, which PostgreSQL cannot store."""
    if "\0" in value:
        raise ValueError("a text in SQL cannot hold U+0000")
    return "'" + value.replace("'", "''") + "'"


def number(value: float) -> str:
    """A number: integers plain, others as double precision, negative ones in parentheses."""
    if isinstance(value, int) and abs(value) < 2**63:
        return str(value) if value >= 0 else f"({value})"
    if not isfinite(value):
        return f"'{float(value)}'::float8"
    text = f"{float(value)!r}::float8"
    return text if value >= 0 else f"({text})"


def plain(value: float) -> str:
    """A number inside a formula of doubles, where its type follows from its neighbours."""
    text = repr(float(value))
    return text if value >= 0 else f"({text})"
