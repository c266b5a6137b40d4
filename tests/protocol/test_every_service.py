"""What DALI, VOTable and SSO ask of every service alike, asked of every service (DALI 1.1 §2–4, VOTable 1.5, SSO 2.0)."""

import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import datasets
import pytest
from astropy.io import votable
from astropy.io.votable.ucd import check_ucd
from astropy.units import Unit, UnrecognizedUnit
from lxml import etree
from starlette.testclient import TestClient

from vo_server.app import create_app
from vo_server.db.database import Database
from vo_server.formats import BY_NAME
from vo_server.services import Services

NS = "{http://www.ivoa.net/xml/VOTable/v1.3}"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Service:
    """An address, a question that has an answer, and one that has none; `faults` is the status of the latter."""

    path: str
    asked: dict[str, str]
    wrong: dict[str, str]
    faults: int = 400

    def __str__(self) -> str:
        return self.path


CRAB = datasets.identifier("image")
TAP = Service(
    "tap/sync",
    {"LANG": "ADQL", "QUERY": "SELECT name, ra, dec, seen FROM sky.stars ORDER BY name"},
    {"LANG": "ADQL", "QUERY": "SELECT nam FROM sky.stars"},
)
SCS = Service("scs/sky.stars", {"RA": "279", "DEC": "38", "SR": "5"}, {"RA": "x", "DEC": "38", "SR": "5"}, 200)
SCS2 = Service("scs2", {"TABLE": "sky.stars", "RA": "279", "DEC": "38", "SR": "5"}, {"TABLE": "sky.stars", "RA": "x"})
SIA2 = Service("sia2/query", {"POS": "CIRCLE 83.6 22 1"}, {"POS": "SPHERE 1 2 3"})
SIA1 = Service("sia1", {"POS": "83.6,22", "SIZE": "1"}, {"POS": "x", "SIZE": "1"}, 200)
SSA = Service("ssa", {"REQUEST": "queryData"}, {"REQUEST": "dance"}, 200)
DATALINK = Service("datalink/links", {"ID": CRAB}, {"ID": CRAB, "RESPONSEFORMAT": "papyrus"})
SERVICES = (TAP, SCS, SCS2, SIA2, SIA1, SSA, DATALINK)
LIMITED = (TAP, SCS, SCS2, SIA2, SIA1, SSA)


@pytest.fixture
def client(site: Services, database: Database, tmp_path: Path) -> TestClient:
    """Of a site with stars and datasets; redirects are answers."""
    with database.publish_engine.begin() as connection:
        datasets.make(connection, tmp_path / "files")
    site.refresh()
    return TestClient(create_app(site), follow_redirects=False)


def results(body: bytes) -> etree._Element:
    """The one RESOURCE with results."""
    (found,) = etree.fromstring(body).findall(f"{NS}RESOURCE[@type='results']")
    return found


def rows(body: bytes) -> bytes:
    """The TABLE, as it is written."""
    (table,) = results(body).findall(f"{NS}TABLE")
    assert table.findall(f".//{NS}TR"), "a question without an answer shows nothing"
    return etree.tostring(table)


def status(body: bytes) -> list[tuple[str, bool]]:
    """Each QUERY_STATUS, and whether it stands before the TABLE."""
    said = results(body).findall(f"{NS}INFO[@name='QUERY_STATUS']")
    return [(info.get("value"), any(True for _ in info.itersiblings(f"{NS}TABLE"))) for info in said]


def test_all_ways_of_asking_have_the_same_answer(client: TestClient) -> None:
    """CHECKLIST GEN-001, GEN-005 to GEN-008: names without case, foreign parameters, both methods, both kinds of form, no redirects.
    The draft of SCS2 knows neither foreign parameters nor other names.
    """
    for service in SERVICES:
        url, asked = f"/{service.path}", service.asked
        ways = [
            client.get(url, params=asked),
            client.get(f"{url}/", params=asked),
            client.post(url, data=asked),
            client.post(url, files=[(name, (None, value)) for name, value in asked.items()]),
            client.post(f"{url}?{urlencode(dict([*asked.items()][:1]))}", content=urlencode(dict([*asked.items()][1:])), headers=FORM),
        ]
        others = [
            client.get(url, params={name.title(): value for name, value in asked.items()}),
            client.get(url, params={**asked, "SPURIOUS": "1"}),
        ]
        ways += [] if service is SCS2 else others
        assert [(reply.status_code, rows(reply.content)) for reply in ways] == [(200, rows(ways[0].content))] * len(ways), service
    assert client.get("/scs2", params={**SCS2.asked, "SPURIOUS": "1"}).status_code == 400


