"""Images found and cut: SIA 2 over a million footprints beside pgSphere, and a small part of a large file.

    createdb images        # on a PostgreSQL 15 with Debian's postgresql-15-pgsphere; the login may create extensions
    python benchmarks/images.py postgresql://HOST/images [--count 1000000] [--part]

Fills the database once (synthetic squares, spread evenly over the sky), starts a server on it, and asks for cones that about twenty
footprints meet. Prints the whole HTTP round trip of SIA 2; then, on one connection and in turns, the SQL that our translator writes and
pgSphere's ``spoly && scircle`` through GiST over the same rows. ``--part`` makes an image of a gigabyte, and takes 1' of it over HTTP
while it watches the server's memory.
"""

import argparse
import io
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from math import asin, cos, degrees, radians
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import psycopg
from astropy.io import fits
from kit import MemoryWatch, connect, get, positions, report, server_process
from sky import create_pgsphere

from vo_server.app import record_keeper
from vo_server.db.catalogue import bump_version, load_catalogue
from vo_server.db.database import Database
from vo_server.db.setup import init
from vo_server.publish.datasets import Dataset, obscore_row, replace_datasets, shape_ranges
from vo_server.settings import Settings
from vo_server.sql import compile_adql

COLLECTION = "synthetic"
HALF = 0.1
"""Degrees from the middle of a footprint to its sides."""
ROWS = 20
"""Footprints that a cone shall meet."""
LARGE = 16384
"""Pixels along each side of a large image of 32-bit numbers: a gigabyte."""
ARCMINUTE = 1 / 60
PORT = 8158


def square(number: int) -> tuple[float, ...]:
    """The corners of a footprint, counter-clockwise seen from inside; the same for the same number."""
    dice = np.random.default_rng(number)
    ra, dec = dice.uniform(0, 360), degrees(asin(dice.uniform(-0.999, 0.999)))
    width = HALF / cos(radians(dec))
    west, east = (ra - width) % 360, (ra + width) % 360
    return (east, dec - HALF, west, dec - HALF, west, dec + HALF, east, dec + HALF)


def cells(number: int) -> list[tuple[int, int]]:
    """The ranges of cells of a footprint."""
    return shape_ranges(square(number))


def fill(database: Database, url: str, count: int) -> None:
    """Datasets, their cells, and pgSphere's table of the same."""
    sample = Dataset(path="a.fits", obs_id="a", access_format="application/fits", access_estsize=1000, dataproduct_type="image")
    with database.engine.begin() as connection:
        replace_datasets(connection, COLLECTION, Path("/nowhere"), [])
    with psycopg.connect(url, autocommit=True) as connection:
        create_pgsphere(connection)
    with psycopg.connect(url) as connection:
        begin = time.perf_counter()
        with connection.cursor() as cursor:
            names = list(obscore_row(sample, COLLECTION, "benchmark"))
            with cursor.copy(f"COPY vo_data.obscore ({', '.join(names)}) FROM STDIN") as copy:
                for number in range(count):
                    shape = square(number)
                    one = replace(sample, obs_id=str(number), path=f"{number}.fits", shape=shape, s_ra=shape[0], s_dec=shape[1], s_fov=0.3)
                    copy.write_row(list(obscore_row(one, COLLECTION, "benchmark").values()))
            (index,) = cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'obscore_cells_span'").fetchone()
            cursor.execute("DROP INDEX vo_data.obscore_cells_span")
            keys = [key for (key,) in cursor.execute("SELECT obs_key FROM vo_data.obscore ORDER BY obs_id::int")]
            with multiprocessing.Pool() as pool, cursor.copy("COPY vo_data.obscore_cells (obs_key, lo, hi) FROM STDIN") as copy:
                for key, ranges in zip(keys, pool.imap(cells, range(count), 1000), strict=True):
                    for low, high in ranges:
                        copy.write_row((key, low, high))
            cursor.execute(index)
        print(f"{count:,} footprints stored in {time.perf_counter() - begin:.0f} s", flush=True)
        connection.commit()
        build_peer(connection)
    with database.engine.begin() as connection:
        bump_version(connection)
        record_keeper(Settings())(connection)


