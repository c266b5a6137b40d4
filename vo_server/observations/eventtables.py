"""``publish_events``: event lists become datasets, one table of all events and one of the observations, in one transaction."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute as pc
from astropy.io import fits
from astropy.table import Table
from sqlalchemy import Connection

from vo_server.db.catalogue import load_catalogue, load_site
from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.formats.readers import Source, open_table
from vo_server.formats.readers.memory import from_astropy
from vo_server.formats.readers.source import arrow_type
from vo_server.model.columns import NUMBERS, Column
from vo_server.model.media import media_type
from vo_server.observations import gadf
from vo_server.observations.collections import (
    Collection,
    PublishedCollection,
    Work,
    completed,
    gathered,
    is_unchanged,
    read_directory,
    store,
)
from vo_server.observations.events import calibration, read_events
from vo_server.observations.headers import number
from vo_server.observations.stage import staged
from vo_server.observations.tables import Key, loaded, put_in_place, store_keys
from vo_server.publish.datasets import Dataset, Link, publisher_did
from vo_server.publish.flip import check_free
from vo_server.publish.options import PublishOptions
from vo_server.publish.plan import Plan, plan_of

EVENTS, OBSERVATIONS = "events", "observations"
"""Names of the two tables, in the collection's schema."""

OBS_ID = Column("obs_id", "char", "*", ucd="meta.id;obs", description="Observation the event belongs to", indexed=True)
MJD = Column("mjd", "double", unit="d", ucd="time.epoch", description="Arrival time, MJD in UTC")


@dataclass(frozen=True, slots=True)
class Index:
    """What obs-index and hdu-index say: rows by obs_id, and links to response functions by obs_id."""

    rows: dict[str, dict[str, Any]]
    links: dict[str, tuple[Link, ...]]


def publish_events(database: Database, collection: Collection, work: Work) -> PublishedCollection:
    """Make the event lists below the collection's directory the whole of it: datasets, ``<schema>.events``, ``<schema>.observations``."""
    with staged(database, work.previews, collection.name) as stage:
        return _publish(database, collection, work, stage)


def _publish(database: Database, collection: Collection, work: Work, stage: Path | None) -> PublishedCollection:
    readings = read_directory(database, collection, read_events, work, stage)
    datasets, skipped = gathered(readings)
    if not datasets:
        first = f"; {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise DataError(f"No list of events was found ({len(readings)} FITS files looked at{first}).", source=str(collection.directory))
    index = read_index(collection.directory, list(readings))
    documents = documentation(collection.directory)
    datasets = [replace(one, links=_joined(one.links, index.links.get(one.obs_id, ()), documents)) for one in datasets]
    datasets = completed(datasets, collection, work)
    plans = _plans(database, collection, datasets, index)
    with database.engine.connect() as connection:
        kept = is_unchanged(connection, collection, readings) and _is_there(connection, plans[0])
    with ExitStack() as held:
        loads = [loaded(held, database, plan) for plan in (plans[1:] if kept else plans)]
        with database.engine.begin() as connection:

            def tables(connection: Connection, _datasets: Sequence[Dataset], _resource: int) -> tuple[str, ...]:
                put_in_place(connection, loads, work.clock())
                events, observations = names = tuple(plan.full_name for plan in plans)
                store_keys(
                    connection,
                    [
                        Key(events, observations, "obs_id", "The observation an event belongs to"),
                        Key(observations, "ivoa.obscore", "obs_publisher_did", "The observation as a dataset"),
                    ],
                )
                return names

            store(connection, collection, datasets, readings, work, tables)
    absent = sorted(index.rows.keys() - {"", *(one.obs_id for one in datasets)})
    notes = [f"{plans[0].full_name}: unchanged"] if kept else []
    notes += [f"{change.plan.full_name}: {change.learned.rows:,} rows" for change in loads]
    if absent:
        named = ", ".join(absent[:5]) + (" …" if absent[5:] else "")
        notes.append(f"{len(absent)} observations of the index have no events here and were left out: {named}")
    return PublishedCollection(collection.name, len(datasets), tuple(skipped), len(readings), tuple(notes))


def _is_there(connection: Connection, plan: Plan) -> bool:
    """Whether the table of a plan is published already, with the same title and columns."""
    table = load_catalogue(connection).table(plan.full_name)
    return table is not None and table.title == (plan.table_title or plan.title) and _looks(table.columns) == _looks(plan.columns)


def _looks(columns: Sequence[Column]) -> list[tuple[str | None, ...]]:
    return [(one.name, one.datatype, one.arraysize, one.unit, one.description) for one in columns]


def _joined(*groups: tuple[Link, ...]) -> tuple[Link, ...]:
    """All links, each HDU of a file once."""
    return tuple({(link.semantics, link.path, link.hdu): link for group in reversed(groups) for link in group}.values())[::-1]


