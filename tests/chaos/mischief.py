"""What goes wrong: processes and connections of a site are ended at random, and nothing else on the machine."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random

import psycopg

from tests.chaos.site import Program, Site

LONGEST_PAUSE_S = 1.2


class Mischief:
    """A thread that does something bad every now and then, until it is stopped; what ends is started again."""

    def __init__(self, site: Site, dice: Random, *, kills_servers: bool) -> None:
        self.site, self.dice = site, dice
        self.done: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._kinds: dict[str, tuple[int, Callable[[], bool]]] = {
            "connections ended": (50, self._end_connection),
            "server processes killed": (15, self._kill_server_process),
            "workers killed": (20, self._kill_worker),
            "whole servers killed": (4 if kills_servers else 0, lambda: kill_ready(self.site.server)),
            "PostgreSQL backends killed": (4, self._kill_backend),
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mischief")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and have everything run again."""
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure
        self.site.until_ready()

    def _run(self) -> None:
        try:
            while not self._stop.wait(self.dice.uniform(0.05, LONGEST_PAUSE_S)):
                names, weights = list(self._kinds), [weight for weight, _ in self._kinds.values()]
                name = self.dice.choices(names, weights)[0]
                self.done[name] += self._kinds[name][1]()
                time.sleep(0.05)
                self.site.keep_alive()
        except BaseException as error:
            self.failure = error

    def _end_connection(self) -> bool:
        backends = self.site.backends()
        if not backends:
            return False
        with suppress(psycopg.OperationalError), self.site.connected() as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (self.dice.choice(backends)[0],))
        return True

    def _kill_backend(self) -> bool:
        """PostgreSQL ends all connections and recovers."""
        backends = self.site.backends()
        return bool(backends) and kill(self.dice.choice(backends)[0])

    def _kill_server_process(self) -> bool:
        children = self.site.server.children()
        return bool(children) and kill(self.dice.choice(children))

    def _kill_worker(self) -> bool:
        return kill_ready(self.dice.choice(self.site.programs[1:]))


def kill_ready(program: Program) -> bool:
    """Kill a program that has begun its work: one that is killed again and again while it starts proves nothing."""
    return program.is_ready() and kill(program.process.pid)


def kill(pid: int) -> bool:
    """SIGKILL; whether it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
