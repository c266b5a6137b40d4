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
    "double",
    "like first",
    "like last",
    "integer if all integers",
    "int",
    "long",
    "integers",
    "text",
    "point",
    "circle",
    "polygon",
    "moc",
    "common",
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
    has the unit of the first argument; else ``unit``. ``feature`` is the TAPRegExt feature that declares it in each of its ``forms``,
    None for what every service has. ``coosys``: an optional first text names a coordinate system (§4.2.5). ``aggregate``: it is a value of
    all rows of a group.
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
    forms: tuple[str, ...] = ()
    coosys: bool = False
    aggregate: bool = False
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
    return Function(name, parameters, result, feature=GEOMETRY, forms=(name,), **more)  # type: ignore[arg-type]


GEOMETRICAL = (
    _geometrical("AREA", ("geometry",), "double", unit="deg**2"),
    _geometrical("BOX", ("any", "number", "number", "number"), "polygon", required=3, coosys=True),
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
    _geometrical("REGION", ("text",), "polygon"),
)
"""ADQL 2.1 §4.2."""

TEXTUAL = (
    Function("LOWER", ("text",), "text", "lower({0})", feature=STRING, forms=("LOWER",)),
    Function("UPPER", ("text",), "text", "upper({0})", feature=STRING, forms=("UPPER",)),
)
"""ADQL 2.1 §4.4."""

CHOOSING = (
    Function("COALESCE", ("any",), "common", None, variadic=True, keeps_unit=True, feature=CONDITIONAL, forms=("COALESCE",)),
    Function(
        "NULLIF",
        ("any", "any"),
        "common",
        "nullif({0}, {1})",
        keeps_unit=True,
        feature=UDF,
        forms=("NULLIF(value ANY, other ANY) -> ANY",),
        description="NULL if both are equal, else the first.",
    ),
    *(
        Function(
            name,
            ("any",),
            "common",
            None,
            variadic=True,
            keeps_unit=True,
            feature=UDF,
            forms=(f"{name}(value ANY, other ANY) -> ANY", f"{name}(value ANY, other ANY, third ANY) -> ANY"),
            description=f"The {which} of two or more values; NULLs do not count.",
        )
        for name, which in (("GREATEST", "largest"), ("LEAST", "smallest"))
    ),
)
"""ADQL 2.1 §4.8, and what SQL has beside COALESCE (extensions), which is declared as other user-defined functions are."""

CONVERTING = (Function("IN_UNIT", ("number", "text"), "double", None, feature=UNIT, forms=("IN_UNIT",)),)
"""ADQL 2.1 §4.9."""


def _catalogued(*forms: str, kinds: tuple[Kind, ...], result: Rule, description: str, **more: object) -> Function:
    name = forms[0].partition("(")[0].upper()
    return Function(name, kinds, result, feature=UDF, forms=forms, description=description, **more)  # type: ignore[arg-type]


