"""What is asked of each kind of service, and what a good answer is. A check is a function that returns what it saw or raises Fault."""

import io
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyvo
import requests
from astropy.io.votable import parse as parse_votable
from astropy.io.votable.tree import VOTableFile

from vo_server.errors import VoError
from vo_server.selftest.site import Service, Site, parse

TABLES = 5
"""Of so many tables a row is fetched."""

TAPLINT_S = 900


class Fault(Exception):  # noqa: N818 a finding, not an error of ours
    """What is wrong with the service."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check. ``fault``: None when all is well."""

    service: str
    check: str
    seen: str
    fault: str | None
    seconds: float


Check = Callable[[Site, Service], str]


def examine(site: Site, *, taplint: bool = False) -> Iterator[Result]:
    """Every check of every service of the site, one after the other."""
    for service in site.services:
        for standard, checks in CHECKS:
            if service.standard.startswith(standard):
                yield from (run(check, site, service) for check in checks)
                break
    if site.has_registry:
        yield run(registry_is_harvested, site, Service("registry", f"{site.url}/oai"))
    if taplint:
        yield from (run(taplint_is_content, site, service) for service in site.services if service.standard == "tap")


def run(check: Check, site: Site, service: Service) -> Result:
    """One check; everything that goes wrong in it is a fault of the service."""
    began = time.monotonic()
    seen, fault = "", None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen = check(site, service)
    except (Fault, VoError) as error:
        fault = str(error)
    except Exception as error:  # noqa: BLE001 what a client's library stumbles over, users do too
        fault = f"{type(error).__name__}: {error}"
    return Result(service.url, check.__name__.replace("_", " "), seen, fault, time.monotonic() - began)


def votable(answer: requests.Response) -> VOTableFile:
    """The VOTable in an answer, read by astropy; Fault if it is none."""
    kind = answer.headers.get("Content-Type", "nothing")
    if answer.content.lstrip()[:1] != b"<":
        raise Fault(f"{answer.url} answered {answer.status_code} with {kind} instead of a VOTable")
    return parse_votable(io.BytesIO(answer.content), verify="ignore")


def query_status(document: VOTableFile) -> str | None:
    """QUERY_STATUS of a DALI answer (DALI 1.1 §4.4.1): the last one counts."""
    infos = [info for resource in document.resources for info in resource.infos] + list(document.infos)
    return next((info.value for info in reversed(infos) if info.name == "QUERY_STATUS"), None)


def expect(*, holds: bool, fault: str) -> None:
    """Fault unless it holds."""
    if not holds:
        raise Fault(fault)


# TAP ------------------------------------------------------------------------------------------------------------------------------------


def it_is_available(site: Site, service: Service) -> str:
    """VOSI availability says that it is up."""
    root = parse(site.get(f"{service.url}/availability"))
    if root is None:
        return "no availability document (optional since DALI 1.2)"
    up = root.findtext("{*}available")
    expect(holds=up == "true", fault=f"available is {up!r}")
    return "available"


def pages_of_any_origin_may_read_it(site: Site, service: Service) -> str:
    """CORS is open, or no browser client can use the service."""
    answer = site.get(f"{service.url}/capabilities" if service.standard.startswith("tap") else service.url)
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    expect(holds=allowed is not None, fault="no Access-Control-Allow-Origin: Aladin Lite and other pages cannot read it")
    return f"Access-Control-Allow-Origin: {allowed}"


def a_wrong_query_is_refused_with_a_votable(site: Site, service: Service) -> str:
    """An error is a VOTable with QUERY_STATUS=ERROR and a message (DALI 1.1 §4.4)."""
    answer = site.get(f"{service.url}/sync", LANG="ADQL", REQUEST="doQuery", QUERY="SELECT nonsense FROM nowhere")
    document = votable(answer)
    expect(holds=query_status(document) == "ERROR", fault="QUERY_STATUS is not ERROR for a table that does not exist")
    expect(holds=not answer.ok, fault=f"the status of an error is {answer.status_code}")
    return f"status {answer.status_code}, QUERY_STATUS=ERROR"


