"""A site of several programs, each started again when it has ended: a server with its processes, and workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg.rows import tuple_row

from tests.chaos.questions import Truth

VO = (sys.executable, "-m", "vo_server")
READY_S = 90.0
END_S = 60.0
GONE_S = 5.0
"""Helpers of a process that ended are gone by then."""

STALLED_S = 4

BACKENDS = """
SELECT pid, coalesce(application_name, ''), state, query FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY pid
"""


class Program:
    """One of ``vo``'s commands as a process, with a log."""

    def __init__(self, name: str, arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> None:
        self.name, self.arguments, self.folder, self.environment = name, arguments, folder, environment
        self.log = folder / f"{name}.log"
        self.groups: list[int] = []
        """A process group for each start: whoever belongs to one is ours."""
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            self._told = log.tell()
            started = subprocess.Popen(
                [*VO, *self.arguments], stdout=log, stderr=log, cwd=self.folder, env=dict(self.environment), start_new_session=True
            )
        self.groups.append(started.pid)
        return started

    def restart_if_dead(self) -> None:
        """As systemd would."""
        if self.process.poll() is not None:
            self.process = self._start()

    def is_ready(self) -> bool:
        """Whether it has said so since it was started, and lives."""
        return self.process.poll() is None and b" is ready" in self.log.read_bytes()[self._told :]

    def children(self) -> list[int]:
        """Server processes below it: not Python's helper for them."""
        found = []
        with suppress(OSError):
            for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
                with suppress(OSError):
                    if b"multiprocessing.spawn" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        found.append(int(pid))
        return found

    def end(self) -> list[str]:
        """End it as an operator does; what is wrong with how it ended."""
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_S)
        faults = [] if self.process.returncode == 0 else [f"{self.name} ended with status {self.process.returncode}"]
        deadline = time.monotonic() + GONE_S
        while (left := [group for group in self.groups if has_members(group)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        for group in left:
            faults.append(f"{self.name} left processes in the group {group}")
            os.killpg(group, signal.SIGKILL)
        self.process.wait()
        return faults


def has_members(group: int) -> bool:
    """Whether any process belongs to the group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class Site:
    """The programs of a site over the PostgreSQL database at `url`, all their files below `folder`."""

    def __init__(self, url: str, folder: Path, port: int, *, processes: int, workers: int, clients: int) -> None:
        self.database_url, self.folder = url, folder
        self.url = f"http://127.0.0.1:{port}"
        self.spool, self.results, self.temporary = folder / "spool", folder / "results", folder / "tmp"
        for directory in (self.spool, self.temporary):
            directory.mkdir()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VO_")}
        settings = {
            "VO_DATABASE_URL": url,
            "VO_PORT": port,
            "VO_PUBLIC_URL": self.url,
            "VO_DATA_DIR": folder,
            "VO_SPOOL_DIR": self.spool,
            "VO_RESULT_STORE": self.results,
            "VO_PROCESSES": processes,
            "VO_STALLED_SECONDS": STALLED_S,
            "VO_USER_QUERIES": clients,
            "VO_WAITING_QUERIES": 8 * clients,
        }
        self.environment = {**environment, **{name: str(value) for name, value in settings.items()}, "TMPDIR": str(self.temporary)}
        self.processes = processes
        self.workers = workers
        self.programs: list[Program] = []

    def start(self, truth: Truth) -> None:
        """Publish the table, and begin."""
        truth.write(self.folder / "events.fits")
        self.keep_what_is_committed()
        done = subprocess.run(
            [*VO, "publish", "events.fits"], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        self.programs = [Program("serve", ("serve",), self.folder, self.environment)]
        self.until_ready()  # it marks the store that workers look for
        self.programs += [Program(f"worker-{number}", ("worker",), self.folder, self.environment) for number in range(self.workers)]
        self.until_ready()

    @property
    def server(self) -> Program:
        """``vo serve``."""
        return self.programs[0]

    def until_ready(self) -> None:
        """Wait until all run."""
        deadline = time.monotonic() + READY_S
        while not all(program.is_ready() for program in self.programs):
            assert time.monotonic() < deadline, self.told()
            self.keep_alive()
            time.sleep(0.1)

    def keep_alive(self) -> None:
        """Start what has ended."""
        for program in self.programs:
            program.restart_if_dead()

    def told(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"== {program.name}\n{program.log.read_text(errors='replace')[-3000:]}" for program in self.programs)

    def keep_what_is_committed(self) -> None:
        """The tests' PostgreSQL may otherwise forget in a crash what it has just committed."""
        with self.connected() as connection:
            connection.execute(f'ALTER DATABASE "{connection.info.dbname}" SET synchronous_commit = on'.encode())

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """A connection of our own to the database."""
        with psycopg.connect(self.database_url, autocommit=True, application_name="chaos", row_factory=tuple_row) as connection:
            yield connection

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """What a statement gives, however often the database must be asked; our own text."""
        deadline = time.monotonic() + END_S
        while True:
            try:
                with self.connected() as connection:
                    return connection.execute(statement.encode()).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def backends(self) -> list[tuple[int, str]]:
        """Pid and name of each connection of the programs."""
        return [(int(str(pid)), str(name)) for pid, name, *_ in self.rows(BACKENDS) if name != "chaos"]

    def end(self) -> list[str]:
        """End everything; what is wrong with how it ended."""
        return [fault for program in self.programs for fault in program.end()]
