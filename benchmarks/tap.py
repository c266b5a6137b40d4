"""What a user of one table feels: first rows, cones alone and beside somebody who downloads all of it, an asynchronous job.

    vo publish tycho2.parquet ; vo serve
    python benchmarks/tap.py http://127.0.0.1:8000 data.tycho2

Whole HTTP round trips on loopback, at concurrency 1, beside what they are to be at most. ``stream.py`` measures the formats beside COPY,
``upload.py`` uploads, ``slow_readers.py`` clients that read slowly.
"""

import argparse
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from urllib.parse import urlencode, urlsplit

from kit import cones, connect, get, query, report, timed

TIMES = 300
FORMATS = ("votable/b2", "votable", "csv", "fits")
ALL = 20_000_000


@contextmanager
def downloading(url: str, table: str, form: str) -> Iterator[None]:
    """Somebody downloads the whole table, again and again, until the block ends."""
    over = threading.Event()

    def download() -> None:
        while not over.is_set():
            connection = connect(url)
            connection.request("GET", query(url, f"SELECT * FROM {table}", MAXREC=ALL, FORMAT=form))
            reply = connection.getresponse()
            while reply.read(1 << 18):
                pass
            connection.close()

    thread = threading.Thread(target=download)
    thread.start()
    time.sleep(0.3)
    try:
        yield
    finally:
        over.set()
        thread.join()


def job(url: str, text: str) -> float:
    """Seconds from the POST of an asynchronous job to the last byte of its result, as a client that waits by WAIT sees them."""
    connection, begin = connect(url), time.perf_counter()
    body = urlencode({"LANG": "ADQL", "QUERY": text, "PHASE": "RUN"})
    connection.request("POST", "/tap/async", body, {"Content-Type": "application/x-www-form-urlencoded"})
    reply = connection.getresponse()
    reply.read()
    path = urlsplit(reply.headers["Location"]).path
    while (phase := get(connection, f"{path}/phase").decode()) in ("PENDING", "QUEUED", "EXECUTING"):
        get(connection, f"{path}?WAIT=20&PHASE={phase}")
    get(connection, f"{path}/results/result")
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("table")
    parser.add_argument("--radius", type=float, default=0.1, help="of cones, in degrees")
    asked = parser.parse_args()
    first = query(asked.url, f"SELECT TOP 1 * FROM {asked.table}")
    places = list(islice(cones(asked.url, asked.table, asked.radius), TIMES))
    connection = connect(asked.url)
    report("TOP 1", *timed(connection, [first] * TIMES), more="   p50 at most 5 ms")
    report("cone alone", *timed(connection, places))
    for form in FORMATS:
        with downloading(asked.url, asked.table, form):
            report(f"cone beside {form}", *timed(connection, places), more="   p99 at most 30 ms")
    report("asynchronous job", [job(asked.url, f"SELECT TOP 1 * FROM {asked.table}") for _ in range(20)], more="   at most 300 ms")


if __name__ == "__main__":
    main()
