"""Latency of cone searches on a published table, one client on loopback, beside what PostgreSQL alone takes for the same rows.

    vo publish tycho2.parquet ; vo serve
    python benchmarks/cone.py http://127.0.0.1:8000 data.tycho2 --radius 0.1

Prints the median and the 99th percentile of the whole HTTP round trip (Simple Cone Search, VOTable read to its last byte) and of the
same cone through TAP, over random positions of the sky.
"""

import argparse
import http.client
import random
import statistics
import time
from collections.abc import Callable, Iterator
from math import asin, degrees
from urllib.parse import urlencode, urlsplit


def positions(count: int, seed: int = 1) -> Iterator[tuple[float, float]]:
    """`count` positions spread evenly over the sphere, in degrees."""
    dice = random.Random(seed)
    for _ in range(count):
        yield dice.uniform(0, 360), degrees(asin(dice.uniform(-1, 1)))


def measure(connection: http.client.HTTPConnection, address: Callable[[float, float], str], count: int) -> tuple[list[float], int]:
    """Seconds of each request, and the bytes read."""
    seconds, size = [], 0
    for ra, dec in positions(count):
        begin = time.perf_counter()
        connection.request("GET", address(ra, dec))
        reply = connection.getresponse()
        body = reply.read()
        seconds.append(time.perf_counter() - begin)
        size += len(body)
        if reply.status != 200 or b'value="ERROR"' in body:
            raise SystemExit(body.decode())
    return seconds, size


def report(name: str, seconds: list[float], size: int) -> None:
    """One line of the table."""
    ranked = sorted(seconds)
    p99 = ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]
    median = statistics.median(ranked)
    print(f"{name:12s} median {median * 1e3:7.2f} ms   p99 {p99 * 1e3:7.2f} ms   {size / len(ranked) / 1024:8.1f} kB each")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="base URL of the server")
    parser.add_argument("table")
    parser.add_argument("--radius", type=float, default=0.1, help="degrees")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--ra", default="ra", help="name of the table's right ascension, for TAP")
    parser.add_argument("--dec", default="dec")
    options = parser.parse_args()
    parts = urlsplit(options.url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80)

    def cone(ra: float, dec: float) -> str:
        return f"{parts.path}/scs/{options.table}?" + urlencode({"RA": ra, "DEC": dec, "SR": options.radius})

    def tap(ra: float, dec: float) -> str:
        region = f"CIRCLE({ra:.8f}, {dec:.8f}, {options.radius})"
        query = f"SELECT * FROM {options.table} WHERE 1 = CONTAINS(POINT({options.ra}, {options.dec}), {region})"
        return f"{parts.path}/tap/sync?" + urlencode({"LANG": "ADQL", "QUERY": query})

    for name, address in (("cone search", cone), ("TAP", tap)):
        measure(connection, address, 20)
        report(name, *measure(connection, address, options.count))


if __name__ == "__main__":
    main()
