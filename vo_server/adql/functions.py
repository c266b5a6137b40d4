"""The functions of the language: one table that the parser (how many arguments), the resolver (types), the translator (SQL) and the
capabilities (what is declared) read.

A function that the table does not list never reaches SQL.
"""

from dataclasses import dataclass
from typing import Literal

from vo_server.model.capability import LanguageFeature

Kind = Literal["number", "integer", "text", "timestamp", "geometry", "point", "any"]
"""What an argument may be."""
Rule = Literal[
    "double", "like first", "integer if all integers", "int", "long", "text", "timestamp", "point", "circle", "polygon", "common"
]
"""How the result's type follows: a fixed type, or from the arguments."""

GEOMETRY = "adqlgeo"
UDF = "udf"
STRING = "adql-string"
CONDITIONAL = "adql-conditional"
UNIT = "adql-unit"
FEATURES = "ivo://ivoa.net/std/TAPRegExt#features-"
"""Identifiers of features in mixed case, which is what clients compare (TAPRegExt 1.0 §2.3)."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    ``parameters`` are the kinds of its arguments, of which ``required`` must be there (None: all); with ``variadic`` the last repeats.
    ``sql`` is a template with ``{0}``, ``{1}``…; without one the translator has a place of its own for it. ``keeps_unit``: the result
    has the unit of the first argument; else ``unit``. ``feature`` is the TAPRegExt feature that declares it, with ``form``; None for what
    every service has. ``coosys``: an optional first text names a coordinate system (§4.2.5). ``plain``: constants of the arguments only.
    """

    name: str
    parameters: tuple[Kind, ...]
    result: Rule
    sql: str | None = None
    required: int | None = None
    variadic: bool = False
    keeps_unit: bool = False
    unit: str | None = None
    feature: str | None = None
    form: str | None = None
    coosys: bool = False
    description: str | None = None

    def accepts(self, count: int) -> bool:
        """Whether it may have `count` arguments (not counting a coordinate system)."""
        least = len(self.parameters) if self.required is None else self.required
        return least <= count and (self.variadic or count <= len(self.parameters))

    @property
    def arity(self) -> str:
        """The number of arguments in words, for messages."""
        least, most = len(self.parameters) if self.required is None else self.required, len(self.parameters)
        if self.variadic:
            return f"at least {least}"
        return "no" if most == 0 else str(least) if least == most else f"{least} to {most}"

    def kind(self, index: int) -> Kind:
        """What argument number `index` (from 0) may be."""
        return self.parameters[min(index, len(self.parameters) - 1)]


def _mathematical(name: str, sql: str, arguments: int = 1, *, unit: str | None = None) -> Function:
    number: Kind = "number"
    return Function(name, (number,) * arguments, "double", sql, unit=unit)


MATHEMATICAL = (
    Function("ABS", ("number",), "like first", "abs({0})", keeps_unit=True),
    _mathematical("ACOS", "acos({0})", unit="rad"),
    _mathematical("ASIN", "asin({0})", unit="rad"),
    _mathematical("ATAN", "atan({0})", unit="rad"),
    _mathematical("ATAN2", "atan2({0}, {1})", 2, unit="rad"),
    Function("CEILING", ("number",), "double", "ceil({0}::float8)", keeps_unit=True),
    _mathematical("COS", "cos({0})"),
    _mathematical("COT", "cot({0})"),
    _mathematical("DEGREES", "degrees({0})", unit="deg"),
    _mathematical("EXP", "exp({0}::float8)"),
    Function("FLOOR", ("number",), "double", "floor({0}::float8)", keeps_unit=True),
    _mathematical("LOG", "ln({0}::float8)"),
    _mathematical("LOG10", "log({0}::float8)"),
    Function("MOD", ("number", "number"), "integer if all integers", None, keeps_unit=True),
    Function("PI", (), "double", "pi()"),
    _mathematical("POWER", "power({0}::float8, {1}::float8)", 2),
    _mathematical("RADIANS", "radians({0})", unit="rad"),
    Function("RAND", ("number",), "double", "random()", required=0),
    Function("ROUND", ("number", "integer"), "double", None, required=1, keeps_unit=True),
    _mathematical("SIN", "sin({0})"),
    _mathematical("SQRT", "sqrt({0}::float8)"),
    _mathematical("TAN", "tan({0})"),
    Function("TRUNCATE", ("number", "integer"), "double", None, required=1, keeps_unit=True),
)
"""ADQL 2.1 §2.3. LOG is the natural logarithm; a value outside a function's domain is an error of the query."""


