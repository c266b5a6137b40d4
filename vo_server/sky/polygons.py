"""Polygons on the sphere. A polygon is the smaller of the two sides of its edges, whatever its winding."""

from collections.abc import Sequence
from itertools import pairwise
from math import asin, atan2, cos, degrees, hypot, pi, radians, sin, tan

import numpy as np

from vo_server.sky.healpix import Vector, vector

Position = tuple[float, float]
"""RA and Dec in degrees."""
Vertices = Sequence[Position]

MAX_VERTICES = 300
_ONE_PLACE = 1e-13
"""Radians (0.02 µas): vertices that are closer are one."""


class DegenerateError(ValueError):
    """A polygon has no inside, or nobody can say which side of its edges is meant."""


def counter_clockwise(vertices: Vertices) -> list[Position]:
    """The vertices (ra, dec in degrees) so that the smaller side lies to the left, without repeated and closing ones.

    Raises DegenerateError for fewer than three different vertices, a polygon without area, an edge of 180° and a polygon of half the sky.
    """
    found: list[Position] = []
    points: list[Vector] = []
    for ra, dec in vertices:
        point = vector(radians(ra), radians(dec))
        if not points or not _same(points[-1], point):
            found.append((ra, dec))
            points.append(point)
    if len(points) > 1 and _same(points[0], points[-1]):
        found.pop()
        points.pop()
    if len(found) < 3:
        raise DegenerateError("a polygon needs three different vertices")
    if any(_same(one, (-other[0], -other[1], -other[2])) for one, other in edges(points)):
        raise DegenerateError("two neighbouring vertices lie opposite each other on the sky, so that many edges join them")
    area = signed_area(points)
    if abs(area) < 1e-15 * max(hypot(*difference(one, other)) for one, other in edges(points)):
        raise DegenerateError("the polygon has no area: its vertices lie on one great circle, or its edges cross")
    if abs(abs(area) - 2 * pi) < 1e-9:
        raise DegenerateError("both sides of the polygon are half of the sky")
    return found if area > 0 else found[::-1]


def refuse_crossings(vertices: Vertices) -> None:
    """Raises DegenerateError if edges of a polygon cross each other, or if it has more than MAX_VERTICES vertices."""
    if len(vertices) > MAX_VERTICES:
        raise DegenerateError(f"a polygon has at most {MAX_VERTICES} vertices")
    if len(vertices) == 3:
        return
    points = np.array([vector(radians(ra), radians(dec)) for ra, dec in vertices])
    ends = np.roll(points, -1, axis=0)
    normals = np.cross(points, ends)
    # [i, j]: on which side of edge i vertex j lies, and the vertex after it
    here, there = normals @ points.T, normals @ ends.T
    across = -here
    close = np.minimum(np.minimum(abs(here), abs(there)), np.minimum(abs(here.T), abs(there.T))) < 1e-15
    crossing = (across * there > 0) & (across * -there.T > 0) & (across * here.T > 0) & ~close
    if crossing.any():
        first, second = (int(number) + 1 for number in np.argwhere(crossing)[0])
        raise DegenerateError(f"edges {first} and {second} of the polygon cross each other")


def half_spaces(vertices: Vertices) -> list[Vector] | None:
    """The inward unit normals of the edges of a counter-clockwise polygon, if it is all that lies inside of all of them; else None."""
    points = [vector(radians(ra), radians(dec)) for ra, dec in vertices]
    normals = [normal(one, other) for one, other in edges(points)]
    return normals if all(dot(side, point) > -1e-13 for side in normals for point in points) else None


def box(ra: float, dec: float, width: float, height: float) -> list[Position]:
    """The vertices of BOX (ADQL 2.1 §4.2.9), counter-clockwise; degrees.

    The arms of a cross reach half of width and height from its middle; each side stands at right angles on the end of an arm.
    Raises DegenerateError unless both sizes lie between 0 and 180.
    """
    if not (0 < width < 180 and 0 < height < 180):
        raise DegenerateError("width and height of a box must be more than 0 and less than 180 degrees")
    right, up = radians(ra), radians(dec)
    middle = vector(right, up)
    east = (-sin(right), cos(right), 0.0)
    north = (-sin(up) * cos(right), -sin(up) * sin(right), cos(up))
    across, along = tan(radians(width) / 2), tan(radians(height) / 2)
    return [
        position((middle[0] + a * east[0] + b * north[0], middle[1] + a * east[1] + b * north[1], middle[2] + a * east[2] + b * north[2]))
        for a, b in ((-across, -along), (across, -along), (across, along), (-across, along))
    ]


def area(vertices: Vertices) -> float:
    """Area of a counter-clockwise polygon in square degrees."""
    return degrees(degrees(signed_area([vector(radians(ra), radians(dec)) for ra, dec in vertices])))


def centroid(vertices: Vertices) -> Position:
    """The middle (centre of mass) of a counter-clockwise polygon."""
    total = [0.0, 0.0, 0.0]
    points = [vector(radians(ra), radians(dec)) for ra, dec in vertices]
    for one, other in edges(points):
        turned = _turned(one, other)
        size = hypot(*turned)
        factor = atan2(size, dot(one, other)) / size
        total = [part + factor * more for part, more in zip(total, turned, strict=True)]
    return position((total[0], total[1], total[2]))


def signed_area(points: Sequence[Vector]) -> float:
    """Solid angle of the smaller side in steradians, positive if it lies to the left of the edges."""
    total = 0.0
    apex = points[0]
    for one, other in pairwise(points[1:]):
        volume = dot(difference(one, apex), cross(difference(other, apex), apex))
        total += 2.0 * atan2(volume, 1.0 + dot(apex, one) + dot(one, other) + dot(other, apex))
    total -= 4 * pi * round(total / (4 * pi))
    return total


def edges(points: Sequence[Vector]) -> list[tuple[Vector, Vector]]:
    """Both ends of each edge, in order."""
    return [(point, points[(index + 1) % len(points)]) for index, point in enumerate(points)]


def position(point: Vector) -> Position:
    """RA (0 to 360) and Dec in degrees of a vector of any length."""
    return degrees(atan2(point[1], point[0])) % 360.0, degrees(atan2(point[2], hypot(point[0], point[1])))


def normal(one: Vector, other: Vector) -> Vector:
    """The unit vector to the left of the edge from one unit vector to another."""
    turned = _turned(one, other)
    size = hypot(*turned)
    return turned[0] / size, turned[1] / size, turned[2] / size


def _turned(one: Vector, other: Vector) -> Vector:
    """Vector product of two neighbouring unit vectors: by their difference, which keeps its digits where they are close."""
    return cross(one, difference(other, one))


def _same(one: Vector, other: Vector) -> bool:
    return 2 * asin(min(1.0, hypot(*difference(one, other)) / 2)) < _ONE_PLACE


def difference(one: Vector, other: Vector) -> Vector:
    """One minus the other."""
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]


def dot(one: Vector, other: Vector) -> float:
    """Scalar product."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def cross(one: Vector, other: Vector) -> Vector:
    """Vector product."""
    return (
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    )
