"""Rows of VOTables, cell by cell, and documents that mean harm; the expected values are written here."""

import base64
import gzip
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vo_server.errors import DataError, TooLargeError
from vo_server.formats.readers import Bounds, Source, open_table

BOUNDS = Bounds(rows=1000, size=1_000_000)


def document(fields: str, data: str, version: str = "1.4", before: str = "", table: str = "") -> bytes:
    return (
        f'<?xml version="1.0"?>{before}<VOTABLE version="{version}" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>'
        f"<TABLE {table}>{fields}<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


def field(name: str, datatype: str, arraysize: str = "", more: str = "", inside: str = "") -> str:
    size = f' arraysize="{arraysize}"' if arraysize else ""
    return f'<FIELD name="{name}" datatype="{datatype}"{size} {more}>{inside}</FIELD>'


def rows(*cells: tuple[str, ...]) -> str:
    return f"<TABLEDATA>{''.join('<TR>' + ''.join(f'<TD>{cell}</TD>' for cell in row) + '</TR>' for row in cells)}</TABLEDATA>"


def stream(data: bytes, tag: str = "BINARY") -> str:
    return f'<{tag}><STREAM encoding="base64">{base64.encodebytes(data).decode()}</STREAM></{tag}>'


def opened(tmp_path: Path, content: bytes, bounds: Bounds | None = BOUNDS) -> Source:
    (tmp_path / "t").write_bytes(content)
    return open_table(tmp_path / "t", bounds=bounds)


def cells(tmp_path: Path, content: bytes) -> dict[str, list[Any]]:
    source = opened(tmp_path, content)
    return pa.Table.from_batches(source.batches(), source.schema).to_pydict()


CELLS: list[tuple[str, str, list[str], list[Any]]] = [
    ("boolean", "", ["T", "false", "1", "?", ""], [True, False, True, None, None]),
    ("bit", "", ["1", "0", "1", "1", "1"], [True, False, True, True, True]),
    ("bit", "3", ["1 0 1", "011", "000", "111", ""], [[True, False, True], [False, True, True], [False] * 3, [True] * 3, None]),
    ("unsignedByte", "", ["0", "255", " 7 ", "0x1F", ""], [0, 255, 7, 31, None]),
    ("short", "", ["-32768", "+5", "0x10", "1", ""], [-32768, 5, 16, 1, None]),
    ("int", "", ["-2147483648", "2147483647", "-99", "0", ""], [-(2**31), 2**31 - 1, None, 0, None]),
    ("long", "", ["9223372036854775807", "-9223372036854775808", "0", "1", ""], [2**63 - 1, -(2**63), 0, 1, None]),
    ("float", "", ["1.5", "NaN", "-Inf", "+1e3", ""], [1.5, None, float("-inf"), 1000.0, None]),
    ("double", "", ["1e-300", "Inf", "+Inf", "-0.25", ""], [1e-300, float("inf"), float("inf"), -0.25, None]),
    ("double", "2", ["1 2", " 3\n4 ", "NaN 1", "-Inf 0", ""], [[1.0, 2.0], [3.0, 4.0], [float("nan"), 1.0], [float("-inf"), 0.0], None]),
    ("int", "*", ["1 2 3", "-99", "4 -99", "5", ""], [[1, 2, 3], [None], [4, None], [5], None]),
    ("int", "2x*", ["1 2 3 4", "5 6", "7 8", "1 2", ""], [[1, 2, 3, 4], [5, 6], [7, 8], [1, 2], None]),
    ("char", "*", ["a", " b ", "&lt;&amp;", "ä", ""], ["a", " b ", "<&", "ä", None]),
    ("char", "", ["a", "b", "c", "d", ""], ["a", "b", "c", "d", None]),
    ("unicodeChar", "4", ["Ωé", "𝄞", "x", "y", ""], ["Ωé", "𝄞", "x", "y", None]),
    ("char", "2x3", ["abcdef", "ab", "abcd", "a b ", ""], ["ab;cd;ef", "ab", "ab;cd", "a;b", None]),
]


@pytest.mark.parametrize(("datatype", "arraysize", "texts", "expected"), CELLS)
def test_tabledata(tmp_path: Path, datatype: str, arraysize: str, texts: list[str], expected: list[Any]) -> None:
    content = document(field("x", datatype, arraysize, inside='<VALUES null="-99"/>'), rows(*((text,) for text in texts)))
    found = cells(tmp_path, content)["x"]
    assert repr(found) == repr(expected) or found == expected


def variable(data: bytes, count: int) -> bytes:
    return struct.pack(">i", count) + data


BINARY: list[tuple[str, str, bytes, Any]] = [
    ("boolean", "", b"T", True),
    ("boolean", "", b"0", False),
    ("boolean", "", b"\0", None),
    ("boolean", "3", b"TF?", [True, False, None]),
    ("bit", "", b"\x80", True),
    ("bit", "10", b"\xa0\x40", [True, False, True, False, False, False, False, False, False, True]),
    ("unsignedByte", "", b"\xff", 255),
    ("short", "", struct.pack(">h", -2), -2),
    ("int", "", struct.pack(">i", -99), None),
    ("long", "", struct.pack(">q", -(2**63)), -(2**63)),
    ("float", "", struct.pack(">f", 0.5), 0.5),
    ("double", "", struct.pack(">d", float("nan")), None),
    ("double", "2", struct.pack(">2d", 1, 2), [1.0, 2.0]),
    ("int", "2", struct.pack(">2i", 1, -99), [1, None]),
    ("double", "*", variable(struct.pack(">2d", 1, 2), 2), [1.0, 2.0]),
    ("int", "2x*", variable(struct.pack(">4i", 1, 2, 3, 4), 2), [1, 2, 3, 4]),
    ("bit", "*", variable(b"\xa0", 3), [True, False, True]),
    ("char", "4", b"ab\0x", "ab"),
    ("char", "*", variable("äb".encode(), 3), "äb"),
    ("char", "*", variable(b"\xe4", 1), "ä"),
    ("char", "*", variable(b"", 0), None),
    ("unicodeChar", "2", "Ωé".encode("utf-16-be"), "Ωé"),
    ("unicodeChar", "*", variable("𝄞".encode("utf-16-be"), 2), "𝄞"),
]


@pytest.mark.parametrize(("datatype", "arraysize", "data", "expected"), BINARY)
def test_binary(tmp_path: Path, datatype: str, arraysize: str, data: bytes, expected: Any) -> None:
    """The cell between two others, twice, and once more as NULL in BINARY2."""
    fields = field("a", "short") + field("x", datatype, arraysize, inside='<VALUES null="-99"/>') + field("z", "char", "*")
    row = struct.pack(">h", 7) + data + variable(b"end", 3)
    assert cells(tmp_path, document(fields, stream(row * 2))) == {"a": [7, 7], "x": [expected] * 2, "z": ["end"] * 2}
    flagged = b"\0" + row + b"\x40" + row + b"\xa0" + row
    empty = "" if expected is None and datatype == "char" else expected
    assert cells(tmp_path, document(fields, stream(flagged, "BINARY2"))) == {
        "a": [7, 7, None],
        "x": [empty, None, empty],
        "z": ["end", "end", None],
    }


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4", "1.5"])
def test_versions_and_a_namespace_prefix(tmp_path: Path, version: str) -> None:
    """CHECKLIST VOT-023."""
    content = document(field("x", "int", more='unit="deg" ucd="pos.eq.ra" utype="a:b.c"'), rows(("1",)), version)
    column = opened(tmp_path, content).columns[0]
    assert (column.unit, column.ucd, column.utype) == ("deg", "pos.eq.ra", "a:b.c")
    prefixed = content.replace(b"</", b"</v:").replace(b"<", b"<v:").replace(b"<v:/v:", b"</v:").replace(b"<v:?", b"<?")
    assert cells(tmp_path, prefixed.replace(b"xmlns=", b"xmlns:v=")) == {"x": [1]}


def test_instants_and_shapes_keep_their_types(tmp_path: Path) -> None:
    fields = (
        field("t", "char", "*", 'xtype="adql:TIMESTAMP"')
        + field("p", "double", "2", 'xtype="point"')
        + field("c", "double", "3", 'xtype="circle"')
        + field("g", "double", "*", 'xtype="polygon"')
        + field("i", "double", "2", 'xtype="interval"')
    )
    source = opened(
        tmp_path, document(fields, rows(("2020-01-02T03:04:05.5Z", "1 2", "1 2 3", "0 0 1 0 1 1", "4 5"), ("", "", "", "", "")))
    )
    assert [(one.xtype, one.sql_type) for one in source.columns] == [
        ("timestamp", "timestamp"),
        ("point", "double precision[]"),
        ("circle", "double precision[]"),
        ("polygon", "double precision[]"),
        ("interval", "double precision[]"),
    ]


WRONG = {
    "text for a number": (field("a", "int") + field("b", "double"), rows(("1", "2"), ("x1", "2")), r"row 2, column a: 'x1' is no int"),
    "a number too large": (field("a", "short"), rows(("1",), ("40000",)), r"row 2, column a: '40000' is no short"),
    "no unsigned byte": (field("a", "unsignedByte"), rows(("256",)), r"row 1, column a: 256 is no unsigned byte"),
    "no truth value": (field("a", "boolean"), rows(("T",), ("maybe",)), r"row 2, column a: 'maybe' is no truth value"),
    "elements missing": (field("a", "double", "3"), rows(("1 2 3",), ("1 2",)), r"row 2, column a: there are 2 elements, not 3"),
    "a wrong element": (field("a", "int", "*"), rows(("1 2",), ("3 x",)), r"row 2, column a: 'x' is no int"),
    "cells missing": (field("a", "int") + field("b", "int"), rows(("1", "2"), ("1",)), r"row 2, .*1 cells for 2 columns"),
    "a row cut off": (field("a", "int"), stream(struct.pack(">ih", 1, 2)), r"row 2, the data end within this row"),
    "a text cut off": (field("a", "char", "*"), stream(variable(b"ab", 2) + variable(b"a", 9)), r"row 2, the data end within this row"),
    "a length cut off": (field("a", "char", "*"), stream(variable(b"ab", 2) + b"\0"), r"row 2, the data end within this row"),
    "a negative length": (field("a", "char", "*"), stream(variable(b"", -5)), r"row 1, a length is -5"),
    "no base64": (field("a", "int"), stream(b"").replace("></STREAM", ">A</STREAM"), r"line \d+: a STREAM is not in base64"),
    "no such type": (field("a", "string"), rows(("1",)), r"column a: there is no datatype 'string'. VOTable knows .*, double, char"),
    "complex numbers": (field("a", "floatComplex"), rows(("1 2",)), r"column a: complex numbers have no place"),
    "no arraysize": (field("a", "int", "2,3"), rows(("1",)), r"column a: the arraysize '2,3' is none"),
    "rows elsewhere": (field("a", "int"), '<BINARY><STREAM href="file:///etc/passwd"/></BINARY>', r"the rows are not in this file"),
    "rows as FITS": (field("a", "int"), '<FITS><STREAM href="http://x.org/f"/></FITS>', r"the rows are FITS inside a VOTable"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, wrong: str) -> None:
    fields, data, words = WRONG[wrong]
    with pytest.raises(DataError, match=words):
        opened(tmp_path, document(fields, data))


def test_another_document_is_told_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: this is no VOTable: its outermost element is vod:tableset\."):
        opened(
            tmp_path,
            b'<?xml version="1.0"?>\n<vod:tableset xmlns:vod="http://www.ivoa.net/xml/VODataService/v1.1"><schema/></vod:tableset>',
        )


def test_what_astropy_refuses_is_told_with_the_line_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"at line 2 \(type must be 'results' or 'meta'"):
        opened(tmp_path, b'<VOTABLE version="1.4">\n<RESOURCE type="x">\n\n</RESOURCE>\n</VOTABLE>')


def test_rows_that_are_missing_are_missed(tmp_path: Path) -> None:
    content = document(field("a", "int"), stream(struct.pack(">i", 1)), table='nrows="3"')
    with pytest.raises(DataError, match="ends after row 1 of 3"):
        opened(tmp_path, content)


LAUGHS = "<!DOCTYPE VOTABLE [" + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(9)) + "]>"
OUTSIDE = '<!DOCTYPE VOTABLE [<!ENTITY e8 SYSTEM "file:///etc/passwd">]>'
PARAMETER = '<!DOCTYPE VOTABLE [<!ENTITY % p SYSTEM "http://127.0.0.1/x">%p;]>'


