"""The neutrino alerts of the demo as datasets: where each came from, as a sky map, and all of them as one list of events."""

import csv
from dataclasses import dataclass
from io import BytesIO
from math import ceil, log2
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import Latitude, Longitude
from astropy.io import fits
from cdshealpix.nested import cone_search, healpix_to_lonlat
from mocpy import MOC

from vo_server.db.database import Database
from vo_server.model.media import media_type
from vo_server.observations.collections import Collection, PublishedCollection, Work, completed, store
from vo_server.observations.energies import electronvolts
from vo_server.observations.reading import kilobytes
from vo_server.publish.datasets import Dataset, HighEnergy, Link
from vo_server.publish.descriptor import ResourceSection

MAPS, EVENTS = "icecube_skymaps", "icecube_events"
"""Names of the collections."""

ABOUT = {
    "creators": ["IceCube Collaboration"],
    "subjects": ["neutrino-astronomy", "high-energy-astrophysics", "transient-sources"],
    "reference_url": "https://arxiv.org/abs/2304.01174",
    "source": "2023ApJS..269...25A",
    "facility": ["IceCube"],
    "waveband": ["Neutrino"],
}
RESOURCES = {
    MAPS: ResourceSection.model_validate(
        {
            "schema": "icecube",
            "name": "skymaps",
            "title": "Where the neutrino IC170922A came from: an approximate sky map",
            "short_name": "Alert map",
            "description": "Probability of the direction of the neutrino IC170922A. This is not the sky map of IceCube, but computed "
            "here: a normal distribution of which the published errors enclose 90 %.",
            **ABOUT,
        }
    ),
    EVENTS: ResourceSection.model_validate(
        {
            "schema": "icecube",
            "name": "events",
            "title": "Neutrino alerts as a list of events",
            "short_name": "Alert events",
            "description": "The neutrino alerts of the table icecube.alerts as one list of events in FITS, with directions, times and "
            "energies. Response functions of the detector for alerts are not part of what IceCube published in IceCat-1.",
            **ABOUT,
        }
    ),
}

INSIDE = 0.9
"""What the published errors enclose."""
FALL = -2 * np.log(1 - INSIDE)
"""Squared distance from the middle of a normal distribution of two dimensions within which INSIDE of it lies."""
MAPPED = ("IC170922A",)
"""Alerts with a map: each is found by every search for images, since it covers the sky."""
REACH = 2.0
"""How far maps reach, in published errors: nothing but one part in ten thousand lies farther away."""
FINENESS = 4
"""Cells are as small as the least error divided by this."""
CELL_DEG = 58.6
"""Side of a HEALPix cell of order 0."""
EVENTS_FILE = "icecube_alerts.fits"


@dataclass(frozen=True, slots=True)
class Alert:
    """ICRS degrees; ``errors`` towards larger and smaller right ascension, and larger and smaller declination; TeV."""

    name: str
    time: str
    mjd: float
    ra: float
    dec: float
    errors: tuple[float, float, float, float]
    energy: float


def read_alerts(path: Path) -> list[Alert]:
    """The alerts of the demo's table."""
    names = ("ra_err_plus", "ra_err_minus", "dec_err_plus", "dec_err_minus")
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Alert(
                row["name"],
                row["event_time"],
                float(row["mjd"]),
                float(row["ra"]),
                float(row["dec"]),
                (float(row[names[0]]), float(row[names[1]]), float(row[names[2]]), float(row[names[3]])),
                float(row["energy"]),
            )
            for row in csv.DictReader(file)
        ]