USER_DEFINED = (
    _catalogued(
        "ivo_healpix_index(hpxOrder INTEGER, long REAL, lat REAL) -> BIGINT",
        "ivo_healpix_index(hpxOrder INTEGER, point POINT) -> BIGINT",
        kinds=("integer", "any", "number"),
        required=2,
        result="long",
        description="Number of the HEALPix cell (NESTED, of order hpxOrder from 0 to 29) that holds a position in degrees.",
    ),
    _catalogued(
        "ivo_healpix_center(hpxOrder INTEGER, hpxIndex BIGINT) -> POINT",
        kinds=("integer", "integer"),
        result="point",
        sql="vo.healpix_center({0}::integer, {1}::bigint)",
        description="Centre of the HEALPix cell (NESTED) with this number at this order.",
    ),
    _catalogued(
        "ivo_epoch_prop_pos(ra DOUBLE, dec DOUBLE, parallax DOUBLE, pmra DOUBLE, pmdec DOUBLE,"
        " radial_velocity DOUBLE, ref_epoch DOUBLE, out_epoch DOUBLE) -> POINT",
        kinds=("number",) * 8,
        result="point",
        sql="vo.epoch_prop({0}, {1}, {2}, {3}, {4}, {5}, {6}, {7})",
        description="Position of a star at out_epoch after moving uniformly through space since ref_epoch (Julian years)."
        " Angles are in deg, parallax in mas, proper motions in mas/yr (pmra includes cos dec), radial_velocity in km/s."
        " A parallax that is missing or not positive means infinitely far, another missing motion none.",
    ),
    _catalogued(
        "ivo_geom_transform(from_sys CHAR, to_sys CHAR, geo POINT) -> POINT",
        "ivo_geom_transform(from_sys CHAR, to_sys CHAR, geo CIRCLE) -> CIRCLE",
        "ivo_geom_transform(from_sys CHAR, to_sys CHAR, geo POLYGON) -> POLYGON",
        kinds=("text", "text", "geometry"),
        result="like last",
        description="A geometry in another reference frame: ICRS, FK5 (J2000), FK4 (B1950), GALACTIC, SUPER_GALACTIC or ECLIPTIC (J2000),"
        " written as literals.",
    ),
    _catalogued(
        "ivo_to_jd(d TIMESTAMP) -> DOUBLE",
        kinds=("timestamp",),
        result="double",
        unit="d",
        sql="(vo.mjd({0}) + 2400000.5)",
        description="Julian date of an instant; no conversion between time scales.",
    ),
    _catalogued(
        "ivo_to_mjd(d TIMESTAMP) -> DOUBLE",
        kinds=("timestamp",),
        result="double",
        unit="d",
        sql="vo.mjd({0})",
        description="Modified Julian date of an instant; no conversion between time scales.",
    ),
    _catalogued(
        "ivo_string_agg(expression CHAR, delimiter CHAR) -> CHAR",
        kinds=("text", "text"),
        result="text",
        aggregate=True,
        sql="string_agg({0}::text, {1}::text)",
        description="All texts of a group in one, with the delimiter between them; missing ones are left out.",
    ),
    _catalogued(
        "ivo_nocasematch(value CHAR, pattern CHAR) -> INTEGER",
        kinds=("text", "text"),
        result="int",
        sql="({0} ILIKE {1} ESCAPE '')::integer",
        description="1 if value ILIKE pattern, else 0.",
    ),
    _catalogued(
        "ivo_hasword(haystack CHAR, needle CHAR) -> INTEGER",
        kinds=("text", "text"),
        result="int",
        sql="(to_tsvector('simple', {0}) @@ plainto_tsquery('simple', {1}))::integer",
        description="1 if all words of needle occur in haystack, ignoring case, else 0.",
    ),
    _catalogued(
        "ivo_hashlist_has(hashlist CHAR, item CHAR) -> INTEGER",
        kinds=("text", "text"),
        result="int",
        sql="(lower({1}) = ANY (string_to_array(lower({0}), '#')))::integer",
        description="1 if item is one of the words that hashlist joins by #, ignoring case, else 0.",
    ),
    _catalogued(
        "ivo_histogram(val DOUBLE, lower DOUBLE, upper DOUBLE, nbins INTEGER) -> INTEGER[]",
        kinds=("number", "number", "number", "integer"),
        result="integers",
        aggregate=True,
        sql="vo.histogram({0}::float8, {1}::float8, {2}::float8, {3}::integer)",
        description="How many values of a group lie below lower (or are missing), in each of nbins bins of equal width, at or above upper.",
    ),
    _catalogued(
        "ivo_normal_random(mu DOUBLE, sigma DOUBLE) -> DOUBLE",
        kinds=("number", "number"),
        result="double",
        sql="vo.normal_random({0}, {1})",
        description="A random number of the normal distribution with mean mu and standard deviation sigma, another one for each row.",
    ),
    _catalogued(
        "ivo_interval_overlaps(a1 DOUBLE, b1 DOUBLE, a2 DOUBLE, b2 DOUBLE) -> INTEGER",
        kinds=("number",) * 4,
        result="int",
        sql="({0} <= {1} AND {2} <= {3} AND {0} <= {3} AND {2} <= {1})::integer",
        description="1 if the intervals a1 to b1 and a2 to b2, ends included, have a number in common, else 0.",
    ),
    _catalogued(
        "ivo_hms_to_degrees(hms CHAR) -> DOUBLE",
        kinds=("text",),
        result="double",
        unit="deg",
        sql="(vo.sexagesimal({0}, 'h') * 15)",
        description="Degrees from hours, minutes and seconds as h:m:s, hhmmss or 1h2m3s; NULL for anything else.",
    ),
    _catalogued(
        "ivo_dms_to_degrees(dms CHAR) -> DOUBLE",
        kinds=("text",),
        result="double",
        unit="deg",
        sql="vo.sexagesimal({0}, 'd')",
        description="Degrees from degrees, minutes and seconds of arc as d:m:s, ddmmss or 1d2m3s, with or without sign;"
        " NULL for anything else.",
    ),
    _catalogued(
        "MOC(moc CHAR) -> MOC",
        "MOC(mocOrder INTEGER, region POINT) -> MOC",
        "MOC(mocOrder INTEGER, region CIRCLE) -> MOC",
        "MOC(mocOrder INTEGER, region POLYGON) -> MOC",
        kinds=("any", "geometry"),
        required=1,
        result="moc",
        description="A region of the sky as a literal MOC in ASCII (order/cells, ICRS), or the cells of an order that have something of a"
        " constant shape, to be used in CONTAINS, INTERSECTS and AREA.",
    ),
)
"""Functions of the IVOA catalogue (ADQL 2.1 §4.3), and MOC, which has no place in the standard yet. All but ivo_simbadpoint, which needs
another server; ``forms`` are the signatures that TAPRegExt declares."""

