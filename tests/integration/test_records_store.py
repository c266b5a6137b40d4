"""Records in PostgreSQL: datestamps that move exactly when something changed, tombstones, pages; and a real harvester over HTTP."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx2 as httpx
import pytest
import uvicorn
from sickle import Sickle
from sickle.oaiexceptions import BadArgument, IdDoesNotExist, NoRecordsMatch
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from vo_registry import oai
from vo_registry.records import Rendered, render_all
from vo_server.db.database import Database
from vo_server.db.records import Changes, earliest_datestamp, find_record, lock_records, page_of_records, sync_records, versions_of_record
from vo_server.db.schema import records as record_table
from vo_server.model.catalogue import Catalogue, Schema
from vo_server.model.resource import Resource, Site
from vo_server.settings import Settings

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CREATED = datetime(2025, 1, 1, tzinfo=UTC)
SITE = Site(authority="example.org", organisation="Institute of Examples")
CATALOGUE = Catalogue(1, (Schema("data"),), ())


def rendered(*names: str, title: str = "A resource", site: Site = SITE) -> dict[str, Rendered]:
    """The records of a site with these resources."""
    resources = [Resource("data", name, f"{title} {name}", "Description", CREATED, CREATED) for name in names]
    return render_all(site, resources, CATALOGUE, (), "https://vo.example.org")


def sync(database: Database, records: dict[str, Rendered], now: datetime) -> Changes:
    with database.engine.begin() as connection:
        return sync_records(connection, records, lambda: now)


def stamps(database: Database) -> dict[str, datetime]:
    with database.engine.connect() as connection:
        return {one.identifier: one.datestamp for one in page_of_records(connection, limit=1000)}


A, B = "ivo://example.org/data/a", "ivo://example.org/data/b"


def test_first_time_everything_is_new(database: Database) -> None:
    changes = sync(database, rendered("a"), T0 + timedelta(microseconds=7))
    assert changes == Changes(created=("ivo://example.org", "ivo://example.org/registry", "ivo://example.org/org", A))
    assert set(stamps(database).values()) == {T0}, "whole seconds"
    with database.engine.connect() as connection:
        record = find_record(connection, A, "ivo_vor")
        assert record is not None
        assert record.metadata is not None
        assert 'created="2025-01-01T00:00:00Z" updated="2026-01-02T03:04:05Z"' in record.metadata
        registry = find_record(connection, "ivo://example.org/registry", "ivo_vor")
        assert 'created="2026-01-02T03:04:05Z"' in (registry.metadata or "" if registry else "")


def test_a_restart_moves_nothing(database: Database) -> None:
    sync(database, rendered("a", "b"), T0)
    before = stamps(database)
    assert not sync(database, rendered("a", "b"), T0 + timedelta(days=1))
    assert stamps(database) == before


def test_only_what_changed_moves(database: Database) -> None:
    sync(database, rendered("a", "b"), T0)
    later = T0 + timedelta(hours=1)
    changes = sync(database, rendered("a", "b") | {A: rendered("a", title="Another")[A]}, later)
    assert changes == Changes(changed=(A,))
    after = stamps(database)
    assert {name for name, stamp in after.items() if stamp == later} == {A}
    with database.engine.connect() as connection:
        record = find_record(connection, A, "ivo_vor")
        assert "<title>Another a</title>" in (record.metadata or "" if record else "")


def test_what_vanishes_leaves_a_tombstone_and_may_return(database: Database) -> None:
    sync(database, rendered("a", "b"), T0)
    gone, back = T0 + timedelta(hours=1), T0 + timedelta(hours=2)
    assert sync(database, rendered("a"), gone) == Changes(deleted=(B,))
    with database.engine.connect() as connection:
        tombstone = find_record(connection, B, "ivo_vor")
        assert tombstone is not None
        assert (tombstone.deleted, tombstone.datestamp, tombstone.metadata) == (True, gone, None)
        kept = connection.execute(select(record_table.c.oai_dc).where(record_table.c.identifier == B)).scalar()
        assert kept is None, "no metadata is kept in any format"
    assert not sync(database, rendered("a"), gone + timedelta(minutes=1)), "a tombstone is laid once"
    assert sync(database, rendered("a", "b"), back) == Changes(created=(B,))
    with database.engine.connect() as connection:
        returned = find_record(connection, B)
        assert returned is not None
        assert (returned.deleted, returned.datestamp) == (False, back)


def test_identifiers_are_found_in_any_case_by_an_index(database: Database) -> None:
    sync(database, rendered("a", "b"), T0)
    with database.engine.connect() as connection:
        found = find_record(connection, A.upper())
        assert found is not None
        assert [found.identifier, *(one.identifier for one in versions_of_record(connection, A.upper()))] == [A, A]
        connection.execute(text("SET enable_seqscan = off"))
        for table in ("records", "record_versions"):
            plan = connection.execute(text(f"EXPLAIN SELECT * FROM vo.{table} WHERE lower(identifier) = 'x'")).scalars()
            assert f"{table}_lower_identifier" in "".join(plan)


def test_another_authority_buries_the_old_records(database: Database) -> None:
    sync(database, rendered("a"), T0)
    changes = sync(database, rendered("a", site=replace(SITE, authority="real.org")), T0 + timedelta(hours=1))
    assert sorted(changes.deleted) == sorted(rendered("a"))
    assert "ivo://real.org/data/a" in changes.created


def test_datestamps_never_run_backwards(database: Database) -> None:
    sync(database, rendered("a"), T0)
    sync(database, rendered("a", "b"), T0 - timedelta(hours=1))
    assert stamps(database)[B] == T0, "a harvester that was here at T0 asks for what came since"


def test_a_record_is_never_newer_than_the_time_it_was_created(database: Database) -> None:
    records = rendered("a")
    sync(database, {A: replace(records[A], created=T0 + timedelta(days=400))}, T0)
    with database.engine.connect() as connection:
        record = find_record(connection, A, "ivo_vor")
        assert 'created="2026-01-02T03:04:05Z"' in (record.metadata or "" if record else "")


def somebody_waits(database: Database) -> bool:
    with database.engine.connect() as connection:
        return bool(
            connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'vo.records'::regclass")).scalar()
        )


def test_two_who_store_at_once_take_turns(database: Database) -> None:
    done = threading.Event()

    def second() -> None:
        sync(database, rendered("a", "b"), T0 + timedelta(hours=1))
        done.set()

    with database.engine.connect() as connection:
        sync_records(connection, rendered("a"), lambda: T0)
        thread = threading.Thread(target=second)
        thread.start()
        while not done.is_set() and not somebody_waits(database):
            time.sleep(0.01)
        assert not done.is_set()
        connection.commit()
    thread.join(10)
    assert done.is_set()
    assert stamps(database)[A] == T0
    assert stamps(database)[B] == T0 + timedelta(hours=1)


def test_a_harvest_beside_a_long_store_misses_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is rendered before a harvest and stored after it has a datestamp behind it; what has one already is waited for."""
    sync(database, rendered("a"), T0)
    monkeypatch.setattr("vo_server.db.records.PATIENCE", "20ms")
    harvested = T0 + timedelta(seconds=2)
    with database.engine.connect() as storing, database.engine.connect() as harvesting:
        lock_records(storing)
        assert len(oai.DatabaseStore(harvesting).page(limit=9, metadata=None, since=None, until=None, after=None)) == 4
        harvesting.commit()
        sync_records(storing, rendered("a", "b"), lambda: harvested)
        with pytest.raises(OperationalError, match="lock timeout"):
            oai.DatabaseStore(harvesting).page(limit=9, metadata=None, since=None, until=None, after=None)
        harvesting.rollback()
        storing.commit()
        after = oai.DatabaseStore(harvesting).page(limit=9, metadata=None, since=harvested, until=None, after=None)
        assert [one.identifier for one in after] == [B]


