"""Rows of any table come back from every format as they went in."""

import csv
import io
import json
import math
import re
from contextlib import closing
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from formats_tables import (
    ARROW,
    BINARY,
    BINARY2,
    CSV,
    FITS,
    HTML,
    JSON,
    TABLEDATA,
    TEXT,
    TSV,
    Sample,
    arrow_type,
    everything,
    read_binary,
    read_binary2,
    read_tabledata,
    samples,
    single,
    without_smallest,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from vo_server.errors import DataError
from vo_server.formats import FORMATS, Format
from vo_server.formats.floats import float_text
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Outcome, TableHead

ILLEGAL_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
any_table = settings(max_examples=100, deadline=None)


def instant(value: datetime) -> str:
    return value.isoformat().rstrip("0").rstrip(".") if value.microsecond else value.isoformat()


def expected(sample: Sample) -> list[tuple[Any, ...]]:
    return [tuple(instant(cell) if isinstance(cell, datetime) else cell for cell in row) for row in sample.rows]


def same(left: Any, right: Any, column: Column) -> bool:
    """Equal, NaN equal to NaN, and the sign of zero kept."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b, column) for a, b in zip(left, right, strict=True))
    if isinstance(left, float) and isinstance(right, float):
        if column.datatype == "float":
            left, right = single(left), single(right)
        return (math.isnan(left) and math.isnan(right)) or (left == right and math.copysign(1, left) == math.copysign(1, right))
    return type(left) is type(right) and left == right


def assert_same(sample: Sample, read: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> None:
    assert len(read) == len(wanted)
    for got, row in zip(read, wanted, strict=True):
        for column, a, b in zip(sample.columns, got, row, strict=True):
            assert same(a, b, column), (column, a, b)


@any_table
@given(samples())
def test_binary2_returns_every_cell_bit_by_bit(sample: Sample) -> None:
    """CHECKLIST VOT-006, VOT-007 (VOTable 1.5 §5.4)."""
    assert_same(sample, read_binary2(write(BINARY2, sample), sample.columns), expected(sample))


@any_table
@given(samples().map(without_smallest))
def test_binary_returns_every_cell_and_the_nulls_it_has_words_for(sample: Sample) -> None:
    read = read_binary(write(BINARY, sample), sample.columns)
    wanted = [tuple(as_binary(cell, column) for cell, column in zip(row, sample.columns, strict=True)) for row in expected(sample)]
    assert_same(sample, read, wanted)


def as_binary(cell: Any, column: Column) -> Any:
    """What stands for a null: NaN and, of whatever has a length, nothing."""
    if cell is not None:
        return cell
    if column.is_text or column.is_timestamp:
        return ""
    if column.is_array and column.length is None:
        return []
    filler = math.nan if column.datatype in ("float", "double") else None
    return [filler] * column.length if column.length and column.datatype in ("float", "double", "boolean") else filler


@any_table
@given(samples())
def test_tabledata_returns_every_cell(sample: Sample) -> None:
    """CHECKLIST VOT-005 (VOTable 1.5 §5.2)."""
    wanted = [tuple(as_xml(cell, column) for cell, column in zip(row, sample.columns, strict=True)) for row in expected(sample)]
    assert_same(sample, read_tabledata(write(TABLEDATA, sample), sample.columns), wanted)


def as_xml(cell: Any, column: Column) -> Any:
    """What XML can hold: no control characters; an empty string or array is no different from NULL, nor is one of a fixed number of NaN."""
    if cell is None and column.length and column.datatype in ("float", "double"):
        return [math.nan] * column.length
    return ILLEGAL_XML.sub("?", cell) or None if isinstance(cell, str) else (None if cell == [] else cell)


def spelled(cell: Any, column: Column) -> str:
    """A cell as CSV has it, floats as Python reads them back."""
    if cell is None:
        return ""
    if isinstance(cell, list):
        return " ".join(spelled(element, column) for element in cell)
    if isinstance(cell, bool):
        return str(cell).lower()
    return repr(single(cell) if column.datatype == "float" else cell) if isinstance(cell, float) else str(cell)


def normal(text: str, column: Column) -> str:
    if column.datatype not in ("float", "double"):
        return text
    return " ".join(repr(single(float(word)) if column.datatype == "float" else float(word)) for word in text.split())


@any_table
@given(samples())
def test_csv_returns_every_cell(sample: Sample) -> None:
    """CHECKLIST VOT-028 (RFC 4180)."""
    text = write(CSV, sample).decode()
    head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    # a line that holds a single empty cell is no record to Python's reader
    assert head == [column.name for column in sample.columns]
    wanted = [[spelled(cell, column) for cell, column in zip(row, sample.columns, strict=True)] for row in expected(sample)]
    read = [[normal(cell, column) for cell, column in zip(row or [""], sample.columns, strict=True)] for row in rows]
    assert read == wanted


@any_table
@given(samples())
def test_tsv_has_a_line_a_row_and_a_field_a_cell(sample: Sample) -> None:
    """CHECKLIST VOT-028."""
    lines = write(TSV, sample).decode().split("\n")
    assert lines.pop() == ""
    assert len(lines) == 1 + len(sample.rows)
    assert {len(line.split("\t")) for line in lines} == {len(sample.columns)}


def as_json(cell: Any, column: Column) -> Any:
    if isinstance(cell, list):
        return [as_json(element, column) for element in cell]
    if isinstance(cell, float) and not math.isfinite(cell):
        return None if math.isnan(cell) else f"{'-' if cell < 0 else ''}Infinity"
    if column.datatype == "long" and isinstance(cell, int) and abs(cell) > 2**53:
        return str(cell)
    return cell


def from_json(cell: Any, column: Column) -> Any:
    """A float without fraction looks like an integer."""
    if isinstance(cell, list):
        return [from_json(element, column) for element in cell]
    return float(cell) if column.datatype in ("float", "double") and type(cell) is int else cell


@any_table
@given(samples())
def test_json_returns_every_cell(sample: Sample) -> None:
    """CHECKLIST VOT-031."""
    document = json.loads(write(JSON, sample), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert [column["name"] for column in document["metadata"]] == [column.name for column in sample.columns]
    assert (document["overflow"], document["rows"]) == (False, len(sample.rows))
    read = [tuple(from_json(cell, column) for cell, column in zip(row, sample.columns, strict=True)) for row in document["data"]]
    wanted = [tuple(as_json(cell, column) for cell, column in zip(row, sample.columns, strict=True)) for row in expected(sample)]
    assert_same(sample, read, wanted)


@pytest.mark.parametrize("format_", [form for form in FORMATS if form not in (ARROW, TEXT)], ids=lambda format_: format_.name)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_batches_of_any_size_make_the_same_document(format_: Format, size: int) -> None:
    sample = without_smallest(everything())
    one, other = write(format_, sample, size=size), write(format_, sample, size=2)
    assert b"".join(one.split()) == b"".join(other.split())


def head_of(sample: Sample) -> TableHead:
    return TableHead(sample.columns)


def failed(rows: int) -> Outcome:
    return Outcome(Ending.FAILED, rows, "it broke")


def one_cell(column: Column, *cells: Any) -> Sample:
    return Sample((column,), tuple((cell,) for cell in cells))


@pytest.mark.parametrize(("datatype", "text"), [("char", "?ngstr?m ??"), ("unicodeChar", "Ångström 😀é")])
@pytest.mark.parametrize(("format_", "read"), [(TABLEDATA, read_tabledata), (BINARY2, read_binary2)])
def test_char_is_ascii_and_unicode_char_is_not(format_: Format, read: Any, datatype: str, text: str) -> None:
    """CHECKLIST VOT-004 (VOTable 1.5 §2.2)."""
    sample = one_cell(Column("c", datatype, "*"), "Ångström 😀é", "plain", None)
    assert read(write(format_, sample), sample.columns) == [(text,), ("plain",), (None,)]


def test_markup_in_strings_is_no_markup() -> None:
    """CHECKLIST VOT-011 (XML 1.0 §2.2)."""
    sample = one_cell(Column("c", "char", "*"), "</TD></TR>&amp;<![CDATA[ ]]>", "a\r\nb")
    assert read_tabledata(write(TABLEDATA, sample), sample.columns) == list(sample.rows)


def test_timestamps_lose_only_zeros() -> None:
    """CHECKLIST GEN-031 (DALI 1.1 §3.3.3)."""
    instants = (
        datetime(2017, 9, 22, 20, 54, 30, 430000),
        datetime(2020, 1, 1),
        datetime(2020, 10, 10, 10, 10, 10),
        datetime(1969, 12, 31, 23, 59, 59, 999999),
    )
    sample = one_cell(Column("t", "char", "*", xtype="timestamp"), *instants)
    texts = ["2017-09-22T20:54:30.43", "2020-01-01T00:00:00", "2020-10-10T10:10:10", "1969-12-31T23:59:59.999999"]
    assert [row[0] for row in read_binary2(write(BINARY2, sample), sample.columns)] == texts


def test_floats_are_the_shortest_that_read_back() -> None:
    sample = one_cell(Column("f", "float"), 0.1, 1e20, 16777216.0, None, math.nan, math.inf, -math.inf)
    assert re.findall(rb"<TD>(.*?)</TD>", write(TABLEDATA, sample)) == [b"0.1", b"1e+20", b"16777216", b"", b"NaN", b"+Inf", b"-Inf"]


def test_tabledata_fills_null_arrays_of_floats_alone() -> None:
    for column, text in ((Column("a", "float", "3"), b"NaN NaN NaN"), (Column("a", "int", "3"), b""), (Column("a", "boolean", "2"), b"")):
        assert re.findall(rb"<TD>(.*?)</TD>", write(TABLEDATA, one_cell(column, None))) == [text]


def test_null_elements_of_floats_and_booleans_are_told() -> None:
    floats, flags = one_cell(Column("a", "double", "*"), [1.0, None]), one_cell(Column("a", "boolean", "2"), [True, None])
    assert b"<TD>1 NaN</TD>" in write(TABLEDATA, floats)
    assert math.isnan(read_binary2(write(BINARY2, floats), floats.columns)[0][0][1])
    assert b"<TD>T ?</TD>" in write(TABLEDATA, flags)
    assert read_binary2(write(BINARY2, flags), flags.columns) == [([True, None],)]
    assert json.loads(write(JSON, floats))["data"] == [[[1.0, None]]]


@pytest.mark.parametrize("format_", [TABLEDATA, BINARY2, BINARY, CSV, TSV, FITS, HTML, TEXT], ids=lambda format_: format_.name)
def test_null_elements_of_integers_are_refused(format_: Format) -> None:
    with pytest.raises(DataError, match="column numbers: a cell is an integer array with a NULL inside"):
        write(format_, one_cell(Column("numbers", "int", "*"), [1, None]))


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_an_array_of_the_wrong_length_is_refused(format_: Format) -> None:
    with pytest.raises(DataError, match=r"column pair: a cell has 3 elements.*arraysize 2"):
        write(format_, one_cell(Column("pair", "double", "2"), [1.0, 2.0], [1.0, 2.0, 3.0]))


def test_a_byte_does_not_wrap_around() -> None:
    with pytest.raises(DataError, match="column b: a value does not fit into an unsigned byte"):
        write(BINARY2, one_cell(Column("b", "unsignedByte"), 300))


@pytest.mark.parametrize("kind", [("short", None), ("int", "2"), ("long", None)])
def test_binary_refuses_what_would_read_back_as_null(kind: tuple[str, str | None]) -> None:
    column = Column("n", *kind)
    smallest = {"short": -(2**15), "int": -(2**31), "long": -(2**63)}[column.datatype]
    with pytest.raises(DataError, match=f"column n: a cell is {smallest}, which stands for NULL in VOTable's BINARY. .*BINARY2"):
        write(BINARY, one_cell(column, [1, smallest] if column.length else smallest))


def test_a_refused_batch_leaves_the_stream_whole() -> None:
    column = Column("b", "unsignedByte")
    good, bad = one_cell(column, 1, 2), one_cell(column, 300)
    writer = BINARY2.writer(head_of(good))
    document = writer.head() + writer.rows(next(good.batches()))
    with pytest.raises(DataError):
        writer.rows(next(bad.batches()))
    document += b"".join(writer.tail(failed(2)))
    assert read_binary2(document, good.columns) == [(1,), (2,)]
    assert b'<INFO name="QUERY_STATUS" value="ERROR">it broke</INFO>' in document


YEARS = {
    -63549360000000000: "-0044-03-15T00:00:00",
    -62135596800000001: "0000-12-31T23:59:59.999999",
    253402300800000000: "10000-01-01T00:00:00",
}
"""Instants, in microseconds since 1970, of years that Python does not have."""


@pytest.mark.parametrize("format_", [form for form in FORMATS if form is not ARROW], ids=lambda format_: format_.name)
def test_years_of_more_or_fewer_than_four_digits_are_told_as_far_as_they_can_be(format_: Format) -> None:
    column = Column("t", "char", "*", xtype="timestamp")

    def written(*instants: int) -> bytes:
        batch = pa.RecordBatch.from_arrays([pa.array(instants, pa.int64()).view(arrow_type(column))], names=["t"])
        with closing(format_.writer(TableHead((column,)))) as writer:
            return b"".join((writer.head(), writer.rows(batch), *writer.tail(Outcome(Ending.COMPLETE, len(instants)))))

    if format_ is BINARY2:
        assert read_binary2(written(*YEARS), (column,)) == [(text,) for text in YEARS.values()]
    if format_ in (TABLEDATA, CSV, TSV, JSON, FITS, HTML, TEXT):
        assert all(text.encode() in written(*YEARS) for text in YEARS.values())
    with pytest.raises(DataError, match=r"column t: a timestamp lies beyond the year 32767\. Ask for Arrow"):
        written(0, 971_890_963_200_000_000)


def test_infinite_instants_are_null() -> None:
    # as ADBC delivers PostgreSQL's 'infinity' and '-infinity': wrapped around
    column = Column("t", "char", "*", xtype="timestamp")
    instants = pa.array([-9222425352054775809, -9222425352054775808, 0], pa.int64()).view(arrow_type(column))
    batch = pa.RecordBatch.from_arrays([instants], names=["t"])

    def written(format_: Format) -> bytes:
        writer = format_.writer(head_of(one_cell(column)))
        return b"".join((writer.head(), writer.rows(batch), *writer.tail(Outcome(Ending.COMPLETE, 3))))

    assert re.findall(rb"<TD>(.*?)</TD>", written(TABLEDATA)) == [b"", b"", b"1970-01-01T00:00:00"]
    assert read_binary2(written(BINARY2), (column,)) == [(None,), (None,), ("1970-01-01T00:00:00",)]


def test_base64_lines_are_short_enough_for_parsers() -> None:
    sample = one_cell(Column("c", "char", "*"), "x" * 200_000, "y" * 70_001)
    document = write(BINARY2, sample, size=1)
    assert max(map(len, document.splitlines())) <= 65536
    assert read_binary2(document, sample.columns) == list(sample.rows)


@given(st.lists(st.none() | st.floats() | st.floats(width=32) | st.integers(-(2**53), 2**53).map(float)), st.integers(0, 3))
def test_floats_are_text_that_reads_back(values: list[float | None], start: int) -> None:
    array = pa.array(values, pa.float64()).slice(start)
    texts = float_text(array)
    texts.validate(full=True)
    assert texts.null_count == array.null_count
    for value, text in zip(array.to_pylist(), texts.to_pylist(), strict=True):
        if value is None:
            assert text is None
        elif math.isfinite(value):
            assert float(text) == value
            assert not text.endswith(".0") or text == "-0.0"
