"""HEALPix sky maps, of one resolution or of many → datasets, with the smallest areas that hold 50 and 90 % of the probability."""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from cdshealpix.nested import healpix_to_lonlat
from cdshealpix.ring import healpix_to_lonlat as ring_to_lonlat
from mocpy import MOC

from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.model.media import PNG, media_type
from vo_server.observations.collections import Collection, PublishedCollection, Work, publish_collection
from vo_server.observations.headers import first_date, inherited, read_texts, read_times
from vo_server.observations.images import UNREADABLE
from vo_server.observations.previews import coloured, stretched, write
from vo_server.observations.reading import Reading, Request, without_ending
from vo_server.publish.datasets import Area, Dataset, Link
from vo_server.sky.cells import cells_of
from vo_server.sky.healpix import RADII

PROBABILITIES = (0.5, 0.9)
"""Of the areas."""
FINEST = 29
NAMES = ("PROB", "PROBDENSITY", "PROBABILITY", "T", "SIGNAL", "TEMPERATURE")
"""Columns that hold a map's values; the first that is there counts, else the first column of numbers."""
TOLERANCE = 0.05
"""Values whose sum differs from one by no more than this are probabilities."""
WIDTH = 400
WHOLE_SKY = (0.0, 0.0, 180.0)
"""As a circle."""

Numbers = npt.NDArray[np.float64]
Cells = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SkyMap:
    """Cells of a map in the order of the sky: HEALPix order and NESTED number of each, its value, and whether that is a probability."""

    orders: Cells
    cells: Cells
    values: Numbers
    is_probability: bool

    @property
    def starts(self) -> Cells:
        """The first order-29 cell of each."""
        return np.asarray(self.cells << (2 * (FINEST - self.orders)), np.int64)

    @property
    def density(self) -> Numbers:
        """Values a steradian, in arbitrary units; of maps that are no probability the values themselves."""
        return self.values * 4.0**self.orders if self.is_probability else self.values


def publish_skymaps(database: Database, collection: Collection, work: Work) -> PublishedCollection:
    """Make the sky maps below the collection's directory the whole of it."""
    return publish_collection(database, collection, read_skymap, work, "No HEALPix map was found")


