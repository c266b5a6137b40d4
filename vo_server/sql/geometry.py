"""Geometry → SQL: constant regions become ranges of the hidden cell column, the exact test stands beside them (ADQL 2.1 §4.2).

A test is written in three ways: with the ranges, for conditions that rows must fulfil; without them; and its opposite, which is false as
well where a position is missing or not a number (PostgreSQL's NaN is greater than everything).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, radians, sin
from typing import Protocol

from vo_server.adql import resolved
from vo_server.adql.constants import known
from vo_server.adql.functions import PREDICATES
from vo_server.errors import UsageError
from vo_server.model.catalogue import Footprint
from vo_server.model.columns import CELL
from vo_server.sky.polygons import DegenerateError, counter_clockwise
from vo_server.sky.ranges import Range, cone_ranges, polygon_ranges
from vo_server.sql.literals import plain, quote_identifier

_SAME_PLACE = 1e-30
"""Haversine of two spellings of one place: RA 0 and 360 differ by a rounding error."""
HALF_DEGREE = pi / 360
"""Half a degree in radians: haversines take half angles."""


class ValueRenderer(Protocol):
    """What this module needs of the renderer of values."""

    def value(self, value: resolved.Value) -> str:
        """The SQL of a value."""

    def double(self, value: resolved.Value) -> str:
        """The SQL of a number as double precision."""


@dataclass(frozen=True, slots=True)
class Test:
    """A condition: what is exactly true, its opposite, and the ranges (SQL) that can only hold where it is true."""

    exact: str
    opposite: str
    ranges: str | None = None

    @property
    def indexed(self) -> str:
        """The condition with its ranges in front, where an index helps."""
        return f"{self.ranges} AND {self.exact}" if self.ranges else self.exact


@dataclass(frozen=True, slots=True)
class Point:
    """A position: SQL of both coordinates, their values if constant, and the table whose cells are of just these columns."""

    ra: str
    dec: str
    known: tuple[float, float] | None = None
    table: resolved.TableSource | None = None


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle; ``radius`` is its value in degrees if constant."""

    center: Point
    radius_sql: str
    radius: float | None


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon of constant vertices, counter-clockwise."""

    vertices: tuple[tuple[float, float], ...]

    @property
    def sql(self) -> str:
        """The shape as an array."""
        return f"ARRAY[{', '.join(plain(part) for vertex in self.vertices for part in vertex)}]::float8[]"


@dataclass(frozen=True, slots=True)
class Region:
    """The footprint of a row."""

    source: resolved.TableSource
    footprint: Footprint

    @property
    def sql(self) -> str:
        """The hidden shape."""
        return f"{self.source.alias}.{quote_identifier(self.footprint.shape)}"

    def cells(self, ranges: list[Range]) -> str:
        """The rows whose footprint has a cell in `ranges`, by the side table's index."""
        key = quote_identifier(self.footprint.key)
        meets = " OR ".join(f"(k.lo <= {high} AND k.hi >= {low})" for low, high in ranges)
        return f"{self.source.alias}.{key} IN (SELECT k.{key} FROM {self.footprint.cells} AS k WHERE {meets})"  # noqa: S608 - names are quoted, the rest are integers


Shape = Point | Circle | Polygon | Region


def comparison(render: ValueRenderer, left: resolved.Value, sign: str, right: resolved.Value, opposite: bool) -> str | None:
    """The SQL of a geometrical function compared with a constant, or of the opposite; None if it is something else."""
    limit = known(right)
    if not isinstance(left, resolved.Call) or limit is None:
        return None
    if left.function.name == "DISTANCE":
        return _limited_distance(render, left, sign, limit, opposite)
    if left.function.name not in PREDICATES:
        return None
    outcomes = _compared(0, sign, limit) != opposite, _compared(1, sign, limit) != opposite
    test = predicate(render, left)
    if outcomes[0] == outcomes[1]:
        return f"({test.exact}) IS NOT NULL" if outcomes[0] else "FALSE"
    return test.indexed if outcomes[1] else test.opposite


def _compared(value: int, sign: str, limit: float) -> bool:
    return {
        "=": value == limit,
        "<>": value != limit,
        "<": value < limit,
        ">": value > limit,
        "<=": value <= limit,
        ">=": value >= limit,
    }[sign]


def _limited_distance(render: ValueRenderer, call: resolved.Call, sign: str, limit: float, opposite: bool) -> str | None:
    """``DISTANCE(…) < r`` is a cone (§4.2.7); ``<`` and ``<=`` stay what they are."""
    if sign not in ("<", "<=", ">", ">="):
        return None
    below = {"<": "<", "<=": "<=", ">": "<=", ">=": "<"}[sign]
    test = _cone(*_ends(render, call), limit, below)
    return test.indexed if (sign in ("<", "<=")) != opposite else test.opposite


