"""Processes of a server and their supervisor."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import os, time
from multiprocessing import get_context
from vo_server.cli.processes import end_with_supervisor

def serve():
    end_with_supervisor()
    print(os.getpid(), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    process = get_context("spawn").Process(target=serve)
    process.start()
    process.join()
"""


def test_a_process_ends_with_its_supervisor_however_that_ended(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen([sys.executable, tmp_path / "program.py"], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        supervisor.kill()
        supervisor.wait()
        try:
            deadline = time.monotonic() + 20
            while is_running(pid):
                assert time.monotonic() < deadline, "it lives on"
                time.sleep(0.02)
        finally:
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Whether it is there, and more than a name that nobody has asked for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
