"""MOCs, in ASCII or of shapes → ranges of order-29 cells (IVOA MOC 2.0 §4.3.2, the spatial part)."""

import re
from collections.abc import Sequence
from math import asin, dist, pi, radians, sin, sqrt
from typing import Any

import numpy as np

from vo_server.libraries import later
from vo_server.sky.healpix import MAX_ORDER, vector
from vo_server.sky.polygons import edges
from vo_server.sky.ranges import SKY, Range, merge

mocpy, coordinates = later("mocpy"), later("astropy.coordinates")

_WORD = re.compile(r"(?:s)?(?:(\d{1,2})/)?(?:(\d{1,19})(?:-(\d{1,19}))?)?")
_ORDER = re.compile(r"(\d{1,2})/")
_SEPARATORS = re.compile(r"[\s,]+")
_EDGES_AT_ONCE = 15
SQUARE_DEGREES = 41252.96124941927
"""Of the whole sky."""


class MocError(ValueError):
    """A text is no MOC."""


def parse_moc(text: str) -> list[Range]:
    """The ranges of a MOC such as ``3/12 14-17 4/200``, merged and in order; none for an empty one. Raises MocError."""
    found: list[Range] = []
    order: int | None = None
    shift = cells = 0
    for word in filter(None, _SEPARATORS.split(text)):
        if word.isdecimal() and word.isascii() and int(word) < cells:
            first = int(word) << shift
            found.append((first, first + (1 << shift) - 1))
            continue
        match = _WORD.fullmatch(word)
        if match is None:
            raise MocError(f"{word[:40]!r} is neither an order (3/), a cell (12) nor a range of cells (12-14)")
        if match[1] is not None:
            order = int(match[1])
        if order is None or order > MAX_ORDER:
            raise MocError("a MOC begins with an order, from 0/ to 29/")
        shift, cells = 2 * (MAX_ORDER - order), 12 << 2 * order
        if match[2] is not None:
            found.append(_range(order, int(match[2]), int(match[3] or match[2])))
    return merge(found, len(found) or 1)


def _range(order: int, first: int, last: int) -> Range:
    shift = 2 * (MAX_ORDER - order)
    if not first <= last < 12 << 2 * order:
        raise MocError(f"order {order} has no cells {first} to {last}")
    return first << shift, ((last + 1) << shift) - 1


def moc_of_point(order: int, ra: float, dec: float) -> list[Range]:
    """The one cell of `order` that holds a position in degrees."""
    return _ranges(mocpy.MOC.from_lonlat(*_positions([ra], [dec]), max_norder=order))


def moc_of_circle(order: int, ra: float, dec: float, radius: float) -> list[Range]:
    """The cells of `order` that have something of a circle; all in degrees."""
    angle = coordinates.Angle(min(radius, 180.0), "deg")
    return _ranges(mocpy.MOC.from_cone(*_positions(ra, dec), radius=angle, max_depth=order))


def moc_of_polygon(order: int, vertices: Sequence[tuple[float, float]]) -> list[Range]:
    """The cells of `order` that have something of a polygon, whose vertices go counter-clockwise."""
    lon, lat = ([vertex[axis] for vertex in vertices] for axis in (0, 1))
    return _ranges(mocpy.MOC.from_polygon(*_positions(lon, lat), max_depth=order))


def rim_of_circle(order: int, radius: float) -> float:
    """About how many cells of `order` lie on the rim of a circle (degrees)."""
    return 2 * pi * sin(radians(min(max(radius, 0.0), 180.0))) / _side(order)


def rim_of_polygon(order: int, vertices: Sequence[tuple[float, float]]) -> float:
    """The same of a polygon, counted anew for every `_EDGES_AT_ONCE` of its edges, with which each cell is compared."""
    points = [vector(radians(ra), radians(dec)) for ra, dec in vertices]
    length = sum(2 * asin(min(1.0, dist(one, other) / 2)) for one, other in edges(points))
    return (length / _side(order) + 10 * order) * (1 + len(points) / _EDGES_AT_ONCE)


def _side(order: int) -> float:
    """Side of a cell in radians."""
    return sqrt(pi / 3) / (1 << order)


def moc_text(ranges: Sequence[Range]) -> str:
    """The MOC of these cells in ASCII."""
    ends = np.array([(low, high + 1) for low, high in ranges], dtype=np.uint64)
    return str(mocpy.MOC.from_depth29_ranges(MAX_ORDER, ends).to_string())


def blurred(text: str, order: int) -> str:
    """A MOC in ASCII with no cells finer than `order`: what has something of it."""
    if all(int(found) <= order for found in _ORDER.findall(text)):  # as most are: mocpy is large
        return text
    return str(mocpy.MOC.from_string(text).degrade_to_order(order).to_string("ascii"))


def _positions(lon: float | list[float], lat: float | list[float]) -> tuple[Any, Any]:
    return coordinates.Longitude(lon, "deg"), coordinates.Latitude(lat, "deg")


def _ranges(moc: Any) -> list[Range]:
    return [(int(low), int(end) - 1) for low, end in moc.to_depth29_ranges]


def moc_area(ranges: list[Range]) -> float:
    """Area in square degrees."""
    return SQUARE_DEGREES * sum(high - low + 1 for low, high in ranges) / (SKY[1] + 1)
