"""Rows as an HTML table: one self-contained page without script, streamed."""

from collections.abc import Iterator

import pyarrow as pa
from lxml import etree
from lxml.builder import E

from vo_server.formats.cells import FramedRows, RowFrame, Spelling
from vo_server.formats.texts import legal_xml, xml_text
from vo_server.formats.writer import Writer
from vo_server.model.columns import NUMBERS, Column
from vo_server.model.result import Ending, Outcome, Piece, TableHead

STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 1rem; color: #1b1b1f; background: #fff }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; white-space: pre-wrap }
thead th { position: sticky; top: 0; background: #f3f4f7; border-bottom: 1px solid #999 }
th small { display: block; font-weight: normal; color: #555; min-height: 1.4em }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 1rem; color: #555 }
dd { margin: 0; overflow-wrap: anywhere }
p.missing { border-left: 4px solid #b3261e; padding: .3rem .8rem; background: #fceeee }
"""
TITLE = "Query result"
CUT = "cut here"
"""A comment with these words stands where the rows belong; no text can look like it, because the serialiser escapes it."""


def html_text(array: pa.Array, datatype: str) -> pa.Array:  # noqa: ARG001 a page is UTF-8 whatever the column's datatype
    """Strings as character data, as in XML."""
    return xml_text(array, "unicodeChar")


SPELLING = Spelling(
    text=html_text,
    true=pa.scalar("true"),
    false=pa.scalar("false"),
    nan=pa.scalar("NaN"),
    infinities=(pa.scalar("Infinity"), pa.scalar("-Infinity")),
)
FRAME = RowFrame(b"<tr><td>", pa.scalar("</td><td>"), pa.scalar("</td></tr>\n<tr><td>"), b"</td></tr>\n")


class HtmlWriter(Writer):
    """A page with the table, its infos above it, and below it a note when rows are missing. NULL is an empty cell."""

    def __init__(self, head: TableHead) -> None:
        self._head = head
        self._framed = FramedRows(FRAME, SPELLING, head.columns)

    def head(self) -> bytes:
        """The page up to the first row."""
        return b"<!DOCTYPE html>\n" + _pieces(_page(self._head))[0]

    def rows(self, batch: pa.RecordBatch) -> Piece:
        """A tr for each row."""
        return self._framed.rows(batch)

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """The rest of the page, with how many rows there are and whether some are missing."""
        yield self._framed.end() + _pieces(_page(self._head, outcome))[1] + b"\n"


def _page(head: TableHead, outcome: Outcome | None = None) -> etree._Element:
    title = legal_xml(head.name or TITLE)
    intro = [E.p(legal_xml(head.description))] if head.description else []
    infos = [part for info in head.infos for part in (E.dt(legal_xml(info.name)), E.dd(legal_xml(info.value)))]
    return E.html(
        E.head(
            E.meta(charset="utf-8"),
            E.meta(name="viewport", content="width=device-width, initial-scale=1"),
            E.title(title),
            E.style(STYLE + _alignment(head)),
        ),
        E.body(
            E.h1(title),
            *intro,
            *([E.dl(*infos)] if infos else []),
            E.table(E.thead(E.tr(*map(_heading, head.columns))), E.tbody(etree.Comment(CUT))),
            *_ending(outcome),
        ),
        lang="en",
    )


def _heading(column: Column) -> etree._Element:
    heading = E.th(legal_xml(column.name), E.small(legal_xml(column.unit or "")), scope="col")
    if column.description:
        heading.set("title", legal_xml(column.description))
    return heading


def _alignment(head: TableHead) -> str:
    """Numbers to the right: a rule for each column costs nothing a cell."""
    numbers = [number for number, column in enumerate(head.columns, start=1) if column.datatype in NUMBERS and not column.is_array]
    selectors = ", ".join(f"td:nth-child({number}), th:nth-child({number})" for number in numbers)
    return f"{selectors} {{ text-align: right }}\n" if numbers else ""


def _ending(outcome: Outcome | None) -> list[etree._Element]:
    if outcome is None:
        return []
    parts = [E.p(f"{outcome.rows} row{'' if outcome.rows == 1 else 's'}")]
    if outcome.ending is Ending.OVERFLOW:
        parts.append(E.p("There are more rows than these: the limit (MAXREC) was reached.", {"class": "missing"}))
    elif outcome.ending is Ending.FAILED:
        parts.append(E.p(legal_xml(f"Rows are missing: {outcome.message}"), {"class": "missing"}))
    return parts


def _pieces(page: etree._Element) -> list[bytes]:
    """The page before and after the rows."""
    document: bytes = etree.tostring(page, method="html", encoding="UTF-8")
    return document.split(f"<!--{CUT}-->".encode())
