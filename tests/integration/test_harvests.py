"""Any sequence of publishing, changing, retracting and restarting: a harvester's copy, kept by incremental harvests, equals the truth,
also where pages change in the middle of a harvest, or somebody is about to store (OAI-PMH 2.0 §2.5.1, §3.5)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from lxml import etree
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from vo_registry import oai_pmh
from vo_registry.oai import DatabaseStore, repository
from vo_registry.records import Rendered, render_all
from vo_server.db import records, regtap
from vo_server.db.database import Database
from vo_server.db.records import lock_records, sync_records
from vo_server.model.catalogue import Catalogue, Schema
from vo_server.model.resource import Resource, Site
from vo_server.settings import Settings

SITE = Site(authority="observatory.fr")
SETTINGS = Settings(public_url="https://vo.observatory.fr")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
NAMESPACES = {"o": "http://www.openarchives.org/OAI/2.0/"}
NAMES = st.integers(0, 8).map(lambda number: f"r{number}")


class Harvests(RuleBasedStateMachine):
    """The truth is a title by name; the copy is what a harvester has, title or None (deleted) by identifier."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        with self.database.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE vo.record_versions, vo.records, {', '.join(f'rr.{name}' for name in regtap.NAMES)}"))
        self.now = EPOCH
        self.truth: dict[str, str] = {}
        self.copy: dict[str, str | None] = {}
        self.since: str | None = None
        self.page: bytes | None = None
        self.answered: str | None = None
        self.stamps: dict[str, str] = {}
        self.publishing: Connection | None = None
        self.intended: dict[str, str] = {}
        self.stored = False
        self._store()

    def teardown(self) -> None:
        if self.publishing is not None:
            self.publishing.close()

    def _rendered(self, truth: dict[str, str]) -> dict[str, Rendered]:
        resources = [Resource("data", name, title, "Description", EPOCH, EPOCH) for name, title in truth.items()]
        return render_all(SITE, resources, Catalogue(1, (Schema("data"),), ()), (), SETTINGS.base_url)

    def _store(self) -> None:
        with self.database.engine.begin() as connection:
            sync_records(connection, self._rendered(self.truth), lambda: self.now)

    def _ask(self, **arguments: str) -> bytes | None:
        """The answer; None: come again later, just while records with a datestamp wait for their commit."""
        pairs = [(name.rstrip("_"), value) for name, value in arguments.items()]
        with self.database.engine.connect() as connection:
            try:
                return oai_pmh.answer(pairs, repository(SETTINGS, SITE, self.now), DatabaseStore(connection))
            except OperationalError:
                assert self.stored
                return None

    @rule(seconds=st.sampled_from([0, 0, 1, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.publishing is None)
    @rule(name=NAMES, title=st.sampled_from(["One", "Two"]))
    def begin_to_publish(self, name: str, title: str) -> None:
        """A transaction that takes its time: it is the only one that stores, and harvests go on beside it."""
        self.publishing = self.database.engine.connect()
        lock_records(self.publishing)
        self.intended = {**self.truth, name: title}

    @precondition(lambda self: self.publishing is not None and not self.stored)
    @rule()
    def store_uncommitted(self) -> None:
        self.stored = bool(sync_records(self.publishing, self._rendered(self.intended), lambda: self.now))
        if not self.stored:
            self.commit()

    @precondition(lambda self: self.stored)
    @rule()
    def commit(self) -> None:
        self.publishing.commit()
        self.publishing.close()
        self.publishing, self.stored, self.truth = None, False, self.intended

    @precondition(lambda self: self.publishing is None)
    @rule(name=NAMES, title=st.sampled_from(["One", "Two"]))
    def publish(self, name: str, title: str) -> None:
        self.truth[name] = title
        self._store()

    @precondition(lambda self: self.publishing is None)
    @rule(name=NAMES)
    def retract(self, name: str) -> None:
        self.truth.pop(name, None)
        self._store()

    @precondition(lambda self: self.publishing is None)
    @rule()
    def restart(self) -> None:
        """Everything is rendered and stored again; nothing moves."""
        before = self._list_stamps()
        self._store()
        assert self._list_stamps() == before

    @precondition(lambda self: self.page is None)
    @rule()
    def begin_harvest(self) -> None:
        """From the time of the last answer on, as harvesters do; the interval includes its begin."""
        arguments = {"from_": self.since} if self.since else {}
        page = self._ask(verb="ListRecords", metadataPrefix="ivo_vor", **arguments)
        if page is None:
            return
        self.page = page
        self.answered = etree.fromstring(self.page).findtext("o:responseDate", namespaces=NAMESPACES)

    @precondition(lambda self: self.page is not None)
    @rule()
    def next_page(self) -> None:
        root = etree.fromstring(self.page)
        self._take(root)
        token = root.findtext(".//o:resumptionToken", namespaces=NAMESPACES)
        if token:
            self.page = self._ask(verb="ListRecords", resumptionToken=token) or self.page
        else:
            self.page, self.since = None, self.answered

    def _take(self, root: Any) -> None:
        for record in root.iterfind(".//o:record", NAMESPACES):
            identifier = record.findtext("o:header/o:identifier", namespaces=NAMESPACES)
            self.copy[identifier] = record.findtext(".//title")

    @rule()
    def finish(self) -> None:
        """End the harvest under way, then harvest once more: the copy is the truth."""
        if self.stored:
            self.commit()
        if self.page is None:
            self.begin_harvest()
        while self.page is not None:
            self.next_page()
        self.begin_harvest()
        while self.page is not None:
            self.next_page()
        expected = {SITE.ivoid(f"data/{name}"): title for name, title in self.truth.items()}
        assert {name: title for name, title in self.copy.items() if "/data/" in name and title is not None} == expected

    @invariant()
    def datestamps_never_run_backwards(self) -> None:
        stamps = self._list_stamps()
        assert all(stamps[name] >= stamp for name, stamp in self.stamps.items()), "no record is forgotten, none gets older"
        self.stamps = stamps

    def _list_stamps(self) -> dict[str, str]:
        with self.database.engine.connect() as connection:
            return {row.identifier: str(row.datestamp) for row in connection.execute(text("SELECT identifier, datestamp FROM vo.records"))}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oai_pmh, "PAGE_SIZE", 3)


@pytest.fixture
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PATIENCE", "20ms")


@pytest.mark.usefixtures("small_pages", "little_patience")
def test_the_harvesters_copy_is_the_truth(database: Database) -> None:
    machine: Callable[[], Any] = type("HarvestsHere", (Harvests,), {"database": database})
    bounds = settings(max_examples=8, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=bounds)


@pytest.mark.usefixtures("small_pages", "little_patience")
def test_what_is_committed_after_a_harvest_is_not_missed(database: Database) -> None:
    """The sequence that chance seldom finds: a datestamp is set, a harvest asks meanwhile, and only then comes the commit."""
    harvests = type("HarvestsHere", (Harvests,), {"database": database})()
    try:
        harvests.publish(name="r1", title="One")
        harvests.finish()
        harvests.begin_to_publish(name="r2", title="Two")
        harvests.store_uncommitted()
        harvests.time_passes(seconds=1)
        harvests.begin_harvest()
        while harvests.page is not None:
            harvests.next_page()
        harvests.commit()
        harvests.finish()
    finally:
        harvests.teardown()
