"""Matches of positions within a radius, as equality of HEALPix cells (the sky as integers; SQL-free numerics).

A match needs no circle: take cells of one order ``cell``; two positions closer than the radius lie in the same cell, or in cells that
touch. A position needs its neighbours only if it stands near its cell's edge, and the low bits of its order-29 number say so: cells of
a finer order ``strip``, each at least as wide as the radius, line the edge, and standing in that lining means that all bits of one
coordinate between the two orders are 0 (low edge) or 1 (high edge). So each position has one to four keys:

    its own cell │ the neighbour across x │ the neighbour across y │ the one across the corner

where x and y are the interleaved coordinates of the NESTED numbering (even and odd bits), inside twelve base cells. Inside a base cell a
neighbour is bit arithmetic; across its rim ``vo.neighbours_near`` knows which base cell comes next, and at the two polar caps x and y
change places.
"""

from dataclasses import dataclass
from math import floor, log2, radians

from vo_server.sky.cells import ORDER

X_BITS = 0x0555555555555555
"""The x bits of 30 interleaved pairs; a cell number of order n uses the lowest n pairs."""

SMALLEST = 1e-8
"""Degrees: a smaller radius is matched as this one, for rounding of positions."""
CELL_WIDTH = 0.68
"""No path across a cell of order n, from an edge to the opposite one, is shorter than this over 2ⁿ (radians).

The narrowest cells of deep orders are 0.689/2ⁿ wide; the tests show that 0.72 misses pairs."""

PAIR_COST = 0.3
PROBE_COST = 2.0
"""What testing a candidate pair and looking up one more key cost (in µs; only their ratio counts)."""
CROWDING = 3.0
"""How much denser than on average the sky is where its sources are."""


@dataclass(frozen=True)
class MatchOrders:
    """Orders of a match: ``cell``, whose cells are compared, and the finer ``strip``, whose cells are as wide as the radius at least."""

    cell: int
    strip: int

    @property
    def shift(self) -> int:
        """Bits that an order-29 number loses to become a key."""
        return 2 * (ORDER - self.cell)

    @property
    def x_edge(self) -> int:
        """The x bits of an order-29 number that are all 0 or all 1 near an x edge of its cell."""
        return _pairs(self.shift) & ~_pairs(2 * (ORDER - self.strip))

    @property
    def x_rim(self) -> int:
        """The x bits of an order-29 number that are all 0 or all 1 near an x side of its base cell."""
        return _pairs(2 * ORDER) & ~_pairs(2 * (ORDER - self.strip))

    @property
    def x_key(self) -> int:
        """The x bits of a key."""
        return _pairs(2 * self.cell)


def _pairs(bits: int) -> int:
    """The x bits among the lowest `bits` bits (an even number)."""
    return X_BITS & ((1 << bits) - 1)


def strip_order(radius: float) -> int:
    """The deepest order whose cells are nowhere narrower than `radius` (degrees); 0 or below where it is too large for a match by cells."""
    return min(ORDER, floor(log2(CELL_WIDTH / radians(max(radius, SMALLEST)))))


def match_orders(radius: float, rows: int) -> MatchOrders | None:
    """The cheapest orders for matches within `radius` (degrees) against a table of `rows` rows; None where only testing all pairs remains.

    Small cells hold few false candidates, large ones have few positions near their edges: the sum of both costs decides.
    """
    strip = strip_order(radius)
    if strip < 1:
        return None

    def cost(cell: int) -> float:
        pairs, neighbours = CROWDING * rows / (12 << 2 * cell), 4 / (1 << strip - cell)
        return PAIR_COST * pairs + PROBE_COST * neighbours

    return MatchOrders(min(range(strip), key=cost), strip)


def range_orders(strip: int, rows: int) -> MatchOrders:
    """The cheapest orders where each position looks up the cells close around it, those of its own cell in one range.

    In NESTED order the cells around a position near an edge of cells of some order make a range about as long as such a cell. With each
    coarser order this is half as likely, and costs four times the rows; with a neighbour it is the same. Ten times the cells cover both.
    """
    crowd = CROWDING * rows / (12 << 2 * strip)

    def cost(cell: int) -> float:
        across = 1 << strip - cell
        return PAIR_COST * 10 * crowd * across + PROBE_COST * 4 / across

    return MatchOrders(min(range(strip), key=cost), strip)
