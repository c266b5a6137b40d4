"""TAP uploads (TAP 1.1 §2.7.6): every serialisation by astropy, types there and back, matches, and what is refused with which words."""

import gzip
import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from astropy.io.votable import parse
from astropy.table import MaskedColumn, Table
from lxml import etree
from starlette.testclient import TestClient

INFO = "{http://www.ivoa.net/xml/VOTable/v1.3}INFO"
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


def upload(client: TestClient, query: str, tables: Mapping[str, bytes], **more: str) -> Any:
    """The reply to a query with tables, each a part of the form under its own name."""
    form = {"LANG": "ADQL", "QUERY": query, "UPLOAD": ";".join(f"{name},param:{name}" for name in tables), **more}
    return client.post("/tap/sync", data=form, files={name: (f"{name}.dat", content) for name, content in tables.items()})


def lines(client: TestClient, query: str, tables: Mapping[str, bytes]) -> list[str]:
    reply = upload(client, query, tables, RESPONSEFORMAT="csv")
    assert reply.status_code == 200, reply.text
    return str(reply.text).splitlines()


def refusal(reply: Any, status: int = 400) -> str:
    assert reply.status_code == status, reply.text
    info = etree.fromstring(reply.content).find(f".//{INFO}[@name='QUERY_STATUS']")
    assert info.get("value") == "ERROR"
    return str(info.text)


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
@pytest.mark.parametrize("packed", [False, True])
def test_all_rows_come_back_under_the_names_they_had(client: TestClient, serialisation: str, packed: bool) -> None:
    content = votable(PLACES, serialisation)
    reply = upload(client, "SELECT * FROM TAP_UPLOAD.Mine ORDER BY 1", {"mine": gzip.compress(content) if packed else content})
    table = parse(io.BytesIO(reply.content), verify="ignore").get_first_table().to_table(use_names_over_ids=True)
    assert table.colnames == PLACES.colnames
    for name in PLACES.colnames:
        assert list(table[name].filled(-1) if name == "count" else table[name]) == list(
            PLACES[name].filled(-1) if name == "count" else PLACES[name]
        )


def test_a_match_finds_what_lies_together(client: TestClient) -> None:
    query = (
        "SELECT mine.xmin, s.name FROM TAP_UPLOAD.mine JOIN sky.stars AS s"
        " ON DISTANCE(POINT(mine.raj2000, mine.dej2000), POINT(s.ra, s.dec)) < 1/3600. ORDER BY 1"
    )
    assert lines(client, query, {"mine": votable(PLACES)}) == ["xmin,name", "1,Vega", "3,Sirius"]


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


@pytest.mark.parametrize("name", ["my.table", "1st", "a b", "_x", "", 'x"', "t" * 64])
def test_names_that_no_query_can_say_are_refused(client: TestClient, name: str) -> None:
    form = {"LANG": "ADQL", "QUERY": "SELECT 1 AS one FROM tap_schema.tables", "UPLOAD": f"{name},param:x"}
    assert "cannot be the name of a table" in refusal(client.post("/tap/sync", data=form, files={"x": ("x", b"a,b\n1,2\n")}))


@pytest.mark.parametrize(
    ("uploads", "words"),
    [
        ("a,param:y", "the form has no part 'y'"),
        ("a", "is not a name and an address"),
        ("a,param:x;A,param:x", "two tables are called"),
        ("a,ftp://example.org/x", "it is no address with http:// or https://"),
        ("a,file:///etc/passwd", "it is no address with http:// or https://"),
    ],
)
def test_uploads_that_lead_nowhere_are_refused(client: TestClient, uploads: str, words: str) -> None:
    form = {"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.a", "UPLOAD": uploads}
    assert words in refusal(client.post("/tap/sync", data=form, files={"x": ("x", b"a,b\n1,2\n")}))


WRONG = {
    "cut off": (votable(PLACES, "tabledata")[:700], r"cannot be read at line \d+"),
    "unclosed element": (b"<VOTABLE>\n<RESOURCE>\n<TABLE></RESOURCE>", r"cannot be read at line 3"),
    "prose": (b"\x00\x01\x02", r"formats we read: .*VOTable.*CSV"),
    "a page": (b"<!DOCTYPE html><html><body>Not found, sorry</body></html>", r"formats we read"),
    "nothing": (b"", r"is empty"),
    "a row too short": (b"a,b,c\n1,2,3\n4,5\n", r"row 2.*2 values for 3 columns"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_table_is_told(client: TestClient, wrong: str) -> None:
    content, words = WRONG[wrong]
    message = refusal(upload(client, "SELECT * FROM TAP_UPLOAD.mine", {"mine": content}))
    assert message.startswith("TAP_UPLOAD.mine: ")
    assert re.search(words, message), message
