"""Datasets over HTTP: whole, in ranges, unchanged, and nothing outside the collection's directory."""

import gzip
from datetime import UTC
from pathlib import Path

import datasets
import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from vo_server.db import schema
from vo_server.db.database import Database
from vo_server.services import Services

CONTENT = b"SIMPLE  =                    T" + bytes(range(256)) * 600


@pytest.fixture
def root(site: Services, database: Database, tmp_path: Path) -> Path:
    root = tmp_path / "images"
    root.mkdir()
    (root / "night 1").mkdir()
    (root / "night 1" / "field.fits").write_bytes(CONTENT)
    (root / "field.fits.gz").write_bytes(gzip.compress(CONTENT))
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    with database.engine.begin() as connection:
        connection.execute(insert(schema.collections).values(collection="maps", root=str(root)))
    return root


ADDRESS = "/files/maps/night%201/field.fits"


def test_a_whole_file(client: TestClient, root: Path) -> None:
    reply = client.get(ADDRESS, headers={"Accept-Encoding": "gzip"})
    assert reply.status_code == 200
    assert reply.content == CONTENT
    assert reply.headers["content-type"] == "application/fits"
    assert reply.headers["content-length"] == str(len(CONTENT))
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-disposition"] == 'inline; filename="field.fits"'
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["etag"]
    assert reply.headers["last-modified"]


def test_compressed_files_stay_as_they_are(client: TestClient, root: Path) -> None:
    """CHECKLIST GEN-037."""
    reply = client.get("/files/maps/field.fits.gz", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in reply.headers
    assert gzip.decompress(reply.content) == CONTENT


def test_head_says_what_get_would(client: TestClient, root: Path) -> None:
    head, got = client.head(ADDRESS), client.get(ADDRESS)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "x-request-id": ""} == {**got.headers, "x-request-id": ""}


def test_one_range(client: TestClient, root: Path) -> None:
    """CHECKLIST GEN-037 (RFC 9110 §14)."""
    size = len(CONTENT)
    for asked, first, last in (("bytes=0-2879", 0, 2879), ("bytes=100-", 100, size - 1), ("bytes=-10", size - 10, size - 1)):
        reply = client.get(ADDRESS, headers={"Range": asked})
        assert reply.status_code == 206
        assert reply.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert reply.headers["content-length"] == str(last - first + 1)
        assert reply.content == CONTENT[first : last + 1]


def test_several_ranges(client: TestClient, root: Path) -> None:
    reply = client.get(ADDRESS, headers={"Range": "bytes=0-9, 1000-1009"})
    assert reply.status_code == 206
    assert reply.headers["content-type"].startswith("multipart/byteranges")
    assert CONTENT[:10] in reply.content
    assert CONTENT[1000:1010] in reply.content


def test_a_range_beyond_the_end_cannot_be_had(client: TestClient, root: Path) -> None:
    """CHECKLIST GEN-037."""
    reply = client.get(ADDRESS, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert reply.status_code == 416
    assert reply.headers["content-range"] == f"bytes */{len(CONTENT)}"


def test_ranges_nobody_understands_are_ignored(client: TestClient, root: Path) -> None:
    for asked in ("lines=1-2", "bytes", "bytes=", "bytes=a-b", "bytes=1--2", "bytes=5-2", "bytes=0-9, 5-2"):
        reply = client.get(ADDRESS, headers={"Range": asked})
        assert (reply.status_code, reply.content) == (200, CONTENT), asked


def test_copies_that_are_still_good_are_not_sent_again(client: TestClient, root: Path) -> None:
    """CHECKLIST GEN-037."""
    first = client.get(ADDRESS)
    for header, value in (("If-None-Match", first.headers["etag"]), ("If-Modified-Since", first.headers["last-modified"])):
        again = client.get(ADDRESS, headers={header: value})
        assert (again.status_code, again.content) == (304, b"")
    (root / "night 1" / "field.fits").write_bytes(CONTENT + b"more")
    changed = client.get(ADDRESS, headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, len(changed.content)) == (200, len(CONTENT) + 4)


def test_a_range_of_a_file_that_changed_is_the_whole_file(client: TestClient, root: Path) -> None:
    stale = client.get(ADDRESS, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, CONTENT)
    fresh = client.get(ADDRESS, headers={"Range": "bytes=0-9", "If-Range": client.head(ADDRESS).headers["etag"]})
    assert (fresh.status_code, fresh.content) == (206, CONTENT[:10])


ELSEWHERE = (
    "maps/missing.fits",
    "maps/night%201",
    "maps/",
    "maps/link.txt",
    "maps/..%2Fsecret.txt",
    "maps/night%201/..%2F..%2Fsecret.txt",
    "maps/%2Fetc%2Fpasswd",
    "maps/a%00b",
    "ma%00ps/field.fits",
    "maps/" + "x" * 300,
    "other/field.fits",
    "maps",
)


def test_nothing_else_is_served(client: TestClient, root: Path) -> None:
    for path in ELSEWHERE:
        reply = client.get(f"/files/{path}")
        assert reply.status_code == 404, path
        assert reply.text.replace("secret.txt", "").count("secret") == 0
        assert "root:" not in reply.text
        assert str(root) not in reply.text


@pytest.mark.usefixtures("sky")
def test_what_is_not_released_says_from_when_it_is(client: TestClient, tmp_path: Path) -> None:
    """Under every name of the file, and what belongs to it alone as well."""
    (tmp_path / "sky" / "link.fits").symlink_to("late.fits")
    for path in ("late.fits", "./late.fits", "x/../late.fits", "%6Cate.fits", "late.fits/", "link.fits", "late.png"):
        for reply in (client.get(f"/files/sky/{path}"), client.head(f"/files/sky/{path}")):
            assert reply.status_code in (403, 404), path
            assert reply.request.method == "HEAD" or reply.status_code == 404 or "2031-05-06T00:00:00Z" in reply.text
    assert client.get("/files/sky/late.fits", headers={"Range": "bytes=0-9"}).status_code == 403
    assert client.get("/files/sky/image.fits").status_code == 200


@pytest.mark.usefixtures("sky")
def test_what_is_released_is_served(site: Services, client: TestClient) -> None:
    site.clock = lambda: datasets.RELEASE.replace(tzinfo=UTC)
    assert client.get("/files/sky/late.fits").status_code == 200
    assert client.get("/files/sky/late.png").status_code == 200