def test_a_datestamp_waits_for_the_harvest_that_reads(database: Database) -> None:
    sync(database, rendered("a"), T0)
    now = T0
    with database.engine.connect() as harvesting:
        oai.DatabaseStore(harvesting).page(limit=9, metadata=None, since=None, until=None, after=None)
        thread = threading.Thread(target=lambda: sync_with(database, rendered("a", "b"), lambda: now))
        thread.start()
        while thread.is_alive() and not somebody_waits(database):
            time.sleep(0.01)
        now = T0 + timedelta(seconds=5)  # the time of the harvest's answer
        harvesting.commit()
    thread.join(10)
    assert stamps(database)[B] == now


def sync_with(database: Database, records: dict[str, Rendered], clock: Callable[[], datetime]) -> None:
    with database.engine.begin() as connection:
        sync_records(connection, records, clock)


def test_pages_are_ordered_and_cut(database: Database) -> None:
    sync(database, rendered("a", "b"), T0)
    sync(database, rendered("a", "b", "c"), T0 + timedelta(seconds=1))
    with database.engine.connect() as connection:
        everything = page_of_records(connection, limit=100)
        places = [(one.datestamp, one.identifier) for one in everything]
        assert places == sorted(places)
        walked = []
        after = None
        while page := page_of_records(connection, limit=2, after=after):
            walked += page
            after = (page[-1].datestamp, page[-1].identifier)
        assert walked == everything
        assert [one.identifier for one in page_of_records(connection, limit=9, since=T0 + timedelta(seconds=1))] == [
            "ivo://example.org/data/c"
        ]
        assert len(page_of_records(connection, limit=9, until=T0)) == 5
        assert earliest_datestamp(connection) == T0
        assert find_record(connection, A.upper().replace("IVO:", "ivo:")) == find_record(connection, A)
        assert find_record(connection, "ivo://example.org/none") is None


