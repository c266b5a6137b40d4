"""Tests and functions of geometries → SQL: constant regions become ranges of cells, the exact test stands beside them (ADQL 2.1 §4.2).

A test is written in three ways: with the ranges, for conditions that rows must fulfil; without them; and its opposite, which is false as
well where a position is missing or not a number (PostgreSQL's NaN is greater than everything). A region that holds many rows has spans
besides, which ``sql.regions`` joins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import asin, cos, degrees, pi, radians, sin, sqrt

from vo_server.adql import resolved
from vo_server.adql.constants import known
from vo_server.adql.functions import PREDICATES
from vo_server.adql.types import SHAPES
from vo_server.sky.covers import SPLIT_ROWS, Span, cone_cover, polygon_cover, rows_in_cone
from vo_server.sky.healpix import vector
from vo_server.sky.mocs import SQUARE_DEGREES, moc_area, moc_text
from vo_server.sky.polygons import area, half_spaces
from vo_server.sky.ranges import MANY, SKY, Range, cone_ranges, merge
from vo_server.sql.errors import MisfitError
from vo_server.sql.footprints import Region
from vo_server.sql.literals import number, plain, quote_text
from vo_server.sql.positions import rows_of
from vo_server.sql.shapes import (
    Cells,
    Circle,
    Moc,
    Point,
    Polygon,
    Rows,
    Shape,
    Union,
    ValueRenderer,
    cells_of_row,
    coordinates,
    literal,
    point_of,
    shape_of,
)

_SAME_PLACE = 1e-30
"""Haversine of two spellings of one place: RA 0 and 360 differ by a rounding error."""
HALF_DEGREE = pi / 360
"""Half a degree in radians: haversines take half angles."""
_COSINES = 1.0
"""From this radius on (degrees) cosines are exact enough: a billionth of an arc second."""
_EDGE_DEG = 1e-10
_ON_THE_EDGE = radians(_EDGE_DEG)
"""What lies this near to the edge of a polygon lies on it, as in functions.sql."""
_FEW_EDGES = 12
"""So many half-spaces are tested faster than a function is called."""
_SIX_EDGES = 6
"""Of a polygon whose half-spaces are tested with vertices of footprints: more cost more than the exact tests that they spare."""
_MANY_RANGES = 30
"""Above this number of ranges a MOC is tested as one value, with fewer ranges around it for the index."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A constant region that holds many positions of a table: how to compute its spans. ``cell`` is the SQL of the table's cells."""

    source: resolved.Source
    cell: str
    spans: Callable[[], list[Span]]


@dataclass(frozen=True, slots=True)
class Sets:
    """MOCs that rows of a table (``source``) have, in which positions of another are to lie: SQL of a row's ``cells``, a multirange, and
    of the ``cell`` of a position; ``indexed`` is the table whose index knows it.
    """

    source: resolved.Source
    cells: str
    cell: str
    indexed: resolved.Source | None


@dataclass(frozen=True, slots=True)
class Test:
    """A condition: what is exactly true, its opposite, the ranges (SQL) that can only hold where it is true; if many rows do, its cover.

    Neither is true of a NaN. ``told`` is what is exact as a value: NULL there, if `exact` is false. ``sets``: all is said by these.
    """

    exact: str
    opposite: str
    ranges: str | None = None
    cover: Cover | None = None
    told: str | None = None
    sets: Sets | None = None

    @property
    def value(self) -> str:
        """The condition where its being unknown makes a difference."""
        return self.told or self.exact

    @property
    def indexed(self) -> str:
        """The condition with its ranges in front, where an index helps."""
        return f"{self.ranges} AND {self.exact}" if self.ranges else self.exact


@dataclass(frozen=True, slots=True)
class Near:
    """Two positions of rows of different tables, both with cells, and how far apart they may be: the sum of some values.

    ``radius`` is the sum's value (degrees), or None where rows say it; ``radius_sql`` its SQL.
    """

    one: Point
    other: Point
    radii: tuple[resolved.Value, ...]
    radius: float | None
    radius_sql: str


