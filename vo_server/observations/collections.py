"""A directory of observations becomes a collection: its files are read, its datasets, record and links replaced in one transaction."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from vo_server.db import schema
from vo_server.db.catalogue import RESOURCE_JSON, bump_version
from vo_server.db.database import Database
from vo_server.db.records import lock_records
from vo_server.errors import DataError, UsageError
from vo_server.formats.readers.infer import fold
from vo_server.model.resource import Resource
from vo_server.observations.coverage import coverage
from vo_server.observations.reading import READING_JSON, FileState, Known, Reader, Reading, Request, Watcher, find_files, read_files
from vo_server.observations.stage import place_of, staged
from vo_server.observations.words import Said
from vo_server.publish.datasets import Dataset, replace_datasets, store_collection
from vo_server.publish.descriptor import ResourceSection
from vo_server.publish.flip import keep_views
from vo_server.publish.options import RecordRenderer, utc_now
from vo_server.publish.plan import DEFAULT_SCHEMA
from vo_server.publish.retract import take_away

PREVIEWS = ".previews"
"""What the name of a collection's previews has behind the collection's own."""

LEAST_RADIUS_DEG = 1.0 / 3600
"""A point is found by positions as near as this."""

ASKED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("facility_name", "Facility (telescope, satellite, detector)", ("facility_name",)),
    ("instrument_name", "Instrument", ("instrument_name",)),
    ("band", "Band, such as 100 GeV..10 TeV or 340 nm..880 nm", ("em_min", "em_max")),
    ("time", "Time of the observations, such as 2008-08-04..2015-08-02", ("t_min", "t_max")),
    ("o_ucd", "What the pixels hold, as a UCD such as phot.count", ("o_ucd",)),
)
"""What people search by and files often do not say: word, question, columns it fills."""

Ask = Callable[[Sequence[Dataset]], Mapping[str, Any]]
"""Asks the operator for values that datasets lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What is published, and as what: ``name`` becomes obs_collection, ``resource`` is what a descriptor says for the registry."""

    name: str
    directory: Path
    said: Said = field(default_factory=lambda: Said({}))
    title: str | None = None
    description: str | None = None
    resource: ResourceSection | None = None
    schema: str = DEFAULT_SCHEMA

    @property
    def schema_name(self) -> str:
        """The schema of its resource and tables."""
        return (self.resource.schema_name if self.resource else None) or self.schema

    @property
    def resource_name(self) -> str:
        """The last part of its ivoid."""
        return (self.resource.name if self.resource else None) or fold(self.name)


def with_own_schema(collection: Collection) -> Collection:
    """The collection under a schema of its own, unless its descriptor names one: its tables have the same names as those of others."""
    return collection if collection.resource and collection.resource.schema_name else replace(collection, schema=fold(collection.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How it is done: where previews go (None: nowhere), how many processes read, who watches and who answers."""

    records: RecordRenderer
    previews: Path | None = None
    processes: int = 1
    watch: Watcher = lambda _done, _total: None
    ask: Ask = lambda _datasets: {}
    clock: Callable[[], datetime] = utc_now


@dataclass(frozen=True, slots=True)
class PublishedCollection:
    """What became of the files of a directory: how many are in ObsCore now, and (path, reason) of those that are not."""

    collection: str
    published: int
    skipped: tuple[tuple[str, str], ...]
    files: int = 0
    notes: tuple[str, ...] = ()


Extra = Callable[[Connection, Sequence[Dataset], int], tuple[str, ...]]
"""What else changes in the same transaction, given the id of the resource; the tables that belong to the resource."""


def publish_collection(database: Database, collection: Collection, reader: Reader, work: Work, nothing: str) -> PublishedCollection:
    """Read the directory with `reader` and make what it holds the whole of the collection, in one transaction.

    Files of which nothing can be used are skipped and reported; a directory without any dataset raises DataError, which begins with
    `nothing`, and changes nothing.
    """
    with staged(database, work.previews, collection.name) as stage:
        readings = read_directory(database, collection, reader, work, stage)
        datasets, skipped = gathered(readings)
        if not datasets:
            raise DataError(f"{nothing} ({_looked_at(readings, skipped)}).", source=str(collection.directory))
        datasets = completed(datasets, collection, work)
        with database.engine.begin() as connection:
            store(connection, collection, datasets, readings, work)
    return PublishedCollection(collection.name, len(datasets), tuple(skipped), len(readings))


def read_directory(
    database: Database, collection: Collection, reader: Reader, work: Work, stage: Path | None
) -> dict[str, tuple[FileState, Reading]]:
    """What each file of the directory holds, pictures drawn on `stage`; unchanged ones are not read again."""
    if not collection.directory.is_dir():
        raise UsageError(f"{collection.directory} is not a directory.")
    if not collection.name.strip() or "\0" in collection.name or collection.name.endswith(PREVIEWS):
        raise UsageError(f"{collection.name!r} cannot be the name of a collection.")
    previews = place_of(work.previews, collection.name) if work.previews else None
    requests = [Request(collection.directory, path, stage, previews) for path in find_files(collection.directory)]
    with database.engine.connect() as connection:
        known = known_readings(connection, collection)
    return read_files(requests, reader, known, work.processes, work.watch)