def documentation(directory: Path) -> tuple[Link, ...]:
    """Links to what lies beside the data for people to read."""
    found = sorted(path for path in directory.glob("README*") if path.is_file())
    return tuple(
        Link(
            semantics="#documentation",
            path=path.name,
            content_type=media_type(path.name),
            content_length=path.stat().st_size,
            description="Description of the data",
        )
        for path in found
    )


def _plans(database: Database, collection: Collection, datasets: Sequence[Dataset], index: Index) -> list[Plan]:
    """The plans of the two tables."""
    with database.engine.connect() as connection:
        authority = load_site(connection).authority
    title = collection.title or collection.name
    of_events = PublishOptions(ra="RA", dec="DEC", resource=collection.resource_name, title=f"{title}: events")
    of_runs = PublishOptions(ra="ra_pnt", dec="dec_pnt", resource=collection.resource_name, title=f"{title}: observations")
    plans = [
        plan_of(events_source(collection.directory, datasets), None, of_events, schema=collection.schema_name, table=EVENTS),
        plan_of(
            observations_source(collection, datasets, index, authority), None, of_runs, schema=collection.schema_name, table=OBSERVATIONS
        ),
    ]
    with database.engine.connect() as connection:
        for plan in plans:
            check_free(connection, plan)
    return plans


def events_source(directory: Path, datasets: Sequence[Dataset]) -> Source:
    """All events of all observations under one head: the observation, the file's columns, and the time as MJD."""
    parts = [_part(directory, dataset) for dataset in datasets]
    columns = _united([part.source for part in parts])

    def batches() -> Iterator[pyarrow.RecordBatch]:
        names = pyarrow.schema([(column.name, arrow_type(column)) for column in (OBS_ID, *columns, MJD)])
        for part in parts:
            for batch in part.source.batches():
                values = {column.name.upper(): batch.column(place) for place, column in enumerate(part.source.columns)}
                nothing = pyarrow.nulls(batch.num_rows)
                told = [values.get(column.name.upper(), nothing).cast(arrow_type(column)) for column in columns]
                first = pyarrow.array([part.obs_id] * batch.num_rows, pyarrow.large_string())
                yield pyarrow.RecordBatch.from_arrays([first, *told, part.instants(values.get("TIME"), batch.num_rows)], schema=names)

    rows = sum(part.source.nrows or 0 for part in parts)
    return Source(directory, EVENTS, (OBS_ID, *columns, MJD), batches, rows, None, "Events of all observations")


@dataclass(frozen=True, slots=True)
class _Part:
    """The events of one observation."""

    obs_id: str
    source: Source
    reference: tuple[float, str] | None

    def instants(self, seconds: pyarrow.Array | None, rows: int) -> pyarrow.Array:
        """MJD of the events' times."""
        if seconds is None or self.reference is None:
            return pyarrow.nulls(rows, pyarrow.float64())
        numbers = pc.fill_null(seconds.cast(pyarrow.float64()), np.nan).to_numpy(zero_copy_only=False)
        return pyarrow.array(gadf.days(numbers, self.reference), pyarrow.float64(), from_pandas=True)


def _part(directory: Path, dataset: Dataset) -> _Part:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = fits.getheader(directory / dataset.path, dataset.hdu)
    name = str(header.get("EXTNAME", "")).strip() or f"table{dataset.hdu}"
    return _Part(dataset.obs_id, open_table(directory / dataset.path, name), gadf.reference_time(header))


def _united(sources: Sequence[Source]) -> tuple[Column, ...]:
    """The columns of all observations: those of the first, then what others have more; numbers in the widest type.

    DataError if one has another unit or is another kind of value: such observations are collections of their own.
    """
    found: dict[str, Column] = {}
    for source in sources:
        for column in source.columns:
            key = column.name.upper()
            if key in ("OBS_ID", "MJD"):
                continue
            known = found.get(key)
            found[key] = _described(column) if known is None else _wider(known, column, source.path.name)
    return tuple(found.values())


def _described(column: Column) -> Column:
    ucd, description = gadf.COLUMNS.get(column.name.upper(), (None, None))
    return replace(column, ucd=column.ucd or ucd, description=column.description or description)


def _wider(known: Column, other: Column, file: str) -> Column:
    if known.unit != other.unit:
        raise DataError(
            f"it is in {other.unit}, and in {known.unit} in other files.",
            source=file,
            column=other.name,
            hint="Publish observations of different kinds as collections of their own.",
        )
    if (known.datatype, known.arraysize) == (other.datatype, other.arraysize):
        return known
    if known.is_array or other.is_array or known.datatype not in NUMBERS or other.datatype not in NUMBERS:
        raise DataError(
            f"it holds {other.datatype}, and {known.datatype} in other files.",
            source=file,
            column=other.name,
            hint="Publish observations of different kinds as collections of their own.",
        )
    return replace(known, datatype=max(known.datatype, other.datatype, key=NUMBERS.index))