def near(renderer: ValueRenderer, left: resolved.Value, sign: str, right: resolved.Value) -> Near | None:
    """The match of two tables that a comparison is; None if it is something else, or wants positions far apart."""
    if not isinstance(left, resolved.Call):
        return None
    if left.function.name == "DISTANCE":
        return _matched(renderer, *ends_of_distance(renderer, left), (right,)) if sign in ("<", "<=") else None
    limit = known(right)
    if left.function.name not in PREDICATES or limit is None or _compared(0, sign, limit) or not _compared(1, sign, limit):
        return None
    one, other = (_disc(renderer, argument) for argument in left.arguments)
    if one is None or other is None or (one[1] and left.function.name == "CONTAINS"):
        return None
    return _matched(renderer, one[0], other[0], one[1] + other[1])


def _disc(renderer: ValueRenderer, value: resolved.Value) -> tuple[Point, tuple[resolved.Value, ...]] | None:
    """The centre and the radius of a circle; a position has no radius."""
    if isinstance(value, resolved.Reference) and value.column.xtype == "point":
        return point_of(renderer, value), ()
    if not isinstance(value, resolved.Call) or value.function.name not in ("POINT", "CIRCLE"):
        return None
    shape = shape_of(renderer, value, value.at)
    if isinstance(shape, Circle):
        return shape.center, value.arguments[-1:]
    return (shape, ()) if isinstance(shape, Point) else None


def _matched(renderer: ValueRenderer, one: Point, other: Point, radii: tuple[resolved.Value, ...]) -> Near | None:
    """Two positions as a match, if they are of two tables."""
    first, second = one.located, other.located
    if first is None or second is None or one.source is None or other.source is None or one.source is other.source:
        return None
    sizes = [known(radius) for radius in radii]
    constants = [float(size) for size in sizes if size is not None]
    text = " + ".join(renderer.double(radius) for radius in radii)
    return Near(first, second, radii, sum(constants) if len(constants) == len(sizes) else None, text)


def comparison(render: ValueRenderer, left: resolved.Value, sign: str, right: resolved.Value, opposite: bool) -> str | None:
    """The SQL of a geometrical function compared with a constant, or of the opposite; None if it is something else."""
    limit = known(right)
    if not isinstance(left, resolved.Call) or limit is None:
        return None
    if left.function.name == "DISTANCE":
        test = _limited_distance(render, left, sign, limit)
        return None if test is None else test.indexed if (sign in ("<", "<=")) != opposite else test.opposite
    if left.function.name not in PREDICATES:
        return None
    outcomes = _compared(0, sign, limit) != opposite, _compared(1, sign, limit) != opposite
    test = predicate(render, left)
    if outcomes[0] == outcomes[1]:
        return f"({test.value}) IS NOT NULL" if outcomes[0] else "FALSE"
    return test.indexed if outcomes[1] else test.opposite


def demanded(render: ValueRenderer, left: resolved.Value, sign: str, right: resolved.Value) -> Test | None:
    """The test that must be true wherever a comparison with a constant is; None if there is no such test."""
    limit = known(right)
    if not isinstance(left, resolved.Call) or limit is None:
        return None
    if left.function.name == "DISTANCE":
        return _limited_distance(render, left, sign, limit) if sign in ("<", "<=") else None
    if left.function.name not in PREDICATES or _compared(0, sign, limit) or not _compared(1, sign, limit):
        return None
    return predicate(render, left)


def _compared(value: int, sign: str, limit: float) -> bool:
    return {
        "=": value == limit,
        "<>": value != limit,
        "<": value < limit,
        ">": value > limit,
        "<=": value <= limit,
        ">=": value >= limit,
    }[sign]


