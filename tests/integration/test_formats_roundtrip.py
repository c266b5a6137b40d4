"""Each value of each type, streamed from real PostgreSQL in each format, comes back from the clients that read it as it was.

What a format has no word for stands in `WAYS` and in docs/explanation/formats.md: a change that is in neither fails here.
"""

import csv
import io
import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import ascii as astropy_ascii
from astropy.io import fits, votable
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from lxml import html

from vo_server.formats import FORMATS, Format
from vo_server.model.columns import FLOATS, INTEGERS, Column
from vo_server.model.result import Ending, Outcome, TableHead

TABLEDATA, BINARY2, BINARY, CSV, TSV, JSON, FITS, PARQUET, ARROW, HTML, TEXT = FORMATS
NAN, INF = math.nan, math.inf

TRICKY = (
    "a<b>&amp;\"c'",
    "]]><!--",
    'say "x", y;z|w\\n\\',
    "one\ttab, two\nlines",
    "cr\rlf\r\n",
    "\x01\x1b\x7f",
    "  blanks  ",
    "NULL",
    "nan",
    "-0",
    "1e5",
    "\\N",
    "#x",
    "",
    None,
)
"""What is markup, separator, quote or number to one format or another; the empty string, and none."""
UNICODE = ("Ångström", "𝄞😀", "\u00a0nbsp", "e\u0301", "\u4e2d\u6587", "\u202eRTL", "\u0085\u2028x", "\ufffe\uffff", *TRICKY[:4], None)

SCALARS: dict[Column, tuple[Any, ...]] = {
    Column("boolean", "boolean"): (True, False, None),
    Column("byte", "unsignedByte"): (0, 1, 127, 128, 255, None),
    Column("short", "short"): (-(2**15) + 1, -1, 0, 2**15 - 1, None),
    Column("int", "int"): (-(2**31) + 1, -1, 0, 2**31 - 1, None),
    Column("long", "long"): (-(2**63) + 1, -(2**53) - 1, 0, 2**53 + 1, 2**63 - 1, None),
    Column("float", "float"): (0.1, -0.0, 1e-45, 1.17549435e-38, 3.4028235e38, -3.4028235e38, 16777217.0, INF, -INF, NAN, None),
    Column("double", "double"): (
        0.1,
        -0.0,
        5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        9007199254740993.0,
        INF,
        -INF,
        NAN,
        None,
    ),
    Column("char", "char", "*"): TRICKY,
    Column("bounded", "char", "40*"): TRICKY,
    Column("unicode", "unicodeChar", "*"): UNICODE,
    Column("time", "char", "*", xtype="timestamp"): (
        "1969-12-31T23:59:59.999999",
        "1066-10-14T09:00:00.5",
        "0001-01-01T00:00:00",
        "1970-01-01T00:00:00",
        "2017-09-22T20:54:30.43",
        "9999-12-31T23:59:59.999999",
        None,
    ),
    Column("moc", "char", "*", xtype="moc"): ("4/1-3 5/", "0/0-11", "29/3458764513820540927", None),
    Column("region", "char", "*", xtype="adql:REGION"): ("Polygon ICRS 1 1 2 1 2 2", None),
}
ARRAYS: dict[Column, tuple[Any, ...]] = {
    Column("flags", "boolean", "*"): ([True], [False, True, True], [], None),
    Column("flags3", "boolean", "3"): ([True, False, True], [False] * 3, None),
    Column("bytes", "unsignedByte", "*"): ([0, 255], [], [7], None),
    Column("bytes3", "unsignedByte", "3"): ([0, 255, 128], [1, 2, 3], None),
    Column("shorts", "short", "*"): ([-(2**15) + 1, 2**15 - 1], [], [7], None),
    Column("shorts2", "short", "2"): ([-(2**15) + 1, 2**15 - 1], [0, 1], None),
    Column("ints", "int", "*"): ([-(2**31) + 1, 2**31 - 1], [], [7], None),
    Column("ints2x2", "int", "2x2"): ([-(2**31) + 1, 2**31 - 1, 0, 1], [1, 2, 3, 4], None),
    Column("longs", "long", "*"): ([-(2**63) + 1, 2**63 - 1], [], [2**53 + 1], None),
    Column("longs2", "long", "2"): ([-(2**63) + 1, 2**63 - 1], [0, 1], None),
    Column("floats", "float", "*"): ([0.1, -0.0, 1e-45], [], [INF, -INF, NAN], [3.4028235e38], None),
    Column("floats2x3", "float", "2x3"): ([0.1, -0.0, INF, 1.0, 2.0, 3.0], None),
    Column("doubles", "double", "*"): ([0.1, -0.0, 5e-324], [], [INF, -INF, NAN], [1.7976931348623157e308], None),
    Column("doubles2", "double", "2"): ([0.1, -0.0], [5e-324, 1.7976931348623157e308], [-INF, INF], None),
    Column("point", "double", "2", xtype="point"): ([0.0, -90.0], [359.99999999999994, 90.0], None),
    Column("circle", "double", "3", xtype="circle"): ([10.0, 20.0, 0.1], None),
    Column("polygon", "double", "*", xtype="polygon"): (
        [1.0, 1.0, 2.0, 1.0, 2.0, 2.0],
        [359.0, -1.0, 1.0, -1.0, 1.0, 1.0, 359.0, 1.0],
        None,
    ),
    Column("interval", "double", "2", xtype="interval"): ([1.0, INF], [-INF, 0.5], None),
    Column("intervals", "double", "2x*", xtype="multiinterval"): ([1.0, 2.0, 3.0, INF], [], None),
}
VALUES = {**SCALARS, **ARRAYS}
ROWS = max(map(len, VALUES.values()))
COLUMNS = tuple(VALUES)
WANTED = {column.name: [*cells, *[None] * (ROWS - len(cells))] for column, cells in VALUES.items()}


