"""Matches of positions within a radius, as equality of HEALPix cells (the sky as integers; SQL-free numerics).

A match needs no circle: take cells of one order ``cell``; two positions closer than the radius lie in the same cell, or in cells that
touch. A position needs its neighbours only if it stands near its cell's edge, and the low bits of its order-29 number say so: cells of
a finer order ``strip``, each at least as wide as the radius, line the edge, and standing in that lining means that all bits of one
coordinate between the two orders are 0 (low edge) or 1 (high edge). So each position has one to four keys:

    its own cell │ the neighbour across x │ the neighbour across y │ the one across the corner

where x and y are the interleaved coordinates of the NESTED numbering (even and odd bits), inside twelve base cells. Inside a base cell a
neighbour is bit arithmetic; across its rim the table :data:`ACROSS` says which base cell comes next, and at the two polar caps x and y
change places.
"""

from dataclasses import dataclass
from math import floor, log2, radians

import numpy as np
from numpy.typing import NDArray

from vo_server.sky.cells import ORDER

X_BITS = 0x0555555555555555
"""The x bits of 30 interleaved pairs; a cell number of order n uses the lowest n pairs."""

SMALLEST = 1e-8
"""Degrees: a smaller radius is matched as this one, for rounding of positions."""
CELL_WIDTH = 0.68
"""No path across a cell of order n, from an edge to the opposite one, is shorter than this over 2ⁿ (radians).

The narrowest cells of deep orders are 0.689/2ⁿ wide; the tests show that 0.70 misses pairs."""

PAIR_COST = 0.3
PROBE_COST = 2.0
"""What testing a candidate pair and looking up one more key cost (in µs; only their ratio counts)."""
CROWDING = 3.0
"""How much denser than on average the sky is where its sources are."""

ACROSS = np.array(
    [[4 + i, (i + 1) % 4, 4 + (i + 1) % 4, (i + 3) % 4] for i in range(4)]
    + [[8 + (i + 3) % 4, i, 8 + i, (i + 3) % 4] for i in range(4)]
    + [[8 + (i + 3) % 4, 4 + (i + 1) % 4, 8 + (i + 1) % 4, 4 + i] for i in range(4)],
    dtype=np.int64,
)
"""The base cell across each side of a base cell: x low, x high, y low, y high."""
ACROSS_CORNER = np.array(
    [[[8 + i, -1], [-1, (i + 2) % 4]] for i in range(4)]
    + [[[-1, 4 + (i + 3) % 4], [4 + (i + 1) % 4, -1]] for i in range(4)]
    + [[[8 + (i + 2) % 4, -1], [-1, i]] for i in range(4)],
    dtype=np.int64,
)
"""The base cell that touches a base cell at one corner only, by [base cell, x high?, y high?]; -1 where three base cells meet."""
X_LOW, X_HIGH, Y_LOW, Y_HIGH = range(4)

Cells = NDArray[np.int64]
Flags = NDArray[np.bool_]


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


def match_keys(cells: Cells, orders: MatchOrders) -> Cells:
    """The keys of order-29 `cells` (n): an (n, 4) array of own cell, x neighbour, y neighbour, corner neighbour; -1 where not needed.

    Whatever lies within the radius of a position of such a cell has one of these as its own cell at order ``orders.cell``.
    Cells of -1 (no position) have no key.
    """
    own = cells >> orders.shift
    x_side = _side(cells, orders.x_edge, X_LOW)
    y_side = _side(cells, orders.x_edge << 1, Y_LOW)
    keys = np.stack([own, _step(own, x_side, orders), _step(own, y_side, orders), _corner(own, x_side, y_side, orders)], axis=1)
    keys[cells < 0] = -1
    return keys


def _side(cells: Cells, mask: int, low: int) -> Cells:
    """Which side (``low`` or ``low + 1``) the cells stand near; -1 for neither."""
    bits = cells & mask
    return np.where(bits == 0, low, np.where(bits == mask, low + 1, -1))


def _step(keys: Cells, sides: Cells, orders: MatchOrders) -> Cells:
    """The neighbour of each key across its side; -1 where the side is -1."""
    high, base = sides % 2 == 1, keys >> 2 * orders.cell
    mask = _coordinate(sides, orders)
    # borrow and carry run through the bits of one coordinate: those between are cleared, or set, on their way
    moved = np.where(high, (keys | ~mask) + 1, (keys & mask) - 1) & mask | keys & ~mask
    at_cap = np.where(high, base < 4, base >= 8)
    across = np.where(at_cap, _exchange(keys), moved) & ((1 << 2 * orders.cell) - 1)
    beyond = ACROSS[base, sides] << 2 * orders.cell | across
    return np.where(sides < 0, -1, np.where(_at_rim(keys, sides, orders), beyond, moved))


def _corner(own: Cells, x_side: Cells, y_side: Cells, orders: MatchOrders) -> Cells:
    """The neighbour across both sides; -1 where a side is -1 or only three cells meet."""
    x_rim, y_rim = _at_rim(own, x_side, orders), _at_rim(own, y_side, orders)
    # first the step inside the base cell: beyond its rim the sides may have other names
    first, second = np.where(x_rim, y_side, x_side), np.where(x_rim, x_side, y_side)
    keys = np.where(x_rim & y_rim, _base_corner(own, x_side, y_side, orders), _step(_step(own, first, orders), second, orders))
    return np.where((x_side < 0) | (y_side < 0), -1, keys)


def _base_corner(own: Cells, x_side: Cells, y_side: Cells, orders: MatchOrders) -> Cells:
    """The neighbour across a corner of the base cell; -1 where only three base cells meet."""
    base, bits = own >> 2 * orders.cell, (1 << 2 * orders.cell) - 1
    beyond = ACROSS_CORNER[base, x_side % 2, y_side % 2]
    # four base cells meet at a pole, each with its own x = y = high or low corner; elsewhere both coordinates wrap
    at_pole = (beyond // 4 == base // 4) & (base // 4 != 1)
    across = np.where(at_pole, own, ~own) & bits
    return np.where(beyond < 0, -1, beyond << 2 * orders.cell | across)


def _at_rim(keys: Cells, sides: Cells, orders: MatchOrders) -> Flags:
    """Whether the key's side is a side of its base cell."""
    mask = _coordinate(sides, orders)
    rim: Flags = (keys & mask) == np.where(sides % 2 == 1, mask, 0)
    return rim


def _coordinate(sides: Cells, orders: MatchOrders) -> Cells:
    """The bits of a key that say how far it stands from the side."""
    return np.where(sides >= Y_LOW, orders.x_key << 1, orders.x_key)


def _exchange(keys: Cells) -> Cells:
    """The keys with x and y exchanged (their base cell is lost)."""
    return (keys & X_BITS) << 1 | keys >> 1 & X_BITS
