"""Rows kept in a temporary file until all have been seen: memory stays flat however many there are."""

import tempfile
from collections.abc import Iterator

import pyarrow as pa


class Spool:
    """Record batches of one schema, written once and then read as often as needed. The file has no name and goes with ``close()``."""

    def __init__(self, schema: pa.Schema) -> None:
        self._file = tempfile.TemporaryFile(prefix="vo-spool-")  # noqa: SIM115 it lives as long as the spool
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, "w"), schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Keep a batch; raises OSError if the disk is full."""
        self._writer.write_batch(batch)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All batches, in order, one in memory at a time; none can be written any more."""
        self._writer.close()
        self._file.seek(0)
        yield from pa.ipc.open_stream(pa.PythonFile(self._file, "r"))

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
