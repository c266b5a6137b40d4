"""``publish_alerts``: packets of VOEvent become datasets and three tables, of alerts, their parameters and their citations."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow
from sqlalchemy import Connection

from vo_server.dali.timestamps import mjd
from vo_server.db.catalogue import load_site
from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.formats.readers.source import Source, arrow_type
from vo_server.model.columns import Column
from vo_server.model.media import media_type
from vo_server.observations.collections import Collection, PublishedCollection, Work, completed, store
from vo_server.observations.reading import find_files, kilobytes
from vo_server.observations.tables import Key, loaded, put_in_place, store_keys
from vo_server.observations.voevent import ENDINGS, Alert, Citation, Param, read_alert
from vo_server.publish.datasets import Dataset, publisher_did
from vo_server.publish.flip import check_free
from vo_server.publish.options import PublishOptions
from vo_server.publish.plan import Plan, plan_of

ALERTS, PARAMS, CITATIONS = "alerts", "params", "citations"
"""Names of the tables, in the collection's schema."""

REPLACING = ("supersedes", "retraction")
"""Citations after which the cited packet no longer stands."""

BATCH = 5_000
"""So many rows are handed over at once."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: its columns, each with what gives its value in a row."""

    columns: tuple[tuple[Column, Callable[[Any], Any]], ...]

    def source(self, directory: Path, name: str, description: str, rows: Callable[[], Iterable[Any]], count: int | None = None) -> Source:
        """The table with these rows, which are asked for as often as they are needed."""
        columns = tuple(column for column, _ in self.columns)
        names = pyarrow.schema([(column.name, arrow_type(column)) for column in columns])

        def batches() -> Iterator[pyarrow.RecordBatch]:
            waiting = iter(rows())
            while piece := list(islice(waiting, BATCH)):
                arrays = [pyarrow.array([value(row) for row in piece], arrow_type(column)) for column, value in self.columns]
                yield pyarrow.RecordBatch.from_arrays(arrays, schema=names)

        return Source(directory, name, columns, batches, count, None, description)


def _text(name: str, ucd: str, description: str) -> Column:
    return Column(name, "unicodeChar", "*", ucd=ucd, description=description)


def _number(name: str, unit: str | None, ucd: str, description: str) -> Column:
    return Column(name, "double", unit=unit, ucd=ucd, description=description)


def _instant(name: str, ucd: str, description: str) -> Column:
    return Column(name, "char", "*", "timestamp", ucd=ucd, description=description)


