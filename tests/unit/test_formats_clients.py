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
from formats_tables import Sample, everything, single, write

from vo_server.formats import FORMATS, Format
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Info

TABLEDATA, BINARY2, CSV, TSV, _ = FORMATS
VOTABLES = pytest.mark.parametrize("format_", [TABLEDATA, BINARY2], ids=["TABLEDATA", "BINARY2"])
stilts = pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS is not installed")


@VOTABLES
@pytest.mark.parametrize("version", ["1.4", "1.5"])
def test_astropy_reads_every_cell(format_: Format, version: str) -> None:
    sample = everything()
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


@stilts
def test_stilts_reads_the_same_from_both(tmp_path: Path) -> None:
    tables = []
    for format_ in (TABLEDATA, BINARY2):
        file = tmp_path / f"{format_.writer.__name__}.vot"
        file.write_bytes(write(format_, everything()))
        tables.append(run_stilts("tpipe", f"in={file}", "ifmt=votable", "omode=out", "ofmt=csv", "out=-"))
    assert tables[0] == tables[1]
    rows = list(csv.DictReader(io.StringIO(tables[0])))
    assert rows[0]["name"] == "a<b&c>d"
    assert [row["long"] for row in rows] == ["-9223372036854775808", "9223372036854775807", "", "4"]
    assert [row["comment"] for row in rows] == ["Å 😀 é", "plain", "", "𝄞"]
    assert rows[1]["three"] == "(0.1, NaN, Infinity)"
    assert set(rows[2].values()) == {""}


@stilts
@VOTABLES
def test_votlint_finds_nothing(format_: Format, tmp_path: Path) -> None:
    # votlint counts the elements of an empty TD, which VOTable 1.5 §5.2 makes the null of any type: fixed arrays stay without nulls here
    sample = everything()
    scalars = tuple(index for index, column in enumerate(sample.columns) if format_ is BINARY2 or column.length is None)
    file = tmp_path / "result.vot"
    part = Sample(tuple(sample.columns[index] for index in scalars), tuple(tuple(row[index] for index in scalars) for row in sample.rows))
    file.write_bytes(write(format_, part, ending=Ending.OVERFLOW))
    assert run_stilts("votlint", f"votable={file}") == ""
