"""UWS 1.1 over TAP: the life of a job, its resources, what is refused and how. The worker is driven by hand, so that phases hold still."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from astropy.io.votable import parse
from lxml import etree
from sqlalchemy import event, select, text
from starlette.testclient import TestClient

from vo_server.app import create_app, performers
from vo_server.db import schema
from vo_server.db.database import QUEUE_SCHEMA
from vo_server.errors import UnavailableError
from vo_server.jobs.keeper import destroy_due
from vo_server.jobs.store import AHEAD, Selection
from vo_server.jobs.worker import Runner
from vo_server.services import Services

UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"
HREF = "{http://www.w3.org/1999/xlink}href"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
BASE = "http://testserver/tap/async"
QUERY = "SELECT name, mag FROM sky.stars ORDER BY mag"
SUM_OF_ALL = "SELECT COUNT(*) AS n FROM " + ", ".join(f"tap_schema.columns AS c{number}" for number in range(6))
"""Takes long."""

CHANGES = {"parameters": {"MAXREC": "3"}, "executionduration": {"EXECUTIONDURATION": "9"}}
"""What can be said to a job only before it is started."""

Answers = Any


@pytest.fixture
def client(site: Services) -> TestClient:
    return TestClient(create_app(site), follow_redirects=False)


@pytest.fixture
def work(site: Services) -> Callable[[], int]:
    """Run everything that waits, in this thread; how many jobs that were."""
    runner = Runner(site.jobs, site.results, performers(site))

    def run_all() -> int:
        with site.database.engine.connect() as connection:
            statement = f"SELECT id, args->>'job_id' FROM {QUEUE_SCHEMA}.procrastinate_jobs WHERE status = 'todo' ORDER BY id"
            waiting = connection.execute(text(statement)).all()
        for number, job_id in waiting:
            runner.run(job_id, number)
        return len(waiting)

    return run_all


def make(client: TestClient, query: str = QUERY, **more: str) -> str:
    """The address of a new job."""
    reply = client.post("/tap/async", data={"LANG": "ADQL", "QUERY": query, **more})
    assert reply.status_code == 303, reply.text
    return str(reply.headers["location"])


def document(client: TestClient, url: str) -> Any:
    reply = client.get(url)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/xml")
    return etree.fromstring(reply.content)


def phase(client: TestClient, url: str) -> str:
    reply = client.get(f"{url}/phase")
    assert reply.headers["content-type"].startswith("text/plain")
    return reply.text


def said(job: Any, name: str) -> str | None:
    return job.findtext(f"{UWS}{name}")


def test_a_job_is_created_pending_with_all_that_is_known_of_it(client: TestClient) -> None:
    """UWS-002, UWS-004 to UWS-007, UWS-036, UWS-040; UWS 1.1 §2.1, §2.2.2.2: elements in order, times in UTC, what is not known is nil;
    an id that nobody guesses."""
    url = make(client, RUNID="mine", maxrec="3")
    assert re.fullmatch(BASE + r"/[0-9a-f]{32}", url), "UWS-036: 128 bits"
    job = document(client, url)
    assert job.tag == f"{UWS}job"
    assert job.get("version") == "1.1"
    assert said(job, "jobId") == url.rpartition("/")[2]
    assert [etree.QName(child).localname for child in job] == [
        *("jobId", "runId", "ownerId", "phase", "quote", "creationTime", "startTime", "endTime"),
        *("executionDuration", "destruction", "parameters", "results"),
    ]
    assert said(job, "runId") == "mine"
    assert said(job, "phase") == phase(client, url) == "PENDING"
    assert [job.find(f"{UWS}{name}").get(NIL) for name in ("ownerId", "quote", "startTime", "endTime")] == ["true"] * 4
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said(job, "creationTime") or "")
    parameters = {one.get("id"): one.text for one in job.find(f"{UWS}parameters")}
    assert parameters == {"LANG": "ADQL", "QUERY": QUERY, "maxrec": "3"}


def test_a_job_runs_and_gives_what_sync_gives(client: TestClient, work: Callable[[], int]) -> None:
    """UWS-009, UWS-026, UWS-042; UWS 1.1 §2.2.2.6: results have an absolute address, a media type and a size."""
    url = make(client, PHASE="RUN")
    job = document(client, url)
    assert said(job, "phase") == "QUEUED"
    assert job.findtext(f"{UWS}jobInfo/queuePosition") == "1"
    assert work() == 1
    job = document(client, url)
    assert said(job, "phase") == "COMPLETED"
    assert said(job, "startTime") <= said(job, "endTime")
    assert job.findtext(f"{UWS}jobInfo/rows") == "7"
    result = job.find(f"{UWS}results/{UWS}result")
    assert (result.get("id"), result.get(HREF)) == ("result", f"{url}/results/result")
    packed = client.get(result.get(HREF), headers={"Accept-Encoding": "gzip"})
    reply = client.get(result.get(HREF), headers={"Accept-Encoding": "identity"})
    assert (packed.headers["content-encoding"], packed.content) == ("gzip", reply.content)
    sync = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": QUERY})
    assert reply.headers["content-type"] == sync.headers["content-type"] == result.get("mime-type")
    assert len(reply.content) == int(result.get("size")) == int(reply.headers["content-length"])
    head = client.head(result.get(HREF))
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", result.get("size"))
    undated = re.compile(rb'name="request_date" value="[^"]*"')
    assert undated.sub(b"", reply.content) == undated.sub(b"", sync.content)
    listed = document(client, f"{url}/results")
    assert listed.tag == f"{UWS}results"
    assert listed[0].get(HREF) == result.get(HREF)


def test_a_result_in_ranges(client: TestClient, work: Callable[[], int]) -> None:
    """RFC 9110 §14: a download that broke off goes on, and programs read the part of a Parquet file that they need."""
    url = f"{make(client, PHASE='RUN', RESPONSEFORMAT='parquet')}/results/result"
    work()
    whole = client.get(url)
    size, etag = len(whole.content), whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes"
    for span, first, last in (("0-3", 0, 3), ("100-", 100, size - 1), ("-8", size - 8, size - 1), (f"4-{size + 9}", 4, size - 1)):
        part = client.get(url, headers={"Range": f"bytes={span}"})
        assert (part.status_code, part.headers["content-range"]) == (206, f"bytes {first}-{last}/{size}")
        assert part.content == whole.content[first : last + 1]
        assert part.headers["content-length"] == str(len(part.content))
    for odd in ("bytes=3-0", "bytes=0-1,4-5", "words=1-2"):
        assert client.get(url, headers={"Range": odd}).content == whole.content
    for beyond in (f"bytes={size}-", "bytes=-0"):
        late = client.get(url, headers={"Range": beyond})
        assert (late.status_code, late.headers["content-range"]) == (416, f"bytes */{size}")
    assert client.get(url, headers={"Range": "bytes=0-3", "If-Range": etag}).status_code == 206
    assert client.get(url, headers={"Range": "bytes=0-3", "If-Range": '"other"'}).status_code == 200
    assert client.head(url, headers={"Range": "bytes=0-3"}).headers["content-length"] == str(size)


@pytest.mark.parametrize(
    ("tags", "status"), [("{etag}", 304), ("*", 304), ('"other", W/{etag}', 304), ('"other"', 200)], ids=["same", "any", "weak", "other"]
)
def test_a_result_that_the_client_has_is_not_sent_again(client: TestClient, work: Callable[[], int], tags: str, status: int) -> None:
    """RFC 9110 §13.1.2: a condition counts before a range."""
    url = f"{make(client, PHASE='RUN')}/results/result"
    work()
    etag = client.head(url).headers["etag"]
    plain = {"If-None-Match": tags.format(etag=etag), "Accept-Encoding": "identity"}
    for ask in (client.get, client.head):
        reply = ask(url, headers=plain)
        assert (reply.status_code, reply.headers["etag"]) == (status, etag)
    part = client.get(url, headers={**plain, "Range": "bytes=0-3"})
    assert part.status_code == (206 if status == 200 else status)


@pytest.mark.parametrize("form", ["csv", "json", "application/x-votable+xml;serialization=TABLEDATA"])
def test_formats_are_those_of_sync(client: TestClient, work: Callable[[], int], form: str) -> None:
    url = make(client, PHASE="RUN", RESPONSEFORMAT=form)
    work()
    sync = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": QUERY, "RESPONSEFORMAT": form})
    reply = client.get(f"{url}/results/result")
    assert (reply.status_code, reply.headers["content-type"]) == (200, sync.headers["content-type"])


def test_no_rows_are_a_result_too(client: TestClient, work: Callable[[], int]) -> None:
    url = make(client, "SELECT name FROM sky.stars WHERE mag > 100", PHASE="RUN")
    work()
    table = parse(BytesIO(client.get(f"{url}/results/result").content), verify="exception").get_first_table()
    assert (len(table.array), [field.name for field in table.fields]) == (0, ["name"])


def test_maxrec_overflows_as_in_sync(client: TestClient, work: Callable[[], int]) -> None:
    url = make(client, PHASE="RUN", MAXREC="2")
    work()
    assert b'value="OVERFLOW"' in client.get(f"{url}/results/result").content


@pytest.mark.parametrize(
    ("query", "message"),
    [("SELECT nme FROM sky.stars", "name"), ("SELECT 1 / (mag - mag) AS x FROM sky.stars", "division by zero"), ("SELECT", "Line 1")],
)
def test_a_failed_job_says_why_in_both_places(client: TestClient, work: Callable[[], int], query: str, message: str) -> None:
    """UWS-027, UWS-028; UWS 1.1 §2.1.9, TAP 1.1 §2.2: a message in the document, and the error's own document."""
    url = make(client, query, PHASE="RUN")
    work()
    job = document(client, url)
    assert said(job, "phase") == "ERROR"
    summary = job.find(f"{UWS}errorSummary")
    assert (summary.get("type"), summary.get("hasDetail")) == ("fatal", "true")
    assert message in summary.findtext(f"{UWS}message")
    error = client.get(f"{url}/error")
    assert error.status_code == 200
    assert b'name="QUERY_STATUS" value="ERROR"' in error.content
    assert client.get(f"{url}/results/result").status_code == 404
    assert len(document(client, f"{url}/results")) == 0


