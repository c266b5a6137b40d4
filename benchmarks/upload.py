"""Uploads over HTTP: a table of positions sent with a query, matched with a published table, and the answer read to its last byte.

    vo publish tycho2.parquet ; vo serve
    python benchmarks/upload.py http://127.0.0.1:8000 data.tycho2 --radius 2

For each number of rows and each format of the upload: seconds from the first byte sent to the last one received, the best and the median
of a few rounds, for ``SELECT COUNT(*)`` of the upload alone (what sending, reading and storing take) and for the match. Half of the
positions are those of published rows, moved by less than the radius; the others lie anywhere on the sky. `--async` sends the match as
a job too.
"""

import argparse
import csv
import http.client
import io
import statistics
import time
import uuid
import xml.etree.ElementTree as ET
from math import asin, cos, degrees, radians
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pyarrow
import pyarrow.parquet
from astropy.table import Table

VOTABLES = {"tabledata": "tabledata", "binary": "binary", "binary2": "binary2"}
MAXREC = 10_000_000
UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"


class Service:
    """One connection to a TAP service."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.path = parts.path.rstrip("/")
        self.connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        self.connection.request(method, path, body, headers or {})
        reply = self.connection.getresponse()
        content = reply.read()
        if reply.status >= 400:
            raise SystemExit(content.decode())
        return reply, content

    def query(self, text: str, **more: str) -> str:
        form = urlencode({"LANG": "ADQL", "QUERY": text, "RESPONSEFORMAT": "csv", **more}).encode()
        return self.send("POST", f"{self.path}/tap/sync", form, {"Content-Type": "application/x-www-form-urlencoded"})[1].decode()

    def upload(self, text: str, content: bytes) -> str:
        body, kind = multipart(
            {"LANG": "ADQL", "QUERY": text, "RESPONSEFORMAT": "csv", "MAXREC": str(MAXREC), "UPLOAD": "mine,param:t"}, content
        )
        return self.send("POST", f"{self.path}/tap/sync", body, {"Content-Type": kind})[1].decode()

    def job(self, text: str, content: bytes) -> str:
        fields = {"LANG": "ADQL", "QUERY": text, "RESPONSEFORMAT": "csv", "MAXREC": str(MAXREC), "UPLOAD": "mine,param:t", "PHASE": "RUN"}
        body, kind = multipart(fields, content)
        reply, _ = self.send("POST", f"{self.path}/tap/async", body, {"Content-Type": kind})
        url = urlsplit(reply.headers["Location"]).path
        phase = "QUEUED"
        while phase in ("QUEUED", "EXECUTING"):
            _, document = self.send("GET", f"{url}?WAIT=30&PHASE={phase}")
            phase = ET.fromstring(document).findtext(f"{UWS}phase") or ""
        result = self.send("GET", f"{url}/results/result")[1].decode()
        self.send("DELETE", url)
        return result


def multipart(fields: dict[str, str], content: bytes) -> tuple[bytes, str]:
    """A form with one file called ``t``, and its content type."""
    boundary = uuid.uuid4().hex
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="t"; filename="t"\r\n\r\n'.encode()
    return b"".join([*parts, head, content, f"\r\n--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def positions(service: Service, table: str, count: int, radius: float) -> Table:
    """Half of them near rows of `table`, by less than `radius` arcseconds."""
    text = service.query(f"SELECT TOP {count // 2} ra, dec FROM {table} WHERE ra IS NOT NULL AND dec IS NOT NULL", MAXREC=str(count))
    rows = [(float(row["ra"]), float(row["dec"])) for row in csv.DictReader(io.StringIO(text))]
    dice = np.random.default_rng(1)
    sizes, angles = dice.uniform(0, 0.9 * radius / 3600, len(rows)), dice.uniform(0, 2 * np.pi, len(rows))
    rows = [
        (ra + size * np.cos(angle) / max(cos(radians(dec)), 1e-6), dec + size * np.sin(angle))
        for (ra, dec), size, angle in zip(rows, sizes, angles, strict=True)
    ]
    rows += [(dice.uniform(0, 360), degrees(asin(dice.uniform(-1, 1)))) for _ in range(count - len(rows))]
    dice.shuffle(rows)
    ra, dec = np.array(rows).T
    return Table({"id": np.arange(count), "ra": np.mod(ra, 360), "dec": np.clip(dec, -90, 90)})


def written(table: Table, form: str) -> bytes:
    """The table in a format."""
    content = io.BytesIO()
    if form == "parquet":
        pyarrow.parquet.write_table(pyarrow.table({name: np.asarray(table[name]) for name in table.colnames}), content)
    elif form == "csv":
        text = io.StringIO()
        table.write(text, format="ascii.csv")
        content.write(text.getvalue().encode())
    else:
        options: dict[str, Any] = {"format": "votable", "tabledata_format": VOTABLES[form]} if form in VOTABLES else {"format": form}
        table.write(content, **options)
    return content.getvalue()


def timed(work: Any, rounds: int) -> tuple[float, float, str]:
    """Best and median seconds, and the last answer."""
    seconds = []
    answer = ""
    for _ in range(rounds):
        begin = time.perf_counter()
        answer = work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), statistics.median(seconds), answer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="base URL of the server")
    parser.add_argument("table", help="published table with positions ra, dec")
    parser.add_argument("--radius", type=float, default=2.0, help="arcseconds")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--formats", nargs="+", default=["binary2", "tabledata", "fits", "parquet", "csv"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--async", dest="jobs", action="store_true", help="the match as a job too")
    options = parser.parse_args()
    service = Service(options.url)
    count = "SELECT COUNT(*) AS n FROM TAP_UPLOAD.mine"
    match = (
        f"SELECT mine.id, t.ra, t.dec FROM TAP_UPLOAD.mine JOIN {options.table} AS t"
        f" ON DISTANCE(POINT(mine.ra, mine.dec), POINT(t.ra, t.dec)) < {options.radius} / 3600."
    )
    print(f"{'rows':>8s} {'format':10s} {'kB':>8s} {'what':10s} {'best':>9s} {'median':>9s}  answer")
    for rows in options.rows:
        table = positions(service, options.table, rows, options.radius)
        for form in options.formats:
            content = written(table, form)
            works = {"count": lambda: service.upload(count, content), "match": lambda: service.upload(match, content)}  # noqa: B023
            if options.jobs:
                works["match job"] = lambda: service.job(match, content)  # noqa: B023
            for what, work in works.items():
                best, median, answer = timed(work, options.rounds)
                said = answer.splitlines()[-1] if what == "count" else f"{len(answer.splitlines()) - 1} rows"
                print(f"{rows:8d} {form:10s} {len(content) / 1024:8.0f} {what:10s} {best * 1e3:6.0f} ms {median * 1e3:6.0f} ms  {said}")


if __name__ == "__main__":
    main()
