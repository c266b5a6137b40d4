"""Text tables of any layout: blanks, fixed places, separators; names from the file or from the descriptor."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vo_server.errors import DataError
from vo_server.formats.readers import Layout, open_table
from vo_server.publish.descriptor import LayoutSection


def content(path: Path, layout: Layout, nulls: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    source = open_table(path, nulls=nulls, layout=layout)
    return pa.Table.from_batches(list(source.batches()), schema=source.schema).to_pydict()


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("# a note\n#id ra  when\n1  2.5 2020-01-01\n2  -99 2020-01-02\n", Layout()),
        ("id ra when\n1 2.5 2020-01-01\n\n2 -99\t2020-01-02\n", Layout(skip=1)),
        ("1  2.5 2020-01-01\n2  -99 2020-01-02", Layout(names=("id", "ra", "when"))),
        ("nothing\nto see\n1|2.5|2020-01-01\n2| -99|2020-01-02\n", Layout(("id", "ra", "when"), separator="|", skip=2)),
        ("12.5 2020-01-01\n2-99 2020-01-02\n", Layout(("id", "ra", "when"), places=((1, 1), (2, 5), (6, None)))),
        ("! no row\n1 2.5 2020-01-01\n2 -99 2020-01-02\n", Layout(("id", "ra", "when"), comment="!")),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_lines_become_rows(tmp_path: Path, text: str, layout: Layout, packed: bool) -> None:
    path = tmp_path / "t.dat"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    found = content(path, layout, ("-99",))
    assert found["id"] == [1, 2]
    assert found["ra"] == [2.5, None]
    assert [when.day for when in found["when"]] == [1, 2]


@pytest.mark.parametrize(
    ("text", "layout", "message"),
    [
        ("#a b\n1 2\n1 2 3\n", Layout(), r"row 2, there are 3 values for 2 columns \(line 3\)"),
        ("1 2\n", Layout(), "no line above the rows names their 2 columns"),
        ("# a b\n", Layout(), "there are no rows"),
        ("1 2\n", Layout(("a", "b"), places=((1, 1),)), "2 names for 1 places"),
        ("a\xe9 1\n", Layout(("a", "b")), "not UTF-8"),
        ("x" * (1 << 20), Layout(("a",)), "more than 1,048,576 characters"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, layout: Layout, message: str) -> None:
    path = tmp_path / "t.dat"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(DataError, match=message):
        content(path, layout)


def test_rows_are_numbered_through_batches(tmp_path: Path) -> None:
    path = tmp_path / "t.dat"
    path.write_text("1 2\n" * 70_000 + "1\n")
    with pytest.raises(DataError, match="row 70001"):
        content(path, Layout(("a", "b")))


def test_a_descriptor_says_the_layout() -> None:
    said = LayoutSection.model_validate({"places": {"id": "1", "ra": "3-7", "note": "9-"}, "skip": 2})
    assert said.layout == Layout(("id", "ra", "note"), None, ((1, 1), (3, 7), (9, None)), 2, "#")
    with pytest.raises(ValueError, match="places name their columns themselves"):
        LayoutSection.model_validate({"places": {"id": "1"}, "names": ["id"]})
