"""The sky index beside pgSphere and Q3C: the same rows, one server, one session, warm cache.

    python benchmarks/sky.py "host=127.0.0.1 user=postgres dbname=bench" --parquet tycho2.parquet [--rows 10000000] [--keep]

The server is PostgreSQL 15 with Debian's postgresql-15-pgsphere and postgresql-15-q3c; the login may create extensions. The parquet file
has columns ra and dec in degrees; --rows adds as many positions spread evenly. Each catalogue is stored three times, in the order of each
index: ours by the cell in a bigint with a b-tree, Q3C's by CLUSTER on q3c_ang2ipix(ra, dec), pgSphere's by CLUSTER on the GiST index of an
spoint. Ordering is, for ours, the computing of cells and their sorting; the others' is CLUSTER.

Ours is the SQL that a server writes for the ADQL of each case (vo_server.sql.compile_adql). Time is what a client waits for
`SELECT count(id)` by a plain query: parsing, planning and execution, with the rows read from the table (id is in no index), but not their
transfer, which is alike for all. Peers take turns, run by run, each as often the first as the others; at each place the least of a few
runs counts, and the table shows the median over places. One process a query (no parallel workers), no JIT. Counts are compared, and printed
where they differ: pgSphere takes positions for equal that are 0.2 mas apart.
"""

import argparse
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import asin, cos, degrees, radians, sin
from pathlib import Path

import numpy as np
import psycopg
import pyarrow.parquet as pq
from astropy import units
from astropy.coordinates import SkyCoord
from cdshealpix.nested import healpix_to_lonlat
from mocpy import MOC
from numpy.typing import NDArray

from vo_server.model import catalogue as model
from vo_server.model.columns import Column
from vo_server.sky.cells import cells_of
from vo_server.sql import compile_adql, function_definitions

PEERS = ("ours", "q3c", "pgsphere")
RADIUS = 2 / 3600
PGSPHERE = Path("/usr/share/postgresql/15/extension/pg_sphere--1.2.0.sql")
SETTINGS = """
    SET jit = off; SET max_parallel_workers_per_gather = 0; SET random_page_cost = 1.1;
    SET work_mem = '64MB'; SET maintenance_work_mem = '512MB'
"""
ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("n0", ">i4"),
        ("id", ">i4"),
        ("n1", ">i4"),
        ("ra", ">f8"),
        ("n2", ">i4"),
        ("dec", ">f8"),
        ("n3", ">i4"),
        ("cell", ">i8"),
    ]
)

Array = NDArray[np.float64]


@dataclass
class Case:
    """One line of the table: the SQL of each peer, at several places; a peer without SQL cannot do it."""

    name: str
    table: str
    target: Mapping[str, float]
    """Our time over each peer's may be this at most."""
    queries: Mapping[str, Sequence[str]]
    repeats: int = 6
    seconds: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """A catalogue that is in the database, and how many rows it has."""

    name: str
    rows: int


def dice(seed: int = 4) -> np.random.Generator:
    """The same random numbers in every run."""
    return np.random.default_rng(seed)


def even_positions(count: int, seed: int) -> tuple[Array, Array]:
    """`count` positions spread evenly over the sphere, in degrees."""
    random = dice(seed)
    return random.uniform(0, 360, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))


# ---- tables and indexes