def observations_source(collection: Collection, datasets: Sequence[Dataset], index: Index, authority: str) -> Source:
    """One row an observation: what index and headers say of it, and which dataset of ObsCore it is."""
    rows = [_observation_row(collection, one, index.rows.get(one.obs_id, {}), authority) for one in datasets]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(masked=True)
    for name in names:
        values = [row.get(name) for row in rows]
        filler = next(value for value in values if value is not None)
        mask = [value is None for value in values]
        table[name.lower()] = np.ma.MaskedArray([filler if value is None else value for value in values], mask=mask)
        ucd, description = gadf.OBSERVATION_COLUMNS.get(name, OWN.get(name, (None, None)))
        table[name.lower()].unit = index.rows.get("", {}).get(name) or gadf.UNITS.get(name) or ("d" if name.startswith("MJD_") else None)
        table[name.lower()].description = description
        if ucd:
            table[name.lower()].info.meta = {"ucd": ucd}
    source = from_astropy(collection.directory, table)
    return replace(source, name=OBSERVATIONS, title=None, description="Observations, one row each")


OWN: dict[str, tuple[str, str]] = {
    "OBS_PUBLISHER_DID": ("meta.ref.ivoid", "The observation as a dataset of ivoa.obscore"),
    "MJD_START": ("time.start;obs", "Begin of the observation, MJD in UTC"),
    "MJD_STOP": ("time.end;obs", "End of the observation, MJD in UTC"),
}


def _observation_row(collection: Collection, dataset: Dataset, known: dict[str, Any], authority: str) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = fits.getheader(collection.directory / dataset.path, dataset.hdu)
    said = {name: _card(header, name) for name in gadf.OBSERVATION_COLUMNS if name in header}
    row = {**{name: value for name, value in said.items() if value is not None}, **known}
    own = {"RA_PNT": dataset.s_ra, "DEC_PNT": dataset.s_dec, "EVENT_COUNT": dataset.hea.ev_xel if dataset.hea else None}
    return {
        "OBS_ID": dataset.obs_id,
        "OBS_PUBLISHER_DID": publisher_did(dataset, collection.name, authority),
        **{name: row.get(name, value) for name, value in own.items()},
        "MJD_START": dataset.t_min,
        "MJD_STOP": dataset.t_max,
        **{name: value for name, value in row.items() if name not in own and name not in DATED and name != "OBS_ID"},
    }


DATED = ("TSTART", "TSTOP", "DATE-OBS", "TIME-OBS", "DATE-END", "TIME-END")
"""What an index says in its own clock: MJD_START and MJD_STOP say the same."""


def _card(header: fits.Header, name: str) -> Any:
    value = header[name]
    if isinstance(value, str):
        return value.strip() or None
    return value if number(value) is not None else None


def read_index(directory: Path, paths: Sequence[str]) -> Index:
    """What the index files among `paths` say; nothing if there are none. Units of columns stand in the row of the key ''."""
    rows: dict[str, dict[str, Any]] = {}
    links: dict[str, tuple[Link, ...]] = {}
    for path in (path for path in paths if "index" in path.rsplit("/", 1)[-1].lower()):
        with warnings.catch_warnings(), fits.open(directory / path) as hdus:
            warnings.simplefilter("ignore")
            for hdu in (hdu for hdu in hdus if gadf.is_index(hdu)):
                kind = str(hdu.header.get("HDUCLAS2", "")).strip().upper()
                if kind == "OBS":
                    rows |= _index_rows(hdu)
                elif kind == "HDU":
                    links |= _index_links(directory, path, hdu)
    return Index(rows, links)


def _index_rows(hdu: fits.BinTableHDU) -> dict[str, dict[str, Any]]:
    names = hdu.columns.names
    units = {column.name.upper(): column.unit for column in hdu.columns if column.unit}
    rows = {str(row["OBS_ID"]).strip(): {name.upper(): _value(row[name]) for name in names} for row in hdu.data}
    return {obs_id: {name: value for name, value in row.items() if value is not None} for obs_id, row in rows.items()} | {"": units}


def _value(value: Any) -> Any:
    """A cell as a plain value; None where it is missing."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str):
        return plain.strip() or None
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


def _index_links(directory: Path, path: str, hdu: fits.BinTableHDU) -> dict[str, tuple[Link, ...]]:
    """The response functions that an hdu-index names, in whichever files they lie."""
    found: dict[str, list[Link]] = {}
    here = Path(path).parent
    for row in hdu.data:
        kind = gadf.RESPONSES.get(gadf.INDEX_TYPES.get(str(row["HDU_TYPE"]).strip(), ""))
        places = [here / str(row["FILE_DIR"]).strip() / str(row["FILE_NAME"]).strip(), here / str(row["FILE_NAME"]).strip()]
        place = next((one for one in places if (directory / one).is_file()), None)
        if kind is None or place is None:
            continue
        with warnings.catch_warnings(), fits.open(directory / place) as hdus:
            warnings.simplefilter("ignore")
            name = str(row["HDU_NAME"]).strip()
            if name in hdus:
                number_ = hdus.index_of(name)
                found.setdefault(str(row["OBS_ID"]).strip(), []).append(calibration(place.as_posix(), number_, hdus[number_], kind))
    return {obs_id: tuple(links) for obs_id, links in found.items()}
