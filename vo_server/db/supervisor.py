"""The parent of the embedded PostgreSQL: a small process of its own session, ``python -m vo_server.db.supervisor HOME PROGRAMS SOCKETS``.

It holds HOME/supervisor.lock as long as it lives. Everybody who needs the database holds a shared lock on HOME/lease; the supervisor
waits for an exclusive one, and when it gets it nobody is left: it stops PostgreSQL and ends. Since the kernel lets go of the locks of
dead processes, it makes no difference whether a client ends or is killed. A PostgreSQL that dies is started again. A supervisor
that is killed takes PostgreSQL with it (the kernel sends it SIGINT, a fast shutdown), and the next client starts another one.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from vo_server.db import cluster, locks

LEASE = "lease"
LOCK = "supervisor.lock"

BUSY = 75
"""Exit status when another supervisor lives."""

PATIENCE_S = 2.0
"""For those who merely look whether the lock is free."""

FAST_S, IMMEDIATE_S = 60.0, 10.0
"""How long PostgreSQL gets to stop fast, and then immediately."""

GRACE_S = 30.0
"""How long a PostgreSQL that lost its supervisor gets to end by itself."""

HEALTHY_S = 10.0
PAUSE_S = 0.2
ATTEMPTS = 3
"""PostgreSQL is given up when it ended this often in a row without running for HEALTHY_S."""

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Supervisor:
    """Keeps one PostgreSQL running until `stop` is asked for: by a signal, or because the lease is ours."""

    def __init__(self, lock: int, home: Path, programs: Path, sockets: Path) -> None:
        self._lock = lock
        self._home = home
        self._data = home / "data"
        self._programs = programs
        self._sockets = sockets
        self._account = cluster.owner_account(self._data)
        self._wake_read, self._wake_write = os.pipe()
        self._stop = threading.Event()
        self._lease: int | None = None

    def run(self) -> int:
        """Until the end; the exit status."""
        self._listen()
        failures = 0
        while failures < ATTEMPTS and not self._stop.is_set():
            clear_remains(self._data, self._sockets)
            began = time.monotonic()
            process = self._start()
            self._write_state(process.pid)
            while process.poll() is None and not self._stop.is_set():
                self._sleep()
            if self._stop.is_set():
                stop(process)
                return 0
            failures = 0 if time.monotonic() - began > HEALTHY_S else failures + 1
            report(f"PostgreSQL ended with status {process.returncode}; starting it again.")
            time.sleep(PAUSE_S * failures)
        return 0 if self._stop.is_set() else 1

    def _listen(self) -> None:
        """Have signals and the lease wake us."""
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._await_lease, daemon=True).start()

    def _on_signal(self, *_: object) -> None:
        self._stop.set()

    def _await_lease(self) -> None:
        """Get the lease to ourselves, however long it takes, and keep it, so that new clients wait until we are gone."""
        self._lease = locks.take(self._home / LEASE, locks.EXCLUSIVE)
        self._stop.set()
        os.write(self._wake_write, b"\0")

    def _sleep(self) -> None:
        """Until a signal comes, PostgreSQL ends or the lease is ours."""
        os.read(self._wake_read, 1)

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [self._programs / "postgres", "-D", self._data]
        for name, value in (
            ("config_file", self._home / cluster.CONFIGURATION),
            ("listen_addresses", ""),
            ("unix_socket_directories", self._sockets),
            ("unix_socket_permissions", "0700"),
            ("port", str(cluster.PORT)),
        ):
            command += ["-c", f"{name}={value}"]
        # The main thread forks, because the kernel sends the signal when the *thread* that forked ends.
        return subprocess.Popen(  # noqa: S603 (our own words)
            [str(word) for word in command],
            preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 (the other thread sleeps in flock)
            **cluster.process_options(self._account),
        )

    def _write_state(self, postgres: int) -> None:
        """Into the lock file, for people: who we are and since when. One write of constant length, so that nobody reads half of it."""
        state = {"pid": os.getpid(), "started": datetime.now(UTC).isoformat(timespec="seconds"), "postgres": postgres}
        os.pwrite(self._lock, f"{json.dumps(state):<120}\n".encode(), 0)


def die_with(parent: int) -> Callable[[], None]:
    """What a new child does first: ask the kernel for SIGINT when `parent` dies; if that has happened already, end."""

    def ask() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop PostgreSQL: fast, if that takes too long immediately, at last by force."""
    for number, patience in ((signal.SIGINT, FAST_S), (signal.SIGQUIT, IMMEDIATE_S)):
        process.send_signal(number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            report(f"PostgreSQL did not end within {patience:.0f} s of signal {number}.")
        else:
            return
    process.kill()
    process.wait()


def clear_remains(data: Path, sockets: Path) -> None:
    """End what is left of a PostgreSQL on these data that lost its supervisor or its postmaster, and remove its lock files.

    A postmaster alone would refuse to start while a backend of its predecessor works on, and when the pid in an old lock file
    belongs to another process by now.
    """
    for number, patience in ((signal.SIGINT, GRACE_S), (signal.SIGQUIT, IMMEDIATE_S), (signal.SIGKILL, IMMEDIATE_S)):
        if not (left := processes_of(data)):
            break
        # a postmaster stops its backends itself; backends without one must all be told
        targets = left & {postmaster_pid(data)} or left
        report(f"Ending what is left of an earlier PostgreSQL: signal {number} to {sorted(targets)}.")
        for pid in targets:
            _signal(pid, number)
        _await_end(data, patience if targets != left or len(left) == 1 else IMMEDIATE_S)
    for path in (data / "postmaster.pid", *sockets.glob(".s.PGSQL.*")):
        path.unlink(missing_ok=True)


def processes_of(data: Path) -> set[int]:
    """The pids of PostgreSQL processes on this data directory: all of them work in it."""
    real = data.resolve()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                program = Path(os.readlink(entry / "exe").removesuffix(" (deleted)")).name
                directory = Path(os.readlink(entry / "cwd"))
            except OSError:
                continue  # ended meanwhile, or not ours
            if program == "postgres" and directory == real:
                found.add(int(entry.name))
    return found


def postmaster_pid(data: Path) -> int | None:
    """The pid that the data directory's lock file names."""
    try:
        return int((data / "postmaster.pid").read_text(encoding="ascii", errors="replace").splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def report(text: str) -> None:
    """A line in the supervisor's log."""
    print(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Take the lock, leave the caller (exit status 0 says that the lock is ours), supervise."""
    home, programs, sockets = (Path(text) for text in arguments)
    lock = locks.take(home / LOCK, locks.EXCLUSIVE, PATIENCE_S)
    if lock is None:
        return BUSY
    supervisor = Supervisor(lock, home, programs, sockets)
    if os.fork():
        os._exit(0)
    status = supervisor.run()
    os._exit(status)  # the lease thread may still sleep


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _await_end(data: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while processes_of(data) and time.monotonic() < deadline:
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
