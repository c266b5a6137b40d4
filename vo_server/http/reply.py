"""Rows on their way to the client: streamed as they come, spooled for slow readers, cancelled when the client leaves."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import anyio
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vo_server.dali.uploads import parse_uploads
from vo_server.errors import UnavailableError, VoError
from vo_server.http.admission import Admission, Bounds, Kind, Place
from vo_server.http.backlog import Backlog
from vo_server.http.identity import caller
from vo_server.http.observe import ROWS
from vo_server.http.params import Params
from vo_server.http.threads import GRACE_S, in_thread
from vo_server.model.result import Piece
from vo_server.scratch import SpoolRoom
from vo_server.settings import Settings

log = logging.getLogger("vo_server")

MEGABYTE = 1 << 20

CLOSE_S = 15.0
"""A work that was cancelled comes to its end within this time, or the database does not answer any more."""

STATUS = "X-VO-Query-Status"
"""Header with what VOTable calls QUERY_STATUS, for formats without a place for it; only where it is known before the body leaves."""


class Work(Protocol):
    """What a streamed reply runs: blocking calls, made from a thread; ``cancel`` may come from any thread at any time."""

    content_type: str
    filename: str | None
    status: str | None
    """QUERY_STATUS (DALI 1.1 §4.4.1) once it is known that it is OK or OVERFLOW."""

    @property
    def rows(self) -> int | None:
        """How many rows were written so far; None if it does not consist of rows."""

    def start(self) -> None:
        """Do all that can still fail with a status of its own, the first rows included."""

    def chunks(self) -> Iterator[Piece]:
        """The body, piece by piece; what fails before the first one gets a status of its own too. Whoever stops iterating calls close."""

    def cancel(self) -> None:
        """Stop as soon as possible: nobody is listening any more."""

    def close(self) -> None:
        """Give back what was held."""

    def give_up(self) -> None:
        """The database does not answer any more, not even to ``cancel``: let others have what is held of it."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all streamed replies of a server share: who may query, threads for blocking calls, the disk for slow readers' rows."""

    settings: Settings
    admission: Admission
    threads: CapacityLimiter
    reading: CapacityLimiter
    fetching: CapacityLimiter
    room: SpoolRoom

    @property
    def longest(self) -> float:
        """A query that takes more seconds than this will never end."""
        return self.settings.sync_seconds + GRACE_S

    @classmethod
    def of(cls, settings: Settings) -> "Traffic":
        """As `settings` say."""
        total = settings.query_connections
        bounds = Bounds(
            total=total,
            long=max(1, total - settings.reserved_connections),
            each=settings.user_queries,
            waiting=settings.waiting_queries,
            patience=settings.waiting_seconds,
        )
        room = SpoolRoom(settings.spool_dir, settings.spool_megabytes * MEGABYTE, settings.spool_total_megabytes * MEGABYTE)
        # more threads than connections: replies that are being sent hold a thread only while they work
        threads, reading, fetching = (CapacityLimiter(total * times) for times in (4, 1, 2))
        return cls(settings, Admission(bounds), threads, reading, fetching, room)

    def threads_for(self, params: Params) -> CapacityLimiter:
        """The threads in which a request is understood. Those that bring tables along, or say where to fetch them, which others may make
        slow, wait for each other and for nobody else.
        """
        uploads = parse_uploads(params.all("UPLOAD"))
        if not uploads:
            return self.threads
        return self.reading if all(upload.part is not None for upload in uploads) else self.fetching


