"""FITS, Parquet and Arrow: every cell comes back through astropy and pyarrow, and the files say how they ended."""

import io
import math
import re
from contextlib import closing
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits as astropy_fits
from astropy.io import votable
from astropy.table import Table
from formats_tables import ARROW, FITS, INF, PARQUET, Sample, everything, samples, single, write
from hypothesis import given, settings

from vo_server.errors import DataError, UsageError
from vo_server.formats import Format, fits, voparquet
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Info, Outcome, TableHead

any_table = settings(max_examples=100, deadline=None)
FLOATS = ("float", "double")
INTEGERS = ("unsignedByte", "short", "int", "long")


def instant(value: datetime) -> str:
    return value.isoformat().rstrip("0").rstrip(".") if value.microsecond else value.isoformat()


def same(left: Any, right: Any) -> bool:
    """Equal, NaN equal to NaN, and the sign of zero kept."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or (left == right and math.copysign(1, left) == math.copysign(1, right))
    return type(left) is type(right) and left == right


def assert_columns(columns: tuple[Column, ...], read: list[list[Any]], wanted: list[list[Any]]) -> None:
    for column, got, cells in zip(columns, read, wanted, strict=True):
        assert same(got, cells), (column, got, cells)


def cells(sample: Sample, index: int) -> list[Any]:
    return [row[index] for row in sample.rows]


def rounded(cell: Any, column: Column) -> Any:
    if isinstance(cell, list):
        return [rounded(element, column) for element in cell]
    return single(cell) if column.datatype == "float" and isinstance(cell, float) else cell


# FITS


def read_fits(document: bytes) -> tuple[astropy_fits.Header, list[list[Any]]]:
    """The header of HDU 1, and its columns: integers None where they are TNULL, booleans None where they are zero bytes."""
    with astropy_fits.open(io.BytesIO(document), logical_as_bytes=True, character_as_bytes=False) as hdus:
        hdus.verify("exception")
        assert len(hdus) == 2
        table = hdus[1]
        return table.header.copy(), [fits_cells(table, index) for index in range(len(table.columns))]


def fits_cells(table: astropy_fits.BinTableHDU, index: int) -> list[Any]:
    form, null = table.columns[index].format, table.header.get(f"TNULL{index + 1}")
    values = table.data.field(index)
    if "A" in form:
        return ["".join(value).rstrip() if "P" in form or "Q" in form else str(value) for value in values]
    return [fits_cell(np.asarray(value).ravel().tolist() if np.ndim(value) else value.item(), null) for value in values]


def fits_cell(cell: Any, null: int | None) -> Any:
    if isinstance(cell, list):
        return [fits_cell(element, null) for element in cell]
    if isinstance(cell, bytes):
        return {b"T": True, b"F": False, b"": None}[cell]
    return None if cell == null and isinstance(cell, int) else cell


def as_fits(cell: Any, column: Column) -> Any:
    """What FITS can hold: printable ASCII without trailing blanks, no null strings, and arrays of nulls for null arrays."""
    if column.is_timestamp:
        return "" if cell is None else instant(cell)
    if column.is_text:
        return re.sub("[^ -~]", "?", cell or "").rstrip()
    null = math.nan if column.datatype in FLOATS else None
    if cell is None:
        return null if not column.is_array else [null] * (column.length or 0)
    return rounded(cell, column)


@any_table
@given(samples())
def test_fits_returns_every_cell(sample: Sample) -> None:
    """CHECKLIST VOT-029."""
    header, read = read_fits(write(FITS, sample))
    assert (header["NAXIS2"], header["QSTATUS"]) == (len(sample.rows), "OK")
    wanted = [[as_fits(cell, column) for cell in cells(sample, index)] for index, column in enumerate(sample.columns)]
    assert_columns(sample.columns, read, wanted)


def test_fits_says_what_is_known_of_columns() -> None:
    """CHECKLIST VOT-029."""
    description = "It's a long one; " * 20 + "Å"
    column = Column("v", "double", "2x3", "interval", "km.s**-1", "spect.dopplerVeloc", "obs:x", description)
    header, _ = read_fits(write(FITS, Sample((column,), ()), infos=(Info("QUERY", "SELECT *\nFROM t"),)))
    keywords = ("TTYPE1", "TFORM1", "TDIM1", "TUNIT1", "TUCD1", "TUTYP1", "TXTYP1", "TCOMM1")
    known = ["v", "6D", "(2,3)", "km.s**-1", "spect.dopplerVeloc", "obs:x", "interval", description.replace("Å", "?")]
    assert [header[keyword] for keyword in keywords] == known
    assert (header["EXTNAME"], list(header["HISTORY"])) == ("results", ["QUERY: SELECT * FROM t"])
    assert "A table" in list(header["COMMENT"])


@pytest.mark.parametrize("text", ["'" * n + "x" * m for n, m in ((1, 66), (67, 0), (66, 1), (34, 34), (200, 3))])
def test_quotes_survive_where_a_card_ends(text: str) -> None:
    header, _ = read_fits(write(FITS, Sample((Column("n", "int", description=text),), ())))
    assert header["TCOMM1"] == text


@pytest.mark.parametrize(
    ("ending", "words"),
    [(Ending.OVERFLOW, "There are more rows than these"), (Ending.FAILED, "ROWS ARE MISSING: it broke"), (Ending.COMPLETE, "")],
)
def test_fits_tells_how_rows_ended(ending: Ending, words: str) -> None:
    header, read = read_fits(write(FITS, everything(), ending=ending))
    assert header["QSTATUS"] == ending.value
    assert (words in str(header["COMMENT"])) == bool(read)


def test_a_result_without_rows_is_a_fits_table() -> None:
    """CHECKLIST VOT-029."""
    header, _ = read_fits(write(FITS, Sample(everything().columns, ())))
    assert (header["NAXIS2"], header["PCOUNT"], header["TFIELDS"]) == (0, 0, len(everything().columns))


def test_tnull_occurs_nowhere_else() -> None:
    low, high = -(2**31), 2**31 - 1
    numbers = [low, high, low + 1, None, 0]
    header, (read,) = read_fits(write(FITS, Sample((Column("n", "int"),), tuple((n,) for n in numbers))))
    assert (header["TNULL1"], read) == (high - 1, numbers)
    header, _ = read_fits(write(FITS, Sample((Column("n", "int"),), ((low,), (high,)))))
    assert "TNULL1" not in header


def test_bytes_become_shorts_if_no_byte_is_left_for_null() -> None:
    column, numbers = Column("n", "unsignedByte"), [*range(256), None]
    header, (read,) = read_fits(write(FITS, Sample((column,), tuple((n,) for n in numbers)), size=100))
    assert (header["TFORM1"], header["TNULL1"], read) == ("1I", -(2**15), numbers)


def test_longs_without_a_number_left_are_refused() -> None:
    ends = [number for step in range(4) for number in (-(2**63) + step, 2**63 - 1 - step)]
    with pytest.raises(DataError, match="column n: no number is left to stand for NULL in FITS"):
        write(FITS, Sample((Column("n", "long"),), tuple((n,) for n in (*ends, None))))


@pytest.mark.parametrize(("limit", "descriptor"), [(2**31, "P"), (10, "Q")])
def test_a_few_long_strings_go_to_the_heap(monkeypatch: pytest.MonkeyPatch, limit: int, descriptor: str) -> None:
    monkeypatch.setattr(fits, "SMALL_HEAP", limit)
    monkeypatch.setattr(fits, "ROOM", 10_000)
    columns = (Column("s", "char", "*"), Column("a", "int", "*"))
    rows = (("x" * 1000, [1]), *[("y", None), ("", [2, 3])] * 5)
    header, (texts, arrays) = read_fits(write(FITS, Sample(columns, rows), size=3))
    assert header["TFORM1"] == f"1{descriptor}A(1000)"
    assert texts == [row[0] for row in rows]
    assert arrays == [row[1] or [] for row in rows]


def test_long_strings_that_take_little_room_are_of_fixed_width() -> None:
    """astropy has them as strings then."""
    rows = (("x" * 1000,), *[("y",)] * 100)
    table = Table.read(io.BytesIO(write(FITS, Sample((Column("s", "char", "*"),), rows))), hdu=1)
    assert (table["s"].dtype.kind, list(table["s"])) == ("S", [row[0] for row in rows])


def test_fits_rows_wait_and_leave_piece_by_piece() -> None:
    sample = everything()
    with closing(FITS.writer(TableHead(sample.columns))) as writer:
        assert [writer.rows(batch) for batch in sample.batches(1)] == [b""] * 4
        assert len(list(writer.tail(Outcome(Ending.COMPLETE, 4)))) >= 1 + 4 + 4


def test_more_columns_than_fits_has_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 999 columns; this one has 1000"):
        FITS.writer(TableHead(tuple(Column(f"c{n}", "int") for n in range(1000))))


# Arrow and Parquet


def as_parquet(cell: Any, column: Column) -> Any:
    return instant(cell) if isinstance(cell, datetime) else rounded(cell, column)


@any_table
@given(samples())
def test_arrow_returns_every_cell(sample: Sample) -> None:
    with pa.ipc.open_stream(write(ARROW, sample)) as stream:
        table = stream.read_all()
    wanted = [[rounded(cell, column) for cell in cells(sample, index)] for index, column in enumerate(sample.columns)]
    assert_columns(sample.columns, [column.to_pylist() for column in table.columns], wanted)


@any_table
@given(samples())
def test_parquet_returns_every_cell(sample: Sample) -> None:
    table = pq.read_table(io.BytesIO(write(PARQUET, sample)))
    wanted = [[as_parquet(cell, column) for cell in cells(sample, index)] for index, column in enumerate(sample.columns)]
    assert_columns(sample.columns, [column.to_pylist() for column in table.columns], wanted)


TYPES = [
    (Column("c", "unsignedByte"), pa.uint8()),
    (Column("c", "unsignedByte", "*"), pa.list_(pa.uint8())),
    (Column("c", "double", "2x3"), pa.list_(pa.float64(), 6)),
    (Column("c", "boolean"), pa.bool_()),
    (Column("c", "unicodeChar", "*"), pa.string()),
]


@pytest.mark.parametrize(("column", "kind"), TYPES)
def test_types_are_the_nearest(column: Column, kind: pa.DataType) -> None:
    document = write(ARROW, Sample((column,), ()))
    assert pa.ipc.open_stream(document).schema.field("c").type.equals(kind)
    assert pq.read_schema(io.BytesIO(write(PARQUET, Sample((column,), ())))).field("c").type.equals(kind)


@pytest.mark.parametrize(("format_", "kind"), [(ARROW, pa.timestamp("us")), (PARQUET, pa.string())], ids=["Arrow", "Parquet"])
def test_timestamps(format_: Format, kind: pa.DataType) -> None:
    column = Column("t", "char", "*", xtype="timestamp")
    instants = pa.array([-9222425352054775809, 0], pa.int64()).view(pa.timestamp("us"))
    with closing(format_.writer(TableHead((column,)))) as writer:
        head = writer.head()
        rows = writer.rows(pa.RecordBatch.from_arrays([instants], names=["t"]))
        document = io.BytesIO(b"".join((head, rows, *writer.tail(Outcome(Ending.COMPLETE, 2)))))
    table = pq.read_table(document) if format_ is PARQUET else pa.ipc.open_stream(document).read_all()
    assert table.schema.field("t").type.equals(kind)
    assert [cell is None for cell in table["t"].to_pylist()] == [True, False]  # PostgreSQL's -infinity


@pytest.mark.parametrize("format_", [ARROW, PARQUET], ids=["Arrow", "Parquet"])
def test_fields_carry_what_votable_knows(format_: Format) -> None:
    column = Column("p", "double", "2", "point", "deg", "pos.eq", "obs:x", "Å")
    document = write(format_, Sample((column,), ()))
    schema = pa.ipc.open_stream(document).schema if format_ is ARROW else pq.read_schema(io.BytesIO(document))
    words = {"datatype": "double", "arraysize": "2", "xtype": "point", "unit": "deg", "ucd": "pos.eq", "utype": "obs:x"}
    metadata = {key.decode(): value.decode() for key, value in schema.field("p").metadata.items()}
    assert {key: metadata[key] for key in words} == words
    assert metadata["description"] == "Å"


@pytest.mark.parametrize("format_", [ARROW, PARQUET, FITS], ids=["Arrow", "Parquet", "FITS"])
@pytest.mark.parametrize("column", [Column("b", "unsignedByte"), Column("b", "unsignedByte", "1"), Column("b", "unsignedByte", "*")])
def test_a_byte_does_not_wrap_around(format_: Format, column: Column) -> None:
    with pytest.raises(DataError, match="column b: a value does not fit into an unsigned byte"):
        write(format_, Sample((column,), (([300] if column.is_array else 300,),)))


@pytest.mark.parametrize(("ending", "metadata"), [(Ending.OVERFLOW, [{b"QUERY_STATUS": b"OVERFLOW"}]), (Ending.COMPLETE, [])])
def test_arrow_tells_overflow_with_an_empty_batch(ending: Ending, metadata: list[dict[bytes, bytes]]) -> None:
    sample = everything()
    with pa.ipc.open_stream(write(ARROW, sample, size=2, ending=ending, infos=(Info("QUERY", "SELECT 1"),))) as stream:
        batches = list(stream.iter_batches_with_custom_metadata())
        assert stream.schema.metadata[b"INFO.QUERY"] == b"SELECT 1"
    assert [batch.batch.num_rows for batch in batches][:2] == [2, 2]
    assert [dict(batch.custom_metadata) for batch in batches[2:]] == metadata


def test_parquet_is_described_by_a_votable() -> None:
    """CHECKLIST VOT-030 (VOParquet 1.0)."""
    sample = everything()
    file = pq.ParquetFile(io.BytesIO(write(PARQUET, sample, ending=Ending.OVERFLOW, infos=(Info("QUERY", "SELECT 1"),))))
    metadata = file.metadata.metadata
    assert metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    document = metadata[b"IVOA.VOTable-Parquet.content"]
    table = votable.parse(io.BytesIO(document), verify="exception").get_first_table()
    assert b"<DATA" not in document
    assert [field.name for field in table.fields] == file.schema_arrow.names == [column.name for column in sample.columns]
    kinds = {field.name: (field.datatype, field.arraysize, field.xtype) for field in table.fields}
    assert kinds["name"] == ("char", "10*", None)
    assert kinds["time"] == ("char", "26*", "timestamp")
    assert kinds["matrix"] == ("float", "6", None)
    assert kinds["point"] == ("double", "2", "point")
    assert re.findall(rb'<INFO name="QUERY_STATUS" value="(\w+)"', document) == [b"OK", b"OVERFLOW"]


def test_parquet_leaves_in_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voparquet, "GROUP_BYTES", 1)
    sample = everything()
    with closing(PARQUET.writer(TableHead(sample.columns))) as writer:
        assert writer.head() == b"PAR1"
        pieces = [writer.rows(batch) for batch in sample.batches(2)]
        assert all(pieces)
        document = b"".join((b"PAR1", *pieces, *writer.tail(Outcome(Ending.COMPLETE, 4))))
    assert pq.ParquetFile(io.BytesIO(document)).num_row_groups == 2
    assert pq.read_table(io.BytesIO(document))["int"].to_pylist() == [-(2**31), 2**31 - 1, None, 3]


def test_astropy_reads_parquet_with_its_description() -> None:
    pytest.importorskip("pandas", reason="astropy reads Parquet through pandas")
    whole = everything()
    # astropy cannot read booleans and arrays with nulls in them
    table = Table.read(io.BytesIO(write(PARQUET, Sample(whole.columns, whole.rows[:2]))), format="parquet.votable")
    assert table.colnames == [column.name for column in whole.columns]
    assert (str(table["ra"].unit), table["ra"].meta["ucd"]) == ("deg", "pos.eq.ra;meta.main")
    assert list(table["comment"]) == ["Å 😀 é", "plain"]
    assert table["float"].tolist() == [1.5, -INF]
    assert table["matrix"].shape == (2, 6)
    names = Sample(whole.columns[7:8], tuple((row[7],) for row in whole.rows))
    assert Table.read(io.BytesIO(write(PARQUET, names)), format="parquet.votable")["name"][3] == "1"
