"""Regions as points: which positions lie inside, and enough positions of a region to know where on an image it is."""

import numpy as np
import numpy.typing as npt

from vo_server.dali.shapes import Circle, Polygon, Range, Shape
from vo_server.errors import UsageError
from vo_server.sky.polygons import DegenerateError, centroid, counter_clockwise, refuse_crossings

Array = npt.NDArray[np.float64]

RIM_POINTS = 720
"""Points around a circle: between two of them it leaves their chord by a hundred-thousandth of its radius."""
EDGE_POINTS = 64
RINGS = 8
RAYS = 48
POLES = ((0.0, 90.0), (0.0, -90.0))


def vectors(ra: Array, dec: Array) -> Array:
    """Unit vectors, shape (n, 3), of positions in degrees."""
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def positions(points: Array) -> tuple[Array, Array]:
    """RA and Dec in degrees of vectors, shape (n, 3), of any length."""
    return np.degrees(np.arctan2(points[:, 1], points[:, 0])) % 360, np.degrees(
        np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1]))
    )


def inside(shape: Shape, ra: Array, dec: Array) -> npt.NDArray[np.bool_]:
    """Which positions (ICRS degrees) lie in a region, its rim included. A polygon is the smaller of its two sides."""
    if isinstance(shape, Circle):
        chords = np.linalg.norm(vectors(ra, dec) - vectors(np.array([shape.ra]), np.array([shape.dec])), axis=1)
        return np.asarray(chords <= 2 * np.sin(np.radians(shape.radius) / 2) * (1 + 1e-12) + 1e-15)
    if isinstance(shape, Range):
        east = ra % 360
        return np.asarray(
            (((east >= shape.ra[0]) & (east <= shape.ra[1])) | (east + 360 <= shape.ra[1])) & (dec >= shape.dec[0]) & (dec <= shape.dec[1])
        )
    return _wound_around(_corners(shape), vectors(ra, dec))


def rim(shape: Shape) -> tuple[Array, Array]:
    """Positions around a region, in order, closed: the last is the first."""
    if isinstance(shape, Circle):
        return _ring(shape, shape.radius, RIM_POINTS)
    if isinstance(shape, Range):
        step = np.linspace(0, 1, 4 * EDGE_POINTS)
        (west, east), (south, north) = shape.ra, shape.dec
        along, up = west + (east - west) * step, south + (north - south) * step
        fixed = np.ones_like(step)
        return (
            np.concatenate([along, east * fixed, along[::-1], west * fixed]),
            np.concatenate([south * fixed, up, north * fixed, up[::-1]]),
        )
    corners = _corners(shape)
    step = np.linspace(0, 1, EDGE_POINTS)[:, None]
    edges = [one * (1 - step) + other * step for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    return positions(np.concatenate(edges))


def within(shape: Shape) -> tuple[Array, Array]:
    """Positions spread over a region; a pole among them if it lies inside, since a rim around it does not show how far maps reach."""
    if isinstance(shape, Circle):
        parts = [_ring(shape, shape.radius * number / RINGS, RAYS) for number in range(RINGS)]
    elif isinstance(shape, Range):
        ra, dec = np.meshgrid(np.linspace(*shape.ra, RAYS), np.linspace(*shape.dec, RAYS))
        parts = [(ra.ravel(), dec.ravel())]
    else:
        corners = _corners(shape)
        middle = vectors(*(np.array([number]) for number in centroid(list(zip(*positions(corners), strict=True)))))
        points = np.concatenate([corners * part + middle * (1 - part) for part in np.linspace(0, 1, RINGS, endpoint=False)])
        ra, dec = positions(points)
        kept = inside(shape, ra, dec)
        parts = [(ra[kept], dec[kept])]
    poles = np.array(POLES).T
    kept = inside(shape, poles[0], poles[1])
    parts.append((poles[0][kept], poles[1][kept]))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def refuse_degenerate(shape: Shape, parameter: str) -> None:
    """UsageError that names `parameter` for a polygon of which nobody can say what is inside."""
    if isinstance(shape, Polygon):
        try:
            refuse_crossings(counter_clockwise(shape.vertices))
        except DegenerateError as error:
            raise UsageError(f"{parameter}: {error}.", parameter=parameter) from None


def _corners(shape: Polygon) -> Array:
    ra, dec = np.array(counter_clockwise(shape.vertices)).T
    return vectors(ra, dec)


def _ring(shape: Circle, radius: float, count: int) -> tuple[Array, Array]:
    """Positions around the centre of a circle."""
    lon, lat, size = np.radians(shape.ra), np.radians(shape.dec), np.radians(radius)
    middle = vectors(np.array([shape.ra]), np.array([shape.dec]))[0]
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    turn = np.linspace(0, 2 * np.pi, count + 1)[:, None]
    return positions(middle * np.cos(size) + np.sin(size) * (east * np.cos(turn) + north * np.sin(turn)))


def _wound_around(corners: Array, points: Array) -> npt.NDArray[np.bool_]:
    """Whether the edges of a counter-clockwise polygon wind around each point: the angles under which it sees them add up to a turn."""
    total = np.zeros(len(points))
    for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        total += np.arctan2(points @ np.cross(one, other), one @ other - (points @ one) * (points @ other))
    return np.asarray(total > np.pi * (1 - 1e-9))
