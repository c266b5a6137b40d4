"""Matches of two tables by position: which is given keys, and what joins them (ADQL 2.1 §4.2.7, §4.2.9; docs/explanation/sky.md).

Beside one table (the host) of a match stands a LATERAL list of keys, or of ranges of cells; a condition beside the exact test says that the
other table's cell is among them. Each pair has one key in common, so a pair that passes comes once, and a row that the keys repeated
without need fails the condition. That is right wherever every repeated row meets the condition: in WHERE, in the ON of an inner join, and
in that of an outer join if the host is on the side that may be missing.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

from vo_server.adql import resolved
from vo_server.adql.positions import has_row_numbers
from vo_server.sky.match import MatchOrders, match_orders, range_orders
from vo_server.sql.expressions import Renderer, oriented
from vo_server.sql.geometry import Near, near
from vo_server.sql.matching import HIGH, KEY, LOW, key_range, keys_beside, once, own_key, with_keys, with_ranges
from vo_server.sql.positions import KEPT_PART, has_column, restricted_by, rows_of
from vo_server.sql.shapes import Point

FEW_PART = 4
"""Where fewer pairs are asked for than this part of a table's rows, looking up is better than hashing all.

PostgreSQL expects far too many pairs, and with a limit might compare each row with each until it has as many."""
SMALL_PART = 17
"""A table this many times smaller than the other is better looked up, key by key."""


Within = Callable[[str], str]
"""Makes of a table (in FROM) a subquery that brings along its keys, which takes half the time of a row source beside it."""


@dataclass(frozen=True, slots=True)
class Joins:
    """What matches add to a SELECT: row sources beside a table, and conditions to the ON of a join, or (None) to WHERE."""

    beside: Mapping[resolved.Source, list[str]]
    within: Mapping[resolved.Source, Within]
    conditions: Mapping[resolved.JoinSource | None, list[str]]
    correlated: bool = False
    """Whether a table of an outer query takes part."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A pair of positions, and the join in whose ON it stands; None for WHERE."""

    near: Near
    join: resolved.JoinSource | None


@dataclass(frozen=True, slots=True)
class _Choice:
    """A table that has keys, and the condition on them. The keys are a row source ``beside`` it, whose alias is open in both texts, or
    ``within`` it.
    """

    host: resolved.Source
    condition: str
    beside: str = ""
    within: Within | None = None


def joins_of(renderer: Renderer, select: resolved.Select, most: int | None, busy: Container[resolved.Source] = ()) -> Joins:
    """The matches of a SELECT of which at most `most` rows are wanted. Tables that are `busy` have other row sources beside them."""
    pairs = list(_pairs(renderer, select))
    if not pairs:
        return NONE
    chooser = _chooser(select, most, busy)
    beside: dict[resolved.Source, list[str]] = {}
    within: dict[resolved.Source, Within] = {}
    conditions: dict[resolved.JoinSource | None, list[str]] = {}
    met: set[frozenset[resolved.Source]] = set()
    for found in pairs:
        sources = frozenset(_ends(found.near))
        choice = _choice(chooser, found) if sources not in met else None
        if choice is None:
            continue
        met.add(sources)
        alias = f"k{len(met)}"
        if choice.within is not None:
            within[choice.host] = choice.within
        else:
            beside.setdefault(choice.host, []).append(choice.beside.format(alias=alias))
        conditions.setdefault(found.join, []).append(choice.condition.format(alias=alias))
    return Joins(beside, within, conditions, any(not sources <= chooser.local for sources in met))


NONE = Joins({}, {}, {})
"""No match."""


def by_rows(renderer: Renderer, select: resolved.Select) -> set[resolved.Source]:
    """The tables of a SELECT whose rows' numbers are needed (see :func:`is_by_rows`), so that no subquery may take their place."""
    joins = (join for table in select.tables for join in resolved.joins(table) if is_by_rows(renderer, join))
    return {source for join in joins for source in resolved.sources(join)}


