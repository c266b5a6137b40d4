"""The pages, through ASGI, over a snapshot built by hand."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from vo_server import web
from vo_server.errors import TimeLimitError
from vo_server.formats import choose
from vo_server.model.catalogue import Catalogue, Position, Schema, Table
from vo_server.model.columns import Column, text
from vo_server.model.resource import Coverage, Creator, Resource, Site
from vo_server.services import Snapshot, answers
from vo_server.settings import Settings
from vo_server.web import kit, snippets, words
from vo_server.web.addresses import SERVICES

pytestmark = pytest.mark.anyio

NOW = datetime(2024, 5, 1, tzinfo=UTC)

ALERTS = Table(
    "icecube",
    "alerts",
    "vo_data.t1_1",
    (
        Column("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main", description="Right ascension <J2000>", principal=True),
        Column("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main", principal=True),
        Column("event_time", "char", "*", xtype="timestamp"),
        Column("psf", "float", "16"),
        Column("Size of it", "long", principal=True),
    ),
    title="IceCube neutrino alerts",
    description="One row an event & its error",
    nrows=24,
    position=Position("ra", "dec"),
    resource="icecube/alerts",
)
ODD = Table("my data", 'a/b "c"?', "vo_data.t2_1", (text("name"),), resource="my data/odd & <ends>")
TABLES = Table("tap_schema", "tables", "tap_schema.tables", (text("table_name"),))
OBSCORE = Table("ivoa", "obscore", "ivoa.obscore", (text("obs_id"),), kind="view")

RESOURCE = Resource(
    "icecube",
    "alerts",
    "IceCube alerts",
    "Neutrinos of likely astrophysical origin. " * 12,
    NOW,
    NOW,
    creators=(Creator("Abbasi, R.", "https://orcid.org/0000-0001-6141-4205"), Creator("IceCube Collaboration")),
    subjects=("neutrino-astronomy",),
    source="2023ApJS..269...25A",
    rights="Cite <them>",
    rights_uri="javascript:alert(1)",
    coverage=Coverage("0/0-5", (55911.2, 60000.9), (1.6e-8, 1.6e-3), ("Neutrino",)),
    tables=("icecube.alerts",),
    sample=(77.43, 5.79),
)
HOSTILE = Resource("my data", "odd & <ends>", "<script>alert(1)</script>", "'\"><img src=x>", NOW, NOW, tables=('my data.a/b "c"?',))

SNAPSHOT = Snapshot(
    Catalogue(1, (Schema("icecube"), Schema("my data"), Schema("tap_schema"), Schema("ivoa")), (ALERTS, ODD, TABLES, OBSCORE)),
    (RESOURCE, HOSTILE),
    Site(),
)


class Engine:
    """A database that answers, or does not."""

    def __init__(self, *, up: bool = True) -> None:
        self.up = up

    def connect(self) -> "Engine":
        if not self.up:
            raise OperationalError("connect", {}, Exception("secret address"))
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, _: Any) -> "Engine":
        return self

    def first(self) -> None:
        return None

    def scalar(self) -> int:
        return 7


@dataclass
class Database:
    engine: Engine


class Pool:
    """A database that has no time for pages."""

    def open(self, _: Any) -> None:
        raise TimeLimitError("The query took longer than it may.")


class FakeServices:
    """What pages use of vo_server.services.Services."""

    def __init__(self, snapshot: Snapshot = SNAPSHOT, *, base: str = "https://vo.example.org", up: bool = True) -> None:
        self.settings = Settings(public_url=base, title="Our <site>")
        self.database = Database(Engine(up=up))
        self.now, self.next = snapshot, snapshot
        self.page_pool = Pool()
        self.secret = b"secret"
        self.clock = lambda: NOW

    def snapshot(self) -> Snapshot:
        return self.now

    def catalogue(self) -> Catalogue:
        return self.now.catalogue

    async def is_up(self) -> bool:
        return answers(self.database)  # type: ignore[arg-type]

    def refresh(self) -> bool:
        changed = self.now is not self.next
        self.now = self.next
        return changed


STRANGERS = (
    "/tap/sync",
    "/tap/tables",
    "/tap/tables/{name:path}",
    "/tap/capabilities",
    "/tap/availability",
    "/tap/examples",
    "/openapi.json",
    "/scs/{table:path}",
)
STRANGERS += (
    "/plots/sky.svg",
    "/plots/columns.svg",
    "/datasets",
    "/sky",
    "/sia2/query",
    "/oai",
    *(link for service in SERVICES for _, link in service.links if "?" not in link),
)
"""What other parts serve, by the contract of addresses; the acceptance tests follow the same links through the real ones."""


def client(services: FakeServices) -> httpx.AsyncClient:
    async def other(_: Any) -> PlainTextResponse:
        return PlainTextResponse("elsewhere")

    app = Starlette(
        routes=[*(Route(path, other) for path in STRANGERS), *web.routes(services)],  # type: ignore[arg-type]
        exception_handlers={
            HTTPException: web.http_errors(services)  # type: ignore[arg-type]
        },
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, raise_app_exceptions=True), base_url="https://vo.example.org")


async def get(path: str, services: FakeServices | None = None, **headers: str) -> httpx.Response:
    async with client(services or FakeServices()) as connection:
        return await connection.get(path, headers=headers)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Page(HTMLParser):
    """What a page holds: links, ids, labels, open elements."""

    VOID = ("meta", "link", "input", "br", "img")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.labelled: list[str] = []
        self.fields: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name in ("href", "src", "action") if (value := values.get(name))]
        self.ids += [value for value in [values.get("id")] if value]
        self.labelled += [value for value in [values.get("for")] if value]
        if tag in ("input", "select", "textarea") and values.get("type") != "hidden":
            self.fields.append(values.get("id") or "?")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


PAGES = ("/", "/tap", "/tables/icecube.alerts", "/tables/tap_schema.tables", "/resources/icecube/alerts")
PAGES += ("/tables/my%20data.a%2Fb%20%22c%22%3F", "/resources/my%20data/odd%20%26%20%3Cends%3E")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("base", ["https://vo.example.org", "https://vo.example.org/some/prefix"])
async def test_every_link_of_every_page_leads_somewhere(path: str, base: str) -> None:
    services = FakeServices(base=base)
    prefix = urlsplit(base).path
    page = Page((await get(path, services)).text)
    inner = [link for link in page.links if link.startswith("/")]
    assert len(inner) > 5
    assert not [link for link in page.links if not link.startswith(("/", "#", "mailto:", "https://"))]
    async with client(services) as connection:
        for link in inner:
            assert link.startswith(prefix)
            reply = await connection.get(link[len(prefix) :])
            assert reply.status_code == 200, link
            anchor = urlsplit(link).fragment
            assert not anchor or anchor in Page(reply.text).ids, link
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_sound_and_accessible(path: str) -> None:
    reply = await get(path)
    page = Page(reply.text)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert [tag for tag in page.tags if tag == "h1"] == ["h1"]
    assert sorted(page.fields) == sorted(page.labelled)
    assert '<html lang="en">' in reply.text
    assert 'name="viewport"' in reply.text


@pytest.mark.parametrize("path", [*PAGES, "/tables/nothing.here"])
async def test_only_our_own_files_run_and_nothing_comes_from_elsewhere(path: str) -> None:
    reply = await get(path)
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["img-src"] == "'self'"
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    page = Page(reply.text)
    assert not {"style", "iframe", "object"} & set(page.tags)
    assert len(re.findall(r'<script type="module" src="/static/[a-z]+\.js\?[0-9a-f]{12}"></script>', reply.text)) == page.tags.count(
        "script"
    )
    assert page.tags.count("script") > 0
    assert not [name for name in page.attributes if name == "style" or name.startswith("on")]


async def test_what_publishers_write_is_text_and_never_markup() -> None:
    home = (await get("/")).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in home
    assert "Our &lt;site&gt;" in home
    resource = (await get("/resources/icecube/alerts")).text
    assert "javascript:" not in resource
    assert "Cite &lt;them&gt;" in resource


async def test_the_first_page_says_what_is_here_and_how_to_use_it() -> None:
    text_ = " ".join(Page((await get("/")).text).text.split())
    for words_ in ("IceCube alerts", "icecube.alerts", "24 rows, 5 columns", "50 % of the sky", "2011-12-16 to 2023-02-25", "Neutrino"):
        assert words_ in text_
    for program in ("TOPCAT", "Aladin", "pyvo", "STILTS", "curl"):
        assert program in text_
    assert "https://vo.example.org/tap" in text_
    assert '"my data"."a/b ""c""?"' in text_
    assert "made up" in text_


async def test_many_resources_are_shown_a_hundred_at_a_time() -> None:
    many = tuple(replace(RESOURCE, name=f"r{n}", tables=()) for n in range(250))
    services = FakeServices(replace(SNAPSHOT, resources=many))
    first, last = (await get("/", services)).text, (await get("/?from=200", services)).text
    assert (first.count("<article"), last.count("<article")) == (101, 51)  # with that of the standards' tables
    assert 'href="/?from=100#data"' in first
    assert "from=" not in last
    assert len(first) < 300_000


async def test_a_real_authority_is_not_called_an_example() -> None:
    services = FakeServices(replace(SNAPSHOT, site=Site(authority="vo.example.org", is_example=False)))
    for path in ("/", "/resources/icecube/alerts"):
        text_ = (await get(path, services)).text
        assert "made up" not in text_
        assert "example authority" not in text_


async def test_a_server_with_nothing_published_says_what_to_do() -> None:
    services = FakeServices(Snapshot(Catalogue(0, (), ()), (), Site()))
    assert "vo publish FILE" in (await get("/", services)).text
    assert (await get("/tap", services)).status_code == 200


async def test_a_table_page_shows_columns_downloads_and_a_cone_search() -> None:
    reply = await get("/tables/ICECUBE.alerts")
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>\s*<td class="ucd">(.*?)</td><td>(.*?)</td>', reply.text)
    assert rows[0] == ("ra", "double", "deg", "pos.eq.ra;meta.main", "Right ascension &lt;J2000&gt;")
    assert [row[1] for row in rows] == ["double", "double", "timestamp", "float[16]", "long"]
    asked = [parse_qs(urlsplit(link).query) for link in Page(reply.text).links if "/tap/sync?" in link and "html" not in link]
    assert [query["RESPONSEFORMAT"] for query in asked] == [["csv"], ["votable"], ["json"]]
    assert asked[0]["QUERY"] == ["SELECT TOP 100 * FROM icecube.alerts"]
    assert 'action="/scs/icecube.alerts" method="get"' in reply.text
    assert [name in reply.text for name in ('name="RA"', 'name="DEC"', 'name="SR"')] == [True] * 3
    assert "/scs/" not in (await get("/tables/tap_schema.tables")).text


async def test_names_that_need_quotes_get_them_in_links() -> None:
    page = Page((await get(PAGES[-2])).text)
    queries = [parse_qs(urlsplit(link).query)["QUERY"][0] for link in page.links if "/tap/sync?" in link]
    assert set(queries) == {'SELECT TOP 100 * FROM "my data"."a/b ""c""?"'}


def test_the_formats_on_pages_are_formats_of_the_server() -> None:
    assert [choose(form)[0].name for _, form in kit.FORMS] == ["CSV", "VOTable (TABLEDATA)", "JSON"]


async def test_what_is_not_there_is_said_on_a_page() -> None:
    for path in ("/tables/icecube.alert", "/resources/icecube/alert"):
        reply = await get(path)
        assert reply.status_code == 404
        assert reply.headers["content-type"].startswith("text/html")
        assert "There is no" in reply.text


async def test_a_table_published_this_moment_is_found() -> None:
    services = FakeServices()
    new = replace(ALERTS, name="fresh")
    services.next = replace(SNAPSHOT, catalogue=Catalogue(2, (), (new,)))
    assert (await get("/tables/icecube.fresh", services)).status_code == 200


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize(("accept", "media_type"), [(BROWSER, "text/html"), (JAVA, "text/plain"), ("*/*", "text/plain")])
async def test_unknown_addresses_speak_to_people_and_to_programs(accept: str, media_type: str) -> None:
    reply = await get("/tpa/<sync>", accept=accept)
    assert reply.status_code == 404
    assert reply.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert "There is nothing at /tpa/" in reply.text
    assert ("<sync>" in reply.text) == (media_type == "text/plain")


async def test_a_method_that_is_not_taken_is_told() -> None:
    async with client(FakeServices()) as connection:
        reply = await connection.post("/tables/icecube.alerts")
    assert reply.status_code == 405
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_health_is_the_database() -> None:
    good, bad = await get("/health"), await get("/health", FakeServices(up=False))
    assert (good.status_code, good.json()) == (200, {"status": "ok"})
    assert bad.status_code == 503
    assert "secret" not in bad.text


async def test_robots_are_kept_from_queries() -> None:
    lines = (await get("/robots.txt", FakeServices(base="https://vo.example.org/p"))).text.splitlines()
    assert lines[0] == "User-agent: *"
    assert "Disallow: /p/tap/sync" in lines
    assert "Disallow: /p/" not in lines


async def test_the_style_sheet_is_cached_by_its_content() -> None:
    address = next(link for link in Page((await get("/")).text).links if "style.css" in link)
    first = await get(address)
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in first.text
    assert "url(" not in first.text
    again = await get(address, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_snippets_are_what_they_say() -> None:
    shown = snippets.example(SNAPSHOT.catalogue, SNAPSHOT.resources)
    assert shown is not None
    assert shown.adql == (
        'SELECT TOP 5 ra, dec, "Size of it" FROM icecube.alerts '
        "WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 77.43, 5.79, 0.5))"
    )
    script = snippets.pyvo("https://vo.example.org", shown)
    compile(script, "snippet", "exec")
    assert "https://vo.example.org/scs/icecube.alerts" in script
    assert '\'"Size of it"' not in snippets.curl("https://vo.example.org", shown)


def test_an_example_without_positions_asks_for_rows_alone() -> None:
    shown = snippets.Example(ODD)
    assert shown.adql == 'SELECT TOP 5 * FROM "my data"."a/b ""c""?"'
    for write in (snippets.pyvo, snippets.stilts, snippets.curl):
        assert "scs" not in write("https://vo.example.org", shown)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (words.count(1, "row"), "1 row"),
        (words.count(117955, "row"), "117,955 rows"),
        (words.sky("0/0-11"), "whole sky"),
        (words.sky("1/0-2 4 2/20-23"), "10 % of the sky"),
        (words.sky("6/17"), "0.839 square degrees of sky"),
        (words.dates(58018.87, 58018.9), "2017-09-22"),
        (words.energies(1.602176634e-11, 1.602176634e-7), "100 MeV to 1 TeV"),
        (words.energies(1.602176634e-13, 1.602176634e-13), "1 MeV"),
        (words.summary("One. Two. Three.", 10), "One. Two."),
        (words.summary("word " * 9, 12), "word word …"),
    ],
)
def test_words(value: str, said: str) -> None:
    assert value == said
