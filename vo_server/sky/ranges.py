"""Regions → closed ranges of order-29 HEALPix cells: few, merged, and never missing a cell of the region.

A region is covered from the twelve base cells downwards, a small one from the nine cells around its middle: cells outside are dropped,
cells wholly inside are kept, the others are divided until they are small beside the region. What remains is merged into the wanted
number of ranges by closing the smallest gaps.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest
from itertools import pairwise
from math import asin, pi, radians, sin, sqrt
from typing import Any

from vo_server.sky.healpix import MAX_ORDER, RADII, Vector, center, locate, nested, vector
from vo_server.sky.outlines import Outline
from vo_server.sky.polygons import DegenerateError, counter_clockwise

Range = tuple[int, int]
Cell = tuple[int, int, int, int]
"""Base cell, x, y, number in NESTED order within the base cell."""
Rim = list[tuple[Cell, Any]]
"""Cells on the rim of a region, each with what their `Position` remembers for their quarters."""

SKY: Range = (0, 12 * 4**MAX_ORDER - 1)
PADDING = 1e-9
"""Radians (0.2 mas) added to every region: rounding never loses a cell."""
ONE_DEGREE = radians(1)
FEW = 5
MANY = 12
"""Ranges of a region below and above one degree: more cost the database more than the rows they spare."""
_FINENESS = 0.7
"""Cells are divided until their radius is below this fraction of the region's."""
_MANY_EDGES = 60
_MOST_CELLS = 150
"""Cells on the rim of one region at most: a bound for the time this takes."""

BASE_CELLS: list[Cell] = [(face, 0, 0, 0) for face in range(12)]

Position = Callable[[Vector, float, Any], tuple[int, Any]]
"""Where a disc (centre, radius in radians) lies: -1 outside the region, 1 wholly inside, 0 neither for certain.

The last argument is what it said of the disc around (None for the first ones), the second result what it will want to know of discs inside.
"""


def cone_ranges(ra: float, dec: float, radius_deg: float, max_ranges: int | None = None) -> list[Range]:
    """The ranges that cover a cone (degrees), at most `max_ranges` of them; empty for a negative radius."""
    if radius_deg < 0:
        return []
    if radius_deg >= 180:
        return [SKY]
    return _covered(vector(radians(ra), radians(dec)), radians(radius_deg) + PADDING, max_ranges)


def polygon_ranges(vertices: Sequence[tuple[float, float]], max_ranges: int | None = None) -> list[Range]:
    """The ranges that cover the polygon with these (ra, dec) vertices in degrees, at most `max_ranges` of them.

    Of a degenerate one a cone around it.
    """
    middle, radius = circumscribed(vertices)
    most = max_ranges or (FEW if radius < ONE_DEGREE else MANY)
    try:
        outline = Outline(counter_clockwise(vertices))
    except DegenerateError:
        return _covered(middle, radius, max_ranges)

    def position(point: Vector, disc: float, near: Any) -> tuple[int, Any]:
        return outline.place(point, disc + PADDING, near)

    # each cell is compared with each edge: of long outlines only the rough shape is covered
    size = min(radius, sqrt(outline.area / pi)) * max(1.0, len(outline.edges) / _MANY_EDGES)
    return cover(position, size, most, around(middle, radius) if radius < pi / 2 else (0, BASE_CELLS))


def circumscribed(vertices: Sequence[tuple[float, float]]) -> tuple[Vector, float]:
    """Middle and radius (radians) of a cap that holds these places (degrees) and, if less than half of the sky, every polygon of them."""
    points = [vector(radians(ra), radians(dec)) for ra, dec in vertices]
    middle = _normal(tuple(sum(point[axis] for point in points) for axis in range(3))) or points[0]
    return middle, _angle(max(_chord(middle, point) for point in points)) + PADDING


def _covered(middle: Vector, radius: float, max_ranges: int | None) -> list[Range]:
    return cover(_cone(middle, radius), radius, max_ranges or (FEW if radius < ONE_DEGREE else MANY), around(middle, radius))


