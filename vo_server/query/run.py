"""A query on its way from SQL to bytes: the first batch before the first byte, the outcome after the last row."""

import time
from collections.abc import Iterator, Sequence
from itertools import chain

import pyarrow

from vo_server.db.stream import LimitedPool, QueryPool, ResultStream
from vo_server.errors import TimeLimitError, VoError, report_incident
from vo_server.formats import Format, Writer
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Outcome, Piece, Statement, TableHead
from vo_server.scratch import SpoolRoom

FIRST_ROWS = 1000
"""Rows of the first piece of a body: few, so that it leaves early."""

SMALL_ROWS = 4 * FIRST_ROWS
"""A first batch of no more rows is taken whole, and mostly it is the only one."""

CHUNK_BYTES = 32 * 1024
"""Smaller pieces wait for more: an answer of a few rows leaves in one."""

FILLED_BYTES = 4 << 20
"""Most bytes of arrays of fixed size that are written at a time: a NULL among them takes no room in a batch, and all of it in a VOTable."""

SLOW_S = 10.0
"""A reader that kept the database waiting so long is to blame if the time of the query ends."""


class Answer:
    """The rows of `statement`, at most `maxrec` of them, written in `form`.

    `room`: the disk on which formats may keep rows that must all be there before the first can leave.
    `statement` must ask the database for one row more than `maxrec`, so that an overflow is known for what it is.
    ``start`` raises VoError for everything that can be known before the first byte; later failures end up in the document, if the
    format can say them, else they leave ``chunks`` as exceptions.
    """

    def __init__(
        self,
        pool: QueryPool | LimitedPool,
        statement: Statement,
        head: TableHead,
        form: Format,
        content_type: str,
        maxrec: int | None,
        room: SpoolRoom | None = None,
    ) -> None:
        self.content_type = content_type
        self.filename: str | None = f"result.{form.extension}"
        self._pool, self._statement, self._maxrec = pool, statement, maxrec
        self._writer: Writer = form.writer(head)
        if room is not None:
            self._writer.room = room
        self._stream: ResultStream | None = None
        self._batches: Iterator[pyarrow.RecordBatch] = iter(())
        self._cancelled = False
        self._kept_waiting = 0.0
        self.rows = 0
        """Rows written so far."""
        self.status: str | None = None
        """How it ended, once that is known; never that it failed."""
        self.failure: VoError | None = None
        """What went wrong after the first byte, for those who can still say so elsewhere than in the document."""

    def start(self) -> None:
        """Run the statement and fetch its first rows."""
        self._stream = self._pool.open(self._statement)
        if self._cancelled:
            self._stream.cancel()
        self._stream.run()
        batches = iter(self._stream)
        first = next(batches, None)
        if first is not None:
            self._batches = filled_apart(chain(split_first(first), batches), self._statement.columns)

    def chunks(self) -> Iterator[Piece]:
        """The document. Small answers come in one piece, and formats that need lengths wait for the last row. The connection is given
        back before the document's end is made. What fails before the first piece is raised, whatever the format.
        """
        held: Piece = self._writer.head()
        begun = False
        ending = Ending.COMPLETE
        try:
            for batch in self._batches:
                room = batch.num_rows if self._maxrec is None else self._maxrec - self.rows
                ending = Ending.OVERFLOW if batch.num_rows > room else ending
                piece = self._write(batch.slice(0, room))
                held = b"".join((held, piece)) if held else piece
                if piece and (self.rows >= FIRST_ROWS or len(held) > CHUNK_BYTES):
                    yield from self._send(held)
                    held, begun = b"", True
        except VoError as error:
            ending, self.failure = Ending.FAILED, self._explain(error)
        except Exception as error:  # noqa: BLE001 the head has left: only the document's end can still tell
            ending, self.failure = Ending.FAILED, report_incident("a query failed while its rows were being sent", error)
        self._give_back()
        if self.failure is not None and not begun:
            raise self.failure
        self.status = ending.value if self.failure is None else None
        for piece in self._writer.tail(Outcome(ending, self.rows, str(self.failure) if self.failure else None)):
            if self._cancelled:
                raise TimeLimitError("The query was cancelled.")
            if len(held) > CHUNK_BYTES:
                yield held
                held = b""
            held = b"".join((held, piece)) if held else piece
        if held:
            yield held

    def cancel(self) -> None:
        """Stop the database's work; may come before, while and after it runs."""
        self._cancelled = True
        if self._stream is not None:
            self._stream.cancel()

    def give_up(self) -> None:
        """Let others have a connection instead of this one, which does not answer any more."""
        if self._stream is not None:
            self._stream.give_up()

    def close(self) -> None:
        """Give the connection back, and what the writer holds."""
        self._give_back()
        self._writer.close()

    def _write(self, rows: pyarrow.RecordBatch) -> Piece:
        piece = self._writer.rows(rows) if rows.num_rows else b""
        self.rows += rows.num_rows
        return piece

    def _send(self, piece: Piece) -> Iterator[Piece]:
        """Give `piece` away, and note how long its reader kept the database waiting."""
        begin = time.monotonic()
        yield piece
        self._kept_waiting += time.monotonic() - begin

    def _explain(self, error: VoError) -> VoError:
        if isinstance(error, TimeLimitError) and self._kept_waiting > SLOW_S and not self._cancelled:
            return TimeLimitError(
                f"The rows were read so slowly that the time of the query ended: it waited {self._kept_waiting:.0f} s for its reader.",
                hint="Run it asynchronously, or ask for less.",
            )
        return error

    def _give_back(self) -> None:
        if self._stream is not None:
            self._stream.close()


def split_first(batch: pyarrow.RecordBatch) -> Iterator[pyarrow.RecordBatch]:
    """A large first batch in two pieces, so that the head and some rows leave before the rest is encoded."""
    if batch.num_rows > SMALL_ROWS:
        yield batch.slice(0, FIRST_ROWS)
        yield batch.slice(FIRST_ROWS)
    else:
        yield batch


def filled_apart(batches: Iterator[pyarrow.RecordBatch], columns: Sequence[Column]) -> Iterator[pyarrow.RecordBatch]:
    """The same rows in batches that stay small when every array of a fixed size is written out."""
    width = WIDEST * sum(column.length or 0 for column in columns)
    if not width:
        yield from batches
        return
    step = max(1, FILLED_BYTES // width)
    for batch in batches:
        for start in range(0, batch.num_rows, step):
            yield batch.slice(start, step)


WIDEST = 8
"""Bytes of the widest number."""