def is_by_rows(renderer: Renderer, join: resolved.JoinSource) -> bool:
    """Whether an outer join is made of the pairs that the inner one finds: PostgreSQL would compare each row with each.

    So are full joins without an equality, and left joins by a radius that rows say which may be missing.
    """
    if not (has_row_numbers(join.left) and has_row_numbers(join.right)):
        return False
    if join.kind == "FULL":
        return not resolved.equates(join.on, join.left, join.right)
    radii = (found.near for found in _pairs_in(renderer, join.on, join)) if join.kind == "LEFT" else ()
    return any(
        pair.radius is None and not (pair.one.computed or pair.other.computed) and set(resolved.references(pair.radii)) == {join.right}
        for pair in radii
    )


@dataclass(frozen=True, slots=True)
class _Chooser:
    """What choices depend on: a SELECT's own tables, those that have conditions of their own or other row sources beside them (``busy``),
    and how many rows are wanted.
    """

    local: frozenset[resolved.Source]
    restricted: frozenset[resolved.Source]
    busy: Container[resolved.Source]
    most: int | None

    def brings_keys(self, source: resolved.Source) -> bool:
        """Whether a table may bring its keys along. A third table might be joined to it first, which a query around it would not allow."""
        return len(self.local) == 2 and isinstance(source, resolved.TableSource) and source not in self.busy

    def rows(self, source: resolved.Source) -> int:
        """About how many rows of a table take part."""
        return max(1, rows_of(source) // (KEPT_PART if source in self.restricted else 1))

    def looked_up(self, small: Point, large: Point) -> bool:
        """Whether to look up the keys of one table in the index of the other."""
        few = self.most is not None and self.most < rows_of(_source(large)) / FEW_PART
        return _has_index(large) and (few or self.rows(_source(small)) < self.rows(_source(large)) / SMALL_PART)


def _chooser(select: resolved.Select, most: int | None, busy: Container[resolved.Source]) -> _Chooser:
    local = frozenset(source for table in select.tables for source in resolved.sources(table))
    return _Chooser(local, restricted_by(resolved.conjuncts(select.where)), busy, most)


def _choice(chooser: _Chooser, found: _Found) -> _Choice | None:
    """How a match is made; None where its condition must do alone."""
    pair, join = found.near, found.join
    if not set(_ends(pair)) <= chooser.local:
        return _correlated(chooser, pair) if join is None else None
    if join is None or join.kind == "INNER":
        return _inner(chooser, pair)
    left, right = set(resolved.sources(join.left)), set(resolved.sources(join.right))
    one, other = (pair.one, pair.other) if pair.one.source in left else (pair.other, pair.one)
    if one.source not in left or other.source not in right:
        return None
    return _left(chooser, pair, one, other, join) if join.kind == "LEFT" else None


def _inner(chooser: _Chooser, pair: Near) -> _Choice | None:
    if pair.radius is None:
        return _by_radius(pair)
    small, large = sorted((pair.one, pair.other), key=lambda point: chooser.rows(_source(point)))
    for keyed, other in ((small, large), (large, small)):
        if chooser.looked_up(keyed, other):
            return _keyed(chooser, pair, _source(keyed), keyed, other, by_index=True)
    return _keyed(chooser, pair, _source(small), small, large, by_index=False)


def _left(chooser: _Chooser, pair: Near, one: Point, other: Point, join: resolved.JoinSource) -> _Choice | None:
    """`other` may be missing: it is the host, also of the keys of `one`."""
    if pair.radius is None:
        return _by_radius(pair, other) if join.right is other.source else None
    if join.right is other.source and chooser.looked_up(one, other):
        return _keyed(chooser, pair, _source(other), one, other, by_index=True)
    return _keyed(chooser, pair, _source(other), other, one, by_index=False)


def _correlated(chooser: _Chooser, pair: Near) -> _Choice | None:
    """A row of an outer query has the keys, a published table here is looked up."""
    inside, outside = (pair.one, pair.other) if pair.one.source in chooser.local else (pair.other, pair.one)
    if not isinstance(inside.source, resolved.TableSource) or inside.computed or inside.source not in chooser.local or pair.radius is None:
        return None
    return _keyed(chooser, pair, inside.source, outside, inside, by_index=True)


def _by_radius(pair: Near, missing: Point | None = None) -> _Choice | None:
    """A radius that the rows of one table say: their cones are looked up in the index of the other, whose rows are many, and which is the
    host if its rows may be `missing`.
    """
    told = set(resolved.references(pair.radii))
    one, other = (pair.one, pair.other) if told == {pair.one.source} else (pair.other, pair.one)
    if told != {one.source} or one is missing or other.computed:
        return None
    keys = f"vo.cone_ranges({one.cell}, {pair.radius_sql}) AS {{alias}} (low, high)"
    return _Choice(_source(missing or one), f"{other.cell} BETWEEN {{alias}}.low AND {{alias}}.high", keys)


def _keyed(chooser: _Chooser, pair: Near, host: resolved.Source, small: Point, large: Point, *, by_index: bool) -> _Choice | None:
    """The keys of `small` beside `host`, or within it, met by the cells of `large`."""
    rows = rows_of(_source(large))
    orders = match_orders(pair.radius, rows) if pair.radius is not None and pair.radius >= 0 else None
    if orders is None or small.cell is None or large.cell is None:
        return None
    within = host is small.source and chooser.brings_keys(host)
    if within and by_index and (has_column(host) or small.computed):
        ranges = _within(with_ranges, small, host, range_orders(orders.strip, rows))
        return _Choice(host, f"{large.cell} BETWEEN {host.alias}.{LOW} AND {host.alias}.{HIGH}", within=ranges)
    key = f"{host.alias}.{KEY}" if within else "{alias}.key"
    met = key_range(large.cell, key, orders) if by_index else f"{own_key(large.cell, orders)} = {key}"
    if within:
        return _Choice(host, met, within=_within(with_keys, small, host, orders))
    return _Choice(host, met, f"{keys_beside(small.cell, orders, computed=small.computed)} AS {{alias}} (key)")


def _within(make: Callable[[str, str, str, MatchOrders], str], small: Point, host: resolved.Source, orders: MatchOrders) -> Within:
    """What makes of the table `host` a subquery with the keys of `small`, a position of its rows."""

    def subquery(table: str) -> str:
        cell = small.cell or ""
        table, cell = once(table, host.alias, cell) if small.computed else (table, cell)
        return make(table, host.alias, cell, orders)

    return subquery


def is_order(condition: resolved.Condition) -> bool:
    """Whether a condition says which of two tables has the larger value, as ``a.id < b.id`` does where each pair is to come once."""
    if not isinstance(condition, resolved.Comparison) or condition.sign in ("=", "<>"):
        return False
    sides = [set(resolved.references(side)) for side in (condition.left, condition.right)]
    return all(len(side) == 1 for side in sides) and sides[0] != sides[1]


def _has_index(point: Point) -> bool:
    """Whether PostgreSQL can use an index of the cells of a position."""
    return not point.computed and _is_table(point.source)


def _is_table(source: resolved.Source | None) -> bool:
    """Whether this is a table with an index of cells, also through a subquery that PostgreSQL merges into the query around it."""
    if not isinstance(source, resolved.QuerySource):
        return isinstance(source, resolved.TableSource)
    query, body = source.query, source.query.body
    if source.position is None or not isinstance(body, resolved.Select) or body.top is not None or query.order or query.offset:
        return False
    place = body.outputs[int(source.position[0][1:]) - 1].value
    return isinstance(place, resolved.Reference) and _is_table(place.source)


# walking


def _pairs(renderer: Renderer, select: resolved.Select) -> Iterator[_Found]:
    """The pairs in the conditions that rows of joins, and of the whole, must fulfil."""
    for join in (join for table in select.tables for join in resolved.joins(table)):
        yield from _pairs_in(renderer, join.on, join)
    yield from _pairs_in(renderer, select.where, None)


def _pairs_in(renderer: Renderer, condition: resolved.Condition | None, join: resolved.JoinSource | None) -> Iterator[_Found]:
    for part in resolved.conjuncts(condition):
        # rendering a query here as well as in its place would take twice the time at each level
        pair = near(renderer, *oriented(part)) if isinstance(part, resolved.Comparison) and not resolved.holds_query(part) else None
        if pair is not None:
            yield _Found(pair, join)


def _ends(pair: Near) -> tuple[resolved.Source, resolved.Source]:
    return _source(pair.one), _source(pair.other)


def _source(point: Point) -> resolved.Source:
    if point.source is None:
        raise ValueError("a position of a match is of a table")
    return point.source
