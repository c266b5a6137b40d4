"""What the benchmarks of a running server share: a plain HTTP client, latencies and their table, the server's memory."""

import http.client
import random
import statistics
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from math import asin, degrees
from typing import Self
from urllib.parse import urlencode, urlsplit

import psutil

MEGABYTE = 1e6


def connect(url: str) -> http.client.HTTPConnection:
    """A connection that is kept alive."""
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=600)


def get(connection: http.client.HTTPConnection, address: str) -> bytes:
    """The body of an answer; the program ends if it is an error."""
    connection.request("GET", address)
    reply = connection.getresponse()
    body = reply.read()
    if reply.status != 200 or b'value="ERROR"' in body:
        raise SystemExit(f"{address}: {reply.status}\n{body.decode(errors='replace')[:2000]}")
    return body


def timed(connection: http.client.HTTPConnection, addresses: Iterable[str]) -> tuple[list[float], int]:
    """Seconds of each request, and the bytes read together."""
    seconds, size = [], 0
    for address in addresses:
        begin = time.perf_counter()
        size += len(get(connection, address))
        seconds.append(time.perf_counter() - begin)
    return seconds, size


def p99(seconds: list[float]) -> float:
    """The 99th percentile."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.99))]


def report(name: str, seconds: list[float], size: int = 0, more: str = "") -> None:
    """One line of the table of latencies."""
    average = f"{size / len(seconds) / 1024:8.1f} kB each" if size else ""
    median = statistics.median(seconds)
    print(f"{name:24s} {len(seconds):6d} ×  p50 {median * 1e3:7.2f} ms   p99 {p99(seconds) * 1e3:7.2f} ms   {average}{more}", flush=True)


def positions(seed: int = 1) -> Iterator[tuple[float, float]]:
    """Positions spread evenly over the sphere, in degrees, without end; the same ones for the same seed."""
    dice = random.Random(seed)
    while True:
        yield dice.uniform(0, 360), degrees(asin(dice.uniform(-1, 1)))


def cones(url: str, table: str, radius: float, seed: int = 1) -> Iterator[str]:
    """Addresses of cone searches of `radius` degrees, without end."""
    path = urlsplit(url).path
    for ra, dec in positions(seed):
        yield f"{path}/scs/{table}?" + urlencode({"RA": f"{ra:.8f}", "DEC": f"{dec:.8f}", "SR": radius})


def query(url: str, adql: str, **parameters: object) -> str:
    """The address of a synchronous query."""
    return f"{urlsplit(url).path}/tap/sync?" + urlencode({"LANG": "ADQL", "QUERY": adql, **parameters})


def until(deadline: float, addresses: Iterator[str]) -> Iterator[str]:
    """Addresses until a moment of `time.monotonic`."""
    while time.monotonic() < deadline:
        yield next(addresses)


class MemoryWatch:
    """The highest resident set of a process while the `with` block runs, in MB; of it and its children with `family`, what they share
    counted once.
    """

    def __init__(self, process: psutil.Process | None, *, family: bool = False) -> None:
        self.process, self.family, self.highest = process, family, 0.0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def run(self) -> None:
        while self.process is not None:
            self.highest = max(self.highest, self.now(self.process))
            if self.done.wait(0.2 if self.family else 0.02):
                return

    def now(self, process: psutil.Process) -> float:
        if not self.family:
            return process.memory_info().rss / MEGABYTE
        size = 0
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                size += one.memory_full_info().pss
        return size / MEGABYTE


def server_process(url: str, pid: int | None = None) -> psutil.Process | None:
    """The process that listens on the port of `url`, if this user may see it."""
    if pid is not None:
        return psutil.Process(pid)
    port = urlsplit(url).port
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            return psutil.Process(connection.pid)
    return None