def test_an_error_is_not_there_before(client: TestClient) -> None:
    """UWS-026, UWS-027; UWS 1.1 §2.2.2: there is no error and no result before there is one."""
    url = make(client)
    assert client.get(f"{url}/error").status_code == 404
    assert client.get(f"{url}/results/result").status_code == 404


def test_run_and_abort_by_phase(client: TestClient, work: Callable[[], int]) -> None:
    """UWS-008 to UWS-010; UWS 1.1 §2.2.3.4: each change answers 303 and leads to the job."""
    url = make(client)
    reply = client.post(f"{url}/phase", data={"PHASE": "RUN"})
    assert (reply.status_code, reply.headers["location"]) == (303, url)
    assert phase(client, url) == "QUEUED"
    assert client.post(f"{url}/phase", data={"PHASE": "ABORT"}).status_code == 303
    assert phase(client, url) == "ABORTED"
    assert work() == 0, "it has left the queue too"


def test_a_pending_job_is_aborted(client: TestClient) -> None:
    """UWS-010; UWS 1.1 §2.1.1: PENDING may become ABORTED."""
    url = make(client)
    assert client.post(f"{url}/phase", data={"PHASE": "ABORT"}).status_code == 303
    assert phase(client, url) == "ABORTED"


def test_what_is_over_stays_as_it_is(client: TestClient, work: Callable[[], int]) -> None:
    """UWS-011, UWS-017, UWS-024; UWS 1.1 §2.2.3: what the phase does not allow is answered 403, and nothing changes."""
    url = make(client, PHASE="RUN")
    work()
    for action in ("RUN", "ABORT"):
        reply = client.post(f"{url}/phase", data={"PHASE": action})
        assert reply.status_code == 403
        assert "COMPLETED" in reply.text
    assert client.post(f"{url}/parameters", data={"QUERY": "x"}).status_code == 403
    assert client.post(f"{url}/executionduration", data={"EXECUTIONDURATION": "5"}).status_code == 403
    assert phase(client, url) == "COMPLETED"