def read_skymap(request: Request) -> Reading:
    """The map of a file. DataError says why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd in others' headers is not for us to complain of
            with fits.open(request.file) as hdus:
                tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and _is_healpix(hdu.header)]
                if not tables:
                    raise DataError("it holds no HEALPix map")
                header = inherited(tables[0].header, hdus[0].header)
                return Reading((_dataset(request, header, read_cells(tables[0])),))
    except UNREADABLE as error:
        raise DataError(f"it could not be read as FITS ({next(iter(str(error).splitlines()), type(error).__name__)})") from None


def _is_healpix(header: fits.Header) -> bool:
    return str(header.get("PIXTYPE", "")).strip().upper() == "HEALPIX" and "ORDERING" in header


def read_cells(hdu: fits.BinTableHDU) -> SkyMap:
    """The cells of a HEALPix table: implicit or NUNIQ, RING or NESTED, equatorial coordinates."""
    header = hdu.header
    frame = str(header.get("COORDSYS", "C")).strip().upper()[:1]
    if frame not in ("C", "Q", ""):
        raise DataError(f"its cells are not equatorial (COORDSYS = {header['COORDSYS']})")
    names = {name.upper(): name for name in hdu.columns.names}
    wanted = next((name for name in NAMES if name in names), None)
    if wanted is None:
        raise DataError(f"none of its columns holds a map ({', '.join(hdu.columns.names)})")
    values = np.asarray(hdu.data[names[wanted]], np.float64).ravel()
    ordering = str(header["ORDERING"]).strip().upper()
    if ordering == "NUNIQ":
        uniq = np.asarray(hdu.data[names["UNIQ"]], np.int64)
        orders = np.asarray((np.log2(uniq.astype(np.float64) / 4) / 2).astype(np.int64))
        orders += (uniq >= 4 ** (orders + 2)).astype(np.int64) - (uniq < 4 ** (orders + 1)).astype(np.int64)
        cells = uniq - 4 ** (orders + 1)
    else:
        order, cells = _implicit(header, len(values), ordering, hdu.data[names["PIXEL"]] if "PIXEL" in names else None)
        orders = np.full(len(values), order, np.int64)
    if wanted == "PROBDENSITY":
        values = values * 4 * np.pi / (12 * 4.0**orders)
    known = np.isfinite(values)
    probability = bool(known.all() and (values >= 0).all() and abs(values.sum() - 1) <= TOLERANCE)
    place = np.argsort(cells << (2 * (FINEST - orders)))
    return SkyMap(orders[place], cells[place], values[place], probability)


def _implicit(header: fits.Header, count: int, ordering: str, pixels: npt.NDArray[np.int64] | None) -> tuple[int, Cells]:
    """The order, and the NESTED numbers of the rows."""
    nside = int(header["NSIDE"])
    order = nside.bit_length() - 1
    if nside != 1 << order or count > 12 * nside**2:
        raise DataError(f"NSIDE = {nside} does not fit its {count:,} values")
    numbers = np.arange(count, dtype=np.int64) if pixels is None else np.asarray(pixels, np.int64)
    if ordering == "NESTED":
        return order, numbers
    lon, lat = ring_to_lonlat(numbers.astype(np.uint64), nside=nside)
    return order, np.asarray(cells_of(lon.to_value(u.deg), lat.to_value(u.deg)), np.int64) >> (2 * (FINEST - order))


def _dataset(request: Request, header: fits.Header, skymap: SkyMap) -> Dataset:
    brightest = int(np.nanargmax(skymap.density))
    lon, lat = healpix_to_lonlat(np.array([skymap.cells[brightest]], np.uint64), np.array([skymap.orders[brightest]], np.uint8))
    finest = int(skymap.orders.max())
    texts = {name: text for name, text in read_texts(header).items() if text != "FULLSKY"}
    moment = first_date(header, ("EVENTMJD",))
    times = read_times(header) or ({"t_min": moment, "t_max": moment} if moment is not None else {})
    name = without_ending(request.path)
    said = {"obs_title": f"Sky map of {texts.get('target_name') or name}", **texts, **times}
    region = region_of(skymap) if skymap.is_probability else WHOLE_SKY
    return Dataset(
        path=request.path,
        obs_id=name,
        access_format=media_type(request.path),
        access_estsize=request.kilobytes,
        dataproduct_type="image",
        dataproduct_subtype="healpix",
        calib_level=3,
        s_ra=float(lon[0].to_value(u.deg)),
        s_dec=float(lat[0].to_value(u.deg)),
        s_fov=2 * region[2],
        s_pixel_scale=float(np.degrees(np.sqrt(np.pi / 3) / 2**finest)) * 3600,
        shape=region,
        o_ucd="stat.probability" if skymap.is_probability else None,
        areas=tuple(area_of(skymap, probability) for probability in PROBABILITIES) if skymap.is_probability else (),
        links=_preview(request, skymap),
        **said,  # type: ignore[arg-type]
    )


def area_of(skymap: SkyMap, probability: float) -> Area:
    """The smallest area that holds the source with this probability: whole cells, the densest first."""
    chosen = _densest(skymap, probability)
    moc = MOC.from_healpix_cells(
        skymap.cells[chosen].astype(np.uint64), skymap.orders[chosen].astype(np.uint8), max_depth=int(skymap.orders.max())
    )
    cells = tuple((int(low), int(end) - 1) for low, end in moc.to_depth29_ranges)
    degrees = moc.sky_fraction * float((4 * np.pi * u.sr).to_value(u.deg**2))
    return Area(probability=probability, area=degrees, moc=" ".join(str(moc.to_string()).split()), cells=cells)


def _densest(skymap: SkyMap, probability: float) -> Cells:
    """Places of the densest cells that together hold the probability."""
    ranking = np.argsort(-skymap.density, kind="stable")
    total = np.cumsum(skymap.values[ranking])
    return np.asarray(ranking[: int(np.searchsorted(total, probability * total[-1])) + 1], np.int64)


def region_of(skymap: SkyMap) -> tuple[float, float, float]:
    """A circle (ICRS degrees) around the largest of the areas: where a map of probabilities says something. Beyond a quarter of the sky
    around its middle it is all of the sky.
    """
    chosen = _densest(skymap, PROBABILITIES[-1])
    orders = skymap.orders[chosen]
    lon, lat = healpix_to_lonlat(skymap.cells[chosen].astype(np.uint64), orders.astype(np.uint8))
    places = SkyCoord(lon, lat)
    middle = SkyCoord((places.cartesian * 4.0**-orders).sum(), frame="icrs")
    radius = float(np.max(places.separation(middle).to_value(u.rad) + np.array(RADII)[orders]))
    if not radius < np.pi / 2:
        return WHOLE_SKY
    return float(middle.spherical.lon.wrap_at(360 * u.deg).deg), float(middle.spherical.lat.deg), float(np.degrees(radius))


def _preview(request: Request, skymap: SkyMap) -> tuple[Link, ...]:
    """The whole sky in Mollweide's projection, right ascension 180° in the middle, growing to the left."""
    if request.drawn is None:
        return ()
    y, x = np.mgrid[1 : -1 : WIDTH // 2 * 1j, -2 : 2 : WIDTH * 1j]
    theta = np.arcsin(y)
    with np.errstate(invalid="ignore", divide="ignore"):
        dec = np.degrees(np.arcsin(np.clip((2 * theta + np.sin(2 * theta)) / np.pi, -1, 1)))
        ra = 180 - np.degrees(np.pi * x / (2 * np.cos(theta)))
    inside = x**2 / 4 + y**2 < 1
    cells = cells_of(np.where(inside, ra % 360, 0.0).ravel(), dec.ravel())
    place = np.searchsorted(skymap.starts, cells, side="right") - 1
    found = (place >= 0) & (cells - skymap.starts[place] < 4 ** (FINEST - skymap.orders[place]))
    values = np.where(found & inside.ravel(), skymap.density[place], np.nan).reshape(x.shape)
    name = f"{request.path}.png"
    length = write(coloured(stretched(values)), request.drawn / name)
    return (Link(semantics="#preview", path=name, content_type=PNG, content_length=length, description="The whole sky"),)
