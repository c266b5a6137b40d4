"""Blocking calls in threads, each with an end: a database, a disk or a bucket that answers no more costs its caller an error, and
others no more than a thread.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import TypeVar

import anyio.to_thread
from anyio import CapacityLimiter, move_on_after

from vo_server.errors import UnavailableError

PATIENCE_S = 30.0
"""Database, disks and buckets answer within this time, or not at all."""

GRACE_S = 30.0
"""So much longer than its limit may a query take: PostgreSQL ends it in time if it can, and it waits for a connection before."""

UPLOADS_S = 600.0
"""For what comes with a request: it is fetched, unpacked, read and stored."""

T = TypeVar("T")


async def in_thread(call: Callable[..., T], *arguments: object, limiter: CapacityLimiter | None = None, seconds: float | None = None) -> T:
    """What `call` gives, in a thread; UnavailableError after `seconds` (None: PATIENCE_S). The thread goes on alone then, and keeps its
    token of `limiter`, so that there are never more threads than tokens; who finds none waits no longer either.
    """
    errand = Errand(limiter or anyio.to_thread.current_default_thread_limiter())
    with move_on_after(PATIENCE_S if seconds is None else seconds):
        await errand.tokens.acquire_on_behalf_of(errand)
        try:
            return await anyio.to_thread.run_sync(errand.run, call, arguments, limiter=CapacityLimiter(inf), abandon_on_cancel=True)
        finally:
            errand.leave()
    raise UnavailableError("The server got no answer from its database or its files.", hint="Try again in a minute.", retry_after=60)


class Errand:
    """A call in a thread, and the token that it holds until it has ended, whether somebody waits for that or not."""

    def __init__(self, tokens: CapacityLimiter) -> None:
        self.tokens = tokens
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._begun = self._left = False

    def run(self, call: Callable[..., T], arguments: tuple[object, ...]) -> T:
        """In the thread; CancelledError if everybody has left before it began."""
        with self._lock:
            if self._left:
                raise asyncio.CancelledError
            self._begun = True
        try:
            return call(*arguments)
        finally:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self.tokens.release_on_behalf_of, self)

    def leave(self) -> None:
        """In the loop: nobody waits any more."""
        with self._lock:
            self._left = True
            begun = self._begun
        if not begun:
            self.tokens.release_on_behalf_of(self)