def known_readings(connection: Connection, collection: Collection) -> Known:
    """What was read when the collection was last published from the same directory."""
    files, collections = schema.files.c, schema.collections.c
    same = collections.root == str(collection.directory.resolve())
    rows = connection.execute(
        select(files.path, files.size, files.modified, files.reader, files.reading)
        .join(schema.collections, collections.collection == files.collection)
        .where(files.collection == collection.name, same)
    )
    return {row.path: (FileState(row.size, row.modified, row.reader), READING_JSON.validate_python(row.reading)) for row in rows}


def is_unchanged(connection: Connection, collection: Collection, readings: Mapping[str, tuple[FileState, Reading]]) -> bool:
    """Whether the collection was published from just these files as they are now."""
    known = known_readings(connection, collection)
    return {path: state for path, (state, _) in known.items()} == {path: state for path, (state, _) in readings.items()}


def gathered(readings: Mapping[str, tuple[FileState, Reading]]) -> tuple[list[Dataset], list[tuple[str, str]]]:
    """All datasets, each with an identifier of its own, and (path, reason) of what was passed over."""
    datasets = [dataset for _, reading in readings.values() for dataset in reading.datasets]
    skipped = [(path, reason) for path, (_, reading) in readings.items() for reason in reading.skipped]
    return unique_ids(datasets), skipped


def unique_ids(datasets: Sequence[Dataset]) -> list[Dataset]:
    """The datasets; those that share identifiers (``a.fits`` beside ``a.fits.gz``) get their whole path for one."""
    uses = Counter((dataset.obs_id, dataset.part) for dataset in datasets)
    return [replace(one, obs_id=one.path) if uses[one.obs_id, one.part] > 1 else one for one in datasets]


def _looked_at(readings: Mapping[str, Any], skipped: Sequence[tuple[str, str]]) -> str:
    first = f"; {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
    return f"{len(readings)} FITS files looked at{first}"


def completed(datasets: Sequence[Dataset], collection: Collection, work: Work) -> list[Dataset]:
    """The datasets with what the operator says of them, links pointing at collections, and answers to what nobody said."""
    filled = [collection.said.fill(dataset) for dataset in datasets]
    if answers := work.ask(filled):
        filled = [Said(answers).fill(dataset) for dataset in filled]
    filled = [_with_region(one) for one in filled]
    return [replace(one, links=tuple(_placed(link, collection.name) for link in one.links)) for one in filled]


def _with_region(one: Dataset) -> Dataset:
    """A dataset whose position only the operator says is found there, as far around as its diameter says."""
    if one.shape is not None or one.s_ra is None or one.s_dec is None:
        return one
    size = one.s_fov if one.s_fov is not None else 2 * LEAST_RADIUS_DEG
    return replace(one, s_fov=size, shape=(one.s_ra, one.s_dec, size / 2))


def _placed(link: Any, collection: str) -> Any:
    if link.path is None or link.collection is not None:
        return link
    return replace(link, collection=f"{collection}{PREVIEWS}" if link.semantics == "#preview" else collection)


def store(
    connection: Connection,
    collection: Collection,
    datasets: Sequence[Dataset],
    readings: Mapping[str, tuple[FileState, Reading]],
    work: Work,
    extra: Extra = lambda _connection, _datasets, _resource: (),
    sample: tuple[float, float] | None = None,
) -> None:
    """Write everything inside the transaction of `connection`: datasets, files, resource and records. `sample` is where a row of its
    table lies; absent, where a dataset does.
    """
    lock_records(connection)  # first: whoever publishes or renders waits here, and nobody else
    now = work.clock()
    resource_id, before = _resource_row(connection, collection, now)
    tables = extra(connection, datasets, resource_id)
    if work.previews is not None:
        store_collection(connection, f"{collection.name}{PREVIEWS}", place_of(work.previews, collection.name))
    replace_datasets(connection, collection.name, collection.directory, datasets, resource_id=resource_id)
    _store_files(connection, collection, readings)
    resource = described(collection, datasets, tables, before, now)
    _store_resource(connection, resource_id, resource if sample is None else replace(resource, sample=sample), before)
    bump_version(connection)
    work.records(connection, f"{collection.schema_name}/{collection.resource_name}")


def _store_files(connection: Connection, collection: Collection, readings: Mapping[str, tuple[FileState, Reading]]) -> None:
    connection.execute(delete(schema.files).where(schema.files.c.collection == collection.name))
    rows = [
        {
            "collection": collection.name,
            "path": path,
            "size": state.size,
            "modified": state.modified,
            "reader": state.reader,
            "reading": READING_JSON.dump_python(reading, mode="json", exclude_defaults=True),
        }
        for path, (state, reading) in readings.items()
    ]
    if rows:
        connection.execute(insert(schema.files), rows)