def bring(client: TestClient, site: Services, work: Callable[[], int], wanted: str) -> str:
    """The address of a job in the `wanted` phase."""
    url = make(client, "SELECT nosuch FROM sky.stars" if wanted == "ERROR" else QUERY)
    if wanted not in ("PENDING", "ABORTED"):
        client.post(f"{url}/phase", data={"PHASE": "RUN"})
    if wanted == "ABORTED":
        client.post(f"{url}/phase", data={"PHASE": "ABORT"})
    elif wanted == "EXECUTING":
        with site.database.engine.connect() as connection:
            number = connection.execute(text("SELECT queue_id FROM vo.jobs")).scalar_one()
        assert site.jobs.begin(url.rpartition("/")[2], number) is not None
    elif wanted in ("COMPLETED", "ERROR"):
        work()
    assert phase(client, url) == wanted
    return url


@pytest.mark.parametrize(
    ("before", "run", "abort"),
    [
        ("PENDING", "QUEUED", "ABORTED"),
        ("QUEUED", None, "ABORTED"),
        ("EXECUTING", None, "ABORTED"),
        ("COMPLETED", None, None),
        ("ERROR", None, None),
        ("ABORTED", None, None),
    ],
)
def test_what_can_be_done_in_each_phase(
    client: TestClient, site: Services, work: Callable[[], int], before: str, run: str | None, abort: str | None
) -> None:
    """UWS-008 to UWS-012, UWS-016, UWS-018, UWS-039; UWS 1.1 §2.1.3, §2.2.3: which changes a phase allows; the others are answered 403 and
    change nothing; DELETE is always one."""
    for action, after in (("RUN", run), ("ABORT", abort)):
        url = bring(client, site, work, before)
        words = {name: client.get(f"{url}/{name}").text for name in ("phase", "executionduration", "destruction", "quote", "owner")}
        shown = document(client, url)
        assert words == {
            **{name: said(shown, name) for name in ("phase", "destruction")},
            "executionduration": said(shown, "executionDuration"),
            "quote": "",
            "owner": "",
        }, "UWS-039: exactly the words of the document"
        reply = client.post(f"{url}/phase", data={"PHASE": action})
        assert (reply.status_code, phase(client, url)) == ((403, before) if after is None else (303, after))
        changes = {client.post(f"{url}/{name}", data=data).status_code for name, data in CHANGES.items()}
        assert changes == {303 if phase(client, url) == "PENDING" else 403}
        later = client.post(f"{url}/destruction", data={"DESTRUCTION": (datetime.now(UTC) + timedelta(hours=1)).isoformat()[:19]})
        assert later.status_code == 303, "in any phase"
        assert client.delete(url).status_code == 303
        assert client.get(url).status_code == 404
    assert (site.results.job_ids(), site.jobs.count_phases()) == (set(), {})


@pytest.mark.parametrize("way", ["DELETE", "ACTION"])
def test_a_destroyed_job_is_gone_with_its_files(client: TestClient, work: Callable[[], int], site: Services, way: str) -> None:
    """UWS-012, UWS-013, UWS-015; UWS 1.1 §2.2.3.2: DELETE and ACTION=DELETE lead to the list, and then there is no such job."""
    url = make(client, PHASE="RUN")
    work()
    assert site.results.job_ids() == {url.rpartition("/")[2]}
    reply = client.delete(url) if way == "DELETE" else client.post(url, data={"ACTION": "DELETE"})
    assert (reply.status_code, reply.headers["location"]) == (303, BASE)
    assert client.get(url).status_code == 404
    assert client.get(f"{url}/results/result").status_code == 404
    assert client.delete(url).status_code == 404
    assert site.results.job_ids() == set()
    assert len(document(client, BASE)) == 0


def test_a_job_that_waits_leaves_the_queue_when_it_is_destroyed(client: TestClient, work: Callable[[], int]) -> None:
    """UWS-015."""
    assert client.delete(make(client, PHASE="RUN")).status_code == 303
    assert work() == 0