def render(renderer: ValueRenderer, call: resolved.Call) -> str:
    """The SQL of a geometrical function as a value; text that needs no parentheses."""
    return _FUNCTIONS[call.function.name](renderer, call)


def shape_of_text(renderer: ValueRenderer, value: resolved.Cast) -> str:
    """A DALI text such as '12.3 45.6' as an array (§4.7.1)."""
    return f"string_to_array(btrim(({renderer.value(value.operand)})::text), ' ')::float8[]"


def predicate(renderer: ValueRenderer, call: resolved.Call) -> Test:
    """CONTAINS and INTERSECTS as a test."""
    one, other = (_shape(renderer, argument) for argument in call.arguments)
    if call.function.name == "INTERSECTS" and isinstance(other, Point):
        one, other = other, one
    if isinstance(one, Point):
        return _point_in(one, other)
    test = (_CONTAINED if call.function.name == "CONTAINS" else _MEETING).get((type(one), type(other)))
    if test is None:
        raise UsageError(f"{call.function.name} of these two shapes is not supported.", parameter="QUERY")
    return test(one, other)


# shapes


def _shape(renderer: ValueRenderer, value: resolved.Value) -> Shape:
    if isinstance(value, resolved.Call) and value.function.name in _SHAPES:
        return _SHAPES[value.function.name](renderer, value)
    if isinstance(value, resolved.Reference) and isinstance(value.source, resolved.TableSource):
        footprint = value.source.table.footprint
        if footprint is not None and footprint.column == value.column.name:
            return Region(value.source, footprint)
    if value.column.xtype == "circle":
        text = f"({renderer.value(value)})"
        return Circle(Point(f"{text}[1]", f"{text}[2]"), f"{text}[3]", None)
    if value.column.xtype == "point":
        return _point(renderer, value)
    raise UsageError(
        "This geometry cannot be compared with others.", parameter="QUERY", hint="Use POINT, CIRCLE, POLYGON, or a column with a region."
    )


def _point(renderer: ValueRenderer, value: resolved.Value) -> Point:
    if isinstance(value, resolved.Call) and value.function.name in ("POINT", "CENTROID"):
        return _coordinates(renderer, *value.arguments) if value.function.name == "POINT" else _centroid(renderer, value)
    text = f"({renderer.value(value)})"
    return Point(f"{text}[1]", f"{text}[2]")


def _centroid(renderer: ValueRenderer, call: resolved.Call) -> Point:
    shape = _shape(renderer, call.arguments[0])
    if isinstance(shape, Point):
        return shape
    if isinstance(shape, Circle):
        return shape.center
    raise UsageError("CENTROID of this shape is not supported.", parameter="QUERY")


def _coordinates(renderer: ValueRenderer, ra: resolved.Value, dec: resolved.Value) -> Point:
    lon, lat = known(ra), known(dec)
    constant = (float(lon) % 360.0, float(lat)) if lon is not None and lat is not None else None
    return Point(renderer.double(ra), renderer.double(dec), constant, _indexed(ra, dec))


def _indexed(ra: resolved.Value, dec: resolved.Value) -> resolved.TableSource | None:
    """The table whose cells are computed from exactly these two columns."""
    if not (isinstance(ra, resolved.Reference) and isinstance(dec, resolved.Reference) and ra.source is dec.source):
        return None
    source = ra.source
    position = source.table.position if isinstance(source, resolved.TableSource) else None
    fits = position is not None and position.indexed and (position.ra, position.dec) == (ra.name, dec.name)
    return source if fits and isinstance(source, resolved.TableSource) else None


def _circle(renderer: ValueRenderer, call: resolved.Call) -> Circle:
    *center, size = call.arguments
    middle = _coordinates(renderer, *center) if len(center) == 2 else _point(renderer, center[0])
    radius = known(size)
    return Circle(middle, renderer.double(size), None if radius is None else float(radius))


def _polygon(renderer: ValueRenderer, call: resolved.Call) -> Polygon:
    points: list[tuple[float, float] | None]
    if call.arguments[0].column.xtype == "point":
        points = [_point(renderer, argument).known for argument in call.arguments]
    else:
        pairs = zip(call.arguments[::2], call.arguments[1::2], strict=True)
        points = [_coordinates(renderer, *pair).known for pair in pairs]
    vertices = [point for point in points if point is not None]
    if len(vertices) != len(points):
        raise UsageError("A polygon to compare with needs constant vertices.", parameter="QUERY")
    try:
        return Polygon(tuple(counter_clockwise(vertices)))
    except DegenerateError as error:
        raise UsageError(f"POLYGON: {error}.", parameter="QUERY") from None