def copy_rows(connection: psycopg.Connection, table: str, ids: NDArray[np.int64], ra: Array, dec: Array, cells: NDArray[np.int64]) -> None:
    """Create a table and fill it, in the order given."""
    rows = np.empty(len(ids), ROW)
    rows["fields"] = 4
    for name, size in (("n0", 4), ("n1", 8), ("n2", 8), ("n3", 8)):
        rows[name] = size
    for name, values in (("id", ids), ("ra", ra), ("dec", dec), ("cell", cells)):
        rows[name] = values
    connection.execute(f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (id int, ra float8, dec float8, _hpx29 bigint)")
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff")


def create_pgsphere(connection: psycopg.Connection) -> None:
    """Install pgSphere in the database.

    Late releases of PostgreSQL 15 (15.20 does) refuse Debian's pg_sphere 1.2.0 because some of its operators contradict each other about
    commutators and negators. There its script is run as it stands but for these hints, which no query here needs.
    """
    if connection.execute("SELECT to_regtype('spoint')").fetchone()[0] is not None:
        return
    try:
        connection.execute("CREATE EXTENSION pg_sphere")
    except psycopg.errors.InvalidFunctionDefinition:
        for statement in statements(PGSPHERE.read_text(encoding="utf-8").replace("MODULE_PATHNAME", "$libdir/pg_sphere")):
            run_without_hints(connection, statement)


def statements(script: str) -> Iterator[str]:
    """The statements of an extension's script."""
    held, quoted = "", False
    for line in re.sub(r"(?m)^\\echo.*$", "", script).splitlines(keepends=True):
        held += line
        quoted ^= line.count("$$") % 2 == 1
        if not quoted and line.split("--")[0].rstrip().endswith(";"):
            yield held
            held = ""


def run_without_hints(connection: psycopg.Connection, statement: str) -> None:
    """A CREATE OPERATOR, without the hints that PostgreSQL refuses."""
    try:
        connection.execute(statement)
    except psycopg.errors.InvalidFunctionDefinition as error:
        hint = str(error).split()[0].upper()
        rest = re.sub(rf",\s*{hint}\s*=\s*[^\s,]+(?=\s*[,)])|{hint}\s*=\s*[^\s,]+\s*,", "", statement, count=1)
        if rest == statement:
            raise
        run_without_hints(connection, rest)


def timed(connection: psycopg.Connection, statement: str) -> float:
    """Seconds that a statement takes."""
    begin = time.perf_counter()
    connection.execute(statement)
    return time.perf_counter() - begin


def build(connection: psycopg.Connection, name: str, ra: Array, dec: Array) -> Catalogue:
    """Store a catalogue three times, and print what each index takes."""
    ids = dice().permutation(len(ra))
    begin = time.perf_counter()
    cells = cells_of(ra, dec)
    order = np.argsort(cells)
    computing = time.perf_counter() - begin
    copy_rows(connection, f"{name}_ours", ids[order], ra[order], dec[order], cells[order])
    copy_rows(connection, f"{name}_raw", ids, ra, dec, cells)
    connection.execute(f"DROP TABLE IF EXISTS {name}_q3c, {name}_pgsphere; CREATE TABLE {name}_q3c AS SELECT id, ra, dec FROM {name}_raw")
    connection.execute(f"CREATE TABLE {name}_pgsphere AS SELECT id, ra, dec, spoint(radians(ra), radians(dec)) AS pos FROM {name}_raw")
    connection.execute(f"DROP TABLE {name}_raw; CHECKPOINT")
    indexes = {"ours": "(_hpx29) WITH (fillfactor = 100)", "q3c": "(q3c_ang2ipix(ra, dec))", "pgsphere": "USING gist (pos)"}
    print(f"\n{name}: {len(ra):,} rows\n{'':10s} {'index':>8s} {'ordering':>9s} {'size':>9s}")
    for peer, columns in indexes.items():
        index = timed(connection, f"CREATE INDEX {name}_{peer}_index ON {name}_{peer} {columns}")
        ordering = computing if peer == "ours" else timed(connection, f"CLUSTER {name}_{peer} USING {name}_{peer}_index")
        connection.execute(f"VACUUM ANALYZE {name}_{peer}")
        size = connection.execute(f"SELECT pg_relation_size('{name}_{peer}_index')").fetchone()[0]
        print(f"{peer:10s} {index:7.2f}s {ordering:8.2f}s {size / 2**20:6.0f} MB", flush=True)
    return Catalogue(name, len(ra))


def sources(connection: psycopg.Connection, catalogue: Catalogue, count: int) -> str:
    """A table of positions to match: rows of the catalogue, an arcsecond away."""
    table, random = f"{catalogue.name}_{count}", dice()
    ra, dec = np.array(connection.execute(f"SELECT ra, dec FROM {catalogue.name}_ours ORDER BY id LIMIT {count}").fetchall()).T
    dec = np.clip(dec + random.normal(0, 1 / 3600, count), -90, 90)
    ra = (ra + random.normal(0, 1 / 3600, count) / np.maximum(np.cos(np.radians(dec)), 1e-3)) % 360
    cells = cells_of(ra, dec)
    order = np.argsort(cells)
    copy_rows(connection, table, order, ra[order], dec[order], cells[order])
    connection.execute(f"ALTER TABLE {table} ADD pos spoint; UPDATE {table} SET pos = spoint(radians(ra), radians(dec))")
    connection.execute(f"CREATE INDEX {table}_cell ON {table} (_hpx29)")
    connection.execute(f"VACUUM FULL ANALYZE {table}")
    return table


# ---- our SQL


def published(catalogue: Catalogue, table: str | None = None, count: int = 0) -> model.Catalogue:
    """The catalogue, and a table of `count` positions to match, as a server has them that translates."""
    columns = (Column("id", "int"), Column("ra", "double", unit="deg"), Column("dec", "double", unit="deg"))
    rows = {f"{catalogue.name}_ours": catalogue.rows} | ({table: count} if table else {})
    tables = tuple(
        model.Table("data", name, name, columns, nrows=size, position=model.Position("ra", "dec")) for name, size in rows.items()
    )
    return model.Catalogue(1, (model.Schema("data"),), tables)


def within(catalogue: Catalogue, region: str) -> str:
    """The translated query for what lies in a region."""
    adql = f"SELECT COUNT(id) FROM data.{catalogue.name}_ours WHERE 1 = CONTAINS(POINT(ra, dec), {region})"
    return compile_adql(adql, published(catalogue)).sql


def matched(catalogue: Catalogue, table: str, count: int) -> str:
    """The translated query for a match of a table with the catalogue."""
    name = f"{catalogue.name}_ours"
    adql = (
        f"SELECT COUNT(b.id) FROM data.{table} AS a JOIN data.{name} AS b ON DISTANCE(POINT(a.ra, a.dec), POINT(b.ra, b.dec)) <= 2 / 3600."
    )
    return compile_adql(adql, published(catalogue, table if table != name else None, count)).sql


# ---- cases


def cones(catalogue: Catalogue, radius: float, places: int) -> Case:
    """Cones at random places."""
    queries: dict[str, list[str]] = {peer: [] for peer in PEERS}
    for ra, dec in zip(*even_positions(places, 8), strict=True):
        lon, lat = float(ra), float(dec)
        queries["ours"].append(within(catalogue, f"CIRCLE({lon!r}, {lat!r}, {radius})"))
        # q3c_join with a constant centre is Q3C's fastest form below some degrees, q3c_radial_query above
        q3c = f"q3c_join({lon!r}, {lat!r}, ra, dec, {radius})" if radius < 5 else f"q3c_radial_query(ra, dec, {lon!r}, {lat!r}, {radius})"
        queries["q3c"].append(f"SELECT count(id) FROM {catalogue.name}_q3c WHERE {q3c}")
        circle = f"scircle(spoint(radians({lon!r}), radians({lat!r})), radians({radius}))"
        queries["pgsphere"].append(f"SELECT count(id) FROM {catalogue.name}_pgsphere WHERE pos <@ {circle}")
    faster = 1.5 if radius < 1 else 1.0
    return Case(f"cone {radius}°", catalogue.name, {"q3c": faster, "pgsphere": faster}, queries)


def corners(ra: float, dec: float, radius: float, count: int) -> list[tuple[float, float]]:
    """The vertices of a regular polygon, counter-clockwise."""
    found = []
    for angle in np.arange(count) * 2 * np.pi / count:
        rise = sin(radians(dec)) * cos(radians(radius)) + cos(radians(dec)) * sin(radians(radius)) * cos(angle)
        aside = np.arctan2(-sin(angle) * sin(radians(radius)) * cos(radians(dec)), cos(radians(radius)) - sin(radians(dec)) * rise)
        found.append(((ra + degrees(float(aside))) % 360, degrees(asin(rise))))
    return found


def polygons(catalogue: Catalogue, places: int) -> Case:
    """Hexagons of five degrees."""
    queries: dict[str, list[str]] = {peer: [] for peer in PEERS}
    for ra, dec in zip(*even_positions(places, 9), strict=True):
        vertices = corners(float(ra), float(np.clip(dec, -75, 75)), 2.5, 6)
        flat = ", ".join(repr(part) for vertex in vertices for part in vertex)
        queries["ours"].append(within(catalogue, f"POLYGON({flat})"))
        queries["q3c"].append(f"SELECT count(id) FROM {catalogue.name}_q3c WHERE q3c_poly_query(ra, dec, ARRAY[{flat}])")
        closed = ", ".join(f"({lon!r}d, {lat!r}d)" for lon, lat in vertices)
        queries["pgsphere"].append(f"SELECT count(id) FROM {catalogue.name}_pgsphere WHERE pos <@ spoly '{{{closed}}}'")
    return Case("polygon 5°", catalogue.name, {"q3c": 1.0, "pgsphere": 1.0}, queries)


def galactic_caps(depth: int = 7) -> MOC:
    """The sky but for a band around the Galactic equator, where |b| is below 15°."""
    cells = np.arange(12 * 4**depth, dtype=np.uint64)
    latitude = SkyCoord(*healpix_to_lonlat(cells, depth)).galactic.b
    outside = cells[np.abs(latitude) > 15 * units.deg]
    return MOC.from_healpix_cells(outside, np.full(len(outside), depth, dtype=np.uint8), max_depth=depth)


def coverage(catalogue: Catalogue) -> Case:
    """An all-sky MOC. Q3C has none."""
    moc = galactic_caps()
    ours = within(catalogue, f"MOC('{moc.to_string('ascii')}')")
    pgsphere = f"SELECT count(id) FROM {catalogue.name}_pgsphere WHERE pos <@ '{moc.to_string('ascii')}'::smoc"
    return Case(f"MOC, {len(moc.to_depth29_ranges)} ranges", catalogue.name, {"pgsphere": 1.0}, {"ours": [ours], "pgsphere": [pgsphere]})


def matches(connection: psycopg.Connection, catalogue: Catalogue, count: int, *, uploaded: bool) -> Case:
    """A match with a small table, uploaded or published: the SQL is the same, uploads are temporary and have no index of their own."""
    table = sources(connection, catalogue, count)
    if uploaded:
        connection.execute(f"CREATE TEMP TABLE upload_{table} AS TABLE {table}; ANALYZE upload_{table}")
        table = f"upload_{table}"
    target = {"q3c": 0.5, "pgsphere": 0.5} if uploaded else {"q3c": 1.0}
    name = f"{'upload' if uploaded else 'table'} of {count:,}"
    return Case(name, catalogue.name, target, match_queries(catalogue, table, matched(catalogue, table, count)), 7)


def whole(catalogue: Catalogue) -> Case:
    """The catalogue with itself."""
    queries = match_queries(catalogue, None, matched(catalogue, f"{catalogue.name}_ours", catalogue.rows))
    return Case("whole × whole", catalogue.name, {"q3c": 1 / 1.5}, queries, 1)


def match_queries(catalogue: Catalogue, table: str | None, ours: str) -> dict[str, list[str]]:
    """A match in each peer's words; without a table the catalogue with itself."""
    name = catalogue.name
    tests = {"q3c": f"q3c_join(a.ra, a.dec, b.ra, b.dec, {RADIUS!r})", "pgsphere": f"b.pos <@ scircle(a.pos, radians({RADIUS!r}))"}
    theirs = {
        peer: [f"SELECT count(b.id) FROM {table or f'{name}_{peer}'} AS a JOIN {name}_{peer} AS b ON {test}"]
        for peer, test in tests.items()
    }
    return {"ours": [ours], **theirs}


# ---- measuring


def run(connection: psycopg.Connection, query: str) -> tuple[float, int]:
    """Seconds of a run, and the count."""
    begin = time.perf_counter()
    result = connection.pgconn.exec_(query.encode())
    seconds = time.perf_counter() - begin
    if not result.ntuples:
        raise SystemExit(f"{result.error_message.decode()}\n{query}")
    return seconds, int(result.get_value(0, 0))


def measure(connection: psycopg.Connection, case: Case) -> None:
    """Run a case: at each place the peers take turns, and the least of their seconds counts."""
    for place in range(max(map(len, case.queries.values()))):
        peers, turns = list(case.queries), []
        for _ in range(case.repeats):
            turns.append({peer: run(connection, case.queries[peer][place]) for peer in peers})
            peers.append(peers.pop(0))
        for peer in case.queries:
            case.seconds.setdefault(peer, []).append(min(turn[peer][0] for turn in turns))
            case.counts.setdefault(peer, []).append(turns[0][peer][1])


def verdict(case: Case) -> str:
    """The case's line of the table."""
    middle = {peer: statistics.median(seconds) for peer, seconds in case.seconds.items()}
    ratios = {peer: middle["ours"] / middle[peer] for peer in PEERS[1:] if peer in middle}
    late = [peer for peer, limit in case.target.items() if ratios[peer] > limit]
    times = " ".join(f"{middle[peer] * 1e3:10.2f}" if peer in middle else f"{'n/a':>10s}" for peer in PEERS)
    ratio = " ".join(f"{ratios[peer]:7.2f}" if peer in ratios else f"{'n/a':>7s}" for peer in PEERS[1:])
    counts = {peer: sum(found) for peer, found in case.counts.items()}
    differ = "" if len(set(counts.values())) == 1 else "  counts " + ", ".join(f"{peer} {count}" for peer, count in counts.items())
    return f"{case.table:8s} {case.name:18s} {times}   {ratio}   {'slower than allowed: ' + ', '.join(late) if late else 'met'}{differ}"


def cases(connection: psycopg.Connection, catalogue: Catalogue, places: int) -> Iterator[Callable[[], Case]]:
    """All cases of a catalogue, each made when its turn comes."""
    for radius in (0.01, 0.1, 1, 10):
        yield lambda radius=radius: cones(catalogue, radius, places)
    yield lambda: polygons(catalogue, places)
    yield lambda: coverage(catalogue)
    for count in (10_000, 100_000):
        yield lambda count=count: matches(connection, catalogue, count, uploaded=True)
    yield lambda: matches(connection, catalogue, 100_000, uploaded=False)
    yield lambda: whole(catalogue)


def stored(connection: psycopg.Connection, options: argparse.Namespace) -> Iterator[Catalogue]:
    """The catalogues asked for, built unless they are kept from an earlier run."""
    wanted: dict[str, Callable[[], tuple[Array, Array]]] = {}
    if options.parquet:
        wanted["stars"] = lambda: tuple(pq.read_table(options.parquet, columns=["ra", "dec"])[name].to_numpy() for name in ("ra", "dec"))
    if options.rows:
        wanted["even"] = lambda: even_positions(options.rows, 1)
    for name, read in wanted.items():
        if options.keep:
            yield Catalogue(name, connection.execute(f"SELECT count(*) FROM {name}_ours").fetchone()[0])
        else:
            yield build(connection, name, *read())


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", help="libpq connection string of a database that may be filled")
    parser.add_argument("--parquet", help="a catalogue with columns ra and dec")
    parser.add_argument("--rows", type=int, default=10_000_000, help="size of the synthetic catalogue; 0 for none")
    parser.add_argument("--places", type=int, default=25, help="random places for each region")
    parser.add_argument("--keep", action="store_true", help="use the tables of an earlier run")
    options = parser.parse_args()
    connection = psycopg.connect(options.database, autocommit=True)
    connection.execute("CREATE EXTENSION IF NOT EXISTS q3c; CREATE SCHEMA IF NOT EXISTS vo")
    create_pgsphere(connection)
    connection.execute(function_definitions())
    connection.execute(SETTINGS)
    catalogues = list(stored(connection, options))
    print(f"\n{'':27s} {'ours':>10s} {'q3c':>10s} {'pgsphere':>10s}   {'/q3c':>7s} {'/pgsph':>7s}   (ms; ratio of ours to theirs)")
    for catalogue in catalogues:
        for make in cases(connection, catalogue, options.places):
            case = make()
            measure(connection, case)
            print(verdict(case), flush=True)


if __name__ == "__main__":
    main()
