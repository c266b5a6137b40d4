"""Harvesting a large registry: all of it, what changed since, and what one more record costs.

    python benchmarks/registry.py --database-url postgresql://user:password@host/empty_database --records 50000

Fills an empty database with records of synthetic resources (a real record each, with a table of ten columns), then serves them on
127.0.0.1 and harvests with plain HTTP. The memory is the resident set of this process, server and harvester, at the end of each tenth
of the harvest: it must not grow. The incremental harvest is that of ten records that changed; its best and median are given.
"""

import argparse
import re
import statistics
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import psutil
import uvicorn
from starlette.applications import Starlette

from vo_registry import oai
from vo_registry.records import Rendered, render_all
from vo_server.db.database import Database
from vo_server.db.records import sync_records
from vo_server.db.setup import init
from vo_server.model.catalogue import Catalogue, Schema, Table
from vo_server.model.columns import Column
from vo_server.model.resource import Coverage, Creator, Resource, Site
from vo_server.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)
SITE = Site(authority="bench.test", organisation="Benchmark")
TOKEN = re.compile(rb"<oai:resumptionToken[^>]*>([^<]+)<")
HEADER = re.compile(rb"<oai:header")
CHANGED = 10
REPEATS = 20


@dataclass
class Open:
    """What the registry needs of the services."""

    settings: Settings
    database: Database
    started: datetime = START

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def site(self) -> Site:
        return SITE


def sample() -> Rendered:
    """The record of an ordinary resource."""
    columns = tuple(
        Column(f"c{number}", "double", unit="m", ucd="phys.size", description=f"Column number {number}") for number in range(10)
    )
    table = Table("data", "NAME", "x.y", columns, title="A table", nrows=1000, resource="data/NAME")
    resource = Resource(
        "data",
        "NAME",
        "Resource NAME",
        "A synthetic resource, described in a sentence of usual length so that its record is of usual size.",
        START,
        START,
        creators=(Creator("Doe, J.", "0000-0001-2345-6789"),),
        subjects=("neutrino-astronomy", "surveys"),
        coverage=Coverage("6/1-5 7/90", (55000.0, 56000.0), (1e-16, 1e-15), ("Gamma-ray",)),
        tables=("data.NAME",),
    )
    return render_all(SITE, (resource,), Catalogue(1, (Schema("data"),), (table,)), (), "http://bench.test")[SITE.ivoid("data/NAME")]


def records(number: int, version: int = 0) -> dict[str, Rendered]:
    """So many records, each with a name of its own."""
    model = sample()

    def named(name: str) -> Rendered:
        return replace(
            model,
            identifier=model.identifier.replace("NAME", name),
            ivo_vor=model.ivo_vor.replace("NAME", name).replace("sentence", f"sentence {version}"),
            oai_dc=model.oai_dc.replace("NAME", name),
        )

    return {one.identifier: one for one in (named(f"r{place:06}") for place in range(number))}


@contextmanager
def served(database: Database) -> Iterator[str]:
    """The address of the registry, while the block runs."""
    server = uvicorn.Server(uvicorn.Config(Starlette(), port=0, log_level="warning", lifespan="off"))
    sockets = [server.config.bind_socket()]
    address = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    server.config.app = Starlette(routes=oai.routes(Open(Settings(public_url=address), database)))
    thread = threading.Thread(target=server.run, args=(sockets,))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"{address}/oai"
    finally:
        server.should_exit = True
        thread.join()


def harvest(address: str, **arguments: str) -> Iterator[tuple[int, int]]:
    """(records, bytes) of each page."""
    while True:
        with urllib.request.urlopen(f"{address}?{urlencode({'verb': 'ListRecords', **arguments})}") as reply:
            page = reply.read()
        yield len(HEADER.findall(page)), len(page)
        token = TOKEN.search(page)
        if token is None:
            return
        arguments = {"resumptionToken": token[1].decode()}


def measure(database: Database, number: int) -> None:
    with database.engine.begin() as connection:
        begun = time.perf_counter()
        sync_records(connection, records(number), lambda: START)
    print(f"stored {number:,} records in {time.perf_counter() - begun:.1f} s")
    process = psutil.Process()
    with served(database) as address:
        list(harvest(address, metadataPrefix="ivo_vor", until="2025-01-01"))
        begun, count, size, memory = time.perf_counter(), 0, 0, []
        for page in harvest(address, metadataPrefix="ivo_vor"):
            count, size = count + page[0], size + page[1]
            memory.append(process.memory_info().rss / 1e6)
        seconds = time.perf_counter() - begun
        tenths = ", ".join(f"{memory[place]:.0f}" for place in range(0, len(memory), max(1, len(memory) // 10)))
        print(f"full harvest: {count:,} records, {size / 1e6:.0f} MB in {seconds:.1f} s; resident MB: {tenths}")
        later = START + timedelta(days=1)
        begun = time.perf_counter()
        with database.engine.begin() as connection:
            some = records(CHANGED, 1)
            sync_records(connection, some, lambda: later, some)
        print(f"stored {CHANGED} changed records in {(time.perf_counter() - begun) * 1000:.1f} ms")
        times = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            found = sum(page[0] for page in harvest(address, metadataPrefix="ivo_vor", **{"from": later.strftime("%Y-%m-%dT%H:%M:%SZ")}))
            times.append((time.perf_counter() - begun) * 1000)
        print(f"incremental harvest: {found} records in {min(times):.1f} ms (best), {statistics.median(times):.1f} ms (median)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--records", type=int, default=50_000)
    arguments = parser.parse_args()
    database = Database(arguments.database_url)
    init(database)
    measure(database, arguments.records)
    database.close()


if __name__ == "__main__":
    main()