def _limited_distance(render: ValueRenderer, call: resolved.Call, sign: str, limit: float) -> Test | None:
    """``DISTANCE(…) < r`` is a cone (§4.2.7), and ``>=`` its opposite; ``<`` and ``<=`` stay what they are."""
    below = {"<": "<", "<=": "<=", ">": "<=", ">=": "<"}.get(sign)
    return render.work.once((id(call), limit, below), lambda: _cone(*ends_of_distance(render, call), limit, below)) if below else None


def render(renderer: ValueRenderer, call: resolved.Call) -> str:
    """The SQL of a geometrical function as a value; text that needs no parentheses."""
    return _FUNCTIONS[call.function.name](renderer, call)


def shape_of_text(renderer: ValueRenderer, value: resolved.Cast) -> str:
    """A DALI text such as '12.3 45.6' as an array, NULL if it is none (§4.7.1); a geometry stays what it is."""
    if value.operand.column.xtype in SHAPES:
        return renderer.value(value.operand)
    return f"vo.shape_of_text(({renderer.value(value.operand)})::text, {quote_text(value.type.lower())})"


def predicate(renderer: ValueRenderer, call: resolved.Call) -> Test:
    """CONTAINS and INTERSECTS as a test."""
    return renderer.work.once((id(call),), lambda: _predicate(renderer, call))


def _predicate(renderer: ValueRenderer, call: resolved.Call) -> Test:
    one, other = (shape_of(renderer, argument, call.at) for argument in call.arguments)
    contained = call.function.name == "CONTAINS"
    if not contained and isinstance(other, Point):
        one, other = other, one
    return _related(contained, one, other, call.at)


# tests


def _related(contained: bool, one: Shape, other: Shape, at: int) -> Test:
    """Whether one shape lies in another, or meets it."""
    if isinstance(one, Union):
        return (_all if contained else _any)([_related(contained, part, other, at) for part in one.parts])
    if isinstance(other, Union):
        if contained and not isinstance(one, Point):
            raise MisfitError("Only positions can be looked for inside a union of shapes.", at)
        return _any([_related(contained, one, part, at) for part in other.parts])
    if isinstance(one, Point):
        return _point_in(one, other)
    if isinstance(one, Cells) or isinstance(other, Cells):
        return _of_cells(contained, one, other, at)
    if isinstance(one, Moc) or isinstance(other, Moc) or any(isinstance(shape, Region) and shape.is_moc for shape in (one, other)):
        return _with_moc(contained, one, other, at)
    if isinstance(one, Circle) and isinstance(other, Circle) and not contained:
        return _circles_meet(one, other)
    return _any_shapes(contained, one, other)


def _point_in(point: Point, shape: Point | Circle | Polygon | Moc | Rows | Cells | Region) -> Test:
    if isinstance(shape, Point):
        return _cone(point, shape, 0.0, "<=")
    if isinstance(shape, Circle):
        return _point_in_circle(point, shape)
    if isinstance(shape, Moc):
        return _point_in_moc(point, shape)
    if isinstance(shape, Cells):
        exact = f"{_cell(point)} <@ {shape.sql}"
        return Test(exact, f"NOT ({exact})", sets=_sets(point, shape))
    if isinstance(shape, Region) and shape.is_moc:
        exact = shape.cells(point.ranges) if point.ranges is not None else shape.holds(_cell(point))
        return Test(exact, f"NOT ({exact})")
    if isinstance(shape, Polygon):
        return _point_in_polygon(point, shape)
    return _by_function("shape_contains_point", f"{shape.sql}, {point.ra}, {point.dec}", _near(shape, point))


def _sets(point: Point, moc: Cells) -> Sets | None:
    if point.source is None or moc.source is None or point.source is moc.source:
        return None
    return Sets(moc.source, moc.sql, _cell(point), point.source if point.cell else None)


def _point_in_circle(point: Point, circle: Circle) -> Test:
    if circle.radius is not None:
        return _cone(point, circle.center, circle.radius, "<=")
    return _within(_distance(point, circle.center), circle.radius_sql)


