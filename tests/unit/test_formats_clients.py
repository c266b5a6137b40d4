"""What others read in our documents: astropy and, where it is installed, STILTS."""

import csv
import io
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import ascii as astropy_ascii
from astropy.io import votable
from formats_tables import BINARY, BINARY2, CSV, FITS, TABLEDATA, TSV, Sample, everything, single, without_smallest, write
from lxml import etree

from vo_server.formats import Format
from vo_server.formats.votable import error_document
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


POLYGON = Column("outline", "double", "*", xtype="polygon", unit="deg", ucd="pos.outline")
TRIANGLE = [1.0, 1.0, 2.0, 1.0, 2.0, 2.0]
POLYGONS = Sample((POLYGON, Column("name", "char", "*")), ((TRIANGLE, "a"), ([*TRIANGLE, 1.0, 2.0], "b"), (None, "c")))


def documents(format_: Format, version: str) -> dict[str, bytes]:
    """A result of every kind."""
    sample = without_smallest(everything())
    return {
        "overflow": write(format_, sample, infos=(Info("QUERY", "SELECT 1 < 2"),), ending=Ending.OVERFLOW, version=version),
        "failure": write(format_, sample, ending=Ending.FAILED, version=version),
        "no rows": write(format_, Sample(sample.columns, ()), version=version),
        "polygons": write(format_, POLYGONS, version=version),
        "error": error_document('There is no table "x" & no column <y>.'),
    }


SCHEMAS = Path(votable.__file__).parent / "data"


@VOTABLES
@pytest.mark.parametrize("version", ["1.4", "1.5"])
def test_results_are_valid_by_the_schema_of_their_version(format_: Format, version: str) -> None:
    """CHECKLIST VOT-001: by the schemas that astropy brings."""
    for kind, document in documents(format_, version).items():
        root = etree.fromstring(document)
        schema = etree.XMLSchema(etree.parse(SCHEMAS / f"VOTable.v{root.get('version')}.xsd"))
        schema.validate(root)
        assert list(schema.error_log) == [], kind


# What votlint 3.4.7 says all the same, why we do not write it otherwise; astropy and STIL read every cell of these documents right.

MOC = r'WARNING .*: Non-DALI( 1\.\d)? xtype value "moc"'
"""The xtype is of DALI 1.2 §3.11. A prefix would silence votlint, and keep TOPCAT from drawing the areas."""

EMPTY_FLAGS = r"ERROR .*: Wrong number of elements in array \(0 found, 4 expected\)"
"""VOTable 1.5 §5.2 makes an empty TD the null of any type, and votlint counts elements in it. What could stand there reads as a value:
the question mark of a boolean is false for STIL within arrays.
"""

EMPTY_POLYGON = r"ERROR .*: Bad double string ''"
"""The same for the null of a polygon, which has no number of NaNs that would mean it."""

STREAMED_POLYGON = (r"ERROR .*: Stream ended during data read; .*", r"ERROR .*: Streaming error java\.io\.EOFException")
"""DALI 1.1 §3.3.7 gives polygons arraysize="*". votlint does not skip the elements of such in a stream, and takes them for what follows."""

NEWER = (r"WARNING .*: Unknown VOTable version: 1\.5", *[r"ERROR .*: cvc-.*'(1\.5|GALACTIC)'.*"] * 4)
"""It knows no version beyond 1.4, and validates by the schema of that; by the right one a test above does."""

KNOWN: dict[tuple[Format, str], tuple[str, ...]] = {
    (TABLEDATA, "overflow"): (MOC, EMPTY_FLAGS),
    (BINARY2, "overflow"): (MOC,),
    (BINARY, "overflow"): (MOC,),
    (TABLEDATA, "polygons"): (EMPTY_POLYGON,),
    (BINARY2, "polygons"): STREAMED_POLYGON,
    (BINARY, "polygons"): STREAMED_POLYGON,
    **{(format_, "no rows"): (MOC,) for format_ in (TABLEDATA, BINARY2, BINARY)},
    (TABLEDATA, "failure"): (MOC, EMPTY_FLAGS),
    (TABLEDATA, "error"): (),
}


def unexpected(document: bytes, file: Path, known: tuple[str, ...], *arguments: str) -> list[str]:
    """What votlint says of a document beside what is known, each of which it may say once."""
    file.write_bytes(document)
    left = [line for line in run_stilts("votlint", f"votable={file}", *arguments).splitlines() if line]
    for pattern in known:
        found = next((line for line in left if re.fullmatch(pattern, line)), None)
        left = [line for line in left if line is not found]
    return left


@stilts
@pytest.mark.parametrize(("format_", "kind"), KNOWN, ids=lambda one: one if isinstance(one, str) else one.name)
def test_votlint_finds_nothing_else(format_: Format, kind: str, tmp_path: Path) -> None:
    """CHECKLIST VOT-001, VOT-003 to VOT-007, VOT-010."""
    assert unexpected(documents(format_, "1.4")[kind], tmp_path / "result.vot", KNOWN[format_, kind]) == []


@stilts
@VOTABLES
def test_votlint_finds_nothing_else_in_the_newer_version(format_: Format, tmp_path: Path) -> None:
    document = documents(format_, "1.5")["overflow"]
    known = (*KNOWN[format_, "overflow"], *NEWER)
    assert unexpected(document, tmp_path / "result.vot", known, "version=1.4") == []