def _identifier(name: str, ucd: str, description: str) -> Column:
    return Column(name, "char", "*", ucd=ucd, description=description, indexed=name == "ivorn")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of alerts: what the packet says, and what only all of them together tell."""

    alert: Alert
    did: str
    superseded_by: str | None


ALERT_ROWS = Shape(
    (
        (_identifier("ivorn", "meta.id;meta.main", "Identifier of the packet"), lambda row: row.alert.ivorn),
        (_text("stream", "meta.id.parent", "Stream that the packet came in: its identifier up to the #"), lambda row: row.alert.stream),
        (_text("role", "meta.code.class", "observation, prediction, utility or test"), lambda row: row.alert.role),
        (_instant("event_time", "time.epoch;obs", "Time of the event, UTC"), lambda row: row.alert.place.observed),
        (_number("mjd", "d", "time.epoch", "Time of the event, MJD in UTC"), lambda row: _mjd(row.alert.place.observed)),
        (_number("ra", "deg", "pos.eq.ra;meta.main", "Right ascension, ICRS"), lambda row: row.alert.place.ra),
        (_number("dec", "deg", "pos.eq.dec;meta.main", "Declination, ICRS"), lambda row: row.alert.place.dec),
        (_number("error_radius", "deg", "stat.error;pos.eq", "Radius of the error circle"), lambda row: row.alert.place.error_radius),
        (_instant("written", "time.creation", "Time at which the packet was written, UTC"), lambda row: row.alert.written),
        (_text("author", "meta.curation", "Who wrote it"), lambda row: row.alert.author),
        (_text("author_ivorn", "meta.ref.ivoid;meta.curation", "Identifier of who wrote it"), lambda row: row.alert.author_ivorn),
        (_text("observatory", "meta.id;instr.obsty", "Where it was observed from"), lambda row: row.alert.observatory),
        (_text("instrument", "instr", "With what it was observed"), lambda row: row.alert.instrument),
        (_number("importance", None, "meta.code.qual", "How important its author takes it, 0 to 1"), lambda row: row.alert.importance),
        (_text("inferred", "meta.id;src", "Name of what it is thought to be"), lambda row: row.alert.inferred),
        (_text("concept", "src.class", "What kind of event it is thought to be"), lambda row: row.alert.concept),
        (_number("probability", None, "stat.probability", "Probability that it is that"), lambda row: row.alert.probability),
        (
            _text("citation", "meta.code", "What it does to earlier packets: followup, supersedes, retraction"),
            lambda row: _cite(row.alert),
        ),
        (
            _text("superseded_by", "meta.ref.ivoid", "Packet that supersedes or retracts this one; none: it stands"),
            lambda row: row.superseded_by,
        ),
        (_text("description", "meta.note", "What it says of itself"), lambda row: row.alert.description),
        (_text("reference", "meta.ref.url", "A page about it"), lambda row: row.alert.reference),
        (_identifier("obs_publisher_did", "meta.ref.ivoid", "The packet as a dataset of ivoa.obscore"), lambda row: row.did),
    )
)
"""``<schema>.alerts``: one row a packet."""

PARAM_ROWS = Shape(
    (
        (_identifier("ivorn", "meta.id", "Packet that the parameter belongs to"), lambda row: row[0]),
        (_text("grp", "meta.id.parent", "Group that it stands in"), lambda row: row[1].group),
        (_text("name", "meta.id", "Its name"), lambda row: row[1].name),
        (_text("value_text", "meta.note", "Its value as it stands in the packet"), lambda row: row[1].value),
        (_number("value_number", None, "meta.number", "Its value, if it is a number"), lambda row: row[1].number),
        (_text("unit", "meta.unit", "Its unit as it stands in the packet"), lambda row: row[1].unit),
        (_text("ucd", "meta.ucd", "Its UCD as it stands in the packet"), lambda row: row[1].ucd),
        (_text("description", "meta.note", "What it is"), lambda row: row[1].description),
    )
)
"""``<schema>.params``: one row a parameter of a packet."""

CITATION_ROWS = Shape(
    (
        (_identifier("ivorn", "meta.id", "Packet that cites"), lambda row: row[0]),
        (_text("cite", "meta.code", "followup, supersedes or retraction"), lambda row: row[1].cite),
        (replace(_text("cited", "meta.ref.ivoid", "Packet that is cited"), indexed=True), lambda row: row[1].cited),
    )
)
"""``<schema>.citations``: one row for each packet that a packet cites."""


def _mjd(instant: datetime | None) -> float | None:
    return None if instant is None else mjd(instant)


def _cite(alert: Alert) -> str | None:
    cites = [citation.cite for citation in alert.citations]
    return next((cite for cite in ("retraction", "supersedes", *cites) if cite in cites), None)


def publish_alerts(database: Database, collection: Collection, work: Work) -> PublishedCollection:
    """Make the packets below the collection's directory the whole of it: a dataset each, ``<schema>.alerts``, ``<schema>.params``,
    ``<schema>.citations``. Files that are no packets are skipped and named; without any DataError says so, and nothing changes.
    """
    paths = find_files(collection.directory, ENDINGS)
    alerts, skipped = read_alerts(collection.directory, paths, work)
    if not alerts:
        first = f"; {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise DataError(f"No packet of VOEvent was found ({len(paths)} XML files looked at{first}).", source=str(collection.directory))
    datasets = completed([dataset(collection.directory, alert) for alert in alerts], collection, work)
    plans = _plans(database, collection, alerts, datasets)
    with ExitStack() as held:
        changes = [loaded(held, database, plan) for plan in plans]
        with database.engine.begin() as connection:

            def tables(connection: Connection, _datasets: Sequence[Dataset], _resource: int) -> tuple[str, ...]:
                put_in_place(connection, changes, work.clock())
                names = of_alerts, of_params, of_citations = tuple(plan.full_name for plan in plans)
                store_keys(
                    connection,
                    [
                        Key(of_alerts, "ivoa.obscore", "obs_publisher_did", "The packet as a dataset"),
                        Key(of_params, of_alerts, "ivorn", "The packet that a parameter belongs to"),
                        Key(of_citations, of_alerts, "ivorn", "The packet that cites"),
                    ],
                )
                return names

            store(connection, collection, datasets, {}, work, tables)
    notes = [f"{change.plan.full_name}: {change.learned.rows:,} rows" for change in changes]
    if placeless := changes[0].learned.placeless:
        notes.append(f"{placeless:,} alerts have no position; no search by position finds them")
    if with_tables := sum(alert.tables > 0 for alert in alerts):
        notes.append(f"{with_tables:,} packets have tables in What; those are in the packets only")
    return PublishedCollection(collection.name, len(alerts), tuple(skipped), len(paths), tuple(notes))


def read_alerts(directory: Path, paths: Sequence[str], work: Work) -> tuple[list[Alert], list[tuple[str, str]]]:
    """The packets, without their parameters; and (path, reason) of files that are none or hold a packet that is there already."""
    alerts: dict[str, Alert] = {}
    skipped: list[tuple[str, str]] = []
    for number, path in enumerate(paths, 1):
        try:
            alert = read_alert(directory, path)
        except DataError as error:
            skipped.append((path, error.message))
        else:
            if alert.ivorn in alerts:
                skipped.append((path, f"the same packet is in {alerts[alert.ivorn].path}"))
            else:
                alerts[alert.ivorn] = replace(alert, params=())
        work.watch(number, len(paths))
    return list(alerts.values()), skipped


def dataset(directory: Path, alert: Alert) -> Dataset:
    """The packet in the words of ObsCore: when and where; its region is the error circle."""
    place = alert.place
    circle = (place.ra, place.dec, place.error_radius) if place.ra is not None and place.dec is not None and place.error_radius else None
    instant = _mjd(place.observed)
    return Dataset(
        path=alert.path,
        obs_id=alert.ivorn,
        access_format=media_type(alert.path),
        access_estsize=kilobytes((directory / alert.path).stat().st_size),
        dataproduct_subtype="voevent",
        obs_title=alert.description or alert.ivorn,
        target_name=alert.inferred,
        instrument_name=alert.instrument,
        s_ra=place.ra,
        s_dec=place.dec,
        s_fov=2 * place.error_radius if place.error_radius else None,
        shape=circle,
        t_min=instant,
        t_max=instant,
    )


def superseded(alerts: Iterable[Alert]) -> dict[str, str]:
    """Packets that no longer stand → the last packet that supersedes or retracts each."""
    in_order = sorted(alerts, key=lambda alert: alert.written or datetime.min)
    return {citation.cited: alert.ivorn for alert in in_order for citation in alert.citations if citation.cite in REPLACING}


def _plans(database: Database, collection: Collection, alerts: Sequence[Alert], datasets: Sequence[Dataset]) -> list[Plan]:
    with database.engine.connect() as connection:
        authority = load_site(connection).authority
    replaced = superseded(alerts)
    rows = [
        Row(alert, publisher_did(one, collection.name, authority), replaced.get(alert.ivorn))
        for alert, one in zip(alerts, datasets, strict=True)
    ]

    def params() -> Iterator[tuple[str, Param]]:
        for alert in alerts:
            yield from ((alert.ivorn, param) for param in read_alert(collection.directory, alert.path).params)

    citations: list[tuple[str, Citation]] = [(alert.ivorn, citation) for alert in alerts for citation in alert.citations]
    title = collection.title or collection.name
    directory = collection.directory
    sources = (
        (ALERT_ROWS.source(directory, ALERTS, "Alerts, one row a packet", lambda: rows, len(rows)), True),
        (PARAM_ROWS.source(directory, PARAMS, "Parameters of the alerts, one row each", params), False),
        (CITATION_ROWS.source(directory, CITATIONS, "Which alert is about which earlier one", lambda: citations, len(citations)), False),
    )
    plans = [
        plan_of(
            source,
            None,
            PublishOptions(resource=collection.resource_name, title=f"{title}: {source.name}", position=positions),
            schema=collection.schema_name,
            table=source.name,
        )
        for source, positions in sources
    ]
    with database.engine.connect() as connection:
        for plan in plans:
            check_free(connection, plan)
    return plans
