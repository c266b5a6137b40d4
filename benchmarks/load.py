"""Loading against a bare COPY of the same rows: ``python benchmarks/load.py FILE``, or ``--rows N`` synthetic ones.

An embedded PostgreSQL in a temporary directory. The peer is psql with ``COPY … FROM STDIN (FORMAT binary)`` of the very same rows, and the
b-tree on their cells; ours is everything between a file and a published table. Prints seconds, the ratio, and our most memory. ``--alone``
leaves the peer out, where there is no room for the rows three times: 100 million of them need 30 GB meanwhile.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from kit import MemoryWatch

from vo_server.app import record_keeper
from vo_server.db.cluster import wheel_programs
from vo_server.db.database import open_database
from vo_server.db.setup import prepare
from vo_server.publish import PublishOptions, publish_file
from vo_server.settings import Settings

CHUNK = 1_000_000
SIZE = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname LIKE 't_stars%' AND relkind = 'r'"


def synthetic(path: Path, rows: int) -> None:
    """Positions evenly over the sky, magnitudes, times, a name."""
    random = np.random.default_rng(1)
    writer = None
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        table = pa.table(
            {
                "source_id": np.arange(start, start + count),
                "ra": random.uniform(0, 360, count),
                "dec": np.degrees(np.arcsin(random.uniform(-1, 1, count))),
                "mag": random.normal(15, 2, count).astype(np.float32),
                "mjd": random.uniform(55000, 60000, count),
                "flag": random.integers(0, 9, count, dtype=np.int16),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


@contextmanager
def timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began
    print(f"{name:32} {seconds[name]:8.2f} s", flush=True)


def psql(url: str, command: str, *, source: Path | None = None, target: Path | None = None) -> None:
    with (
        source.open("rb") if source else open("/dev/null", "rb") as given,
        target.open("wb") if target else open("/dev/null", "wb") as taken,
    ):
        subprocess.run([wheel_programs() / "psql", "-X", "-q", "-d", url, "-c", command], stdin=given, stdout=taken, check=True)


def postmaster(url: str) -> psutil.Process:
    """The process of PostgreSQL that all others of it are children of."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        parent = psutil.Process(row[0]).parent()
        assert parent is not None
        return parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--alone", action="store_true", help="load only, without the bare COPY beside it")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where there is room")
    asked = parser.parse_args()
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        Path(folder).chmod(0o755)
        file = asked.file or Path(folder) / "stars.parquet"
        if asked.file is None:
            with ProcessPoolExecutor(1) as other:  # whose memory is not ours
                other.submit(synthetic, file, asked.rows).result()
        settings = Settings(data_dir=Path(folder) / "data")
        with open_database(settings, print) as database:
            prepare(database)
            url = database.publish_uri
            options = PublishOptions(table="stars", partition_rows=settings.partition_rows)
            with MemoryWatch(psutil.Process()) as ours, MemoryWatch(postmaster(url), family=True) as postgres, timed("vo publish", seconds):
                done = publish_file(database, file, options, records=record_keeper(settings))
            with psycopg.connect(url, autocommit=True) as connection:
                size = connection.execute(SIZE).fetchone()
                assert size is not None
                print(f"{done.rows:,} rows, {float(size[0]) / 1e6:,.0f} MB in the database")
                if not asked.alone:
                    beside(connection, url, Path(folder) / "rows", seconds)
    if not asked.alone:
        bare = seconds["COPY FROM"] + seconds["CREATE INDEX"]
        print(f"vo publish / (COPY + b-tree): {seconds['vo publish'] / bare:.2f}   (at most 3)")
    print(f"most memory of our process: {ours.highest:,.0f} MB, of PostgreSQL's {postgres.highest:,.0f} MB   (at most 1000)")


def beside(connection: psycopg.Connection[tuple[str]], url: str, rows: Path, seconds: dict[str, float]) -> None:
    """The peer: what PostgreSQL alone takes for the rows that were loaded."""
    row = connection.execute("SELECT physical FROM vo.tables WHERE table_name = 'stars'").fetchone()
    assert row is not None
    psql(url, f"COPY {row[0]} TO STDOUT (FORMAT binary)", target=rows)
    connection.execute(f"CREATE TABLE vo_data.bare (LIKE {row[0]})")
    with timed("COPY FROM", seconds):
        psql(url, "COPY vo_data.bare FROM STDIN (FORMAT binary)", source=rows)
    with timed("CREATE INDEX", seconds):
        connection.execute("CREATE INDEX ON vo_data.bare (_hpx29)")


if __name__ == "__main__":
    sys.exit(main())