@pytest.mark.parametrize("before", [LAUGHS, OUTSIDE, PARAMETER])
def test_entities_are_refused(tmp_path: Path, before: str) -> None:
    """CHECKLIST VOT-024."""
    cell = "" if before == PARAMETER else "&e8;"
    with pytest.raises(DataError, match="declares the entity"):
        opened(tmp_path, document(field("a", "char", "*"), rows((cell,)), before=before))


def test_the_old_doctype_is_none_of_these(tmp_path: Path) -> None:
    before = '<!DOCTYPE VOTABLE SYSTEM "http://us-vo.org/xml/VOTable.dtd">'
    assert cells(tmp_path, document(field("a", "int"), rows(("1",)), "1.1", before)) == {"a": [1]}


BOMBS = {
    "rows": document(field("a", "int"), rows(*(("1",),) * 1001)),
    "binary rows": document(field("a", "short"), stream(bytes(2002))),
    "rows with texts": document(field("a", "char", "*"), stream(bytes(4 * 1001))),
    "columns": document("".join(field(f"c{n}", "int") for n in range(1501)), rows()),
    "values": document(field("a", "double", "*"), stream(variable(bytes(1_600_000), 200_000))),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_more_than_the_bounds_is_refused(tmp_path: Path, bomb: str) -> None:
    with pytest.raises(TooLargeError, match=r"more than|too much"):
        opened(tmp_path, BOMBS[bomb])


def test_promises_take_no_memory(tmp_path: Path) -> None:
    huge = field("a", "double", "1000000000")
    assert cells(tmp_path, document(huge, rows(("",)), table='nrows="1"')) == {"a": [None]}
    with pytest.raises(DataError, match="ends after row 1 of 999999999999"):
        opened(tmp_path, document(field("a", "int"), rows(("1",)), table='nrows="999999999999"'))
    with pytest.raises(DataError, match=r"ends? within this row"):
        opened(tmp_path, document(huge, stream(bytes(80))))


def test_depth_and_number_of_elements_are_bounded(tmp_path: Path) -> None:
    deep = b"<VOTABLE>" + b"<RESOURCE>" * 10_000
    many = b"<VOTABLE><RESOURCE>" + b'<INFO name="a" value="b"/>' * 210_000
    for content in (deep, many):
        with pytest.raises(DataError, match="too many elements"):
            opened(tmp_path, content)


def test_gzip_is_unpacked_and_tells_when_it_is_cut_off(tmp_path: Path) -> None:
    """CHECKLIST VOT-023."""
    packed = gzip.compress(document(field("a", "int"), rows(*((str(n),) for n in range(900)))))
    assert len(cells(tmp_path, packed)["a"]) == 900
    with pytest.raises(DataError, match=r"cannot be (unpacked|read)"):
        opened(tmp_path, packed[:-200])
