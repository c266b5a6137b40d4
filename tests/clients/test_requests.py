"""Requests as portals and desktop programs send them that cannot run here: Firefly, ESASky, Aladin Lite and Desktop, TOPCAT's TAP window.

What was read in a program's source is the source's word for word, but for the names of tables and the numbers:

* Firefly: queries of TAP_SCHEMA (``TapUtil.js``), jobs (``AsyncTapQuery.java``, ``UwsJobProcessor.java``),
* ESASky: queries of other sites' services (``TAPExtTapService.java``),
* TOPCAT: how it reads TAP_SCHEMA (``TapMetaPolicy.java``, ``TapSchemaTapMetaReader.java``, ``TapSchemaInterrogator.java``),
* Aladin Lite: what it reads of a VOTable (``VOTable.js``).

Not looked up there: ESASky's form and its count, the addresses that Aladin Lite asks, and Aladin Desktop.

What the programs do with an answer is done here by the libraries they stand on, or by looking at what they look at.
"""

import time
from collections.abc import Iterator
from io import BytesIO
from urllib.parse import quote

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
    """It takes TAP_SCHEMA, never /tables, all in one join; the first column called description is the schema's, the last the table's."""

    def ask(query: str) -> Table:
        return rows(browser.get(f"/tap/sync?REQUEST=doQuery&LANG=ADQL&RUNID=TAP_SCHEMA&QUERY={query}"))

    join = "INNER JOIN tap_schema.tables ON tap_schema.tables.schema_name = tap_schema.schemas.schema_name"
    tables = ask(quote(f"SELECT * FROM tap_schema.schemas {join}"))
    assert {"sky", "ivoa"} <= set(tables["schema_name"])
    assert {"sky.sources", "ivoa.obscore"} <= {name.lower() for name in tables["table_name"]}
    assert len([name for name in tables.colnames if name.startswith("description")]) == 2
    columns = ask("SELECT+*+FROM+TAP_SCHEMA.columns+WHERE+table_name+like+'sky.sources'")
    assert list(columns["column_name"]) == ["source_id", "name", "ra", "dec", "flux", "detected"]
    of_keys = [f"tap_schema.keys.{name}" for name in ("key_id", "from_table", "target_table", "description")]
    of_columns = [f"tap_schema.key_columns.{name}" for name in ("from_column", "target_column")]
    join = "INNER JOIN tap_schema.key_columns ON tap_schema.keys.key_id = tap_schema.key_columns.key_id"
    keys = ask(quote(f"SELECT {', '.join(of_keys + of_columns)} FROM tap_schema.keys {join}"))
    assert ("tap_schema.tables", "schema_name") in zip(keys["from_table"], keys["target_column"], strict=True)


def test_firefly_runs_a_job(browser: httpx2.Client) -> None:
    """It makes the job, starts it if it is pending, asks for its phase, and knows where the result is (PITFALLS P-01, P-04, P-05, P-18)."""
    query = "SELECT * FROM ivoa.ObsCore WHERE (CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.6, 22.0, 0.5)) = 1)"
    form = {"MAXREC": "50000", "QUERY": query, "RUNID": "ivoa.ObsCore - 127", "LANG": "ADQL", "REQUEST": "doQuery"}
    made = browser.post("/tap/async", data=form)
    assert made.status_code == 303
    job = made.headers["location"]
    assert browser.get(f"{job}/phase").text.strip() == "PENDING"
    assert browser.post(f"{job}/phase", data={"PHASE": "RUN"}).status_code == 303
    assert end(browser, job) == "COMPLETED"
    assert set(rows(browser.get(f"{job}/results/result"))["obs_id"]) >= {"image", "cube"}
    (result,) = etree.fromstring(browser.get(job).content).iter(f"{UWS}result")
    assert result.get(f"{XLINK}href") == f"{job}/results/result"


def test_firefly_shows_why_a_job_failed(browser: httpx2.Client) -> None:
    """From the error's document, which is a VOTable with status 200 (PITFALLS P-19)."""
    made = browser.post("/tap/async", data={"LANG": "ADQL", "PHASE": "RUN", "QUERY": "SELECT flx FROM sky.sources"})
    job = made.headers["location"]
    assert end(browser, job) == "ERROR"
    reply = browser.get(f"{job}/error")
    assert reply.status_code == 200
    (status,) = etree.fromstring(reply.content).iterfind(".//{*}INFO[@name='QUERY_STATUS']")
    assert status.get("value") == "ERROR"
    assert "Did you mean flux?" in status.text
    assert "Did you mean flux?" in etree.fromstring(browser.get(job).content).findtext(f"{UWS}errorSummary/{UWS}message", "")


def end(browser: httpx2.Client, job: str) -> str:
    """The phase in which nothing follows any more."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        phase = browser.get(f"{job}/phase").text.strip()
        if phase not in ("PENDING", "QUEUED", "EXECUTING"):
            return phase
        time.sleep(0.05)
    return pytest.fail("the job does not end")


VIEW = "POLYGON('ICRS', 83.0, 21.5, 84.2, 21.5, 84.2, 22.5, 83.0, 22.5)"
WIDE = "CIRCLE('ICRS', 83.6,22.0,90)"
"""When a corner of the view is beyond the sky's edge."""


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"SELECT TOP 3000 * FROM ivoa.obscore WHERE 1=INTERSECTS(s_region,{VIEW}) AND dataproduct_type='image'", {"image", "late"}),
        (f"SELECT TOP 3000 *  FROM ivoa.obscore WHERE 1=CONTAINS( POINT('ICRS', s_ra, s_dec), {VIEW})", {"image", "cube", "late"}),
        (f"SELECT TOP 3000 *  FROM ivoa.obscore WHERE 1=CONTAINS( POINT('ICRS', s_ra, s_dec), {WIDE})", {"image", "cube", "late"}),
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


def test_topcat_decides_how_to_read_the_metadata(site: str) -> None:
    """It counts the columns, and with more than 5000 reads tables first and the columns of those that are looked at (PITFALLS P-37, P-41).
    It asks for what a query of everything has, and wants as many columns.
    """

    def ask(query: str, maxrec: int | None = None) -> Table:
        limit = {} if maxrec is None else {"MAXREC": str(maxrec)}
        return rows(httpx2.get(f"{site}/tap/sync", params={"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": query, **limit}))

    def ask_all(table: str, more: str = "") -> Table:
        names = [name.lower() for name in ask(f"SELECT TOP 1 * FROM {table}", 1).colnames if name.lower() != "size"]
        answer = ask(f"SELECT {', '.join(names)} FROM {table}{more}", 100000)
        assert answer.colnames == names
        return answer

    (count,) = ask("SELECT COUNT(*) AS nrow FROM TAP_SCHEMA.columns")["nrow"]
    assert count > 100
    tables = ask_all("TAP_SCHEMA.tables")
    assert sum(len(ask_all("TAP_SCHEMA.columns", f" WHERE table_name = '{name}'")) for name in tables["table_name"]) == count
    keys = "TAP_SCHEMA.key_columns NATURAL JOIN TAP_SCHEMA.keys"
    links = ask(f"SELECT from_column, target_column, key_id FROM {keys} WHERE from_table = 'tap_schema.tables'")
    assert list(links["target_column"]) == ["schema_name"]
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
