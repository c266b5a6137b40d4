"""The rows of one statement, as PostgreSQL's messages bring them over a psycopg connection (*Frontend/Backend Protocol*, Message Formats).

libpq gives COPY row by row. So where it allows we speak to the socket ourselves: the query is sent behind its back, and all messages up
to ReadyForQuery are read, so that it never notices. Where the connection is encrypted only libpq can read, and its rows are put into
messages again: one decoder for both.
"""

import select
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from os import dup
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, cast

import numpy as np
import psycopg
import pyarrow
from psycopg import errors, pq
from sqlalchemy.pool import PoolProxiedConnection

from vo_server.db.rows import HEAD_BYTES, LENGTH_BYTES, ROW, SPARE_BYTES, find_rows, read_rows

Connection = psycopg.Connection[tuple[object, ...]]


def own(pooled: PoolProxiedConnection) -> Connection:
    """The connection of psycopg that a pool lends."""
    return cast("Connection", pooled.dbapi_connection)


FIRST_BYTES = 1 << 15
"""So many bytes make the first batch: the first rows are to leave early."""

BATCH_BYTES = 1 << 21
"""So many make the others: enough to keep the work a batch takes invisible."""

BATCH_ROWS = 25_000
"""More rows at a time cost more than fewer: what is made of them no longer fits into the processor's cache."""

HEADROOM_BYTES = 1 << 16
"""Before the bytes of a batch: for the row that began in the last one."""

AHEAD = 3
"""So many batches of bytes may wait to be read."""

CROWD_S = 0.005
"""So long a batch of bytes is waited for that comes in small pieces."""

SIGNATURE_BYTES = 19
"""What stands before the first row: a signature, flags, and the length of nothing more."""

READY = b"Z\0\0\0\x05"
"""ReadyForQuery, but for its last byte: nothing more comes."""


class Source(Protocol):
    """Where messages come from."""

    def fill(self, free: memoryview) -> int:
        """Write bytes that came, at least one, to the beginning of `free`; how many. Raises psycopg.Error if the connection is lost."""

    def crowd(self, free: memoryview) -> int:
        """The same for much that comes: wait a moment until `free` is full. 0 after `stop`."""

    def stop(self) -> None:
        """Whoever waits in `crowd` stops waiting, if no message can come any more."""

    def close(self) -> None:
        """Give back what was opened; the connection stays as it is."""


class Socket:
    """The connection's own socket, unencrypted."""

    def __init__(self, connection: Connection, statement: bytes) -> None:
        self._socket = socket.socket(fileno=dup(connection.fileno()))
        self._socket.settimeout(None)
        self._woken, self._wake = socket.socketpair()
        self._poll = select.poll()
        for one in (self._socket, self._woken):
            self._poll.register(one, select.POLLIN)
        try:
            self._socket.sendall(b"Q" + (len(statement) + LENGTH_BYTES + 1).to_bytes(LENGTH_BYTES, "big") + statement + b"\0")
        except OSError as error:
            self.close()
            raise _lost(error) from None

    def fill(self, free: memoryview) -> int:
        """What is there, waiting until something is."""
        return self._receive(free, 0)

    def crowd(self, free: memoryview) -> int:
        """PostgreSQL sends 8 kB at a time: the system gathers them, and Python is not needed for each."""
        if self._woken.fileno() in dict(self._poll.poll()):
            return 0
        self._patience(CROWD_S)
        return self._receive(free, socket.MSG_WAITALL)

    def stop(self) -> None:
        """Wake whoever waits."""
        self._wake.send(b"!")

    def _patience(self, seconds: float) -> None:
        """How long the system waits for what it was told to receive; 0: for ever. The next statement uses the same socket."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, int(seconds * 1e6)))

    def _receive(self, free: memoryview, how: int) -> int:
        try:
            count = self._socket.recv_into(free, 0, how)
        except OSError as error:
            raise _lost(error) from None
        if not count:
            raise _lost()
        return count

    def close(self) -> None:
        """Close our descriptor of the socket; libpq has its own, and wants it to be non-blocking."""
        if self._socket.fileno() >= 0:
            self._patience(0)
            self._socket.setblocking(False)
        for one in (self._socket, self._woken, self._wake):
            one.close()


class Libpq:
    """What libpq reads, in the messages in which it came."""

    def __init__(self, connection: Connection, statement: bytes) -> None:
        self._connection = connection.pgconn
        self._encoding = connection.info.encoding
        self._rest = memoryview(b"")
        result = self._connection.exec_(statement)
        if result.status != pq.ExecStatus.COPY_OUT:
            raise errors.error_from_result(result, encoding=self._encoding)

    def fill(self, free: memoryview) -> int:
        """The rows that libpq holds, or else waits for; as much of them as there is room for."""
        if not self._rest:
            self._rest = memoryview(b"".join(self._pieces()))
        part = self._rest[: len(free)]
        free[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)

    def crowd(self, free: memoryview) -> int:
        """The same: libpq cannot wait for more."""
        return self.fill(free)

    def stop(self) -> None:
        """Nobody waits: libpq knows when no row can come any more."""

    def close(self) -> None:
        """Nothing was opened."""

    def _pieces(self) -> list[bytes | memoryview]:
        take, pieces = self._connection.get_copy_data, list[bytes | memoryview]()
        size, row = take(WAIT)
        while size > 0:
            pieces += (ROW_BYTE + (size + LENGTH_BYTES).to_bytes(LENGTH_BYTES, "big"), row)
            size, row = take(DO_NOT_WAIT)
        if size == OVER:
            pieces.append(self._end())
        return pieces

    def _end(self) -> bytes:
        while (result := self._connection.get_result()) is not None:
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise errors.error_from_result(result, encoding=self._encoding)
        return READY + b"I"


WAIT, DO_NOT_WAIT, OVER = 0, 1, -1
"""What libpq's PQgetCopyData is told, and says when there are no more rows."""
ROW_BYTE = bytes((ROW,))


