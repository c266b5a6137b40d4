"""The HTTP kit: parameters without case, errors in each dialect, one spelling, open to every origin."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from vo_server.errors import (
    ForbiddenError,
    NotFoundError,
    QueryMeaningError,
    QuerySyntaxError,
    SetupError,
    TimeLimitError,
    TooLargeError,
    UnavailableError,
    UsageError,
    VoError,
)
from vo_server.http.errors import Dialect, guard, render
from vo_server.http.middleware import AnyOrigin, OneSpelling
from vo_server.http.params import Params, maxrec, read_params


async def echo(request: Request) -> Response:
    params = await read_params(request)
    return JSONResponse({"pairs": params.pairs, "files": sorted(params.files)})


async def fail(request: Request) -> Response:
    raise RuntimeError("secret: the password is swordfish")


async def refuse(request: Request) -> Response:
    raise NotFoundError("There is no <table>.")


@pytest.fixture
def client() -> TestClient:
    routes = [
        Route("/echo", guard(echo, Dialect.DALI), methods=["GET", "POST"]),
        Route("/fail", guard(fail, Dialect.TEXT)),
        Route("/refuse", guard(refuse, Dialect.HTML)),
    ]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(AnyOrigin), Middleware(OneSpelling)]))


def test_parameters_come_from_query_string_and_both_kinds_of_form(client: TestClient) -> None:
    assert client.get("/echo?a=1&A=2").json()["pairs"] == [["a", "1"], ["A", "2"]]
    assert client.post("/echo?x=0", data={"q": "ü"}).json()["pairs"] == [["x", "0"], ["q", "ü"]]
    reply = client.post("/echo", data={"q": "1"}, files={"part": ("t.xml", b"<x/>", "text/xml")})
    assert reply.json() == {"pairs": [["q", "1"]], "files": ["part"]}


def test_names_compare_without_case_and_two_values_of_one_parameter_are_refused() -> None:
    params = Params((("maxrec", "1"), ("MaxRec", "1"), ("lang", "a"), ("LANG", "b")))
    assert params.one("MAXREC") == "1"
    assert params.all("Lang") == ["a", "b"]
    with pytest.raises(UsageError, match="LANG"):
        params.one("LANG")


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("7", 7), ("999", 100)])
def test_maxrec_is_lowered_to_the_hard_limit(text: str, value: int) -> None:
    assert maxrec(Params((("MAXREC", text),)), default=5, hard=100) == value


@pytest.mark.parametrize("text", ["-1", "1.5", "", "many", "²"])
def test_maxrec_that_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="MAXREC"):
        maxrec(Params((("MAXREC", text),)), default=5, hard=100)


def test_what_nobody_foresaw_gets_a_number_and_no_detail(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    reply = client.get("/fail")
    assert reply.status_code == 500
    assert "swordfish" not in reply.text
    incident = reply.text.partition("incident ")[2][:8]
    assert incident in caplog.text
    assert "swordfish" in caplog.text


def test_pages_escape_what_they_say(client: TestClient) -> None:
    reply = client.get("/refuse")
    assert reply.status_code == 404
    assert "<table>" not in reply.text
    assert "&lt;table&gt;" in reply.text


def test_every_answer_is_open_to_every_origin_errors_too(client: TestClient) -> None:
    for path in ("/echo", "/fail", "/refuse", "/nowhere"):
        assert client.get(path).headers["access-control-allow-origin"] == "*"


def test_a_preflight_is_answered_for_any_path(client: TestClient) -> None:
    reply = client.options("/echo", headers={"Origin": "https://x.org", "Access-Control-Request-Headers": "x-one, range"})
    assert reply.status_code == 204
    assert reply.headers["access-control-allow-headers"] == "x-one, range"
    assert "POST" in reply.headers["access-control-allow-methods"]


def test_a_trailing_slash_is_answered_in_place(client: TestClient) -> None:
    reply = client.post("/echo/", data={"q": "1"}, follow_redirects=False)
    assert reply.status_code == 200
    assert reply.json()["pairs"] == [["q", "1"]]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("x"), 400),
        (QuerySyntaxError("x", line=1, column=2), 400),
        (QueryMeaningError("x", line=1, column=2), 400),
        (NotFoundError("x"), 404),
        (ForbiddenError("x"), 403),
        (TooLargeError("x"), 413),
        (TimeLimitError("x"), 408),
        (UnavailableError("x", retry_after=7), 503),
        (SetupError("x"), 503),
    ],
)
@pytest.mark.parametrize("dialect", [Dialect.DALI, Dialect.TEXT, Dialect.HTML, Dialect.FAULT])
def test_each_kind_of_error_has_its_status(error: VoError, status: int, dialect: Dialect) -> None:
    reply = render(error, dialect)
    assert reply.status_code == status
    assert ("retry-after" in reply.headers) == isinstance(error, UnavailableError)


def test_a_query_error_tells_line_and_column_in_a_votable() -> None:
    body = bytes(render(QuerySyntaxError("FROM expected.", line=3, column=14, word="FORM"), Dialect.DALI).body).decode()
    assert 'value="ERROR"' in body
    assert "Line 3, column 14: FROM expected." in body


def test_cone_search_errors_reach_clients_that_read_only_200() -> None:
    reply = render(UsageError("SR is missing."), Dialect.SCS)
    assert reply.status_code == 200
    assert 'name="Error"' in bytes(reply.body).decode()


def test_fault_labels_stand_first() -> None:
    assert "UsageFault: POS" in bytes(render(UsageError("POS is wrong."), Dialect.FAULT).body).decode()
