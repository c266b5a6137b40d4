"""The pages over a real database: what they read of it, what they refuse, whose jobs they show."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from datasets import identifier
from lxml import html
from starlette.testclient import TestClient

from vo_server.app import create_app
from vo_server.db.database import Database
from vo_server.services import Services
from vo_server.settings import Settings
from vo_server.web.samples import COUNTED, Sampler, Spread, _some


def check(client: TestClient, query: str) -> dict[str, Any]:
    reply = client.post("/query/check", data={"QUERY": query})
    assert reply.status_code == 200
    return reply.json()  # type: ignore[no-any-return]


def test_statistics_are_those_of_the_rows(site: Services) -> None:
    table = site.catalogue().table("sky.stars")
    assert table is not None
    found = Sampler(site).statistics(table)
    assert (found.rows, found.whole) == (7, True)
    assert found.spreads["mag"] == Spread("-1.46", "9.6", 0, 7)
    assert found.spreads["zone"] == Spread("A0", "F7", 2, 3)
    assert found.spreads["seen"].missing == 1


def test_large_tables_are_sampled_and_views_are_cut(site: Services) -> None:
    table = site.catalogue().table("sky.stars")
    assert table is not None
    assert "BERNOULLI (50.0" in _some(replace(table, nrows=2 * COUNTED), COUNTED)
    assert "SYSTEM (" in _some(replace(table, nrows=10**9), COUNTED)
    assert "LIMIT 50000" in _some(replace(table, nrows=None), COUNTED)
    assert "LIMIT 50000" in _some(replace(table, physical="theirs.t", nrows=10**9), COUNTED)


def test_numbers_to_draw_are_as_they_are_stored(site: Services) -> None:
    table = site.catalogue().table("sky.stars")
    assert table is not None
    (mag, seen) = Sampler(site).numbers(table, ["mag", "seen"])
    assert sorted(mag.tolist()) == [-1.46, 0.03, 0.13, 1.98, 2.81, 9.5, 9.6]
    assert max(value for value in seen if value == value) == pytest.approx(59612.93219907)  # 2022-02-02T22:22:22


def test_a_query_is_checked_and_its_fault_has_a_place(client: TestClient) -> None:
    assert check(client, "SELECT name, mag FROM sky.stars") == {"ok": True, "columns": ["name", "mag"], "warnings": []}
    assert check(client, "SELECT name,\n  mg FROM sky.stars") == {
        "ok": False,
        "message": "There is no column mg here.",
        "hint": "Did you mean mag?",
        "line": 2,
        "column": 3,
        "length": 2,
    }
    assert check(client, "SELECT * FRM sky.stars")["column"] == 10
    assert check(client, "")["message"] == "There is no query yet."
    assert check(client, "x" * 300_000)["line"] == 0


def test_editors_are_told_names_as_one_types_them(client: TestClient) -> None:
    words = client.get("/query/words.json").json()
    assert "sky.stars" in [table["name"] for table in words["tables"]]
    assert {"CIRCLE", "ivo_healpix_index", "COUNT"} <= {function["name"] for function in words["functions"]}
    columns = client.get("/query/columns.json?table=sky.stars").json()["columns"]
    assert [column["name"] for column in columns] == ["name", "ra", "dec", "mag", '"zone"', "seen"]


SENSELESS = {
    "/search?q=%00abc": 400,
    "/tables/a%00b": 404,
    "/tables/sky.stars?x=%00&y=nothing": 400,
    "/plots/columns.svg?table=sky.stars&x=%00": 400,
    "/plots/columns.svg?table=sky.stars&x=name": 400,
    "/plots/columns.svg?table=sky.stars": 400,
    "/plots/sky.svg?table=%00": 400,
    "/plots/footprint.svg?ID=%00": 400,
    "/dataset?ID=%00": 400,
    "/datasets?after=-1": 200,
    "/datasets?resource=%00": 400,
    "/jobs/%00": 404,
    "/jobs/00000000000000000000000000000000": 404,
    "/query?RUN=1&QUERY=%00": 400,
    "/query?RUN=1&QUERY=a&QUERY=b": 400,
    "/query?RUN=1&QUERY=SELECT+1/(mag-mag)+FROM+sky.stars": 200,
    "/sky": 400,
    "/sky?table=tap_schema.tables": 404,
    "/sky/layers.json?ID=%00": 400,
}
"""Address → status."""


def test_what_makes_no_sense_is_answered_and_never_an_incident(client: TestClient) -> None:
    replies = {address: client.get(address) for address in SENSELESS}
    assert {address: reply.status_code for address, reply in replies.items()} == SENSELESS
    assert not [address for address, reply in replies.items() if "incident" in reply.text]


def test_jobs_are_shown_to_the_browser_that_made_them_alone(site: Services, client: TestClient) -> None:
    made = client.post("/jobs", data={"QUERY": "SELECT name FROM sky.stars", "RESPONSEFORMAT": "csv"})
    assert made.status_code == 200
    job_id = str(made.url).rpartition("/")[2]
    assert job_id in client.get("/jobs").text
    assert job_id in client.get("/tap/async").text, "programs of this browser see it too"
    assert job_id not in TestClient(create_app(site)).get("/jobs").text
    client.post(f"/jobs/{job_id}", data={"ACTION": "DELETE"})
    assert client.get(f"/jobs/{job_id}").status_code == 404
    assert client.post("/jobs", data={"QUERY": " "}).status_code == 400


def test_the_frame_of_aladin_lite_has_no_origin_and_one_more_source_of_scripts(client: TestClient) -> None:
    policy = client.get("/sky/frame?table=sky.stars").headers["content-security-policy"]
    assert "script-src 'self' https://aladin.cds.unistra.fr 'wasm-unsafe-eval';" in policy
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "unsafe-inline" not in policy
    layers = client.get("/sky/layers.json?table=sky.stars").json()
    assert len(layers["points"]) == 7


def test_the_sky_view_can_be_switched_off(site: Services) -> None:
    site.settings = site.settings.model_copy(update={"aladin_url": ""})
    client = TestClient(create_app(site))
    assert client.get("/sky?table=sky.stars").status_code == 404
    assert "/sky?" not in client.get("/tables/sky.stars").text


@pytest.mark.usefixtures("sky")
def test_what_is_not_public_yet_has_no_file_and_no_preview(client: TestClient) -> None:
    late = client.get(f"/dataset?ID={quote(identifier('late'))}").text
    assert "late.png" not in late
    assert "late.fits" not in late
    image = client.get(f"/dataset?ID={quote(identifier('image'))}").text
    assert "/files/sky/image.fits" in image
    assert 'action="/soda/sync"' in image
    assert client.get(f"/plots/footprint.svg?ID={quote(identifier('image'))}").headers["content-type"] == "image/svg+xml"


def test_a_name_and_a_position_are_found(client: TestClient) -> None:
    near = client.get("/search?q=279.2+38.8").text
    assert "Vega" in near
    assert "Rigel" not in near
    assert "No table has a row there" in client.get("/search?q=100+80").text


def test_links_begin_with_the_path_under_which_the_server_is_seen(database: Database, site: Services, tmp_path: Path) -> None:
    """Pages, rows and errors of a server at https://example.org/vo, behind a proxy that takes /vo off."""
    settings = Settings(public_url="http://testserver/vo", data_dir=tmp_path)
    with closing(Services(settings, database)) as services:
        client = TestClient(create_app(services))
        pages = ("/", "/tap", "/tables/sky.stars", "/query?RUN=1&QUERY=SELECT+name+FROM+sky.stars", "/jobs", "/search?q=vega", "/datasets")
        plain = (
            "/tap/examples",
            "/tables/no",
            "/resources/no/thing",
            "/nothing",
            "/tap/sync?LANG=ADQL&RESPONSEFORMAT=html&QUERY=x",
            "/?x=%00",
        )
        for address in (*pages, "/sky?table=sky.stars", *plain):
            reply = client.get(address, headers={"Accept": "text/html,application/xhtml+xml"})
            assert reply.headers["content-type"].startswith(("text/html", "application/xhtml+xml")), address
            page = html.fromstring(reply.content)
            links = [link for link in page.xpath("//@href | //@src | //@action | //@data-url") if link.startswith("/")]
            assert links or address in plain
            assert [link for link in links if not link.startswith("/vo/")] == [], address
        assert 'href="/vo/"' in client.get("/?x=%00").text, "errors that come before a page are pages, too"
