"""UWS 1.1 seen from outside: a running server and its worker, pyvo and plain HTTP, and what PostgreSQL does meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pyvo
from astropy.table import Table
from lxml import etree
from sqlalchemy import text

from tests.waiting import ENDLESS, SOON_S, until
from vo_server.db.database import Database

UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"
SHORT = "SELECT TOP 1 name FROM sky.sources"
ROWS = 1_000_000
MANY = f"SELECT TOP {ROWS} a.column_name, b.description FROM " + ", ".join(f"tap_schema.columns AS {name}" for name in "abcd")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
"""pyvo leaves connections open."""


@pytest.fixture
def client(live: str) -> Iterator[httpx2.Client]:
    with closing(httpx2.Client(base_url=live, timeout=SOON_S)) as client:
        yield client


def make(client: httpx2.Client, query: str, **more: str) -> str:
    reply = client.post("/tap/async", data={"LANG": "ADQL", "QUERY": query, **more})
    assert reply.status_code == 303, reply.text
    return reply.headers["location"]


def document(client: httpx2.Client, url: str, **params: object) -> Any:
    return etree.fromstring(client.get(url, params=params).raise_for_status().content)


def phase(client: httpx2.Client, url: str) -> str:
    return client.get(f"{url}/phase").text


def queries(database: Database) -> int:
    """How many of users' queries PostgreSQL computes."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%'"
    with database.engine.connect() as connection:
        return int(connection.execute(text(statement)).scalar_one())


