"""What PostgreSQL sends, as it is read off the socket, is what the writers expect."""

import re
from contextlib import closing

import psycopg
import pyarrow as pa
import pytest
from lxml import etree

from vo_server.db.wire import Rows
from vo_server.formats import FORMATS, Format
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Outcome, TableHead

TABLEDATA, BINARY2, BINARY, *_ = FORMATS

VALUES: dict[Column, tuple[str, pa.DataType, str]] = {
    Column("c1", "boolean"): ("true", pa.bool_(), "T"),
    Column("c2", "unsignedByte"): ("200", pa.int16(), "200"),
    Column("c3", "short"): ("-32768", pa.int16(), "-32768"),
    Column("c4", "int"): ("-2147483648", pa.int32(), "-2147483648"),
    Column("c5", "long"): ("'-9223372036854775808'", pa.int64(), "-9223372036854775808"),
    Column("c6", "float"): ("0.1", pa.float32(), "0.1"),
    Column("c7", "double"): ("0.1", pa.float64(), "0.1"),
    Column("c8", "double"): ("'-Infinity'", pa.float64(), "-Inf"),
    Column("c9", "char", "*"): ("'a<b'", pa.string(), "a<b"),
    Column("c10", "unicodeChar", "*"): ("'Å😀'", pa.string(), "Å😀"),
    Column("c11", "char", "*", xtype="timestamp"): ("'2017-09-22 20:54:30.43'", pa.timestamp("us"), "2017-09-22T20:54:30.43"),
    Column("c12", "char", "*", xtype="timestamp"): ("'infinity'", pa.timestamp("us"), ""),
    Column("c13", "char", "*", xtype="timestamp"): ("'-infinity'", pa.timestamp("us"), ""),
    Column("c14", "boolean", "2"): ("'{t,f}'", pa.list_(pa.bool_()), "T F"),
    Column("c15", "unsignedByte", "*"): ("'{1,255}'", pa.list_(pa.int16()), "1 255"),
    Column("c16", "short", "2"): ("'{1,2}'", pa.list_(pa.int16()), "1 2"),
    Column("c17", "int", "*"): ("'{}'", pa.list_(pa.int32()), ""),
    Column("c18", "long", "2"): ("'{1,2}'", pa.list_(pa.int64()), "1 2"),
    Column("c19", "float", "*"): ("'{0.1,NULL}'", pa.list_(pa.float32()), "0.1 NaN"),
    Column("c20", "double", "2x2"): ("'{1,2,3,NaN}'", pa.list_(pa.float64()), "1 2 3 NaN"),
}
"""A value of each type that streaming knows: in SQL, the Arrow type it arrives as, and its text."""


@pytest.fixture
def batch(postgres_url: str) -> pa.RecordBatch:
    values = ", ".join(f"({value})::{column.sql_type}" for column, (value, _, _) in VALUES.items())
    nulls = ", ".join(f"NULL::{column.sql_type}" for column in VALUES)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        (batch,) = Rows(connection, f"SELECT {values} UNION ALL SELECT {nulls}", [column.sql_type for column in VALUES])
    return batch


def written(form: Format, batch: pa.RecordBatch) -> bytes:
    # a NULL inside an array is for VOTable's floats and booleans, and so it is in the value above
    with closing(form.writer(TableHead(tuple(VALUES)))) as writer:
        return b"".join((writer.head(), writer.rows(batch), *writer.tail(Outcome(Ending.COMPLETE, batch.num_rows))))


def test_every_type_is_written_and_so_is_its_null(batch: pa.RecordBatch) -> None:
    rows = etree.fromstring(written(TABLEDATA, batch)).iter("{*}TR")
    texts = sorted(([cell.text or "" for cell in row] for row in rows), key="".join)
    nulls = ["NaN NaN NaN NaN" if column.length == 4 else "" for column in VALUES]
    assert texts == [nulls, [text for _, _, text in VALUES.values()]]


@pytest.mark.parametrize("index", range(len(VALUES)), ids=[f"{column.datatype}-{column.arraysize}-{column.name}" for column in VALUES])
def test_arrow_types_are_the_ones_we_know(batch: pa.RecordBatch, index: int) -> None:
    assert batch.schema.types[index].equals(list(VALUES.values())[index][1])


def test_binary2_takes_them_all(batch: pa.RecordBatch) -> None:
    assert re.fullmatch(rb"[A-Za-z0-9+/\n]+", BINARY2.writer(TableHead(tuple(VALUES))).rows(batch))


@pytest.mark.parametrize("form", [form for form in FORMATS if form is not BINARY], ids=lambda form: form.name)
def test_every_format_takes_them_all(batch: pa.RecordBatch, form: Format) -> None:
    assert written(form, batch)
