"""TAP 1.1 sync: what is asked, what comes back, what is refused and how."""

import csv
import io
import json
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
import votables
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile
from lxml import etree
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from votables import VOTABLE

from vo_server.app import record_keeper
from vo_server.publish import PublishOptions, publish_file
from vo_server.services import Services


def ask(client: TestClient, query: str, **parameters: str | int) -> VOTableFile:
    reply = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query, **parameters})
    assert reply.status_code == 200, reply.text
    return parse(BytesIO(reply.content), verify="exception")


def rows(client: TestClient, query: str, **parameters: str | int) -> list[tuple[object, ...]]:
    return [tuple(row) for row in ask(client, query, **parameters).get_first_table().to_table()]


def statuses(client: TestClient, query: str, **parameters: str | int) -> list[tuple[str, bool]]:
    """Each QUERY_STATUS of the answer, and whether it stands behind the table."""
    reply = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query, **parameters})
    resource = etree.fromstring(reply.content).find(f"{VOTABLE}RESOURCE")
    found, behind = [], False
    for child in resource:
        behind = behind or child.tag == f"{VOTABLE}TABLE"
        if child.tag == f"{VOTABLE}INFO" and child.get("name") == "QUERY_STATUS":
            found.append((child.get("value"), behind))
    return found


def refusal(client: TestClient, **parameters: str) -> str:
    return votables.refusal(client.get("/tap/sync", params=parameters))


def test_answers_say_what_may_not_have_been_meant(client: TestClient) -> None:
    infos = ask(client, "SELECT TOP 1 5/60 AS a FROM sky.stars").resources[0].infos
    assert ["Integers divide as integers" in info.value for info in infos if info.name == "warning"] == [True]


def test_get_and_post_answer_alike(client: TestClient) -> None:
    form = {"LANG": "ADQL", "QUERY": "SELECT name, mag FROM sky.stars ORDER BY mag", "RESPONSEFORMAT": "csv"}
    got = client.get("/tap/sync", params=form)
    assert got.text.splitlines()[:3] == ["name,mag", "Sirius,-1.46", "Vega,0.03"]
    assert client.post("/tap/sync", data=form).content == got.content
    assert client.post("/tap/sync/", files={key: (None, value) for key, value in form.items()}).content == got.content


def test_columns_carry_what_the_catalogue_says(client: TestClient) -> None:
    table = ask(client, 'SELECT name, ra, mag, seen, "zone" FROM sky.stars').get_first_table()
    fields = {field.name: field for field in table.fields}
    assert (fields["ra"].datatype, fields["ra"].unit, fields["ra"].ucd) == ("double", "deg", "pos.eq.ra;meta.main")
    assert fields["name"].datatype == "unicodeChar"
    assert fields["zone"].datatype == "char"
    assert fields["seen"].xtype == "timestamp"


def test_cone_over_ra_zero(client: TestClient) -> None:
    query = "SELECT name FROM sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(0, 0, 0.01)) ORDER BY name"
    assert rows(client, query) == [("Edge",), ("Other edge",)]


@pytest.mark.parametrize("form", ["votable", "votable/b2"])
def test_overflow_is_said_behind_the_table_and_only_if_rows_are_missing(client: TestClient, form: str) -> None:
    """CHECKLIST GEN-016 (DALI 1.1 §4.4.1)."""
    every = "SELECT * FROM sky.stars"
    assert statuses(client, every, MAXREC=7, RESPONSEFORMAT=form) == [("OK", False)]
    assert statuses(client, every, MAXREC=6, RESPONSEFORMAT=form) == [("OK", False), ("OVERFLOW", True)]
    assert statuses(client, "SELECT TOP 3 * FROM sky.stars", MAXREC=6, RESPONSEFORMAT=form) == [("OK", False)]
    assert statuses(client, every, MAXREC=0, RESPONSEFORMAT=form) == [("OK", False), ("OVERFLOW", True)]
    assert len(rows(client, every, MAXREC=6, RESPONSEFORMAT=form)) == 6


def test_no_rows_still_have_columns(client: TestClient) -> None:
    table = ask(client, "SELECT name, COUNT(*) AS n FROM sky.stars WHERE mag > 100 GROUP BY name").get_first_table()
    assert [field.name for field in table.fields] == ["name", "n"]
    assert len(table.array) == 0


