"""Rows as CSV (RFC 4180) and TSV: a row of column names, then a line a row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from vo_server.formats.cells import EMPTY, FramedRows, RowFrame, Spelling, enclose
from vo_server.formats.texts import HIGH, SPECIAL, classes_in, occurs
from vo_server.formats.writer import Writer, refuse_failure
from vo_server.model.result import Outcome, Piece, TableHead

CSV_SPECIAL = b',"\r\n\x0b\x0c\x1c\x1d\x1e'
LINE_ENDS = tuple(end.encode() for end in "\x85\u2028\u2029")
IN_QUOTES = '[,"\\r\\n\\x0b\\x0c\\x1c-\\x1e\\x{85}\\x{2028}\\x{2029}]'
"""What separates cells, and whatever any reader takes for the end of a line: astropy does so for all that Unicode has."""
QUOTE = pa.scalar('"')
TSV_SPECIAL = b"\t\r\n"


def csv_text(array: pa.Array, datatype: str) -> pa.Array:  # noqa: ARG001 CSV is UTF-8 whatever the column's datatype
    """Strings quoted where they hold a comma, a quote or a line end, and where they are empty, so that they differ from NULL."""
    found = classes_in(array, CSV_SPECIAL)
    needs = pc.equal(array, EMPTY)
    if found & SPECIAL or (found & HIGH and occurs(LINE_ENDS, array)):
        needs = pc.or_(needs, pc.match_substring_regex(array, IN_QUOTES))
    if not pc.any(needs).as_py():
        return array
    bare = array.filter(needs)
    return pc.replace_with_mask(array, needs, enclose(QUOTE, pc.replace_substring(bare, '"', '""'), QUOTE))


def tsv_text(array: pa.Array, datatype: str) -> pa.Array:  # noqa: ARG001 as above
    """Strings with a blank for each tab and line end, which TSV cannot hold (IANA text/tab-separated-values)."""
    return pc.replace_substring_regex(array, "[\t\r\n]", " ") if classes_in(array, TSV_SPECIAL) & SPECIAL else array


def _spelling(text: Callable[[pa.Array, str], pa.Array]) -> Spelling:
    return Spelling(
        text=text,
        true=pa.scalar("true"),
        false=pa.scalar("false"),
        nan=pa.scalar("NaN"),
        infinities=(pa.scalar("Infinity"), pa.scalar("-Infinity")),
    )


@dataclass(frozen=True, slots=True)
class Dialect:
    """What separates cells and ends lines, and how cells are spelled."""

    name: str
    between: str
    line_end: str
    spelling: Spelling


CSV = Dialect("CSV", ",", "\r\n", _spelling(csv_text))
TSV = Dialect("TSV", "\t", "\n", _spelling(tsv_text))


class DelimitedWriter(Writer):
    """UTF-8 lines. NULL is an empty cell; arrays are their elements with blanks between; booleans are ``true`` and ``false``."""

    def __init__(self, dialect: Dialect, head: TableHead) -> None:
        self._dialect = dialect
        self._columns = head.columns
        line_end = dialect.line_end.encode()
        frame = RowFrame(b"", pa.scalar(dialect.between), pa.scalar(dialect.line_end), line_end)
        self._framed = FramedRows(frame, dialect.spelling, head.columns)

    def head(self) -> bytes:
        """The line of column names."""
        names = self._dialect.spelling.text(pa.array([column.name for column in self._columns], pa.string()), "unicodeChar")
        return (self._dialect.between.join(names.to_pylist()) + self._dialect.line_end).encode()

    def rows(self, batch: pa.RecordBatch) -> Piece:
        """A line for each row."""
        return self._framed.rows(batch)

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """The last line's end; a FAILED outcome raises UnfinishedError."""
        refuse_failure(outcome, self._dialect.name)
        yield self._framed.end()


def csv_writer(head: TableHead) -> DelimitedWriter:
    """CSV with a header line and CRLF."""
    return DelimitedWriter(CSV, head)


def tsv_writer(head: TableHead) -> DelimitedWriter:
    """TSV with a header line and LF."""
    return DelimitedWriter(TSV, head)