_SHAPES: dict[str, Callable[[ValueRenderer, resolved.Call], Shape]] = {
    "POINT": _point,
    "CENTROID": _centroid,
    "CIRCLE": _circle,
    "POLYGON": _polygon,
}

# tests


def _point_in(point: Point, shape: Shape) -> Test:
    if isinstance(shape, Point):
        return _cone(point, shape, 0.0, "<=")
    if isinstance(shape, Circle):
        if shape.radius is not None:
            return _cone(point, shape.center, shape.radius, "<=")
        return _measured(_distance(point, shape.center), "<=", shape.radius_sql)
    exact = f"vo.shape_contains_point({shape.sql}, {point.ra}, {point.dec})"
    return Test(exact, f"NOT {exact}", _ranges_for(point, shape))


def _ranges_for(point: Point, shape: Polygon | Region) -> str | None:
    if isinstance(shape, Region):
        return shape.cells(cone_ranges(*point.known, 0.0)) if point.known else None
    return _in_ranges(point.table, polygon_ranges(shape.vertices)) if point.table else None


def _cone(one: Point, other: Point, radius: float, sign: str) -> Test:
    """Whether two positions are closer than a constant (`sign` ``<``) or at most that far apart (``<=``)."""
    everywhere = radius > 180 or (radius == 180 and sign == "<=")
    limit = 2.0 if everywhere else -1.0 if radius < 0 else sin(radians(radius) / 2) ** 2
    if sign == "<=" and radius >= 0:
        limit = max(limit, _SAME_PLACE)
    inside, outside = (one, other) if other.known else (other, one)
    ranges = None
    if inside.table is not None and outside.known is not None and radius < 180:
        ranges = _in_ranges(inside.table, cone_ranges(*outside.known, max(radius, 0.0)))
    return _measured(_haversine(inside, outside), sign, plain(limit), ranges)


def _measured(measure: str, sign: str, limit: str, ranges: str | None = None) -> Test:
    """A measure below a limit. The opposite is written so that NaN fulfils neither."""
    return Test(f"{measure} {sign} {limit}", f"{limit} - ({measure}) {'<' if sign == '<=' else '<='} 0", ranges)


def _haversine(position: Point, center: Point) -> str:
    """Squared sine of half the distance; the constant parts of a known centre are computed here."""
    if center.known is None:
        return f"vo.haversine({position.ra}, {position.dec}, {center.ra}, {center.dec})"
    ra, dec = center.known
    up = f"power(sin(({position.dec} - {plain(dec)}) * {HALF_DEGREE!r}), 2)"
    across = f"power(sin(({position.ra} - {plain(ra)}) * {HALF_DEGREE!r}), 2)"
    return f"{up} + cos(radians({position.dec})) * {plain(cos(radians(dec)))} * {across}"


def _distance(one: Point, other: Point) -> str:
    return f"vo.distance({one.ra}, {one.dec}, {other.ra}, {other.dec})"


def _in_ranges(table: resolved.TableSource, ranges: list[Range]) -> str:
    cell = f"{table.alias}.{quote_identifier(CELL)}"
    listed = " OR ".join(f"{cell} BETWEEN {low} AND {high}" for low, high in ranges)
    return f"({listed})" if len(ranges) > 1 else listed


def _circle_in_circle(one: Circle, other: Circle) -> Test:
    return _measured(f"{_distance(one.center, other.center)} + {one.radius_sql}", "<=", other.radius_sql)


def _circles_meet(one: Circle, other: Circle) -> Test:
    if one.radius is not None and other.radius is not None:
        return _cone(one.center, other.center, one.radius + other.radius, "<=")
    return _measured(_distance(one.center, other.center), "<=", f"({one.radius_sql} + {other.radius_sql})")


def _region_meets_circle(region: Region, circle: Circle) -> Test:
    return _region_test("intersects", region, circle)


def _region_in_circle(region: Region, circle: Circle) -> Test:
    return _region_test("inside", region, circle)


def _region_test(word: str, region: Region, circle: Circle) -> Test:
    exact = f"vo.shape_{word}_circle({region.sql}, {circle.center.ra}, {circle.center.dec}, {circle.radius_sql})"
    ranges = region.cells(cone_ranges(*circle.center.known, circle.radius)) if circle.center.known and circle.radius is not None else None
    return Test(exact, f"NOT {exact}", ranges)


