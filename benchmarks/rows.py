"""What taking rows over from PostgreSQL costs: CPU seconds of this process alone, a million rows of 14 mixed columns as Arrow.

    python benchmarks/rows.py postgresql://user:password@host/db

Ours (``vo_server.db.wire``), by the socket and through libpq as on encrypted connections, beside Arrow's driver for PostgreSQL, which
loads our tables. ``--library`` names other versions of it, from ``pip install --no-deps --target DIRECTORY
adbc-driver-postgresql==VERSION``: some of its wheels were compiled without optimisation, and nothing else tells them apart. The rows are
made by the query; nothing is stored.
"""

import argparse
import time
from collections.abc import Callable, Iterable

import adbc_driver_manager.dbapi
import adbc_driver_postgresql
import psycopg
import pyarrow as pa

from vo_server.db import wire

COLUMNS = {
    "bigint": "n",
    "double precision": "n * 1e-4",
    "real": "n",
    "boolean": "n % 2 = 0",
    "smallint": "n % 9",
    "integer": "n",
    "text": "'TXS 0506+056'",
    "timestamp": "'2017-09-22T20:54:30'",
    "real[]": "'{1,2,3}'",
    "integer[]": "'{1,2}'",
}
TYPES = [*COLUMNS, "text", "bigint", "double precision", "double precision"]
ROUNDS = 3


def query(rows: int) -> str:
    """The rows."""
    return f"SELECT {', '.join(f'({COLUMNS[name]})::{name}' for name in TYPES)} FROM generate_series(1, {rows}) AS n"


def cost(batches: Callable[[], Iterable[pa.RecordBatch]], rows: int) -> float:
    """CPU seconds in the best of some rounds, system calls included."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        count = sum(batch.num_rows for batch in batches())
        rounds.append(time.process_time() - begin)
        assert count == rows
    return min(rounds)


def ours(url: str, rows: int, source: type[wire.Socket] | type[wire.Libpq]) -> float:
    """The cost of our own reader."""
    wire.source_of = lambda _: source
    with psycopg.connect(url, autocommit=True) as connection:
        return cost(lambda: wire.Rows(connection, query(rows), TYPES), rows)


def driver(url: str, rows: int, library: str) -> float:
    """The cost of Arrow's driver."""
    with (
        adbc_driver_manager.dbapi.connect(driver=library, db_kwargs={"uri": url}, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):

        def batches() -> Iterable[pa.RecordBatch]:
            cursor.execute(query(rows))
            return cursor.fetch_record_batch()

        return cost(batches, rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database_url")
    parser.add_argument("--library", nargs="+", default=[adbc_driver_postgresql._driver_path()], help="shared libraries to compare")
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    for source in (wire.Socket, wire.Libpq):
        print(f"{ours(asked.database_url, asked.rows, source):6.2f} s  ours, {source.__name__}")
    for library in asked.library:
        print(f"{driver(asked.database_url, asked.rows, library):6.2f} s  {library}")


if __name__ == "__main__":
    main()