def _resource_row(connection: Connection, collection: Collection, now: datetime) -> tuple[int, Resource | None]:
    """The id of the collection's resource, made if it is new, and what was known of it. DataError if the name is another one's."""
    resources, collections = schema.resources.c, schema.collections.c
    found = connection.execute(
        select(resources.resource_id, resources.body, resources.retracted, collections.collection)
        .select_from(schema.resources.outerjoin(schema.collections, collections.resource_id == resources.resource_id))
        .where(resources.schema_name == collection.schema_name, resources.name == collection.resource_name)
    ).first()
    if found is None:
        new = Resource(collection.schema_name, collection.resource_name, collection.name, collection.name, now, now)
        made = insert(schema.resources).values(schema_name=new.schema, name=new.name, body=RESOURCE_JSON.dump_python(new, mode="json"))
        return int(connection.execute(made.returning(resources.resource_id)).scalar_one()), None
    if found.collection not in (None, collection.name) or (found.collection is None and not found.retracted):
        other = f"the collection {found.collection}" if found.collection else "a table"
        hint = "Choose another name for the collection, or key `name` in [resource] of a descriptor."
        raise DataError(f"{collection.schema_name}/{collection.resource_name} is the resource of {other}.", hint=hint)
    return int(found.resource_id), RESOURCE_JSON.validate_python(found.body)


def described(
    collection: Collection, datasets: Sequence[Dataset], tables: tuple[str, ...], before: Resource | None, now: datetime
) -> Resource:
    """The resource as descriptor and datasets have it."""
    said = collection.resource or ResourceSection.model_validate({})
    found = coverage(datasets)
    placed = next((one for one in datasets if one.s_ra is not None and one.s_dec is not None), None)
    title = collection.title or said.title or collection.name
    return Resource(
        collection.schema_name,
        collection.resource_name,
        title,
        collection.description or said.description or _summary(title, datasets),
        before.created if before else now,
        now,
        facilities=tuple(said.facility) or _names(datasets, "facility_name"),
        instruments=tuple(said.instrument) or _names(datasets, "instrument_name"),
        type=tuple(said.type) if "type" in said.model_fields_set else ("Archive",),
        coverage=replace(found, waveband=tuple(said.waveband) or found.waveband),
        tables=tables,
        sample=(placed.s_ra, placed.s_dec) if placed and placed.s_ra is not None and placed.s_dec is not None else None,
        **said.facts,
    )


def _summary(title: str, datasets: Sequence[Dataset]) -> str:
    kinds = Counter(one.dataproduct_type or "dataset" for one in datasets)
    counts = ", ".join(f"{count:,} {kind}{'s' if count > 1 else ''}" for kind, count in kinds.most_common())
    return f"{title}: a collection of {counts}."


MOST_NAMES = 20


def _names(datasets: Sequence[Dataset], column: str) -> tuple[str, ...]:
    """The different names in a column, the most frequent first."""
    return tuple(str(name) for name, _ in Counter(getattr(one, column) for one in datasets).most_common(MOST_NAMES) if name)


def _store_resource(connection: Connection, resource_id: int, after: Resource, before: Resource | None) -> None:
    """Write the resource's body. ``updated`` moves only if what is said of it is other than before."""
    if before is not None and replace(after, updated=before.updated) == before:
        after = before
    values = {"body": RESOURCE_JSON.dump_python(after, mode="json"), "retracted": False}
    connection.execute(update(schema.resources).where(schema.resources.c.resource_id == resource_id).values(values))


def missing(datasets: Sequence[Dataset]) -> list[tuple[str, str, int]]:
    """(word, question, how many datasets lack it) of what nobody has said yet."""
    counts = [(word, text, sum(all(getattr(one, name) is None for name in names) for one in datasets)) for word, text, names in ASKED]
    return [(word, text, count) for word, text, count in counts if count]


def is_collection(connection: Connection, name: str) -> bool:
    """Whether a collection of datasets has this name."""
    return connection.execute(select(schema.collections).where(schema.collections.c.collection == name)).first() is not None


def retract_collection(connection: Connection, name: str, records: RecordRenderer) -> list[str]:
    """Take a collection away: datasets, links and files are no longer served, its tables are gone, its record becomes a tombstone.
    The files themselves stay. The names of the tables; UsageError if there is no such collection.
    """
    lock_records(connection)
    row = connection.execute(select(schema.collections).where(schema.collections.c.collection == name)).first()
    if row is None:
        raise UsageError(f"There is no collection {name!r}.")
    connection.execute(delete(schema.collections).where(schema.collections.c.collection.in_([name, f"{name}{PREVIEWS}"])))
    tables: list[str] = []
    if row.resource_id is not None:
        tables = take_away(connection, schema.tables.c.resource_id == row.resource_id)
        keep_views(connection, f"the collection {name}")
        connection.execute(update(schema.resources).where(schema.resources.c.resource_id == row.resource_id).values(retracted=True))
    bump_version(connection)
    records(connection)
    return sorted(tables)