def cover(position: Position, size: float, max_ranges: int, start: tuple[int, list[Cell]] = (0, BASE_CELLS)) -> list[Range]:
    """The ranges that cover a region of about `size` (radians) of which `position` knows where discs lie.

    `start` is an order and cells of it that together hold the region.
    """
    whole: list[Range] = []
    order, cells = start
    rim = _sorted_out(position, [(cell, None) for cell in cells], order, whole)
    while rim and order < MAX_ORDER and RADII[order] >= _FINENESS * size and len(rim) <= _MOST_CELLS:
        order += 1
        rim = _sorted_out(position, _quarters(rim), order, whole)
    shift = 2 * (MAX_ORDER - order)
    whole += [_range(cell, order, shift) for cell, _ in rim]
    return merge(whole, max_ranges)


def around(point: Vector, radius: float) -> tuple[int, list[Cell]]:
    """Cells that hold a cone: nine whose radii are at least twice the cone's, if they are of one base cell; else the base cells.

    The narrowest cells are wider than a third of their diameter, so that a step of a whole cell leaves the cone.
    """
    order = next((order for order in range(MAX_ORDER, 0, -1) if RADII[order] >= 2 * radius), 0)
    face, across, up = locate(point)
    side = 1 << order
    x, y = int(across * side), int(up * side)
    if not (1 <= x < side - 1 and 1 <= y < side - 1):
        return 0, BASE_CELLS
    return order, [(face, i, j, nested(i, j)) for i in (x - 1, x, x + 1) for j in (y - 1, y, y + 1)]


def merge(ranges: Iterable[Range], most: int) -> list[Range]:
    """The union of closed ranges, in order, reduced to `most` by closing the smallest gaps."""
    joined: list[Range] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    if len(joined) <= most:
        return joined
    gaps = nlargest(most - 1, ((second[0] - first[1], index) for index, (first, second) in enumerate(pairwise(joined))))
    kept = sorted(index for _, index in gaps)
    starts = [joined[0][0], *(joined[index + 1][0] for index in kept)]
    ends = [*(joined[index][1] for index in kept), joined[-1][1]]
    return list(zip(starts, ends, strict=True))


def _quarters(rim: Rim) -> Rim:
    return [
        ((face, 2 * x + (quarter & 1), 2 * y + (quarter >> 1), 4 * number + quarter), known)
        for (face, x, y, number), known in rim
        for quarter in range(4)
    ]


def _sorted_out(position: Position, cells: Rim, order: int, whole: list[Range]) -> Rim:
    """The cells on the rim; those inside go to `whole`."""
    rim = []
    radius, shift = RADII[order], 2 * (MAX_ORDER - order)
    for cell, known in cells:
        where, more = position(center(cell[0], cell[1], cell[2], order), radius, known)
        if where == 0:
            rim.append((cell, more))
        elif where > 0:
            whole.append(_range(cell, order, shift))
    return rim


def _range(cell: Cell, order: int, shift: int) -> Range:
    first = ((cell[0] << 2 * order) + cell[3]) << shift
    return first, first + (1 << shift) - 1


def _cone(middle: Vector, radius: float) -> Position:
    """Tells where discs lie relative to a cone. Squared chords are exact for small angles, where cosines are not."""
    a, b, c = middle
    limits: dict[float, tuple[float, float]] = {}

    def position(point: Vector, disc: float, _: Any) -> tuple[int, Any]:
        bounds = limits.get(disc)
        if bounds is None:
            outer = 4.0 * sin(min(radius + disc, pi) / 2) ** 2 if radius + disc < pi else 5.0
            inner = 4.0 * sin((radius - disc) / 2) ** 2 if radius > disc else -1.0
            bounds = limits[disc] = (outer, inner)
        x, y, z = point
        square = (x - a) * (x - a) + (y - b) * (y - b) + (z - c) * (z - c)
        return -1 if square > bounds[0] else 1 if square <= bounds[1] else 0, None

    return position


def _normal(sums: Sequence[float]) -> Vector | None:
    length = sum(part * part for part in sums) ** 0.5
    return None if length < 1e-6 else (sums[0] / length, sums[1] / length, sums[2] / length)


def _chord(one: Vector, other: Vector) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _angle(square: float) -> float:
    """The angle (radians) of a squared chord."""
    return 2 * asin(min(1.0, (square / 4.0) ** 0.5))
