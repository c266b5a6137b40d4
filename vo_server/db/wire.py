"""The rows of one statement, as PostgreSQL's messages bring them over a psycopg connection (*Frontend/Backend Protocol*, Message Formats).

libpq gives COPY row by row. So where it allows we speak to the socket ourselves: the query is sent behind its back, and all messages up
to ReadyForQuery are read, so that it never notices. Where the connection is encrypted only libpq can read, and its rows are put into
messages again: one decoder for both.
"""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from os import dup
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

BATCH_BYTES = 1 << 20
"""So many make the others: enough to keep the work a batch takes invisible."""

MUCH_BYTES, CROWD_BYTES, NAP_S = 1 << 19, 1 << 16, 0.0003
"""PostgreSQL sends 8 kB at a time, and to fetch each piece takes as long as to read it. So once much has come and the last piece was small,
more are left to gather: the socket holds some 200 kB, which takes PostgreSQL longer than the nap."""

SIGNATURE_BYTES = 19
"""What stands before the first row: a signature, flags, and the length of nothing more."""

READY = b"Z\0\0\0\x05"
"""ReadyForQuery, but for its last byte: nothing more comes."""


class Source(Protocol):
    """Where messages come from."""

    def fill(self, free: memoryview) -> int:
        """Write bytes that came, at least one, to the beginning of `free`; how many. Raises psycopg.Error if the connection is lost."""

    def close(self) -> None:
        """Give back what was opened; the connection stays as it is."""


class Socket:
    """The connection's own socket, unencrypted."""

    def __init__(self, connection: Connection, statement: bytes) -> None:
        self._socket = socket.socket(fileno=dup(connection.fileno()))
        self._socket.settimeout(None)
        self._came = self._last = 0
        try:
            self._socket.sendall(b"Q" + (len(statement) + LENGTH_BYTES + 1).to_bytes(LENGTH_BYTES, "big") + statement + b"\0")
        except OSError as error:
            self._socket.close()
            raise _lost(error) from None

    def fill(self, free: memoryview) -> int:
        """What is there, waiting until something is."""
        if self._came > MUCH_BYTES and self._last < CROWD_BYTES:
            time.sleep(NAP_S)
        try:
            self._last = self._socket.recv_into(free)
        except OSError as error:
            raise _lost(error) from None
        if not self._last:
            raise _lost()
        self._came += self._last
        return self._last

    def close(self) -> None:
        """Close our descriptor of the socket; libpq has its own, and wants it to be non-blocking."""
        self._socket.setblocking(False)
        self._socket.close()


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


class Rows:
    """The batches of ``COPY (sql) TO STDOUT``, whose columns have the SQL `types`. ``next(iter)`` raises psycopg.Error, with the SQLSTATE
    that PostgreSQL gave, and after an error the state of the connection is uncertain. At the end the connection is ready for the next.
    """

    def __init__(self, connection: Connection, sql: str, types: Sequence[str]) -> None:
        self._types = types
        self._source = source_of(connection)(connection, f"COPY ({sql}) TO STDOUT (FORMAT binary)".encode())
        self._data = np.zeros(2 * BATCH_BYTES, np.uint8)
        self._held = 0
        """Bytes of `_data` that came and are not read yet."""
        self._wanted = FIRST_BYTES
        self._begun = self._ended = False

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        """The rows, some at a time."""
        while not self._ended:
            self._receive()
            yield from self._read()

    def close(self) -> None:
        """Stop reading; the connection stays as it is."""
        self._source.close()

    def _receive(self) -> None:
        """Wait for a batch of bytes, or all that still come."""
        while True:
            if self._held == len(self._data) - SPARE_BYTES:
                self._data = np.concatenate((self._data, np.zeros_like(self._data)))
            self._held += self._source.fill(self._data.data[self._held : -SPARE_BYTES])
            if self._held >= self._wanted or bytes(self._data[self._held - 6 : self._held - 1]) == READY:
                return

    def _read(self) -> Iterator[pyarrow.RecordBatch]:
        """Take what is complete of the bytes held."""
        data, used = self._data[: self._held], 0
        while used < len(data) and not self._ended:
            starts, end = find_rows(data[used:], len(self._types)) if self._begun else (None, 0)
            if starts is not None and len(starts):
                yield read_rows(self._data, starts + used, self._types)
                self._wanted = BATCH_BYTES
            used += end
            size = self._message(data[used:])
            if not size:
                break
            used += size
        self._data[: self._held - used] = self._data[used : self._held]
        self._held -= used
        if self._held >= self._wanted:  # one row that is larger
            self._wanted = 2 * self._held

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
