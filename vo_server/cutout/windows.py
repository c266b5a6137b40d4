"""Along each axis of an image: which pixels lie in what is asked for (FITS 4.0 §8)."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from astropy import constants, units
from astropy.coordinates import ICRS, SkyCoord, UnitSphericalRepresentation
from astropy.time import Time
from astropy.wcs import WCS, InvalidSubimageSpecificationError, NoConvergence, NonseparableSubimageCoordinateSystemError
from astropy.wcs.utils import wcs_to_celestial_frame

from vo_server.cutout.filters import NoOverlapError
from vo_server.cutout.regions import Array, inside, rim, within
from vo_server.dali.intervals import Interval
from vo_server.dali.shapes import Shape
from vo_server.errors import UsageError

LIGHT = float(constants.c.value)
"""m/s"""
PLANCK_LIGHT = float((constants.h * constants.c).value)
"""J m: energy of a photon times its wavelength."""
ELECTRONVOLT = 1.602176634e-19
"""J"""

STOKES = {1: "I", 2: "Q", 3: "U", 4: "V", -1: "RR", -2: "LL", -3: "RL", -4: "LR", -5: "XX", -6: "YY", -7: "XY", -8: "YX"}
"""Values of a STOKES axis (FITS 4.0 Table 29)."""


INSEPARABLE = (InvalidSubimageSpecificationError, NonseparableSubimageCoordinateSystemError)


SCALES = {"TT": "tt", "TDT": "tt", "ET": "tt", "TDB": "tdb", "TAI": "tai", "IAT": "tai", "UTC": "utc", "GMT": "utc", "LOCAL": "tt"}
"""TIMESYS → astropy's time scale (FITS 4.0 Table 30)."""


@dataclass(frozen=True, slots=True)
class Window:
    """Pixels of an axis, counted from 0: ``lower`` up to but without ``upper``."""

    lower: int
    upper: int

    @property
    def size(self) -> int:
        """How many pixels."""
        return self.upper - self.lower


def sky_windows(wcs: WCS, shape: Shape, width: int, height: int) -> tuple[Window, Window]:
    """The smallest block of pixels that covers what of a region lies on an image of `width` × `height`; `wcs` has two celestial axes.

    NoOverlapError if nothing does.
    """
    edge, core = sky_pixels(wcs, *rim(shape)), sky_pixels(wcs, *within(shape))
    points = np.concatenate([edge, core])
    points = points[np.isfinite(points).all(axis=1)]
    if not (_on_image(points, width, height).any() or _image_inside(wcs, shape, width, height)):
        raise NoOverlapError("The image lies outside of the region.")
    torn = _torn(wcs, edge)
    return tuple(  # type: ignore[return-value]
        Window(0, size) if torn[axis] or not len(points) else _touched(points[:, axis].min(), points[:, axis].max(), size)
        for axis, size in enumerate((width, height))
    )


def sky_pixels(wcs: WCS, ra: Array, dec: Array) -> Array:
    """Pixel coordinates from 0, shape (n, 2), of ICRS positions in degrees; NaN for what the projection does not show."""
    frame = wcs_to_celestial_frame(wcs)
    lon, lat = ra, dec
    if not isinstance(frame, ICRS):
        place = SkyCoord(ra, dec, unit="deg").transform_to(frame).represent_as(UnitSphericalRepresentation)
        lon, lat = place.lon.deg, place.lat.deg
    world = np.empty((len(lon), 2))
    world[:, wcs.wcs.lng], world[:, wcs.wcs.lat] = lon, lat
    pixels: Array = wcs.wcs_world2pix(world, 0)
    if wcs.sip is None:
        return pixels
    return _undistorted(wcs, world, pixels)


