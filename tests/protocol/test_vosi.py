"""What stands beside TAP: tables, capabilities, examples; made once, and not sent to those who have them."""

from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from lxml import etree
from sqlalchemy import text
from starlette.testclient import TestClient

from vo_server.app import record_keeper
from vo_server.publish import PublishOptions, publish_file
from vo_server.services import Services

ODD = 'Odd "name"/1.0'
DESCRIPTOR = """\
[resource]
schema = "sky"
title = "Ten numbers"

[table]
source = "numbers.csv"
name = "numbers"

[[examples]]
title = "The largest & best"
query = "SELECT TOP 1 n FROM sky.numbers WHERE n < 100 ORDER BY n DESC"

[[examples]]
title = "Not any more"
query = "SELECT gone FROM sky.numbers"
"""


def publish(site: Services, folder: Path, descriptor: str = DESCRIPTOR) -> None:
    (folder / "numbers.csv").write_text("n\n1\n2\n3\n")
    (folder / "numbers.toml").write_text(descriptor)
    publish_file(site.database, folder / "numbers.toml", PublishOptions(), records=record_keeper(site.settings), progress=None)
    site.refresh()


@pytest.mark.parametrize(
    "address", ["/tap/tables", "/tap/tables?detail=min", "/tap/tables/sky.stars", "/tap/capabilities", "/tap/examples"]
)
def test_documents_are_not_sent_twice(client: TestClient, site: Services, tmp_path: Path, address: str) -> None:
    """CHECKLIST GEN-026."""
    first = client.get(address)
    assert first.status_code == 200
    assert first.headers["cache-control"] == "no-cache"
    # weak where the body was compressed on its way: the same document, other bytes
    tag, date = first.headers["etag"].removeprefix("W/"), first.headers["last-modified"]
    for headers in ({"If-None-Match": tag}, {"If-None-Match": f'"other", W/{tag}'}, {"If-None-Match": "*"}, {"If-Modified-Since": date}):
        again = client.get(address, headers=headers)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for headers in (
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": date},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
    ):
        assert client.get(address, headers=headers).content == first.content
    publish(site, tmp_path)
    changed = client.get(address, headers={"If-None-Match": tag})
    assert changed.status_code == (304 if address in ("/tap/capabilities", "/tap/tables/sky.stars") else 200)


def test_a_table_is_found_by_whatever_name(client: TestClient, site: Services) -> None:
    with site.database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.tables SET table_name = :name WHERE table_name = 'stars'"), {"name": ODD})
        connection.execute(text("UPDATE vo.site SET value = '99' WHERE key = 'version'"))
    assert site.refresh()
    written = '"' + ODD.replace('"', '""') + '"'
    for name in (f"sky.{ODD}", f"sky.{written}", f'"sky".{written}'):
        reply = client.get(f"/tap/tables/{quote(name, safe='')}")
        assert reply.status_code == 200, name
        assert etree.fromstring(reply.content).findtext("name") == f"sky.{written}"
    for name in ("sky", "sky.", '"sky"."', "sky.stars", ODD):
        assert client.get(f"/tap/tables/{quote(name, safe='')}").status_code == 404


def test_an_unknown_table_is_told(client: TestClient) -> None:
    """CHECKLIST META-022, PITFALLS P-38: never 200 with nothing in it, whatever the name looks like."""
    for name, hint in {
        "sky.starz": "Did you mean sky.stars?",
        "Sky.Star": "Did you mean sky.stars?",
        "J/AJ/144/129/refs": "See /tap/tables for all tables.",
        'a "b".c': "See /tap/tables for all tables.",
    }.items():
        reply = client.get(f"/tap/tables/{quote(name)}")
        assert (reply.status_code, reply.headers["content-type"]) == (404, "text/plain; charset=utf-8")
        assert reply.text == f"There is no table {name}. {hint}\n"


def example_queries(client: TestClient) -> list[str]:
    # as pyvo does it
    root = ElementTree.fromstring(client.get("/tap/examples").content)
    return [element.text or "" for element in root.findall('.//*[@property="query"]')]


def test_every_example_runs(client: TestClient, site: Services, tmp_path: Path) -> None:
    publish(site, tmp_path)
    queries = example_queries(client)
    assert queries[0] == "SELECT TOP 1 n FROM sky.numbers WHERE n < 100 ORDER BY n DESC"
    assert not [query for query in queries if "gone" in query]
    for query in queries:
        reply = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "json"})
        assert reply.status_code == 200, query
        assert reply.json()["rows"] > 0 or "ivoa.obscore" in query, query


def test_examples_are_marked_up_as_dali_has_them(client: TestClient, site: Services, tmp_path: Path) -> None:
    publish(site, tmp_path)
    reply = client.get("/tap/examples")
    assert reply.headers["content-type"].startswith("text/html")
    root = etree.fromstring(reply.content)
    (vocabulary,) = root.xpath("//*[@vocab]")
    assert vocabulary.get("vocab") == "http://www.ivoa.net/rdf/examples#"
    shown = vocabulary.xpath("./*[@typeof='example']")
    ids = [element.get("id") for element in shown]
    assert len(set(ids)) == len(ids) >= 3
    assert [element.get("resource") for element in shown] == [f"#{name}" for name in ids]
    assert shown[0].xpath("string(*[@property='name'])") == "The largest & best"
    assert shown[0].xpath(".//*[@property='table']/text()") == ["sky.numbers"]
    href = shown[0].xpath(".//*[local-name()='a']/@href")[0]
    assert "<td>3</td>" in client.get(href).text


def test_a_descriptors_example_must_be_adql(site: Services, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"examples\.1\.query.*line 1, column 8 of the query: "):
        publish(site, tmp_path, DESCRIPTOR.replace("SELECT gone", "SELECT ,"))


@pytest.mark.parametrize(("accept", "kind"), [("application/json", "application/json"), ("text/html,*/*", "application/x-votable+xml")])
def test_accept_counts_where_no_format_is_asked_for(client: TestClient, accept: str, kind: str) -> None:
    query = {"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars"}
    reply = client.get("/tap/sync", params=query, headers={"Accept": accept})
    assert reply.headers["content-type"] == kind
    assert "Accept" in reply.headers["vary"].split(", ")
    asked = client.get("/tap/sync", params=query | {"RESPONSEFORMAT": "csv"}, headers={"Accept": accept})
    assert asked.text.startswith("name\r\n")
