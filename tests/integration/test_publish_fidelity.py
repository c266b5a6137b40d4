"""What is in a file is what is in the table, cell by cell, for every format and type; the expected values are made here, not read back."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from publishing import publish
from publishing import table as published_table
from sqlalchemy import text

from vo_server.db.database import Database

ROWS = 3_000
WORDS = np.array(["", "a", "with blank", " leading", "NA", "None", "it's", 'quo"ted', "semi;colon", "comma,", "0123", "true"])
Cells = dict[str, list[Any]]


def numbers(kind: str, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    info = np.iinfo(kind)
    values = generator.integers(info.min, info.max, ROWS, dtype=kind, endpoint=True)
    values[:2] = info.min, info.max
    return values


def floats(kind: str, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    values = (generator.standard_normal(ROWS) * 10.0 ** generator.integers(-30, 30, ROWS)).astype(kind)
    values[:4] = np.nan, np.inf, -np.inf, -0.0
    return values


def expected(values: Any, nulls: Any = None) -> list[Any]:
    """As PostgreSQL should give them: a scalar NaN is NULL, in arrays it stays."""
    listed = np.asarray(values).reshape(len(values), *([-1] if np.ndim(values) > 1 else [])).tolist()
    missing = [False] * len(listed) if nulls is None else list(nulls)
    return [None if gap or (isinstance(one, float) and math.isnan(one)) else one for one, gap in zip(listed, missing, strict=True)]


def stored(database: Database, name: str, columns: list[str]) -> Cells:
    table = published_table(database, f"data.{name}")
    with database.engine.connect() as connection:
        assert [column.name for column in table.columns] == columns
        # float4 as float8 has the bits of the file, not a rounded decimal
        fields = ", ".join(
            {"real": f'"{one.name}"::float8', "real[]": f'"{one.name}"::float8[]'}.get(one.sql_type, f'"{one.name}"')
            for one in table.columns
        )
        rows = connection.execute(text(f"SELECT {fields} FROM {table.physical} ORDER BY row")).all()
    return {column: [row[place] for row in rows] for place, column in enumerate(columns)}


def same(first: Any, second: Any) -> bool:
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second or (isinstance(first, float) and isinstance(second, float) and math.isnan(first) and math.isnan(second))


def check(database: Database, path: Path, cells: Cells) -> None:
    publish(database, path, table="t")
    found = stored(database, "t", list(cells))
    for column, values in cells.items():
        wrong = [row for row in range(ROWS) if not same(values[row], found[column][row])]
        assert not wrong, f"{column}, row {wrong[0]}: {values[wrong[0]]!r} became {found[column][wrong[0]]!r} ({len(wrong)} differ)"


def positions(generator: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    """Uniform on the sphere, with the poles, the seam, and some missing."""
    ra, dec = generator.uniform(0, 360, ROWS), np.degrees(np.arcsin(generator.uniform(-1, 1, ROWS)))
    ra[:4], dec[:4] = [0, 360, 10, 20], [0, 0, 90, -90]
    ra[5:8], dec[6:9] = np.nan, np.nan
    return {"row": np.arange(ROWS, dtype="i4"), "ra": ra, "dec": dec}


def test_fits(database: Database, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    place = positions(generator)
    words = generator.choice(np.char.rstrip(WORDS), ROWS)
    kinds = {"u1": ("B", 0), "i1": ("B", -128), "i2": ("I", 0), "u2": ("I", 2**15), "i4": ("J", 0), "u4": ("J", 2**31), "i8": ("K", 0)}
    data = {kind: numbers(kind, generator) for kind in kinds} | {"f4": floats("f4", generator), "f8": floats("f8", generator)}
    data["u8"] = numbers("u8", generator) >> np.uint64(1)
    data["bits"] = generator.integers(0, 2, (ROWS, 13)).astype(bool)
    data["flags"] = generator.integers(0, 2, (ROWS, 3)).astype(bool)
    data["cube"] = floats("f4", generator).repeat(12).reshape(ROWS, 2, 3, 2)
    nulls = data["i4"] % 3 == 0
    data["i4"][nulls] = -99
    ragged = np.array([*(generator.integers(-9, 9, n % 5).astype("i2") for n in range(ROWS)), None], dtype=object)[:-1]
    columns = [fits.Column(name, "D" if name != "row" else "J", array=values) for name, values in place.items()]
    columns += [
        fits.Column(kind, code, bzero=zero or None, null=-99 if kind == "i4" else None, array=data[kind])
        for kind, (code, zero) in kinds.items()
    ]
    columns += [
        fits.Column("f4", "E", array=data["f4"]),
        fits.Column("f8", "D", array=data["f8"]),
        fits.Column("u8", "K", bzero=2**63, array=data["u8"]),
    ]
    columns += [fits.Column("bits", "13X", array=data["bits"]), fits.Column("flags", "3L", array=data["flags"])]
    columns += [fits.Column("cube", "12E", dim="(2,3,2)", array=data["cube"]), fits.Column("ragged", "PI()", array=ragged)]
    columns += [fits.Column("words", "12A", array=words)]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits.gz")
    cells = {name: expected(values) for name, values in place.items()}
    cells |= {name: expected(data[name], nulls if name == "i4" else None) for name in (*kinds, "f4", "f8", "u8", "bits", "flags", "cube")}
    cells |= {"ragged": [one.tolist() for one in ragged], "words": [str(word) or None for word in words]}
    check(database, tmp_path / "t.fits.gz", cells)


def test_parquet(database: Database, tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    nulls = generator.integers(0, 4, ROWS) == 0
    arrays: dict[str, np.ndarray[Any, Any]] = positions(generator)
    arrays |= {kind: numbers(kind, generator) for kind in ("u1", "i1", "i2", "u2", "i4", "u4", "i8")}
    arrays |= {kind: floats(kind, generator) for kind in ("f4", "f8")}
    arrays |= {"flag": generator.integers(0, 2, ROWS).astype(bool), "when": numbers("i8", generator) // 2**13}
    arrays["when"] = arrays["when"] // 100 % 10**17
    table = {name: pa.array(values, mask=None if name in ("row", "ra", "dec") else nulls) for name, values in arrays.items()}
    table["when"] = table["when"].cast(pa.timestamp("us"))
    lists = [None if gap else [*generator.standard_normal(row % 4).tolist(), math.nan] for row, gap in enumerate(nulls)]
    words = [
        None if gap else str(word) + "ß" * (row % 3)
        for row, (gap, word) in enumerate(zip(nulls, generator.choice(WORDS, ROWS), strict=True))
    ]
    pq.write_table(pa.table(table | {"lists": pa.array(lists), "words": pa.array(words)}), tmp_path / "t.parquet", row_group_size=700)
    cells = {name: expected(values, None if name in ("row", "ra", "dec") else nulls) for name, values in arrays.items()}
    cells |= {"when": table["when"].to_pylist(), "lists": lists, "words": words}
    check(database, tmp_path / "t.parquet", cells)


@pytest.mark.parametrize("serialisation", ["tabledata", "binary2"])
def test_votable(database: Database, tmp_path: Path, serialisation: str) -> None:
    generator = np.random.default_rng(3)
    nulls = generator.integers(0, 4, ROWS) == 0
    place = positions(generator)
    data = {kind: numbers(kind, generator) for kind in ("u1", "i2", "i4", "i8")} | {kind: floats(kind, generator) for kind in ("f4", "f8")}
    table = Table(place | {kind: MaskedColumn(values, mask=nulls) if kind[0] != "f" else values for kind, values in data.items()})
    table["flag"] = generator.integers(0, 2, ROWS).astype(bool)
    table["vector"] = floats("f4", generator).repeat(3).reshape(ROWS, 3)
    words = [f"{word} Ωé" for word in generator.choice(np.array(["a", "b c", "<&>"]), ROWS)]
    table["words"] = words
    table.write(tmp_path / "t.vot", format="votable", tabledata_format=serialisation)
    cells = {name: expected(values) for name, values in place.items()}
    cells |= {kind: expected(values, None if kind[0] == "f" else nulls) for kind, values in data.items()}
    cells |= {"flag": table["flag"].tolist(), "vector": expected(table["vector"]), "words": words}
    check(database, tmp_path / "t.vot", cells)


def test_ecsv(database: Database, tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    nulls = generator.integers(0, 4, ROWS) == 0
    place = positions(generator)
    data = {kind: numbers(kind, generator) for kind in ("u1", "i1", "u2", "i4", "u4", "i8")} | {
        kind: floats(kind, generator) for kind in ("f4", "f8")
    }
    table = Table(place | {kind: MaskedColumn(values, mask=nulls) for kind, values in data.items()})
    words = generator.choice(np.char.strip(WORDS[1:]), ROWS)
    table["words"] = MaskedColumn(words, mask=nulls)
    table["vector"] = generator.standard_normal((ROWS, 2))
    table.write(tmp_path / "t.ecsv", format="ascii.ecsv")
    cells = {name: expected(values) for name, values in place.items()}
    cells |= {kind: expected(values, nulls) for kind, values in data.items()}
    cells |= {"words": [None if gap else str(word) for word, gap in zip(words, nulls, strict=True)], "vector": expected(table["vector"])}
    check(database, tmp_path / "t.ecsv", cells)


@pytest.mark.parametrize(("name", "delimiter"), [("t.csv", ","), ("t.tsv", "\t")])
def test_delimited(database: Database, tmp_path: Path, name: str, delimiter: str) -> None:
    generator = np.random.default_rng(5)
    nulls = generator.integers(0, 4, ROWS) == 0
    arrays = positions(generator) | {"i4": numbers("i4", generator), "i8": numbers("i8", generator), "f8": floats("f8", generator)}
    arrays |= {"flag": generator.integers(0, 2, ROWS).astype(bool), "words": generator.choice(WORDS[1:], ROWS)}
    masked = ("i4", "i8", "f8", "flag", "words")
    table = {column: pa.array(values, mask=nulls if column in masked else None, from_pandas=True) for column, values in arrays.items()}
    pyarrow.csv.write_csv(pa.table(table), tmp_path / name, pyarrow.csv.WriteOptions(delimiter=delimiter))
    cells = {column: expected(values, nulls if column in masked else None) for column, values in arrays.items()}
    check(database, tmp_path / name, cells)