def test_json_and_csv(client: TestClient) -> None:
    query = "SELECT name, mag, seen FROM sky.stars WHERE mag < 2 ORDER BY mag"
    body = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query, "FORMAT": "json"}).json()
    assert [column["name"] for column in body["metadata"]] == ["name", "mag", "seen"]
    assert body["data"][-1] == ["Polaris", 1.98, None]
    text = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query, "FORMAT": "text/csv"}).text
    assert list(csv.reader(io.StringIO(text)))[-1] == ["Polaris", "1.98", ""]
    assert json.dumps(body)


def test_a_full_media_type_is_echoed(client: TestClient) -> None:
    form = {"LANG": "ADQL", "QUERY": "SELECT 1 AS a FROM sky.stars"}
    for media_type in ("text/xml", "application/x-votable+xml;serialization=binary2"):
        assert client.get("/tap/sync", params={**form, "RESPONSEFORMAT": media_type}).headers["content-type"] == media_type


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"LANG": "ADQL"}, "QUERY"),
        ({"LANG": "OOBLECK", "QUERY": "SELECT 1 AS a FROM sky.stars"}, "OOBLECK"),
        ({"QUERY": "SELECT 1 AS a FROM sky.stars"}, "LANG"),
        ({}, "LANG"),
        ({"LANG": "", "QUERY": "SELECT name FROM sky.stars"}, "ADQL-2.1"),
        ({"LANG": "PQL", "QUERY": "SELECT name FROM sky.stars"}, "PQL"),
        ({"LANG": "ADQL-3.0", "QUERY": "SELECT name FROM sky.stars"}, "ADQL-3.0"),
        ({"LANG": "ADQL", "QUERY": " \n"}, "QUERY"),
        ({"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars", "MAXREC": "-3"}, "MAXREC"),
        ({"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars", "MAXREC": "1e3"}, "MAXREC='1e3' is not a non-negative integer"),
        ({"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars", "RUNID": "x" * 65}, "64"),
        ({"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars", "FORMAT": "papyrus"}, "papyrus"),
        ({"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars", "FORMAT": "csv", "RESPONSEFORMAT": "json"}, "disagree"),
        (
            {"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars", "REQUEST": "dance"},
            "REQUEST='dance' is not known here; it is one of doQuery.",
        ),
        ({"LANG": "ADQL", "QUERY": "SELECT nam FROM sky.stars"}, "name"),
        ({"LANG": "ADQL", "QUERY": "SELECT name\nFROM sky.star"}, "Line 2, column 6"),
        ({"LANG": "ADQL", "QUERY": "SELECT name FORM sky.stars"}, "FORM"),
        ({"LANG": "ADQL", "QUERY": "SELECT 1/(mag - mag) AS a FROM sky.stars"}, "NULLIF"),
        ({"LANG": "ADQL", "QUERY": "SELECT (SELECT mag FROM sky.stars) AS a FROM sky.stars"}, "more than one row"),
        ({"LANG": "ADQL", "QUERY": "SELECT physical FROM vo.tables"}, "vo.tables"),
        ({"LANG": "ADQL", "QUERY": "SELECT _hpx29 FROM sky.stars"}, "_hpx29"),
        ({"LANG": "ADQL", "QUERY": "SELECT pg_sleep(1) FROM sky.stars"}, "pg_sleep"),
    ],
)
def test_what_is_wrong_is_named(client: TestClient, parameters: dict[str, str], said: str) -> None:
    """CHECKLIST GEN-014, GEN-018 to GEN-020 (DALI 1.1 §3.4.4, §4.2)."""
    assert said in refusal(client, **parameters)


def test_unknown_parameters_change_nothing(client: TestClient) -> None:
    """CHECKLIST GEN-005 (TAP 1.1 §2.7)."""
    form = {"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars ORDER BY name", "FORMAT": "csv"}
    assert client.get("/tap/sync", params={**form, "SPURIOUS": "1"}).content == client.get("/tap/sync", params=form).content


