"""What an operator may say when publishing a file, and what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Connection

from vo_server.formats.readers import Source
from vo_server.model.columns import Column


class RecordRenderer(Protocol):
    """What publishing calls inside its transaction, so that the registry's records say what is published then."""

    def __call__(self, connection: Connection, resource: str | None = None, /) -> object:
        """Render all records, or only those that the resource with this id is said in, and store those that changed."""


"""Renders and stores the registry's records anew, inside the transaction that publishes."""

Progress = Callable[[str, int, int | None], None]
"""(what is being done, rows so far, rows altogether where known)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """Flags of the command line; None: whatever descriptor, file or inference say, in this order.

    ``part`` names one of several tables in the file, and ``beside`` is another one of them that is open already; ``resource`` the
    resource that the table joins (default: one of its own, of the table's name); ``nulls`` spellings of missing values in CSV and TSV;
    ``position`` False: the table has none, whatever it looks like;
    ``reload``: load the rows even if the file is the one that they came from; ``append``: beside those that are there;
    ``entry``: which of a descriptor's tables, counted from 0; ``partition_rows``: a table of more rows is divided by position.
    """

    schema: str | None = None
    table: str | None = None
    resource: str | None = None
    part: str | None = None
    beside: Source | None = None
    ra: str | None = None
    dec: str | None = None
    title: str | None = None
    description: str | None = None
    nulls: tuple[str, ...] = ()
    position: bool = True
    reload: bool = False
    append: bool = False
    entry: int = 0
    partition_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a file would be published as; ``source`` is the table that was read, and names those of the file that would not be."""

    table: str
    resource: str
    rows: int
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What was published. ``notes`` are sentences: what was inferred and why, what did not go over as it stood.

    ``loaded`` False: the rows were there already, and only what is said of them is new. ``positions``: it has a cone search;
    ``source`` is the table of a file that was read, and names those of the file that were not published.
    """

    table: str
    resource: str
    rows: int
    notes: tuple[str, ...]
    replaced: bool
    positions: bool
    source: Source | None = None
    loaded: bool = True


def utc_now() -> datetime:
    """The time of day, aware, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
