"""SCS2 (draft of 2026): cones, regions, uploaded cones, free parameters, columns, errors, capabilities and tables beside it."""

from io import BytesIO
from pathlib import Path

import pytest
from astropy.io.votable import parse
from astropy.io.votable.tree import TableElement
from lxml import etree
from starlette.testclient import TestClient
from votables import VOTABLE, refusal

from vo_server.app import record_keeper
from vo_server.publish import PublishOptions, publish_file
from vo_server.services import Services

STANDARD_ID = "ivo://ivoa.net/scs2#query-2.0"
OTHERS = "ID,RAJ2000,DEJ2000,Flux,flux_err\n7,10.5,20.5,1.5,0.1\n8,10.6,20.6,2.5,0.2\n"

CONES = """\
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
<FIELD name="RA" datatype="double"/><FIELD name="DEC" datatype="double"/><FIELD name="SR" datatype="double"/>
<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""


def cones(*rows: tuple[float, float, float]) -> str:
    return CONES.format(rows="".join(f"<TR>{''.join(f'<TD>{number}</TD>' for number in row)}</TR>" for row in rows))


def search(client: TestClient, path: str = "/scs2", **parameters: str) -> TableElement:
    reply = client.get(path, params=parameters)
    assert reply.status_code == 200, reply.text
    return parse(BytesIO(reply.content), verify="exception").get_first_table()


def names(client: TestClient, **parameters: str) -> list[str]:
    return [str(name) for name in search(client, TABLE="sky.stars", **parameters).array["name"]]


def error(client: TestClient, path: str = "/scs2", **parameters: str | list[str]) -> str:
    """The message of an error as DALI tells it, with status 400."""
    return refusal(client.get(path, params=parameters))


ALL = {"POS": "CIRCLE 10 20 180"}


def test_cones_and_regions(client: TestClient) -> None:
    assert names(client, RA="279.2", DEC="38.8", SR="0.1") == ["Vega"]
    assert sorted(names(client, RA="360", DEC="0", SR="0.002")) == ["Edge", "Other edge"]
    assert names(client, RA="10", DEC="10", SR="0.1") == []
    assert len(names(client, **ALL)) == 7
    assert names(client, POS="CIRCLE 123 90 1") == ["Polaris"]
    assert names(client, POS="RANGE 270 290 30 45") == ["Vega"]
    assert names(client, POS="RANGE -Inf +Inf 80 +Inf") == ["Polaris"]
    assert names(client, POS="POLYGON 70 -15 110 -15 110 -20 70 -20") == ["Sirius"]


def test_the_nearest_come_first_in_a_cone(client: TestClient) -> None:
    table = search(client, TABLE="sky.stars", RA="100", DEC="0", SR="180")
    distances = list(table.array["_r"])
    assert distances == sorted(distances)
    assert "_r" not in [field.name for field in search(client, TABLE="sky.stars", **ALL).fields]


FREE: dict[tuple[str, str], set[str]] = {
    ("mag", "-2 0.1"): {"Vega", "Sirius"},
    ("mag", "0.13"): {"Rigel"},
    ("mag", "9.5 +Inf"): {"Edge", "Other edge"},
    ("seen", "2020-01-02T03:04:05"): {"Vega"},
    ("seen", "2020-01-01 2021-06-01"): {"Vega", "Rigel"},
    ("seen", "-Inf 2019-12-31"): {"Sirius"},
}


def test_columns_are_parameters(client: TestClient) -> None:
    assert {asked: set(names(client, **ALL, **dict([asked]))) for asked in FREE} == FREE
    assert names(client, **ALL, mag="-2 0.1", seen="2020-01-01 +Inf") == ["Vega"]


def test_a_column_whose_name_the_protocol_has_is_no_parameter(client: TestClient) -> None:
    assert "The parameter ra is not known here. Did you mean RA?" in error(client, TABLE="sky.stars", ra="1", DEC="2", SR="1")


def test_uploaded_cones(client: TestClient) -> None:
    table = cones((279.2, 38.8, 0.1), (279.3, 38.8, 0.2), (101.3, -16.7, 0.1), (10, 10, 1))
    form = {"TABLE": "sky.stars", "UPLOAD": "stars,param:mine", "VERB": "3"}
    reply = client.post("/scs2", data=form, files={"mine": ("mine.vot", table.encode(), "application/x-votable+xml")})
    assert reply.status_code == 200, reply.text
    found = parse(BytesIO(reply.content), verify="exception").get_first_table().array
    assert sorted(str(name) for name in found["name"]) == ["Sirius", "Vega"]
    reply = client.post("/scs2", data={**form, "mag": "0 1"}, files={"mine": ("mine.vot", table.encode())})
    assert reply.content.count(b"<TR>") == 1


def test_uploads_that_are_no_cones(client: TestClient) -> None:
    form = {"TABLE": "sky.stars", "UPLOAD": "mine,param:mine"}
    wrong = cones((1, 2, 3)).replace('name="SR"', 'name="radius"')
    reply = client.post("/scs2", data=form, files={"mine": ("mine.vot", wrong.encode())})
    assert reply.status_code == 400
    assert "UPLOAD: the table has no column SR" in reply.text
    assert client.post("/scs2", data=form).status_code == 400
    reply = client.post("/scs2", data={**form, "UPLOAD": "a,param:mine;b,param:mine"}, files={"mine": ("mine.vot", wrong.encode())})
    assert "one table is searched with" in reply.text


REFUSED: tuple[tuple[dict[str, str | list[str]], str], ...] = (
    ({}, "this one has none of them"),
    ({"TABLE": "sky.nothing", **ALL}, "TABLE: There is no table sky.nothing"),
    ({"TABLE": "tap_schema.tables", **ALL}, "TABLE: The table tap_schema.tables has no positions"),
    ({"TABLE": "ivoa.obscore", **ALL}, "TABLE: The rows of ivoa.obscore are datasets"),
    ({"TABLE": "sky.stars"}, "either RA, DEC and SR, or POS, or UPLOAD; this one has none"),
    ({"TABLE": "sky.stars", "RA": "1", "DEC": "2", "SR": "1", **ALL}, "this one has RA, DEC, SR and POS"),
    ({"TABLE": "sky.stars", "RA": "1", "DEC": "2"}, "The parameter SR is missing"),
    ({"TABLE": "sky.stars", "RA": "1", "DEC": "99", "SR": "1"}, "DEC=99 is not between"),
    ({"TABLE": "sky.stars", "RA": "1", "DEC": "9", "SR": "181"}, "SR=181 is not between"),
    ({"TABLE": "sky.stars", "RA": ["1", "1"], "DEC": "2", "SR": "1"}, "The parameter RA was given 2 times"),
    ({"TABLE": ["sky.stars", "sky.stars"], **ALL}, "The parameter TABLE was given 2 times"),
    ({"TABLE": "sky.stars", **ALL, "mag": ["1", "2"]}, "The parameter mag was given 2 times"),
    ({"TABLE": "sky.stars", **ALL, "SPURIOUS": ""}, "The parameter SPURIOUS is not known here"),
    ({"TABLE": "sky.stars", **ALL, "maxrec": "1"}, "Did you mean MAXREC?"),
    ({"TABLE": "sky.stars", **ALL, "MAG": "1"}, "Did you mean mag?"),
    ({"TABLE": "sky.stars", **ALL, "mag": "bright"}, "mag: 'bright' is not a number"),
    ({"TABLE": "sky.stars", **ALL, "seen": "yesterday"}, "seen: 'yesterday' is not a timestamp"),
    ({"TABLE": "sky.stars", **ALL, "VERB": "4"}, "VERB='4' is not 1, 2 or 3"),
    ({"TABLE": "sky.stars", **ALL, "MAXREC": "-1"}, "MAXREC='-1'"),
    ({"TABLE": "sky.stars", **ALL, "RESPONSEFORMAT": "gif"}, "RESPONSEFORMAT 'gif'"),
    ({"TABLE": "sky.stars", "POS": "CIRCLE 1 2"}, "POS: CIRCLE takes three numbers"),
    ({"TABLE": "sky.stars", **ALL, "RESPONSEFORMAT": "csv", "mag": "x"}, "mag: 'x'"),
)


def test_errors(client: TestClient) -> None:
    for parameters, message in REFUSED:
        assert message in error(client, **parameters), parameters


@pytest.fixture
def others(client: TestClient, site: Services, tmp_path: Path) -> TestClient:
    """A second table, with integer identifiers and columns that differ in case from their parameters."""
    file = tmp_path / "others.csv"
    file.write_text(OTHERS)
    publish_file(site.database, file, PublishOptions(schema="sky"), records=record_keeper(site.settings), progress=None)
    site.refresh()
    return client


def test_columns_in_the_words_of_ucd1_plus(others: TestClient) -> None:
    fields = search(others, TABLE="sky.others", RA="10.5", DEC="20.5", SR="0.01").fields
    by_ucd = {field.ucd: field for field in fields}
    assert [(by_ucd[ucd].name, by_ucd[ucd].datatype) for ucd in ("meta.id;meta.main", "pos.eq.ra;meta.main", "pos.eq.dec;meta.main")] == [
        ("ID", "char"),
        ("RAJ2000", "double"),
        ("DEJ2000", "double"),
    ]
    assert all(field.description for field in fields)


def test_overflow_formats_and_verbosity(others: TestClient) -> None:
    every = {"TABLE": "sky.others", "RA": "10.5", "DEC": "20.5", "SR": "1"}
    assert "The parameter TABLE is missing" in error(others, **ALL)  # as there are two tables
    reply = others.get("/scs2", params={**every, "MAXREC": "1"})
    assert b'<INFO name="QUERY_STATUS" value="OVERFLOW"/>' in reply.content.partition(b"</TABLE>")[2]
    assert others.get("/scs2", params={**every, "RESPONSEFORMAT": "csv"}).text.count("\n") == 3
    assert len(search(others, **every, VERB="1").fields) == 4
    assert others.post("/scs2", data=every).content.count(b"<TR>") == 2


def test_a_table_has_a_service_of_its_own(others: TestClient) -> None:
    path = "/scs2/sky.others/scs2"
    assert len(search(others, path, RA="10.5", DEC="20.5", SR="1", flux="2 3").array) == 1
    assert len(search(others, path, TABLE="sky.others", RA="10.5", DEC="20.5", SR="1", id="7").array) == 1
    assert "TABLE: this is the search of sky.others" in error(others, path, TABLE="sky.stars", RA="1", DEC="2", SR="1")
    root = etree.fromstring(others.get("/scs2/sky.others/capabilities").content)
    (query,) = root.xpath(f"capability[@standardID='{STANDARD_ID}']")
    params = {param.findtext("name"): param for param in query.iter("param")}
    assert {
        "RA",
        "DEC",
        "SR",
        "TABLE",
        "POS",
        "UPLOAD",
        "MAXREC",
        "VERB",
        "RESPONSEFORMAT",
        "flux",
        "flux_err",
        "id",
        "raj2000",
        "dej2000",
    } == set(params)
    assert all(param.findtext("description") for param in params.values())
    assert (params["flux"].find("dataType").text, params["flux"].find("dataType").get("arraysize")) == ("real", "2")
    tables = etree.fromstring(others.get("/scs2/sky.others/tables").content)
    assert [name.text for name in tables.findall("schema/table/name")] == ["sky.others"]
    assert others.get("/scs2/sky.others/availability").status_code == 200
    assert others.get("/scs2/sky.nothing/capabilities").status_code == 404


def test_documents_beside_the_service(others: TestClient) -> None:
    for path in ("/capabilities", "/scs2/capabilities"):
        root = etree.fromstring(others.get(path).content)
        (query,) = root.xpath(f"capability[@standardID='{STANDARD_ID}']")
        assert query.findtext("interface/accessURL") == "http://testserver/scs2"
        assert "sky.others" in query.xpath("string(interface/param[name='TABLE']/description)")
        assert b"<TR>" in others.get(f"/scs2?{query.findtext('interface/testQueryString')}").content
        assert query.findtext("testQuery/catalog") in ("sky.others", "sky.stars")
    tables = etree.fromstring(others.get("/tables").content)
    assert {name.text for name in tables.findall("schema/table/name")} == {"sky.others", "sky.stars"}
    assert all(column.findtext("description") for column in tables.iter("column"))


def test_the_answer_describes_the_search(client: TestClient) -> None:
    root = etree.fromstring(client.get("/scs2", params={"TABLE": "sky.stars", **ALL, "MAXREC": "0"}).content)
    (itself,) = root.xpath("*[local-name() = 'RESOURCE'][@name = 'this']")
    params = {param.get("name"): param for param in itself.find(f"{VOTABLE}GROUP")}
    assert (params["mag"].get("xtype"), params["RA"].get("unit")) == ("interval", "deg")
    assert "seen" in params
