"""The same stars by TAP in every format, read by what people use."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from lxml import etree, html
from starlette.testclient import TestClient

from vo_server.formats import FORMATS, Format
from vo_server.services import Services

QUERY = "SELECT name, mag FROM sky.stars ORDER BY mag"


def from_votable(body: bytes) -> list[Any]:
    return [str(name) for name in votable.parse(io.BytesIO(body), verify="exception").get_first_table().array["name"]]


def from_fits(body: bytes) -> list[Any]:
    with fits.open(io.BytesIO(body)) as hdus:
        hdus.verify("exception")
        return [str(name) for name in hdus[1].data["name"]]


READERS: dict[str, Callable[[bytes], list[Any]]] = {
    "vot": from_votable,
    "csv": lambda body: [row["name"] for row in csv.DictReader(io.StringIO(body.decode()))],
    "tsv": lambda body: [row["name"] for row in csv.DictReader(io.StringIO(body.decode()), delimiter="\t")],
    "json": lambda body: [row[0] for row in json.loads(body)["data"]],
    "fits": from_fits,
    "parquet": lambda body: pq.read_table(io.BytesIO(body))["name"].to_pylist(),
    "arrows": lambda body: pa.ipc.open_stream(body).read_all()["name"].to_pylist(),
    "html": lambda body: html.document_fromstring(body.decode()).xpath("//tbody/tr/td[1]/text()"),
    "txt": lambda body: [line.split("  ")[0].rstrip() for line in body.decode().splitlines() if re.match(r"[A-Z]", line)],
}
"""Extension → the names in a body."""


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_format_is_served(client: TestClient, form: Format) -> None:
    """CHECKLIST GEN-010 to GEN-012 (DALI 1.1 §3.4.3)."""
    reply = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": QUERY, "RESPONSEFORMAT": form.aliases[0]})
    assert (reply.status_code, reply.headers["content-type"]) == (200, form.media_type + form.parameters)
    assert reply.headers["content-disposition"] == f'inline; filename="result.{form.extension}"'
    names = [row["name"] for row in csv.DictReader(io.StringIO(csv_of(client)))]
    assert "Côr Caroli" in names
    assert READERS[form.extension](reply.content) == [name.replace("ô", "?") if form.extension == "fits" else name for name in names]


def csv_of(client: TestClient) -> str:
    return client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": QUERY, "RESPONSEFORMAT": "csv"}).text


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_format_serves_no_rows_too(client: TestClient, form: Format) -> None:
    """CHECKLIST GEN-015 (DALI 1.1 §3.4.4)."""
    reply = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": QUERY, "RESPONSEFORMAT": form.media_type, "MAXREC": "0"})
    assert reply.status_code == 200
    assert READERS[form.extension](reply.content) == []


def test_a_failure_among_the_rows_is_told_behind_them(site: Services, client: TestClient) -> None:
    """CHECKLIST GEN-023 (DALI 1.1 §4.4.2): of the database, after the first rows have left; the document stays one."""
    site.settings = site.settings.model_copy(update={"hard_maxrec": 200_000})
    stars = ", ".join(f"sky.stars AS {name}" for name in "abcdef")
    query = f"SELECT 1 / (q.mag - 9.6) AS x FROM (SELECT TOP 200000 a.mag FROM {stars} ORDER BY a.mag) AS q"
    for form in ("votable", "votable/b", "votable/b2"):
        reply = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form, "MAXREC": "200000"})
        assert reply.status_code == 200
        results = votable.parse(io.BytesIO(reply.content), verify="exception").resources[0]
        assert [info.value for info in results.infos if info.name == "QUERY_STATUS"] == ["OK", "ERROR"]
        *_, last = etree.fromstring(reply.content).iterfind("{*}RESOURCE[@type='results']/{*}INFO")
        assert (last.get("name"), last.get("value"), last.getprevious().tag.endswith("TABLE")) == ("QUERY_STATUS", "ERROR", True)
        assert "division by zero" in last.text
        assert 25_000 <= len(results.tables[0].array) <= 6 * 7**5
