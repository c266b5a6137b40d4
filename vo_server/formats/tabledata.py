"""Rows of a VOTable as TABLEDATA (VOTable 1.5 §5.1–5.2)."""

from collections.abc import Iterator

import pyarrow as pa

from vo_server.formats import votable
from vo_server.formats.cells import RowFrame, Spelling, column_text
from vo_server.formats.texts import xml_text
from vo_server.formats.writer import Writer
from vo_server.model.result import Outcome, TableHead

SPELLING = Spelling(
    text=xml_text,
    true=pa.scalar("T"),
    false=pa.scalar("F"),
    nan=pa.scalar("NaN"),
    infinities=(pa.scalar("+Inf"), pa.scalar("-Inf")),
    fills_arrays=True,
)
FRAME = RowFrame(pa.scalar("</TD><TD>"), pa.scalar("</TD></TR>\n<TR><TD>"))


class TableDataWriter(Writer):
    """VOTable with rows as XML elements. NULL is an empty TD, so an empty string reads back as NULL.

    A null array of a fixed number of floats is that many NaN instead: astropy masks both alike, and votlint counts the elements of an
    empty TD. Among booleans and integers it is empty all the same, since every element that could be written reads as a value in STIL.
    """

    def __init__(self, head: TableHead) -> None:
        self._head = head

    def head(self) -> bytes:
        """The document up to the first TR."""
        return votable.head(self._head, votable.TABLEDATA)

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """A TR for each row."""
        if not batch.num_rows:
            return b""
        texts = [column_text(column, array, SPELLING) for column, array in zip(self._head.columns, batch.columns, strict=True)]
        return b"".join((b"<TR><TD>", FRAME.join(texts), b"</TD></TR>\n"))

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """The rest of the document, with QUERY_STATUS when rows are missing."""
        yield votable.tail(self._head, outcome, votable.TABLEDATA)
