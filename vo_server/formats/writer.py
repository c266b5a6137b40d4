"""What every writer of rows offers: three calls, bytes out of each."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from vo_server.errors import VoError
from vo_server.model.result import Ending, Outcome, Piece, TableHead
from vo_server.scratch import SpoolRoom


class UnfinishedError(VoError):
    """The rows ended in failure and the format has no words for it: the connection must break, lest the part be taken for the whole."""


class Writer(ABC):
    """One table on its way out: ``head()`` once, ``rows()`` for each batch, ``tail()`` once, in this order; each gives the next bytes.
    ``close()`` at last, whatever happened.

    A format whose beginning depends on its end (FITS) keeps the rows in a temporary file and gives them in ``tail``, piece by piece;
    memory stays flat in all of them.

    The columns of a batch correspond by position to ``TableHead.columns`` and have the Arrow types that streaming delivers for
    ``Column.sql_type``: bool, int16/32/64, float, double, string, timestamp[us], and list of the first six. Any of them may be null.
    A batch may have any number of rows, none included, as long as its text stays below 2 GB.

    ``rows`` raises DataError for a cell that the format or the column's own declaration forbids; nothing of that batch is written then,
    so the stream can still be ended by ``tail`` with a FAILED outcome.
    ``tail`` raises UnfinishedError when the outcome is FAILED and the format cannot say so (CSV, TSV, JSON, Parquet, Arrow): close the
    connection without a proper end of the body. Overflow is told where the format can tell it and is silent in CSV and TSV.
    """

    room = SpoolRoom()
    """The disk on which it may keep rows; whoever makes it may say another."""

    @abstractmethod
    def head(self) -> bytes:
        """Everything before the first row."""

    @abstractmethod
    def rows(self, batch: pa.RecordBatch) -> Piece:
        """The rows of one batch."""

    @abstractmethod
    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """Everything after the last row, and how it ended."""

    def close(self) -> None:  # noqa: B027 most hold nothing
        """Give back what is held; may be called at any time, more than once."""


@dataclass(frozen=True, slots=True)
class Format:
    """An output format as TAPRegExt 1.0 §2.4 lists it. ``media_type`` is sent to a client that gives an alias, followed by
    ``parameters`` that say what is not declared; ``extension`` has no dot."""

    name: str
    media_type: str
    aliases: tuple[str, ...]
    ivoid: str | None
    extension: str
    writer: Callable[[TableHead], Writer]
    parameters: str = ""


def refuse_failure(outcome: Outcome, name: str) -> None:
    """For formats without an error mark: raise UnfinishedError if the rows ended in failure."""
    if outcome.ending is Ending.FAILED:
        raise UnfinishedError(f"The {name} output broke off after {outcome.rows} rows: {outcome.message or 'unknown reason'}")
