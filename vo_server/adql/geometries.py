"""What the arguments of geometries must be (ADQL 2.1 §4.2)."""

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
}
"""The two forms of each geometry: by points, or by coordinates."""

_LATITUDES = {"POINT": (1,), "CIRCLE": (1,), "BOX": (1,), "DISTANCE": (1, 3)}
"""Where the arguments are numbers: which of them are latitudes."""


def geometry_kinds(name: str, arguments: tuple[tree.Value, ...]) -> tuple[Kind, ...] | None:
    """The kinds of arguments that this form of a geometry takes; None for other functions."""
    if name == "POLYGON":
        points = any(isinstance(argument, tree.Call) and argument.name in CONSTRUCTORS for argument in arguments) or len(arguments) % 2
        kind: Kind = "point" if points or len(arguments) < 6 else "number"
        return (kind,) * len(arguments)
    return _FORMS.get((name, len(arguments)))


def coordinate_fault(name: str, arguments: tuple[resolved.Value, ...]) -> tuple[int, str] | None:
    """The number of a constant argument that no geometry can have, and what is wrong with it; None if all is well."""
    numeric = bool(arguments) and arguments[0].column.xtype is None
    latitudes = range(1, len(arguments), 2) if name == "POLYGON" else _LATITUDES.get(name, ())
    for index in latitudes if numeric else ():
        value = known(arguments[index])
        if value is not None and not -90 <= value <= 90:
            return index, f"The latitude {value} lies outside -90 to 90 degrees."
    if name in ("CIRCLE", "BOX"):
        for index in (-1,) if name == "CIRCLE" else (-2, -1):
            value = known(arguments[index])
            if value is not None and value < 0:
                return len(arguments) + index, f"The size {value} is negative."
    return None
