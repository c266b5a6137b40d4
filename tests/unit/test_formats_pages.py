"""HTML and plain text: what people look at."""

import re
from itertools import pairwise
from typing import Any

import pytest
from formats_tables import HTML, TEXT, Sample, everything, samples, write
from hypothesis import given, settings
from lxml import html

from vo_server.formats import Format
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Info

any_table = settings(max_examples=50, deadline=None)
HOSTILE = "</td></tr><script>alert(1)</script>&amp;\"'<!--cut here-->"


def page(document: bytes) -> html.HtmlElement:
    return html.document_fromstring(document.decode())


def test_a_page_holds_the_table() -> None:
    sample = everything()
    document = write(HTML, sample, infos=(Info("QUERY", "SELECT <b>"),))
    assert document.startswith(b"<!DOCTYPE html>\n<html")
    root = page(document)
    assert root.findtext(".//title") == "results"
    headings = root.findall(".//th")
    assert [heading.text for heading in headings] == [column.name for column in sample.columns]
    assert (headings[6].findtext("small"), headings[8].get("title")) == ("deg", "Å < & >")
    rows = [[cell.text or "" for cell in row] for row in root.findall(".//tbody/tr")]
    assert rows[0][:3] == ["true", "0", "-32768"]
    assert rows[1][7:11] == ['A, B;\t"C"\'', "plain", "0001-01-01T00:00:00", "0.1 NaN Infinity"]
    assert rows[2] == [""] * len(sample.columns)
    assert [part.text for part in root.findall(".//dl/*")] == ["QUERY", "SELECT <b>"]
    assert "4 rows" in root.text_content()


def test_nothing_in_a_page_runs_or_leads_outside() -> None:
    column = Column(HOSTILE, "unicodeChar", "*", unit=HOSTILE, description=HOSTILE)
    document = write(HTML, Sample((column,), ((HOSTILE,),)), infos=(Info(HOSTILE, HOSTILE),), ending=Ending.FAILED)
    root = page(document)
    assert {element.tag for element in root.iter() if isinstance(element.tag, str)}.isdisjoint({"script", "img", "link", "a", "iframe"})
    assert root.find(".//tbody/tr/td").text == HOSTILE
    assert root.find(".//th").get("title") == HOSTILE
    assert not re.search(rb"https?:|url\(|@import", document)


@pytest.mark.parametrize(
    ("format_", "ending", "words"),
    [
        (HTML, Ending.OVERFLOW, "There are more rows than these"),
        (HTML, Ending.FAILED, "Rows are missing: it broke"),
        (TEXT, Ending.OVERFLOW, "# OVERFLOW: there are more rows"),
        (TEXT, Ending.FAILED, "# ERROR: rows are missing. it broke"),
    ],
)
def test_missing_rows_are_told(format_: Format, ending: Ending, words: str) -> None:
    assert words in write(format_, everything(), ending=ending).decode()
    assert words not in write(format_, everything()).decode()


@any_table
@given(samples())
def test_a_page_has_a_row_a_row_and_a_cell_a_cell(sample: Sample) -> None:
    rows = page(write(HTML, sample)).findall(".//tbody/tr")
    assert [len(row) for row in rows] == [len(sample.columns)] * len(sample.rows)


def text_of(sample: Sample, **options: Any) -> list[str]:
    return write(TEXT, sample, **options).decode().split("\n")


def test_text_is_aligned() -> None:
    columns = (Column("n", "int", unit="m"), Column("name", "unicodeChar", "*"), Column("x", "double"))
    lines = text_of(Sample(columns, ((1, "Å", 0.5), (None, None, None), (-100, "long\nname", 1e300))), size=3, infos=(Info("Q", "a\nb"),))
    assert lines == [
        "# Q: a b",
        "   n  name            x",
        "   m                   ",
        "----  ---------  ------",
        "   1  Å             0.5",
        "                       ",
        "-100  long name  1e+300",
        "# 3 rows",
        "",
    ]


def test_later_blocks_are_no_narrower() -> None:
    column = Column("s", "char", "*")
    lines = text_of(Sample((column, column), (("a", "b"), ("long", "b"), ("a", "b"))), size=1)
    assert lines[1:5] == ["-  -", "a  b", "long  b", "a     b"]


@any_table
@given(samples())
def test_text_has_a_line_a_row(sample: Sample) -> None:
    lines = [line for line in text_of(sample, size=100)[:-1] if not line.startswith("#")]
    rule = next(index for index, line in enumerate(lines) if set(line) <= {"-", " "} and "-" in line)
    assert len(lines) - rule - 1 == len(sample.rows)
    assert all(len(a) == len(b) for a, b in pairwise(lines))


def test_an_empty_result_has_its_headings() -> None:
    assert text_of(Sample((Column("a", "int"),), ())) == ["a", "-", "# 0 rows", ""]
