"""Waiting for a job to change, without asking the database all the time."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from vo_server.db.listen import Watch
from vo_server.jobs.store import CHANNEL

LOST_S = 5.0
"""A notification may be lost without anybody knowing: whoever waits looks for himself so often."""


class Changes:
    """Wakes coroutines when a job's phase changes, in whatever process that happens."""

    def __init__(self, uri: str) -> None:
        self._bells: dict[str, set[Bell]] = defaultdict(set)
        self._lock = threading.Lock()
        self._watch = Watch("job-watch", uri, CHANNEL, self._wake)

    def start(self) -> None:
        """Begin to listen."""
        self._watch.start()

    def stop(self) -> None:
        """Stop listening."""
        self._watch.stop()

    @contextmanager
    def of(self, job_id: str) -> Iterator["Bell"]:
        """A bell that rings at every change of the job from now on: whoever looks after this has missed nothing."""
        bell = Bell(asyncio.get_running_loop())
        with self._lock:
            self._bells[job_id].add(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._bells[job_id].discard(bell)
                if not self._bells[job_id]:
                    del self._bells[job_id]

    def _wake(self, job_id: str | None) -> None:
        with self._lock:
            known = self._bells.values() if job_id is None else [self._bells.get(job_id, set())]
            bells = [bell for some in known for bell in some]
        for bell in bells:
            bell.ring()


class Bell:
    """Rung from any thread, heard by one coroutine."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Let the coroutine go on."""
        with suppress(RuntimeError):  # its loop has ended
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, timeout_s: float) -> None:
        """Return when it has rung since the last wait, or after LOST_S or `timeout_s` seconds; the caller looks, and waits again."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), min(timeout_s, LOST_S))
        self._rung.clear()