def source_of(connection: Connection) -> Callable[[Connection, bytes], Source]:
    """How the messages of this connection can be read."""
    return Libpq if connection.pgconn.ssl_in_use else Socket


def room() -> np.ndarray:
    """For the bytes of a batch, what is before them and behind."""
    return np.zeros(HEADROOM_BYTES + BATCH_BYTES + SPARE_BYTES, np.uint8)


class Ahead:
    """Bytes that come while those before them are read: a thread waits for them, which holds up nobody."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._stopped = False
        self._free: SimpleQueue[np.ndarray | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[np.ndarray, int] | psycopg.Error] = SimpleQueue()
        for _ in range(AHEAD):
            self._free.put(room())
        self._thread = Thread(target=self._run, name="receive-ahead", daemon=True)
        self._thread.start()

    def take(self) -> tuple[np.ndarray, int]:
        """The next bytes, behind HEADROOM_BYTES, and how many. Raises psycopg.Error."""
        taken = self._full.get()
        if isinstance(taken, psycopg.Error):
            raise taken
        return taken

    def give(self, buffer: np.ndarray) -> None:
        """Have a buffer filled again that was taken."""
        self._free.put(buffer)

    def close(self) -> None:
        """End the thread, with what it is receiving."""
        self._stopped = True
        self._source.stop()
        self._free.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (buffer := self._free.get()) is not None and not self._stopped:
                self._full.put((buffer, self._source.crowd(buffer.data[HEADROOM_BYTES:-SPARE_BYTES])))
        except psycopg.Error as error:
            self._full.put(error)


class Rows:
    """The batches of ``COPY (sql) TO STDOUT``, whose columns have the SQL `types`. ``next(iter)`` raises psycopg.Error, with the SQLSTATE
    that PostgreSQL gave, and after an error the state of the connection is uncertain. At the end the connection is ready for the next.
    """

    def __init__(self, connection: Connection, sql: str, types: Sequence[str]) -> None:
        self._types = types
        self._source = source_of(connection)(connection, f"COPY ({sql}) TO STDOUT (FORMAT binary)".encode())
        self._ahead: Ahead | None = None
        self._data = room()
        self._used = self._held = 0
        """Between these lie bytes of `_data` that came and are not read yet; SPARE_BYTES at its end are never used."""
        self._begun = self._ended = False

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        """The rows, some at a time."""
        while not self._ended:
            self._receive()
            yield from self._read()
        self.close()

    def close(self) -> None:
        """Stop reading; the connection stays as it is. May be called more than once."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.close()
        self._source.close()

    def _receive(self) -> None:
        """Wait for a batch of bytes, or all that still come."""
        if self._ahead is not None:
            self._receive_ahead(self._ahead)
            return
        left = self._held - self._used
        self._data[:left] = self._data[self._used : self._held]
        self._used, self._held = 0, left
        while self._held < FIRST_BYTES and bytes(self._data[max(0, self._held - 6) : self._held - 1]) != READY:
            self._held += self._source.fill(self._data.data[self._held : -SPARE_BYTES])

    def _receive_ahead(self, ahead: Ahead) -> None:
        buffer, count = ahead.take()
        left = self._data[self._used : self._held]
        if len(left) <= HEADROOM_BYTES:
            self._used, self._held = HEADROOM_BYTES - len(left), HEADROOM_BYTES + count
            buffer[self._used : HEADROOM_BYTES] = left
            self._data, buffer = buffer, self._data
        else:  # a row that is large
            came = buffer[HEADROOM_BYTES : HEADROOM_BYTES + count]
            self._used, self._held = 0, len(left) + count
            self._data = np.concatenate((left, came, np.zeros(SPARE_BYTES, np.uint8)))
        ahead.give(buffer)

    def _read(self) -> Iterator[pyarrow.RecordBatch]:
        """Take what is complete of the bytes held."""
        while self._used < self._held and not self._ended:
            data = self._data[: self._held]
            if self._begun:
                starts, size = find_rows(data[self._used :], len(self._types))
                for first in range(0, len(starts), BATCH_ROWS):
                    yield read_rows(self._data, starts[first : first + BATCH_ROWS] + self._used, self._types)
                self._used += size
            size = self._message(data[self._used :])
            self._used += size
            if not size:
                break
        if self._begun and not self._ended and self._ahead is None:
            self._ahead = Ahead(self._source)

    def _message(self, data: np.ndarray) -> int:
        """Hear the message at the beginning of `data`, which is no row; its size, 0 if it is not complete."""
        if len(data) < HEAD_BYTES:
            return 0
        kind, size = chr(data[0]), 1 + int.from_bytes(data[1:HEAD_BYTES].tobytes(), "big")
        if kind == "d" and not self._begun:
            return self._begin(data, size)
        if size > len(data):
            return 0
        if kind == "E":
            raise _server_error(data[HEAD_BYTES:size].tobytes())
        if kind not in UNHEARD and not (kind == "d" and size == HEAD_BYTES + 2):
            raise _lost(f"PostgreSQL sent a message {kind!r} among rows")
        self._ended = kind == "Z"
        return size

    def _begin(self, data: np.ndarray, size: int) -> int:
        """The first row has the signature before it: take that away."""
        if len(data) < HEAD_BYTES + SIGNATURE_BYTES:
            return 0
        self._begun = True
        row = np.frombuffer(bytes((ROW,)) + (size - 1 - SIGNATURE_BYTES).to_bytes(LENGTH_BYTES, "big"), np.uint8)
        data[SIGNATURE_BYTES : SIGNATURE_BYTES + HEAD_BYTES] = row
        return SIGNATURE_BYTES + (HEAD_BYTES if size == HEAD_BYTES + SIGNATURE_BYTES else 0)


UNHEARD = "HcCZNSA"
"""Messages that need no answer: CopyOutResponse, CopyDone, CommandComplete, ReadyForQuery, and what may come at any time: notices,
settings that changed, notifications."""


def _server_error(fields: bytes) -> psycopg.Error:
    """The error of an ErrorResponse: fields that end with a zero byte, after a letter each."""
    said = {field[:1]: field[1:].decode(errors="replace") for field in fields.split(b"\0") if field}
    state = said.get(b"C", "")
    kind: Callable[[str], psycopg.Error] = psycopg.DatabaseError
    with suppress(KeyError):
        kind = errors.lookup(state)
    error = kind(said.get(b"M", ""))
    error.sqlstate = state
    return error


def _lost(reason: object = "server closed the connection unexpectedly") -> psycopg.OperationalError:
    return psycopg.OperationalError(str(reason))