def test_tap_schema_describes_itself_and_what_is_published(client: TestClient) -> None:
    named = {row[0] for row in rows(client, "SELECT table_name FROM TAP_SCHEMA.tables")}
    schema = {f"tap_schema.{name}" for name in ("schemas", "tables", "columns", "keys", "key_columns")}
    assert named >= schema | {"sky.stars", "ivoa.obscore"}
    columns = rows(client, "SELECT column_name FROM tap_schema.columns WHERE table_name = 'sky.stars' ORDER BY column_index")
    assert columns == [("name",), ("ra",), ("dec",), ("mag",), ('"zone"',), ("seen",)]
    assert rows(client, "SELECT COUNT(*) AS nrow FROM TAP_SCHEMA.columns")[0][0] > 50
    for name in sorted(named):
        ask(client, f"SELECT TOP 1 * FROM {name}")


def test_names_in_any_script_are_told(site: Services, client: TestClient, tmp_path: Path) -> None:
    file = tmp_path / "sizes.csv"
    file.write_text("größe\n1\n", encoding="utf-8")
    publish_file(site.database, file, PublishOptions(schema="sky"), records=record_keeper(site.settings), progress=None)
    for form in ("votable", "votable/b2"):
        listed = "SELECT column_name FROM TAP_SCHEMA.columns WHERE table_name = 'sky.sizes'"
        assert rows(client, listed, RESPONSEFORMAT=form) == [('"größe"',)]
        reply = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": 'SELECT "größe" FROM sky.sizes', "RESPONSEFORMAT": form})
        assert [field.get("name") for field in etree.fromstring(reply.content).iter(f"{VOTABLE}FIELD")] == ["größe"]


def test_vosi_documents_agree_with_tap_schema(client: TestClient) -> None:
    listed = etree.fromstring(client.get("/tap/tables").content)
    names = {element.text for element in listed.iter("{*}name") if element.getparent().tag == "table"}
    assert names == {row[0] for row in rows(client, "SELECT table_name FROM tap_schema.tables")}
    one = etree.fromstring(client.get("/tap/tables/sky.stars").content)
    assert [column.findtext("name") for column in one.iter("{*}column")] == ["name", "ra", "dec", "mag", '"zone"', "seen"]
    assert client.get("/tap/tables/sky.nothing").status_code == 404
    assert client.get("/tap/tables?detail=some").status_code == 400
    assert client.post("/tap/capabilities").status_code == 405
    assert "true" in client.get("/tap/availability").text


def test_a_database_that_is_away_is_told_and_logged_once(
    site: Services, client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OperationalError("connect", {}, psycopg.OperationalError("secret address"))

    with monkeypatch.context() as patch:
        patch.setattr(site.database.engine, "connect", refuse)
        said = client.get("/tap/availability")
        assert said.status_code == 200
        root = etree.fromstring(said.content)
        assert [element.text for element in root if "upSince" not in element.tag] == ["false", "The database does not answer."]
        assert client.get("/files/maps/field.fits").status_code == 503
        assert not site.refresh()
        assert not site.refresh()
    assert caplog.text.count("could not be read") == 1
    assert not site.refresh()
    assert etree.fromstring(client.get("/tap/availability").content).findtext("{*}available") == "true"
    monkeypatch.setattr(site.database.engine, "connect", refuse)
    site.refresh()
    assert caplog.text.count("could not be read") == 2


def test_a_table_published_this_moment_is_found(site: Services, client: TestClient, tmp_path: Path) -> None:
    file = tmp_path / "fresh.csv"
    file.write_text("x\n42\n")
    publish_file(site.database, file, PublishOptions(schema="sky"), records=record_keeper(site.settings), progress=None)
    assert rows(client, "SELECT x FROM sky.fresh") == [(42,)]


def test_top_beyond_the_default_is_obeyed(site: Services, client: TestClient, tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text("x\n" + "\n".join(map(str, range(3000))) + "\n")
    publish_file(site.database, file, PublishOptions(schema="sky"), records=record_keeper(site.settings), progress=None)
    assert len(rows(client, "SELECT x FROM sky.many")) == 1000
    assert len(rows(client, "SELECT TOP 2500 x FROM sky.many")) == 2500
    assert statuses(client, "SELECT TOP 2500 x FROM sky.many") == [("OK", False)]