def tables_can_be_listed(_: Site, service: Service) -> str:
    """pyvo reads the tables as users' programs do."""
    tables = pyvo.dal.TAPService(service.url).tables
    expect(holds=len(tables) > 0, fault="no table is listed")
    return f"{len(tables)} tables"


def tables_give_a_row(_: Site, service: Service) -> str:
    """Some of the tables, queried by name."""
    tap = pyvo.dal.TAPService(service.url)
    names = [str(row["table_name"]) for row in tap.search("SELECT table_name FROM TAP_SCHEMA.tables ORDER BY table_name")]
    for name in names[:TABLES]:
        tap.search(f"SELECT TOP 1 * FROM {name}")  # noqa: S608 the service's own name, back to the service
    return f"{min(TABLES, len(names))} of {len(names)} tables"


def an_overflow_is_told(site: Site, service: Service) -> str:
    """MAXREC below the number of rows leaves that many and QUERY_STATUS=OVERFLOW (DALI 1.1 §4.4.1)."""
    answer = site.get(f"{service.url}/sync", LANG="ADQL", QUERY="SELECT table_name FROM TAP_SCHEMA.columns", MAXREC="2")
    document = votable(answer)
    rows = len(document.get_first_table().array)
    expect(holds=rows == 2, fault=f"MAXREC=2 gives {rows} rows")
    expect(holds=query_status(document) == "OVERFLOW", fault="a cut result does not say OVERFLOW")
    return "OVERFLOW after 2 rows"


def an_asynchronous_job_ends(_: Site, service: Service) -> str:
    """A job from submission to its result, by pyvo."""
    job = pyvo.dal.TAPService(service.url).submit_job("SELECT TOP 3 table_name FROM TAP_SCHEMA.tables")
    try:
        job.run().wait(timeout=60)
        job.raise_if_error()
        rows = len(job.fetch_result())
    finally:
        job.delete()
    return f"{rows} rows"


def an_uploaded_table_is_joined(_: Site, service: Service) -> str:
    """Three numbers go up and come back, if the service takes uploads at all."""
    tap = pyvo.dal.TAPService(service.url)
    if not tap.upload_methods:
        return "takes no uploads"
    text = b'<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE><FIELD name="n" datatype="int"/><DATA>'
    text += b"<TABLEDATA><TR><TD>1</TD></TR><TR><TD>2</TD></TR><TR><TD>3</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    rows = tap.search("SELECT n FROM TAP_UPLOAD.mine ORDER BY n", uploads={"mine": io.BytesIO(text)})
    expect(holds=[int(row["n"]) for row in rows] == [1, 2, 3], fault="what was uploaded did not come back")
    return "3 rows"


def examples_run(_: Site, service: Service) -> str:
    """The queries at /examples, if there are any (DALI 1.1 §2.3)."""
    tap = pyvo.dal.TAPService(service.url)
    examples = [query for query in tap.examples if "QUERY" in query]
    for example in examples[:TABLES]:
        example.execute()
    return f"{min(TABLES, len(examples))} of {len(examples)} examples" if examples else "no examples"


