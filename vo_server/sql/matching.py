"""SQL texts of the sky index for matches of two tables by the keys of ``sky.match``.

A match is an equality of keys (or, equally, of key and range of cells), so that PostgreSQL can hash, merge or look up. One of the
two tables is replaced by :func:`keyed`: its rows once for their own key, and, the few that stand near an edge of their cell, once for each
neighbour. A pair of rows has at most one key in common, so no pair is found twice.
"""

from collections.abc import Sequence

from vo_server.sky.match import MatchOrders


def own_key(cell: str, orders: MatchOrders) -> str:
    """The key of the table that is not keyed."""
    return f"({cell} >> {orders.shift})"


def key_range(cell: str, key: str, orders: MatchOrders) -> str:
    """The condition that `cell` has this key, written so that an index on `cell` finds it."""
    return f"{cell} BETWEEN {key} << {orders.shift} AND ({key} << {orders.shift}) | {(1 << orders.shift) - 1}"


def keyed(table: str, columns: Sequence[str], cell: str, key: str, orders: MatchOrders) -> str:
    """A subquery: `columns` (quoted) of `table`, and for each key of its rows a row with it as `key`."""
    listed = ", ".join(f"x.{column}" for column in columns)
    place = f"x.{cell}"
    return (
        f"(SELECT {listed}, {own_key(place, orders)} AS {key} FROM {table} AS x WHERE {place} IS NOT NULL"  # noqa: S608 - made of quoted names and integers
        f" UNION ALL SELECT {listed}, n.key FROM {table} AS x, unnest({neighbour_keys(place, orders)}) AS n (key)"
        f" WHERE {near_edge(place, orders)} AND n.key IS NOT NULL)"
    )


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