@pytest.mark.parametrize("way", ["PHASE=ABORT", "DELETE", "ACTION=DELETE", "DESTRUCTION"])
def test_the_query_of_a_job_that_is_ended_is_cancelled(client: httpx2.Client, database: Database, way: str) -> None:
    """UWS-010, UWS-012, UWS-013, UWS-015, UWS-020; UWS 1.1 §2.2.3.2, §2.2.3.4: PostgreSQL computes it no longer."""
    url = make(client, ENDLESS, PHASE="RUN")
    until(lambda: queries(database) == 1)
    assert phase(client, url) == "EXECUTING"
    ask: dict[str, Callable[[], Any]] = {
        "PHASE=ABORT": lambda: client.post(f"{url}/phase", data={"PHASE": "ABORT"}),
        "DELETE": lambda: client.delete(url),
        "ACTION=DELETE": lambda: client.post(url, data={"ACTION": "DELETE"}),
        "DESTRUCTION": lambda: client.post(f"{url}/destruction", data={"DESTRUCTION": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"}),
    }
    assert ask[way]().status_code == 303
    if way == "PHASE=ABORT":
        assert phase(client, url) == "ABORTED"
        assert client.post(f"{url}/phase", data={"PHASE": "ABORT"}).status_code == 403
    else:
        assert client.get(url).status_code == 404
    until(lambda: queries(database) == 0)


def test_pyvo_aborts_and_deletes(live: str, database: Database) -> None:
    """UWS-010, UWS-015: the methods of pyvo's jobs, on one that runs."""
    service = pyvo.dal.TAPService(f"{live}/tap")
    for end in (pyvo.dal.AsyncTAPJob.abort, pyvo.dal.AsyncTAPJob.delete):
        job = service.submit_job(ENDLESS)
        job.run()
        until(lambda: queries(database) == 1)
        end(job)
        until(lambda: queries(database) == 0)


def test_pyvo_lists_jobs(live: str) -> None:
    """UWS-002, UWS-006, UWS-007, UWS-033, UWS-034; UWS 1.1 §2.2.2.1: filters as pyvo writes them, of the jobs of its session."""
    service = pyvo.dal.TAPService(f"{live}/tap")
    begin = datetime.now(UTC)
    jobs = [service.submit_job(SHORT, runid=f"number {number}") for number in range(3)]
    jobs[0].run().wait(timeout=SOON_S)
    jobs[1].abort()
    listed = service.get_job_list()
    assert [(job.jobid, job.phase, job.runid) for job in listed] == [
        (jobs[number].job_id, phase, f"number {number}") for number, phase in ((2, "PENDING"), (1, "ABORTED"), (0, "COMPLETED"))
    ]
    assert all(begin - timedelta(seconds=1) < job.creationtime.to_datetime(UTC) < datetime.now(UTC) for job in listed)
    assert [job.phase for job in service.get_job_list(phases=["COMPLETED", "ABORTED"])] == ["ABORTED", "COMPLETED"]
    assert [job.phase for job in service.get_job_list(last=1)] == ["PENDING"]
    assert [job.phase for job in service.get_job_list(phases=["COMPLETED"], last=5, after=begin - timedelta(minutes=1))] == ["COMPLETED"]
    assert service.get_job_list(after=begin + timedelta(hours=1)) == []
    assert service.get_job_list(phases=["ARCHIVED"]) == []
    assert pyvo.dal.TAPService(f"{live}/tap").get_job_list() == [], "another session"
    for job in jobs:
        job.delete()
    assert service.get_job_list() == [], "deleted ones are never shown"


def test_waiting_for_each_phase(client: httpx2.Client, database: Database) -> None:
    """UWS-029, UWS-030, UWS-032; UWS 1.1 §2.2.1.1: who waits is answered when the phase changes, whoever changes it, and not before."""
    url = make(client, ENDLESS)
    for before, change, after in (("PENDING", "RUN", ("QUEUED", "EXECUTING")), ("EXECUTING", "ABORT", ("ABORTED",))):
        until(lambda before=before: phase(client, url) == before)
        answers: list[Any] = []
        waiter = threading.Thread(target=lambda before=before, to=answers: to.append(document(client, url, WAIT=-1, PHASE=before)))
        waiter.start()
        waiter.join(0.3)
        assert waiter.is_alive(), "nothing has changed yet"
        assert document(client, url, WAIT=20, PHASE="COMPLETED").findtext(f"{UWS}phase") == before, "at once: it is not in that phase"
        client.post(f"{url}/phase", data={"PHASE": change})
        waiter.join(SOON_S)
        assert answers[0].findtext(f"{UWS}phase") in after
    assert document(client, url, WAIT=-1).findtext(f"{UWS}phase") == "ABORTED", "at once: nothing follows"
    url = make(client, ENDLESS)
    gone: list[int] = []
    waiter = threading.Thread(target=lambda: gone.append(client.get(url, params={"WAIT": 20}).status_code))
    waiter.start()
    client.delete(url)
    waiter.join(SOON_S)
    assert gone == [404]


def test_progress(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """UWS-044, UWS 1.1 §2.1.2: rows written so far while it is EXECUTING, all of them in the end; pyvo reads both."""
    monkeypatch.setattr("vo_server.jobs.worker.PROGRESS_S", 0.02)
    url = make(client, MANY, PHASE="RUN", MAXREC=str(ROWS), RESPONSEFORMAT="csv")
    seen: list[tuple[str, int]] = []

    def is_over() -> bool:
        job = pyvo.dal.AsyncTAPJob(url).job
        rows = None if job.jobinfo is None else job.jobinfo.get("rows")
        seen.append((job.phase, int(rows.value) if rows is not None else 0))
        return job.phase not in ("QUEUED", "EXECUTING")

    until(is_over)
    assert seen[-1] == ("COMPLETED", ROWS)
    counted = [rows for phase, rows in seen if phase == "EXECUTING"]
    assert counted == sorted(counted)
    assert any(0 < rows < ROWS for rows in counted)
    client.delete(url)


def test_pyvo_shows_why_an_upload_is_refused(client: httpx2.Client, live: str, database: Database) -> None:
    """UWS-003; UWS 1.1 §2.2.3.1: 403 with our words; of 429 pyvo would show its own only, and to try again later helps nobody."""
    service = pyvo.dal.TAPService(f"{live}/tap")
    table = Table({"x": [1, 2, 3]})
    job = service.submit_job("SELECT x FROM TAP_UPLOAD.t", uploads={"t": table})
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.jobs SET uploaded_bytes = 999999999 WHERE job_id = :id"), {"id": job.job_id})
    with pytest.raises(pyvo.dal.DALServiceError, match=r"beyond the 1000000000 that one user may keep\. Delete jobs"):
        service.submit_job("SELECT x FROM TAP_UPLOAD.t", uploads={"t": table})
    job.delete()
    service.submit_job("SELECT x FROM TAP_UPLOAD.t", uploads={"t": table}).delete()


def test_results_and_uploads_have_addresses_that_work(client: httpx2.Client, live: str, tmp_path: Path) -> None:
    """UWS-005, UWS-023, UWS-026, UWS-042; UWS 1.1 §2.1.11: absolute, on the job's own host."""
    form = {"LANG": "ADQL", "QUERY": "SELECT x FROM TAP_UPLOAD.mine", "UPLOAD": "mine,param:t", "PHASE": "RUN", "RESPONSEFORMAT": "csv"}
    url = client.post("/tap/async", data=form, files={"t": ("t.csv", b"x\n1\n")}).headers["location"]
    job = document(client, url, WAIT=20, PHASE="QUEUED")
    until(lambda: phase(client, url) == "COMPLETED")
    job = document(client, url)
    assert url == f"{live}/tap/async/{job.findtext(f'{UWS}jobId')}"
    (result,) = job.iter(f"{UWS}result")
    (upload,) = (one for one in job.iter(f"{UWS}parameter") if one.get("byReference") == "true")
    href = result.get("{http://www.w3.org/1999/xlink}href")
    assert href.startswith(f"{url}/results/")
    assert upload.text.startswith(url)
    body = client.get(href, headers={"Accept-Encoding": "identity"})
    assert (body.text.split(), len(body.content)) == (["x", "1"], int(result.get("size")))
    assert body.headers["content-type"] == result.get("mime-type")
    assert client.get(upload.text).content == b"x\n1\n"
    names = [one.get("id") for one in job.iter(f"{UWS}parameter")]
    assert len({name.upper() for name in names}) == len(names)
    client.delete(url)
