"""What every writer of rows offers: three calls, bytes out of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from vo_server.errors import VoError
from vo_server.model.result import Ending, Outcome, TableHead


class UnfinishedError(VoError):
    """The rows ended in failure and the format has no words for it: the connection must break, lest the part be taken for the whole."""


class Writer(Protocol):
    """One table on its way out: ``head()`` once, ``rows()`` for each batch, ``tail()`` once, in this order; each returns the next bytes.

    The columns of a batch correspond by position to ``TableHead.columns`` and have the Arrow types that ADBC delivers for
    ``Column.sql_type``: bool, int16/32/64, float, double, string, timestamp[us], and list of the first six. Any of them may be null.
    A batch may have any number of rows, none included, as long as its text stays below 2 GB.

    ``rows`` raises DataError for a cell that the format or the column's own declaration forbids; nothing of that batch is written then,
    so the stream can still be ended by ``tail`` with a FAILED outcome.
    ``tail`` raises UnfinishedError when the outcome is FAILED and the format cannot say so (CSV, TSV, JSON): close the connection
    without a proper end of the body. Overflow is told where the format can tell it (VOTable, JSON) and is silent in CSV and TSV.
    """

    def head(self) -> bytes:
        """Everything before the first row."""

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """The rows of one batch."""

    def tail(self, outcome: Outcome) -> bytes:
        """Everything after the last row, and how it ended."""


@dataclass(frozen=True, slots=True)
class Format:
    """An output format as TAPRegExt 1.0 §2.4 lists it. ``media_type`` is sent to a client that gives an alias; ``extension`` has no dot."""

    name: str
    media_type: str
    aliases: tuple[str, ...]
    ivoid: str | None
    extension: str
    writer: Callable[[TableHead], Writer]


def refuse_failure(outcome: Outcome, name: str) -> None:
    """For formats without an error mark: raise UnfinishedError if the rows ended in failure."""
    if outcome.ending is Ending.FAILED:
        raise UnfinishedError(f"The {name} output broke off after {outcome.rows} rows: {outcome.message or 'unknown reason'}")
