"""Datasets in ObsCore: the rows of a collection replaced in one transaction, their regions as cells beside them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, delete, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from vo_server.db import schema
from vo_server.db.catalogue import load_site
from vo_server.sky.polygons import counter_clockwise
from vo_server.sky.ranges import cone_ranges, polygon_ranges

FILES = "/files"
"""Where the server shows the files of collections, below the public URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One row of ObsCore (ObsCore 1.1 §4), in its units: degrees, arcseconds, MJD, seconds, metres, kilobytes.

    ``path`` is the file's, relative to the collection's directory; ``hdu`` which HDU of it is meant, the primary being 0, if it is not all
    of the file; ``shape`` the region as numbers, ICRS degrees: three for a circle (ra, dec, radius), else a polygon's vertices,
    counter-clockwise as one looks up at the sky.
    """

    path: str
    hdu: int | None = None
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


SETTABLE = frozenset(field.name for field in fields(Dataset)) - {"path", "hdu", "shape"}
"""What an operator may give for files that do not say it."""


def replace_datasets(connection: Connection, collection: str, root: Path, datasets: Sequence[Dataset]) -> None:
    """Make `datasets` all that the collection holds, and serve the files below `root`. The caller commits, and announces the change."""
    row = upsert(schema.collections).values(collection=collection, root=str(root.resolve()))
    connection.execute(row.on_conflict_do_update(index_elements=["collection"], set_={"root": row.excluded.root}))
    connection.execute(delete(schema.obscore).where(schema.obscore.c.collection == collection))
    if not datasets:
        return
    authority = load_site(connection).authority
    adding = insert(schema.obscore).returning(schema.obscore.c.obs_key, sort_by_parameter_order=True)
    keys = connection.execute(adding, [obscore_row(dataset, collection, authority) for dataset in datasets]).scalars().all()
    cells = [
        {"obs_key": key, "lo": lo, "hi": hi} for key, dataset in zip(keys, datasets, strict=True) for lo, hi in shape_ranges(dataset.shape)
    ]
    if cells:
        connection.execute(insert(schema.obscore_cells), cells)


def obscore_row(dataset: Dataset, collection: str, authority: str) -> dict[str, object]:
    """The values of a row of ``vo_data.obscore``."""
    values = asdict(dataset)
    path = dataset.path
    return values | {
        "collection": collection,
        "obs_collection": collection,
        "access_path": f"{FILES}/{quote(collection, safe='')}/{quote(path)}",
        "obs_publisher_did": f"ivo://{authority}/~?{quote(collection, safe='')}/{quote(dataset.obs_id)}",
        "s_region": region_text(dataset.shape),
        "shape": stored_shape(dataset.shape),
    }


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