def taplint_is_content(_: Site, service: Service) -> str:
    """STILTS' validator of TAP services, every stage."""
    program = shutil.which("stilts")
    if program is None:
        raise Fault("stilts is not installed (Debian: apt install stilts)")
    command = [program, "taplint", "report=EW", f"tapurl={service.url}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TAPLINT_S, check=False)  # noqa: S603 our own words
    findings = [line for line in done.stdout.splitlines() if line.startswith(("E-", "W-"))]
    expect(holds=not findings, fault="; ".join(findings[:20]) or "")
    expect(holds="Totals" in done.stdout, fault=f"taplint did not come to its end: {done.stderr[-300:]}")
    return "no error, no warning"


# searches by parameters -----------------------------------------------------------------------------------------------------------------


def joined(url: str, query: str) -> str:
    """An access URL with parameters behind it."""
    return url + ("" if url.endswith(("?", "&")) else "&" if "?" in url else "?") + query


def its_test_query_finds_something(site: Site, service: Service) -> str:
    """The query that the record names has rows."""
    if service.test_query is None:
        return "names no test query"
    document = votable(site.get(joined(service.url, service.test_query)))
    if "METADATA" in service.test_query.upper():
        return f"{described(document)} parameters and columns"
    rows = sum(len(table.array) for table in document.iter_tables())
    expect(holds=rows > 0, fault=f"{service.test_query} finds nothing")
    return f"{rows} rows"


def a_cone_without_a_radius_is_refused(site: Site, service: Service) -> str:
    """An error document of Simple Cone Search (§2.3): INFO or PARAM named Error."""
    text = site.get(joined(service.url, "RA=10&DEC=10&SR=nonsense")).text
    expect(holds='name="Error"' in text, fault="no INFO or PARAM named Error for SR=nonsense")
    return "Error"


def it_describes_itself(site: Site, service: Service) -> str:
    """An empty answer has all its columns (MAXREC=0, FORMAT=METADATA)."""
    query = "MAXREC=0" if service.standard.startswith(("sia#query-2", "scs2")) else "FORMAT=METADATA&REQUEST=queryData"
    count = described(votable(site.get(joined(service.url, query))))
    expect(holds=count > 0, fault=f"{query} names neither parameters nor columns")
    return f"{count} parameters and columns"


def described(document: VOTableFile) -> int:
    """How many columns and parameters an answer without rows describes."""
    return sum(len(table.fields) for table in document.iter_tables()) + sum(len(resource.params) for resource in document.resources)


def an_unknown_dataset_is_told(site: Site, service: Service) -> str:
    """DataLink says of each identifier what is wrong with it, in a row (DataLink 1.1 §3.4)."""
    document = votable(site.get(joined(service.url, "ID=ivo://example.invalid/nothing")))
    messages = [str(text) for text in document.get_first_table().array["error_message"]]
    expect(holds=any("Fault" in text for text in messages), fault="no row with an error_message for an unknown ID")
    return messages[0][:60]


def registry_is_harvested(site: Site, service: Service) -> str:
    """All records come, page by page, each with an identifier of its own."""
    identifiers: list[str] = []
    for root in site.records():
        identifiers += root.xpath("//*[local-name()='header']/*[local-name()='identifier']/text()")
    expect(holds=len(identifiers) > 0, fault=f"{service.url} lists no record")
    expect(holds=len(set(identifiers)) == len(identifiers), fault="a record comes twice")
    return f"{len(identifiers)} records"


CHECKS: tuple[tuple[str, tuple[Check, ...]], ...] = (
    ("tap#", ()),
    (
        "tap",
        (
            it_is_available,
            pages_of_any_origin_may_read_it,
            tables_can_be_listed,
            tables_give_a_row,
            an_overflow_is_told,
            a_wrong_query_is_refused_with_a_votable,
            an_asynchronous_job_ends,
            an_uploaded_table_is_joined,
            examples_run,
        ),
    ),
    ("conesearch", (its_test_query_finds_something, a_cone_without_a_radius_is_refused, pages_of_any_origin_may_read_it)),
    ("scs2#query", (it_describes_itself, its_test_query_finds_something)),
    ("sia", (it_describes_itself, its_test_query_finds_something, pages_of_any_origin_may_read_it)),
    ("ssa", (it_describes_itself, its_test_query_finds_something)),
    ("datalink#links", (an_unknown_dataset_is_told,)),
)
"""Beginning of a standardID → its checks; the first that fits counts."""