def _point_in_polygon(point: Point, polygon: Polygon) -> Test:
    """By half-spaces, if the polygon is convex, else by a function."""
    size = sqrt(area(polygon.vertices) / pi)
    ranges, cover = _covered(point, size, partial(polygon_cover, polygon.vertices), lambda: polygon.ranges)
    normals = half_spaces(polygon.vertices) if point.cheap and len(polygon.vertices) <= _FEW_EDGES else None
    if normals is None:
        return _by_function("shape_contains_point", f"{polygon.sql}, {point.ra}, {point.dec}", ranges, cover)
    ra, dec, limit = point.ra, point.dec, plain(_ON_THE_EDGE)
    outwards = [f"cosd({dec}) * (cosd({ra}) * {plain(-x)} + sind({ra}) * {plain(-y)}) + sind({dec}) * {plain(-z)}" for x, y, z in normals]
    exact, told = (" AND ".join(f"{text} <= {limit}" for text in texts) for texts in (outwards, map(_without_nan, outwards)))
    return Test(f"({exact})", f"({' OR '.join(f'{limit} - ({text}) < 0' for text in outwards)})", ranges, cover, f"({told})")


def _point_in_moc(point: Point, moc: Moc) -> Test:
    cell = _cell(point)
    few = len(moc.ranges) <= _MANY_RANGES
    size = degrees(2 * asin(min(1.0, sqrt(sum(high - low + 1 for low, high in moc.ranges) / SKY[1]))))
    spans = [Span(low, high, inside=True) for low, high in moc.ranges]
    cover = _covered(point, size, lambda _: spans, list)[1]
    if few:
        exact = _in_ranges(cell, moc.ranges)
        return Test(exact, f"NOT ({exact})", None, cover)
    exact = f"{cell} <@ {_multirange(moc.ranges)}"
    return Test(exact, f"NOT ({exact})", _in_ranges(cell, merge(moc.ranges, _MANY_RANGES)) if point.cell else None, cover)


def _multirange(ranges: Sequence[Range]) -> str:
    spans = ",".join(f"[{low},{high}]" for low, high in ranges)
    return f"'{{{spans}}}'::int8multirange"


def _covered(
    point: Point, size: float, spans: Callable[[int], list[Span]], ranges: Callable[[], list[Range]]
) -> tuple[str | None, Cover | None]:
    """The ranges (SQL) of a region as large as a cone of `size` degrees, and its cover if it holds many rows.

    Of the number of the table's rows `spans` makes spans; where these are many and take time, `ranges` are a rough shape.
    """
    if point.cell is None or point.source is None:
        return None, None
    rows = rows_of(point.source)
    if rows_in_cone(radians(size), rows) < SPLIT_ROWS:
        return _in_ranges(point.cell, merge(((span.low, span.high) for span in spans(rows)), MANY)), None
    return _in_ranges(point.cell, ranges()), Cover(point.source, point.cell, partial(spans, rows))


def _cell(point: Point) -> str:
    return point.cell or f"vo.healpix({point.ra}, {point.dec})"


def _cone(one: Point, other: Point, radius: float, sign: str) -> Test:
    """Whether two positions are closer than a constant (`sign` ``<``) or at most that far apart (``<=``)."""
    everywhere = radius > 180 or (radius == 180 and sign == "<=")
    limit = 2.0 if everywhere else -1.0 if radius < 0 else sin(radians(radius) / 2) ** 2
    if sign == "<=" and radius >= 0:
        limit = max(limit, _SAME_PLACE)
    inside, outside = (one, other) if other.known else (other, one)
    if outside.known is None:
        return _pair(inside, outside, sign, limit)
    center = outside.known
    size = max(radius, 0.0)
    covered = (
        _covered(inside, size, partial(cone_cover, *center, size), partial(cone_ranges, *center, size)) if size < 180 else (None, None)
    )
    if _COSINES <= radius <= 180 - _COSINES:
        return _measured(_opposite_cosine(inside, center), sign, plain(-cos(radians(radius))), *covered)
    return _measured(_haversine(inside, center), sign, plain(limit), *covered)


