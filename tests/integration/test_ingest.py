"""Arrow batches into tables, whatever they hold: above all NULL within arrays, and parts of other batches, which the driver mistakes."""

from collections.abc import Iterator
from itertools import pairwise

import adbc_driver_postgresql.dbapi
import numpy as np
import pyarrow as pa
import pytest

from vo_server.db.database import Database
from vo_server.db.ingest import SQL_ARRAYS, ingest

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


@pytest.mark.parametrize("element", SQL_ARRAYS, ids=str)
@pytest.mark.parametrize("schema", ["vo_data", None])
def test_null_within_arrays_stays_null(cursor: adbc_driver_postgresql.dbapi.Cursor, element: pa.DataType, schema: str | None) -> None:
    one, two = VALUES[element]
    rows = [[one, two], None, [], [one, None, two], [None], [None, None], [two], [one]]
    where, made = ("vo_data.t", "TABLE vo_data.t") if schema else ("t", "TEMPORARY TABLE t")
    cursor.execute(f'CREATE {made} (n integer, "odd ""name""" {SQL_ARRAYS[element]}, t text)')
    whole = batch(element, rows, 0)
    ingest(cursor, "t", (whole.slice(start, 2) for start in range(0, len(rows), 2)), schema)
    cursor.execute(f"SELECT * FROM {where} ORDER BY n")
    assert cursor.fetch_arrow_table().column(1).to_pylist() == rows
    cursor.execute("SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'vo_detour'")
    assert cursor.fetchone() == (0,)


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
        "t",
        (
            whole.slice(3).slice(start - 3, stop - start) if start > 3 else whole.slice(start, stop - start)
            for start, stop in pairwise(borders)
        ),
    )
    cursor.execute("SELECT * FROM t ORDER BY n")
    assert cursor.fetch_arrow_table().to_pylist() == whole.to_pylist()
