"""Datasets in ObsCore: the rows of a collection replaced in one transaction, with what belongs to each beside them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Table, delete, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from vo_server.db import schema
from vo_server.db.catalogue import load_site
from vo_server.sky.polygons import counter_clockwise
from vo_server.sky.ranges import cone_ranges, polygon_ranges

FILES = "/files"
"""Where the server shows the files of collections, below the public URL."""

Cells = tuple[tuple[int, int], ...]
"""Closed ranges of order-29 HEALPix cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What belongs to a dataset beside itself (DataLink 1.1 §3.2): a file of a collection, or an address elsewhere.

    ``hdu`` is the one meant, the primary being 0; ``content_length`` in bytes.
    """

    semantics: str
    local_semantics: str | None = None
    collection: str | None = None
    path: str | None = None
    hdu: int | None = None
    access_url: str | None = None
    content_type: str | None = None
    content_length: int | None = None
    content_qualifier: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HighEnergy:
    """What the high-energy extension says of a dataset (model.obscore_hea): eV, degrees; ``t_intervals`` a T-MOC in ASCII."""

    ev_xel: int | None = None
    s_ref_energy: float | None = None
    em_ref_energy: float | None = None
    s_ref_oaa: float | None = None
    em_ref_oaa: float | None = None
    t_intervals: str | None = None
    energy_min: float | None = None
    energy_max: float | None = None
    obs_mode: str | None = None
    tracking_mode: str | None = None
    scan_mode: str | None = None
    pointing_mode: str | None = None
    analysis_mode: str | None = None
    event_type: str | None = None
    messenger_name: str | None = None
    messenger_pdgid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The smallest area of a sky map that holds the source with this probability: square degrees, MOC in ASCII, its cells."""

    probability: float
    area: float
    moc: str
    cells: Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One row of ObsCore (ObsCore 1.1 §4), in its units: degrees, arcseconds, MJD, seconds, metres, kilobytes.

    ``path`` is the file's, relative to the collection's directory; ``hdu`` which HDU of it is meant, the primary being 0, if it is not all
    of the file; ``part`` what tells the dataset from others of the same observation. ``shape`` is the region as numbers, ICRS degrees:
    three for a circle (ra, dec, radius), else a polygon's vertices, counter-clockwise as one looks up at the sky.
    """

    path: str
    hdu: int | None = None
    part: str | None = None
    obs_id: str
    access_format: str
    access_estsize: int
    shape: tuple[float, ...] | None = None
    dataproduct_type: str | None = None
    dataproduct_subtype: str | None = None
    calib_level: int = 2
    obs_title: str | None = None
    target_name: str | None = None
    s_ra: float | None = None
    s_dec: float | None = None
    s_fov: float | None = None
    s_resolution: float | None = None
    s_xel1: int | None = None
    s_xel2: int | None = None
    s_pixel_scale: float | None = None
    t_min: float | None = None
    t_max: float | None = None
    t_exptime: float | None = None
    t_resolution: float | None = None
    t_xel: int | None = None
    em_min: float | None = None
    em_max: float | None = None
    em_res_power: float | None = None
    em_xel: int | None = None
    o_ucd: str | None = None
    pol_states: str | None = None
    pol_xel: int | None = None
    facility_name: str | None = None
    instrument_name: str | None = None
    obs_release_date: datetime | None = None
    data_rights: str | None = "public"
    links: tuple[Link, ...] = ()
    hea: HighEnergy | None = None
    areas: tuple[Area, ...] = ()


BESIDE = frozenset({"part", "links", "hea", "areas"})
"""Fields that are no columns of the row itself."""

SETTABLE = (
    frozenset(field.name for field in fields(Dataset)) - BESIDE - {"path", "hdu", "shape", "obs_id", "access_format", "access_estsize"}
)
"""What an operator may give for files that do not say it."""


def replace_datasets(
    connection: Connection, collection: str, root: Path, datasets: Sequence[Dataset], *, resource_id: int | None = None
) -> None:
    """Make `datasets` all that the collection holds, and serve the files below `root`. The caller commits, and announces the change."""
    store_collection(connection, collection, root, resource_id=resource_id)
    connection.execute(delete(schema.obscore).where(schema.obscore.c.collection == collection))
    if not datasets:
        return
    authority = load_site(connection).authority
    adding = insert(schema.obscore).returning(schema.obscore.c.obs_key, sort_by_parameter_order=True)
    keys = connection.execute(adding, [obscore_row(dataset, collection, authority) for dataset in datasets]).scalars().all()
    keyed = list(zip(keys, datasets, strict=True))
    add_rows(connection, schema.obscore_cells, (_cells("obs_key", key, shape_ranges(one.shape)) for key, one in keyed))
    add_rows(connection, schema.links, ([{"obs_key": key, **asdict(link)} for link in one.links] for key, one in keyed))
    add_rows(connection, schema.obscore_hea, ([{"obs_key": key, **asdict(one.hea)}] for key, one in keyed if one.hea))
    _add_areas(connection, [(key, area) for key, one in keyed for area in one.areas])


def store_collection(connection: Connection, collection: str, root: Path, *, resource_id: int | None = None) -> None:
    """Serve the files below `root` as those of the collection."""
    row = upsert(schema.collections).values(collection=collection, root=str(root.resolve()), resource_id=resource_id)
    now = {"root": row.excluded.root, "resource_id": row.excluded.resource_id}
    connection.execute(row.on_conflict_do_update(index_elements=["collection"], set_=now))


def _add_areas(connection: Connection, areas: Sequence[tuple[int, Area]]) -> None:
    if not areas:
        return
    adding = insert(schema.skymap_areas).returning(schema.skymap_areas.c.area_key, sort_by_parameter_order=True)
    rows = [{"obs_key": key, "probability": area.probability, "area_deg2": area.area, "moc": area.moc} for key, area in areas]
    keys = connection.execute(adding, rows).scalars().all()
    add_rows(connection, schema.skymap_cells, (_cells("area_key", key, area.cells) for key, (_, area) in zip(keys, areas, strict=True)))


def _cells(name: str, key: int, cells: Iterable[tuple[int, int]]) -> list[dict[str, int]]:
    return [{name: key, "lo": low, "hi": high} for low, high in cells]


def add_rows(connection: Connection, table: Table, groups: Iterable[Sequence[dict[str, Any]]]) -> None:
    """Insert all rows of all groups, if there are any."""
    if rows := [row for group in groups for row in group]:
        connection.execute(insert(table), rows)


def obscore_row(dataset: Dataset, collection: str, authority: str) -> dict[str, object]:
    """The values of a row of ``vo_data.obscore``."""
    values = {field.name: getattr(dataset, field.name) for field in fields(dataset) if field.name not in BESIDE}
    return values | {
        "collection": collection,
        "obs_collection": collection,
        "access_path": f"{FILES}/{quote(collection, safe='')}/{quote(dataset.path)}",
        "obs_publisher_did": publisher_did(dataset, collection, authority),
        "s_region": region_text(dataset.shape),
        "shape": stored_shape(dataset.shape),
    }


def publisher_did(dataset: Dataset, collection: str, authority: str) -> str:
    """The identifier of a dataset (IVOA Identifiers 2.0 §4.1)."""
    part = f":{quote(dataset.part, safe='')}" if dataset.part else ""
    return f"ivo://{authority}/~?{quote(collection, safe='')}/{quote(dataset.obs_id)}{part}"


def stored_shape(shape: Sequence[float] | None) -> list[float] | None:
    """A region with its vertices in the order that the functions in the database count on."""
    if not shape or len(shape) == 3:
        return list(shape) if shape else None
    return [number for vertex in counter_clockwise(vertices(shape)) for number in vertex]


def vertices(shape: Sequence[float]) -> list[tuple[float, float]]:
    """The (ra, dec) pairs of a polygon."""
    return list(zip(shape[::2], shape[1::2], strict=True))


def region_text(shape: Sequence[float] | None) -> str | None:
    """A region as STC-S text, which clients draw (ObsCore 1.1 §4.12)."""
    if not shape:
        return None
    numbers = " ".join(f"{number:.8f}".rstrip("0").rstrip(".") for number in shape)
    return f"{'Circle' if len(shape) == 3 else 'Polygon'} ICRS {numbers}"


def shape_ranges(shape: Sequence[float] | None) -> list[tuple[int, int]]:
    """The closed ranges of order-29 cells that cover a region."""
    if not shape:
        return []
    if len(shape) == 3:
        ra, dec, radius = shape
        return cone_ranges(ra, dec, radius)
    return polygon_ranges(vertices(shape))