def skymap(alert: Alert) -> bytes:
    """A FITS file with the probability density of the alert's direction, as a HEALPix table of many orders (NUNIQ)."""
    order = ceil(log2(CELL_DEG * FINENESS / min(alert.errors)))
    radius = REACH * max(alert.errors)
    cells, _, _ = cone_search(Longitude(alert.ra, u.deg), Latitude(alert.dec, u.deg), radius * u.deg, order, flat=True)
    lon, lat = healpix_to_lonlat(cells, order)
    east = (lon.to_value(u.deg) - alert.ra + 180) % 360 - 180
    north = lat.to_value(u.deg) - alert.dec
    right, left, up, down = alert.errors
    distance = (east / np.where(east > 0, right, left)) ** 2 + (north / np.where(north > 0, up, down)) ** 2
    values = np.exp(-FALL * distance / 2)
    values /= values.sum() * (4 * np.pi / (12 * 4**order))
    near = MOC.from_healpix_cells(cells, np.full(len(cells), order, np.uint8), max_depth=order)
    far = near.complement().uniq_hpx.astype(np.int64)
    columns = [
        fits.Column("UNIQ", "K", array=np.concatenate([cells.astype(np.int64) + 4 ** (order + 1), far])),
        fits.Column("PROBDENSITY", "E", "sr-1", array=np.concatenate([values, np.zeros(len(far))])),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "NUNIQ", "COORDSYS": "C", "MOCORDER": order, "INDXSCHM": "EXPLICIT"})
    table.header.update({"OBJECT": alert.name, "TELESCOP": "IceCube", "DATE-OBS": alert.time, "MJD-OBS": alert.mjd, "TIMESYS": "UTC"})
    table.header.update({"TITLE": f"Direction of {alert.name}, approximately", "REFERENC": "2023ApJS..269...25A"})
    return written(table)


def event_list(alerts: list[Alert]) -> bytes:
    """A FITS file with all alerts as events."""
    columns = [
        fits.Column("NAME", "10A", array=[alert.name for alert in alerts]),
        fits.Column("MJD", "D", "d", array=[alert.mjd for alert in alerts]),
        fits.Column("RA", "D", "deg", array=[alert.ra for alert in alerts]),
        fits.Column("DEC", "D", "deg", array=[alert.dec for alert in alerts]),
        fits.Column("ENERGY", "D", "TeV", array=[alert.energy for alert in alerts]),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    table.header.update({"TELESCOP": "IceCube", "RADESYS": "ICRS", "TIMESYS": "UTC", "REFERENC": "2023ApJS..269...25A"})
    return written(table)


def written(table: fits.BinTableHDU) -> bytes:
    """The file of a table."""
    buffer = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer, output_verify="exception")
    return buffer.getvalue()


def write_maps(directory: Path, alerts: list[Alert]) -> None:
    """One file ``<name>.fits`` for each of the alerts in MAPPED."""
    directory.mkdir(parents=True, exist_ok=True)
    for alert in (alert for alert in alerts if alert.name in MAPPED):
        (directory / f"{alert.name}.fits").write_bytes(skymap(alert))


def publish_events(database: Database, collection: Collection, work: Work, alerts: list[Alert]) -> PublishedCollection:
    """Write the list of events and make it the whole of the collection."""
    collection.directory.mkdir(parents=True, exist_ok=True)
    content = event_list(alerts)
    (collection.directory / EVENTS_FILE).write_bytes(content)
    datasets = completed([events_dataset(alerts, len(content))], collection, work)
    with database.engine.begin() as connection:
        store(connection, collection, datasets, {}, work)
    return PublishedCollection(collection.name, 1, (), 1)


def events_dataset(alerts: list[Alert], length: int) -> Dataset:
    """The list as a dataset; only photons have wavelengths."""
    energies = [alert.energy for alert in alerts]
    paper = Link(
        semantics="#documentation", access_url="https://arxiv.org/abs/2304.01174", content_type="text/html", description="IceCat-1"
    )
    return Dataset(
        path=EVENTS_FILE,
        obs_id="icecube_alerts",
        obs_title="IceCube neutrino alerts",
        access_format=media_type(EVENTS_FILE),
        access_estsize=kilobytes(length),
        dataproduct_type="event",
        dataproduct_subtype="hea-event-list",
        calib_level=3,
        s_ra=0.0,
        s_dec=0.0,
        s_fov=360.0,
        shape=(0.0, 0.0, 180.0),
        t_min=min(alert.mjd for alert in alerts),
        t_max=max(alert.mjd for alert in alerts),
        o_ucd="meta.number",
        facility_name="IceCube",
        links=(paper,),
        hea=HighEnergy(
            ev_xel=len(alerts),
            energy_min=electronvolts(min(energies), u.TeV),
            energy_max=electronvolts(max(energies), u.TeV),
            tracking_mode="none",
            messenger_name="neutrino",
        ),
    )