def test_values_keep_their_case(client: TestClient) -> None:
    """CHECKLIST GEN-002 (DALI 1.1 §3.1), except the words of the standards themselves."""
    query = "SELECT name FROM sky.stars WHERE name = 'vega'"
    for said in ({"LANG": "adql", "QUERY": query}, {"LANG": "ADQL", "REQUEST": "doquery", "QUERY": query}):
        assert client.get("/tap/sync", params={**said, "RESPONSEFORMAT": "CSV"}).text == "name\r\n"
    assert rows(client.get("/ssa", params={"REQUEST": "QUERYDATA"}).content)


def test_two_values_of_what_has_one_are_refused(client: TestClient) -> None:
    """CHECKLIST GEN-003 (DALI 1.1 §3.2)."""
    for service in LIMITED:
        for name, first, second in (("RESPONSEFORMAT", "votable", "votable/b2"), ("MAXREC", "1", "2")):
            reply = client.get(f"/{service.path}", params=[*service.asked.items(), (name, first), (name, second)])
            assert (reply.status_code, status(reply.content)) == (service.faults, [("ERROR", False)]), service
            assert f"{name} was given 2 " in reply.text
    for name, other in (("QUERY", "SELECT 1 AS a FROM sky.stars"), ("LANG", "ADQL-2.1"), ("RUNID", "b")):
        reply = client.get("/tap/sync", params=[("RUNID", "a"), *TAP.asked.items(), (name, other)])
        assert (reply.status_code, f"{name} was given 2 different values" in reply.text) == (400, True)


def test_parameters_that_repeat_are_taken_from_both_places(client: TestClient) -> None:
    """CHECKLIST GEN-004 (DALI 1.1 §3.2): in the address and in the form."""
    ids = [CRAB, datasets.identifier("events")]
    positions = ["CIRCLE 83.6 22 1", "CIRCLE 10 10 1"]
    for path, name, values in (("datalink/links", "ID", ids), ("sia2/query", "POS", positions)):
        pairs = [(name, value) for value in values]
        got = [
            client.get(f"/{path}", params=pairs),
            client.post(f"/{path}", content=urlencode(pairs), headers=FORM),
            client.post(f"/{path}?{urlencode(pairs[:1])}", content=urlencode(pairs[1:]), headers=FORM),
            client.post(f"/{path}", files=[(name, (None, value)) for name, value in pairs]),
        ]
        assert len({rows(reply.content) for reply in got}) == 1, path
    links = votable.parse(io.BytesIO(client.get("/datalink/links", params=[("ID", one) for one in ids]).content)).get_first_table()
    assert set(links.array["ID"]) == set(ids)


TYPES = ("text/xml", "application/x-votable+xml", "application/x-votable+xml;serialization=TABLEDATA", "text/xml;content=x-votable")


def test_a_media_type_is_sent_as_it_was_asked_for(client: TestClient) -> None:
    """CHECKLIST GEN-009, VOT-021, VOT-022 (DALI 1.1 §3.4.3)."""
    for service in LIMITED:
        for kind in TYPES:
            reply = client.get(f"/{service.path}", params={**service.asked, "RESPONSEFORMAT": kind})
            assert (reply.status_code, reply.headers["content-type"]) == (200, kind), service
            assert reply.content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE ')
        assert client.get(f"/{service.path}", params=service.asked).headers["content-type"] == TYPES[1]


def test_formats_that_are_not_there_are_named(client: TestClient) -> None:
    """CHECKLIST GEN-013: no VOTable in the place of something else."""
    for service in SERVICES:
        reply = client.get(f"/{service.path}", params={**service.asked, "RESPONSEFORMAT": "application/papyrus"})
        assert (reply.status_code, status(reply.content)) == (service.faults, [("ERROR", False)]), service
        assert "application/papyrus" in reply.text