def _geometrical(name: str, parameters: tuple[Kind, ...], result: Rule, **more: object) -> Function:
    return Function(name, parameters, result, feature=GEOMETRY, form=name, **more)  # type: ignore[arg-type]


GEOMETRICAL = (
    _geometrical("AREA", ("geometry",), "double", unit="deg**2"),
    # not declared until it is translated
    Function("BOX", ("any", "number", "number", "number"), "polygon", required=3, coosys=True),
    _geometrical("CENTROID", ("geometry",), "point"),
    _geometrical("CIRCLE", ("any", "number", "number"), "circle", required=2, coosys=True),
    _geometrical("CONTAINS", ("geometry", "geometry"), "int"),
    _geometrical("COORD1", ("point",), "double", unit="deg"),
    _geometrical("COORD2", ("point",), "double", unit="deg"),
    _geometrical("COORDSYS", ("geometry",), "text"),
    _geometrical("DISTANCE", ("any", "any", "number", "number"), "double", required=2, unit="deg"),
    _geometrical("INTERSECTS", ("geometry", "geometry"), "int"),
    _geometrical("POINT", ("number", "number"), "point", coosys=True),
    _geometrical("POLYGON", ("any", "any", "any"), "polygon", variadic=True, coosys=True),
    # as BOX
    Function("REGION", ("text",), "polygon"),
)
"""ADQL 2.1 §4.2."""

TEXTUAL = (
    Function("LOWER", ("text",), "text", "lower({0})", feature=STRING, form="LOWER"),
    Function("UPPER", ("text",), "text", "upper({0})", feature=STRING, form="UPPER"),
)
"""ADQL 2.1 §4.4."""

CHOOSING = (
    Function("COALESCE", ("any",), "common", None, variadic=True, keeps_unit=True, feature=CONDITIONAL, form="COALESCE"),
    Function("NULLIF", ("any", "any"), "common", "nullif({0}, {1})", keeps_unit=True),
    Function("GREATEST", ("any",), "common", None, variadic=True, keeps_unit=True),
    Function("LEAST", ("any",), "common", None, variadic=True, keeps_unit=True),
)
"""ADQL 2.1 §4.8, and what SQL has beside COALESCE (extensions)."""

CONVERTING = (Function("IN_UNIT", ("number", "text"), "double", None, feature=UNIT, form="IN_UNIT"),)
"""ADQL 2.1 §4.9."""

USER_DEFINED: tuple[Function, ...] = ()
"""Functions of the IVOA catalogue (ADQL 2.1 §4.3); ``form`` is the signature that TAPRegExt declares."""

ALL = (*MATHEMATICAL, *GEOMETRICAL, *TEXTUAL, *CHOOSING, *CONVERTING, *USER_DEFINED)
BY_NAME: dict[str, Function] = {function.name: function for function in ALL}

CONSTRUCTORS = frozenset({"POINT", "CIRCLE", "BOX", "POLYGON", "REGION", "CENTROID"})
"""Functions whose value is a geometry."""

PREDICATES = frozenset({"CONTAINS", "INTERSECTS"})

_SYNTAX = (
    (STRING, "ILIKE"),
    ("adql-common-table", "WITH"),
    ("adql-sets", "UNION"),
    ("adql-sets", "EXCEPT"),
    ("adql-sets", "INTERSECT"),
    ("adql-type", "CAST"),
    ("adql-offset", "OFFSET"),
)
"""Features that are syntax and no function (ADQL 2.1 §4)."""


def features() -> tuple[LanguageFeature, ...]:
    """What /capabilities declares: every form of the table, by feature (TAPRegExt 1.0 §2.3)."""
    forms: dict[str, list[tuple[str, str | None]]] = {}
    for function in ALL:
        if function.feature is not None:
            forms.setdefault(function.feature, []).append((function.form or function.name, function.description))
    for feature, form in _SYNTAX:
        forms.setdefault(feature, []).append((form, None))
    return tuple(LanguageFeature(FEATURES + feature, tuple(listed)) for feature, listed in forms.items())
