"""Cone searches while many clients read a whole table slowly: do slow readers cost anybody else anything?

    vo publish tycho2.parquet ; vo serve
    python benchmarks/slow_readers.py http://127.0.0.1:8000 data.tycho2 --readers 20 --rate 50

In one run: cone searches alone, then while the readers have just come (their rows are being made and spooled), then when all of
them only read. `--database-url` also counts PostgreSQL's backends that are still busy with the readers' rows. The readers are threads
of another process, which reads as slowly as it is told and keeps nothing.
"""

import argparse
import multiprocessing
import socket
import subprocess
import threading
import time
from urllib.parse import urlencode, urlsplit

from kit import MemoryWatch, cones, connect, report, server_process, timed, until

BUSY = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%'"


def read_slowly(url: str, query: str, form: str, kilobytes: float, seconds: float) -> None:
    """One client that takes `kilobytes` a second, through a small socket buffer, and leaves after `seconds`."""
    parts = urlsplit(url)
    body = urlencode({"LANG": "ADQL", "QUERY": query, "MAXREC": 100_000_000, "RESPONSEFORMAT": form}).encode()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        client.settimeout(120)
        client.connect((parts.hostname or "127.0.0.1", parts.port or 80))
        head = f"POST {parts.path}/tap/sync HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n"
        client.sendall(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body)
        begin, read = time.monotonic(), 0
        while (passed := time.monotonic() - begin) < seconds:
            if read > kilobytes * 1024 * passed:
                time.sleep(0.05)
                continue
            piece = client.recv(8 * 1024)
            if not piece:
                return
            read += len(piece)


def run_readers(count: int, *work: object) -> None:
    """`count` slow clients, in threads of this process."""
    threads = [threading.Thread(target=read_slowly, args=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def busy_backends(database_url: str | None) -> str:
    """How many backends compute rows, as psql says."""
    if database_url is None:
        return ""
    counted = subprocess.run(["psql", database_url, "-Atqc", BUSY], capture_output=True, text=True, check=True)
    return f"   busy backends {counted.stdout.strip()}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="base URL of the server")
    parser.add_argument("table")
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--rate", type=float, default=50, help="kB/s of each reader")
    parser.add_argument("--format", default="votable/b2", help="what the readers ask for")
    parser.add_argument("--radius", type=float, default=0.1, help="degrees")
    parser.add_argument("--seconds", type=float, default=20, help="length of each of the three phases")
    parser.add_argument("--database-url", help="the server's database, as psql takes it")
    options = parser.parse_args()
    connection, process = connect(options.url), server_process(options.url)
    addresses = cones(options.url, options.table, options.radius)

    def phase(name: str) -> None:
        with MemoryWatch(process) as watch:
            seconds, size = timed(connection, until(time.monotonic() + options.seconds, addresses))
        report(name, seconds, size, f"   server {watch.highest:.0f} MB{busy_backends(options.database_url)}")

    phase("warm up")
    phase("alone")
    work = (options.url, f"SELECT * FROM {options.table}", options.format, options.rate, 2 * options.seconds + 5)
    readers = multiprocessing.Process(target=run_readers, args=(options.readers, *work))
    readers.start()
    phase("they come")
    phase("they read")
    readers.join()


if __name__ == "__main__":
    main()
