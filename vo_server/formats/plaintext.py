"""Rows as aligned text for people: names, units, a rule, and a line a row.

Columns are as wide as the widest cell seen so far, so a later block may stand wider than an earlier one; all lines of a block are aligned.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from vo_server.formats.cells import EMPTY, RowFrame, Spelling, column_text
from vo_server.formats.texts import HIGH, ILLEGAL, SPECIAL, classes_in
from vo_server.formats.writer import Writer
from vo_server.model.columns import NUMBERS, Column
from vo_server.model.result import Ending, Outcome, TableHead

SPECIAL_BYTES = b"\t\r\n\x7f"
CONTROL = "\\p{C}|\\p{Zl}|\\p{Zp}"
"""Characters that move the cursor or hide, and whatever would begin a new line."""


def plain_text(array: pa.Array, datatype: str) -> pa.Array:  # noqa: ARG001 the text is UTF-8 whatever the column's datatype
    """Strings in one line, with a blank for each control character."""
    return pc.replace_substring_regex(array, CONTROL, " ") if classes_in(array, SPECIAL_BYTES) & (HIGH | ILLEGAL | SPECIAL) else array


SPELLING = Spelling(
    text=plain_text,
    true=pa.scalar("true"),
    false=pa.scalar("false"),
    nan=pa.scalar("NaN"),
    infinities=(pa.scalar("Infinity"), pa.scalar("-Infinity")),
)
GAP = "  "
FRAME = RowFrame(b"", pa.scalar(GAP), pa.scalar("\n"), b"\n")


class TextWriter(Writer):
    """Lines of UTF-8, aligned; NULL is blank. The head waits for the first rows, which say how wide columns are."""

    def __init__(self, head: TableHead) -> None:
        self._head = head
        titles = [plain_text(pa.array([column.name, column.unit or ""]), "unicodeChar").to_pylist() for column in head.columns]
        self._titles = list(zip(*titles, strict=True))
        self._widths = [max(map(len, pair)) for pair in titles]
        self._begun = False

    def head(self) -> bytes:
        """The infos, a line each."""
        lines = [f"# {info.name}: {' '.join(info.value.split())}\n" for info in self._head.infos]
        return "".join(lines).encode()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """A block of lines."""
        if not batch.num_rows:
            return b""
        cells = [self._cells(column, array) for column, array in zip(self._head.columns, batch.columns, strict=True)]
        self._widths = [max(width, pc.max(pc.utf8_length(array)).as_py()) for width, array in zip(self._widths, cells, strict=True)]
        texts = [pad(column, array, width) for column, array, width in zip(self._head.columns, cells, self._widths, strict=True)]
        return b"".join((self._beginning(), FRAME.join(texts)[FRAME.extra :], FRAME.after))

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """How many rows there are, and whether some are missing."""
        lines = [f"# {outcome.rows} row{'' if outcome.rows == 1 else 's'}\n"]
        if outcome.ending is Ending.OVERFLOW:
            lines.append("# OVERFLOW: there are more rows than these, the limit (MAXREC) was reached.\n")
        elif outcome.ending is Ending.FAILED:
            lines.append(f"# ERROR: rows are missing. {' '.join((outcome.message or '').split())}\n")
        yield self._beginning() + "".join(lines).encode()

    @staticmethod
    def _cells(column: Column, array: pa.Array) -> pa.Array:
        return pc.fill_null(column_text(column, array, SPELLING), EMPTY)

    def _beginning(self) -> bytes:
        """The lines above the first row, once."""
        if self._begun:
            return b""
        self._begun = True
        names, units = (pa.array(titles, pa.string()) for titles in self._titles)
        lines = [self._line(names), *([self._line(units)] if pc.any(pc.not_equal(units, EMPTY)).as_py() else [])]
        return "".join(f"{line}\n" for line in [*lines, GAP.join("-" * width for width in self._widths)]).encode()

    def _line(self, titles: pa.Array) -> str:
        padded = [
            pad(column, titles.slice(index, 1), width)[0].as_py()
            for index, (column, width) in enumerate(zip(self._head.columns, self._widths, strict=True))
        ]
        return GAP.join(padded)


def pad(column: Column, array: pa.Array, width: int) -> pa.Array:
    """Cells of the same width: numbers to the right, all else to the left."""
    to_the_right = column.datatype in NUMBERS and not column.is_array
    return pc.utf8_lpad(array, width) if to_the_right else pc.utf8_rpad(array, width)