def build_peer(connection: psycopg.Connection) -> None:
    """The same rows with a polygon of pgSphere's."""
    vertices = " || ',' || ".join(f"'(' || shape[{2 * corner + 1}] || 'd,' || shape[{2 * corner + 2}] || 'd)'" for corner in range(4))
    begin = time.perf_counter()
    connection.execute("DROP TABLE IF EXISTS peer")
    connection.execute(f"CREATE TABLE peer AS SELECT *, spoly('{{' || {vertices} || '}}') AS area FROM vo_data.obscore")
    connection.execute("CREATE INDEX peer_area ON peer USING gist (area)")
    connection.commit()
    connection.autocommit = True
    for table in ("peer", "vo_data.obscore", "vo_data.obscore_cells"):
        connection.execute(f"VACUUM ANALYZE {table}")
    print(f"pgSphere's table and index in {time.perf_counter() - begin:.0f} s", flush=True)


@contextmanager
def server(url: str, folder: str) -> Iterator[str]:
    """A server on the database, in a process of its own."""
    address = f"http://127.0.0.1:{PORT}"
    environment = {**os.environ, "VO_DATABASE_URL": url, "VO_PUBLIC_URL": address, "VO_PORT": str(PORT), "VO_DATA_DIR": folder}
    command = [str(Path(sys.executable).with_name("vo")), "serve"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or "ready" not in process.stdout.readline():
                raise SystemExit("the server did not start")
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def radius(count: int) -> float:
    """Of a cone that meets ROWS of `count` footprints on average: their squares, widened by it on all sides."""
    density = count / 41253
    return float(np.roots([np.pi, 8 * HALF, 4 * HALF**2 - ROWS / density]).max())


def search(address: str, size: float, places: int) -> None:
    """SIA 2 over HTTP."""
    queries = [f"/sia2/query?{urlencode({'POS': f'CIRCLE {ra:.6f} {dec:.6f} {size:.6f}'})}" for ra, dec in take(places + 20)]
    seconds, found, length = [], [], 0
    with closing(connect(address)) as connection:
        for query in queries:
            begin = time.perf_counter()
            body = get(connection, query)
            seconds.append(time.perf_counter() - begin)
            found.append(body.count(b"<TR>"))
            length += len(body)
    report("SIA 2, HTTP", seconds[20:], length, f"   {statistics.mean(found):.1f} rows")


def take(places: int) -> list[tuple[float, float]]:
    """Positions, the same in every run."""
    return [place for place, _ in zip(positions(3), range(places), strict=False)]


def compare(database: Database, url: str, size: float, places: int) -> None:
    """Both ways to the same rows in the database, in turns."""
    with database.engine.connect() as connection:
        catalogue = load_catalogue(connection)
    seconds: dict[str, list[float]] = {"ours": [], "pgsphere": []}
    differences = 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET jit = off; SET max_parallel_workers_per_gather = 0")
        for ra, dec in take(places):
            region = f"CIRCLE({ra!r}, {dec!r}, {size!r})"
            adql = f"SELECT obs_publisher_did FROM ivoa.obscore WHERE dataproduct_type = 'image' AND 1 = INTERSECTS(s_region, {region})"
            circle = f"scircle(spoint(radians({ra!r}), radians({dec!r})), radians({size!r}))"
            queries = {
                "ours": compile_adql(adql, catalogue).sql,
                "pgsphere": f"SELECT obs_publisher_did FROM peer WHERE dataproduct_type = 'image' AND area && {circle}",
            }
            found = {}
            turns: dict[str, list[float]] = {peer: [] for peer in queries}
            for _ in range(3):
                for peer, query in queries.items():
                    begin = time.perf_counter()
                    found[peer] = {row[0] for row in connection.execute(query).fetchall()}
                    turns[peer].append(time.perf_counter() - begin)
            differences += len(found["ours"] ^ found["pgsphere"])
            for peer, times in turns.items():
                seconds[peer].append(min(times))
    for peer, times in seconds.items():
        report(f"database, {peer}", times)
    ratio = statistics.median(seconds["ours"]) / statistics.median(seconds["pgsphere"])
    print(f"ours over pgSphere: {ratio:.2f} (target: at most 1.2); rows that differ: {differences}")


def part(database: Database, address: str, folder: Path) -> None:
    """An arcminute of a gigabyte, over HTTP; what the server's memory does meanwhile."""
    file = folder / "large.fits"
    scale = 1.0 / 3600
    header = fits.Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": LARGE, "NAXIS2": LARGE, "RADESYS": "ICRS"})
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.6, "CRVAL2": 22.0, "CDELT1": -scale, "CDELT2": scale})
    header.update({"CRPIX1": LARGE / 2, "CRPIX2": LARGE / 2})
    with file.open("wb") as out:
        out.write(header.tostring().encode("ascii"))
        for row in range(0, LARGE, 256):
            out.write((np.arange(256 * LARGE, dtype=">f4") + row).tobytes())
        out.write(b"\0" * (-out.tell() % 2880))
    half = LARGE / 2 * scale
    shape = (83.6 + half, 22 - half, 83.6 - half, 22 - half, 83.6 - half, 22 + half, 83.6 + half, 22 + half)
    one = Dataset(
        path=file.name,
        obs_id="large",
        access_format="application/fits",
        access_estsize=file.stat().st_size // 1000,
        dataproduct_type="image",
        shape=shape,
        s_xel1=LARGE,
        s_xel2=LARGE,
    )
    with database.engine.begin() as connection:
        replace_datasets(connection, "large", folder, [one])
        bump_version(connection)
    process = server_process(address)
    rest = process.memory_info().rss / 1e6 if process else 0.0
    seconds, size = [], 0
    with closing(connect(address)) as connection, MemoryWatch(process) as watch:
        for ra, dec in ((83.6 + x / 10, 22 + y / 10) for x in range(-9, 10) for y in range(-9, 10)):
            query = urlencode({"ID": "ivo://example.vo-server/~?large/large", "CIRCLE": f"{ra} {dec} {ARCMINUTE / 2}"})
            begin = time.perf_counter()
            body = get(connection, f"/soda/sync?{query}")
            seconds.append(time.perf_counter() - begin)
            size += len(body)
    with fits.open(io.BytesIO(body)) as found:
        shape_ = found[0].data.shape
    print(f"an image of {file.stat().st_size / 1e9:.2f} GB; its parts have {shape_[1]} × {shape_[0]} pixels")
    report("1' by SODA, HTTP", seconds, size, f"   server {rest:.0f} MB at rest, {watch.highest:.0f} MB at most, mapped pages included")
    with database.engine.begin() as connection:
        replace_datasets(connection, "large", folder, [])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="an empty database, or one that was filled before")
    parser.add_argument("--count", type=int, default=1_000_000, help="footprints")
    parser.add_argument("--places", type=int, default=300)
    parser.add_argument("--part", action="store_true", help="the large image only")
    options = parser.parse_args()
    with closing(Database(options.url)) as database, tempfile.TemporaryDirectory() as folder:
        init(database)
        with psycopg.connect(options.url) as connection:
            stored = connection.execute("SELECT count(*) FROM vo_data.obscore WHERE collection = %s", [COLLECTION]).fetchone()
        if not options.part and stored != (options.count,):
            fill(database, options.url, options.count)
        with server(options.url, folder) as address:
            if not options.part:
                size = radius(options.count)
                print(f"cones of {size:.3f}° over {options.count:,} footprints of {2 * HALF}°")
                search(address, size, options.places)
                compare(database, options.url, size, options.places)
            part(database, address, Path(folder))


if __name__ == "__main__":
    main()