def in_sql(cell: Any, column: Column) -> str:
    """A literal, spelled by the test and not by the server."""
    if cell is None:
        return "NULL"
    if isinstance(cell, list):
        return f"ARRAY[{', '.join(in_sql(element, column) for element in cell)}]"
    if isinstance(cell, float):
        return f"'{cell!r}'"
    return str(cell) if isinstance(cell, (bool, int)) else "'" + cell.replace("'", "''") + "'"


def from_postgres(url: str, rows: Sequence[Sequence[Any]], columns: Sequence[Column]) -> pa.RecordBatch:
    """The rows as ADBC delivers them."""
    selects = [
        ", ".join(
            [f"{number} AS number", *(f"({in_sql(cell, column)})::{column.sql_type}" for cell, column in zip(row, columns, strict=True))]
        )
        for number, row in enumerate(rows)
    ]
    query = f"SELECT * FROM ({' UNION ALL '.join(f'SELECT {select}' for select in selects)}) AS r ORDER BY number"
    with adbc_driver_postgresql.dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        table = cursor.fetch_arrow_table().combine_chunks()
    return table.to_batches()[0].select(range(1, table.num_columns))


@pytest.fixture(scope="module")
def batch(servers: Callable[[str], Any]) -> pa.RecordBatch:
    return from_postgres(servers("embedded").url("postgres"), list(zip(*WANTED.values(), strict=True)), COLUMNS)


def write(form: Format, batch: pa.RecordBatch, version: str = "1.4") -> bytes:
    with closing(form.writer(TableHead(COLUMNS, votable_version=version))) as writer:
        return b"".join((writer.head(), writer.rows(batch), *writer.tail(Outcome(Ending.COMPLETE, batch.num_rows))))


# Readers: a document in, the cells of each column out as bool, int, float, str and list; None is what the reader takes for no value,
# and the empty string and the empty array for every reader that knows no difference.

Cells = dict[str, list[Any]]


def plain(cell: Any) -> Any:
    """A cell of astropy in Python's terms."""
    if np.ma.is_masked(cell) and np.ma.getmaskarray(cell).all():
        return None
    if isinstance(cell, np.ndarray):
        return cell.ravel().tolist()
    return cell.item() if isinstance(cell, np.generic) else cell


def parsed(text: str, column: Column) -> Any:
    """A cell that was written as text, by us or by STIL: arrays in parentheses or not, with commas or without."""
    if column.datatype in ("char", "unicodeChar"):
        return text
    convert: Callable[[str], Any] = (
        float if column.datatype in FLOATS else int if column.datatype in INTEGERS else {"true": True, "false": False}.get
    )
    cells = [convert(word) for word in re.split(r"[ ,()]+", text) if word]
    return cells if column.is_array else next(iter(cells), None)


def by_votable(file: Path) -> Cells:
    array = votable.parse(file, verify="exception").get_first_table().array
    return {name: [plain(cell) for cell in array[name]] for name in array.dtype.names}


def by_astropy_fits(file: Path) -> Cells:
    with fits.open(file) as hdus:
        with pytest.warns(AstropyUserWarning, match="contains NULL"):
            table = Table.read(hdus, hdu=1)
        return {name: [plain(cell) for cell in table[name]] for name in table.colnames}


