"""SQL texts of the sky index for matches of two tables by the keys of ``sky.match``.

A match is an equality of keys, so that PostgreSQL can hash or merge, or the key is written as a range of cells, to be looked up. A row
has its own key, and, if it stands near an edge of its cell (few do), that of each neighbour. A pair of rows has at most one key in common,
so no pair is found twice.
"""

from vo_server.model.columns import CELL
from vo_server.sky.cells import ORDER
from vo_server.sky.match import MatchOrders

KEY = f"{CELL}_k1"
LOW = f"{CELL}_k1_low"
HIGH = f"{CELL}_k1_high"
"""Columns that stand beside those of a table which is looked up with them, or joined by them."""
BASE = ~((1 << 2 * ORDER) - 1)
"""The bits of an order-29 number that say the base cell, and its sign."""


def own_key(cell: str, orders: MatchOrders) -> str:
    """The key of the table that is not keyed."""
    return f"({cell} >> {orders.shift})"


def key_range(cell: str, key: str, orders: MatchOrders) -> str:
    """The condition that `cell` has this key, written so that an index on `cell` finds it."""
    return f"{cell} BETWEEN {key} << {orders.shift} AND ({key} << {orders.shift}) | {_below(orders.shift)}"


def once(source: str, alias: str, cell: str) -> tuple[str, str]:
    """`source` with a row source beside it in which the SQL of a `cell` that takes its time is computed once a row, and its name there."""
    return f"{source} CROSS JOIN LATERAL (SELECT {cell} AS cell OFFSET 0) AS {alias}_own", f"{alias}_own.cell"


def keys_beside(cell: str, orders: MatchOrders, *, computed: bool) -> str:
    """A row source beside a table: all keys of a row; `computed`: the cell takes its time."""
    if not computed:
        return f"unnest({row_keys(cell, orders)})"
    return f"(SELECT unnest({row_keys('own.cell', orders)}) FROM (SELECT {cell} AS cell OFFSET 0) AS own)"  # noqa: S608 - rendered parts


def with_keys(source: str, alias: str, cell: str, orders: MatchOrders) -> str:
    """A subquery in place of the table `source` (which names it `alias`): its rows once for each of their keys, the column KEY."""
    return f"(SELECT {alias}.*, unnest({row_keys(cell, orders)}) AS {KEY} FROM {source}) AS {alias}"  # noqa: S608 - made of quoted names and integers


def with_ranges(source: str, alias: str, cell: str, orders: MatchOrders) -> str:
    """A subquery in place of the table `source` (which names it `alias`): its rows with a range of cells to look up, columns LOW and HIGH.

    Each row has the part of its own cell that lies around it, and the few near an edge come once more for each neighbour.
    """
    neighbour = f"n.key << {orders.shift}"
    return (
        f"(SELECT {alias}.*, {_around(cell, orders)} FROM {source}"  # noqa: S608 - made of quoted names and integers
        f" UNION ALL SELECT {alias}.*, {neighbour}, ({neighbour}) | {_below(orders.shift)}"
        f" FROM {source}, unnest({neighbour_keys(cell, orders)}) AS n (key) WHERE {near_edge(cell, orders)}) AS {alias}"
    )


def _around(cell: str, orders: MatchOrders) -> str:
    """The first and the last cell that the nine strip cells around a row have in the row's own cell.

    In NESTED order the corner with the lowest x and y comes first, and that with the highest last. A step across the rim of the base cell
    borrows from the number of the base cell, or carries to it: in any case it leaves the own cell, to which both ends are cut.
    """
    x, step = orders.x_rim, 1 << 2 * (ORDER - orders.strip)
    places = [(bits, bits | BASE, stride) for bits, stride in ((x, step), (x << 1, step << 1))]
    low = " + ".join(f"((({cell} & {bits}) - {stride}) & ({carried}))" for bits, carried, stride in places)
    high = " + ".join(f"((({cell} & {bits}) | {~(bits | BASE)}) + 1 & ({carried}))" for bits, carried, stride in places)
    first, last = f"{cell} & {_complement(_below(orders.shift))}", f"{cell} | {_below(orders.shift)}"
    base = f"({cell} & ({BASE}))"
    return f"GREATEST({base} + {low}, {first}) AS {LOW}, LEAST({base} + {high} + {step - 1}, {last}) AS {HIGH}"


def _below(shift: int) -> int:
    """The `shift` lowest bits."""
    return (1 << shift) - 1


def row_keys(cell: str, orders: MatchOrders) -> str:
    """The array of all keys of one row, for a subquery or LATERAL join that looks up what matches it."""
    own = own_key(cell, orders)
    return f"(CASE WHEN {near_edge(cell, orders)} THEN {own} || {neighbour_keys(cell, orders)} ELSE ARRAY[{own}] END)"


def near_edge(cell: str, orders: MatchOrders) -> str:
    """The condition that a row stands so near an edge of its cell that a neighbour may hold what it matches."""
    return _touches(cell, orders.x_edge)


def neighbour_keys(cell: str, orders: MatchOrders) -> str:
    """The array of a row's other keys: bit arithmetic, or near the rim of its base cell (rare) the function that knows the base cells."""
    x = _stepped(cell, orders.x_edge, orders.x_key, orders)
    y = _stepped(cell, orders.x_edge << 1, orders.x_key << 1, orders)
    corner = f"({x} & {orders.x_key}) | ({y} & {_complement(orders.x_key)})"
    near_rim = f"vo.neighbours_near({cell}, {orders.cell}, {orders.strip})"
    return f"CASE WHEN {_touches(cell, orders.x_rim)} THEN {near_rim} ELSE ARRAY[{x}, {y}, {corner}] END"


def _touches(cell: str, x_bits: int) -> str:
    y_bits = x_bits << 1
    return f"({cell} & {x_bits} IN (0, {x_bits}) OR {cell} & {y_bits} IN (0, {y_bits}))"


def _stepped(cell: str, edge: int, mask: int, orders: MatchOrders) -> str:
    """The key one step along one coordinate, across the edge that is near; NULL if neither is."""
    own, others = own_key(cell, orders), _complement(mask)
    lower = f"((({own} & {mask}) - 1) & {mask}) | ({own} & {others})"
    higher = f"((({own} | {others}) + 1) & {mask}) | ({own} & {others})"
    return f"(CASE {cell} & {edge} WHEN 0 THEN {lower} WHEN {edge} THEN {higher} END)"


def _complement(mask: int) -> str:
    """All other bits; in parentheses, for two minus signs in a row would begin a comment."""
    return f"({~mask})"
