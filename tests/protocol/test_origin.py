"""Answers tell where their rows come from (IVOA Note Data Origin in the VO 1.1), as astropy reads it."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from astropy.io.votable import parse
from astropy.io.votable.dataorigin import DataOrigin, extract_data_origin
from starlette.testclient import TestClient

from vo_server import __version__
from vo_server.app import record_keeper
from vo_server.model.resource import Creator, Resource, Site
from vo_server.protocols import scs, scs2, sia1, sia2, ssa, tap
from vo_server.publish import PublishOptions, publish_file
from vo_server.query.origin import MOST_CREATORS, data_origin
from vo_server.services import Services

ADQL = "SELECT TOP 1 name FROM sky.stars"

ASKED = [
    ("tap/sync", {"LANG": "ADQL", "QUERY": ADQL}, tap.STANDARD_ID, "tap"),
    ("scs/sky.stars", {"RA": "10", "DEC": "20", "SR": "1"}, scs.STANDARD_ID, "sky/stars"),
    ("scs2", {"TABLE": "sky.stars", "RA": "10", "DEC": "20", "SR": "1"}, scs2.STANDARD_ID, "sky/stars"),
    ("sia2/query", {"POS": "CIRCLE 10 20 1"}, sia2.STANDARD_ID, "sia2"),
    ("sia1", {"POS": "10,20", "SIZE": "1"}, sia1.STANDARD_ID, "sia1"),
    ("ssa", {"REQUEST": "queryData", "POS": "10,20", "SIZE": "1"}, ssa.STANDARD_ID, "ssa"),
]
"""Address, parameters, protocol, what the service's ivoid ends in."""


def origin(client: TestClient, path: str, parameters: dict[str, str]) -> DataOrigin:
    reply = client.get(f"/{path}", params=parameters)
    assert reply.status_code == 200
    return extract_data_origin(parse(io.BytesIO(reply.content), verify="ignore"))


@pytest.mark.parametrize(("path", "parameters", "standard", "service"), ASKED, ids=[path for path, *_ in ASKED])
def test_how_rows_were_asked_for(client: TestClient, path: str, parameters: dict[str, str], standard: str, service: str) -> None:
    query = origin(client, path, parameters).query
    site = Site()
    assert (query.service_protocol, query.service_ivoid) == (standard, site.ivoid(service))
    assert (query.publisher, query.contact, query.server_software) == (site.organisation, site.contact_email, f"vo-server/{__version__}")
    assert abs(datetime.fromisoformat(query.request_date) - datetime.now(UTC)).total_seconds() < 60
    if path == "tap/sync":
        assert (query.query, query.request) == (ADQL, None)
    else:
        parts = urlsplit(query.request)
        assert (parts.netloc, parts.path) == ("testserver", f"/{path}")
        assert {name: values[0] for name, values in parse_qs(parts.query).items()} == parameters


@pytest.mark.parametrize(("path", "parameters"), [one[:2] for one in ASKED[:3]], ids=[path for path, *_ in ASKED[:3]])
def test_which_data_they_are_of(site: Services, client: TestClient, path: str, parameters: dict[str, str]) -> None:
    (data,) = origin(client, path, parameters)
    (resource,) = site.resources()
    assert data.data_ivoid == [site.site().ivoid(resource.id)]
    assert data.publication_date == [resource.created.strftime("%Y-%m-%dT%H:%M:%SZ")]
    assert data.last_update_date


def test_every_table_of_a_query_is_told_once(site: Services, client: TestClient, tmp_path: Path) -> None:
    """Wherever it stands: joined, in a subquery, in WITH; tables of standards belong to nobody."""
    file = tmp_path / "more.csv"
    file.write_text("name,x\nVega,1\n")
    publish_file(site.database, file, PublishOptions(schema="sky"), records=record_keeper(site.settings), progress=None)
    query = (
        "WITH w AS (SELECT name FROM sky.more) SELECT s.name FROM sky.stars AS s JOIN sky.stars AS t ON s.name = t.name "
        "WHERE s.name IN (SELECT name FROM w) AND EXISTS (SELECT 1 FROM tap_schema.tables)"
    )
    (data,) = origin(client, "tap/sync", {"LANG": "ADQL", "QUERY": query})
    assert data.data_ivoid == [site.site().ivoid("sky/more"), site.site().ivoid("sky/stars")]


def test_all_that_is_known_of_a_resource() -> None:
    long_ago = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    resource = Resource(
        schema="s",
        name="r",
        title="T",
        description="D",
        created=long_ago,
        updated=long_ago,
        creators=(Creator("Doe, J."),),
        reference_url="https://example.org/r",
        source="2020ApJ...900....1D",
        doi="https://doi.org/10.1/x",
        rights="CC BY",
        rights_uri="https://spdx.org/licenses/CC-BY-4.0.html",
    )
    assert [(info.name, info.value) for info in data_origin(Site(), resource)] == [
        ("data_ivoid", "ivo://example.vo-server/s/r"),
        ("citation", "doi:10.1/x"),
        ("article", "2020ApJ...900....1D"),
        ("reference_url", "https://example.org/r"),
        ("creator", "Doe, J."),
        ("rights_uri", "https://spdx.org/licenses/CC-BY-4.0.html"),
        ("rights", "CC BY"),
        ("publication_date", "2020-01-02T03:04:05Z"),
        ("last_update_date", "2020-01-02T03:04:05Z"),
    ]
    many = replace(resource, creators=tuple(Creator(f"Author {number}") for number in range(500)))
    told = [info.value for info in data_origin(Site(), many) if info.name == "creator"]
    assert told == [*(f"Author {number}" for number in range(MOST_CREATORS)), "et al."]


def test_what_a_form_may_hold_is_not_all_repeated(client: TestClient) -> None:
    form = {"RA": "10", "DEC": "20", "SR": "1", "NOTE": "x" * 10_000}
    table = parse(io.BytesIO(client.post("/scs/sky.stars", data=form).content), verify="ignore")
    assert extract_data_origin(table).query.request is None


def test_other_formats_tell_it_too(client: TestClient) -> None:
    asked = {"LANG": "ADQL", "QUERY": "SELECT TOP 1 * FROM sky.stars", "RESPONSEFORMAT": "arrow"}
    words = pa.ipc.open_stream(client.get("/tap/sync", params=asked).content).schema.metadata
    assert words[b"INFO.data_ivoid"].endswith(b"sky/stars")
    asked["RESPONSEFORMAT"] = "json"
    infos = {info["name"] for info in client.get("/tap/sync", params=asked).json()["infos"]}
    assert infos >= {"data_ivoid", "publisher", "request_date", "query", "service_protocol"}
