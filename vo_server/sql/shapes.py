"""Values that are geometries → shapes: what of them is constant, what each row says, which index knows it (ADQL 2.1 §4.2).

In SQL a shape is an array of degrees (see functions.sql): two numbers are a position, three a circle, more a polygon.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from vo_server.adql import resolved
from vo_server.adql.constants import known
from vo_server.model.columns import POLYGON_TEXT
from vo_server.sky.extents import Extent, extent_of_circle, extent_of_polygon
from vo_server.sky.frames import FROM_ICRS, Matrix, rotated, rotation
from vo_server.sky.healpix import MAX_ORDER
from vo_server.sky.mocs import MocError, moc_of_circle, moc_of_point, moc_of_polygon, parse_moc, rim_of_circle, rim_of_polygon
from vo_server.sky.polygons import DegenerateError, box, centroid, counter_clockwise, refuse_crossings
from vo_server.sky.ranges import Range, cone_ranges, polygon_ranges
from vo_server.sql.errors import MisfitError
from vo_server.sql.footprints import Region
from vo_server.sql.literals import number, plain
from vo_server.sql.positions import cell_of
from vo_server.sql.work import MOST_RIM, Work


class ValueRenderer(Protocol):
    """What this module needs of the renderer of values."""

    work: Work

    def value(self, value: resolved.Value) -> str:
        """The SQL of a value."""

    def double(self, value: resolved.Value) -> str:
        """The SQL of a number as double precision."""


LONGEST = 2000
"""Characters of SQL that computes a cell."""


@dataclass(frozen=True, slots=True)
class Point:
    """A position: SQL of both coordinates, and their values if constant.

    ``cell`` is the SQL of an indexed column of cells computed from just these two, or (``computed``) of cells that no index knows;
    ``source`` the one table whose columns both are made of, if there is one. ``cheap``: the SQL may be repeated.
    """

    ra: str
    dec: str
    known: tuple[float, float] | None = None
    cell: str | None = None
    source: resolved.Source | None = None
    cheap: bool = False
    computed: bool = False

    @property
    def located(self) -> "Point | None":
        """The position with a cell, computed if no index has it; None where it is long to write, or another each time it is asked."""
        if self.cell is not None:
            return self
        text = f"vo.healpix({self.ra}, {self.dec})"
        return replace(self, cell=text, computed=True) if len(text) < LONGEST and "random" not in text else None

    @property
    def sql(self) -> str:
        """The position as an array, NULL if a coordinate is."""
        return f"vo.whole(ARRAY[{self.ra}, {self.dec}])"

    @property
    def ranges(self) -> list[Range] | None:
        """The cells that cover it, if it is constant."""
        return cone_ranges(*self.known, 0.0) if self.known else None

    @property
    def extent(self) -> Extent | None:
        """Where it lies, if it is constant."""
        return extent_of_circle(*self.known, 0.0) if self.known else None


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle; ``radius`` is its value in degrees if constant."""

    center: Point
    radius_sql: str
    radius: float | None

    @property
    def sql(self) -> str:
        """The circle as an array, NULL if one of its numbers is."""
        if self.center.known is not None and self.radius is not None:
            return _array([*self.center.known, self.radius])
        return f"vo.whole(ARRAY[{self.center.ra}, {self.center.dec}, {self.radius_sql}])"

    @property
    def ranges(self) -> list[Range] | None:
        """The cells that cover it, if it is constant."""
        return cone_ranges(*self.center.known, self.radius) if self.center.known and self.radius is not None else None

    @property
    def extent(self) -> Extent | None:
        """Where it lies, if it is constant."""
        if self.center.known is None or self.radius is None or not 0 <= self.radius <= 180:
            return None
        return extent_of_circle(*self.center.known, self.radius)


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon of constant vertices, counter-clockwise."""

    vertices: tuple[tuple[float, float], ...]

    @property
    def sql(self) -> str:
        """The polygon as an array."""
        return _array([part for vertex in self.vertices for part in vertex])

    @property
    def ranges(self) -> list[Range]:
        """The cells that cover it."""
        return polygon_ranges(self.vertices)

    @property
    def extent(self) -> Extent:
        """Where it lies."""
        return extent_of_polygon(self.vertices)


@dataclass(frozen=True, slots=True)
class Moc:
    """A constant set of cells."""

    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """Several shapes that are one region."""

    parts: "tuple[Shape, ...]"


@dataclass(frozen=True, slots=True)
class Rows:
    """A shape that each row computes."""

    sql: str
    ranges: None = None
    extent: None = None


@dataclass(frozen=True, slots=True)
class Cells:
    """A MOC that each row has (DALI 1.2 §3.11): SQL of its cells, a multirange; ``source`` is the table of which it is a column."""

    sql: str
    source: resolved.Source | None = None
    ranges: None = None
    extent: None = None


Shape = Point | Circle | Polygon | Moc | Union | Rows | Cells | Region


def cells_of_row(shape: Shape) -> str | None:
    """SQL of the cells of a MOC that each row has, a multirange; None for other shapes."""
    if isinstance(shape, Region) and shape.is_moc:
        return f"vo.moc({shape.words})"
    return shape.sql if isinstance(shape, Cells) else None


def shape_of(renderer: ValueRenderer, value: resolved.Value, at: int) -> Shape:
    """The shape that a value is. Raises MisfitError, at `at` or where in the value it knows better."""
    if isinstance(value, resolved.Call) and value.function.name in _SHAPES:
        return _SHAPES[value.function.name](renderer, value)
    if isinstance(value, resolved.Union):
        return Union(tuple(shape_of(renderer, part, at) for part in value.parts))
    if isinstance(value, resolved.Constant) and value.value is None:
        return Rows("NULL::float8[]")
    if isinstance(value, resolved.Reference) and isinstance(value.source, resolved.TableSource):
        footprint = value.source.table.footprint
        if footprint is not None and footprint.column == value.name:
            return Region(value.source, footprint)
    return _by_type(renderer, value, at)


def _by_type(renderer: ValueRenderer, value: resolved.Value, at: int) -> Shape:
    text, xtype = renderer.value(value), value.column.xtype
    if xtype == "point":
        return point_of(renderer, value)
    if xtype == "circle":
        return Circle(Point(f"({text})[1]", f"({text})[2]"), f"({text})[3]", None)
    if xtype == "polygon":
        return Rows(f"vo.polygon({text})")
    if xtype == POLYGON_TEXT:
        return Rows(f"vo.region({text})")
    if xtype == "moc" and not (value.column.ucd or "").startswith("time"):  # there are MOCs of times, too
        return Cells(f"vo.moc({text})", value.source if isinstance(value, resolved.Reference) else None)
    raise MisfitError("This is no geometry.", at, "Use POINT, CIRCLE, BOX, POLYGON, REGION, MOC, or a column with a region.")


def point_of(renderer: ValueRenderer, value: resolved.Value) -> Point:
    """The position that a value is, whose type says so."""
    if isinstance(value, resolved.Call) and value.function.name in _POINTS:
        return _POINTS[value.function.name](renderer, value)
    null = isinstance(value, resolved.Constant) and value.value is None
    text = "(NULL::float8[])" if null else f"({renderer.value(value)})"
    return Point(f"{text}[1]", f"{text}[2]", source=value.source if isinstance(value, resolved.Reference) else None)


def coordinates(renderer: ValueRenderer, ra: resolved.Value, dec: resolved.Value) -> Point:
    """The position with these two coordinates."""
    lon, lat = known(ra), known(dec)
    constant = (float(lon) % 360.0, float(lat)) if lon is not None and lat is not None else None
    references = isinstance(ra, resolved.Reference) and isinstance(dec, resolved.Reference)
    sources = set(resolved.references((ra, dec)))
    source = sources.pop() if len(sources) == 1 else None
    return Point(renderer.double(ra), renderer.double(dec), constant, cell_of(ra, dec), source, references or constant is not None)


def literal(call: resolved.Call, index: int) -> str:
    """The text of an argument that must be a literal."""
    argument = call.arguments[index]
    if not isinstance(argument, resolved.Constant) or not isinstance(argument.value, str):
        raise MisfitError(f"Argument {index + 1} of {call.function.name} must be a text in quotes.", call.at)
    return argument.value


def _bounded(renderer: ValueRenderer, text: str, at: int) -> str:
    """SQL that is named twice, for both coordinates. Raises MisfitError where that has made it too long."""
    if not renderer.work.may_write(len(text)):
        raise MisfitError("This makes too long an SQL statement.", at, "Use WITH to compute its parts.")
    return text


def _constant_point(place: tuple[float, float]) -> Point:
    return Point(number(place[0]), number(place[1]), place, cheap=True)


def _point(renderer: ValueRenderer, call: resolved.Call) -> Point:
    return coordinates(renderer, *call.arguments)


def _centroid(renderer: ValueRenderer, call: resolved.Call) -> Point:
    shape = shape_of(renderer, call.arguments[0], call.at)
    if isinstance(shape, Moc | Union | Cells) or cells_of_row(shape):
        raise MisfitError("CENTROID needs a single shape.", call.at)
    if isinstance(shape, Point):
        return shape
    if isinstance(shape, Circle):
        return shape.center
    if isinstance(shape, Polygon):
        return _constant_point(centroid(shape.vertices))
    text = _bounded(renderer, f"(vo.shape_centroid({shape.sql}))", call.at)
    return Point(f"{text}[1]", f"{text}[2]")


def _circle(renderer: ValueRenderer, call: resolved.Call) -> Circle:
    *center, size = call.arguments
    middle = coordinates(renderer, *center) if len(center) == 2 else point_of(renderer, center[0])
    radius = known(size)
    return Circle(middle, renderer.double(size), None if radius is None else float(radius))


def _polygon(renderer: ValueRenderer, call: resolved.Call) -> Polygon | Rows:
    if call.arguments[0].column.xtype == "point":
        points = [point_of(renderer, argument) for argument in call.arguments]
    else:
        points = [coordinates(renderer, *pair) for pair in zip(call.arguments[::2], call.arguments[1::2], strict=True)]
    vertices = [point.known for point in points if point.known is not None]
    if len(vertices) < len(points):
        return Rows(f"vo.polygon(ARRAY[{', '.join(part for point in points for part in (point.ra, point.dec))}])")
    try:
        ordered = counter_clockwise(vertices)
        refuse_crossings(ordered)
    except DegenerateError as error:
        raise MisfitError(f"POLYGON: {error}.", call.at) from None
    return Polygon(tuple(ordered))


def _box(renderer: ValueRenderer, call: resolved.Call) -> Polygon | Rows:
    *center, width, height = call.arguments
    middle = coordinates(renderer, *center) if len(center) == 2 else point_of(renderer, center[0])
    sizes = known(width), known(height)
    if middle.known is None or sizes[0] is None or sizes[1] is None:
        return Rows(f"vo.box({middle.ra}, {middle.dec}, {renderer.double(width)}, {renderer.double(height)})")
    try:
        return Polygon(tuple(box(*middle.known, sizes[0], sizes[1])))
    except DegenerateError as error:
        raise MisfitError(f"BOX: {error}.", call.at) from None


def _moc(renderer: ValueRenderer, call: resolved.Call) -> Moc:
    """A MOC from its text, or of a constant shape: the cells of an order that have something of it."""
    if len(call.arguments) == 2:
        return Moc(tuple(_cells_of_shape(renderer, call)))
    try:
        ranges = renderer.work.moc(id(call), 0.0, lambda: parse_moc(literal(call, 0)))
    except MocError as error:
        raise MisfitError(f"MOC: {error}.", call.at, "Write, for instance, MOC('3/12 14-17 4/200').") from None
    if not ranges:
        raise MisfitError("MOC: it has no cells.", call.at)
    return Moc(tuple(ranges))


def _cells_of_shape(renderer: ValueRenderer, call: resolved.Call) -> list[Range]:
    order, shape = known(call.arguments[0]), shape_of(renderer, call.arguments[1], call.at)
    if order is None or not 0 <= order <= MAX_ORDER:
        raise MisfitError(f"MOC needs an order from 0 to {MAX_ORDER} as a number.", call.at)
    depth = int(order)
    if isinstance(shape, Point) and shape.known:
        return moc_of_point(depth, *shape.known)
    if isinstance(shape, Circle) and shape.center.known and shape.radius is not None:
        rim, make = rim_of_circle(depth, shape.radius), partial(moc_of_circle, depth, *shape.center.known, shape.radius)
    elif isinstance(shape, Polygon):
        rim, make = rim_of_polygon(depth, shape.vertices), partial(moc_of_polygon, depth, shape.vertices)
    else:
        hint = "Write, for instance, MOC(6, CIRCLE(83.6, 22.0, 1))."
        raise MisfitError("MOC needs a shape that is the same for all rows.", call.at, hint)
    found = renderer.work.moc(id(call), rim, make)
    if found is None:
        message = f"MOC: about {rim:.0f} cells of order {depth} lie on the rim of this shape, and {MOST_RIM} are allowed in all of a query."
        raise MisfitError(message, call.at, "Take a lower order, or test with the shape itself: CONTAINS(POINT(ra, dec), CIRCLE(…)).")
    return found


def _transformed(renderer: ValueRenderer, call: resolved.Call) -> Shape:
    """ivo_geom_transform: constants are turned here, so that an index can help."""
    matrix = _matrix(call)
    shape = shape_of(renderer, call.arguments[2], call.at)
    if matrix is None:
        return shape
    if isinstance(shape, Moc | Union | Cells) or cells_of_row(shape):
        raise MisfitError("ivo_geom_transform needs a single shape.", call.at)
    if isinstance(shape, Point) and shape.known:
        return _constant_point(rotated(shape.known, matrix))
    if isinstance(shape, Circle) and shape.center.known:
        return Circle(_constant_point(rotated(shape.center.known, matrix)), shape.radius_sql, shape.radius)
    if isinstance(shape, Polygon):
        return Polygon(tuple(rotated(vertex, matrix) for vertex in shape.vertices))
    text = _bounded(renderer, f"vo.rotate({shape.sql}, {_array(matrix)})", call.at)
    if isinstance(shape, Point):
        return Point(f"({text})[1]", f"({text})[2]")
    return Circle(Point(f"({text})[1]", f"({text})[2]"), shape.radius_sql, shape.radius) if isinstance(shape, Circle) else Rows(text)


def _transformed_point(renderer: ValueRenderer, call: resolved.Call) -> Point:
    shape = _transformed(renderer, call)
    if not isinstance(shape, Point):
        raise MisfitError("This is no point.", call.at)
    return shape


def _matrix(call: resolved.Call) -> Matrix | None:
    """The rotation between the two frames of a call; None if they are the same."""
    frames = literal(call, 0), literal(call, 1)
    for frame in frames:
        if frame not in FROM_ICRS:
            raise MisfitError(
                f"{frame[:40]!r} is not a reference frame that can be converted.", call.at, f"They are {', '.join(FROM_ICRS)}."
            )
    return rotation(*frames) if frames[0] != frames[1] else None


def _array(numbers: list[float] | Matrix) -> str:
    return f"ARRAY[{', '.join(map(plain, numbers))}]::float8[]"


_POINTS: dict[str, Callable[[ValueRenderer, resolved.Call], Point]] = {
    "POINT": _point,
    "CENTROID": _centroid,
    "IVO_GEOM_TRANSFORM": _transformed_point,
}
_SHAPES: dict[str, Callable[[ValueRenderer, resolved.Call], Shape]] = {
    "POINT": _point,
    "CENTROID": _centroid,
    "CIRCLE": _circle,
    "BOX": _box,
    "POLYGON": _polygon,
    "MOC": _moc,
    "IVO_GEOM_TRANSFORM": _transformed,
}
"""Functions whose values are geometries."""