class Lease:
    """A Work whose threads take turns, so that it is never closed under one that still reads; ``cancel`` alone does not wait."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._chunks: Iterator[Piece] = iter(())
        self._busy = threading.Lock()
        self._abandoned = False

    def start(self) -> Piece | None:
        """Begin the work; gives the first piece of the body."""
        with self._busy:
            self.work.start()
            self._chunks = self.work.chunks()
            return next(self._chunks, None)

    def pull(self) -> Piece | None:
        """The next piece of the body; None at its end."""
        with self._busy:
            return next(self._chunks, None)

    def abandon(self) -> None:
        """Stop the work and close it in a thread of its own: the server ends, and its loop waits for nobody any more."""
        if not self._abandoned:
            self._abandoned = True
            threading.Thread(target=self._stop, name="abandoned reply").start()

    async def close(self) -> None:
        """Close the work, unless it was abandoned; one that does not come to its end is given up."""
        if self._abandoned:
            return
        with anyio.CancelScope(shield=True):
            try:
                closed = await in_thread(self._close, CLOSE_S)
            except UnavailableError:
                closed = False
        if not closed:
            log.warning("the database does not answer: a connection is given up")
            self.work.give_up()
            self.abandon()

    def _stop(self) -> None:
        self.work.cancel()
        self._close()

    def _close(self, seconds: float = -1) -> bool:
        """Whether the work has come to its end within `seconds`, and was closed."""
        if not self._busy.acquire(timeout=seconds):
            return False
        try:
            self.work.close()
        finally:
            self._busy.release()
        return True


class RowsReply(Response):
    """A started Work as an ASGI response. The work goes on at its own speed: what the client has not taken yet is a backlog, and when the
    last piece is made the work's place is free for the next one, however slowly the client reads.
    """

    def __init__(self, lease: Lease, first: Piece | None, place: Place, watcher: "asyncio.Task[None]", traffic: Traffic) -> None:
        super().__init__(status_code=200, media_type=None)
        self.lease, self.first, self.place, self.watcher, self.traffic = lease, first, place, watcher, traffic
        work = lease.work
        self.raw_headers = [(b"content-type", work.content_type.encode("latin-1"))]
        if work.filename:
            self.raw_headers.append((b"content-disposition", f'inline; filename="{work.filename}"'.encode("latin-1")))
        if work.status:
            self.raw_headers.append((STATUS.lower().encode(), work.status.encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 the watcher reads `receive`
        """Send the body. A failure that the format cannot tell breaks the connection, lest the part be taken for the whole."""
        backlog = Backlog(self.traffic.room)
        self.watcher.add_done_callback(lambda _: backlog.drop())
        making: asyncio.Task[None] | None = None
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] != "HEAD" and self.first is not None:
                making = asyncio.create_task(self._make(backlog))
                await send({"type": "http.response.body", "body": self.first, "more_body": True})
                while (piece := await backlog.take()) is not None:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await making
            await send({"type": "http.response.body", "body": b""})
        except VoError as error:
            if not self.watcher.done():
                log.warning("%s: connection broken", error)  # returning before the last body message makes the server close it
        except asyncio.CancelledError:
            self.lease.abandon()
            raise
        finally:
            self.watcher.cancel()
            if making is not None:
                making.cancel()
            await self.lease.close()
            self.place.leave()
            scope[ROWS] = self.lease.work.rows
            await backlog.close()

    async def _make(self, backlog: Backlog) -> None:
        try:
            while (piece := await self._pull()) is not None:
                await backlog.put(piece)
            self.place.leave()
        finally:
            backlog.end()

    async def _pull(self) -> Piece | None:
        return await in_thread(self.lease.pull, limiter=self.traffic.threads, seconds=self.traffic.longest)


async def stream(request: Request, work: Work, traffic: Traffic, kind: Kind = Kind.SHORT) -> Response:
    """Wait for a place among the queries, start `work` and give the reply that streams it; a client that goes away meanwhile cancels it
    (CHECKLIST TAP-043).

    Raises UnavailableError if there is no place, or if the server ends before there is anything to stream.
    """
    lease = Lease(work)
    watcher = asyncio.create_task(_watch(request.receive, work))
    try:
        place = await traffic.admission.enter(caller(request, traffic.settings.trusted_proxies), kind, watcher)
        try:
            first = await in_thread(lease.start, limiter=traffic.threads, seconds=traffic.longest)
        except BaseException:
            place.leave()
            raise
    except asyncio.CancelledError:
        watcher.cancel()
        lease.abandon()
        raise UnavailableError("The server is shutting down.", hint="Try again in a minute.", retry_after=60) from None
    except BaseException:
        watcher.cancel()
        await lease.close()
        raise
    return RowsReply(lease, first, place, watcher, traffic)


async def _watch(receive: Receive, work: Work) -> None:
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
        with suppress(UnavailableError):
            await in_thread(work.cancel)
