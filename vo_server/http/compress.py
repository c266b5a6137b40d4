"""Compression of what is sent, for clients that ask for it (RFC 9110 §12.5.3), where it helps.

Text shrinks several times. The base64 of binary VOTables shrinks by a quarter at least, which is worth zstd's time and not gzip's.
FITS, Parquet, Arrow, images, ranges and whatever can be asked for by ranges go as they are (PITFALLS P-90, P-92), and nothing is
compressed for those who did not ask (P-18).
"""

import zlib
from collections.abc import Mapping
from typing import Protocol

import anyio.to_thread
import pyarrow as pa
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vo_server.formats.pieces import Pieces
from vo_server.model.result import Piece

SMALL = 1024
"""Whole bodies of fewer bytes gain nothing."""

IN_LOOP = 16 * 1024
"""Larger pieces are compressed in a thread, so that nobody waits for them."""

GZIP_LEVEL = 1
WITH_HEADER = 31

UNTOUCHED = ("content-encoding", "content-range", "accept-ranges")
BODILESS = (204, 206, 304)


class Coder(Protocol):
    """One stream of compressed bytes; each piece can be read by itself as soon as it is there."""

    def code(self, piece: Piece) -> bytes:
        """`piece`, compressed."""

    def end(self) -> bytes:
        """The end of the stream."""


class Gzip:
    """gzip (RFC 1952)."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(GZIP_LEVEL, wbits=WITH_HEADER)

    def code(self, piece: Piece) -> bytes:
        """`piece`, compressed."""
        return self._stream.compress(piece) + self._stream.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """The end of the stream."""
        return self._stream.flush()


class Zstd:
    """zstd (RFC 8878), by the codec that Arrow brings."""

    def __init__(self) -> None:
        self._pieces = Pieces()
        self._stream = pa.CompressedOutputStream(self._pieces.sink, "zstd")

    def code(self, piece: Piece) -> bytes:
        """`piece`, compressed."""
        self._stream.write(piece)
        self._stream.flush()
        return self._pieces.take()

    def end(self) -> bytes:
        """The end of the stream."""
        self._stream.close()
        return self._pieces.take()


CODERS: Mapping[str, type[Coder]] = {"zstd": Zstd, "gzip": Gzip}
"""In order of preference."""


class Compressed:
    """Compresses the body of an answer if its client and its kind allow it; says ``Vary`` wherever that was a question."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compress on the way out."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # HEAD has no body to compress, and yet depends on what was asked
        asked = Headers(scope=scope).get("accept-encoding", "") if scope["method"] != "HEAD" else ""
        await self.app(scope, receive, Sending(asked, send))


class Sending:
    """The messages of one answer: its start waits for the first bytes, which tell how much there is."""

    def __init__(self, asked: str, send: Send) -> None:
        self._asked, self._send = asked, send
        self._start: Message | None = None
        self._coder: Coder | None = None

    async def __call__(self, message: Message) -> None:
        """Send `message`, or keep it until the next one."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        piece, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            self._coder = self._choose(start, whole=None if more else len(piece))
            await self._send(start)
        if self._coder is not None:
            message = {**message, "body": await self._code(self._coder, piece, more=more)}
            if more and not message["body"]:
                return
        await self._send(message)

    def _choose(self, start: Message, whole: int | None) -> Coder | None:
        headers = MutableHeaders(raw=start["headers"])
        possible = codings(headers.get("content-type", ""))
        if not possible or start["status"] in BODILESS or any(name in headers for name in UNTOUCHED):
            return None
        headers.add_vary_header("Accept-Encoding")
        chosen = choose(self._asked, possible)
        if chosen is not None and (whole is None or whole >= SMALL):
            headers["Content-Encoding"] = chosen
            del headers["Content-Length"]
            if "etag" in headers and not headers["etag"].startswith("W/"):
                headers["ETag"] = f"W/{headers['etag']}"  # the same document, other bytes
        start["headers"] = headers.raw
        return CODERS[chosen]() if "content-encoding" in headers and chosen is not None else None

    @staticmethod
    async def _code(coder: Coder, piece: Piece, *, more: bool) -> bytes:
        def code() -> bytes:
            return (coder.code(piece) if piece else b"") + (b"" if more else coder.end())

        return code() if len(piece) <= IN_LOOP else await anyio.to_thread.run_sync(code)


def codings(content_type: str) -> tuple[str, ...]:
    """The codings that help a body of this media type."""
    kind, _, parameters = content_type.lower().partition(";")
    kind = kind.strip()
    if not (
        kind.startswith("text/") or kind in ("application/json", "application/xml", "image/svg+xml") or kind.endswith(("+xml", "+json"))
    ):
        return ()
    return ("zstd",) if "serialization=binary" in parameters.replace(" ", "") else tuple(CODERS)


def choose(asked: str, possible: tuple[str, ...]) -> str | None:
    """The coding of `possible` that Accept-Encoding likes best, None for none; what it does not name is not taken."""
    liked: dict[str, float] = {}
    for word in asked.lower().split(","):
        name, _, quality = word.partition(";")
        liked[name.strip()] = _quality(quality)
    wanted = [name for name in possible if liked.get(name, 0.0) > 0]
    return max(wanted, key=lambda name: liked[name], default=None)


def _quality(text: str) -> float:
    name, _, number = text.replace(" ", "").partition("=")
    if name != "q":
        return 1.0
    try:
        return float(number)
    except ValueError:
        return 0.0
