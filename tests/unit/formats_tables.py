"""Tables for the tests of writers: one with everything in it, and any table at all; and readers of our own, written from the standards."""

import base64
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from lxml import etree

from vo_server.formats import FORMATS, Format
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Info, Outcome, TableHead
from vo_server.model.service import ServiceDescriptor

NS = "{http://www.ivoa.net/xml/VOTable/v1.3}"

TABLEDATA, BINARY2, BINARY, CSV, TSV, JSON, FITS, PARQUET, ARROW, HTML, TEXT = FORMATS

ARROW_TYPES = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us"),
}
"""What ADBC delivers for each of the SQL types that streaming knows."""

NAN, INF = float("nan"), float("inf")

EVERYTHING: dict[Column, list[Any]] = {
    Column("flag", "boolean"): [True, False, None, True],
    Column("byte", "unsignedByte"): [0, 255, None, 7],
    Column("short", "short"): [-(2**15), 2**15 - 1, None, 1],
    Column("int", "int"): [-(2**31), 2**31 - 1, None, 3],
    Column("long", "long"): [-(2**63), 2**63 - 1, None, 4],
    Column("float", "float", unit="Jy"): [1.5, -INF, None, INF],
    Column("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main"): [0.1, 359.99999999999994, None, 1e-300],
    Column("name", "char", "12*", ucd="meta.id"): ["a<b&c>d", 'A, B;\t"C"\'', None, "1"],
    Column("comment", "unicodeChar", "*", description="Å < & >"): ["Å 😀 é", "plain", None, "𝄞"],
    Column("time", "char", "*", xtype="timestamp"): [
        datetime(2020, 1, 2, 3, 4, 5, 600000),
        datetime(1, 1, 1),
        None,
        datetime(9999, 12, 31, 23, 59, 59, 1),
    ],
    Column("three", "double", "3"): [[1.0, 2.0, 3.0], [0.1, NAN, INF], None, [4.0, 5.0, 6.0]],
    Column("many", "double", "*"): [[1.0], [2.0, 3.0, 4.5], None, [1e300, -1.0]],
    Column("ints", "int", "10*"): [[1, 2], [3], None, [5]],
    Column("flags", "boolean", "4"): [[True, False, True, False], [True] * 4, None, [False] * 4],
    Column("matrix", "float", "2x3"): [[1.0, 2.0, 3.0, 4.0, 5.0, 6.5], [0.1] * 6, None, [2.0] * 6],
    Column("bytes", "unsignedByte", "*"): [[1, 255], [0], None, [7]],
    Column("cover", "char", "*", xtype="moc"): ["1/0-3 4", "29/1", None, "0/0-11"],
    Column("mjd", "double", unit="d", ucd="time.epoch", description="MJD, TT"): [51544.5, 0.25, None, -1.0],
    Column("l", "double", unit="deg", ucd="pos.galactic.lon"): [0.5, 359.0, None, 1.0],
    Column("point", "double", "2", xtype="point"): [[10.0, 20.0], [0.5, -90.0], None, [1.0, 2.0]],
}
"""Every type with its extremes, and a row of nulls."""


