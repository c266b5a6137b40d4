"""A catalogue of events (neutrinos, cosmic rays) → one dataset for all of them, beside the table that it becomes."""

import re
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from astropy import units as u
from mocpy import MOC
from sqlalchemy import Connection

from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.formats.readers.infer import fold
from vo_server.model.columns import Column
from vo_server.model.media import media_type
from vo_server.observations.collections import Collection, PublishedCollection, Work, completed, store
from vo_server.observations.energies import band, electronvolts, read_unit
from vo_server.observations.eventtables import EVENTS
from vo_server.observations.reading import kilobytes
from vo_server.observations.tables import loaded, put_in_place
from vo_server.publish.datasets import Dataset, HighEnergy
from vo_server.publish.flip import check_free
from vo_server.publish.options import PublishOptions
from vo_server.publish.plan import make_plan
from vo_server.publish.survey import Learned
from vo_server.sql.literals import quote_identifier

LOGARITHM = re.compile(r"log_?10.*_(tev|gev|mev|kev|ev)$", re.IGNORECASE)
"""A column whose name says that it holds the logarithm of an energy, and in which unit."""
UNITS = {"ev": u.eV, "kev": u.keV, "mev": u.MeV, "gev": u.GeV, "tev": u.TeV}
WIDE = 0.1
"""Events over more than this part of the sky are events of the whole sky."""


def publish_event_catalogue(database: Database, collection: Collection, file: Path, messenger: str, work: Work) -> PublishedCollection:
    """Publish a file of events as ``<schema>.events`` and as one dataset; the file is copied into the collection's directory,
    so that nothing else of its own directory is served.
    """
    options = PublishOptions(
        schema=collection.schema_name,
        table=EVENTS,
        resource=collection.resource_name,
        title=f"{collection.title or collection.name}: events",
    )
    plan = make_plan(file, options)
    if plan.position is None:
        raise DataError("its rows have no positions.", source=file.name, hint="`vo publish` publishes tables without positions.")
    with database.engine.connect() as connection:
        check_free(connection, plan)
    with ExitStack() as held:
        change = loaded(held, database, plan)
        with database.engine.connect() as connection:
            energies = _energies(connection, change.physical, change.columns)
        datasets = completed([_dataset(file, change.learned, energies, messenger)], collection, work)
        collection.directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, collection.directory / file.name)

        def tables(connection: Connection, _datasets: Sequence[Dataset], _resource: int) -> tuple[str, ...]:
            put_in_place(connection, [change], work.clock())
            return (plan.full_name,)

        with database.engine.begin() as connection:
            store(connection, collection, datasets, {}, work, tables, change.learned.sample)
    return PublishedCollection(collection.name, 1, (), 1, (*plan.notes, f"{plan.full_name}: {change.learned.rows:,} rows"))


def _energies(connection: Connection, physical: str, columns: Sequence[Column]) -> list[float]:
    """Lowest and highest energy of the events in eV; nothing if no column holds energies."""
    column = next((one for one in columns if (one.ucd or "").split(";")[0] in ("em.energy", "phys.energy") and not one.is_array), None)
    if column is None:
        return []
    name = quote_identifier(column.name)
    ends = connection.exec_driver_sql(f"SELECT min({name}), max({name}) FROM {physical}").one()  # noqa: S608 — quoted
    logarithm = LOGARITHM.search(column.name)
    unit = UNITS[logarithm[1].lower()] if logarithm else read_unit(column.unit)
    if unit is None or ends[0] is None:
        return []
    values = [electronvolts(10**end if logarithm else end, unit) for end in ends]
    return [value for value in values if value is not None]


def _dataset(file: Path, learned: Learned, energies: Sequence[float], messenger: str) -> Dataset:
    ra, dec, radius = _region(learned)
    times = learned.temporal or (None, None)
    photons = band(energies, u.eV) if messenger == "photon" and energies else {}
    return Dataset(
        path=file.name,
        obs_id=fold(file.name.split(".")[0]),
        access_format=media_type(file.name),
        access_estsize=kilobytes(file.stat().st_size),
        dataproduct_type="event",
        dataproduct_subtype="hea-event-list",
        s_ra=ra,
        s_dec=dec,
        s_fov=min(2 * radius, 360.0),
        shape=(ra, dec, radius),
        t_min=times[0],
        t_max=times[1],
        em_min=photons.get("em_min"),
        em_max=photons.get("em_max"),
        o_ucd="phot.count" if messenger == "photon" else "meta.number",
        hea=HighEnergy(
            ev_xel=learned.rows,
            energy_min=min(energies, default=None),
            energy_max=max(energies, default=None),
            tracking_mode="none",
            messenger_name=messenger,
        ),
    )


def _region(learned: Learned) -> tuple[float, float, float]:
    """A circle around all events: ra, dec, radius in degrees."""
    moc = MOC.from_string(learned.spatial) if learned.spatial else None
    if moc is None or moc.sky_fraction > WIDE:
        return 0.0, 0.0, 180.0
    centre = moc.barycenter()
    radius = moc.largest_distance_from_coo_to_vertices(centre).to_value(u.deg)
    return float(centre.ra.deg), float(centre.dec.deg), float(radius)
