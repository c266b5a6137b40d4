"""Requests as portals and desktop programs send them that cannot run here: Firefly, ESASky, Aladin Lite and Desktop, TOPCAT's TAP window.

What they ask is their source's word for word; what they do with an answer is done here by the libraries they stand on, or by looking at
what they look at.
"""

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import datasets
import httpx2
import pytest
from astropy.io.votable import parse
from astropy.table import Table
from lxml import etree

from vo_server.db.database import Database

PORTAL = "https://portal.example.org"
XLINK = "{http://www.w3.org/1999/xlink}"
UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"


@pytest.fixture(scope="module")
def site(live: str, database: Database, tmp_path_factory: pytest.TempPathFactory) -> str:
    """With datasets of all kinds beside ``sky.sources``."""
    with database.publish_engine.begin() as connection:
        datasets.make(connection, tmp_path_factory.mktemp("site") / "sky")
    return live


@pytest.fixture
def browser(site: str) -> Iterator[httpx2.Client]:
    """A page of another site: it reads only what says that it may."""
    headers = {"Origin": PORTAL, "Accept": "*/*", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"}
    with httpx2.Client(base_url=site, headers=headers, timeout=30) as client:
        yield client


def rows(reply: httpx2.Response, verify: str = "exception") -> Table:
    """A VOTable as astropy reads it, that the page may see."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["access-control-allow-origin"] in ("*", PORTAL)
    return parse(BytesIO(reply.content), verify=verify).get_first_table().to_table(use_names_over_ids=True)


def test_firefly_reads_what_tables_there_are(browser: httpx2.Client) -> None:
    """It takes TAP_SCHEMA, never /tables, with the names spelled in its own way."""

    def ask(query: str) -> Table:
        return rows(browser.get("/tap/sync", params={"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": query, "MAXREC": "2000"}))

    assert {"sky", "ivoa"} <= set(ask("SELECT * FROM TAP_SCHEMA.schemas")["schema_name"])
    assert "sky.sources" in ask("SELECT * FROM TAP_SCHEMA.tables WHERE schema_name like 'sky'")["table_name"]
    columns = ask("SELECT * FROM TAP_SCHEMA.columns WHERE table_name = 'sky.sources'")
    assert list(columns["column_name"]) == ["source_id", "name", "ra", "dec", "flux", "detected"]
    joined = "SELECT * FROM TAP_SCHEMA.keys AS k INNER JOIN TAP_SCHEMA.key_columns AS c ON k.key_id = c.key_id"
    assert list(ask(f"{joined} WHERE k.from_table = 'tap_schema.tables'")["target_column"]) == ["schema_name"]


def test_firefly_runs_a_job(browser: httpx2.Client) -> None:
    """It makes the job, starts it, waits by WAIT, and takes the address of the result as it stands (PITFALLS P-01, P-04, P-05, P-18)."""
    query = "SELECT * FROM ivoa.ObsCore WHERE (CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.6, 22.0, 0.5)) = 1)"
    form = {"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": query, "MAXREC": "50000", "FORMAT": "votable"}
    made = browser.post("/tap/async", files={name: (None, value) for name, value in form.items()})
    assert made.status_code == 303
    job = made.headers["location"]
    assert browser.post(f"{job}/phase", data={"PHASE": "RUN"}).status_code == 303
    document = watch(browser, job)
    assert document.findtext(f"{UWS}phase") == "COMPLETED"
    (result,) = document.iter(f"{UWS}result")
    assert result.get(f"{XLINK}href") == f"{job}/results/result"
    assert set(rows(browser.get(result.get(f"{XLINK}href")))["obs_id"]) >= {"image", "cube"}
    assert browser.delete(job).status_code == 303


def test_firefly_shows_why_a_job_failed(browser: httpx2.Client) -> None:
    """From the job's document, and from nothing else (PITFALLS P-19)."""
    made = browser.post("/tap/async", data={"LANG": "ADQL", "PHASE": "RUN", "QUERY": "SELECT flx FROM sky.sources"})
    document = watch(browser, made.headers["location"])
    assert document.findtext(f"{UWS}phase") == "ERROR"
    assert "Did you mean flux?" in document.findtext(f"{UWS}errorSummary/{UWS}message", "")


def watch(browser: httpx2.Client, job: str) -> Any:
    """The job's document when nothing follows any more."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        reply = browser.get(job, params={"WAIT": "10"}, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in reply.headers
        document = etree.fromstring(reply.content)
        if document.findtext(f"{UWS}phase") not in ("PENDING", "QUEUED", "EXECUTING"):
            return document
    return pytest.fail("the job does not end")


VIEW = "POLYGON('ICRS', 83.0, 21.5, 84.2, 21.5, 84.2, 22.5, 83.0, 22.5)"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"SELECT TOP 3000 * FROM ivoa.obscore WHERE 1=INTERSECTS({VIEW}, s_region) AND dataproduct_type='image'", {"image", "late"}),
        (f"SELECT TOP 3000 * FROM ivoa.obscore WHERE '1' = CONTAINS(POINT('ICRS', s_ra, s_dec), {VIEW})", {"image", "cube", "late"}),
    ],
)
def test_esasky_asks_for_all_in_its_view(browser: httpx2.Client, query: str, found: set[str]) -> None:
    """JSON by FORMAT, whose ``metadata`` and ``data`` are lists in the order of the columns; footprints are drawn from ``s_region``."""
    reply = browser.post("/tap/sync", data={"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "json", "QUERY": query, "phase": "RUN"})
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    names = [column["name"] for column in answer["metadata"]]
    table = [dict(zip(names, row, strict=True)) for row in answer["data"]]
    assert {row["obs_id"] for row in table} >= found
    assert all(row["s_region"].split()[0] in ("Polygon", "Circle") for row in table if row["s_region"])


def test_esasky_counts_first(browser: httpx2.Client) -> None:
    query = (
        f"SELECT COUNT(*) AS c FROM sky.sources WHERE 1=CONTAINS(POINT('ICRS', ra, dec), {VIEW.replace('83.0', '0').replace('84.2', '80')})"
    )
    assert browser.get("/tap/sync", params={"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "json", "QUERY": query}).json()["data"] == [[0]]


def test_aladin_lite_draws_catalogues_without_a_proxy(browser: httpx2.Client) -> None:
    """It reads the first TABLE, as TABLEDATA (PITFALLS P-86, P-88, P-89)."""
    cone = browser.get("/scs/sky.sources", params={"RA": "279.23", "DEC": "38.78", "SR": "1"})
    names = list(rows(cone, verify="ignore")["name"])  # its UCDs are those of 2003, as SCS has it
    assert names == ["Vega"]
    query = {"REQUEST": "doQuery", "LANG": "ADQL", "MAXREC": "20000", "FORMAT": "votable", "QUERY": "SELECT * FROM sky.sources"}
    for reply in (
        cone,
        browser.get("/tap/sync", params={**query, "FORMAT": "votable/td"}),
        browser.get("/sia2/query", params={"MAXREC": "2"}),
    ):
        document = etree.fromstring(reply.content)
        tables = document.findall(".//{*}RESOURCE[@type='results']/{*}TABLE")
        assert len(tables) == 1
        assert tables[0].find("{*}DATA/{*}TABLEDATA") is not None


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("POST", "/tap/sync?LANG=ADQL&QUERY=SELECT", 400),
        ("POST", "/tap/async?LANG=SQL&QUERY=SELECT&PHASE=AWAY", 400),
        ("PUT", "/tap/sync", 405),
        ("GET", "/tap/nothing", 404),
        ("GET", "/tap/tables/nothing.here", 404),
        ("GET", "/tap/async/0", 404),
        ("GET", "/scs/nothing.here?RA=1&DEC=1&SR=1", 200),
        ("GET", "/scs/sky.sources?RA=x&DEC=1&SR=1", 200),
        ("GET", "/sia2/query?POS=here", 400),
        ("GET", "/datalink/links?ID=nothing", 200),
        ("GET", "/soda/sync?ID=nothing", 404),
    ],
)
def test_pages_read_errors_too(browser: httpx2.Client, method: str, address: str, status: int) -> None:
    """None is a page of HTML (PITFALLS P-45), and none is hidden from the page that asked."""
    reply = browser.request(method, address)
    assert reply.status_code == status
    assert reply.text
    assert "html" not in reply.headers["content-type"]
    assert reply.headers["access-control-allow-origin"] in ("*", PORTAL)


def test_aladin_desktop_asks_for_columns_in_quotes(site: str) -> None:
    """Java's HTTP client prefers HTML to everything; it gets none."""
    accept = {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "User-Agent": "Java/17.0.1"}
    here = "1=CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 77.4, 5.7, 0.5))"
    query = f'SELECT TOP 1999 "ra", "dec", "name" FROM "sky"."sources" WHERE {here}'
    reply = httpx2.get(f"{site}/tap/sync", params={"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": query}, headers=accept)
    assert reply.headers["content-type"].startswith("application/x-votable+xml")
    assert list(rows(reply)["name"]) == ["TXS 0506+056"]
    assert httpx2.get(f"{site}/tap/tables", headers=accept).headers["content-type"].startswith("text/xml")


COLUMNS = "SELECT column_name, description, unit, ucd, utype, datatype, indexed, principal, std FROM TAP_SCHEMA.columns"


def test_topcat_decides_how_to_read_the_metadata(site: str) -> None:
    """It counts the columns, and with many it reads tables first and the columns of those that are looked at (PITFALLS P-37, P-41)."""

    def ask(query: str) -> Table:
        reply = httpx2.get(f"{site}/tap/sync", params={"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": query, "MAXREC": "100000"})
        return rows(reply)

    (count,) = ask("SELECT COUNT(*) AS nrow FROM TAP_SCHEMA.columns")["nrow"]
    assert count > 100
    tables = ask("SELECT table_name, description, table_type, utype, schema_name FROM TAP_SCHEMA.tables")
    for name in tables["table_name"]:
        columns = ask(f"{COLUMNS} WHERE table_name = '{name}'")
        count -= len(columns)
    assert count == 0
    minimal = etree.fromstring(httpx2.get(f"{site}/tap/tables", params={"detail": "min"}).content)
    assert len(minimal.findall("schema/table")) == len(tables)
    assert minimal.find("schema/table/column") is None


def test_addresses_are_the_public_ones_whatever_a_request_says(site: str) -> None:
    """PITFALLS P-02, P-06, P-28: behind proxies, Host is anything."""
    for headers in ({"Host": "inner.example:80"}, {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}):
        made = httpx2.post(f"{site}/tap/async", data={"LANG": "ADQL", "QUERY": "SELECT 1 AS n"}, headers=headers)
        assert made.headers["location"].startswith(f"{site}/tap/async/")
        document = httpx2.get(f"{site}/tap/capabilities", headers=headers).text
        assert f">{site}/tap<" in document
        assert "example" not in document.replace("example.vo-server", "").replace("examples", "")
