"""The values that cross the seams between translating, running and writing."""

from dataclasses import dataclass
from enum import Enum

import pyarrow

from vo_server.model.columns import Column
from vo_server.model.service import ServiceDescriptor, ServiceParam

Piece = bytes | memoryview
"""Consecutive bytes of a document; a view is of memory that nobody writes to."""

TEMPORARY = "pg_temp"
"""Schema of the tables that one connection alone sees."""


@dataclass(frozen=True, slots=True)
class TemporaryTable:
    """A table that is made for one statement and is gone with it.

    ``name`` is bare, within TEMPORARY; ``columns`` are (name, SQL type), and ``rows`` has columns of these names, in order; ``indexed`` is
    the column with an index, if one has.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: pyarrow.Table
    indexed: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL to stream, and what comes out of it.

    ``sql`` carries its literals (COPY takes no parameters) and casts every output column to its ``Column.sql_type``,
    in order. ``limit`` is the number of rows that the query itself asks for (ADQL's TOP), None if it does not. ``tables`` must be there
    when it runs. ``warnings`` are sentences for whoever asked: what the query means, and they may not have meant.
    ``reads`` are full names of the published tables that rows come from; ``is_of_one_table``: each row is one of a single table.
    """

    sql: str
    columns: tuple[Column, ...]
    limit: int | None = None
    tables: tuple[TemporaryTable, ...] = ()
    warnings: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    is_of_one_table: bool = False


class Ending(Enum):
    """How a stream of rows ended (DALI 1.1 §4.4.1)."""

    COMPLETE = "OK"
    OVERFLOW = "OVERFLOW"
    FAILED = "ERROR"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Known only at the end of a stream; each writer says it in its own way. ``message`` explains FAILED."""

    ending: Ending
    rows: int
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """An INFO of a VOTable (DALI 1.1 §4.4)."""

    name: str
    value: str
    content: str | None = None


@dataclass(frozen=True, slots=True)
class TableHead:
    """What a writer says besides the rows. ``infos`` come before the table, after QUERY_STATUS; ``versions``: VOTable 1.4 or 1.5.

    ``descriptors``: services that take what stands in some of the columns; the columns they refer to are all there.
    """

    columns: tuple[Column, ...]
    infos: tuple[Info, ...] = ()
    name: str | None = None
    description: str | None = None
    votable_version: str = "1.4"
    descriptors: tuple[ServiceDescriptor, ...] = ()
    params: tuple[ServiceParam, ...] = ()
    """What is true of all rows, and what older protocols say of their own parameters (``INPUT:POS`` …); told by VOTable alone."""
    mivot: bool = False
    """Whether VOTables say in words of data models which columns are the main position (MIVOT 1.0)."""
