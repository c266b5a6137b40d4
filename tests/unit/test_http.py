"""The HTTP kit: parameters without case, errors in each dialect, one spelling, open to every origin."""

import asyncio
import logging
import re
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message

from vo_server.cli.serve import is_news
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
from vo_server.http.errors import MANNERS, Dialect, guard, render
from vo_server.http.middleware import AnyOrigin, OneSpelling
from vo_server.http.params import ENCODED_BYTES, MOST_PAIRS, TEXT_BYTES, Params, maxrec, read_params
from vo_server.http.reply import Traffic, stream
from vo_server.settings import Settings


async def echo(request: Request) -> Response:
    params = await read_params(request)
    return JSONResponse({"pairs": params.pairs, "files": sorted(name for name, _ in params.files)})


async def fail(request: Request) -> Response:
    raise RuntimeError("secret: the password is swordfish")


async def refuse(request: Request) -> Response:
    raise NotFoundError("There is no <table>.")


async def lose_database(request: Request) -> Response:
    raise OperationalError("SELECT", {}, psycopg.OperationalError("connection to server at secret failed"))


async def fail_statement(request: Request) -> Response:
    raise OperationalError("SELECT", {}, psycopg.errors.QueryCanceled("secret"))


@pytest.fixture
def client() -> TestClient:
    routes = [
        Route("/echo", guard(echo, Dialect.DALI), methods=["GET", "POST"]),
        Route("/fail", guard(fail, Dialect.TEXT)),
        Route("/lost", guard(lose_database, Dialect.TEXT)),
        Route("/canceled", guard(fail_statement, Dialect.TEXT)),
        Route("/refuse", guard(refuse, Dialect.HTML)),
        Route("/paths/{name}", guard(echo, Dialect.TEXT)),
    ]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(AnyOrigin), Middleware(OneSpelling)]))


def test_parameters_come_from_query_string_and_both_kinds_of_form(client: TestClient) -> None:
    assert client.get("/echo?a=1&A=2").json()["pairs"] == [["a", "1"], ["A", "2"]]
    assert client.post("/echo?x=0", data={"q": "ü"}).json()["pairs"] == [["x", "0"], ["q", "ü"]]
    reply = client.post("/echo", data={"q": "1"}, files={"part": ("t.xml", b"<x/>", "text/xml")})
    assert reply.json() == {"pairs": [["q", "1"]], "files": ["part"]}


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (b"q=%C3%BC+%2B&q=\xc3\xbc", [["q", "ü +"], ["q", "ü"]]),
        (b"q=%EF%BF%BD", [["q", "\ufffd"]]),
        (b"q=LIKE+'M%'&r=100%zz", [["q", "LIKE 'M%'"], ["r", "100%zz"]]),
        (b"&a&b=&=c&&d==e;f", [["a", ""], ["b", ""], ["", "c"], ["d", "=e;f"]]),
        (b"", []),
    ],
)
def test_percent_encoding_stands_for_utf_8(client: TestClient, text: bytes, pairs: list[list[str]]) -> None:
    """RFC 3986 §2.5; unencoded UTF-8 and percent signs, which some scripts send, are what they look like."""
    asked = Request({"type": "http", "method": "GET", "query_string": text, "headers": []})
    assert [list(pair) for pair in asyncio.run(read_params(asked)).pairs] == pairs
    assert client.post("/echo", content=text, headers={"Content-Type": "application/x-www-form-urlencoded"}).json()["pairs"] == pairs


def test_what_is_not_utf_8_is_refused_by_name(client: TestClient) -> None:
    """It is no U+FFFD, of which a query would find nothing."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for reply in (client.get("/echo?x=1&Query=ab%ff"), client.post("/echo", content=b"x=1&Query=ab%ff", headers=form)):
        assert (reply.status_code, "Query is not UTF-8: byte 3 is 0xff." in reply.text) == (400, True)


def test_forms_without_parts_have_a_limit_of_their_own(client: TestClient) -> None:
    """A hundred million bytes of them would be as many parameters, each of them an object."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    fits = client.post("/echo", content=b"&".join([b"a=1"] * MOST_PAIRS), headers=form)
    many = client.post("/echo", content=b"&".join([b"a=1"] * (MOST_PAIRS + 1)), headers=form)
    assert (fits.status_code, many.status_code, "more than 10000 parameters" in many.text) == (200, 400, True)
    long = client.post("/echo", content=b"a=" + b"x" * ENCODED_BYTES, headers=form)
    assert (long.status_code, "Tables are sent as parts of multipart/form-data." in long.text) == (413, True)


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=ISO-8859-1"])
def test_fields_of_multipart_forms_are_utf_8_too(client: TestClient, charset: str) -> None:
    """RFC 7578 §5.1.2: whatever the form says of a charset, which it cannot."""

    def post(name: bytes, value: bytes) -> Any:
        body = b'--x\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n--x--\r\n"
        return client.post("/echo", content=body, headers={"Content-Type": f"multipart/form-data; boundary=x{charset}"})

    assert post("Qüery".encode(), "ä ≤ ".encode()).json()["pairs"] == [["Qüery", "ä ≤ "]]
    refused = post(b"Query", b"ab\xff")
    assert (refused.status_code, "Query is not UTF-8: byte 3 is 0xff." in refused.text) == (400, True)


def test_a_file_with_a_query_is_read_whole_or_refused(client: TestClient) -> None:
    for size, status in ((TEXT_BYTES, 200), (TEXT_BYTES + 1, 413)):
        reply = client.post("/echo", files={"QUERY": ("query.adql", b" " * size, "text/plain")})
        assert reply.status_code == status
    assert f"The file of QUERY has more than {TEXT_BYTES} bytes, the limit." in reply.text


