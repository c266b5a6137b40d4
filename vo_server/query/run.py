"""A query on its way from SQL to bytes: the first batch before the first byte, the outcome after the last row."""

from collections.abc import Iterator
from itertools import chain

import pyarrow

from vo_server.db.stream import QueryPool, ResultStream
from vo_server.errors import VoError, report_incident
from vo_server.formats import Format, Writer
from vo_server.model.result import Ending, Outcome, Statement, TableHead

FIRST_ROWS = 1000
"""Rows of the first piece of a body: few, so that it leaves early."""

CHUNK_BYTES = 32 * 1024
"""Smaller pieces wait for more: an answer of a few rows leaves in one."""


class Answer:
    """The rows of `statement`, at most `maxrec` of them, written in `form`.

    `statement` must ask the database for one row more than `maxrec`, so that an overflow is known for what it is.
    ``start`` raises VoError for everything that can be known before the first byte; later failures end up in the document, if the
    format can say them, else they leave ``chunks`` as exceptions.
    """

    def __init__(self, pool: QueryPool, statement: Statement, head: TableHead, form: Format, content_type: str, maxrec: int | None) -> None:
        self.content_type = content_type
        self.filename: str | None = f"result.{form.extension}"
        self._pool, self._statement, self._maxrec = pool, statement, maxrec
        self._writer: Writer = form.writer(head)
        self._stream: ResultStream | None = None
        self._batches: Iterator[pyarrow.RecordBatch] = iter(())
        self._cancelled = False

    def start(self) -> None:
        """Run the statement and fetch its first rows."""
        self._stream = self._pool.open(self._statement)
        if self._cancelled:
            self._stream.cancel()
        batches = iter(self._stream)
        first = next(batches, None)
        self._batches = chain(split_first(first), batches) if first is not None else iter(())

    def chunks(self) -> Iterator[bytes]:
        """The document. Small answers come in one piece."""
        held = self._writer.head()
        rows, ending, message = 0, Ending.COMPLETE, None
        try:
            for batch in self._batches:
                room = batch.num_rows if self._maxrec is None else self._maxrec - rows
                ending = Ending.OVERFLOW if batch.num_rows > room else ending
                taken = batch.slice(0, room)
                if taken.num_rows:
                    held += self._writer.rows(taken)
                    rows += taken.num_rows
                if rows >= FIRST_ROWS or len(held) > CHUNK_BYTES:
                    yield held
                    held = b""
        except VoError as error:
            ending, message = Ending.FAILED, str(error)
        except Exception as error:  # noqa: BLE001 the head has left: only the document's end can still tell
            ending, message = Ending.FAILED, str(report_incident("a query failed while its rows were being sent", error))
        yield held + self._writer.tail(Outcome(ending, rows, message))

    def cancel(self) -> None:
        """Stop the database's work; may come before, while and after it runs."""
        self._cancelled = True
        if self._stream is not None:
            self._stream.cancel()

    def close(self) -> None:
        """Give the connection back."""
        if self._stream is not None:
            self._stream.close()


def split_first(batch: pyarrow.RecordBatch) -> Iterator[pyarrow.RecordBatch]:
    """A large first batch in two pieces, so that the head and some rows leave before the rest is encoded."""
    if batch.num_rows > 4 * FIRST_ROWS:
        yield batch.slice(0, FIRST_ROWS)
        yield batch.slice(FIRST_ROWS)
    else:
        yield batch
