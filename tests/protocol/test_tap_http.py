"""TAP's addresses as HTTP has them: methods, preflights, spellings of addresses and of parameters (RFC 9110, DALI 1.1 §2–3, TAP 1.1 §2)."""

import json
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from lxml import etree, html
from starlette.testclient import TestClient

from tests.live import run_newest_job
from vo_server.services import Services

READ = {"GET", "HEAD", "OPTIONS"}
WRITE = {"GET", "HEAD", "OPTIONS", "POST"}

METHODS: dict[str, set[str]] = {
    "/tap": READ,
    "/tap/sync": WRITE,
    "/tap/async": WRITE,
    "/tap/async/none": WRITE | {"DELETE"},
    "/tap/async/none/phase": WRITE,
    "/tap/async/none/parameters": WRITE,
    "/tap/async/none/results/result": READ,
    "/tap/capabilities": READ,
    "/tap/availability": READ,
    "/tap/tables": READ,
    "/tap/tables/sky.stars": READ,
    "/tap/examples": READ,
    "/openapi.json": READ,
}
"""Address → the methods it takes (CHECKLIST META-001: what VOSI describes is only read)."""


def listed(header: str) -> set[str]:
    return {method.strip() for method in header.split(",")}


def test_methods_of_each_address_are_told_and_others_refused(client: TestClient) -> None:
    for address, methods in METHODS.items():
        told = client.options(address)
        assert (told.status_code, listed(told.headers["allow"])) == (204, methods), address
        for method in sorted({"GET", "POST", "PUT", "DELETE", "PATCH"} - methods):
            refused = client.request(method, address)
            assert (refused.status_code, listed(refused.headers["allow"])) == (405, methods), (method, address)
            assert refused.text == f"{address} does not take {method}. Use one of: {', '.join(sorted(methods))}.\n"


def test_an_address_with_nothing_has_no_methods(client: TestClient) -> None:
    """TAP 1.1 §2: what is not implemented is 404, whatever one does with it; names of resources have case."""
    for address in ("/tap/nothing", "/tap/Sync", "/tap/load/x", "/tap/table-update"):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            reply = client.request(method, address)
            assert (reply.status_code, reply.headers["content-type"]) == (404, "text/plain; charset=utf-8"), (method, address)
            assert reply.text.startswith(f"There is nothing at {address}.")


HEADS = (
    "/tap",
    *(f"/tap/{name}" for name in ("capabilities", "availability", "tables", "tables/sky.stars", "tables/x", "examples", "async")),
)
SAME = ("content-type", "vary", "cache-control", "access-control-allow-origin")


def test_head_is_get_without_the_body(client: TestClient) -> None:
    """RFC 9110 §9.3.2, CHECKLIST GEN-027: download managers ask so; a query is not run to its end for it."""
    asked = [f"/tap/sync?LANG=ADQL&RESPONSEFORMAT={form}&QUERY={quote(QUERY)}" for form in ("votable", "csv", "fits", "parquet", "json")]
    for address in (*HEADS, *asked, "/tap/sync", "/openapi.json", "/tap/nothing"):
        head, get = client.head(address), client.get(address)
        assert (head.status_code, head.content) == (get.status_code, b""), address
        assert [head.headers.get(name) for name in SAME] == [get.headers.get(name) for name in SAME], address


