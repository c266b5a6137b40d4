"""What others read in our documents: astropy and, where it is installed, STILTS."""

import csv
import io
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import ascii as astropy_ascii
from astropy.io import votable
from formats_tables import BINARY, BINARY2, CSV, FITS, TABLEDATA, TSV, Sample, everything, single, without_smallest, write

from vo_server.formats import Format
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Info

VOTABLES = pytest.mark.parametrize("format_", [TABLEDATA, BINARY2, BINARY], ids=["TABLEDATA", "BINARY2", "BINARY"])
stilts = pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS is not installed")


@VOTABLES
@pytest.mark.parametrize("version", ["1.4", "1.5"])
def test_astropy_reads_every_cell(format_: Format, version: str) -> None:
    sample = without_smallest(everything())
    document = write(format_, sample, infos=(Info("QUERY", "SELECT * FROM t"),), ending=Ending.OVERFLOW, version=version)
    table = votable.parse(io.BytesIO(document), verify="exception").get_first_table()
    for index, column in enumerate(sample.columns):
        read = table.array[column.name]
        for cell, row in zip(read, sample.rows, strict=True):
            assert_equal(cell, row[index], column)


def assert_equal(cell: Any, wanted: Any, column: Column) -> None:
    if wanted is None:
        assert str(cell) == "" or np.ma.getmaskarray(cell).all(), column
    elif column.is_timestamp:
        assert str(cell) == wanted.isoformat().replace("600000", "6")
    elif column.is_array:
        flat = np.asarray(np.ma.filled(cell.astype(float), math.nan)).ravel()
        assert np.array_equal(flat, np.array([single(x) if column.datatype == "float" else x for x in wanted], float), equal_nan=True), (
            column
        )
    else:
        assert cell == wanted, column


@VOTABLES
def test_astropy_reads_an_empty_result(format_: Format) -> None:
    sample = everything()
    table = votable.parse(io.BytesIO(write(format_, Sample(sample.columns, ()))), verify="exception").get_first_table()
    assert [field.name for field in table.fields] == [column.name for column in sample.columns]
    assert len(table.array) == 0


@pytest.mark.parametrize(("format_", "reader"), [(CSV, "csv"), (TSV, "tab")], ids=["CSV", "TSV"])
def test_astropy_reads_text(format_: Format, reader: str) -> None:
    # astropy skips lines of blanks and tabs alone: a row of nothing but nulls is not there for it
    whole = everything()
    sample = Sample(whole.columns, whole.rows if format_ is CSV else (*whole.rows[:2], whole.rows[3]))
    table = astropy_ascii.read(write(format_, sample).decode(), format=reader)
    assert table.colnames == [column.name for column in sample.columns]
    for name in ("short", "int", "long", "float", "ra"):
        index = table.colnames.index(name)
        assert [None if np.ma.is_masked(cell) else cell for cell in table[name]] == [row[index] for row in sample.rows]
    comments = [row[table.colnames.index("comment")] or "" for row in sample.rows]
    assert list(np.ma.filled(table["comment"], "")) == comments


def run_stilts(*arguments: str) -> str:
    return subprocess.run(["stilts", *arguments], capture_output=True, text=True, check=True, timeout=100).stdout


FILLED = {
    "flags": "(false, false, false, false)",
    "three": "(NaN, NaN, NaN)",
    "matrix": "((NaN, NaN), (NaN, NaN), (NaN, NaN))",
    "point": "(NaN, NaN)",
}
"""Null arrays of a fixed number of elements, as STIL reads them where they stand as that many null elements."""


@stilts
@pytest.mark.parametrize(
    ("format_", "filled"),
    [(TABLEDATA, ("three", "matrix", "point")), (BINARY2, ()), (BINARY, tuple(FILLED)), (FITS, tuple(FILLED))],
    ids=["TABLEDATA", "BINARY2", "BINARY", "FITS"],
)
def test_stilts_reads_every_cell(format_: Format, filled: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / f"result.{format_.extension}"
    sample = without_smallest(everything())
    file.write_bytes(write(format_, sample))
    rows = list(csv.DictReader(io.StringIO(run_stilts("tpipe", f"in={file}", "omode=out", "ofmt=csv", "out=-"))))
    in_ascii = format_ is FITS
    assert rows[0]["name"] == "a<b&c>d"
    assert [row["byte"] for row in rows] == ["0", "255", "", "7"]
    assert [row["long"] for row in rows] == ["-9223372036854775807", "9223372036854775807", "", "4"]
    assert [row["comment"] for row in rows] == (["? ? ?", "plain", "", "?"] if in_ascii else ["Å 😀 é", "plain", "", "𝄞"])
    assert [row["time"] for row in rows] == ["2020-01-02T03:04:05.6", "0001-01-01T00:00:00", "", "9999-12-31T23:59:59.000001"]
    assert [row["flag"] for row in rows] == ["true", "false", "", "true"]
    assert rows[1]["three"] == "(0.1, NaN, Infinity)"
    assert rows[1]["many"] == "(2.0, 3.0, 4.5)"
    assert rows[0]["matrix"] == "((1.0, 2.0), (3.0, 4.0), (5.0, 6.5))"
    assert rows[2] == {column.name: FILLED[column.name] if column.name in filled else "" for column in sample.columns}


@stilts
@VOTABLES
def test_votlint_finds_nothing(format_: Format, tmp_path: Path) -> None:
    # votlint counts the elements of an empty TD, which VOTable 1.5 §5.2 makes the null of any type: the array of booleans stays without.
    # It does not know the xtype moc of DALI 1.2 yet.
    sample = without_smallest(everything())
    left_out = ("cover", "flags") if format_ is TABLEDATA else ("cover",)
    kept = [index for index, column in enumerate(sample.columns) if column.name not in left_out]
    file = tmp_path / "result.vot"
    part = Sample(tuple(sample.columns[index] for index in kept), tuple(tuple(row[index] for index in kept) for row in sample.rows))
    file.write_bytes(write(format_, part, ending=Ending.OVERFLOW))
    assert run_stilts("votlint", f"votable={file}") == ""
