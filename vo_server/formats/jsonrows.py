"""Rows as JSON.

    {"metadata": [{"name": "ra", "datatype": "double", "unit": "deg", …}, …],
     "infos": [{"name": "…", "value": "…"}, …],
     "data": [[10.5, "M 31", null], …],
     "overflow": false,
     "rows": 1}

``metadata`` describes the columns with VOTable's words; what a column lacks is absent, except ``unit`` and ``description``, which are null
then, since astroquery looks for them. Numbers are JSON numbers, arrays JSON arrays (flat),
timestamps ISO strings; NULL and NaN are null, infinities the strings "Infinity" and "-Infinity". Integers of datatype ``long``
beyond ±2⁵³, which JavaScript would round, are strings of digits.
``overflow`` says whether rows were left out. A failure breaks the connection before the closing brace: the text is then no JSON.
"""

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from vo_server.formats.cells import FramedRows, RowFrame, Spelling, enclose
from vo_server.formats.texts import ILLEGAL, SPECIAL, classes_in, replace_each
from vo_server.formats.writer import Writer, refuse_failure
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Outcome, Piece, TableHead

SHORT_ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n", "\r": "\\r"}
SPECIAL_BYTES = "".join(SHORT_ESCAPES).encode()
CONTROL_ESCAPES = {chr(code): f"\\u{code:04x}" for code in range(0x20) if chr(code) not in SHORT_ESCAPES}
QUOTE = pa.scalar('"')
NULL = pa.scalar("null")
EXACT = (pa.scalar(-(2**53), pa.int64()), pa.scalar(2**53, pa.int64()))
METADATA = ("name", "datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")
ALWAYS = ("unit", "description")


def json_text(array: pa.Array, datatype: str) -> pa.Array:  # noqa: ARG001 JSON is UTF-8 whatever the column's datatype
    """Strings as JSON strings, quotes included (RFC 8259 §7)."""
    found = classes_in(array, SPECIAL_BYTES)
    if found & SPECIAL:
        array = replace_each(array, SHORT_ESCAPES)
    if found & ILLEGAL:
        array = replace_each(array, CONTROL_ESCAPES)
    return enclose(QUOTE, array, QUOTE)


def long_text(array: pa.Array) -> pa.Array:
    """64-bit integers: digits, in quotes beyond ±2⁵³."""
    text = array.cast(pa.string())
    exact = pc.and_(pc.greater_equal(array, EXACT[0]), pc.less_equal(array, EXACT[1]))
    if pc.all(exact, min_count=0).as_py():
        return text
    return pc.if_else(exact, text, enclose(QUOTE, text, QUOTE))


SPELLING = Spelling(
    text=json_text,
    true=pa.scalar("true"),
    false=pa.scalar("false"),
    nan=NULL,
    infinities=(pa.scalar('"Infinity"'), pa.scalar('"-Infinity"')),
    between=pa.scalar(","),
    brackets=(pa.scalar("["), pa.scalar("]")),
    quote=QUOTE,
    null_element=NULL,
    long=long_text,
)
FRAME = RowFrame(b"\n[", pa.scalar(","), pa.scalar("],\n["), b"]", null="null")


class JsonWriter(Writer):
    """One JSON object, its rows streamed."""

    def __init__(self, head: TableHead) -> None:
        self._head = head
        self._framed = FramedRows(FRAME, SPELLING, head.columns)

    def head(self) -> bytes:
        """The object up to the first row."""
        infos = [{"name": info.name, "value": info.value} for info in self._head.infos]
        return (
            b'{"metadata": '
            + _dumps([_metadata(column) for column in self._head.columns])
            + b',\n"infos": '
            + _dumps(infos)
            + b',\n"data": ['
        )

    def rows(self, batch: pa.RecordBatch) -> Piece:
        """An array for each row."""
        return self._framed.rows(batch)

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """Whether rows are missing, and how many there are; a FAILED outcome raises UnfinishedError."""
        refuse_failure(outcome, "JSON")
        overflow = outcome.ending is Ending.OVERFLOW
        yield self._framed.end() + b'\n],\n"overflow": ' + _dumps(overflow) + b', "rows": ' + _dumps(outcome.rows) + b"}\n"


def _metadata(column: Column) -> dict[str, str | None]:
    values = {key: getattr(column, key) or None for key in METADATA}
    return {key: value for key, value in values.items() if value or key in ALWAYS}


def _dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
