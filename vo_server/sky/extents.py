"""Regions → their extents: boxes of right ascension and declination, and a cap around them. They hold the region, and little else.

The index of footprints (``sql.footprints``) finds boxes that overlap, the caps tell most of the rest apart without the exact test. Boxes
of footprints are computed in the database, by ``vo.shape_bounds`` (see functions.sql): these here are their counterpart for what is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, atan2, cos, degrees, hypot, pi, radians, sin

from vo_server.sky.healpix import Vector, vector
from vo_server.sky.polygons import Position, cross, difference, dot, edges, signed_area
from vo_server.sky.ranges import PADDING, circumscribed

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees; east may lie beyond 360."""

POLAR = 89.9
"""Degrees from the equator from which on a box goes all around: meridians are too close there for padding."""
WIDE = 30.0
"""Degrees of right ascension: a wider footprint has a box that goes all around, so that none reaches further than this beyond 360."""
PAD = 1e-6
"""Degrees around each box (4 mas): the exact test allows for less, and rounding errors are smaller."""
FULL_CAP = radians(89)
"""The radius of a cap from which on a polygon may have any box."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a region lies: a cap (unit vector, radius in radians), boxes that all its footprints overlap, and the part of them it fills."""

    middle: Vector
    radius: float
    boxes: tuple[Box, ...]
    fill: float = 1.0


def extent_of_circle(ra: float, dec: float, radius: float) -> Extent:
    """The extent of a circle; degrees, a radius from 0 to 180. Circles fill their boxes well everywhere."""
    middle = vector(radians(ra), radians(dec))
    south, north = dec - radius, dec + radius
    if max(north, -south) >= POLAR:
        return Extent(middle, radians(radius) + PADDING, _boxes(0.0, max(south, -90.0), 360.0, min(north, 90.0)))
    width = degrees(asin(min(1.0, sin(radians(radius)) / cos(radians(dec)))))
    return Extent(middle, radians(radius) + PADDING, _boxes(ra - width, south, ra + width, north))


def extent_of_polygon(vertices: Sequence[Position]) -> Extent:
    """The extent of a counter-clockwise polygon; degrees."""
    middle, radius = circumscribed(vertices)
    west, south, east, north = _box(vertices) if radius < FULL_CAP else (0.0, -90.0, 360.0, 90.0)
    around = (east - west) * pi / 180 * (sin(radians(north)) - sin(radians(south)))
    area = abs(signed_area([vector(radians(ra), radians(dec)) for ra, dec in vertices]))
    return Extent(middle, radius, _boxes(west, south, east, north), area / around if around > 0 else 1.0)


def _box(vertices: Sequence[Position]) -> Box:
    """The box of a polygon that lies in a cap of less than half the sky."""
    points = [vector(radians(ra), radians(dec)) for ra, dec in vertices]
    peaks = [peak for one, other in edges(points) if (peak := _peak(one, other)) is not None]
    south, north = (choose([*(dec for _, dec in vertices), *peaks]) for choose in (min, max))
    turns = [vertices[-1][0]]
    for ra, _ in vertices:
        turns.append(turns[-1] + (ra - turns[-1] + 180.0) % 360.0 - 180.0)
    # the inside lies to the left: eastwards around the north pole, westwards around the south pole
    over_north = turns[-1] - turns[0] > 180.0 or north >= POLAR
    over_south = turns[-1] - turns[0] < -180.0 or south <= -POLAR
    if over_north or over_south:
        return 0.0, -90.0 if over_south else south, 360.0, 90.0 if over_north else north
    return min(turns), south, max(turns), north


def _peak(one: Vector, other: Vector) -> float | None:
    """The declination (degrees) of the point of an edge that is nearest to a pole, if it is none of its ends."""
    turned = cross(one, difference(other, one))
    along = dot(one, other)
    rising, falling = other[2] - one[2] * along, one[2] - other[2] * along
    if rising * falling <= 0:
        return None
    height = degrees(atan2(hypot(turned[0], turned[1]), abs(turned[2])))
    return height if rising > 0 else -height


def _boxes(west: float, south: float, east: float, north: float) -> tuple[Box, ...]:
    """A box with its padding, and again where footprints beyond the meridian of 0 and 360 degrees have it."""
    south, north = south - PAD, north + PAD
    wider = PAD / max(cos(radians(min(max(-south, north), 90.0))), 1e-3)
    width = east - west + 2 * wider
    west = (west - wider) % 360.0
    if width >= 360.0:
        return ((0.0, south, 360.0 + WIDE, north),)
    east = west + width
    if east > 360.0:
        return ((west, south, east, north), (0.0, south, east - 360.0, north))
    if west <= WIDE:
        return ((west, south, east, north), (west + 360.0, south, east + 360.0, north))
    return ((west, south, east, north),)
