"""What the arguments of geometries must be (ADQL 2.1 §4.2)."""

from collections.abc import Iterator

from vo_server.adql import resolved, tree
from vo_server.adql.constants import known
from vo_server.adql.functions import CONSTRUCTORS, Kind

_FORMS: dict[tuple[str, int], tuple[Kind, ...]] = {
    ("CIRCLE", 2): ("point", "number"),
    ("CIRCLE", 3): ("number", "number", "number"),
    ("BOX", 3): ("point", "number", "number"),
    ("BOX", 4): ("number", "number", "number", "number"),
    ("DISTANCE", 2): ("point", "point"),
    ("DISTANCE", 4): ("number", "number", "number", "number"),
    ("IVO_HEALPIX_INDEX", 2): ("integer", "point"),
    ("IVO_HEALPIX_INDEX", 3): ("integer", "number", "number"),
}
"""The two forms of each function: by points, or by coordinates."""

LATITUDES = {("POINT", 2): (1,), ("CIRCLE", 3): (1,), ("BOX", 4): (1,), ("DISTANCE", 4): (1, 3), ("IVO_HEALPIX_INDEX", 3): (2,)}
"""Which arguments are latitudes."""
_SIZES = {"CIRCLE": (-1,), "BOX": (-2, -1)}
_ORDERS = ("IVO_HEALPIX_INDEX", "IVO_HEALPIX_CENTER")


def geometry_kinds(name: str, arguments: tuple[tree.Value, ...], *, points: bool) -> tuple[Kind, ...] | None:
    """The kinds of arguments that this form of a geometry takes; None for other functions. `points`: the first argument is one."""
    if name == "POLYGON":
        made = any(isinstance(argument, tree.Call) and argument.name in CONSTRUCTORS for argument in arguments)
        kind: Kind = "point" if points or made or len(arguments) % 2 or len(arguments) < 6 else "number"
        return (kind,) * len(arguments)
    return _FORMS.get((name, len(arguments)))


def coordinate_fault(name: str, arguments: tuple[resolved.Value, ...]) -> tuple[int, str] | None:
    """The number of a constant argument that no geometry can have, and what is wrong with it; None if all is well."""
    return next(_faults(name, arguments), None)


def _faults(name: str, arguments: tuple[resolved.Value, ...]) -> Iterator[tuple[int, str]]:
    count = len(arguments)
    numbers = name == "POLYGON" and arguments[0].column.xtype is None
    for index in range(1, count, 2) if numbers else LATITUDES.get((name, count), ()):
        value = known(arguments[index])
        if value is not None and not -90 <= value <= 90:
            yield index, f"The latitude {value} lies outside -90 to 90 degrees."
    for index in _SIZES.get(name, ()):
        value = known(arguments[index])
        if value is not None and value < 0:
            yield count + index, f"The size {value} is negative."
    order = known(arguments[0]) if name in _ORDERS else None
    if order is not None and not 0 <= order <= 29:
        yield 0, f"The order {order} lies outside 0 to 29."
