"""Rows as an Arrow IPC stream: the schema with VOTable's words as metadata, a message for each batch."""

from collections.abc import Iterator

import pyarrow as pa

from vo_server.formats.arrowtypes import Shape
from vo_server.formats.pieces import Pieces
from vo_server.formats.writer import Writer, refuse_failure
from vo_server.model.result import Ending, Outcome, TableHead

SHAPE = Shape(instants_as_text=False)


class ArrowWriter(Writer):
    """An Arrow stream. When rows are missing, a last batch without rows says QUERY_STATUS=OVERFLOW in its custom metadata."""

    def __init__(self, head: TableHead) -> None:
        self._columns = head.columns
        self._schema = SHAPE.schema(head)
        self._pieces = Pieces()
        self._writer = pa.ipc.new_stream(self._pieces.sink, self._schema)

    def head(self) -> bytes:
        """The schema."""
        return self._pieces.take()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """A record batch."""
        if batch.num_rows:
            self._writer.write_batch(pa.RecordBatch.from_arrays(SHAPE.arrays(self._columns, batch), schema=self._schema))
        return self._pieces.take()

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """The end of the stream; a FAILED outcome raises UnfinishedError."""
        refuse_failure(outcome, "Arrow")
        if outcome.ending is Ending.OVERFLOW:
            nothing = pa.RecordBatch.from_pylist([], self._schema)
            self._writer.write_batch(nothing, custom_metadata={"QUERY_STATUS": outcome.ending.value})
        self._writer.close()
        yield self._pieces.take()