def _pair(one: Point, other: Point, sign: str, limit: float) -> Test:
    """Whether the positions of two rows lie within a constant: `limit` is the squared sine of half of it."""
    return _measured(f"vo.haversine({one.ra}, {one.dec}, {other.ra}, {other.dec})", sign, plain(limit))


def _measured(measure: str, sign: str, limit: str, ranges: str | None = None, cover: Cover | None = None) -> Test:
    """A measure below a limit. The opposite is written so that NaN fulfils neither."""
    opposite = f"{limit} - ({measure}) {'<' if sign == '<=' else '<='} 0"
    return Test(f"{measure} {sign} {limit}", opposite, ranges, cover, f"{_without_nan(measure)} {sign} {limit}")


def _within(distance: str, radius: str) -> Test:
    """A distance of at most a radius that each row says, and that may be NaN, too."""
    beyond = f"{distance} - {radius}"
    return Test(f"{beyond} <= 0", f"{radius} - {distance} < 0", told=f"{_without_nan(beyond)} <= 0")


def _without_nan(measure: str) -> str:
    """A measure, NULL instead of NaN, which PostgreSQL takes for greater than any limit."""
    return f"nullif({measure}, 'NaN')"


def _haversine(place: Point, center: tuple[float, float]) -> str:
    """Squared sine of half the distance to a constant, whose part is computed here."""
    ra, dec = center
    up = f"power(sin(({place.dec} - {plain(dec)}) * {HALF_DEGREE!r}), 2)"
    across = f"power(sin(({place.ra} - {plain(ra)}) * {HALF_DEGREE!r}), 2)"
    return f"{up} + cos(radians({place.dec})) * {plain(cos(radians(dec)))} * {across}"


def _opposite_cosine(place: Point, center: tuple[float, float]) -> str:
    """The cosine of the distance to a constant, with the other sign, so that it grows with the distance. Cheaper than haversines."""
    ra, dec = center
    up, across = plain(-sin(radians(dec))), plain(cos(radians(dec)))
    return f"{up} * sind({place.dec}) - {across} * cosd({place.dec}) * cosd({place.ra} - {plain(ra)})"


def _distance(one: Point, other: Point) -> str:
    return f"vo.distance({one.ra}, {one.dec}, {other.ra}, {other.dec})"


def _in_ranges(cell: str, ranges: Sequence[Range]) -> str:
    listed = " OR ".join(f"{cell} BETWEEN {low} AND {high}" for low, high in ranges)
    return f"({listed})" if len(ranges) > 1 else listed


def _circles_meet(one: Circle, other: Circle) -> Test:
    if one.radius is not None and other.radius is not None:
        return _cone(one.center, other.center, one.radius + other.radius, "<=")
    return _within(_distance(one.center, other.center), f"({one.radius_sql} + {other.radius_sql})")


def _with_moc(contained: bool, one: Shape, other: Shape, at: int) -> Test:
    """A footprint meets a MOC if their cells do; one lies in the other if all its cells do, which footprints with a shape do not tell."""
    region, constant = (one, other) if isinstance(one, Region) else (other, one)
    ranges = None if isinstance(constant, Union) else constant.ranges
    if cells_of_row(one) and cells_of_row(other):
        return _of_cells(contained, one, other, at)
    if not isinstance(region, Region) or ranges is None or (contained and not region.is_moc):
        hint = "CONTAINS(POINT(ra, dec), MOC(…)) and INTERSECTS of a published region column and a MOC are possible."
        raise MisfitError("These two shapes cannot be compared.", at, hint)
    exact = region.cells(ranges) if not contained else region.lies_in(ranges) if region is one else region.covers(ranges)
    return Test(exact, f"NOT ({exact})")


