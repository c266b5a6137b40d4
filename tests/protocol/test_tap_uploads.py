"""TAP uploads (TAP 1.1 §2.7.6): every serialisation by astropy, types there and back, matches, and what is refused with which words."""

import gzip
import io
import os
import re
import tempfile
import threading
import time
import warnings
from collections.abc import Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io.votable import from_table, parse
from astropy.table import MaskedColumn, Table
from lxml import etree
from mocpy import MOC
from sqlalchemy import text
from starlette.testclient import TestClient
from votables import VOTABLE, refusal

from vo_server import adql
from vo_server.app import create_app
from vo_server.dali.uploads import Upload
from vo_server.model.catalogue import Position
from vo_server.query.fetch import Sources
from vo_server.query.uploads import UploadReader
from vo_server.services import Services
from vo_server.sky.mocs import SQUARE_DEGREES
from vo_server.sql import compile_adql

SERIALISATIONS = ("tabledata", "binary", "binary2")
PLACES = Table(
    {
        "xmin": [1, 2, 3],  # PostgreSQL has such a column in every table
        "RAJ2000": [279.2347, 10.0, 101.2872],
        "DEJ2000": [38.7837, 1.0, -16.7161],
        "count": MaskedColumn([5, 0, 7], mask=[False, True, False], dtype="float32"),
        "0 odd \"name'; DROP TABLE x --": ["a", "ü", "c"],
    }
)


def votable(table: Table, serialisation: str = "binary2") -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy tells that names cannot be IDs
        table.write(content, format="votable", tabledata_format=serialisation)
    return content.getvalue()