def _region_meets_polygon(region: Region, polygon: Polygon) -> Test:
    exact = f"vo.shapes_intersect({region.sql}, {polygon.sql})"
    return Test(exact, f"NOT {exact}", region.cells(polygon_ranges(polygon.vertices)))


def _polygon_meets_circle(polygon: Polygon, circle: Circle) -> Test:
    center = circle.center
    exact = f"vo.shape_intersects_circle({polygon.sql}, {center.ra}, {center.dec}, {circle.radius_sql})"
    return Test(exact, f"NOT {exact}")


def _shapes_meet(one: Polygon | Region, other: Polygon | Region) -> Test:
    exact = f"vo.shapes_intersect({one.sql}, {other.sql})"
    return Test(exact, f"NOT {exact}")


_CONTAINED: dict[tuple[type, type], Callable[..., Test]] = {
    (Circle, Circle): _circle_in_circle,
    (Region, Circle): _region_in_circle,
}
_MEETING: dict[tuple[type, type], Callable[..., Test]] = {
    (Circle, Circle): _circles_meet,
    (Region, Circle): _region_meets_circle,
    (Circle, Region): lambda circle, region: _region_meets_circle(region, circle),
    (Region, Polygon): _region_meets_polygon,
    (Polygon, Region): lambda polygon, region: _region_meets_polygon(region, polygon),
    (Polygon, Circle): _polygon_meets_circle,
    (Circle, Polygon): lambda circle, polygon: _polygon_meets_circle(polygon, circle),
    (Polygon, Polygon): _shapes_meet,
    (Region, Region): _shapes_meet,
}

# values


def _ends(renderer: ValueRenderer, call: resolved.Call) -> tuple[Point, Point]:
    """The two positions of DISTANCE, in either form."""
    if len(call.arguments) == 4:
        return _coordinates(renderer, *call.arguments[:2]), _coordinates(renderer, *call.arguments[2:])
    return _point(renderer, call.arguments[0]), _point(renderer, call.arguments[1])


def _array(renderer: ValueRenderer, call: resolved.Call) -> str:
    """A geometry as an array of degrees, NULL if one of its numbers is (DALI 1.1 §3.3.5–7)."""
    if call.arguments[0].column.xtype is None:
        numbers = [renderer.double(argument) for argument in call.arguments]
    else:
        points = [_point(renderer, argument) for argument in call.arguments if argument.column.xtype == "point"]
        numbers = [coordinate for point in points for coordinate in (point.ra, point.dec)]
        numbers += [renderer.double(argument) for argument in call.arguments if argument.column.xtype != "point"]
    return f"vo.whole(ARRAY[{', '.join(numbers)}])"


def _polygon_value(renderer: ValueRenderer, call: resolved.Call) -> str:
    return _polygon(renderer, call).sql


def _predicate_value(renderer: ValueRenderer, call: resolved.Call) -> str:
    return f"({predicate(renderer, call).exact})::integer"


def _distance_value(renderer: ValueRenderer, call: resolved.Call) -> str:
    return _distance(*_ends(renderer, call))


def _area(renderer: ValueRenderer, call: resolved.Call) -> str:
    shape = _shape(renderer, call.arguments[0])
    if isinstance(shape, Point):
        return "0.0::float8"
    if isinstance(shape, Circle):
        return f"({plain((360 / pi) ** 2 * pi)} * power(sin(radians(least({shape.radius_sql}, 180)) / 2), 2))"
    raise UsageError("AREA of this shape is not supported.", parameter="QUERY")


def _centroid_value(renderer: ValueRenderer, call: resolved.Call) -> str:
    point = _centroid(renderer, call)
    return f"vo.whole(ARRAY[{point.ra}, {point.dec}])"


def _unsupported(_: ValueRenderer, call: resolved.Call) -> str:
    raise UsageError(f"{call.function.name} is not supported by this version.", parameter="QUERY")


_FUNCTIONS: dict[str, Callable[[ValueRenderer, resolved.Call], str]] = {
    "AREA": _area,
    "BOX": _unsupported,
    "CENTROID": _centroid_value,
    "CIRCLE": _array,
    "CONTAINS": _predicate_value,
    "COORD1": lambda renderer, call: _point(renderer, call.arguments[0]).ra,
    "COORD2": lambda renderer, call: _point(renderer, call.arguments[0]).dec,
    "COORDSYS": lambda *_: "'ICRS'",
    "DISTANCE": _distance_value,
    "INTERSECTS": _predicate_value,
    "POINT": _array,
    "POLYGON": _polygon_value,
    "REGION": _unsupported,
}
"""Geometrical functions as values."""