def _of_cells(contained: bool, one: Shape, other: Shape, at: int) -> Test:
    """MOCs that rows have: with each other, and with what is the same for all rows, by its cells."""
    first, second = _cells_of(one), _cells_of(other)
    if first is None or second is None:
        hint = "A column of MOCs can be compared with positions, with another such column, and with shapes that are the same for all rows."
        raise MisfitError("These two shapes cannot be compared.", at, hint)
    exact = f"{first} {'<@' if contained else '&&'} {second}"
    return Test(exact, f"NOT ({exact})")


def _cells_of(shape: Shape) -> str | None:
    if own := cells_of_row(shape):
        return own
    ranges = None if isinstance(shape, Union) else shape.ranges
    return None if ranges is None else _multirange(ranges)


def _any_shapes(contained: bool, one: Point | Circle | Polygon | Rows | Region, other: Point | Circle | Polygon | Rows | Region) -> Test:
    circled = None if contained else _meets_circle(one, other) or _meets_circle(other, one)
    if circled is not None:
        return circled
    test = _by_function(
        "shape_inside" if contained else "shapes_intersect", f"{one.sql}, {other.sql}", _near(one, other) or _near(other, one)
    )
    surely = None if contained else _surely_meet(one, other) or _surely_meet(other, one)
    return test if surely is None else Test(f"({surely} OR {test.exact})", test.opposite, test.ranges)


def _meets_circle(shape: Shape, circle: Shape) -> Test | None:
    """A footprint and a constant circle: what ``vo.shapes_intersect`` says, whose text PostgreSQL would take apart for each query."""
    if not (isinstance(shape, Region) and isinstance(circle, Circle) and circle.center.known and circle.radius is not None):
        return None
    if not 0 <= circle.radius <= 180:
        return None
    ra, dec = circle.center.known
    exact = f"vo.signed_distance({shape.sql}, {number(ra)}, {number(dec)}) - {number(circle.radius)} <= {_EDGE_DEG!r}"
    surely = shape.surely_meets(vector(radians(ra), radians(dec)), radians(circle.radius))
    return Test(f"({surely} OR {exact})" if surely else exact, f"NOT ({exact})", _near(shape, circle))


def _surely_meet(shape: Shape, other: Shape) -> str | None:
    """What proves that a footprint meets a constant convex polygon of a few edges, where it is true."""
    if not (isinstance(shape, Region) and isinstance(other, Polygon) and len(other.vertices) <= _SIX_EDGES):
        return None
    sides = half_spaces(other.vertices)
    return shape.surely_reaches_into(sides) if sides is not None else None


def _near(shape: Shape, other: Point | Circle | Polygon | Rows | Region) -> str | None:
    """What is true of all footprints that meet a constant shape."""
    extent = other.extent
    return shape.near(extent, lambda: other.ranges or []) if isinstance(shape, Region) and extent is not None else None


def _by_function(name: str, arguments: str, ranges: str | None = None, cover: Cover | None = None) -> Test:
    exact = f"vo.{name}({arguments})"
    return Test(exact, f"NOT {exact}", ranges, cover)


def _any(tests: list[Test]) -> Test:
    """At least one of the tests."""
    ranges = [test.ranges for test in tests if test.ranges is not None]
    around = f"({' OR '.join(f'({text})' for text in ranges)})" if len(ranges) == len(tests) else None
    return _junction("OR", "AND", tests, around)


def _all(tests: list[Test]) -> Test:
    """Each of the tests."""
    around = next((test.ranges for test in tests if test.ranges is not None), None)
    return _junction("AND", "OR", tests, around)


def _junction(word: str, other: str, tests: list[Test], ranges: str | None) -> Test:
    exact, opposite = _joined(word, [test.exact for test in tests]), _joined(other, [test.opposite for test in tests])
    return Test(exact, opposite, ranges, told=_joined(word, [test.value for test in tests]))


