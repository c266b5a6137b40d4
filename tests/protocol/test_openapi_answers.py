"""Every address of /openapi.json answers, with the status and in a media type that are described there."""

from pathlib import Path

import datasets
import pytest
from starlette.testclient import TestClient

from tests.live import run_newest_job
from vo_server.app import create_app
from vo_server.services import Services

QUERY = {"LANG": "ADQL", "QUERY": "SELECT name FROM sky.stars"}
CONE = {"RA": "0", "DEC": "0", "SR": "1"}
IMAGE = datasets.identifier("image")

SAID: dict[str, dict[str, str]] = {
    "/query/check": {"QUERY": QUERY["QUERY"]},
    "/query/columns.json": {"table": "sky.stars"},
    "/dataset": {"ID": IMAGE},
    "/plots/footprint.svg": {"ID": IMAGE},
    "/plots/coverage.svg": {"resource": "sky/stars"},
    "/plots/sky.svg": {"table": "sky.stars"},
    "/plots/columns.svg": {"table": "sky.stars", "x": "ra", "y": "dec"},
    "/sky": {"ID": IMAGE},
    "/sky/frame": {"ID": IMAGE},
    "/sky/layers.json": {"ID": IMAGE},
    "/tap/sync": QUERY,
    "/scs/{table}": CONE,
    "/scs2": {"TABLE": "sky.stars", **CONE},
    "/scs2/{table}/scs2": CONE,
    "/sia1": {"POS": "83.6,22", "SIZE": "1"},
    "/ssa": {"REQUEST": "queryData", "POS": "83.6,22", "SIZE": "1"},
    "/datalink/links": {"ID": IMAGE},
    "/soda/sync": {"ID": IMAGE},
    "/oai": {"verb": "Identify"},
}
"""Address → parameters that it needs."""

NAMES = {"/resources/{schema}/{name}": {"name": "stars"}, "/tap/async/{job_id}/uploads/{name}": {"name": "mine"}}
PLACES = {"table": "sky.stars", "name": "sky.stars", "schema": "sky", "collection": "sky", "path": "image.fits"}
"""Variable of an address → something that is there."""


@pytest.fixture
def client(site: Services, sky: Path) -> TestClient:
    return TestClient(create_app(site), follow_redirects=False)


JOBS: dict[str, tuple[str, dict[str, str]]] = {
    "/tap": ("/tap/async", {**QUERY, "UPLOAD": "mine,param:mine"}),
    "/soda": ("/soda/async", {"ID": IMAGE}),
    "/tap/async/{job_id}/error": ("/tap/async", {**QUERY, "QUERY": "DUFF"}),
    "/soda/async/{job_id}/error": ("/soda/async", {"ID": "ivo://nobody/x"}),
}
"""How an address begins → the job that it is asked for, the last one that fits."""


def bare(media_type: str) -> str:
    return media_type.replace(" ", "").lower().removesuffix(";charset=utf-8")


def test_every_address_answers_as_it_is_described(site: Services, client: TestClient) -> None:
    jobs = {}
    for path, (jobs_url, said) in JOBS.items():
        files = {"mine": b"a\n1\n"} if "UPLOAD" in said else None
        jobs[path] = client.post(jobs_url, data={**said, "PHASE": "RUN"}, files=files).headers["location"].rpartition("/")[2]
        run_newest_job(site)
    bad = []
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        if "get" not in methods or path.startswith(("/soda/async/{job_id}/uploads", "/files/{collection}", "/jobs/{job_id}")):
            continue  # nothing is uploaded to SODA; files and jobs have tests of their own
        job = [jobs[start] for start in jobs if path.startswith(start)]
        places = {**PLACES, **NAMES.get(path, {}), "job_id": job[-1] if job else ""}
        reply = client.get(path.format(**places), params=SAID.get(path))
        described = methods["get"]["responses"]
        types = {bare(kind) for kind in described.get("200", {}).get("content", {})}
        if str(reply.status_code) not in described or bare(reply.headers["content-type"]) not in types:
            bad.append(f"{path}: {reply.status_code} {reply.headers['content-type']} {reply.text[:80]}")
    assert not bad, "\n".join(bad)


def test_every_form_is_read(client: TestClient) -> None:
    """A POST without any content says what is missing, or does nothing; none of them is a surprise."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        if "post" in methods:
            reply = client.post(path.format(**PLACES, job_id="none"))
            assert reply.status_code not in (405, 500), path
            assert reply.status_code in (200, 303, 400, 404), (path, reply.status_code)