def test_names_compare_without_case_and_two_values_of_one_parameter_are_refused() -> None:
    params = Params((("maxrec", "1"), ("MaxRec", "1"), ("lang", "a"), ("LANG", "b")))
    assert params.one("MAXREC") == "1"
    assert params.all("Lang") == ["a", "b"]
    with pytest.raises(UsageError, match="LANG"):
        params.one("LANG")


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("7", 7), ("999", 100), ("9" * 5000, 100), ("0" * 5000 + "7", 7)])
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


def test_a_database_that_is_away_is_no_fault_of_ours(client: TestClient) -> None:
    away, other = client.get("/lost"), client.get("/canceled")
    assert away.status_code == 503
    assert away.headers["retry-after"]
    assert other.status_code == 500
    assert "secret" not in away.text + other.text


SCOPE = {"type": "http", "method": "GET", "headers": [], "client": ("127.0.0.1", 1)}


class Slow:
    """A work whose second piece comes only when it is cancelled."""

    content_type, filename, rows, status = "text/plain", None, 0, None

    def __init__(self) -> None:
        self.started, self.cancelled, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.reading = False

    def start(self) -> None:
        """Nothing to do."""
        self.started.set()

    def chunks(self) -> Iterator[bytes]:
        yield b"first"
        self.reading = True
        self.cancelled.wait(10)
        self.reading = False

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        assert not self.reading
        self.closed.set()


def test_what_runs_when_the_server_ends_is_stopped_and_closed() -> None:
    work = Slow()

    async def serve() -> None:
        async def receive() -> Message:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message.get("body"):
                sent.set()

        sent = asyncio.Event()
        reply = await stream(Request(SCOPE, receive), work, Traffic.of(Settings()))
        task = asyncio.ensure_future(reply(SCOPE, receive, send))
        await sent.wait()
        while not work.reading:
            await asyncio.sleep(0.001)
        task.cancel()  # by uvicorn, and once more by the loop that ends
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(serve())
    assert work.closed.wait(10)
    assert work.cancelled.is_set()


def test_the_log_keeps_what_is_news() -> None:
    def record(message: str, error: BaseException | None = None) -> logging.LogRecord:
        return logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, message, (), error and (type(error), error, None))

    assert not is_news(record("ASGI callable returned without completing response."))
    assert not is_news(record("Exception in ASGI application\n", asyncio.CancelledError()))
    assert is_news(record("Exception in ASGI application\n", ValueError()))
    assert is_news(record("Cancel 1 running task(s), timeout graceful shutdown exceeded"))


class SlowStart(Slow):
    """A work that has nothing to show until it is cancelled."""

    def start(self) -> None:
        super().start()
        self.cancelled.wait(10)


def test_who_waits_for_the_first_row_when_the_server_ends_is_told() -> None:
    work = SlowStart()

    async def serve() -> None:
        async def receive() -> Message:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        task = asyncio.ensure_future(stream(Request(SCOPE, receive), work, Traffic.of(Settings())))
        while not work.started.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(UnavailableError, match="shutting down"):
            await task

    asyncio.run(serve())
    assert work.closed.wait(10)
    assert work.cancelled.is_set()


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


@pytest.mark.parametrize("path", ["/echo/", "//echo", "///echo//"])
def test_slashes_at_the_ends_are_answered_in_place(client: TestClient, path: str) -> None:
    """CHECKLIST GEN-029."""
    reply = client.post(f"http://testserver{path}", data={"q": "1"}, follow_redirects=False)
    assert reply.status_code == 200
    assert reply.json()["pairs"] == [["q", "1"]]


@pytest.mark.parametrize(
    "asked", [{"params": {"a": "x\0"}}, {"params": {"a\0": "x"}}, {"data": {"a": "\0"}}, {"files": {"a": (None, "\0")}}]
)
def test_no_parameter_holds_what_no_text_of_the_database_can(client: TestClient, asked: dict[str, Any]) -> None:
    reply = client.request("GET" if "params" in asked else "POST", "/echo", **asked)
    assert reply.status_code == 400
    assert re.search(r"a(\\x00)?: the character U\+0000 cannot stand in a parameter", reply.text)
    assert client.get("/echo", params={"a": "%00"}).json()["pairs"] == [["a", "%00"]]


def test_no_address_holds_it(client: TestClient) -> None:
    assert client.get("/paths/a%00b").status_code == 404
    assert client.get("/refuse?a=%00").text.count("U+0000") == 1


def test_every_dialect_tells_every_error() -> None:
    assert {Dialect(one) for one in MANNERS} == set(Dialect)
    statuses = {dialect: render(UsageError("POS is wrong."), dialect).status_code for dialect in Dialect}
    assert {dialect for dialect, status in statuses.items() if status == 200} == {Dialect.SIMPLE, Dialect.SCS}
    for dialect in Dialect:
        late = render(UnavailableError("Not now.", retry_after=7), dialect)
        assert (late.status_code, late.headers["retry-after"]) == (503, "7")
        assert b"Not now." in bytes(late.body)


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
    """CHECKLIST GEN-020, SSO-003, SSO-009."""
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


def test_who_brings_tables_waits_for_nobody_but_others_who_do() -> None:
    traffic = Traffic.of(Settings())
    plain, inline, elsewhere = (
        traffic.threads_for(Params([("upload", value)] if value else [])) for value in ("", "a,param:x", "a,param:x;b,http://c")
    )
    assert len({id(limiter) for limiter in (plain, inline, elsewhere)}) == 3
    assert plain is traffic.threads