ALL = (*MATHEMATICAL, *GEOMETRICAL, *TEXTUAL, *CHOOSING, *CONVERTING, *USER_DEFINED)
BY_NAME: dict[str, Function] = {function.name: function for function in ALL}

CONSTRUCTORS = frozenset({"POINT", "CIRCLE", "BOX", "POLYGON", "REGION", "CENTROID", "MOC"})
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

_EXTRA_WORDS = "ivo://org.gavo.dc/std/exts#extra-adql-keywords"
"""Where pyvo's search of a registry by position looks for the form MOC."""

_AS_FUNCTIONS = {
    "COALESCE": ("COALESCE(value ANY, replacement ANY) -> ANY", "COALESCE(value ANY, replacement ANY, last ANY) -> ANY"),
}
"""Forms of features that older validators refuse, as signatures of user-defined functions."""


def features(*, newer: bool) -> tuple[LanguageFeature, ...]:
    """What /capabilities declares: every form of the table, by feature (TAPRegExt 1.0 §2.3).

    Without `newer`, features that validators of before ADQL 2.1 do not know are declared among the user-defined functions.
    """
    forms: dict[str, list[tuple[str, str | None]]] = {}
    for function in ALL:
        if function.feature is not None:
            unknown = function.feature == CONDITIONAL and not newer
            declared = forms.setdefault(UDF if unknown else function.feature, [])
            forms_ = [known for form in function.forms for known in _AS_FUNCTIONS[form]] if unknown else function.forms
            declared += [(form, function.description) for form in forms_]
    for feature, form in _SYNTAX:
        forms.setdefault(feature, []).append((form, None))
    listed = tuple(LanguageFeature(FEATURES + feature, tuple(listed)) for feature, listed in forms.items())
    return (*listed, LanguageFeature(_EXTRA_WORDS, (("MOC", None),))) if newer else listed
