"""The output of a library that writes to a file, taken away piece by piece."""

import io

import pyarrow as pa


class Pieces(io.RawIOBase):
    """A file that only grows: `sink` is what Arrow writes to, ``take()`` gives what came since the last time."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self.sink = pa.PythonFile(self, "w")

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: object) -> int:
        """Hold a copy of `data`, any buffer of bytes."""
        piece = bytes(data)  # type: ignore[call-overload]
        self._held.append(piece)
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        """All bytes written so far: offsets in the file count from its beginning."""
        return self._size

    def take(self) -> bytes:
        """What was written since the last call."""
        if not self.sink.closed:
            self.sink.flush()
        taken = b"".join(self._held)
        self._held.clear()
        return taken
