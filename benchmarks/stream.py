"""Streaming a large table by TAP beside ``psql`` COPY BINARY of the same rows, in one run, and the memory of the server meanwhile.

    vo publish tycho2.parquet ; vo serve
    python benchmarks/stream.py --url http://127.0.0.1:8000 --database-url postgresql://user:password@host/db --table data.tycho2

``mixed.py`` makes a table of 14 columns of all kinds to measure too. Each round runs COPY, then each format, so that a busy machine is
equally busy for all; the best round of each counts. The ratio is that of the whole times, and beside it stands what it is to be at most.
COPY reads the columns that TAP gives, from the table that has the rows.
The server's memory is the resident set of the process that listens on the port (psutil), or of `--pid`, at its highest while rows
flow. Nothing is kept: rows are read and dropped. The first byte of FITS and Parquet is not yet one of a row: their rows leave at the
end, or in groups.
"""

import argparse
import csv
import http.client
import subprocess
import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import psutil
import psycopg
from kit import MEGABYTE, MemoryWatch, connect, get, query, server_process

FORMATS = ("votable/b2", "votable/b", "votable", "csv", "tsv", "json", "fits", "parquet", "arrow", "html", "text")
CHUNK = 1 << 18
AT_MOST = {"votable/b2": 1.3, "votable": 2.5, "csv": 1.8, "fits": 2.0, "parquet": 2.0}
"""Ratio to COPY that a format is to stay below."""


@dataclass
class Measure:
    """Seconds to the first byte of the body and to the last one, bytes, and the highest resident set of the server in MB."""

    first: float
    whole: float
    size: int
    memory: float = 0.0


def copy(database_url: str, sql: str) -> Measure:
    """COPY BINARY to nowhere, by psql."""
    begin = time.perf_counter()
    with subprocess.Popen(["psql", database_url, "-qc", f"COPY ({sql}) TO STDOUT (FORMAT binary)"], stdout=subprocess.PIPE) as psql:
        assert psql.stdout is not None
        size = len(psql.stdout.read(1))
        first = time.perf_counter() - begin
        while chunk := psql.stdout.read(CHUNK):
            size += len(chunk)
    if psql.returncode:
        raise SystemExit(f"psql failed ({psql.returncode})")
    return Measure(first, time.perf_counter() - begin, size)


def fetch(url: str, adql: str, form: str, rows: int, process: psutil.Process | None) -> Measure:
    """One answer of /tap/sync, read to its end."""
    parts = urlsplit(url)
    body = urlencode({"LANG": "ADQL", "QUERY": adql, "MAXREC": rows, "RESPONSEFORMAT": form})
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=600)
    with MemoryWatch(process) as watch:
        begin = time.perf_counter()
        connection.request("POST", f"{parts.path}/tap/sync", body, {"Content-Type": "application/x-www-form-urlencoded"})
        reply = connection.getresponse()
        start = reply.read(1)
        first = time.perf_counter() - begin
        size, end = len(start), b""
        while chunk := reply.read(CHUNK):
            size, end = size + len(chunk), (end + chunk)[-2000:]
        whole = time.perf_counter() - begin
    connection.close()
    if reply.status != 200 or b'value="ERROR"' in end or not size:
        raise SystemExit(f"{form}: {reply.status} {end.decode(errors='replace')}")
    return Measure(first, whole, size, watch.highest)


def best(rounds: list[Measure]) -> Measure:
    """The best of each number, and the worst of memory."""
    return Measure(min(one.first for one in rounds), min(one.whole for one in rounds), rounds[0].size, max(one.memory for one in rounds))


def print_table(reference: Measure, measures: dict[str, Measure], rows: int) -> None:
    """A line for each way."""
    print(f"{'':12s} {'whole s':>8s} {'ratio':>6s} {'most':>5s} {'first ms':>9s} {'MB':>8s} {'rows/s':>10s} {'server MB':>10s}")
    for name, one in {"COPY BINARY": reference, **measures}.items():
        ratio, memory = one.whole / reference.whole, f"{one.memory:10.0f}" if one.memory else f"{'–':>10s}"
        speed = f"{one.whole:8.2f} {ratio:6.2f} {AT_MOST.get(name, ''):>5} {one.first * 1e3:9.1f}"
        print(f"{name:12s} {speed} {one.size / MEGABYTE:8.1f} {rows / one.whole:10.0f} {memory}")


def ask(url: str, adql: str) -> list[list[str]]:
    """The lines of a small answer, the column names first."""
    connection = connect(url)
    lines = list(csv.reader(get(connection, query(url, adql, FORMAT="csv")).decode().splitlines()))
    connection.close()
    return lines


def physical_of(database_url: str, table: str) -> str:
    """The table in PostgreSQL that has the rows."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT physical FROM vo.tables WHERE tap_name = %s", (table,)).fetchone()
    if found is None:
        raise SystemExit(f"{table} is not published")
    return str(found[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="base URL of the server")
    parser.add_argument("--database-url", required=True, help="its database, as psql takes it")
    parser.add_argument("--table", required=True, help="name in ADQL")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", nargs="+", default=FORMATS)
    parser.add_argument("--pid", type=int, help="process whose memory is watched")
    options = parser.parse_args()
    process = server_process(options.url, options.pid)
    columns = ", ".join(f'"{name}"' for name in ask(options.url, f"SELECT TOP 0 * FROM {options.table}")[0])
    rows = min(options.rows, int(ask(options.url, f"SELECT COUNT(*) AS n FROM {options.table}")[1][0]))
    sql = f"SELECT {columns} FROM {physical_of(options.database_url, options.table)} LIMIT {options.rows}"
    adql = f"SELECT TOP {options.rows} * FROM {options.table}"
    copies: list[Measure] = []
    fetches: dict[str, list[Measure]] = {form: [] for form in options.formats}
    for _ in range(options.rounds):
        copies.append(copy(options.database_url, sql))
        for form, rounds in fetches.items():
            rounds.append(fetch(options.url, adql, form, options.rows, process))
    print_table(best(copies), {form: best(rounds) for form, rounds in fetches.items()}, rows)


if __name__ == "__main__":
    main()