def test_the_execution_duration(client: TestClient, site: Services) -> None:
    """UWS-016, UWS-017; UWS 1.1 §2.2.3.3: seconds, lowered to what the service allows; 0 asks for no limit."""
    url = make(client)
    hard = site.settings.hard_async_seconds
    for asked, given in (("5", 5), ("0", hard), ("999999999", hard), ("9" * 30, hard)):
        assert client.post(f"{url}/executionduration", data={"executionduration": asked}).status_code == 303
        assert client.get(f"{url}/executionduration").text == said(document(client, url), "executionDuration") == str(given)
    for wrong in ("-1", "1.5", "soon", ""):
        assert client.post(f"{url}/executionduration", data={"EXECUTIONDURATION": wrong}).status_code == 400


@pytest.mark.parametrize("below", ["", "/parameters"], ids=["new", "parameters"])
def test_duration_and_destruction_are_said_with_the_parameters(client: TestClient, site: Services, below: str) -> None:
    """UWS-017, UWS-019, UWS 1.1 §2.2.3.1: as in a POST of their own, within the same limits; they are no parameters of the query."""
    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    hard = site.settings.hard_async_seconds
    for asked, given in (("7", 7), (" 7 ", 7), ("0", hard), ("9" * 30, hard)):
        said_too = {"executionDuration": asked, "DESTRUCTION": f"{soon:%Y-%m-%dT%H:%M:%S}", "RUNID": "mine"}
        if below:
            url = make(client)
            assert client.post(f"{url}{below}", data=said_too).status_code == 303
        else:
            url = make(client, **said_too)
        job = document(client, url)
        assert (said(job, "runId"), said(job, "executionDuration")) == ("mine", str(given))
        assert said(job, "destruction") == f"{soon:%Y-%m-%dT%H:%M:%S.000Z}"
        assert {one.get("id") for one in job.find(f"{UWS}parameters")} == {"LANG", "QUERY"}
    latest = datetime.now(UTC) + timedelta(hours=site.settings.hard_retention_hours)
    kept = datetime.fromisoformat(said(document(client, make(client, DESTRUCTION="2999-01-01")), "destruction") or "")
    assert latest - timedelta(minutes=5) < kept <= latest + timedelta(seconds=5)


def test_a_job_that_is_started_at_once_has_its_duration(client: TestClient, work: Callable[[], int]) -> None:
    """UWS-017: it is no longer changeable afterwards, so this is the only place."""
    url = make(client, SUM_OF_ALL, PHASE="RUN", EXECUTIONDURATION="1")
    work()
    assert "execution duration of 1 s" in document(client, url).findtext(f"{UWS}errorSummary/{UWS}message")


@pytest.mark.parametrize("name", ["PHASE", "ACTION"])
def test_what_belongs_elsewhere_is_not_taken_for_a_parameter(client: TestClient, name: str) -> None:
    """UWS 1.1 §2.2.3: PHASE has an address of its own, and ACTION is posted to the job."""
    url = make(client)
    reply = client.post(f"{url}/parameters", data={name: "RUN"})
    assert (reply.status_code, "…/phase" in reply.text) == (400, True)
    assert phase(client, url) == "PENDING"


def test_the_execution_duration_is_enforced_in_the_database(client: TestClient, work: Callable[[], int]) -> None:
    """UWS-016; UWS 1.1 §2.1.5: a job that takes longer is ended."""
    url = make(client, SUM_OF_ALL)
    client.post(f"{url}/executionduration", data={"EXECUTIONDURATION": "1"})
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    work()
    job = document(client, url)
    assert said(job, "phase") == "ERROR"
    assert "execution duration of 1 s" in job.findtext(f"{UWS}errorSummary/{UWS}message")


def test_destruction(client: TestClient, site: Services) -> None:
    """UWS-018, UWS-019; UWS 1.1 §2.2.3.3: a time with Z or without, lowered to what the service allows."""
    url = make(client)
    assert client.get(f"{url}/destruction").text == said(document(client, url), "destruction")
    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    for asked in (f"{soon:%Y-%m-%dT%H:%M:%SZ}", f"{soon:%Y-%m-%dT%H:%M:%S}", f"{soon:%Y-%m-%dT%H:%M:%S}.000000000Z"):
        assert client.post(f"{url}/destruction", data={"DESTRUCTION": asked}).status_code == 303
        assert client.get(f"{url}/destruction").text == f"{soon:%Y-%m-%dT%H:%M:%S.000Z}"
    assert client.post(f"{url}/destruction", data={"DESTRUCTION": "2999-01-01"}).status_code == 303
    latest = datetime.now(UTC) + timedelta(hours=site.settings.hard_retention_hours)
    assert latest - timedelta(minutes=5) < datetime.fromisoformat(client.get(f"{url}/destruction").text) <= latest
    assert client.post(f"{url}/destruction", data={"DESTRUCTION": "tomorrow"}).status_code == 400


def test_a_job_ends_with_its_time(client: TestClient, work: Callable[[], int], site: Services) -> None:
    """UWS-020; UWS 1.1 §2.1.6: after its destruction time the job is gone."""
    url = make(client, PHASE="RUN")
    work()
    client.post(f"{url}/destruction", data={"DESTRUCTION": "2020-01-01T00:00:00Z"})
    gone = client.get(url)
    assert gone.status_code == 404
    assert "destroyed" in gone.text
    assert site.results.job_ids() != set()
    assert destroy_due(site.jobs, site.results) == 1
    assert site.results.job_ids() == set()


def test_job_documents_are_compressed_only_for_those_who_ask(client: TestClient) -> None:
    """UWS-041, RFC 9110 §12.5.3: and caches are told that they differ."""
    url = make(client, query=f"{QUERY}{' ' * 2000}")
    plain, packed = (client.get(url, headers={"Accept-Encoding": asked}) for asked in ("identity", "gzip"))
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.content) == ("gzip", plain.content)
    assert plain.headers["vary"] == packed.headers["vary"] == "Sec-Fetch-Dest, Accept-Encoding"


