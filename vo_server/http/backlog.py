"""What a client has not taken yet: little of it in memory, the rest in a temporary file of limited size.

So a slow reader holds neither a connection to the database nor memory. A client that keeps up gets every piece as it is.
"""

import asyncio
import logging
import os
import tempfile
from collections import deque
from typing import IO

import anyio.to_thread

from vo_server.model.result import Piece
from vo_server.scratch import SpoolRoom

log = logging.getLogger("vo_server")

MEMORY_BYTES = 1 << 20
"""So much waits in memory before the file is used; a single piece may be larger."""

PIECE_BYTES = 256 * 1024
"""What is read from the file at once."""


class Backlog:
    """A queue of bytes between one coroutine that puts and one that takes, in one event loop.

    ``put`` waits when neither memory nor file have room, ``take`` when there is nothing. The file has no name: whatever ends the
    process, nothing is left of it.
    """

    def __init__(self, room: SpoolRoom) -> None:
        self._room = room
        self._held: deque[Piece] = deque()
        self._held_bytes = 0
        self._file: IO[bytes] | None = None
        self._written = self._read = 0
        self._came, self._taken = asyncio.Event(), asyncio.Event()
        self._ended = self._dropped = self._is_told = False

    async def put(self, piece: Piece) -> None:
        """Keep `piece` behind all that was put before; returns when it is kept, or when nobody will take it any more."""
        while not self._dropped:
            self._taken.clear()  # before it is tried: what is taken meanwhile makes room
            if self._hold(piece) or await self._spool(piece):
                break
            await self._taken.wait()
        self._came.set()

    async def take(self) -> Piece | None:
        """The next bytes; None at the end."""
        while not self._dropped:
            if self._held:
                piece = self._held.popleft()
                self._held_bytes -= len(piece)
            elif self._read < self._written:
                piece = await anyio.to_thread.run_sync(self._read_piece)
                self._read += len(piece)
            elif self._ended:
                return None
            else:
                self._came.clear()
                await self._came.wait()
                continue
            self._taken.set()
            return piece
        return None

    def end(self) -> None:
        """Nothing more will be put."""
        self._ended = True
        self._came.set()

    def drop(self) -> None:
        """Nobody takes any more: both sides go on at once."""
        self._dropped = True
        self._came.set()
        self._taken.set()

    async def close(self) -> None:
        """Remove the file; nobody puts or takes any more."""
        if self._file is not None:
            file, self._file = self._file, None
            self._room.free(self._written)
            await anyio.to_thread.run_sync(file.close)

    def _hold(self, piece: Piece) -> bool:
        """Keep `piece` in memory, if nothing lies in the file that must go before it."""
        if self._read < self._written or (self._held and self._held_bytes + len(piece) > MEMORY_BYTES):
            return False
        self._held.append(piece)
        self._held_bytes += len(piece)
        return True

    async def _spool(self, piece: Piece) -> bool:
        """Keep `piece` in the file, if there is room. A file that was read to its end begins anew."""
        if self._file is not None and self._read == self._written > 0:
            self._room.free(self._written)
            self._read = self._written = 0
            await anyio.to_thread.run_sync(self._file.truncate, 0)
        if not self._room.grant(len(piece), self._written):
            return False
        try:
            await anyio.to_thread.run_sync(self._write, piece, self._written)
        except OSError as error:
            if not self._is_told:
                log.warning("a slow reader's rows cannot be spooled: %s", error.strerror)
            self._is_told = True
            self._room.free(len(piece))
            return False
        self._written += len(piece)
        return True

    def _write(self, piece: Piece, place: int) -> None:
        view = memoryview(piece)
        file = self._opened()
        try:
            while view:
                count = os.pwrite(file.fileno(), view, place)
                view, place = view[count:], place + count
        except OSError:
            file.truncate(self._written)  # others need the disk, too
            raise

    def _read_piece(self) -> bytes:
        return os.pread(self._opened().fileno(), min(PIECE_BYTES, self._written - self._read), self._read)

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="vo-spool-", dir=self._room.directory, buffering=0)  # noqa: SIM115 until `close`
        return self._file