def _joined(word: str, conditions: list[str]) -> str:
    return f"({f' {word} '.join(f'({text})' for text in conditions)})"


# values


def ends_of_distance(renderer: ValueRenderer, call: resolved.Call) -> tuple[Point, Point]:
    """The two positions of DISTANCE, in either form."""
    if len(call.arguments) == 4:
        return coordinates(renderer, *call.arguments[:2]), coordinates(renderer, *call.arguments[2:])
    return point_of(renderer, call.arguments[0]), point_of(renderer, call.arguments[1])


def _shape_value(renderer: ValueRenderer, call: resolved.Call) -> str:
    """A geometry as an array of degrees, NULL if one of its numbers is (DALI 1.1 §3.3.5–7)."""
    shape = shape_of(renderer, call, call.at)
    if isinstance(shape, Moc | Union | Cells):
        raise MisfitError("This region has no place in a result.", call.at)
    return shape.sql


def _moc_value(renderer: ValueRenderer, call: resolved.Call) -> str:
    """A MOC as its text: the one that was written, else the shortest."""
    shape = shape_of(renderer, call, call.at)
    if len(call.arguments) == 1 or not isinstance(shape, Moc):
        return quote_text(literal(call, 0))
    return quote_text(moc_text(shape.ranges))


def _predicate_value(renderer: ValueRenderer, call: resolved.Call) -> str:
    return f"({predicate(renderer, call).value})::integer"


def _distance_value(renderer: ValueRenderer, call: resolved.Call) -> str:
    return _distance(*ends_of_distance(renderer, call))


def _area(renderer: ValueRenderer, call: resolved.Call) -> str:
    shape = shape_of(renderer, call.arguments[0], call.at)
    if isinstance(shape, Union):
        raise MisfitError("AREA needs a single shape.", call.at)
    if isinstance(shape, Polygon):
        return number(area(shape.vertices))
    if isinstance(shape, Moc):
        return number(moc_area(list(shape.ranges)))
    if isinstance(shape, Cells) or cells_of_row(shape):
        number_of_cells = f"(SELECT sum(upper(span) - lower(span)) FROM unnest({cells_of_row(shape)}) AS span)"  # noqa: S608 `shape` is SQL
        return f"({number_of_cells}::float8 * {plain(SQUARE_DEGREES / (SKY[1] + 1))})"
    return f"vo.shape_area({shape.sql})"


def _healpix_index(renderer: ValueRenderer, call: resolved.Call) -> str:
    """Of an indexed position by its cell, which has that number in its first bits."""
    order, *place = call.arguments
    point = coordinates(renderer, *place) if len(place) == 2 else point_of(renderer, place[0])
    depth = known(order)
    if point.cell is not None and depth is not None:
        return f"({point.cell} >> {2 * (29 - int(depth))})"
    return f"vo.healpix_index(({renderer.value(order)})::integer, {point.ra}, {point.dec})"


_FUNCTIONS: dict[str, Callable[[ValueRenderer, resolved.Call], str]] = {
    "AREA": _area,
    "BOX": _shape_value,
    "CENTROID": _shape_value,
    "CIRCLE": _shape_value,
    "CONTAINS": _predicate_value,
    "COORD1": lambda renderer, call: point_of(renderer, call.arguments[0]).ra,
    "COORD2": lambda renderer, call: point_of(renderer, call.arguments[0]).dec,
    "COORDSYS": lambda *_: "'ICRS'",
    "DISTANCE": _distance_value,
    "INTERSECTS": _predicate_value,
    "IVO_GEOM_TRANSFORM": _shape_value,
    "IVO_HEALPIX_INDEX": _healpix_index,
    "MOC": _moc_value,
    "POINT": _shape_value,
    "POLYGON": _shape_value,
}
"""Geometrical functions as values."""