def test_words_are_plain_text(client: TestClient) -> None:
    """UWS-021, UWS-022, UWS-039; UWS 1.1 §2.2.2: quote and owner are text, empty when there is none."""
    url = make(client)
    for name in ("quote", "owner"):
        reply = client.get(f"{url}/{name}")
        assert (reply.status_code, reply.text) == (200, "")
        assert reply.headers["content-type"].startswith("text/plain")


def test_parameters_are_added_and_replaced_until_the_job_runs(client: TestClient) -> None:
    """UWS-023, UWS-024; UWS 1.1 §2.2.3.5: while the job is PENDING; RUNID is taken there too."""
    url = make(client)
    assert client.post(f"{url}/parameters", data={"query": "SELECT 1", "MAXREC": "5", "runId": "later"}).status_code == 303
    shown = document(client, f"{url}/parameters")
    assert shown.tag == f"{UWS}parameters"
    assert {one.get("id"): one.text for one in shown} == {"LANG": "ADQL", "query": "SELECT 1", "MAXREC": "5"}
    assert said(document(client, url), "runId") == "later"


def test_the_job_itself_takes_no_parameters(client: TestClient) -> None:
    """UWS-025; DALI 1.1 §2.1: parameters come in the POST that makes the job, or to …/parameters."""
    url = make(client)
    assert client.post(url, data={"QUERY": "SELECT 1"}).status_code == 400
    assert client.get(url, params={"QUERY": "SELECT 1"}).status_code == 200
    assert QUERY in {one.text for one in document(client, f"{url}/parameters")}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"PHASE": "ABORT"}, {"RUNID": "x" * 65}, {"UPLOAD": "a,param:a"}, {"MAXREC": ["1", "2"]}, {"NOTE": "a\0b"}, {"a\0b": "x"}),
        *({"EXECUTIONDURATION": wrong} for wrong in ("-1", "1.5", "soon", "", ["1", "2"])),
        *({"DESTRUCTION": wrong} for wrong in ("tomorrow", "2999-13-01", "", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00+01:00")),
    ],
)
def test_what_can_never_be_a_job_is_refused_at_once(client: TestClient, wrong: dict[str, Any]) -> None:
    """UWS-003, UWS-019; UWS 1.1 §2.2.3.1: a job that is refused is not made."""
    reply = client.post("/tap/async", data={"QUERY": QUERY, **wrong})
    assert reply.status_code == 400
    assert len(document(client, BASE)) == 0


@pytest.mark.parametrize("name", ["QUERY", "zzz", "z\0z"])
def test_a_character_that_postgresql_does_not_take_is_refused(client: TestClient, name: str) -> None:
    """In a new job, in one that waits, and in the id of a job."""
    wrong = {name: "SELECT '\0'"}
    reply = client.post("/tap/async", data={"LANG": "ADQL", "QUERY": QUERY, **wrong})
    assert (reply.status_code, "U+0000" in reply.text) == (400, True)
    url = make(client)
    assert client.post(f"{url}/parameters", data=wrong).status_code == 400
    assert client.post("/jobs", data={"QUERY": QUERY, "RESPONSEFORMAT": "\0"}).status_code == 400
    for method, rest in (("GET", ""), ("GET", "/phase"), ("POST", "/phase"), ("GET", "/results/result"), ("DELETE", "")):
        assert client.request(method, f"/tap/async/a%00b{rest}").status_code == 404