def test_every_alias_is_declared(client: TestClient) -> None:
    """CHECKLIST GEN-012 (TAPRegExt 1.0 §2.4): the names by which formats can be had are those that capabilities list."""
    document = etree.fromstring(client.get("/tap/capabilities").content)
    declared = {element.text.lower() for output in document.iter("outputFormat") for element in output if element.tag in ("mime", "alias")}
    assert declared == set(BY_NAME)
    assert declared > {"votable/td", "votable/b", "votable/b2", "json", "application/x-votable+xml;serialization=binary2"}


def test_maxrec_is_a_count(client: TestClient) -> None:
    """CHECKLIST GEN-015, GEN-018 (DALI 1.1 §3.4.4): 0 asks for the columns; more than the server gives is no fault."""
    for service in LIMITED:
        for text in ("-1", "1.5", "", "many"):
            reply = client.get(f"/{service.path}", params={**service.asked, "MAXREC": text})
            assert (reply.status_code, status(reply.content)) == (service.faults, [("ERROR", False)]), (service, text)
            assert "MAXREC" in reply.text
        none = client.get(f"/{service.path}", params={**service.asked, "MAXREC": "0"})
        assert status(none.content) == [("OK", True), ("OVERFLOW", False)], service
        assert (results(none.content).findall(f".//{NS}TR"), none.status_code) == ([], 200)
        assert len(results(none.content).findall(f".//{NS}FIELD")) > 2
        most = client.get(f"/{service.path}", params={**service.asked, "MAXREC": "9" * 30})
        assert rows(most.content) == rows(client.get(f"/{service.path}", params=service.asked).content)


def test_the_servers_own_limit_is_told_too(site: Services, client: TestClient) -> None:
    """CHECKLIST GEN-017 (DALI 1.2 §5.4): rows that are missing, though nobody asked for fewer."""
    site.settings = site.settings.model_copy(update={"default_maxrec": 1})
    for service, asked in ((TAP, {}), (SCS, {"SR": "180"}), (SCS2, {"SR": "180"}), (SIA2, {}), (SIA1, {}), (SSA, {})):
        reply = client.get(f"/{service.path}", params={**service.asked, **asked})
        several = client.get(f"/{service.path}", params={**service.asked, **asked, "MAXREC": "100"})
        missing = [("OVERFLOW", False)] if len(results(several.content).findall(f".//{NS}TR")) > 1 else []
        assert status(reply.content) == [("OK", True), *missing], service
        assert missing or service in (SIA1, SSA)
        assert len(results(reply.content).findall(f".//{NS}TR")) == 1, service


def test_errors_are_documents_with_a_reason(client: TestClient) -> None:
    """CHECKLIST GEN-019 to GEN-021 (DALI 1.1 §4.2, §4.4): a VOTable that pyvo shows, with the status that the protocol has for it."""
    for service in SERVICES:
        reply = client.get(f"/{service.path}", params=service.wrong)
        assert (reply.status_code, reply.headers["content-type"].partition(";")[0] in ("text/xml", TYPES[1])) == (service.faults, True), (
            service
        )
        assert status(reply.content) == [("ERROR", False)]
        assert len(results(reply.content).findtext(f"{NS}INFO[@name='QUERY_STATUS']")) > 10
    text = client.get("/soda/sync", params={"ID": "ivo://nobody/x"})
    assert (text.status_code, text.headers["content-type"], bool(text.text.strip())) == (404, "text/plain; charset=utf-8", True)


NCNAME = re.compile(r"[A-Za-z_][\w.-]*")
OLDER_UCDS = (SCS, SIA1)
"""These protocols prescribe words of UCD1 and VOX."""


def is_vounit(text: str) -> bool:
    return bool(text) and not isinstance(Unit(text, format="vounit", parse_strict="silent"), UnrecognizedUnit)


