"""Hearing what other processes announce by NOTIFY."""

import logging
import threading
from collections.abc import Callable

import psycopg
from sqlalchemy.exc import OperationalError

log = logging.getLogger(__name__)


class Watch:
    """A thread that calls `on_event` with the payload of every notification of `channel`, whoever sent it.

    It goes on whatever happens: if `on_event` raises, each kind of exception is logged once, and it listens anew.

    Notifications of a time when PostgreSQL was away are lost: after every (re)connection, and every `tick_s` seconds if given,
    `on_event` is called with None, which means that anything may have happened.
    """

    def __init__(self, name: str, uri: str, channel: str, on_event: Callable[[str | None], object], tick_s: float | None = None) -> None:
        self._uri = uri
        self._channel = channel
        self._on_event = on_event
        self._tick_s = tick_s
        self._told: set[type[Exception]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; returns within a second."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=3)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._uri, autocommit=True, application_name=f"vo-server {self._thread.name}") as connection:
                    connection.execute(f"LISTEN {self._channel}")
                    self._listen(connection)
            except (psycopg.OperationalError, OperationalError):
                self._stop.wait(RETRY_S)
            except Exception as error:  # a thread that ends would leave the process deaf
                if type(error) not in self._told:
                    self._told.add(type(error))
                    log.exception("%s failed, and goes on", self._thread.name)
                self._stop.wait(RETRY_S)

    def _listen(self, connection: psycopg.Connection) -> None:
        self._on_event(None)  # what happened while nobody listened
        silent_s = 0.0
        while not self._stop.is_set():
            silent_s += PAUSE_S
            for notification in connection.notifies(timeout=PAUSE_S, stop_after=1):
                self._on_event(notification.payload)
            if self._tick_s is not None and silent_s >= self._tick_s:
                silent_s = 0.0
                self._on_event(None)


RETRY_S = 1.0
PAUSE_S = 0.2
"""How soon a watch notices that it shall stop."""