def test_a_job_that_cannot_be_started_is_not_made(client: TestClient, site: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """UWS 1.1 §2.2.3.1: nobody was told the address of such a job."""

    def start(_: str) -> None:
        raise UnavailableError("The queue is away.")

    monkeypatch.setattr(site.jobs, "start", start)
    reply = client.post("/tap/async", data={"QUERY": QUERY, "PHASE": "RUN"})
    assert (reply.status_code, "queue is away" in reply.text) == (503, True)
    assert site.jobs.count_phases() == {}


def test_the_list_shows_a_browser_its_own_jobs_and_nobody_elses(client: TestClient, site: Services) -> None:
    """UWS-002, UWS-036; UWS 1.1 §2.2.2.1, §4: the caller's jobs, newest first; an address that somebody holds works for him."""
    urls = [make(client, RUNID=str(number)) for number in range(3)]
    client.post(f"{urls[1]}/phase", data={"PHASE": "RUN"})
    listed = document(client, BASE)
    assert (listed.tag, listed.get("version")) == (f"{UWS}jobs", "1.1")
    assert [one.get(HREF) for one in listed] == urls[::-1]
    assert [one.findtext(f"{UWS}phase") for one in listed] == ["PENDING", "QUEUED", "PENDING"]
    assert {one.get("id") for one in listed} == {url.rpartition("/")[2] for url in urls}
    assert listed[0].findtext(f"{UWS}runId") == "2"
    stranger = TestClient(create_app(site), follow_redirects=False)
    assert len(document(stranger, BASE)) == 0
    stranger.cookies.set("vo_jobs", f"{urls[0].rpartition('/')[2]}~{'0' * 64}")
    assert len(document(stranger, BASE)) == 0, "a cookie that we did not sign"
    stranger.cookies.clear()
    forged = stranger.get(BASE, headers={"Cookie": b"vo_jobs=abc~\xe9"})
    assert len(etree.fromstring(forged.content)) == 0, "nor one that is not ASCII"
    assert phase(stranger, urls[0]) == "PENDING", "who has the address may use the job"


def listed(client: TestClient, **filters: Any) -> list[str]:
    reply = client.get("/tap/async", params=filters)
    assert reply.status_code == 200, reply.text
    return [one.findtext(f"{UWS}runId") for one in etree.fromstring(reply.content)]


def test_filters_of_the_list(client: TestClient) -> None:
    """UWS-033, UWS-034; UWS 1.1 §2.2.2.1: PHASE, repeated for several; AFTER, LAST, and all of them together; ARCHIVED is not ours."""
    urls = [make(client, RUNID=str(number)) for number in range(3)]
    client.post(f"{urls[1]}/phase", data={"PHASE": "RUN"})
    client.post(f"{urls[2]}/phase", data={"PHASE": "ABORT"})
    assert listed(client, PHASE="QUEUED") == ["1"]
    assert listed(client, PHASE=["QUEUED", "ABORTED"]) == ["2", "1"]
    assert listed(client, LAST="2") == ["2", "1"]
    assert listed(client, LAST="2", PHASE="PENDING") == ["0"]
    assert listed(client, PHASE="ARCHIVED") == []
    assert listed(client, AFTER="2999-01-01") == []
    created = said(document(client, urls[1]), "creationTime")
    assert listed(client, AFTER=created) == ["2"], "created later, not at that time"
    assert listed(client, AFTER="2020-01-01T00:00:00Z") == ["2", "1", "0"]


MANY = """
INSERT INTO vo.jobs (job_id, kind, phase, client, created, duration_s, destruction, parameters)
SELECT md5(n::text), 'tap', CASE WHEN n % 2 = 0 THEN 'QUEUED' ELSE 'COMPLETED' END, 'user ' || n % 100, now() - interval '1 hour', 60,
    now() + interval '1 day', '[]' FROM generate_series(1, 10000) AS n
"""


def test_the_list_after_a_deletion_does_not_grow_with_the_table(client: TestClient, site: Services) -> None:
    """UWS-014, UWS-033: among 10,000 jobs of others the caller's are found by their ids, and filtered, without a look at the others."""
    with site.database.engine.begin() as connection:
        connection.execute(text(MANY))
        connection.execute(text("ANALYZE vo.jobs"))
    urls = [make(client, RUNID=str(number)) for number in range(4)]
    client.post(f"{urls[1]}/phase", data={"PHASE": "RUN"})
    with site.database.engine.connect() as connection:
        plans: list[str] = []

        def look(other: Any, _: Any, statement: str, values: Any, *_more: Any) -> None:
            if other.connection.dbapi_connection is not connection.connection.dbapi_connection:
                plans.extend(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values))

        event.listen(site.database.engine, "before_cursor_execute", look)
        assert listed(client) == ["3", "2", "1", "0"]
        assert listed(client, PHASE=["QUEUED", "PENDING"], AFTER="2020-01-01", LAST="3") == ["3", "2", "1"]
        event.remove(site.database.engine, "before_cursor_execute", look)
    assert any("jobs_pkey" in line for line in plans)
    assert not [line for line in plans if "Seq Scan" in line or "WindowAgg" in line]
    reply = client.delete(urls[3])
    assert [one.findtext(f"{UWS}runId") for one in document(client, reply.headers["location"])] == ["2", "1", "0"]
    assert document(client, urls[1]).findtext(f"{UWS}jobInfo/queuePosition") == "1"
    with site.database.engine.connect() as connection:
        found = connection.execute(text("SELECT job_id FROM vo.jobs WHERE phase = 'QUEUED' AND queue_id IS NULL LIMIT 50"))
        waiting = found.scalars().all()
    positions = {job.job_id: job.ahead for job in site.jobs.find(Selection(tuple(waiting)), ahead=True)}
    assert positions == {job_id: site.jobs.get(job_id).ahead for job_id in waiting}
    assert len(set(positions.values())) == 50
    with site.database.engine.connect() as connection:
        asked = select(AHEAD).where(schema.jobs.c.job_id == waiting[0]).compile(connection, compile_kwargs={"literal_binds": True})
        connection.execute(text("SET LOCAL enable_sort = off"))  # where another way has the order, it is taken
        plan = "\n".join(connection.execute(text(f"EXPLAIN {asked}")).scalars())
    assert "using jobs_waiting" in plan, "the order of turns"


@pytest.mark.parametrize("wrong", [{"PHASE": "DONE"}, {"LAST": "-1"}, {"LAST": "few"}, {"LAST": "9" * 5000}, {"AFTER": "yesterday"}])
def test_wrong_filters_are_refused(client: TestClient, wrong: dict[str, str]) -> None:
    """UWS-035; UWS 1.1 §2.2.2.1: a filter that cannot be read is told."""
    reply = client.get("/tap/async", params=wrong)
    assert (reply.status_code, reply.headers["content-type"].partition(";")[0]) == (400, "text/plain")


@pytest.mark.parametrize("wrong", ["-2", "1.5", "x", ""])
def test_wrong_waits_are_refused(client: TestClient, wrong: str) -> None:
    """UWS-035: as with filters."""
    assert client.get(make(client), params={"WAIT": wrong}).status_code == 400