@dataclass(frozen=True)
class Sample:
    """Columns and rows of Python values."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    def batches(self, size: int = 2) -> Iterator[pa.RecordBatch]:
        """The rows, `size` at a time, as slices of a larger batch (whose buffers do not begin where the rows do)."""
        arrays = [pa.array([row[index] for row in self.rows], arrow_type(column)) for index, column in enumerate(self.columns)]
        whole = pa.RecordBatch.from_arrays(arrays, names=[str(index) for index in range(len(self.columns))])
        for start in range(0, len(self.rows), size):
            yield whole.slice(start, size)


def everything() -> Sample:
    return Sample(tuple(EVERYTHING), tuple(zip(*EVERYTHING.values(), strict=True)))


def without_smallest(sample: Sample) -> Sample:
    """The same table without the numbers that stand for NULL in BINARY."""
    return Sample(sample.columns, tuple(tuple(map(_larger, row)) for row in sample.rows))


def _larger(cell: Any) -> Any:
    if isinstance(cell, list):
        return [_larger(element) for element in cell]
    return cell + 1 if type(cell) is int and cell in SMALLEST else cell


SMALLEST = (-(2**15), -(2**31), -(2**63))


def arrow_type(column: Column) -> pa.DataType:
    base = ARROW_TYPES[column.sql_type.removesuffix("[]")]
    return pa.list_(base) if column.sql_type.endswith("[]") else base


def write(
    format_: Format,
    sample: Sample,
    *,
    size: int = 2,
    ending: Ending = Ending.COMPLETE,
    infos: tuple[Info, ...] = (),
    version: str = "1.4",
    descriptors: tuple[ServiceDescriptor, ...] = (),
) -> bytes:
    """The whole document."""
    outcome = Outcome(ending, len(sample.rows), "it broke" if ending is Ending.FAILED else None)
    with closing(format_.writer(TableHead(sample.columns, infos, "results", "A table", version, descriptors))) as writer:
        rows = [writer.rows(batch) for batch in sample.batches(size)]
        return b"".join((writer.head(), *rows, *writer.tail(outcome)))


# any table


def single(value: float) -> float:
    return struct.unpack(">f", struct.pack(">f", value))[0]


STRINGS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "unsignedByte": st.integers(0, 255),
    "short": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32),
    "double": st.floats(),
}
INSTANTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
UNITLESS = (("boolean", None), ("char", "*"), ("unicodeChar", "*"), ("char", "timestamp"))
KINDS = [*UNITLESS, *((datatype, size) for datatype in ELEMENTS for size in (None, "*", "3", "2x2"))]


def column_of(name: str, kind: tuple[str, str | None]) -> Column:
    datatype, size = kind
    return Column(name, datatype, "*", xtype="timestamp") if size == "timestamp" else Column(name, datatype, size)


def cells_of(column: Column) -> st.SearchStrategy[Any]:
    if column.is_timestamp:
        return INSTANTS
    if column.datatype == "char":
        return st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12)
    if column.datatype == "unicodeChar":
        return STRINGS
    if not column.is_array:
        return ELEMENTS[column.datatype]
    size = {"min_size": column.length, "max_size": column.length} if column.length else {"max_size": 4}
    return st.lists(ELEMENTS[column.datatype], **size)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Any table: up to twelve columns of any type, nulls anywhere."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=12))
    columns = tuple(column_of(f"c{index}", kind) for index, kind in enumerate(kinds))
    row = st.tuples(*(st.none() | cells_of(column) for column in columns))
    return Sample(columns, tuple(draw(st.lists(row, max_size=7))))


# readers


def read_binary2(document: bytes, columns: Sequence[Column]) -> list[tuple[Any, ...]]:
    """Rows of a BINARY2 document, cell by cell (VOTable 1.5 §5.4); strings as str, arrays as lists, nulls by their flags alone."""
    data, at, rows = _stream(document), 0, []
    while at < len(data):
        flags = data[at : at + (len(columns) + 7) // 8]
        at += len(flags)
        row = []
        for index, column in enumerate(columns):
            value, at = _read_cell(data, at, column)
            row.append(None if flags[index // 8] & (0x80 >> index % 8) else value)
        rows.append(tuple(row))
    assert at == len(data)
    return rows


def read_binary(document: bytes, columns: Sequence[Column]) -> list[tuple[Any, ...]]:
    """Rows of a BINARY document (VOTable 1.5 §5.3): integers are null where VALUES says so; of all else nulls are not told apart."""
    fields = list(etree.fromstring(document).iter(f"{NS}FIELD"))
    declared = [replace(column, datatype=field.get("datatype")) for column, field in zip(columns, fields, strict=True)]
    nulls = [None if (values := field.find(f"{NS}VALUES")) is None else int(values.get("null")) for field in fields]
    data, at, rows = _stream(document), 0, []
    while at < len(data):
        row = []
        for column, null in zip(declared, nulls, strict=True):
            value, at = _read_cell(data, at, column)
            is_null = null is not None and (value == null or (isinstance(value, list) and null in value))
            row.append(None if is_null else value)
        rows.append(tuple(row))
    assert at == len(data)
    return rows


def _stream(document: bytes) -> bytes:
    stream = etree.fromstring(document).find(f".//{NS}STREAM")
    return base64.b64decode("".join(stream.text.split()), validate=True)


CODES = {
    "boolean": "c",
    "unsignedByte": "B",
    "short": "h",
    "int": "i",
    "long": "q",
    "float": "f",
    "double": "d",
    "char": "s",
    "unicodeChar": "s",
}
LETTERS = {b"T": True, b"F": False, b"?": None}


def _read_cell(data: bytes, at: int, column: Column) -> tuple[Any, int]:
    text = column.datatype in ("char", "unicodeChar")
    count = column.length or 1
    if text or (column.is_array and column.length is None):
        (count,), at = struct.unpack_from(">I", data, at), at + 4
    if text:
        width, encoding = (1, "ascii") if column.datatype == "char" else (2, "utf-16-be")
        return data[at : at + width * count].decode(encoding), at + width * count
    layout = f">{count}{CODES[column.datatype]}"
    values = [LETTERS[value] if column.datatype == "boolean" else value for value in struct.unpack_from(layout, data, at)]
    return values if column.is_array else values[0], at + struct.calcsize(layout)


def read_tabledata(document: bytes, columns: Sequence[Column]) -> list[tuple[Any, ...]]:
    """Rows of a TABLEDATA document (VOTable 1.5 §5.2); an empty TD is None."""
    rows = etree.fromstring(document).iter(f"{NS}TR")
    return [tuple(_parse(cell.text, column) for cell, column in zip(row, columns, strict=True)) for row in rows]


def _parse(text: str | None, column: Column) -> Any:
    if not text:
        return None
    if column.datatype in ("char", "unicodeChar"):
        return text
    convert = {"boolean": {"T": True, "F": False}.__getitem__, "float": float, "double": float}.get(column.datatype, int)
    values = [convert(word) for word in text.split(" ")]
    return values if column.is_array else values[0]
