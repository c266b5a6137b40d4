"""Nearest neighbours without a radius: TOP … ORDER BY DISTANCE(…) looks up rings of the sky, from the inside out (docs/explanation/sky.md).

The SELECT is asked of one ring after the other, each twice as wide as all before, and no further than its limit wants. Rings share no
position, the last has all that is left (also rows without a position), and each gives its rows in order: so the whole is what sorting all
rows by the distance would give.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import asin, degrees, sqrt

from vo_server.adql import resolved
from vo_server.adql.functions import PREDICATES
from vo_server.adql.grouping import find_aggregate, has_window
from vo_server.sky.match import MatchOrders, match_orders
from vo_server.sql.expressions import Renderer, oriented
from vo_server.sql.geometry import ends_of_distance
from vo_server.sql.joins import by_rows
from vo_server.sql.literals import plain
from vo_server.sql.positions import rows_of
from vo_server.sql.shapes import Point

WORTH = 20
"""Where more than one row in so many is wanted, sorting all is as quick."""
EXPECTED = 2
"""How many times the rows wanted the first ring would hold, were the table's rows spread evenly."""
MOST = 0.02
"""Of the sky: the first ring is no larger, so that cells hold it."""
SMALLEST = 1e-4
"""Degrees: the first ring is no smaller."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """What is ordered by its distance: rows of ``host``, from a position that is known before them.

    ``cells`` is the SQL of the host's cells, ``center`` that of the position's cell, ``distance`` that of the distance. ``rings`` are the
    degrees at which each ends, and the orders of the cells that hold its cone.
    """

    host: resolved.TableSource
    cells: str
    center: str
    distance: str
    rings: tuple[tuple[float, MatchOrders], ...]

    @property
    def rows(self) -> str:
        """The rows of the host in the ring at hand, in place of the table: those that the index finds in its cone, or all that are left."""
        alias, table = self.host.alias, f"{self.host.table.physical} AS {self.host.alias}"
        ring = (
            f"SELECT {alias}.* FROM vo.cells_near({self.center}, ring.cell, ring.strip) AS k (low, high) CROSS JOIN {table}"  # noqa: S608 - made of quoted names and numbers
            f" WHERE {self.cells} BETWEEN k.low AND k.high AND {self.distance} > ring.beyond AND {self.distance} <= ring.radius"
        )
        rest = (
            f"SELECT {alias}.* FROM {table}"  # noqa: S608 - as above
            f" WHERE ring.radius IS NULL AND ({self.cells} IS NULL OR ({self.distance} <= ring.beyond) IS NOT TRUE)"
        )
        return f"LATERAL ({ring} UNION ALL {rest}) AS {alias}"

    def ring_by_ring(self, select: str) -> str:
        """A SELECT (ordered, with its limit) of `rows`, asked of each ring in turn as long as rows are wanted."""
        ends = ",".join(plain(radius) for radius, _ in self.rings)
        cells, strips = (",".join(map(str, orders)) for orders in zip(*((ring.cell, ring.strip) for _, ring in self.rings), strict=True))
        columns = f"'{{-1,{ends}}}'::float8[], '{{{ends}}}'::float8[], '{{{cells}}}'::integer[], '{{{strips}}}'::integer[]"
        rings = f"unnest({columns}) WITH ORDINALITY AS ring (beyond, radius, cell, strip, step)"
        return f"SELECT found.* FROM {rings} CROSS JOIN LATERAL ({select}) AS found ORDER BY ring.step"  # noqa: S608 - as above


def nearest_of(renderer: Renderer, query: resolved.Query, most: int | None) -> Nearest | None:
    """How to find the first `most` rows of a query by their distances; None where it orders by something else, or sorting does."""
    call = _first_key(query)
    body = query.body
    if call is None or not isinstance(body, resolved.Select) or most is None or _is_of_all_rows(body):
        return None
    pair = ends_of_distance(renderer, call)
    hosts = {source for table in body.tables for source in _always_there(table)} - by_rows(renderer, body)
    before: set[resolved.Source] = set()
    for source in _sources(body):
        for place, center in (pair, pair[::-1]):
            if source in hosts and place.source is source and _is_known(center, body, before):
                return _nearest(renderer, body, call, place, center, most + (query.offset or 0))
        before.add(source)
    return None


def _nearest(renderer: Renderer, select: resolved.Select, call: resolved.Call, place: Point, center: Point, wanted: int) -> Nearest | None:
    """The rings, if an index knows the place and nothing else does: a region or radius to look in, or an equality of the two tables."""
    host = place.source
    if not isinstance(host, resolved.TableSource) or place.cell is None:
        return None
    beside = center.source if center.source in _sources(select) else None
    if any(_tells(condition, host, beside) for condition in _conditions(select)):
        return None
    pairs = rows_of(host) * (rows_of(beside) if beside is not None else 1)
    if wanted * WORTH > pairs:
        return None
    cell = center.cell or f"vo.healpix({center.ra}, {center.dec})"
    first = max(SMALLEST, degrees(2 * asin(sqrt(min(MOST, EXPECTED * wanted / pairs)))))
    return Nearest(host, place.cell, cell, renderer.value(call), tuple(_rings(float(f"{first:.3g}"), rows_of(host))))


def _rings(radius: float, rows: int) -> Iterator[tuple[float, MatchOrders]]:
    """Rings around a position in a table of `rows` rows, each twice as wide, as far as cells help."""
    while orders := match_orders(radius, rows):
        yield radius, orders
        radius *= 2


def _first_key(query: resolved.Query) -> resolved.Call | None:
    """The DISTANCE by which a query orders first, ascending."""
    if not query.order or query.order[0][1] or not isinstance(query.body, resolved.Select):
        return None
    key = query.order[0][0]
    value = query.body.outputs[key - 1].value if isinstance(key, int) else key
    return value if isinstance(value, resolved.Call) and value.function.name == "DISTANCE" else None


def _is_of_all_rows(select: resolved.Select) -> bool:
    """Whether a SELECT must see all rows before it has its first."""
    return (
        select.distinct
        or bool(select.group)
        or select.having is not None
        or any(find_aggregate(output.value) or has_window(output.value) for output in select.outputs)
    )


def _is_known(center: Point, select: resolved.Select, before: set[resolved.Source]) -> bool:
    """Whether a position is the same for all rows of the tables that do not stand `before`, and short to write."""
    return center.cheap and (center.source is None or center.source in before or center.source not in _sources(select))


def _sources(select: resolved.Select) -> list[resolved.Source]:
    return [source for table in select.tables for source in resolved.sources(table)]


def _always_there(table: resolved.From) -> Iterator[resolved.Source]:
    """The tables whose rows a join never leaves out for others: of what may be missing, each ring would miss most."""
    if not isinstance(table, resolved.JoinSource):
        yield table
    elif table.kind != "FULL":
        yield from _always_there(table.left)
        yield from _always_there(table.right) if table.kind != "LEFT" else ()


def _conditions(select: resolved.Select) -> Iterator[resolved.Condition]:
    joins = (join for table in select.tables for join in resolved.joins(table))
    for condition in (*(join.on for join in joins), select.where):
        yield from resolved.conjuncts(condition)


def _tells(condition: resolved.Condition, host: resolved.Source, beside: resolved.Source | None) -> bool:
    """Whether a condition finds the rows of the host by other means: where they are, or what of the table `beside` they equal."""
    if not isinstance(condition, resolved.Comparison) or host not in (told := set(resolved.references(condition))):
        return False
    value = oriented(condition)[0]
    spatial = isinstance(value, resolved.Call) and value.function.name in (*PREDICATES, "DISTANCE")
    return spatial or (condition.sign == "=" and beside in told)
