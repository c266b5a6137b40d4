"""MAXREC and overflow, row by row and format by format (DALI 1.1 §3.4.4, §4.4.1; TAP 1.1 §2.7.4)."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from lxml import etree, html
from starlette.testclient import TestClient

from tests.live import run_newest_job
from vo_server.app import create_app
from vo_server.formats import FORMATS, Format
from vo_server.services import Services

ROWS = 7
"""Rows of sky.stars."""
STATUS = "x-vo-query-status"
JOB_INFO = "{http://www.ivoa.net/xml/UWS/v1.0}jobInfo"


@dataclass(frozen=True)
class Read:
    """What a body holds: rows, and whether it says that some are missing; None where the format has no words for that."""

    rows: int
    overflow: bool | None


def read_votable(body: bytes) -> Read:
    """The last QUERY_STATUS, behind the TABLE, counts; the first one is OK and before it."""
    table = votable.parse(io.BytesIO(body), verify="ignore").get_first_table()
    results = etree.fromstring(body).find("{*}RESOURCE[@type='results']")
    said = [
        (child.get("value"), results.find("{*}TABLE") in list(child.itersiblings(preceding=True)))
        for child in results.iterchildren("{*}INFO")
        if child.get("name") == "QUERY_STATUS"
    ]
    assert said in ([("OK", False)], [("OK", False), ("OVERFLOW", True)])
    return Read(len(table.array), len(said) == 2)


def read_json(body: bytes) -> Read:
    said = json.loads(body)
    assert said["rows"] == len(said["data"])
    return Read(said["rows"], said["overflow"])


def read_fits(body: bytes) -> Read:
    with fits.open(io.BytesIO(body)) as hdus:
        hdus.verify("exception")
        return Read(len(hdus[1].data), {"OK": False, "OVERFLOW": True}[hdus[1].header["QSTATUS"]])


def read_parquet(body: bytes) -> Read:
    table = pq.read_table(io.BytesIO(body))
    footer = pq.read_metadata(io.BytesIO(body)).metadata[b"IVOA.VOTable-Parquet.content"]
    return Read(table.num_rows, b'value="OVERFLOW"' in footer)


def read_arrow(body: bytes) -> Read:
    rows, overflow = 0, False
    with pa.ipc.open_stream(body) as reader:
        for batch, words in reader.iter_batches_with_custom_metadata():
            rows += batch.num_rows
            overflow |= words is not None and words.get(b"QUERY_STATUS") == b"OVERFLOW"
    return Read(rows, overflow)


def read_html(body: bytes) -> Read:
    page = html.document_fromstring(body.decode())
    return Read(len(page.xpath("//tbody/tr")), bool(page.xpath("//p[@class='missing']")))


def read_text(body: bytes) -> Read:
    lines = body.decode().splitlines()
    (said,) = (int(line.split()[1]) for line in lines if re.fullmatch(r"# \d+ rows?", line))
    rule = next(number for number, line in enumerate(lines) if re.fullmatch(r"-+( +-+)*", line))
    rows = sum(not line.startswith("#") for line in lines[rule + 1 :])
    assert rows == said
    return Read(rows, any(line.startswith("# OVERFLOW") for line in lines))


def read_lines(delimiter: str) -> Callable[[bytes], Read]:
    return lambda body: Read(len(list(csv.reader(io.StringIO(body.decode()), delimiter=delimiter))) - 1, None)


READERS: dict[str, Callable[[bytes], Read]] = {
    "vot": read_votable,
    "csv": read_lines(","),
    "tsv": read_lines("\t"),
    "json": read_json,
    "fits": read_fits,
    "parquet": read_parquet,
    "arrows": read_arrow,
    "html": read_html,
    "txt": read_text,
}
"""Extension → its reader."""

CASES: dict[str, tuple[str, int | None, int, bool]] = {
    "one less than there are": ("", ROWS - 1, ROWS - 1, True),
    "as many as there are": ("", ROWS, ROWS, False),
    "one more than there are": ("", ROWS + 1, ROWS, False),
    "none": ("", 0, 0, True),
    "no limit": ("", None, ROWS, False),
    "a TOP as large": ("TOP 3", 3, 3, False),
    "a larger TOP": ("TOP 4", 3, 3, True),
    "a smaller TOP": ("TOP 2", 3, 2, False),
    "TOP 0": ("TOP 0", None, 0, False),
    "TOP 0 and none": ("TOP 0", 0, 0, False),
    "a TOP of all": (f"TOP {ROWS}", ROWS, ROWS, False),
    "a TOP beyond all": (f"TOP {ROWS + 1}", ROWS, ROWS, False),
}
"""Case → TOP of the query, MAXREC, rows that come, whether rows are missing. What TOP leaves out is not missing: it was not asked for."""


def asked(top: str, maxrec: int | None, form: Format) -> dict[str, str]:
    limit = {} if maxrec is None else {"MAXREC": str(maxrec)}
    query = f"SELECT {top} name, ra, mag, seen FROM sky.stars"
    return {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form.aliases[0], **limit}


@pytest.fixture
def client(site: Services) -> TestClient:
    return TestClient(create_app(site), follow_redirects=False)


def test_every_format_has_exactly_the_rows_and_says_whether_some_are_missing(client: TestClient) -> None:
    """CHECKLIST GEN-015 to GEN-018, of synchronous answers. These are small, so that the header says it too, and for CSV and TSV alone."""
    for form in FORMATS:
        for name, (top, maxrec, rows, overflow) in CASES.items():
            reply = client.get("/tap/sync", params=asked(top, maxrec, form))
            read = READERS[form.extension](reply.content)
            assert (form.name, name, read.rows, read.overflow in (None, overflow)) == (form.name, name, rows, True)
            assert reply.headers[STATUS] == ("OVERFLOW" if overflow else "OK")


def test_jobs_have_exactly_the_rows_and_say_it_for_every_format(site: Services, client: TestClient) -> None:
    """Asynchronously: the job's document and the header say it, whatever the format and however many rows there are."""
    for form in FORMATS:
        for name in ("one less than there are", "as many as there are", "none", "TOP 0", "a larger TOP"):
            top, maxrec, rows, overflow = CASES[name]
            url = client.post("/tap/async", data={**asked(top, maxrec, form), "PHASE": "RUN"}).headers["location"]
            run_newest_job(site)
            reply = client.get(f"{url}/results/result")
            read = READERS[form.extension](reply.content)
            assert (form.name, name, read.rows, read.overflow in (None, overflow)) == (form.name, name, rows, True)
            job = etree.fromstring(client.get(url).content)
            status = "OVERFLOW" if overflow else "OK"
            said = (job.findtext(f"{JOB_INFO}/queryStatus"), job.findtext(f"{JOB_INFO}/rows"), reply.headers[STATUS])
            assert said == (status, str(rows), status)


def test_an_answer_whose_end_is_not_known_yet_has_no_header(client: TestClient) -> None:
    query = "SELECT a.column_name, b.column_name AS other FROM tap_schema.columns AS a, tap_schema.columns AS b"
    reply = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "csv", "MAXREC": "3000"})
    assert (STATUS in reply.headers, READERS["csv"](reply.content).rows) == (False, 3000)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("scs/sky.stars", {"RA": "0", "DEC": "0", "SR": "180"}),
        ("scs2", {"TABLE": "sky.stars", "RA": "0", "DEC": "0", "SR": "180"}),
    ],
)
def test_cone_searches_do_so_too(client: TestClient, path: str, words: dict[str, str]) -> None:
    for maxrec, rows, overflow in ((ROWS - 1, ROWS - 1, True), (ROWS, ROWS, False), (ROWS + 1, ROWS, False), (0, 0, True)):
        reply = client.get(f"/{path}", params={**words, "MAXREC": str(maxrec)})
        assert read_votable(reply.content) == Read(rows, overflow)
