"""The footprints of rows as SQL: found by an index, told apart by their caps, compared by their cells.

Each row has its shape, its cells in a table beside it, an index on the box around its shape (``vo.shape_bounds``) and a cap
(``vo.shape_cap``): of the footprints near a region nearly all are known to meet it, or not, by a few multiplications.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from vo_server.adql import resolved
from vo_server.model.catalogue import Footprint
from vo_server.sky.extents import Box, Extent
from vo_server.sky.healpix import Vector
from vo_server.sky.ranges import MANY, SKY, Range, merge
from vo_server.sql.literals import plain, quote_identifier

SMALL_PART = 0.05
"""Of the sky: what lies in a smaller region is gathered before it is tested."""
LOOSE = 0.2
"""The part of its box that a region fills at least, if boxes shall find what lies near it; cells do for others, such as long strips."""
ROUNDING = 2e-15
"""Of a scalar product of unit vectors and what it is compared with."""
VERTICES = 4
"""So many vertices a cap has at most, behind its five numbers."""
OPPOSITE_VERTICES = (0, 2)
"""Of a cap: two far from each other. More cost PostgreSQL more to plan than the exact tests that they spare."""


@dataclass(frozen=True, slots=True)
class Region:
    """The footprint of a row, whose cells lie in a table beside it; ``is_moc``: it has no shape, and is what its cells say."""

    source: resolved.TableSource
    footprint: Footprint
    ranges: None = None
    extent: None = None

    @property
    def sql(self) -> str:
        """The hidden shape."""
        return "NULL::float8[]" if self.footprint.shape is None else self._column(self.footprint.shape)

    @property
    def words(self) -> str:
        """The column itself."""
        return self._column(self.footprint.column)

    @property
    def is_moc(self) -> bool:
        """Whether the column is a MOC."""
        return self.footprint.shape is None

    def near(self, extent: Extent, ranges: Callable[[], Sequence[Range]]) -> str:
        """What is true of all footprints that meet a region, and of few others; `ranges` computes the region's cells."""
        is_boxed = self.footprint.cap is not None and extent.fill >= LOOSE
        found = self._overlaps(extent.boxes) if is_boxed else self.cells(merge(ranges(), MANY))
        if self.footprint.cap is None or extent.radius > pi / 2:
            return found
        cap = self._column(self.footprint.cap)
        limit = f"{cap}[4] * {plain(cos(extent.radius))} - {cap}[5] * {plain(sin(extent.radius))} - {ROUNDING!r}"
        return f"{found} AND ({self._product(1, extent.middle)} >= {limit}) IS NOT FALSE"

    def surely_meets(self, middle: Vector, radius: float) -> str | None:
        """What proves that it meets a circle (radius in radians) at a hundredth of the exact test's cost: one of its vertices, or its
        centre, lies inside.
        """
        if self.footprint.cap is None:
            return None
        limit = plain(cos(radius) + ROUNDING)
        return f"({' OR '.join(f'{self._product(6 + 3 * vertex, middle)} >= {limit}' for vertex in range(VERTICES))}) IS TRUE"

    def surely_reaches_into(self, half_spaces: Sequence[Vector]) -> str | None:
        """What proves that it meets a convex polygon, given the inward normals of its edges: one of two of its vertices lies inside."""
        if self.footprint.cap is None:
            return None
        inside = (
            " AND ".join(f"{self._product(6 + 3 * vertex, normal)} >= {ROUNDING!r}" for normal in half_spaces)
            for vertex in OPPOSITE_VERTICES
        )
        return f"({' OR '.join(inside)}) IS TRUE"

    def cells(self, ranges: Sequence[Range]) -> str:
        """The rows whose footprint has a cell in `ranges`, by the side table's index.

        Those of a small region are gathered first, as an array, and then looked up by their key: PostgreSQL, which cannot know how few
        they are, would test the shapes of all rows otherwise. For a large region it may choose.
        """
        key = quote_identifier(self.footprint.key)
        spans = ",".join(f"[{low},{high}]" for low, high in ranges)
        meets = f"int8range(k.lo, k.hi, '[]') && '{{{spans}}}'::int8multirange"
        found = f"SELECT k.{key} FROM {self.footprint.cells} AS k WHERE {meets}"  # noqa: S608 - names are quoted, the rest are integers
        is_small = sum(high - low + 1 for low, high in ranges) < SMALL_PART * SKY[1]
        return f"{self.source.alias}.{key} {f'= ANY (ARRAY({found}))' if is_small else f'IN ({found})'}"

    def holds(self, cell: str) -> str:
        """Whether the cell of order 29 (SQL) is one of the row's."""
        return f"EXISTS (SELECT FROM {self._own_cells} AND {cell} BETWEEN k.lo AND k.hi)"

    def covers(self, ranges: Sequence[Range]) -> str:
        """Whether all cells of `ranges`, which are disjoint, are the row's."""
        return f"{self._shared(ranges)} = {sum(high - low + 1 for low, high in ranges)}"

    def lies_in(self, ranges: Sequence[Range]) -> str:
        """Whether all cells of the row are in `ranges`, which are disjoint."""
        return f"{self._shared(ranges)} = (SELECT sum(k.hi - k.lo + 1) FROM {self._own_cells})"  # noqa: S608 - as above

    def _shared(self, ranges: Sequence[Range]) -> str:
        """The number of cells that a row has in common with `ranges`."""
        lows, highs = (",".join(str(end[side]) for end in ranges) for side in (0, 1))
        given = f"unnest('{{{lows}}}'::int8[], '{{{highs}}}'::int8[]) AS r (lo, hi)"
        common = "coalesce(sum(least(k.hi, r.hi) - greatest(k.lo, r.lo) + 1), 0)"
        return f"(SELECT {common} FROM {given}, {self._own_cells} AND k.lo <= r.hi AND k.hi >= r.lo)"  # noqa: S608 - as above

    def _overlaps(self, boxes: Sequence[Box]) -> str:
        tests = [f"vo.shape_bounds({self.sql}) && '({west!r},{south!r}),({east!r},{north!r})'::box" for west, south, east, north in boxes]
        return f"({' OR '.join(tests)})" if len(tests) > 1 else tests[0]

    def _product(self, first: int, other: Vector) -> str:
        """The scalar product of a constant and the vector in the cap that begins with that number."""
        cap = self._column(self.footprint.cap or "")
        return " + ".join(f"{cap}[{first + axis}] * {plain(part)}" for axis, part in enumerate(other))

    @property
    def _own_cells(self) -> str:
        key = quote_identifier(self.footprint.key)
        return f"{self.footprint.cells} AS k WHERE k.{key} = {self._column(self.footprint.key)}"

    def _column(self, name: str) -> str:
        return f"{self.source.alias}.{quote_identifier(name)}"
