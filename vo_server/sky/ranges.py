"""Regions → closed ranges of order-29 HEALPix cells: few, merged, and never missing a cell of the region.

A region is covered from the twelve base cells downwards, a small one from the nine cells around its middle: cells outside are dropped,
cells wholly inside are kept, the others are divided until they are small beside the region. What remains is merged into the wanted
number of ranges by closing the smallest gaps.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import asin, pi, radians, sin

from vo_server.sky.healpix import MAX_ORDER, RADII, Vector, center, locate, nested, vector

Range = tuple[int, int]
Cell = tuple[int, int, int, int]
"""Base cell, x, y, number in NESTED order within the base cell."""

SKY: Range = (0, 12 * 4**MAX_ORDER - 1)
PADDING = 1e-9
"""Radians (0.2 mas) added to every region: rounding never loses a cell."""
ONE_DEGREE = radians(1)
FEW = 5
MANY = 12
"""Ranges of a region below and above one degree: more cost the database more than the rows they spare."""
_FINENESS = 0.7
"""Cells are divided until their radius is below this fraction of the region's."""
_MOST_CELLS = 150
"""Cells on the rim of one region at most: a bound for the time this takes."""

BASE_CELLS: list[Cell] = [(face, 0, 0, 0) for face in range(12)]

Position = Callable[[Vector, float], int]
"""Where a disc (centre, radius in radians) lies: -1 outside the region, 1 wholly inside, 0 neither for certain."""


def cone_ranges(ra: float, dec: float, radius_deg: float, max_ranges: int | None = None) -> list[Range]:
    """The ranges that cover a cone (degrees), at most `max_ranges` of them; empty for a negative radius."""
    if radius_deg < 0:
        return []
    if radius_deg >= 180:
        return [SKY]
    return _covered(vector(radians(ra), radians(dec)), radians(radius_deg) + PADDING, max_ranges)


def polygon_ranges(vertices: Sequence[tuple[float, float]], max_ranges: int | None = None) -> list[Range]:
    """The ranges that cover the polygon with these (ra, dec) vertices in degrees: those of a cone around it.

    The exact test of the rows is elsewhere; what matters here is that nothing is missed.
    """
    points = [vector(radians(ra), radians(dec)) for ra, dec in vertices]
    middle = _normal(tuple(sum(point[axis] for point in points) for axis in range(3)))
    if middle is None:
        return [SKY]
    largest = max(_chord(middle, point) for point in points)
    # a cap that is no more than half the sky holds, with its points, the smaller side of every polygon between them
    if largest >= 2.0:
        return [SKY]
    return _covered(middle, _angle(largest) + PADDING, max_ranges)


def _covered(middle: Vector, radius: float, max_ranges: int | None) -> list[Range]:
    return cover(_cone(middle, radius), radius, max_ranges or (FEW if radius < ONE_DEGREE else MANY), around(middle, radius))


def cover(position: Position, size: float, max_ranges: int, start: tuple[int, list[Cell]] = (0, BASE_CELLS)) -> list[Range]:
    """The ranges that cover a region of about `size` (radians) of which `position` knows where discs lie.

    `start` is an order and cells of it that together hold the region.
    """
    whole: list[Range] = []
    order, cells = start
    rim = _sorted_out(position, cells, order, whole)
    while rim and order < MAX_ORDER and RADII[order] >= _FINENESS * size and len(rim) <= _MOST_CELLS:
        order += 1
        rim = _sorted_out(position, _quarters(rim), order, whole)
    shift = 2 * (MAX_ORDER - order)
    whole += [_range(cell, order, shift) for cell in rim]
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
    gaps = sorted((second[0] - first[1], index) for index, (first, second) in enumerate(pairwise(joined)))
    kept = sorted(index for _, index in gaps[len(joined) - most :])
    starts = [joined[0][0], *(joined[index + 1][0] for index in kept)]
    ends = [*(joined[index][1] for index in kept), joined[-1][1]]
    return list(zip(starts, ends, strict=True))


def _quarters(cells: list[Cell]) -> list[Cell]:
    return [
        (face, 2 * x + (quarter & 1), 2 * y + (quarter >> 1), 4 * number + quarter) for face, x, y, number in cells for quarter in range(4)
    ]


def _sorted_out(position: Position, cells: list[Cell], order: int, whole: list[Range]) -> list[Cell]:
    """The cells on the rim; those inside go to `whole`."""
    rim = []
    radius, shift = RADII[order], 2 * (MAX_ORDER - order)
    for cell in cells:
        where = position(center(cell[0], cell[1], cell[2], order), radius)
        if where == 0:
            rim.append(cell)
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

    def position(point: Vector, disc: float) -> int:
        bounds = limits.get(disc)
        if bounds is None:
            outer = 4.0 * sin(min(radius + disc, pi) / 2) ** 2 if radius + disc < pi else 5.0
            inner = 4.0 * sin((radius - disc) / 2) ** 2 if radius > disc else -1.0
            bounds = limits[disc] = (outer, inner)
        x, y, z = point
        square = (x - a) * (x - a) + (y - b) * (y - b) + (z - c) * (z - c)
        return -1 if square > bounds[0] else 1 if square <= bounds[1] else 0

    return position


def _normal(sums: Sequence[float]) -> Vector | None:
    length = sum(part * part for part in sums) ** 0.5
    return None if length < 1e-6 else (sums[0] / length, sums[1] / length, sums[2] / length)


def _chord(one: Vector, other: Vector) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _angle(square: float) -> float:
    """The angle (radians) of a squared chord."""
    return 2 * asin(min(1.0, (square / 4.0) ** 0.5))
