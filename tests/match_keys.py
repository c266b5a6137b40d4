"""The keys of a match (``vo_server.sky.match``) in NumPy: what its SQL and ``vo.neighbours_near`` are held against."""

import numpy as np
from numpy.typing import NDArray

from vo_server.sky.match import X_BITS, MatchOrders

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


def match_keys(cells: Cells, orders: MatchOrders) -> Cells:
    """The keys of order-29 `cells` (n): an (n, 4) array of own cell, x neighbour, y neighbour, corner neighbour; -1 where not needed.

    Whatever lies within the radius of a position of such a cell has one of these as its own cell at order ``orders.cell``.
    Cells of -1 (no position) have no key.
    """
    own = cells >> orders.shift
    x_side = _side(cells, orders.x_edge, X_LOW)
    y_side = _side(cells, orders.x_edge << 1, Y_LOW)
    keys = np.stack([own, step_keys(own, x_side, orders), step_keys(own, y_side, orders), corner_keys(own, x_side, y_side, orders)], axis=1)
    keys[cells < 0] = -1
    return keys


def _side(cells: Cells, mask: int, low: int) -> Cells:
    """Which side (``low`` or ``low + 1``) the cells stand near; -1 for neither."""
    bits = cells & mask
    return np.where(bits == 0, low, np.where(bits == mask, low + 1, -1))


def step_keys(keys: Cells, sides: Cells, orders: MatchOrders) -> Cells:
    """The neighbour of each key across its side; -1 where the side is -1."""
    high, base = sides % 2 == 1, keys >> 2 * orders.cell
    mask = _coordinate(sides, orders)
    # borrow and carry run through the bits of one coordinate: those between are cleared, or set, on their way
    moved = np.where(high, (keys | ~mask) + 1, (keys & mask) - 1) & mask | keys & ~mask
    at_cap = np.where(high, base < 4, base >= 8)
    across = np.where(at_cap, _exchange(keys), moved) & ((1 << 2 * orders.cell) - 1)
    beyond = ACROSS[base, sides] << 2 * orders.cell | across
    return np.where(sides < 0, -1, np.where(_at_rim(keys, sides, orders), beyond, moved))


def corner_keys(own: Cells, x_side: Cells, y_side: Cells, orders: MatchOrders) -> Cells:
    """The neighbour across both sides; -1 where a side is -1 or only three cells meet."""
    x_rim, y_rim = _at_rim(own, x_side, orders), _at_rim(own, y_side, orders)
    # first the step inside the base cell: beyond its rim the sides may have other names
    first, second = np.where(x_rim, y_side, x_side), np.where(x_rim, x_side, y_side)
    keys = np.where(x_rim & y_rim, _base_corner(own, x_side, y_side, orders), step_keys(step_keys(own, first, orders), second, orders))
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
