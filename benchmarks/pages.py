"""Pages over HTTP, as a browser asks for them first and again: latency and size.

    vo demo
    python benchmarks/pages.py http://127.0.0.1:8000 --table hipparcos.stars

The aims: the first page in 20 ms, the page of a table in 50 ms when it is warm (median), no page larger than 300 kB. The first request
for a table or a drawing reads rows of it; its time stands beside.
"""

import argparse
import time
from urllib.parse import urlencode

from kit import connect, get, report, timed

LARGEST = 300_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--table", default="hipparcos.stars")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    table = {"table": options.table}
    pages = {
        "start page": "/",
        "table": f"/tables/{options.table}",
        "query": "/query",
        "query with rows": f"/query?{urlencode({'QUERY': f'SELECT TOP 50 * FROM {options.table}', 'RUN': 1})}",
        "datasets": "/datasets",
        "map of the table": f"/plots/sky.svg?{urlencode(table)}",
        "style sheet": "/static/style.css",
        "words of the editor": "/query/words.json",
    }
    connection = connect(options.url)
    too_large = []
    for name, address in pages.items():
        begin = time.perf_counter()
        size = len(get(connection, address))
        first = time.perf_counter() - begin
        seconds, total = timed(connection, [address] * options.rounds)
        report(name, seconds, total, f"   first {first * 1e3:7.1f} ms")
        if size > LARGEST:
            too_large.append(f"{name}: {size} bytes")
    if too_large:
        raise SystemExit("larger than 300 kB: " + ", ".join(too_large))


if __name__ == "__main__":
    main()
