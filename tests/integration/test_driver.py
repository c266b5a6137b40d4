"""What we rely on the driver for, and what one of its versions got wrong (docs/decisions/0031): NULL within arrays, batches that are parts
of others, and connections that are lost, at which a whole server ended.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise

import adbc_driver_postgresql.dbapi
import numpy as np
import pyarrow as pa
import pytest

from vo_server.db.database import Database

SQL_ARRAYS = {
    pa.bool_(): "boolean[]",
    pa.int16(): "smallint[]",
    pa.int32(): "integer[]",
    pa.int64(): "bigint[]",
    pa.float32(): "real[]",
    pa.float64(): "double precision[]",
}
"""Arrow type of an element → the type of the arrays in PostgreSQL."""

VALUES = {
    pa.bool_(): (True, False),
    pa.int16(): (-(2**15), 7),
    pa.int32(): (-(2**31), 7),
    pa.int64(): (-(2**63), 2**53 + 1),
    pa.float32(): (1.5, float("inf")),
    pa.float64(): (0.1, -1e300),
}


@pytest.fixture
def cursor(database: Database) -> Iterator[adbc_driver_postgresql.dbapi.Cursor]:
    with adbc_driver_postgresql.dbapi.connect(database.publish_uri) as connection, connection.cursor() as cursor:
        yield cursor


def batch(element: pa.DataType, rows: list[list[object] | None], start: int) -> pa.RecordBatch:
    numbers = pa.array(range(start, start + len(rows)), pa.int32())
    return pa.RecordBatch.from_arrays(
        [numbers, pa.array(rows, pa.list_(element)), pa.array(["x"] * len(rows))], names=["n", 'odd "name"', "t"]
    )


def ingest(cursor: adbc_driver_postgresql.dbapi.Cursor, batches: Iterable[pa.RecordBatch]) -> None:
    parts = list(batches)
    cursor.adbc_ingest("t", pa.RecordBatchReader.from_batches(parts[0].schema, parts), mode="append", temporary=True)


@pytest.mark.parametrize("element", SQL_ARRAYS, ids=str)
def test_null_within_arrays_stays_null(cursor: adbc_driver_postgresql.dbapi.Cursor, element: pa.DataType) -> None:
    one, two = VALUES[element]
    rows = [[one, two], None, [], [one, None, two], [None], [None, None], [two], [one]]
    cursor.execute(f'CREATE TEMPORARY TABLE t (n integer, "odd ""name""" {SQL_ARRAYS[element]}, t text)')
    whole = batch(element, rows, 0)
    ingest(cursor, (whole.slice(start, 2) for start in range(0, len(rows), 2)))
    cursor.execute("SELECT * FROM t ORDER BY n")
    assert cursor.fetch_arrow_table().column(1).to_pylist() == rows


def test_parts_of_batches_are_those_parts(cursor: adbc_driver_postgresql.dbapi.Cursor) -> None:
    """Tables of all types, in parts of every size, and parts of parts."""
    dice = np.random.default_rng(1)
    count = 300
    some = dice.random(count) < 0.8
    columns = {
        "n": pa.array(range(count), pa.int32()),
        "flag": pa.array(dice.random(count) < 0.5, mask=~some),
        "short": pa.array(dice.integers(-9, 9, count), pa.int16(), mask=~some),
        "long": pa.array(dice.integers(-(2**62), 2**62, count), pa.int64(), mask=~some),
        "real": pa.array(dice.random(count), pa.float32(), mask=~some),
        "double": pa.array(dice.random(count), pa.float64(), mask=~some),
        "words": pa.array(["é" * int(size) for size in dice.integers(0, 9, count)], pa.large_string(), mask=~some),
        "instant": pa.array(dice.integers(-(2**50), 2**50, count), pa.timestamp("us"), mask=~some),
    }
    for number, (element, pair) in enumerate(VALUES.items()):
        cells = [[pair[int(bit)] for bit in dice.integers(0, 2, size)] if size < 5 else None for size in dice.integers(0, 6, count)]
        columns[f"list{number}"] = pa.array(cells, pa.list_(element))
    whole = pa.RecordBatch.from_pydict(columns)
    kinds = ("integer", "boolean", "smallint", "bigint", "real", "double precision", "text", "timestamp", *SQL_ARRAYS.values())
    cursor.execute(f"CREATE TEMPORARY TABLE t ({', '.join(f'{name} {kind}' for name, kind in zip(columns, kinds, strict=True))})")
    borders = [0, 1, 2, 9, 64, 100, 101, 250, count]
    ingest(
        cursor,
        (
            whole.slice(3).slice(start - 3, stop - start) if start > 3 else whole.slice(start, stop - start)
            for start, stop in pairwise(borders)
        ),
    )
    cursor.execute("SELECT * FROM t ORDER BY n")
    assert cursor.fetch_arrow_table().to_pylist() == whole.to_pylist()


LOSE = """
import sys
import adbc_driver_postgresql.dbapi
import psycopg

uri, how = sys.argv[1:]
with adbc_driver_postgresql.dbapi.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT pg_backend_pid()")
    pid = cursor.fetchone()[0]
    if how == "mid-stream":
        cursor.execute("SELECT n, repeat('x', 100) AS t FROM generate_series(1, 10000000) AS n")
        reader = cursor.fetch_record_batch()
        reader.read_next_batch()
    with psycopg.connect(uri, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    try:
        if how == "mid-stream":
            for _ in reader: pass
        else:
            cursor.execute("SELECT 1")
    except (OSError, ValueError, adbc_driver_postgresql.dbapi.Error) as error:
        print("told:", type(error).__name__)
"""


@pytest.mark.parametrize("how", ["idle", "mid-stream"])
def test_a_lost_connection_is_an_error_and_not_the_end(database: Database, how: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOSE, database.publish_uri, how], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout[:5]) == (0, "told:"), done.stderr
