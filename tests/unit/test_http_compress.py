"""Compression: for those who ask, where it helps, as it streams, and nowhere else."""

import asyncio
import gzip
import io
import zlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from starlette.types import Message, Receive, Scope, Send

from vo_server.http.compress import SMALL, Compressed, choose, codings

TEXT = "text/csv;charset=utf-8"
VOTABLE = "application/x-votable+xml"
PIECES = [b"first,row\n" * 200, b"second,row\n" * 5000, b"last"]


def unzstd(body: bytes) -> bytes:
    return bytes(pa.CompressedInputStream(pa.PythonFile(io.BytesIO(body), "r"), "zstd").read())


UNPACKERS: dict[str | None, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "zstd": unzstd, None: bytes}


def answer(
    pieces: list[bytes], asked: str, content_type: str = TEXT, status: int = 200, method: str = "GET", **headers: str
) -> tuple[dict[str, str], list[bytes]]:
    """What a client gets: headers, and the bodies of the messages."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raw = [(b"content-type", content_type.encode())]
        raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        for number, piece in enumerate(pieces):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces) - 1})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope: Any = {"type": "http", "method": method, "headers": [(b"accept-encoding", asked.encode())] if asked else []}
    asyncio.run(Compressed(app)(scope, receive, send))
    start, *bodies = sent
    return {name.decode(): value.decode() for name, value in start["headers"]}, [body["body"] for body in bodies]


@pytest.mark.parametrize(
    ("asked", "content_type", "coding"),
    [
        ("gzip, deflate", TEXT, "gzip"),
        ("gzip, deflate, br, zstd", TEXT, "zstd"),
        ("GZIP;q=1.0, zstd;q=0.5", TEXT, "gzip"),
        ("gzip;q=0, zstd;q=0", TEXT, None),
        ("gzip;q=x", TEXT, None),
        ("identity, *", TEXT, None),
        ("", TEXT, None),
        ("gzip", VOTABLE, "gzip"),
        ("gzip", f"{VOTABLE};serialization=TABLEDATA", "gzip"),
        ("gzip", f"{VOTABLE};serialization=BINARY2", None),
        ("gzip, zstd", f"{VOTABLE}; serialization=binary", "zstd"),
        ("gzip", "application/json", "gzip"),
        ("gzip", "text/xml", "gzip"),
        ("gzip, zstd", "application/fits", None),
        ("gzip, zstd", "application/vnd.apache.parquet", None),
        ("gzip, zstd", "application/vnd.apache.arrow.stream", None),
        ("gzip, zstd", "application/gzip", None),
        ("gzip, zstd", "image/png", None),
    ],
)
def test_who_gets_what(asked: str, content_type: str, coding: str | None) -> None:
    """CHECKLIST GEN-026, GEN-037."""
    headers, bodies = answer(PIECES, asked, content_type)
    assert headers.get("content-encoding") == coding
    assert UNPACKERS[coding](b"".join(bodies)) == b"".join(PIECES)
    assert ("vary" in headers) == bool(codings(content_type)), "a cache must know, also of answers that were not compressed"


def test_each_piece_can_be_read_as_soon_as_it_is_there() -> None:
    _, bodies = answer(PIECES, "gzip")
    stream = zlib.decompressobj(wbits=31)
    assert [stream.decompress(body) for body in bodies] == PIECES
    assert stream.eof
    _, bodies = answer(PIECES, "zstd")
    assert all(bodies)
    reader = pa.CompressedInputStream(pa.PythonFile(io.BytesIO(bodies[0]), "r"), "zstd")
    assert reader.read(len(PIECES[0])) == PIECES[0]


@pytest.mark.parametrize(
    "headers", [{"content_range": "bytes 0-1/9"}, {"accept_ranges": "bytes"}, {"content_encoding": "br"}], ids=lambda one: next(iter(one))
)
def test_ranges_and_what_is_encoded_already_stay_as_they_are(headers: dict[str, str]) -> None:
    got, bodies = answer(PIECES, "gzip", **headers)
    assert (got.get("content-encoding"), bodies) == (headers.get("content_encoding"), PIECES)


@pytest.mark.parametrize("status", [204, 206, 304])
def test_statuses_with_parts_or_without_bodies_stay_as_they_are(status: int) -> None:
    assert "content-encoding" not in answer([b"x" * SMALL], "gzip", status=status)[0]


def test_small_answers_stay_as_they_are_and_long_ones_lose_their_length() -> None:
    small, _ = answer([b"x" * (SMALL - 1)], "gzip", content_length=str(SMALL - 1), etag='"a"')
    assert (small.get("content-encoding"), small["content-length"], small["etag"]) == (None, str(SMALL - 1), '"a"')
    large, bodies = answer([b"x" * SMALL], "gzip", content_length=str(SMALL), etag='"a"')
    assert (large["content-encoding"], "content-length" in large, large["etag"]) == ("gzip", False, 'W/"a"')
    assert gzip.decompress(b"".join(bodies)) == b"x" * SMALL


def test_head_and_errors() -> None:
    assert "content-encoding" not in answer([b"x" * SMALL], "gzip", method="HEAD")[0]
    assert answer([b"x" * SMALL], "gzip", status=400)[0]["content-encoding"] == "gzip"


def test_nothing_is_chosen_that_is_not_possible() -> None:
    assert choose("gzip", ("zstd",)) is None
