"""Rows on their way to the client: streamed, cancelled when the client leaves."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Protocol

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vo_server.errors import UnavailableError, VoError

log = logging.getLogger("vo_server")


class Work(Protocol):
    """What a streamed reply runs: blocking calls, made from a thread; ``cancel`` may come from any thread at any time."""

    content_type: str
    filename: str | None

    def start(self) -> None:
        """Do all that can still fail with a status of its own, the first rows included."""

    def chunks(self) -> Iterator[bytes]:
        """The body, piece by piece; whoever stops iterating must call close."""

    def cancel(self) -> None:
        """Stop as soon as possible: nobody is listening any more."""

    def close(self) -> None:
        """Give back what was held."""


class Lease:
    """A Work whose threads take turns, so that it is never closed under one that still reads; ``cancel`` alone does not wait."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._busy = threading.Lock()
        self._abandoned = False

    def start(self) -> None:
        """Begin the work."""
        with self._busy:
            self.work.start()

    def pull(self, chunks: Iterator[bytes]) -> bytes | None:
        """The next piece of the body; None at its end."""
        with self._busy:
            return next(chunks, None)

    def abandon(self) -> None:
        """Stop the work and close it in a thread of its own: the server ends, and its loop waits for nobody any more."""
        self._abandoned = True
        threading.Thread(target=self._stop, name="abandoned reply").start()

    async def close(self) -> None:
        """Close the work, unless it was abandoned."""
        if not self._abandoned:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._close)

    def _stop(self) -> None:
        self.work.cancel()
        self._close()

    def _close(self) -> None:
        with self._busy:
            self.work.close()


class RowsReply(Response):
    """A started Work as an ASGI response: headers first, then a chunk at a time, none held longer than the client needs to read it."""

    def __init__(self, lease: "Lease", watcher: "asyncio.Task[None]", limiter: CapacityLimiter, *, head_only: bool) -> None:
        super().__init__(status_code=200, media_type=None)
        self.lease, self.watcher, self.limiter, self.head_only = lease, watcher, limiter, head_only
        work = lease.work
        self.raw_headers = [(b"content-type", work.content_type.encode("latin-1"))]
        if work.filename:
            self.raw_headers.append((b"content-disposition", f'inline; filename="{work.filename}"'.encode("latin-1")))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 the watcher reads `receive`
        """Send the body. A failure that the format cannot tell breaks the connection, lest the part be taken for the whole."""
        pull = partial(self.lease.pull, self.lease.work.chunks())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while not self.head_only and (chunk := await anyio.to_thread.run_sync(pull, limiter=self.limiter)) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except VoError as error:
            log.warning("%s: connection broken", error)  # returning before the last body message makes the server close it
        except asyncio.CancelledError:
            self.lease.abandon()
            raise
        finally:
            self.watcher.cancel()
            await self.lease.close()


async def stream(request: Request, work: Work, limiter: CapacityLimiter) -> Response:
    """Start `work` and give the reply that streams it; a client that goes away meanwhile cancels it (CHECKLIST TAP-043).
    Raises UnavailableError if the server ends before there is anything to stream.
    """
    lease = Lease(work)
    watcher = asyncio.create_task(_watch(request.receive, work))
    try:
        await anyio.to_thread.run_sync(lease.start, limiter=limiter)
    except asyncio.CancelledError:
        watcher.cancel()
        lease.abandon()
        raise UnavailableError("The server is shutting down.", hint="Try again in a minute.", retry_after=60) from None
    except BaseException:
        watcher.cancel()
        await lease.close()
        raise
    return RowsReply(lease, watcher, limiter, head_only=request.method == "HEAD")


async def _watch(receive: Receive, work: Work) -> None:
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
        await anyio.to_thread.run_sync(work.cancel)
