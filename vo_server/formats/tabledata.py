"""Rows of a VOTable as TABLEDATA (VOTable 1.5 §5.1–5.2)."""

from collections.abc import Iterator

import pyarrow as pa

from vo_server.formats import votable
from vo_server.formats.cells import FramedRows, RowFrame, Spelling
from vo_server.formats.texts import xml_text
from vo_server.formats.writer import Writer
from vo_server.model.result import Outcome, Piece, TableHead

SPELLING = Spelling(
    text=xml_text,
    true=pa.scalar("T"),
    false=pa.scalar("F"),
    nan=pa.scalar("NaN"),
    infinities=(pa.scalar("+Inf"), pa.scalar("-Inf")),
    fills_arrays=True,
)
FRAME = RowFrame(b"<TR><TD>", pa.scalar("</TD><TD>"), pa.scalar("</TD></TR>\n<TR><TD>"), b"</TD></TR>\n")


class TableDataWriter(Writer):
    """VOTable with rows as XML elements. NULL is an empty TD, so an empty string reads back as NULL.

    A null array of a fixed number of floats is that many NaN instead: astropy masks both alike, and votlint counts the elements of an
    empty TD. Among booleans and integers it is empty all the same, since every element that could be written reads as a value in STIL.
    """

    def __init__(self, head: TableHead) -> None:
        self._head = head
        self._framed = FramedRows(FRAME, SPELLING, head.columns)

    def head(self) -> bytes:
        """The document up to the first TR."""
        return votable.head(self._head, votable.TABLEDATA)

    def rows(self, batch: pa.RecordBatch) -> Piece:
        """A TR for each row."""
        return self._framed.rows(batch)

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """The rest of the document, with QUERY_STATUS when rows are missing."""
        yield self._framed.end() + votable.tail(self._head, outcome, votable.TABLEDATA)
