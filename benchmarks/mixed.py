"""A table of 14 mixed columns to measure with.

    python benchmarks/mixed.py mixed.parquet --rows 1000000 ; vo publish mixed.parquet

Truth values, integers of three sizes, floats and doubles, ASCII and other texts, instants, arrays of fixed and of any length; a tenth of
most of them NULL, and texts that are empty. The same rows each time.
"""

import argparse

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ASCII = np.array(["alpha Ori", "M 31", "TXS 0506+056", "IC-170922A", "", "Crab nebula"])
GREEK = np.array(["α Ori", "β Cru", "Å", "naïve", "—"])
NULLS = 0.1
CHUNK = 1_000_000


def rows(dice: np.random.Generator, start: int, count: int) -> pa.Table:
    """Rows from `start` on."""

    def some(values: np.ndarray) -> pa.Array:
        return pa.array(values, mask=dice.random(count) < NULLS)

    ends = np.concatenate(([0], np.cumsum(dice.integers(0, 5, count)))).astype(np.int32)
    instants = (1_400_000_000_000_000 + dice.integers(0, 10**15, count)).astype("datetime64[us]")
    return pa.table(
        {
            "source_id": np.arange(start, start + count) + 10**15,
            "ra": dice.uniform(0, 360, count),
            "dec": np.degrees(np.arcsin(dice.uniform(-1, 1, count))),
            "good": some(dice.random(count) < 0.5),
            "flag": some(dice.integers(-9, 9, count, dtype=np.int16)),
            "counts": some(dice.integers(0, 10**6, count, dtype=np.int32)),
            "run": some(dice.integers(0, 2**60, count)),
            "mag": some(dice.normal(15, 2, count).astype(np.float32)),
            "flux": some(10 ** dice.normal(-9, 2, count)),
            "name": some(ASCII[dice.integers(0, len(ASCII), count)]),
            "label": some(GREEK[dice.integers(0, len(GREEK), count)]),
            "seen": some(instants),
            "band": pa.FixedSizeListArray.from_arrays(pa.array(dice.normal(0, 1, 3 * count).astype(np.float32)), 3),
            "hits": pa.ListArray.from_arrays(ends, pa.array(dice.integers(0, 1000, int(ends[-1]), dtype=np.int32))),
        }
    )


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    dice = np.random.default_rng(2)
    writer = None
    for start in range(0, asked.rows, CHUNK):
        table = rows(dice, start, min(CHUNK, asked.rows - start))
        writer = writer or pq.ParquetWriter(asked.file, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    main()
