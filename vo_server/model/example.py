"""A query that shows what can be asked (DALI 1.1 §2.3)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """``query`` is ADQL that runs as it stands; ``tables`` are the full names (``schema.table``) of the tables it reads."""

    id: str
    name: str
    query: str
    tables: tuple[str, ...] = ()
    description: str | None = None