def by_astropy_csv(file: Path) -> Cells:
    table = astropy_ascii.read(file, format="csv", converters={"*": [astropy_ascii.convert_numpy(str)]})
    return {
        column.name: [None if np.ma.is_masked(cell) else parsed(str(cell), column) for cell in table[column.name]] for column in COLUMNS
    }


def by_csv(delimiter: str) -> Callable[[Path], Cells]:
    def read(file: Path) -> Cells:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = list(
                csv.DictReader(lines, delimiter=delimiter, strict=True, quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE)
            )
        return {column.name: [parsed(row[column.name], column) for row in rows] for column in COLUMNS}

    return read


def by_stil(kind: str) -> Callable[[Path], Cells]:
    def read(file: Path) -> Cells:
        command = ["stilts", "-Dfile.encoding=UTF-8", "tpipe", f"in={file}", f"ifmt={kind}", "omode=out", "ofmt=csv", f"out={file}.csv"]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        assert run.returncode == 0, run.stderr
        return by_csv(",")(Path(f"{file}.csv"))

    return read


def by_parquet(file: Path) -> Cells:
    cells: Cells = pq.read_table(file).to_pydict()
    return cells


def by_arrow(file: Path) -> Cells:
    cells: Cells = pa.ipc.open_stream(file.read_bytes()).read_all().to_pydict()
    return cells