def test_an_empty_store_is_empty(database: Database) -> None:
    with database.engine.connect() as connection:
        assert earliest_datestamp(connection) is None
        assert page_of_records(connection, limit=5) == []


@dataclass
class Open:
    """What the registry needs of the services."""

    settings: Settings
    database: oai.HasEngine
    started: datetime = T0
    clock: Callable[[], datetime] = lambda: T0 + timedelta(days=9)

    def site(self) -> Site:
        return SITE


@pytest.fixture
def address(database: Database) -> Iterator[str]:
    """The registry on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = Starlette(routes=oai.routes(Open(Settings(public_url=url), database)))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"{url}/oai"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_harvester_gets_everything(database: Database, address: str, method: str) -> None:
    names = [f"r{number:04}" for number in range(450)]
    sync(database, rendered(*names), T0)
    sync(database, rendered(*names[1:]), T0 + timedelta(hours=1))
    harvester = Sickle(address, http_method=method)
    assert harvester.Identify().baseURL == address
    assert {one.metadataPrefix for one in harvester.ListMetadataFormats()} == {"ivo_vor", "oai_dc"}
    assert [one.setSpec for one in harvester.ListSets()] == ["ivo_managed"]
    found = list(harvester.ListRecords(metadataPrefix="ivo_vor", set="ivo_managed"))
    assert sorted(one.header.identifier for one in found) == sorted(stamps(database))
    assert [one.header.identifier for one in found if one.header.deleted] == ["ivo://example.org/data/r0000"]
    assert len(list(harvester.ListIdentifiers(metadataPrefix="oai_dc", ignore_deleted=True))) == 3 + 449


def test_a_harvester_that_returns_gets_what_changed(database: Database, address: str) -> None:
    sync(database, rendered("a", "b"), T0)
    harvester = Sickle(address)
    with pytest.raises(NoRecordsMatch):
        harvester.ListRecords(metadataPrefix="ivo_vor", **{"from": "2026-01-02T03:04:06Z"})
    sync(database, rendered("b"), T0 + timedelta(hours=1))
    changed = harvester.ListRecords(metadataPrefix="ivo_vor", **{"from": "2026-01-02T03:04:06Z"})
    assert [(one.header.identifier, one.header.deleted) for one in changed] == [(A, True)]


def test_the_registry_describes_itself_beside(address: str) -> None:
    capabilities = httpx.get(f"{address}/capabilities")
    assert f'<accessURL use="base">{address}</accessURL>' in capabilities.text
    assert "<avl:available>true</avl:available>" in httpx.get(f"{address}/availability").text
    assert {httpx.get(url).headers["content-type"] for url in (address, capabilities.url)} == {"text/xml; charset=utf-8"}


def test_a_database_that_is_away_means_later() -> None:
    nowhere = Open(Settings(), SimpleNamespace(engine=create_engine("postgresql+psycopg://nobody@/none?host=/nonexistent")))
    answer = TestClient(Starlette(routes=oai.routes(nowhere))).get("/oai?verb=Identify")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert "nonexistent" not in answer.text


def test_mistakes_are_told_to_the_harvester(database: Database, address: str) -> None:
    sync(database, rendered("a"), T0)
    harvester = Sickle(address)
    assert harvester.GetRecord(identifier=A, metadataPrefix="oai_dc").metadata["title"] == ["A resource a"]
    with pytest.raises(IdDoesNotExist):
        harvester.GetRecord(identifier=B, metadataPrefix="oai_dc")
    with pytest.raises(BadArgument):
        harvester.ListRecords(metadataPrefix="oai_dc", until="2026")
    for wrong in ("a%00", "a%ff"):
        unreadable = httpx.get(f"{address}?verb=GetRecord&metadataPrefix=oai_dc&identifier={wrong}")
        assert (unreadable.status_code, unreadable.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        assert '<oai:error code="badArgument">identifier' in unreadable.text
        assert f"<oai:request>{address}</oai:request>" in unreadable.text
