"""Processes of a server and their supervisor."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from vo_server.cli.processes import LONGEST_ADDRESS, MOST_ADDRESS, LingeringProtocol

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


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where a server with our protocol says how long an address is."""

    async def measure(scope: Any, _: Any, send: Any) -> None:
        length = str(len(scope["query_string"])).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(length)).encode())]})
        await send({"type": "http.response.body", "body": length})

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(measure, http=LingeringProtocol, lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(timeout=10)


def ask(port: int, path: str) -> httpx2.Response:
    """As clients in C and Java do, which bound no address."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return httpx2.Response(int(first.split()[1]), headers=[tuple(line.split(": ", 1)) for line in lines], content=body)


def test_long_addresses_are_read_and_longer_ones_told_to_be_too_long(port: int) -> None:
    assert ask(port, "/?" + "q" * (LONGEST_ADDRESS - 2)).text == str(LONGEST_ADDRESS - 2)
    for length in (LONGEST_ADDRESS + 1, 4 * LONGEST_ADDRESS):
        refused = ask(port, "/?" + "q" * (length - 2))
        assert refused.status_code == 414
        assert "by POST" in refused.text
        assert refused.headers["access-control-allow-origin"] == "*"
    assert ask(port, "/ nonsense").status_code == 400


def test_an_address_without_an_end_is_not_kept(port: int) -> None:
    endless = b"GET /?" + b"q" * (100 * MOST_ADDRESS)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, pytest.raises(ConnectionError):
        connection.sendall(endless)
