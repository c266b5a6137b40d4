"""Where an image lies on the sky: its outline, centre, size and pixel scale, from its celestial WCS (FITS 4.0 §8)."""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

Vectors = npt.NDArray[np.float64]

MOST_EDGE_POINTS = 64
"""Points taken along each edge of an image at most: edges that are no great circles need some between the corners."""
BULGE_PIXELS = 0.25
"""Farther than this no edge runs from the polygon's: the centre of a pixel on the rim, half a pixel inside, stays inside."""
GRID = 24
"""Points a side at which an image without a whole outline is sampled."""
WIDEST_DEG = 80.0
"""Farthest an outline's point may lie from the centre: near a hemisphere a polygon has no smaller side."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """ICRS degrees. ``shape``: polygon vertices, counter-clockwise seen from inside the sphere, or a circle (ra, dec, radius) around
    an image that has no outline, as all-sky projections have none; ``pixel_scale`` in arcseconds.
    """

    ra: float
    dec: float
    fov: float
    shape: tuple[float, ...]
    pixel_scale: float


def footprint(wcs: WCS, width: int, height: int) -> Footprint | None:
    """The footprint of an image of `width` × `height` pixels; None if nothing of it lies on the sky. `wcs` has two celestial axes."""
    outline = outline_of(wcs, width, height)
    centre = directions(wcs, np.array([(width - 1) / 2]), np.array([(height - 1) / 2]))[0]
    scale = float(np.sqrt(np.prod(proj_plane_pixel_scales(wcs)))) * 3600
    if np.isfinite(outline).all() and np.isfinite(centre).all() and (radius := distances(outline, centre).max()) <= WIDEST_DEG:
        ra, dec = position(centre)
        return Footprint(ra, dec, 2 * float(radius), polygon(outline, centre), scale)
    return enclosing_circle(wcs, width, height, scale)


def outline_of(wcs: WCS, width: int, height: int) -> Vectors:
    """Directions around the outer rim, shape (n, 3), beginning with a corner: just the corners where edges are great circles, and as many
    points on each edge as keep the great circles between them near the edge. NaN where the rim is not on the sky.
    """
    points = 1
    while True:
        outline = directions(wcs, *outline_pixels(width, height, points))
        if points >= MOST_EDGE_POINTS or not np.isfinite(outline).all() or bulge(wcs, width, height, points, outline) <= BULGE_PIXELS:
            return outline
        points *= 2


def bulge(wcs: WCS, width: int, height: int, points: int, outline: Vectors) -> float:
    """How many pixels the rim runs, half-way between its points, from the great circles that join them."""
    halves = outline_pixels(width, height, 2 * points)
    x, y = halves[0][1::2], halves[1][1::2]
    middles = outline + np.roll(outline, -1, axis=0)
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    chord_x, chord_y = pixels(wcs, middles)
    away = np.hypot(chord_x - x, chord_y - y)
    return float(away.max()) if np.isfinite(away).all() else np.inf


def outline_pixels(width: int, height: int, points: int) -> tuple[Vectors, Vectors]:
    """Pixel coordinates (from 0) around the outer rim, `points` an edge, the first of each a corner."""
    step = np.arange(points) / points
    left, right, bottom, top = -0.5, width - 0.5, -0.5, height - 0.5
    x = np.concatenate([left + step * width, np.full(points, right), right - step * width, np.full(points, left)])
    y = np.concatenate([np.full(points, bottom), bottom + step * height, np.full(points, top), top - step * height])
    return x, y


def pixels(wcs: WCS, points: Vectors) -> tuple[Vectors, Vectors]:
    """Pixel coordinates (from 0) of ICRS unit vectors of shape (n, 3)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sky = SkyCoord(*points.T, representation_type="cartesian", frame="icrs")
        sky.representation_type = "unitspherical"
        x, y = wcs.world_to_pixel(sky)
        return np.asarray(x, np.float64), np.asarray(y, np.float64)


def directions(wcs: WCS, x: Vectors, y: Vectors) -> Vectors:
    """ICRS unit vectors, shape (n, 3), of pixels; NaN where a pixel is not on the sky."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # frames of old headers, pixels outside of the projection
        sky = wcs.pixel_to_world(x, y)
        return np.asarray(SkyCoord(sky).icrs.cartesian.xyz.value.T, np.float64)


def enclosing_circle(wcs: WCS, width: int, height: int, scale: float) -> Footprint | None:
    """A circle around all of the image that is on the sky, for images without an outline."""
    x, y = np.meshgrid(np.linspace(-0.5, width - 0.5, GRID), np.linspace(-0.5, height - 0.5, GRID))
    points = directions(wcs, x.ravel(), y.ravel())
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return None
    mean = points.mean(axis=0)
    length = float(np.linalg.norm(mean))
    centre = mean / length if length > 0.05 else points[len(points) // 2]
    spacing = scale / 3600 * max(width, height) / (GRID - 1)
    radius = min(float(distances(points, centre).max()) + spacing, 180.0)
    radius = 180.0 if radius > 150.0 else radius
    ra, dec = position(centre)
    return Footprint(ra, dec, min(2 * radius, 360.0), (ra, dec, radius), scale)


def polygon(outline: Vectors, centre: Vectors) -> tuple[float, ...]:
    """Vertices ra, dec, ra, dec … of an outline, counter-clockwise seen from inside (DALI 1.1 §3.3.7)."""
    turn = np.cross(outline, np.roll(outline, -1, axis=0)).sum(axis=0) @ centre
    ordered = outline[::-1] if turn > 0 else outline
    return tuple(number for vector in ordered for number in position(vector))


def position(vector: Vectors) -> tuple[float, float]:
    """(ra, dec) in degrees of a unit vector."""
    x, y, z = vector
    return float(np.degrees(np.arctan2(y, x)) % 360), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def distances(points: Vectors, centre: Vectors) -> Vectors:
    """Angles in degrees between unit vectors and one of them."""
    chords: Vectors = np.linalg.norm(points - centre, axis=1)
    angles: Vectors = np.degrees(2 * np.arcsin(np.clip(chords / 2, 0, 1)))
    return angles


def directions_of(ra: npt.ArrayLike, dec: npt.ArrayLike, frame: str = "") -> Vectors:
    """ICRS unit vectors, shape (n, 3), of equatorial positions in degrees, of a frame as RADESYS names it (FITS 4.0 §8.3)."""
    name = frame.strip().lower()
    sky = SkyCoord(np.asarray(ra, np.float64), np.asarray(dec, np.float64), unit="deg", frame=name if name in ("fk4", "fk5") else "icrs")
    return np.asarray(sky.icrs.cartesian.xyz.value.T, np.float64)
