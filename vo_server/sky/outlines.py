"""Where discs lie relative to a polygon: what covering it with cells asks, cell by cell, in plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, inf, pi, radians, sin

from vo_server.sky.healpix import Vector, vector
from vo_server.sky.polygons import cross, dot, edges, half_spaces, normal, signed_area


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge: its ends, the unit normal to its left, the normals (in its plane) at both ends, and on which side of the polygon places
    lie that are nearest to an end."""

    start: Vector
    end: Vector
    left: Vector
    after_start: Vector
    before_end: Vector
    inside_at_start: bool
    inside_at_end: bool


class Outline:
    """The edges of a counter-clockwise polygon; ``area`` in steradians."""

    def __init__(self, vertices: Sequence[tuple[float, float]]) -> None:
        points = [vector(radians(ra), radians(dec)) for ra, dec in vertices]
        pairs = edges(points)
        normals = [normal(*pair) for pair in pairs]
        # beyond a vertex where the outline turns right, there is the inside
        turns = [dot(normals[index - 1], pair[1]) < 0 for index, pair in enumerate(pairs)]
        self.area = signed_area(points)
        self.half_spaces = half_spaces(vertices)
        self.edges = [
            Edge(one, other, left, cross(left, one), cross(other, left), turns[index], turns[(index + 1) % len(points)])
            for index, ((one, other), left) in enumerate(zip(pairs, normals, strict=True))
        ]

    def place(self, point: Vector, disc: float, near: list[Edge] | None) -> tuple[int, list[Edge] | None]:
        """-1, 0 or 1: a disc (radians) lies outside, may meet an edge, lies inside; and the edges that can matter for discs within it.

        A convex polygon is an intersection of half-spaces, of each of which the disc lies inside, outside, or across the edge. Otherwise
        the nearest edge decides by the side on which the point lies of it. `near` is what was said of a disc around this one. That disc
        meets an edge, which is within its radius of its middle and within twice that of this one's: the nearest is within three times.
        """
        if self.half_spaces is not None:
            depth = min(point[0] * x + point[1] * y + point[2] * z for x, y, z in self.half_spaces)
            limit = sin(disc) if disc < pi / 2 else 1.0
            return 1 if depth > limit else -1 if depth < -limit else 0, None
        nearest, inside = inf, False
        kept = []
        for edge in self.edges if near is None else near:
            distance, side = _distance(edge, point)
            if distance < nearest:
                nearest, inside = distance, side
            if distance <= 3 * disc:
                kept.append(edge)
        return 0 if nearest <= disc else 1 if inside else -1, kept


def _distance(edge: Edge, point: Vector) -> tuple[float, bool]:
    """The angle (radians) to the nearest place of an edge, and whether a point there lies inside the polygon if no other edge is nearer."""
    if dot(point, edge.after_start) >= 0 and dot(point, edge.before_end) >= 0:
        height = dot(point, edge.left)
        return asin(min(1.0, abs(height))), height > 0
    to_start, to_end = _chord(point, edge.start), _chord(point, edge.end)
    near, inside = (to_start, edge.inside_at_start) if to_start < to_end else (to_end, edge.inside_at_end)
    return 2 * asin(min(1.0, near**0.5 / 2)), inside


def _chord(one: Vector, other: Vector) -> float:
    """The squared chord between two unit vectors."""
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2
