"""Rows kept in a temporary file until all have been seen: memory stays flat however many there are."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pyarrow as pa

from vo_server.errors import UnavailableError, UsageError
from vo_server.scratch import SpoolRoom, is_full

log = logging.getLogger("vo_server")

SHARE = 2
"""One spool takes no more than this part of the room."""

OTHERS = "Ask for fewer rows, or for a format whose rows leave at once (votable/b2, parquet)."


class Spool:
    """Record batches of one schema, written once and then read as often as needed. The file has no name and goes with ``close()``."""

    def __init__(self, schema: pa.Schema, room: SpoolRoom) -> None:
        self._room, self._held = room, 0
        self._file = tempfile.TemporaryFile(prefix="vo-spool-", dir=room.directory)  # noqa: SIM115 it lives as long as the spool
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, "w"), schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Keep a batch. UsageError if they are more than may ever be kept, UnavailableError if there is no room for it now."""
        size, most = batch.nbytes, self._room.most / SHARE
        if self._held + size > most:
            raise UsageError(
                f"In this format the rows must wait on the server's disk, and take more than {most / 1e6:.0f} MB.", hint=OTHERS
            )
        if not self._room.grant(size, self._held, most):
            raise full()
        self._held += size
        with _on_disk():
            self._writer.write_batch(batch)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All batches, in order, one in memory at a time; none can be written any more."""
        with _on_disk():
            self._writer.close()
            self._file.flush()
        self._file.seek(0)
        yield from pa.ipc.open_stream(pa.PythonFile(self._file, "r"))

    def close(self) -> None:
        """Remove the file."""
        with suppress(OSError):  # what a full disk did not take
            self._file.close()
        self._room.free(self._held)
        self._held = 0


def full() -> UnavailableError:
    """What to tell when there is no room on the disk."""
    return UnavailableError(
        "The server has no disk left on which these rows could wait.", hint=f"Try again later. {OTHERS}", retry_after=60
    )


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        log.warning("rows cannot be spooled: %s", error.strerror)
        raise full() from None
