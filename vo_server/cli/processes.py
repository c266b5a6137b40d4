"""The server's processes: one, or several under a supervisor that replaces them one after the other without losing a request.

A process that ends stops accepting at once; what others accepted before is answered, and idle connections get LINGER_S for a request that
may be on its way. The listening socket is the parent's (or systemd's), so that connections queue in the kernel meanwhile.
"""

import ctypes
import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process

import pyarrow
import uvicorn
from prometheus_client import multiprocess
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from vo_server import scratch

log = logging.getLogger("vo_server")

LINGER_S = 1.0
"""So long an idle connection may still send a request after its process began to end."""

READY_S = 60.0

END_S = 20.0
"""What is left when all is closed gets so long."""

METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""Where processes put their numbers together, for Prometheus: read by its library when it is imported."""

FIRST_SYSTEMD_FD = 3

LONGEST_ADDRESS = 65_535
"""Bytes of an address that the parser can tell the parts of; longer ones are read up to MOST_ADDRESS, for the sake of an answer."""

MOST_ADDRESS = 1 << 20


class LingeringProtocol(HttpToolsProtocol):
    """HTTP/1.1 that, when its process ends, answers what was already on its way and tells the client to come by another connection;
    addresses that are too long are told to be (RFC 9110 §15.5.15, PITFALLS P-13).
    """

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        super().on_url(url)
        if len(self.url) > MOST_ADDRESS:
            raise ValueError("an address without an end")

    def send_400_response(self, msg: str) -> None:
        """What the client is told whose request cannot be read."""
        if len(self.url or b"") <= LONGEST_ADDRESS:
            super().send_400_response(msg)
            return
        told = f"The address has more than {LONGEST_ADDRESS} bytes. Send the parameters by POST: every service here takes them so.\n"
        lines = [*self.server_state.default_headers, *TOO_LONG, (b"content-length", str(len(told)).encode()), CLOSE]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in lines)
        self.transport.write(b"HTTP/1.1 414 URI Too Long\r\n" + head + b"\r\n" + told.encode())
        self.transport.close()

    def shutdown(self) -> None:
        """Called once for each connection when the process ends."""
        if self.cycle is None or self.cycle.response_complete:
            if CLOSE not in self.server_state.default_headers:
                self.server_state.default_headers.append(CLOSE)
            self.loop.call_later(LINGER_S, super().shutdown)
        else:
            super().shutdown()


CLOSE = (b"connection", b"close")
TOO_LONG = ((b"content-type", b"text/plain; charset=utf-8"), (b"access-control-allow-origin", b"*"))


class Server(uvicorn.Server):
    """One process, saying when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        self.ready()


class Supervisor(Multiprocess):
    """Several processes on one socket. SIGHUP replaces them one by one, each when its successor is ready; so is one that dies."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], ready: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self.ready = ready
        self._is_ready = False

    def keep_subprocess_alive(self) -> None:
        """Replace who died, and forget what it counted of things that are going on. Say so when all of them answer for the first time:
        one that dies before is replaced too.
        """
        before = {process.pid: process for process in self.processes}
        for process in self.processes:
            process.child_conn.close()  # open on our side too it would hide for READY_S that a process died before it was asked
        super().keep_subprocess_alive()
        self._forget(before)
        if not self._is_ready and all(process.is_ready() for process in self.processes):
            self._is_ready = True
            self.ready()

    def restart_all(self) -> None:
        """Replace all, one after the other."""
        before = {process.pid: process for process in self.processes}
        super().restart_all()
        self._forget(before)

    def _forget(self, before: dict[int | None, Process]) -> None:
        for pid in before.keys() - {process.pid for process in self.processes}:
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def run(config: uvicorn.Config, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until a signal ends it; `ready` is called when the first can be answered."""
    if config.workers == 1:
        Server(config, ready).run(sockets=[listener])
        return
    with tempfile.TemporaryDirectory(prefix=scratch.prefix("metrics")) as metrics:
        os.environ[METRICS] = metrics
        Supervisor(config, [listener], ready).run()


def end_with_supervisor() -> None:
    """Have this process end in good order when its supervisor is gone, however that ended: it would keep the port from the next one."""
    supervisor = parent_process()
    if supervisor is None:
        return

    def follow() -> None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="follow-supervisor", daemon=True).start()


def give_memory_back() -> None:
    """Have memory that is free go back to the system soon: Arrow's own pool keeps it, and so does glibc, in an arena for each thread, so
    that a server that has sent large tables would stay half as large again.
    """
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        for parameter, value in ((M_ARENA_MAX, 2), (M_MMAP_THRESHOLD, BATCHES), (M_TRIM_THRESHOLD, BATCHES)):
            libc.mallopt(parameter, value)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Numbers of mallopt(3)."""

BATCHES = 4 << 20
"""Bytes of a few batches of rows: to ask the system anew for each of them would cost a tenth of the speed."""


def end_surely() -> None:
    """Have this process end, though threads of it may wait for a database that does not answer: Python would wait for them."""

    def end() -> None:
        time.sleep(END_S)
        log.warning("the server ends without threads that still wait for the database")
        os._exit(0)

    threading.Thread(target=end, name="end", daemon=True).start()


def inherited_socket() -> socket.socket | None:
    """The listening socket that systemd passed (sd_listen_fds(3)): it outlives a restart, so that nobody is refused meanwhile."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=FIRST_SYSTEMD_FD)


def notify_systemd(state: str) -> None:
    """Tell systemd, if it started us and waits to hear it (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.sendall(state.encode())
