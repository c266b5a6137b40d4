"""One attempt at a job, in a thread of its own: a database, network or result store that stands still keeps that thread, and not the
worker's place for a job.
"""

import threading
import time
from collections.abc import Callable
from contextvars import copy_context

from vo_server.errors import VoError
from vo_server.jobs.work import Work
from vo_server.model.job import Job

GRACE_S = 30.0
"""So much longer than its execution duration may a job be silent: PostgreSQL ends it in time if it can, and then its result may still be on
its way into the store. From one sign of life to the next it has as long."""

CLOSE_S = 15.0
"""What is cancelled comes to its end within this time, or not at all."""

LOOK_S = 0.5
"""How often the time is looked at."""


class SilentError(VoError):
    """The work has given no sign of life for too long, not even that it was cancelled."""


class Attempt:
    """Runs `perform` with itself, which tells it by `begin`, `start` and `sign` how it goes on; ``job`` is what has begun."""

    def __init__(self, perform: Callable[["Attempt"], None]) -> None:
        self.job: Job | None = None
        self._perform = perform
        self._work: Work | None = None
        self._is_cancelled = False
        self._deadline = time.monotonic() + GRACE_S
        self._failure: BaseException | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> bool:
        """Whether it came to its end; raises what it ended in. What takes too long is cancelled, and after CLOSE_S seconds given up."""
        threading.Thread(target=copy_context().run, args=(self._run,), name="attempt", daemon=True).start()
        while not self._over.wait(LOOK_S):
            if time.monotonic() < self._deadline:
                continue
            if self._is_cancelled:
                self._give_up()
                return False
            self.cancel()
        if self._failure is not None:
            raise self._failure
        return True

    def begin(self, job: Job) -> bool:
        """The job is EXECUTING now (UWS 1.1 §2.1.5: its duration is of the clock on the wall). False if that took so long that nobody
        waits for this attempt any more.
        """
        with self._lock:
            if self._is_cancelled:
                return False
            self.job = job
            self._deadline = time.monotonic() + job.duration_s + GRACE_S
        return True

    def start(self, work: Work) -> None:
        """This is its work from now on."""
        with self._lock:
            self._work = work
            cancelled = self._is_cancelled
        if cancelled:
            work.cancel()

    def sign(self) -> None:
        """It is alive."""
        with self._lock:
            if not self._is_cancelled:
                self._deadline = max(self._deadline, time.monotonic() + GRACE_S)

    def cancel(self) -> None:
        """Stop the work as soon as possible. For any thread; may be said again and again."""
        with self._lock:
            if not self._is_cancelled:
                self._is_cancelled = True
                self._deadline = time.monotonic() + CLOSE_S
            work = self._work
        if work is not None:
            work.cancel()

    def _give_up(self) -> None:
        if self._work is not None:
            self._work.give_up()

    def _run(self) -> None:
        try:
            self._perform(self)
        except BaseException as error:  # noqa: BLE001 `run` raises it
            self._failure = error
        finally:
            self._over.set()
