"""Regions as spans of cells, cut to what they cost on a table of known size: how many spans, and which of them need no exact test.

One more range costs PostgreSQL about as much as reading and testing some eighty more rows, or half as many where ranges come as a list. So
cells that hold few rows are not divided, gaps that hold fewer rows than that are closed, and only spans that hold more, and lie wholly
inside, are spared the test.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import dist, pi, radians, sin, sqrt
from typing import NamedTuple

from vo_server.sky.healpix import MAX_ORDER, RADII, Vector, center, vector
from vo_server.sky.outlines import Outline
from vo_server.sky.ranges import BASE_CELLS, PADDING, SKY, Cell, Position, Range, Rim, around, circumscribed

ROWS_PER_RANGE = 80
"""Rows whose reading and testing cost as much as one more range in the text of a query."""
ROWS_PER_SPAN = 40
"""Rows whose reading and testing cost as much as one more row of a list of spans."""
SPLIT_ROWS = 1000
"""Rows in the cone from which sparing the exact test pays for the ranges it takes."""
FINENESS = 0.08
"""Cells are divided until their radius is below this fraction of the region's."""
MOST_CELLS = 200
"""Cells on the rim at most: a bound for the time this takes."""
MOST_EDGES = 2500
"""Edges of a polygon that cells are compared with at most, for the same reason."""


class Span(NamedTuple):
    """Cells from ``low`` to ``high``, both included; ``inside`` if all of them are wholly in the region."""

    low: int
    high: int
    inside: bool


def cone_cover(ra: float, dec: float, radius: float, rows: int) -> list[Span]:
    """The cells of a cone (degrees) for a table of `rows` rows: disjoint spans in order; none for a negative radius."""
    if radius < 0:
        return []
    if radius >= 180:
        return [Span(*SKY, True)]
    middle, size = vector(radians(ra), radians(dec)), radians(radius)
    return region_cover(_cone(middle, size), size, rows, around(middle, size + PADDING))


def polygon_cover(vertices: Sequence[tuple[float, float]], rows: int) -> list[Span]:
    """The cells of a polygon (degrees, counter-clockwise, not degenerate) for a table of `rows` rows: disjoint spans in order."""
    middle, radius = circumscribed(vertices)
    outline = Outline(vertices)

    def position(point: Vector, disc: float, near: object) -> tuple[int, object]:
        return outline.place(point, disc + PADDING, near)  # type: ignore[arg-type]

    start = around(middle, radius) if radius < pi / 2 else (0, BASE_CELLS)
    return region_cover(position, sqrt(outline.area / pi), rows, start)


def region_cover(position: Position, size: float, rows: int, start: tuple[int, list[Cell]] = (0, BASE_CELLS)) -> list[Span]:
    """The cells of a region as large as a cone of `size` radians, of which `position` knows where discs lie: disjoint spans in order.

    `start` is an order and cells of it that together hold the region; `rows` is the size of the whole table. `position` must add to each
    disc what rounding of positions needs, so that no cell is missed and none is called inside that is not.
    """
    few = rows_in_cone(size, rows) < SPLIT_ROWS
    gap = (ROWS_PER_RANGE if few else ROWS_PER_SPAN) * SKY[1] // max(rows, 1)
    whole, rim = _sorted_cells(position, size, gap, start)
    covering = _closed(whole + rim, gap)
    if few:
        return [Span(low, high, False) for low, high in covering]
    return list(_split(covering, [span for span in _closed(whole, 0) if span[1] - span[0] >= gap]))


def rows_in_cone(size: float, rows: int) -> float:
    """Rows in a cone of `size` radians, if the table's `rows` are spread evenly."""
    return rows * sin(min(size, pi) / 2) ** 2


def _sorted_cells(position: Position, size: float, gap: int, start: tuple[int, list[Cell]]) -> tuple[list[Range], list[Range]]:
    """The cells wholly inside a region of about `size` radians, and those on its rim; none is divided below a sixteenth of `gap`."""
    whole: list[Range] = []
    order, cells = start
    rim: Rim = [(cell, None) for cell in cells]
    compared = 0
    while True:
        rim = _on_rim(position, rim, order, whole)
        fine = order == MAX_ORDER or RADII[order] < FINENESS * size or 1 << 2 * (MAX_ORDER - order) < gap // 16
        compared += sum(4 * len(known) for _, known in rim if known is not None)
        if not rim or fine or len(rim) > MOST_CELLS or compared > MOST_EDGES:
            return whole, [_range(cell, order) for cell, _ in rim]
        rim, order = _quarters(rim), order + 1


def _on_rim(position: Position, cells: Rim, order: int, whole: list[Range]) -> Rim:
    """The cells on the rim; those inside go to `whole`."""
    rim: Rim = []
    for cell, known in cells:
        where, more = position(center(cell[0], cell[1], cell[2], order), RADII[order], known)
        if where == 0:
            rim.append((cell, more))
        elif where > 0:
            whole.append(_range(cell, order))
    return rim


def _quarters(rim: Rim) -> Rim:
    return [
        ((face, 2 * x + (quarter & 1), 2 * y + (quarter >> 1), 4 * number + quarter), known)
        for (face, x, y, number), known in rim
        for quarter in range(4)
    ]


def _range(cell: Cell, order: int) -> Range:
    shift = 2 * (MAX_ORDER - order)
    first = ((cell[0] << 2 * order) + cell[3]) << shift
    return first, first + (1 << shift) - 1


def _cone(middle: Vector, radius: float) -> Position:
    """Tells where discs lie relative to a cone (radians); in doubt on its rim."""

    def position(point: Vector, disc: float, _: object) -> tuple[int, None]:
        chord = dist(point, middle)
        if chord > _chord(radius + disc + PADDING):
            return -1, None
        return int(radius > disc + PADDING and chord < _chord(radius - disc - PADDING)), None

    return position


def _chord(angle: float) -> float:
    """The straight line between two points of the unit sphere an angle (radians) apart; beyond every line for more than half a turn."""
    return 2 * sin(angle / 2) if angle < pi else 3.0


def _closed(ranges: list[Range], gap: int) -> list[Range]:
    """Ranges in order, those joined that at most `gap` cells separate."""
    joined: list[Range] = []
    for low, high in sorted(ranges):
        if joined and low - joined[-1][1] - 1 <= gap:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined


def _split(covering: list[Range], inside: list[Range]) -> Iterator[Span]:
    """The covering ranges in order, cut where those inside begin and end."""
    for low, high in covering:
        start = low
        for first, last in inside[bisect_left(inside, (low, low)) : bisect_left(inside, (high + 1, 0))]:
            if first > start:
                yield Span(start, first - 1, False)
            yield Span(first, last, True)
            start = last + 1
        if start <= high:
            yield Span(start, high, False)