@pytest.mark.parametrize("address", ["/tap/sync", "/tap/async", "/tap/tables/", "/tap/nothing"])
def test_preflights_are_answered(client: TestClient, address: str) -> None:
    """CHECKLIST GEN-028; also where there is nothing, so that a page may read that."""
    asked = {"Origin": "https://elsewhere.test", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-own, x-two"}
    reply = client.options(address, headers=asked)
    assert reply.status_code == 204
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-allow-headers"] == "x-own, x-two"
    assert "GET" in listed(reply.headers["access-control-allow-methods"])


QUERY = "SELECT TOP 2 name FROM sky.stars ORDER BY name"
ANSWER = "name\r\nCôr Caroli\r\nEdge\r\n"

REQUESTS: dict[str, list[tuple[str, str]]] = {
    "as it is": [("LANG", "ADQL"), ("QUERY", QUERY), ("RESPONSEFORMAT", "csv")],
    "names without case": [("lang", "ADQL"), ("Query", QUERY), ("responseFormat", "csv")],
    "the older name of a format": [("LANG", "ADQL"), ("QUERY", QUERY), ("FORMAT", "csv")],
    "both names": [("LANG", "ADQL"), ("QUERY", QUERY), ("FORMAT", "csv"), ("RESPONSEFORMAT", "csv")],
    "a value twice": [("LANG", "ADQL"), ("QUERY", QUERY), ("query", QUERY), ("RESPONSEFORMAT", "csv")],
    "ADQL 2.0": [("LANG", "ADQL-2.0"), ("QUERY", QUERY), ("RESPONSEFORMAT", "csv")],
    "ADQL 2.1, as TAP 1.0 has it": [("REQUEST", "doQuery"), ("VERSION", "1.0"), ("LANG", "adql-2.1"), ("QUERY", QUERY), ("FORMAT", "csv")],
    "what is not known": [("LANG", "ADQL"), ("QUERY", QUERY), ("RESPONSEFORMAT", "csv"), ("TOP", "1"), ("spurious", "x"), ("", "y")],
    "a label": [("LANG", "ADQL"), ("QUERY", QUERY), ("RESPONSEFORMAT", "csv"), ("RUNID", "night 7")],
    "more rows than there are integers": [("LANG", "ADQL"), ("QUERY", QUERY), ("RESPONSEFORMAT", "csv"), ("MAXREC", "9" * 30)],
}
"""Requests that have the same answer (DALI 1.1 §2.2, §3.1, §3.2; TAP 1.1 §2.7; CHECKLIST GEN-001 to GEN-003, TAP-005 to TAP-008)."""


def test_requests_that_mean_the_same_are_answered_alike(client: TestClient) -> None:
    """By GET and by each kind of form, with or without a slash at the end."""
    for case, said in REQUESTS.items():
        parts = [(name, (None, value)) for name, value in said if name]
        replies = (
            client.get("/tap/sync", params=said),
            client.get("/tap/sync/", params=said),
            client.post("/tap/sync", params=said),
            client.post("/tap/sync", content=urlencode(said), headers={"Content-Type": "application/x-www-form-urlencoded"}),
            client.post("/tap/sync", params=said[:1], content=urlencode(said[1:]), headers={"Content-Type": FORM_UTF8}),
            client.post("/tap/sync/", files=parts),
        )
        assert [(reply.status_code, reply.text) for reply in replies] == [(200, ANSWER)] * len(replies), case
        assert all(reply.headers["content-type"] == "text/csv;header=present;charset=utf-8" for reply in replies)


def test_a_label_comes_back(site: Services, client: TestClient) -> None:
    """CHECKLIST GEN-035 (DALI 1.1 §3.4.6): of a query and of a job alike, so that answers that were kept can be told apart."""
    said = {"LANG": "ADQL", "QUERY": QUERY, "RUNID": "night 7"}
    url = client.post("/tap/async", data={**said, "PHASE": "RUN"}, follow_redirects=False).headers["location"]
    run_newest_job(site)
    for reply in (client.get("/tap/sync", params=said), client.get(f"{url}/results/result")):
        assert [info.get("value") for info in etree.fromstring(reply.content).iterfind(".//{*}INFO[@name='RUNID']")] == ["night 7"]
    assert "RUNID" not in client.get("/tap/sync", params={**said, "RUNID": ""}).text


FORM_UTF8 = "application/x-www-form-urlencoded; charset=UTF-8"


def test_a_query_may_be_a_file_of_the_form(client: TestClient) -> None:
    """As ``curl -F QUERY=@query.adql`` sends it."""
    said = {"LANG": "ADQL", "RESPONSEFORMAT": "csv"}
    for text in (QUERY.encode(), QUERY.encode("utf-8-sig")):
        reply = client.post("/tap/sync", data=said, files={"query": ("query.adql", text, "application/octet-stream")})
        assert (reply.status_code, reply.text) == (200, ANSWER)
    reply = client.post("/tap/sync", data=said, files={"QUERY": ("query.adql", b"SELECT '\xe4'", "text/plain")})
    assert (reply.status_code, "is not UTF-8: byte 9 is 0xe4" in reply.text) == (400, True)


def test_a_long_query_is_taken_by_both_methods(client: TestClient) -> None:
    """PITFALLS P-13: lists of thousands of names, as scripts write them."""
    names = ", ".join(f"'star {number}'" for number in range(6000))
    query = f"SELECT name FROM sky.stars WHERE name IN ('Vega', {names})"
    said = {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "csv"}
    assert client.post("/tap/sync", data=said).text == "name\r\nVega\r\n"
    said["QUERY"] = query[:30_000].rpartition(",")[0] + ")"
    assert client.get("/tap/sync", params=said).text == "name\r\nVega\r\n"
    refused = client.post("/tap/sync", data={**said, "QUERY": query + " " * 200_000})
    assert (refused.status_code, "at most 200000" in refused.text) == (400, True)


def test_bodies_that_are_no_forms_are_refused(client: TestClient) -> None:
    """Parameters in JSON, as some write them at first, are not there: what is missing would be said to be LANG."""
    for kind, body, told in (
        (
            "application/json",
            b'{"LANG": "ADQL"}',
            "A body of the type application/json is not read here. Parameters come in the address, or as",
        ),
        ("text/plain; charset=utf-8", b"LANG=ADQL", "A body of the type text/plain is not read here."),
        ("multipart/form-data", b"LANG=ADQL", "The form could not be read: Missing boundary in multipart.<"),
        ("multipart/form-data; boundary=x", b"LANG=ADQL", "The form could not be read: "),
        ("text/plain", b"", "The parameter LANG is missing"),
    ):
        reply = client.post("/tap/sync", content=body, headers={"Content-Type": kind})
        assert (reply.status_code, reply.headers["content-type"]) == (400, VOTABLE)
        assert told in reply.text


VOTABLE, TEXT, JSON, HTML = "application/x-votable+xml", "text/plain; charset=utf-8", "application/json", "text/html; charset=utf-8"

TOLD: tuple[tuple[dict[str, str], str], ...] = (
    ({}, VOTABLE),
    ({"RESPONSEFORMAT": "votable/b2"}, VOTABLE),
    ({"RESPONSEFORMAT": "fits"}, VOTABLE),
    ({"RESPONSEFORMAT": "application/vnd.apache.parquet"}, VOTABLE),
    ({"RESPONSEFORMAT": "papyrus"}, VOTABLE),
    ({"RESPONSEFORMAT": "json"}, JSON),
    ({"RESPONSEFORMAT": "text/csv"}, TEXT),
    ({"FORMAT": "tsv"}, TEXT),
    ({"RESPONSEFORMAT": "text"}, TEXT),
    ({"RESPONSEFORMAT": "html"}, HTML),
)
"""What was asked for → the media type in which an error comes."""

MESSAGE: dict[str, Callable[[str], str | None]] = {
    VOTABLE: lambda body: etree.fromstring(body.encode()).findtext(".//{*}INFO[@value='ERROR']"),
    JSON: lambda body: str(json.loads(body)["error"]),
    HTML: lambda body: str(html.document_fromstring(body).findtext(".//pre")),
    TEXT: lambda body: body.rstrip("\n"),
}
"""Media type → the message in such a body."""


def test_errors_are_told_in_the_format_that_was_asked_for(client: TestClient) -> None:
    """TAP 1.1 §3.3: error documents are in a format that matches the requested one where possible."""
    for asked, kind in TOLD:
        said = {"LANG": "ADQL", "QUERY": 'SELECT nam AS "<b>" FROM sky.stars', **asked}
        for reply in (client.get("/tap/sync", params=said), client.post("/tap/sync", data=said)):
            assert (reply.status_code, reply.headers["content-type"]) == (400, kind), asked
            assert "Accept" in reply.headers["vary"]
            message = MESSAGE[kind](reply.text) or ""
            assert message.startswith("RESPONSEFORMAT 'papyrus'" if "papyrus" in asked.values() else "Line 1, column 8:"), message


def test_an_error_follows_the_accept_header_where_no_format_was_asked_for(client: TestClient) -> None:
    said = {"LANG": "ADQL", "QUERY": "DUFF"}
    for accept, kind in (
        ("application/json", "application/json"),
        ("text/html,*/*", "application/x-votable+xml"),
        ("*/*", "application/x-votable+xml"),
    ):
        assert client.get("/tap/sync", params=said, headers={"Accept": accept}).headers["content-type"] == kind