def of_document(service: Service, root: etree._Element) -> Iterator[tuple[str, object, object]]:
    """Claims about a document: what is claimed, what is the case, what should be."""
    kinds = [resource.get("type") for resource in root.iter(f"{NS}RESOURCE")]
    yield "one RESOURCE of results, all others meta (VOT-002)", (kinds.count("results"), set(kinds) - {"results", "meta"}), (1, set())
    tables = root.findall(f"{NS}RESOURCE[@type='results']/{NS}TABLE")
    yield "one TABLE (VOT-002)", len(tables), 1
    yield "QUERY_STATUS once, before it (GEN-022, GEN-024)", status(etree.tostring(root)), [("OK", True)]
    fields = list(root.iter(f"{NS}FIELD"))
    yield "name and datatype (VOT-003)", [field for field in fields if not (field.get("name") and field.get("datatype"))], []
    yield "no arraysize of 1 (VOT-003)", [one.get("name") for one in root.iter() if one.get("arraysize") == "1"], []
    strings = [one for one in root.iter(f"{NS}FIELD", f"{NS}PARAM") if one.get("datatype") in ("char", "unicodeChar")]
    yield "strings have a size (VOT-004)", [one.get("name") for one in strings if not one.get("arraysize")], []
    yield "no VALUES null in TABLEDATA (VOT-010)", [one for one in root.iter(f"{NS}VALUES") if one.get("null") is not None], []
    ids = [one.get("ID") for one in root.iter() if one.get("ID")]
    yield "IDs are XML names (VOT-012)", [one for one in ids if not NCNAME.fullmatch(one)], []
    yield "and unique (VOT-012)", len(set(ids)), len(ids)
    refs = {one.get("ref") for one in root.iter() if one.get("ref")}
    yield "whatever is referred to is there", refs - set(ids), set()
    yield "FIELDs have an ID if something refers to it (VOT-013)", {one.get("ID") for one in fields if one.get("ID")} - refs, set()
    units = {one.get("unit") for one in root.iter() if one.get("unit") is not None}
    yield "units are VOUnits (VOT-014)", [one for one in units if not is_vounit(one)], []
    ucds = {one.get("ucd") for one in root.iter(f"{NS}FIELD", f"{NS}PARAM") if one.get("ucd")}
    wrong = [one for one in ucds if not check_ucd(one, check_controlled_vocabulary=True)]
    yield "UCDs are of the list (VOT-015)", [one for one in wrong if not (service in OLDER_UCDS and re.search("[_:]", one))], []
    systems = {one.get("ID"): one for one in root.iter(f"{NS}COOSYS", f"{NS}TIMESYS")}
    unplaced = [one.get("name") for one in fields if one.get("xtype") == "timestamp" and one.get("ref") not in systems]
    yield "instants refer to a TIMESYS (VOT-017)", unplaced, []
    positions = [one for one in fields if re.match(r"pos\.eq\.|pos_eq_", one.get("ucd", ""), re.IGNORECASE)]
    yield "positions refer to a COOSYS (VOT-016)", [one.get("name") for one in positions if one.get("ref") not in systems], []
    yield (
        "INFO has name and value (VOT-020)",
        [one for one in root.iter(f"{NS}INFO") if not one.get("name") or one.get("value") is None],
        [],
    )
    yield "no number of rows that could be wrong (VOT-025)", [one for one in root.iter() if one.get("nrows") is not None], []
    said = {one.get("name") for one in root.findall(f"{NS}RESOURCE[@type='results']/{NS}INFO")}
    provenance = {"standardID", "service_protocol", "request_date", "publisher", "contact", "server_software"}
    yield "where the rows come from (GEN-025)", provenance - said, set()


def test_documents_are_as_votable_and_dali_have_them(client: TestClient) -> None:
    """CHECKLIST VOT-001 to VOT-025, GEN-022 to GEN-025, in the answers of all services; astropy finds nothing to say of them."""
    for service in SERVICES:
        body = client.get(f"/{service.path}", params=service.asked).content
        root = etree.fromstring(body)
        assert (root.tag, root.get("version")) == (f"{NS}VOTABLE", "1.4")
        for claim, is_so, should_be in of_document(service, root):
            assert is_so == should_be, f"{service}: {claim}"
        if service not in OLDER_UCDS:
            votable.parse(io.BytesIO(body), verify="exception")