def document(fields: str, *rows: str, version: str = "1.4") -> bytes:
    """A VOTable with these FIELDs and rows of TDs."""
    cells = "\n".join(f"<TR>{row}</TR>" for row in rows)
    return (
        f'<?xml version="1.0"?>\n<VOTABLE version="{version}" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>{fields}'
        f"<DATA><TABLEDATA>\n{cells}\n</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


def upload(client: TestClient, query: str, tables: Mapping[str, bytes], **more: str) -> Any:
    """The reply to a query with tables, each a part of the form under its own name."""
    form = {"LANG": "ADQL", "QUERY": query, "UPLOAD": ";".join(f"{name},param:{name}" for name in tables), **more}
    return client.post("/tap/sync", data=form, files={name: (f"{name}.dat", content) for name, content in tables.items()})


def lines(client: TestClient, query: str, tables: Mapping[str, bytes]) -> list[str]:
    reply = upload(client, query, tables, RESPONSEFORMAT="csv")
    assert reply.status_code == 200, reply.text
    return str(reply.text).splitlines()


def test_all_rows_come_back_under_the_names_they_had(client: TestClient) -> None:
    for content in (packed for plain in SERIALISATIONS for packed in (votable(PLACES, plain), gzip.compress(votable(PLACES, plain)))):
        reply = upload(client, "SELECT * FROM TAP_UPLOAD.Mine ORDER BY 1", {"mine": content})
        table = parse(io.BytesIO(reply.content), verify="ignore").get_first_table().to_table(use_names_over_ids=True)
        assert table.colnames == PLACES.colnames
        for name in PLACES.colnames:
            cells, expected = (list(one[name].filled(-1) if name == "count" else one[name]) for one in (table, PLACES))
            assert cells == expected


def test_a_match_finds_what_lies_together(client: TestClient) -> None:
    query = (
        "SELECT mine.xmin, s.name FROM TAP_UPLOAD.mine JOIN sky.stars AS s"
        " ON DISTANCE(POINT(mine.raj2000, mine.dej2000), POINT(s.ra, s.dec)) < 1/3600. ORDER BY 1"
    )
    assert lines(client, query, {"mine": votable(PLACES)}) == ["xmin,name", "1,Vega", "3,Sirius"]


def test_what_the_query_takes_as_a_position_goes_through_the_index(site: Services, client: TestClient) -> None:
    """Columns of any names, beside others that look like a position: in ADQL what stands in POINT is in degrees."""
    content = b"id,ra,dec,x,y\n1,1,1,279.2347,38.7837\n2,279.2347,38.7837,2,2\n3,3,3,4,400\n"
    query = "SELECT m.id FROM TAP_UPLOAD.m JOIN sky.stars AS s ON 1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE('', m.x, m.y, 0.001))"
    assert lines(client, query, {"m": content}) == ["id", "1"]
    (uploaded,) = site.uploads.read((Upload("m", "param:m"),), lambda _: iter([content]), adql.parse(query))
    assert uploaded.table.position == Position("x", "y")


def test_several_tables_and_names_without_schema(client: TestClient) -> None:
    tables = {"a": votable(PLACES), "b": b"xmin,remark\n1,one\n3,three\n"}
    assert lines(client, "SELECT remark FROM a JOIN b USING (xmin) ORDER BY remark", tables) == ["remark", "one", "three"]
    content = {"LANG": "ADQL", "QUERY": "SELECT COUNT(*) AS n FROM a, b", "RESPONSEFORMAT": "csv"}
    twice = client.post("/tap/sync", data={**content, "UPLOAD": ["a,param:x", "b,param:x"]}, files={"x": ("x", tables["b"])})
    assert twice.text.splitlines() == ["n", "4"]


def test_an_upload_is_seen_by_its_query_alone(client: TestClient) -> None:
    upload(client, "SELECT * FROM TAP_UPLOAD.mine", {"mine": votable(PLACES)})
    again = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.mine"})
    assert "There is no table TAP_UPLOAD.mine" in refusal(again)
    assert "TAP_UPLOAD" not in client.get("/tap/tables").text
    found = lines(client, "SELECT COUNT(*) AS n FROM tap_schema.tables WHERE schema_name = 'TAP_UPLOAD'", {"mine": votable(PLACES)})
    assert found == ["n", "0"]


LEADING_NOWHERE = (
    *((f"{name},param:x", "cannot be the name of a table") for name in ("my.table", "1st", "a b", "_x", "", 'x"', "t" * 64)),
    ("a,param:y", "the form has no part 'y'"),
    ("a", "is not a name and an address"),
    ("a,param:x;A,param:x", "two tables are called"),
    ("a,ftp://example.org/x", "it is no address with http:// or https://"),
    ("a,file:///etc/passwd", "it is no address with http:// or https://"),
)


def test_uploads_that_lead_nowhere_are_refused(client: TestClient) -> None:
    for uploads, words in LEADING_NOWHERE:
        form = {"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.a", "UPLOAD": uploads}
        assert words in refusal(client.post("/tap/sync", data=form, files={"x": ("x", b"a,b\n1,2\n")}))


WRONG = {
    "cut off": (votable(PLACES, "tabledata")[:700], r"cannot be read at line \d+"),
    "unclosed element": (b"<VOTABLE>\n<RESOURCE>\n<TABLE></RESOURCE>", r"cannot be read at line 3"),
    "prose": (b"\x00\x01\x02", r"formats we read: .*VOTable.*CSV"),
    "a page": (b"<!DOCTYPE html><html><body>Not found, sorry</body></html>", r"formats we read"),
    "nothing": (b"", r"is empty"),
    "a row too short": (b"a,b,c\n1,2,3\n4,5\n", r"row 2.*2 values for 3 columns"),
    "Latin-1": ("näme,b\n1,2\n".encode("latin-1"), r"is not UTF-8.*iconv"),
    "UTF-16, as spreadsheets have it": ("a\tb\n1\t2\n".encode("utf-16"), r"is UTF-16, not UTF-8.*iconv"),
    "a cell that is no number": (
        document('<FIELD name="n" datatype="int"/>', "<TD>1</TD>", "<TD>x</TD>"),
        r"row 2, column n: 'x' is no int",
    ),
    "a number too large": (document('<FIELD name="n" datatype="short"/>', "<TD>40000</TD>"), r"row 1, column n: '40000' is no short"),
    "too few elements": (
        document('<FIELD name="v" datatype="int" arraysize="3"/>', "<TD>1 2</TD>"),
        r"row 1, column v: there are 2 elements, not 3",
    ),
    "a cell too many": (document('<FIELD name="n" datatype="int"/>', "<TD>1</TD><TD>2</TD>"), r"row 1, there are 2 cells for 1 columns"),
    "no such datatype": (document('<FIELD name="n" datatype="string"/>', "<TD>1</TD>"), r"column n: there is no datatype 'string'"),
    "complex numbers": (document('<FIELD name="n" datatype="doubleComplex"/>', "<TD>1 2</TD>"), r"column n: complex numbers have no place"),
    "no columns": (document("", ""), r"the table has no columns"),
    "the error of a service": (
        b'<VOTABLE><RESOURCE><INFO name="QUERY_STATUS" value="ERROR">No such table</INFO></RESOURCE></VOTABLE>',
        r"the error of a service: No such table",
    ),
}


def test_what_is_wrong_with_a_table_is_told(client: TestClient) -> None:
    for content, words in WRONG.values():
        message = refusal(upload(client, "SELECT * FROM TAP_UPLOAD.mine", {"mine": content}))
        assert message.startswith("TAP_UPLOAD.mine: ")
        assert re.search(words, message), message


def parquet(table: pa.Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()


def fits(table: Table) -> bytes:
    content = io.BytesIO()
    table.write(content, format="fits")
    return content.getvalue()


FORMATS = {
    "csv": b"RA,Dec,Vt\n279.2347,38.7837,0.5\n10,20,\n",
    "tsv": b"# a comment\nRA\tDec\tVt\n279.2347\t38.7837\t0.5\n10\t20\t\n",
    "semicolons": b"RA;Dec;Vt\n279.2347;38.7837;0.5\n10;20;\n",
    "parquet": parquet(pa.table({"RA": [279.2347, 10.0], "Dec": [38.7837, 20.0], "Vt": [0.5, None]})),
    "fits": fits(Table({"RA": [279.2347, 10.0], "Dec": [38.7837, 20.0], "Vt": np.array([0.5, np.nan], "f4")})),
}


def test_other_formats_are_known_by_their_content(client: TestClient) -> None:
    query = (
        "SELECT s.name, m.vt FROM TAP_UPLOAD.m LEFT JOIN sky.stars AS s"
        " ON DISTANCE(POINT(m.ra, m.dec), POINT(s.ra, s.dec)) < 0.001 ORDER BY name"
    )
    for content in (*FORMATS.values(), *map(gzip.compress, FORMATS.values())):
        assert lines(client, query, {"m": content}) == ["name,Vt", "Vega,0.5", ","]


def test_metadata_flows_into_results(client: TestClient) -> None:
    table = Table({"t": ["2020-01-02T03:04:05", "2021-01-02"], "v": [1.5, 2.5]})
    table["v"].unit = "km/s"
    table["v"].description = "How fast"
    table["v"].info.meta = {"ucd": "spect.dopplerVeloc"}
    document = from_table(table)
    document.get_first_table().get_field_by_id("t").xtype = "timestamp"
    content = io.BytesIO()
    document.to_xml(content)
    reply = upload(client, "SELECT v, t FROM TAP_UPLOAD.x WHERE t > '2020-06-01'", {"x": content.getvalue()})
    found = parse(io.BytesIO(reply.content), verify="exception").get_first_table()
    fields = {field.name: field for field in found.fields}
    assert (str(fields["v"].unit), fields["v"].ucd, fields["v"].description) == ("km / s", "spect.dopplerVeloc", "How fast")
    assert fields["t"].xtype == "timestamp"
    assert [str(value) for value in found.array["t"]] == ["2021-01-02T00:00:00"]


PLAIN = (("boolean", "T", "F", ""), ("unsignedByte", "255", "0", ""), ("short", "-32768", "32767", ""), ("int", "-2147483648", "7", ""))
PLAIN += (("long", "-9223372036854775808", "9223372036854775807", ""), ("float", "1.5", "+Inf", ""), ("double", "1e-300", "-Inf", ""))
PLAIN += (("char", "a", "&lt;", ""), ("unicodeChar", "ü", "β", ""))
LISTS = (("boolean", "*", "T F ?", "T", ""), ("short", "*", "1 -2", "3", ""), ("int", "2x2", "1 2 3 4", "5 6 7 8", ""))
LISTS += (
    ("long", "3", "1 2 -9223372036854775808", "0 0 0", ""),
    ("double", "*", "1 2 3 4", "5 6", ""),
    ("float", "*", "1 NaN 3", "0.5", ""),
)
LISTS += (("char", "*", "two words", "x", ""), ("unicodeChar", "*", "Ærø", "Ω", ""), ("unsignedByte", "*", "0 255", "7", ""))
WITH_XTYPE = (
    ("char", "*", "timestamp", "2020-01-02T03:04:05.678901", "1066-10-14T00:00:00", ""),
    ("double", "2", "point", "10.5 -20", "359.999999999 90", "NaN NaN"),
    ("float", "2", "point", "10.5 -20", "0 90", "NaN NaN"),
    ("double", "3", "circle", "10 20 1", "0 0 0.5", "NaN NaN NaN"),
    ("double", "*", "polygon", "1 1 2 1 2 2", "1 1 3 1 3 3 1 3", ""),
    ("double", "2", "interval", "1 +Inf", "-Inf 3", "NaN NaN"),
    ("char", "*", "moc", "4/1-3 5/", "0/5", ""),
    ("char", "*", "uri", "ivo://a/b", "http://c/", ""),
    ("char", "*", "adql:REGION", "Circle ICRS 1 2 3", "Polygon ICRS 1 1 2 1 2 2", ""),
    ("double", None, "mjd", "51544.5", "0", ""),
)
TYPES = tuple((datatype, None, None, *cells) for datatype, *cells in PLAIN) + tuple(
    (kind, size, None, *cells) for kind, size, *cells in LISTS
)
TYPES += WITH_XTYPE
"""(datatype, arraysize, xtype, two cells, and how a NULL is written), as we write them."""


def table_of_types() -> bytes:
    fields = "".join(
        f'<FIELD name="f{place}" datatype="{datatype}"'
        + (f' arraysize="{size}"' if size else "")
        + (f' xtype="{xtype}"' if xtype else "")
        + "/>"
        for place, (datatype, size, xtype, *_) in enumerate(TYPES)
    )
    rows = ["".join(f"<TD>{one[3 + row]}</TD>" for one in TYPES) for row in range(2)]
    return document(
        '<FIELD name="row" datatype="int"/>' + fields, *(f"<TD>{n}</TD>{row}" for n, row in enumerate(rows)), f"<TD>2</TD>{NULLS}"
    )


NULLS = "<TD/>" * len(TYPES)


def described(reply: Any) -> tuple[list[tuple[str | None, ...]], list[list[str]]]:
    """(datatype, arraysize, xtype) of each FIELD of a TABLEDATA, and the cells of each row."""
    assert reply.status_code == 200, reply.text
    root = etree.fromstring(reply.content)
    fields = [tuple(field.get(key) for key in ("datatype", "arraysize", "xtype")) for field in root.iter("{*}FIELD")]
    return fields, [[cell.text or "" for cell in row] for row in root.iter("{*}TR")]


def test_every_type_comes_back_as_it_went(client: TestClient) -> None:
    """… and may be sent again, in every format of ours that keeps types (CHECKLIST VOT-008, VOT-018, GEN-034)."""
    query = "SELECT * FROM TAP_UPLOAD.x ORDER BY row"
    fields, rows = described(upload(client, query, {"x": table_of_types()}, RESPONSEFORMAT="votable/td"))
    one_character = {"char", "unicodeChar"}  # texts are all of any length
    assert fields[1:] == [(one[0], one[1] or ("*" if one[0] in one_character else None), one[2]) for one in TYPES]
    assert [row[1:] for row in rows] == [[one[3 + row].replace("&lt;", "<") for one in TYPES] for row in range(3)]
    for form in ("votable/td", "votable/b2"):
        answer = upload(client, query, {"x": table_of_types()}, RESPONSEFORMAT=form)
        assert described(upload(client, query, {"x": answer.content}, RESPONSEFORMAT="votable/td")) == (fields, rows), form
    some = (
        "SELECT * FROM TAP_UPLOAD.x WHERE row > 0 ORDER BY row"  # BINARY has no NULL beside the smallest integers, and bytes become short
    )
    answer = upload(client, some, {"x": table_of_types()}, RESPONSEFORMAT="votable/b")
    assert described(upload(client, some, {"x": answer.content}, RESPONSEFORMAT="votable/td"))[1] == rows[1:]


def test_results_in_fits_and_parquet_come_back_with_their_types(client: TestClient) -> None:
    """… and their xtypes; but FITS has ASCII only, and Parquet as we write it no matrices."""
    some = "SELECT * FROM TAP_UPLOAD.x WHERE row > 0 ORDER BY row"
    fields, rows = described(upload(client, some, {"x": table_of_types()}, RESPONSEFORMAT="votable/td"))
    answers = {form: upload(client, some, {"x": table_of_types()}, RESPONSEFORMAT=form).content for form in ("fits", "parquet")}
    again = {form: described(upload(client, some, {"x": answer}, RESPONSEFORMAT="votable/td")) for form, answer in answers.items()}
    ascii_fields = [("char", *more) if datatype == "unicodeChar" else (datatype, *more) for datatype, *more in fields]
    assert again["fits"] == (ascii_fields, [[re.sub(r"[^ -~]", "?", cell) for cell in row] for row in rows])
    assert again["parquet"] == ([(datatype, "4" if size == "2x2" else size, xtype) for datatype, size, xtype in fields], rows)


def test_a_region_without_area_holds_nothing(client: TestClient) -> None:
    """Polygons of two vertices and fewer, with a vertex that is none, half a vertex, and NULL; a text that is no region."""
    fields = '<FIELD name="g" datatype="double" arraysize="*" xtype="polygon"/>'
    fields += '<FIELD name="r" datatype="char" arraysize="*" xtype="adql:REGION"/>'
    cells = ("1 2", "1 2 3 4", "1 1 2 2 1 1", "1 1 NaN 1 2 2", "1 2 3", "")
    rows = (f"<TD>{cell}</TD><TD>Polygon ICRS {cell}</TD>" for cell in cells)
    query = (
        "SELECT COUNT(*) AS n, COUNT(AREA(g)) AS areas FROM TAP_UPLOAD.x WHERE 1 = CONTAINS(POINT(1, 1), g) OR 1 = CONTAINS(POINT(1, 1), r)"
    )
    assert lines(client, query, {"x": document(fields, *rows)}) == ["n,areas", "0,0"]


SHAPES = """<VOTABLE version="1.4"><RESOURCE><TABLE>
<FIELD name="n" datatype="int"/>
<FIELD name="p" datatype="double" arraysize="2" xtype="point"/>
<FIELD name="c" datatype="double" arraysize="3" xtype="circle"/>
<FIELD name="g" datatype="double" arraysize="*" xtype="polygon"/>
<FIELD name="s_region" datatype="char" arraysize="*" ucd="pos.outline;obs.field"/>
<DATA><TABLEDATA>
<TR><TD>1</TD><TD>279.2 38.8</TD><TD>279.2 38.8 1</TD><TD>278 38 280 38 280 40</TD><TD>CIRCLE ICRS 279.2 38.8 1</TD></TR>
<TR><TD>2</TD><TD>10 20</TD><TD>10 20 1</TD><TD>1 1 2 1 2 2</TD><TD>POLYGON ICRS 1 1 2 1 2 2</TD></TR>
<TR><TD>3</TD><TD/><TD/><TD/><TD/></TR>
</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""


def test_shapes_are_geometries(client: TestClient) -> None:
    for column in ("c", "g", "s_region"):
        query = f"SELECT x.n, s.name FROM TAP_UPLOAD.x, sky.stars AS s WHERE 1 = CONTAINS(POINT(s.ra, s.dec), x.{column})"
        assert lines(client, query, {"x": SHAPES.encode()}) == ["n,name", "1,Vega"]
    near = "SELECT n FROM TAP_UPLOAD.x WHERE DISTANCE(p, POINT(279.2347, 38.7837)) < 1"
    assert lines(client, near, {"x": SHAPES.encode()}) == ["n", "1"]
    reply = upload(client, "SELECT p, c, g FROM TAP_UPLOAD.x", {"x": SHAPES.encode()})
    found = parse(io.BytesIO(reply.content), verify="exception").get_first_table()
    assert [(field.xtype, field.arraysize) for field in found.fields] == [("point", "2"), ("circle", "3"), ("polygon", "*")]


MOCS = ("3/64-127 200 4/2000", "0/4-7", "1/0-20\n5/,9000", "29/1152921504606846976", "s0/0-11")
NO_MOCS = ("t61/1-3", "3/768", "3/9-4", "30/1", "12 13", "3/4/5", "3/1- 2", "nonsense", "9/99999999999999999999", "")
"""Of times, with cells that are not there, without an order; and none."""


def test_mocs_of_rows_are_regions(client: TestClient) -> None:
    """DALI 1.2 §3.11: as mocpy has them; what is no MOC of the sky holds nothing and stands in nobody's way."""
    fields = '<FIELD name="n" datatype="int"/><FIELD name="m" datatype="char" arraysize="*" xtype="moc"/>'
    content = {"x": document(fields, *(f"<TD>{number}</TD><TD>{text}</TD>" for number, text in enumerate((*MOCS, *NO_MOCS))))}
    mocs = dict(enumerate(map(MOC.from_string, (text.replace(",", " ").removeprefix("s") for text in MOCS))))
    stars = [line.split(",") for line in lines(client, "SELECT name, ra, dec FROM sky.stars", content)[1:]]
    holds = {
        (number, name): bool(moc.contains_lonlat(float(ra) * u.deg, float(dec) * u.deg)[0])
        for number, moc in mocs.items()
        for name, ra, dec in stars
    }
    for wanted in (1, 0):
        query = f"SELECT x.n, s.name FROM x, sky.stars AS s WHERE {wanted} = CONTAINS(POINT(s.ra, s.dec), x.m)"
        found = {(int(number), name) for number, name in (line.split(",") for line in lines(client, query, content)[1:])}
        assert found == {pair for pair, is_so in holds.items() if is_so == bool(wanted)}
    common = {(one, other) for one, other in product(mocs, mocs) if not mocs[one].intersection(mocs[other]).empty()}
    query = "SELECT a.n, b.n AS k FROM x AS a, x AS b WHERE 1 = INTERSECTS(a.m, b.m)"
    assert {tuple(map(int, line.split(","))) for line in lines(client, query, content)[1:]} == common
    equator = MOC.from_string("0/4-7")
    inside = [str(number) for number, moc in mocs.items() if moc.intersection(equator) == moc]
    assert lines(client, "SELECT n FROM x WHERE 1 = CONTAINS(m, MOC('0/4-7')) ORDER BY n", content)[1:] == inside
    assert lines(client, "SELECT n FROM x WHERE 1 = CONTAINS(POINT(1, 2), m) AND n >= 5", content)[1:] == []
    sizes = [float(line) for line in lines(client, "SELECT AREA(m) AS a FROM x WHERE m IS NOT NULL AND n < 5 ORDER BY n", content)[1:]]
    assert sizes == pytest.approx([mocs[number].sky_fraction * SQUARE_DEGREES for number in mocs])
    assert "cannot be compared" in refusal(upload(client, "SELECT n FROM x WHERE 1 = INTERSECTS(m, CIRCLE(n, 2, 3))", content))
    times = {"x": document(fields.replace("/>", ' ucd="time.interval"/>'), "<TD>1</TD><TD>t61/1-3</TD>")}
    assert "no geometry" in refusal(upload(client, "SELECT n FROM x WHERE 1 = CONTAINS(POINT(1, 2), m)", times))


def test_places_that_are_none_match_nothing(client: TestClient) -> None:
    content = b"id,ra,dec\n1,279.2347,38.7837\n2,,38\n3,nan,nan\n4,10,\n"
    query = "SELECT m.id FROM TAP_UPLOAD.m JOIN sky.stars AS s ON DISTANCE(m.ra, m.dec, s.ra, s.dec) < 0.01"
    assert lines(client, query, {"m": content}) == ["id", "1"]


def test_a_large_upload_is_looked_up_in(client: TestClient) -> None:
    """Beside a small published table the upload is the one with the index."""
    dice = np.random.default_rng(1)
    content = "id,ra,dec\n1,279.2347,38.7837\n" + "".join(f"{n},{dice.uniform(0, 360)},{dice.uniform(-90, 90)}\n" for n in range(2, 3000))
    query = "SELECT m.id, s.name FROM sky.stars AS s JOIN TAP_UPLOAD.m ON DISTANCE(m.ra, m.dec, s.ra, s.dec) < 1/3600."
    assert lines(client, query, {"m": content.encode()}) == ["id,name", "1,Vega"]


def limited(site: Services, **settings: int) -> TestClient:
    """The same site with other limits."""
    site.settings = site.settings.model_copy(update=settings)
    site.uploads = UploadReader(site.settings.upload_rows, site.settings.upload_bytes, Sources())
    return TestClient(create_app(site))


def test_limits_are_those_that_are_declared(site: Services) -> None:
    client = limited(site, upload_rows=3)
    declared = etree.fromstring(client.get("/tap/capabilities").content)
    hard = declared.find(".//uploadLimit/hard")
    assert (hard.text, hard.get("unit")) == ("3", "row")
    methods = {method.get("ivo-id").partition("#")[2] for method in declared.iterfind(".//uploadMethod")}
    assert methods == {"upload-inline", "upload-http", "upload-https"}
    count = "SELECT COUNT(*) AS n FROM TAP_UPLOAD.x"
    assert lines(client, count, {"x": b"a,b\n" + b"1,2\n" * 3}) == ["n", "3"]
    four = (
        b"a,b\n" + b"1,2\n" * 4,
        *(votable(Table({"a": [1, 2, 3, 4]}), serialisation) for serialisation in SERIALISATIONS),
        gzip.compress(votable(Table({"a": [1, 2, 3, 4]}))),
        b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\n# schema: astropy-2.0\na\n1\n2\n3\n4\n",
        parquet(pa.table({"a": range(4)})),
        fits(Table({"a": [1, 2, 3, 4]})),
    )
    for content in four:
        assert "TAP_UPLOAD.x: the table has more than 3 rows" in refusal(upload(client, count, {"x": content}), 413)


def test_bytes_are_counted_packed_and_unpacked(site: Services) -> None:
    client = limited(site, upload_bytes=10_000)
    text = b"a,b\n" + b"1,2\n" * 2000
    count = "SELECT COUNT(*) AS n FROM x"
    assert lines(client, count, {"x": text}) == ["n", "2000"]
    for tables in ({"x": text, "y": text}, {"x": text * 2}, {"x": gzip.compress(text * 1000)}):
        assert "the uploads have more than 10000 bytes, the limit" in refusal(upload(client, count, tables), 413)
    huge = upload(client, count, {"x": bytes(6_000_000)})
    assert "The request has more than" in refusal(huge, 413)


def test_damaged_files_are_told(client: TestClient) -> None:
    for whole in (gzip.compress(FORMATS["csv"] * 500), FORMATS["parquet"], FORMATS["fits"]):
        message = refusal(upload(client, "SELECT * FROM x", {"x": whole[: len(whole) * 2 // 3]}))
        assert message.startswith("TAP_UPLOAD.x: ")


def test_content_sent_as_a_field_is_taken_too(client: TestClient) -> None:
    form = {"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.x", "RESPONSEFORMAT": "csv", "UPLOAD": "x,param:t", "t": "a,b\n1,ü\n"}
    assert client.post("/tap/sync", files={name: (None, value) for name, value in form.items()}).text.splitlines() == ["a,b", "1,ü"]


def test_a_table_elsewhere_is_fetched_if_that_is_allowed(site: Services, client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "mine.vot").write_bytes(votable(PLACES))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/mine.vot"
        asked = {"LANG": "ADQL", "QUERY": "SELECT COUNT(*) AS n FROM x", "RESPONSEFORMAT": "csv", "UPLOAD": f"x,{url}"}
        as_votable = {**asked, "RESPONSEFORMAT": "votable"}
        assert "is not at a public address" in refusal(client.get("/tap/sync", params=as_votable))
        site.uploads = UploadReader(10, 10_000, Sources((ip_network("127.0.0.0/8"),), 5))
        assert client.get("/tap/sync", params=asked).text.splitlines() == ["n", "3"]
        site.uploads = UploadReader(10, 100, Sources((ip_network("127.0.0.0/8"),), 5))
        assert "more than 100 bytes" in refusal(client.get("/tap/sync", params=as_votable), 413)
        server.shutdown()


def wide(columns: int) -> bytes:
    """One row of so many numbers of 8 bytes."""
    return (",".join(f"c{n}" for n in range(columns)) + "\n" + ",".join(["1.5"] * columns) + "\n").encode()


def test_tables_are_as_wide_as_the_database_can_hold(client: TestClient) -> None:
    assert lines(client, "SELECT c0, c999 FROM TAP_UPLOAD.x", {"x": wide(1000)}) == ["c0,c999", "1.5,1.5"]
    too_wide = ((1200, "too wide for the database: row is too big"), (1501, "more than 1500 columns"))
    for columns, words in too_wide:
        message = refusal(upload(client, "SELECT c1 FROM TAP_UPLOAD.x", {"x": wide(columns)}), 413)
        assert words in message
        assert "only the" in message, "what to do is told"


def test_a_null_takes_no_more_room_in_answers_than_it_did(client: TestClient) -> None:
    """A cell of a fixed number of elements is filled where it is NULL; a few bytes could stand for any number of them."""
    huge = document('<FIELD name="a" datatype="double" arraysize="2x50000000"/>', "<TD/>")
    for form in ("votable/td", "votable/b2", "fits", "csv"):
        assert len(upload(client, "SELECT * FROM TAP_UPLOAD.x", {"x": huge}, RESPONSEFORMAT=form).content) < 20_000
    assert described(upload(client, "SELECT * FROM TAP_UPLOAD.x", {"x": huge}, RESPONSEFORMAT="votable/td"))[0] == [("double", "2x*", None)]


def test_a_part_that_came_twice_is_refused(client: TestClient) -> None:
    form = {"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.x", "UPLOAD": "x,param:t"}
    twice = [("t", ("1.csv", b"a,b\n1,2\n")), ("t", ("2.csv", b"a,b\n3,4\n"))]
    assert "the form has 2 parts 't'" in refusal(client.post("/tap/sync", data=form, files=twice))


def test_the_first_table_of_several_is_taken(client: TestClient) -> None:
    table = '<TABLE name="{0}"><FIELD name="{0}" datatype="int"/><DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA></TABLE>'
    content = f"<VOTABLE><RESOURCE>{table.format('one')}{table.format('two')}</RESOURCE></VOTABLE>"
    assert lines(client, "SELECT * FROM TAP_UPLOAD.x", {"x": content.encode()}) == ["one", "1"]


NAMES = ("select", "size", "Ra", "RA", "1st", "a b", 'q"q', "ünïcode", "_hpx29", "ctid", "a" * 200, "")
"""Reserved words, names that differ by case, that no identifier can be, that PostgreSQL has itself, too long, and none."""


def test_columns_may_have_any_names(client: TestClient) -> None:
    fields = "".join(f'<FIELD name="{name.replace(chr(34), "&quot;")}" datatype="int"/>' for name in NAMES)
    content = document(fields, "".join(f"<TD>{n}</TD>" for n in range(len(NAMES))))
    called = {"_hpx29": "_hpx29_", "": f"col{len(NAMES)}"}
    quoted = ", ".join(f'"{called.get(name, name).replace(chr(34), chr(34) * 2)}" AS n{n}' for n, name in enumerate(NAMES))
    assert lines(client, f"SELECT {quoted} FROM TAP_UPLOAD.x", {"x": content})[1] == ",".join(map(str, range(len(NAMES))))
    assert len(set(lines(client, "SELECT * FROM TAP_UPLOAD.x", {"x": content})[0].lower().split(","))) == len(NAMES)


EMPTY = (
    document('<FIELD name="a" datatype="int"/>'),
    b"<VOTABLE><RESOURCE><TABLE><FIELD name='a' datatype='int'/></TABLE></RESOURCE></VOTABLE>",
)
EMPTY += (b"a,\n", parquet(pa.table({"a": pa.array([], pa.int32())})), fits(Table({"a": np.zeros(0, "i4")})))


def test_tables_without_rows_are_tables(client: TestClient) -> None:
    for content in EMPTY:
        assert lines(client, "SELECT a FROM TAP_UPLOAD.x", {"x": content}) == ["a"]


def test_nothing_is_left_behind(site: Services, client: TestClient) -> None:
    """After all that went wrong: no temporary table, no file, no connection in use."""
    mine = f"vo-*-{os.getpid()}-*"
    before = set(Path(tempfile.gettempdir()).glob(mine))
    bad = [*(content for content, _ in WRONG.values()), wide(1200), gzip.compress(FORMATS["csv"])[:20], FORMATS["csv"]]
    for content in bad:
        for query in ("SELECT 1/0 AS one FROM TAP_UPLOAD.x", "SELECT nothing FROM TAP_UPLOAD.x"):
            assert upload(client, query, {"good": FORMATS["csv"], "x": content}).status_code in (400, 413)
    assert set(Path(tempfile.gettempdir()).glob(mine)) == before
    assert site.pool._pool.checkedout() == 0
    deadline = time.monotonic() + 10
    temporary = text("SELECT count(*) FROM pg_catalog.pg_class WHERE relpersistence = 't'")
    with site.database.engine.connect() as connection:
        while connection.execute(temporary).scalar_one() and time.monotonic() < deadline:  # sessions end a moment later
            time.sleep(0.05)
        assert connection.execute(temporary).scalar_one() == 0


ELSEWHERE = {
    "names of one's own": ("my_lon,my_lat\n279.2347,38.7837\n10,1\n", "POINT(m.my_lon, m.my_lat)"),
    "hours": ("ra_h,dec\n18.61564667,38.7837\n1,1\n", "POINT(m.ra_h * 15, m.dec)"),
    "radians": ("ra,dec\n4.873564897,0.676903262\n1,1\n", "POINT(DEGREES(m.ra), DEGREES(m.dec))"),
}


def test_positions_are_matched_by_cells_whatever_they_are_called_and_made_of(site: Services, client: TestClient) -> None:
    for name, (content, point) in ELSEWHERE.items():
        query = f"SELECT s.name FROM TAP_UPLOAD.m AS m JOIN sky.stars AS s ON DISTANCE({point}, POINT(s.ra, s.dec)) < 1/3600."
        assert lines(client, query, {"m": content.encode()}) == ["name", "Vega"], name
    query = "SELECT s.name FROM TAP_UPLOAD.x, sky.stars AS s WHERE 1 = CONTAINS(p, CIRCLE(s.ra, s.dec, 0.1))"
    assert lines(client, query, {"x": SHAPES.encode()}) == ["name", "Vega"]
    (table,) = site.uploads.read((Upload("x", "param:x"),), lambda _: iter((SHAPES.encode(),)))
    assert "vo.healpix((" in compile_adql(query, site.catalogue().with_tables((table.table,))).sql


MISSING = "if that means a missing value, leave the cell empty, or publish with --null '-'"
REMARKABLE = {
    "names": (b"a,A,,a\n1,2,3,4\n", {"column 3, '' in the file, is called col3", "column 4, 'a' in the file, is called a_2"}),
    "instants that are none": (
        document('<FIELD name="t" datatype="char" arraysize="*" xtype="timestamp"/>', "<TD>2020-01-02</TD>", "<TD>soon</TD>"),
        {"t: its xtype is timestamp, and not all of its values are instants: they stay texts"},
    ),
    "a text among numbers": (b"n,m\n1,2\n-,3\n", {f"n: is text, because row 2 holds '-' among numbers ({MISSING})"}),
}


def test_what_did_not_go_over_as_it_stood_is_told(client: TestClient) -> None:
    for content, notes in REMARKABLE.values():
        reply = upload(client, "SELECT * FROM TAP_UPLOAD.x", {"x": content})
        infos = etree.fromstring(reply.content).iterfind(f".//{VOTABLE}INFO[@name='warning']")
        assert {info.get("value") for info in infos} == {f"TAP_UPLOAD.x: {note}." for note in notes}
    assert "warning" not in upload(client, "SELECT * FROM TAP_UPLOAD.x", {"x": votable(PLACES)}).text
