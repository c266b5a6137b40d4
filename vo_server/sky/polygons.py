"""Polygons on the sphere. A polygon is the smaller of the two sides of its edges, whatever its winding."""

from collections.abc import Sequence
from itertools import pairwise
from math import atan2, pi, radians

from vo_server.sky.healpix import Vector, vector

Vertices = Sequence[tuple[float, float]]


class DegenerateError(ValueError):
    """A polygon has no inside."""


def counter_clockwise(vertices: Vertices) -> list[tuple[float, float]]:
    """The vertices (ra, dec in degrees) so that the smaller side lies to the left, without a repeated closing one.

    Raises DegenerateError for fewer than three different vertices, or a polygon without area.
    """
    found: list[tuple[float, float]] = []
    for ra, dec in vertices:
        if not found or (ra, dec) != found[-1]:
            found.append((ra, dec))
    if len(found) > 1 and found[0] == found[-1]:
        found.pop()
    if len(found) < 3:
        raise DegenerateError("a polygon needs three different vertices")
    area = signed_area([vector(radians(ra), radians(dec)) for ra, dec in found])
    if abs(area) < 1e-18:
        raise DegenerateError("the vertices of the polygon lie on one great circle")
    return found if area > 0 else found[::-1]


def signed_area(points: Sequence[Vector]) -> float:
    """Solid angle of the smaller side in steradians, positive if it lies to the left of the edges."""
    total = 0.0
    apex = points[0]
    for one, other in pairwise(points[1:]):
        volume = dot(apex, cross(one, other))
        total += 2.0 * atan2(volume, 1.0 + dot(apex, one) + dot(one, other) + dot(other, apex))
    total %= 4 * pi
    return total - 4 * pi if total > 2 * pi else total


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