def by_json(file: Path) -> Cells:
    document = json.loads(file.read_bytes(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    columns = {column["name"]: column["datatype"] in FLOATS for column in document["metadata"]}
    cells = {name: [row[index] for row in document["data"]] for index, name in enumerate(columns)}
    return {name: [in_floats(cell) for cell in cells[name]] if floats else cells[name] for name, floats in columns.items()}


def in_floats(cell: Any) -> Any:
    """A whole number of JSON is an integer for Python."""
    if isinstance(cell, list):
        return [in_floats(element) for element in cell]
    return float(cell) if isinstance(cell, int) else cell


def by_html(file: Path) -> Cells:
    page = html.document_fromstring(file.read_bytes().decode())
    return {
        column.name: [parsed(cell.text or "", column) for cell in page.xpath(f"//tbody/tr/td[{place}]")]
        for place, column in enumerate(COLUMNS, start=1)
    }


# What is lost, each with its reason in docs/explanation/formats.md

Loss = Callable[[Any, Column], Any]


def of_texts(change: Callable[[str], str]) -> Loss:
    return lambda cell, column: change(cell) if isinstance(cell, str) else cell


def null_array(filler: Callable[[Column], Any], datatypes: Iterable[str]) -> Loss:
    """NULL for an array of a fixed number is that many elements."""
    return lambda cell, column: (
        [filler(column)] * column.length if cell is None and column.length and column.datatype in datatypes else cell
    )


def nan_is_null(cell: Any, column: Column) -> Any:
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def nans_are_masked(cell: Any, column: Column) -> Any:
    """astropy masks NaN in VOTable, inside of arrays too."""
    return [nan_is_null(element, column) for element in cell] if isinstance(cell, list) else nan_is_null(cell, column)


def in_javascript(cell: Any, column: Column) -> Any:
    if isinstance(cell, list):
        return [in_javascript(element, column) for element in cell]
    if isinstance(cell, float) and math.isinf(cell):
        return "Infinity" if cell > 0 else "-Infinity"
    return str(cell) if column.datatype == "long" and cell is not None and abs(cell) > 2**53 else nan_is_null(cell, column)


def as_instant(cell: Any, column: Column) -> Any:
    return datetime.fromisoformat(cell) if column.is_timestamp and cell is not None else cell


XML = of_texts(lambda text: re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "?", text))
ASCII = of_texts(lambda text: re.sub("[^ -~]", "?", text).rstrip())
STRIPPED = of_texts(lambda text: text.strip(" \t\r\n"))
LINES = of_texts(lambda text: re.sub("[\t\r\n]", " ", text))
UNPADDED = of_texts(lambda text: text.strip(" "))
BROKEN = of_texts(lambda text: re.sub("(\r\n?|[\x85\u2028])+", "\n", text))
"""astropy cuts lines of CSV where Python does, within quotes too."""
TRIMMED = of_texts(
    lambda text: text if re.search('[,"\r\n\x0b\x0c\x1c-\x1e\x85\u2028]', text) else text.strip("".join(map(chr, range(0x21))))
)
LATIN = of_texts(lambda text: text.encode().decode("latin-1"))
"""STIL up to 4.1 reads CSV as Latin-1, and trims cells without quotes."""
NULL_FLOATS = null_array(lambda column: NAN, FLOATS)
NULL_FLAGS = null_array(lambda column: False, ("boolean",))
SMALLEST = {"unsignedByte": -(2**15), "short": -(2**15), "int": -(2**31), "long": -(2**63)}
TNULLS = {**SMALLEST, "unsignedByte": 254}


def null_integers(numbers: Mapping[str, int]) -> Loss:
    """STIL knows NULL among integers, but not inside of arrays."""
    return null_array(lambda column: numbers[column.datatype], INTEGERS)


def null_is_false(cell: Any, column: Column) -> Any:
    """What astropy takes a boolean of FITS for that is none, with a warning."""
    return False if cell is None and column == Column("boolean", "boolean") else cell


@dataclass(frozen=True)
class Way:
    """A format and what reads it."""

    form: Format
    name: str
    read: Callable[[Path], Cells]
    losses: tuple[Loss, ...] = ()
    tells_empty: bool = False
    """Whether the reader tells an empty string, or array, from NULL."""

    def __str__(self) -> str:
        return f"{self.form.name}-{self.name}"

    def leaves(self, cell: Any, column: Column) -> Any:
        for loss in self.losses:
            cell = loss(cell, column)
        return cell


WAYS = (
    Way(TABLEDATA, "astropy", by_votable, (XML, STRIPPED, nans_are_masked)),
    Way(BINARY2, "astropy", by_votable, (nans_are_masked,)),
    Way(BINARY, "astropy", by_votable, (nans_are_masked,)),
    Way(TABLEDATA, "STIL", by_stil("votable"), (XML, NULL_FLOATS, nan_is_null)),
    Way(BINARY2, "STIL", by_stil("votable"), (nan_is_null,)),
    Way(BINARY, "STIL", by_stil("votable"), (NULL_FLOATS, NULL_FLAGS, null_integers(SMALLEST), nan_is_null)),
    Way(CSV, "Python", by_csv(",")),
    Way(CSV, "astropy", by_astropy_csv, (BROKEN, UNPADDED)),
    Way(CSV, "STIL", by_stil("csv"), (TRIMMED, LATIN, nan_is_null)),
    Way(TSV, "Python", by_csv("\t"), (LINES,)),
    Way(FITS, "astropy", by_astropy_fits, (ASCII, nan_is_null, null_is_false, NULL_FLAGS)),
    Way(FITS, "STIL", by_stil("fits"), (ASCII, nan_is_null, NULL_FLOATS, NULL_FLAGS, null_integers(TNULLS))),
    Way(PARQUET, "pyarrow", by_parquet, (), tells_empty=True),
    Way(ARROW, "pyarrow", by_arrow, (as_instant,), tells_empty=True),
    Way(JSON, "Python", by_json, (in_javascript,), tells_empty=True),
    Way(HTML, "lxml", by_html, (XML,)),
)


def single(cell: Any) -> Any:
    if isinstance(cell, list):
        return [single(element) for element in cell]
    return np.float32(cell).item() if isinstance(cell, float) else cell


def told(cell: Any, column: Column, way: Way) -> str:
    """A cell as it is compared: the sign of zero counts, NaN is NaN, singles are singles."""
    if cell in ("", []) and not way.tells_empty:
        cell = None
    if column.datatype == "float":
        cell = single(cell)
    return repr(cell)


VERSIONS = [(way, version) for way in WAYS for version in (("1.4", "1.5") if way.form.extension == "vot" else ("1.4",))]


def read_by(way: Way, document: bytes, folder: Path) -> Cells:
    if way.name == "STIL" and shutil.which("stilts") is None:
        pytest.skip("STILTS is not installed")
    file = folder / f"result.{way.form.extension}"
    file.write_bytes(document)
    return way.read(file)


@pytest.mark.parametrize(("way", "version"), VERSIONS, ids=str)
def test_every_cell_comes_back(way: Way, version: str, batch: pa.RecordBatch, tmp_path: Path) -> None:
    """CHECKLIST VOT-005 to VOT-010, VOT-028 to VOT-031."""
    read = read_by(way, write(way.form, batch, version), tmp_path)
    changed = [
        f"{column.name}: {cell!r} came back as {got!r}"
        for column in COLUMNS
        for cell, got in zip(WANTED[column.name], read[column.name], strict=True)
        if told(got, column, way) != told(way.leaves(cell, column), column, way)
    ]
    assert "\n".join(changed) == ""


@pytest.mark.parametrize("way", [way for way in WAYS if not (way.name == "STIL" and way.form is BINARY)], ids=str)
def test_a_result_without_rows_comes_back(way: Way, batch: pa.RecordBatch, tmp_path: Path) -> None:
    if way.form is FITS and way.name == "astropy":
        with fits.open(io.BytesIO(write(FITS, batch.slice(0, 0)))) as hdus:
            assert (hdus[1].columns.names, len(hdus[1].data)) == ([column.name for column in COLUMNS], 0)
        return
    if way.form is CSV and way.name == "STIL":
        pytest.skip("STIL calls CSV without rows an error")
    read = read_by(way, write(way.form, batch.slice(0, 0)), tmp_path)
    assert {name: cells for name, cells in read.items() if len(cells)} == {}


HOLES: dict[Column, list[Any]] = {
    Column("singles", "float", "*"): [1.5, None],
    Column("doubles", "double", "2"): [None, -0.0],
    Column("flags", "boolean", "3"): [True, None, False],
}
"""Arrays with NULL in them."""
SEEN: dict[str, tuple[Any, ...]] = {
    "VOTable (TABLEDATA)-astropy": ([1.5, None], [None, -0.0], [True, None, False]),
    "VOTable (BINARY2)-astropy": ([1.5, None], [None, -0.0], [True, None, False]),
    "VOTable (TABLEDATA)-STIL": ([1.5, NAN], [NAN, -0.0], [True, False, False]),
    "VOTable (BINARY2)-STIL": ([1.5, NAN], [NAN, -0.0], [True, False, False]),
    "CSV-Python": ([1.5, NAN], [NAN, -0.0], [True, None, False]),
    "FITS-STIL": ([1.5, NAN], [NAN, -0.0], [True, False, False]),
    "Parquet-pyarrow": tuple(HOLES.values()),
    "Arrow-pyarrow": tuple(HOLES.values()),
    "JSON-Python": tuple(HOLES.values()),
}
"""What readers make of them: NaN among floats; among booleans ``?``, which STIL takes for false inside of arrays."""


@pytest.fixture(scope="module")
def holes(servers: Callable[[str], Any]) -> pa.RecordBatch:
    return from_postgres(servers("embedded").url("postgres"), [tuple(HOLES.values())], tuple(HOLES))


@pytest.mark.parametrize("way", [way for way in WAYS if str(way) in SEEN], ids=str)
def test_nulls_inside_arrays_are_what_their_format_has_for_them(
    way: Way, holes: pa.RecordBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.COLUMNS", tuple(HOLES))
    read = read_by(way, write(way.form, holes), tmp_path)
    assert [repr(read[column.name][0]) for column in HOLES] == [repr(cell) for cell in SEEN[str(way)]]


@pytest.mark.parametrize("form", [PARQUET, ARROW, JSON], ids=lambda form: form.name)
def test_nulls_inside_arrays_of_integers_have_three_formats(
    form: Format, servers: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others refuse them (tests/unit/test_formats_rows.py)."""
    columns = (Column("bytes", "unsignedByte", "*"), Column("ints", "int", "2"), Column("longs", "long", "*"))
    cells: tuple[Any, ...] = ([0, None, 255], [None, -1], [None])
    monkeypatch.setattr(f"{__name__}.COLUMNS", columns)
    found = from_postgres(servers("embedded").url("postgres"), [cells, (None, None, None)], columns)
    way = next(way for way in WAYS if way.form is form)
    read = read_by(way, write(form, found), tmp_path)
    assert [read[column.name] for column in columns] == [[cell, None] for cell in cells]


def dense(cells: Sequence[Any]) -> list[Any]:
    """The cells without the nulls, over and over."""
    values = [cell for cell in cells if cell is not None]
    return [values[row % len(values)] for row in range(ROWS)]


def test_astropy_reads_parquet_with_its_votable(servers: Callable[[str], Any], tmp_path: Path) -> None:
    """Without nulls: what pandas makes of these stands in docs/explanation/formats.md."""
    pytest.importorskip("pandas", reason="astropy reads Parquet through pandas")
    wanted = {column.name: dense(WANTED[column.name]) for column in COLUMNS}
    rows = list(zip(*wanted.values(), strict=True))
    file = tmp_path / "result.parquet"
    file.write_bytes(write(PARQUET, from_postgres(servers("embedded").url("postgres"), rows, COLUMNS)))
    table = Table.read(file, format="parquet.votable")
    way = Way(PARQUET, "astropy", by_parquet, tells_empty=True)
    changed = [
        f"{column.name}: {cell!r} came back as {got!r}"
        for column in COLUMNS
        for cell, got in zip(wanted[column.name], map(plain, table[column.name]), strict=True)
        if told(got, column, way) != told(cell, column, way)
    ]
    assert "\n".join(changed) == ""