def test_wait_returns_at_once_where_nothing_is_to_be_waited_for(client: TestClient, work: Callable[[], int]) -> None:
    """UWS-029, UWS-030; UWS 1.1 §2.2.1.1: in another phase than PHASE, in a phase that nothing follows."""
    url = make(client)
    assert client.get(url, params={"WAIT": "-1", "PHASE": "QUEUED"}).status_code == 200
    assert client.get(url, params={"WAIT": "30", "PHASE": "COMPLETED"}).status_code == 200
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    work()
    assert b"COMPLETED" in client.get(url, params={"WAIT": "-1"}).content


@pytest.fixture
def listening(site: Services) -> Iterator[None]:
    site.changes.start()
    yield
    site.changes.stop()


@pytest.mark.parametrize(("change", "status"), [("ABORT", 200), ("DELETE", 404)])
def test_wait_ends_with_the_phase_whoever_changes_it(client: TestClient, site: Services, listening: None, change: str, status: int) -> None:
    """UWS-032; UWS 1.1 §2.2.1.1: an abortion and a destruction end the wait."""
    url = make(client)
    answers: list[Answers] = []
    waiter = threading.Thread(target=lambda: answers.append(client.get(url, params={"WAIT": "-1"})))
    waiter.start()
    other = TestClient(create_app(site), follow_redirects=False)
    if change == "ABORT":
        other.post(f"{url}/phase", data={"PHASE": "ABORT"})
    else:
        other.delete(url)
    waiter.join(timeout=10)
    assert [answer.status_code for answer in answers] == [status]


def test_wait_ends_after_its_time(client: TestClient) -> None:
    """UWS-029; UWS 1.1 §2.2.1.1: after so many seconds the document comes as it is."""
    assert b"PENDING" in client.get(make(client), params={"WAIT": "1"}).content