def _undistorted(wcs: WCS, world: Array, pixels: Array) -> Array:
    """The same with distortions, near the image: far from it their polynomials mean nothing and the search for their roots does not end."""
    sizes = np.array(wcs.pixel_shape if wcs.pixel_shape is not None else (np.inf, np.inf))
    near = ((pixels > -sizes) & (pixels < 2 * sizes)).all(axis=1)
    if near.any():
        try:
            pixels[near] = wcs.all_world2pix(world[near], 0)
        except NoConvergence as error:
            solved = np.isfinite(error.best_solution).all(axis=1)
            pixels[np.flatnonzero(near)[solved]] = error.best_solution[solved]
    return pixels


def _on_image(points: Array, width: int, height: int) -> npt.NDArray[np.bool_]:
    x, y = points.T
    return np.asarray((x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5))


def _image_inside(wcs: WCS, shape: Shape, width: int, height: int) -> bool:
    """Whether pixels, of a few spread over the image, lie in the region: it may be larger than the image."""
    x, y = (part.ravel() for part in np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pixels outside of the projection
        sky = SkyCoord(wcs.pixel_to_world(x, y)).icrs
    known = np.isfinite(sky.ra.deg) & np.isfinite(sky.dec.deg)
    return bool(inside(shape, sky.ra.deg[known], sky.dec.deg[known]).any())


def _torn(wcs: WCS, edge: Array) -> tuple[bool, bool]:
    """Along which axes the rim jumps: there the edge of a map of all the sky cuts through the region, whose pixels lie on both sides."""
    steps = np.abs(np.diff(edge, axis=0))
    quarter = 90 / np.sqrt(np.abs(np.linalg.det(wcs.pixel_scale_matrix)))
    x, y = (np.nan_to_num(steps[:, axis]).max(initial=0) > quarter for axis in (0, 1))
    return bool(x), bool(y)


def _touched(least: float, most: float, size: int) -> Window:
    """The pixels that an interval of pixel coordinates touches; a pixel reaches half a pixel to each side of its number."""
    lower, upper = np.floor(np.array([least, most]) + 0.5 + 1e-9 * np.array([1, -1]))
    window = Window(int(max(lower, 0)), int(min(upper + 1, size)))
    if window.size <= 0:
        raise NoOverlapError("The image lies outside of the region.")
    return window


def matching(lower: Array, upper: Array, wanted: Interval, what: str) -> Window:
    """The pixels between the first and the last whose interval shares more than an end with `wanted`, or holds it if it is one value."""
    least, most = np.minimum(lower, upper), np.maximum(lower, upper)
    begun = least <= wanted.lower if wanted.is_scalar else least < wanted.upper
    found = begun & (most > wanted.lower)
    return _spanning(found, f"No pixel lies in {what}.")


def stokes_window(wcs: WCS, axis: int, size: int, states: tuple[str, ...]) -> Window:
    """The pixels from the first to the last of the polarisation states."""
    values = np.rint(axis_values(wcs, axis, np.arange(size, dtype=float))).astype(int)
    return _spanning(np.array([STOKES.get(int(value)) in states for value in values]), "The image has none of the polarisation states.")


def _spanning(found: npt.NDArray[np.bool_], nothing: str) -> Window:
    numbers = np.flatnonzero(found)
    if not len(numbers):
        raise NoOverlapError(nothing)
    return Window(int(numbers[0]), int(numbers[-1]) + 1)


def axis_values(wcs: WCS, axis: int, pixels: Array) -> Array:
    """The world coordinates of pixels of an axis, in its SI unit."""
    values: Array = alone(wcs, axis).wcs_pix2world(pixels[:, None], 0)[:, 0]
    return values


def alone(wcs: WCS, axis: int) -> WCS:
    """The WCS of one axis; UsageError if it is turned against others."""
    try:
        return wcs.sub([axis + 1])
    except INSEPARABLE:
        raise UsageError(
            f"Axis {axis + 1} of the image is turned against others: no part along it has axes of its own.",
            hint="Take the whole image from its access_url.",
        ) from None


def wavelengths(wcs: WCS, axis: int, pixels: Array) -> Array:
    """Vacuum wavelengths in metres of pixels of a spectral axis, whatever it counts (FITS 4.0 §8.4); NaN for the impossible."""
    single = alone(wcs, axis)
    kind = spectral_kind(single.wcs.ctype[0])
    values: Array = single.wcs_pix2world(pixels[:, None], 0)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = SPECTRAL[kind](values) if kind in SPECTRAL else DOPPLER[kind](values) * _rest_wavelength(single, kind)
    return np.where(found > 0, found, np.nan)


def _rest_wavelength(wcs: WCS, kind: str) -> float:
    if wcs.wcs.restwav:
        return float(wcs.wcs.restwav)
    if not wcs.wcs.restfrq:
        raise UsageError(f"BAND: the spectral axis counts {kind}, and the header does not say the wavelength at rest.", parameter="BAND")
    return LIGHT / float(wcs.wcs.restfrq)


def vacuum(air: Array) -> Array:
    """Wavelengths in vacuum for those in air, in metres (FITS 4.0 §8.4.1)."""
    square = (1e-6 / air) ** 2
    return air * (1 + 1e-6 * (287.6155 + 1.62887 * square + 0.01360 * square**2))


SPECTRAL: dict[str, Callable[[Array], Array]] = {
    "FREQ": lambda frequency: LIGHT / frequency,
    "ENER": lambda energy: PLANCK_LIGHT / energy,
    "WAVN": lambda number: 1 / number,
    "WAVE": lambda wavelength: wavelength,
    "AWAV": vacuum,
}
"""Kind of spectral axis → vacuum wavelength in metres, from values in SI (FITS 4.0 Table 25)."""

DOPPLER: dict[str, Callable[[Array], Array]] = {
    "VRAD": lambda velocity: 1 / (1 - velocity / LIGHT),
    "VOPT": lambda velocity: 1 + velocity / LIGHT,
    "ZOPT": lambda redshift: 1 + redshift,
    "VELO": lambda velocity: np.sqrt((LIGHT + velocity) / (LIGHT - velocity)),
    "BETA": lambda beta: np.sqrt((1 + beta) / (1 - beta)),
}
"""Kind of spectral axis → wavelength over that at rest, from values in SI."""


def kind_of(wcs: WCS, axis: int) -> str:
    """What an axis is: SKY, BAND, TIME, POL, ENERGY for one that is named so outside of the standard, or nothing."""
    ctype = str(wcs.wcs.ctype[axis]).upper()
    if axis in (wcs.wcs.lng, wcs.wcs.lat):
        return "SKY"
    if spectral_kind(ctype):
        return "BAND"
    if ctype == "STOKES":
        return "POL"
    if wcs.world_axis_physical_types[axis] == "time":
        return "TIME"
    return "ENERGY" if "ENERGY" in ctype else ""


def spectral_kind(ctype: str) -> str:
    """The first four letters of the CTYPE of a spectral axis; empty for another one."""
    kind = ctype.upper().partition("-")[0]
    return kind if kind in SPECTRAL or kind in DOPPLER else ""


def mjds(wcs: WCS, axis: int, pixels: Array) -> Array:
    """MJD in UTC of pixels of a time axis (FITS 4.0 §9.2); astropy's own conversion takes every unit for seconds."""
    single = alone(wcs, axis)
    ctype = single.wcs.ctype[0].upper()
    scale = SCALES.get(ctype if ctype in SCALES else single.wcs.timesys.upper(), "utc")
    unit = single.wcs.cunit[0] if single.wcs.cunit[0] != units.dimensionless_unscaled else units.s
    days = axis_values(wcs, axis, pixels) * unit.to("d")
    found: Array = np.asarray(Time(single.wcs.mjdref[0], single.wcs.mjdref[1] + days, format="mjd", scale=scale).utc.mjd)
    return found