PROXY = "https://data.example.org/vo"


@pytest.fixture
def proxied(site: Services, client: TestClient, database_url: str) -> Iterator[TestClient]:
    """The same site as a proxy of another name and of TLS reaches it."""
    settings = site.settings.model_copy(update={"public_url": PROXY})
    with closing(Database(database_url, public_url=PROXY)) as database:
        services = Services(settings, database)
        yield TestClient(create_app(services), base_url="http://backend-7:8080", follow_redirects=False)
        services.close()


DOCUMENTS = (
    *(f"{service.path}?{urlencode(service.asked)}" for service in SERVICES),
    *(f"{path}/{name}" for path in ("tap", "sia2", "datalink", "soda", "scs2") for name in ("capabilities", "availability")),
    *("tap/tables", "tap/examples", "tap/async", "openapi.json", "", "tables/sky.stars"),
)
OF_NOBODY = re.compile(
    r"http://(www\.(ivoa\.net|w3\.org|openarchives\.org)|dc\.ivoa|purl\.org|elsewhere\.test|creativecommons\.org|json-schema\.org)[^\s\"'<]*"
)
"""Names of namespaces, and links that lead to others."""


def test_nothing_tells_the_address_behind_a_proxy(proxied: TestClient) -> None:
    """CHECKLIST GEN-030, SSO-006: addresses begin with the one public address, whatever the request said."""
    begun = proxied.post("/tap/async", data={**TAP.asked, "PHASE": "RUN"})
    assert begun.headers["location"].startswith(f"{PROXY}/tap/async/")
    job = begun.headers["location"].removeprefix(PROXY)
    for address in (*(f"/{document}" for document in DOCUMENTS), job):
        reply = proxied.get(address, headers={"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http"})
        assert reply.status_code == 200, address
        told = OF_NOBODY.sub("", reply.text)
        assert re.findall(r"[^\s\"'<]*(?:backend-7|evil\.test|http://)[^\s\"'<]*", told) == [], address


def test_nobody_needs_to_log_in(client: TestClient) -> None:
    """CHECKLIST SSO-001 to SSO-003: all interfaces are anonymous, and say so by saying nothing of security (SSO 2.0 §3). Credentials that
    nobody asked for change nothing.
    """
    for path in ("tap", "sia2", "datalink", "soda", "scs2"):
        document = etree.fromstring(client.get(f"/{path}/capabilities").content)
        assert document.findall(".//interface")
        assert not document.findall(".//securityMethod")
    for service in SERVICES:
        plain = client.get(f"/{service.path}", params=service.asked)
        for credentials in ("Basic dTpw", "Bearer x.y.z"):
            reply = client.get(f"/{service.path}", params=service.asked, headers={"Authorization": credentials})
            assert (reply.status_code, rows(reply.content)) == (200, rows(plain.content))
            assert not {"www-authenticate", "set-cookie"} & set(reply.headers)


def test_a_table_that_may_not_be_seen_is_one_that_is_not_there(client: TestClient) -> None:
    """CHECKLIST SSO-008: nothing tells the one from the other."""
    for hidden in ("vo.jobs", "vo.obscore", "pg_catalog.pg_authid", "information_schema.tables", "sky.none"):
        reply = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": f"SELECT * FROM {hidden}"})
        said = results(reply.content).findtext(f"{NS}INFO[@name='QUERY_STATUS']")
        assert (reply.status_code, said.partition(hidden)[0]) == (400, "Line 1, column 15: There is no table "), hidden


def test_origins_of_all_kinds_of_answers_are_open(client: TestClient) -> None:
    """CHECKLIST GEN-028: of redirects and errors, too."""
    replies = (
        client.post("/tap/async", data=TAP.asked),
        client.get("/tap/sync"),
        client.get("/nothing"),
        client.put("/tap/sync"),
        client.get("/files/none"),
    )
    assert [reply.status_code for reply in replies] == [303, 400, 404, 405, 404]
    assert {reply.headers["access-control-allow-origin"] for reply in replies} == {"*"}