def test_no_wait_is_longer_than_proxies_are_patient(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """UWS-031; UWS 1.1 §2.2.1.1: the service may answer sooner than it was asked to, for -1 too."""
    monkeypatch.setattr("vo_server.protocols.uws.LONGEST_WAIT_S", 1)
    url = make(client)
    for asked in ("-1", "999999999"):
        assert b"PENDING" in client.get(url, params={"WAIT": asked}).content


@pytest.mark.parametrize("job_id", ["0" * 32, "x", "%00", "0" * 31 + "%00", "0" * 3000])
def test_a_job_that_does_not_exist(client: TestClient, job_id: str) -> None:
    """UWS-037: nobody learns whether an id is in use by how it is refused."""
    for path in ("", "/phase", "/parameters", "/results", "/results/result", "/error", "/owner"):
        reply = client.get(f"{BASE}/{job_id}{path}")
        assert (reply.status_code, len(reply.content) < 200) == (404, True)


def test_a_wrong_phase_is_named(client: TestClient) -> None:
    """UWS-011: neither RUN nor ABORT."""
    url = make(client)
    assert client.post(f"{url}/phase", data={"PHASE": "GO"}).status_code == 400
    assert client.post(f"{url}/phase", data={}).status_code == 400


def test_capabilities_declare_what_holds(client: TestClient, site: Services) -> None:
    root = etree.fromstring(client.get("/tap/capabilities").content)
    limits = {
        etree.QName(one).localname: (one.findtext("default"), one.findtext("hard")) for one in root.iter() if one.find("hard") is not None
    }
    settings = site.settings
    assert limits["executionDuration"] == (str(settings.async_seconds), str(settings.hard_async_seconds))
    assert limits["retentionPeriod"] == (str(settings.retention_hours * 3600), str(settings.hard_retention_hours * 3600))
    assert client.get(f"{make(client)}/executionduration").text == str(settings.async_seconds)


def test_uploads_stay_with_their_job(client: TestClient, work: Callable[[], int], site: Services) -> None:
    """UWS-023, UWS-015; UWS 1.1 §2.1.11: tables are parameters by reference, and go with the job."""
    query = "SELECT a.x, b.y FROM TAP_UPLOAD.a CROSS JOIN TAP_UPLOAD.b"
    form = {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "csv", "UPLOAD": "a,param:one"}
    url = client.post("/tap/async", data=form, files={"one": ("one.csv", b"x\n1\n2\n")}).headers["location"]
    client.post(f"{url}/parameters", data={"UPLOAD": "b,param:one"}, files={"one": ("two.csv", b"y\n3\n")})
    shown = {parameter.get("id"): parameter for parameter in document(client, f"{url}/parameters").iter(f"{UWS}parameter")}
    assert shown["UPLOAD"].text == "a,param:one;b,param:one"
    assert "one" not in shown
    reference = shown["TAP_UPLOAD.b"]
    assert reference.get("byReference") == "true"
    assert client.get(reference.text).content == b"y\n3\n"
    twice = client.post(f"{url}/parameters", data={"UPLOAD": "A,param:one"}, files={"one": ("two.csv", b"y\n3\n")})
    assert twice.status_code == 400
    assert "two tables are called" in twice.text
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    work()
    assert client.get(f"{url}/results/result").text.splitlines() == ["x,y", "1,3", "2,3"]
    client.delete(url)
    assert site.results.job_ids() == set()
    assert client.get(reference.text).status_code == 404


@pytest.mark.parametrize(("path", "data"), [("phase", {"PHASE": "RUN"}), ("parameters", {"NOTE": "late"})])
def test_what_comes_while_a_table_is_being_kept_waits_for_it(
    client: TestClient, work: Callable[[], int], site: Services, monkeypatch: pytest.MonkeyPatch, path: str, data: dict[str, str]
) -> None:
    """No job is started without a table that it was promised, and of two posts at once none is lost."""
    url = make(client, "SELECT x FROM TAP_UPLOAD.a", RESPONSEFORMAT="csv")
    keep = site.results.write_upload
    others = TestClient(create_app(site), follow_redirects=False)
    other = threading.Thread(target=lambda: others.post(f"{url}/{path}", data=data))

    def write_upload(job_id: str, name: str, chunks: Iterator[bytes]) -> int:
        other.start()
        other.join(0.3)
        assert other.is_alive(), "it waits"
        return keep(job_id, name, chunks)

    monkeypatch.setattr(site.results, "write_upload", write_upload)
    assert client.post(f"{url}/parameters", data={"UPLOAD": "a,param:one"}, files={"one": ("one.csv", b"x\n1\n")}).status_code == 303
    other.join(10)
    shown = {one.get("id") for one in document(client, f"{url}/parameters")}
    assert shown >= {"UPLOAD", "QUERY", *data} - {"PHASE"}
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    work()
    assert client.get(f"{url}/results/result").text.split() == ["x", "1"]


@pytest.mark.parametrize("path", ["/tap/async", "/jobs"])
def test_a_user_with_too_many_jobs_is_told_to_wait(site: Services, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """UWS 1.1 §2.2.3.1: a service may refuse a job; who it is for is the address that a trusted proxy names."""
    monkeypatch.setattr(site.jobs, "terms", replace(site.jobs.terms, unfinished=2))
    proxied = TestClient(create_app(site), follow_redirects=False, client=("127.0.0.1", 4711))
    form = {"LANG": "ADQL", "QUERY": QUERY}

    def post(address: str) -> Any:
        return proxied.post(path, data=form, headers={"X-Forwarded-For": address})

    assert [post("192.0.2.1").status_code for _ in range(2)] == [303, 303]
    refused = post("192.0.2.1")
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    assert "2 jobs that have not ended" in refused.text
    assert post("192.0.2.2").status_code == 303
    with site.database.engine.connect() as connection:
        assert "192.0.2" not in str(connection.execute(text("SELECT * FROM vo.jobs")).all()), "addresses are not kept"


def test_what_one_user_keeps_with_his_jobs_has_a_limit(site: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """UWS-003, UWS 1.1 §2.2.3.1: a job that is refused is not made; what is deleted counts no more; tables added later count too."""
    monkeypatch.setattr(site.jobs, "terms", replace(site.jobs.terms, uploaded_bytes=5000))
    mine, other = (TestClient(create_app(site), follow_redirects=False, client=(f"192.0.2.{one}", 4711)) for one in (1, 2))
    table = b"x\n" + 1499 * b"1\n"
    form = {"LANG": "ADQL", "QUERY": "SELECT x FROM TAP_UPLOAD.a"}

    def post(client: TestClient, path: str = "/tap/async", name: str = "a") -> Any:
        return client.post(path, data={**form, "UPLOAD": f"{name},param:one"}, files={"one": ("one.csv", table)})

    first = post(mine)
    assert first.status_code == 303
    for refused in (post(mine), post(mine, f"{first.headers['location']}/parameters", "b")):
        assert refused.status_code == 403
        assert "beyond the 5000 that one user may keep" in refused.text
    assert "Delete jobs" in refused.text
    large = mine.post("/tap/async", data={"QUERY": 5000 * "x"})
    assert large.status_code == 403, "parameters count too"
    assert site.results.job_ids() == {first.headers["location"].rpartition("/")[2]}
    assert post(other).status_code == 303
    assert mine.delete(first.headers["location"]).status_code == 303
    url = make(mine)
    for _ in range(3):
        assert post(mine, f"{url}/parameters", "no-name").status_code == 400, "what is refused for something else does not count"
    assert post(mine, f"{url}/parameters").status_code == 303
    assert post(mine).status_code == 403


def test_a_job_that_waits_for_its_turn_says_how_many_are_before_it(client: TestClient, site: Services) -> None:
    """UWS-044: the place in the queue."""
    at_once = site.settings.user_running_jobs
    proxied = TestClient(create_app(site), follow_redirects=False, client=("192.0.2.1", 4711))
    urls = [make(proxied, PHASE="RUN") for _ in range(at_once + 2)]
    other = make(TestClient(create_app(site), follow_redirects=False, client=("192.0.2.2", 4711)), PHASE="RUN")
    positions = [document(client, url).findtext(f"{UWS}jobInfo/queuePosition") for url in [*urls[:at_once], other, *urls[at_once:]]]
    assert positions == [str(number + 1) for number in range(at_once + 3)]


@pytest.mark.parametrize(
    ("path", "page"),
    [("/tap/async/{job}", "http://testserver/jobs/{job}"), ("/tap/async", "http://testserver/jobs"), ("/soda/async", None)],
)
def test_a_browsers_window_shows_a_page_and_programs_get_xml(client: TestClient, path: str, page: str | None) -> None:
    """UWS-038; UWS 1.1 §2.2: what a program reads does not depend on what its HTTP client says it accepts."""
    job = make(client).rpartition("/")[2]
    path = path.format(job=job)
    java = {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}
    for headers in (java, {"Accept": "text/html"}, {"Sec-Fetch-Dest": "empty"}, {}):
        reply = client.get(path, headers=headers)
        assert (reply.status_code, reply.headers["content-type"].partition(";")[0]) == (200, "text/xml")
    reply = client.get(
        path, headers={"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Dest": "document"}
    )
    if page is None:
        assert reply.status_code == 200
    else:
        assert (reply.status_code, reply.headers["location"]) == (303, page.format(job=job))
        assert client.get(reply.headers["location"]).headers["content-type"].startswith("text/html")
