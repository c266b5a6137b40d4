"""Types of values: what may be combined with what, and what comes out (ADQL 2.1 §3)."""

import re
from collections.abc import Sequence
from datetime import date, time
from typing import Literal

from vo_server.adql.functions import Kind
from vo_server.adql.resolved import Constant, Value
from vo_server.adql.units import common
from vo_server.model.columns import INTEGERS, NUMBERS, POLYGON_TEXT, Column

Category = Literal["number", "text", "timestamp", "geometry", "boolean", "array", "null"]

SHAPES = ("point", "circle", "polygon")
"""xtypes of geometries stored as arrays of degrees (DALI 1.1 §3.3.5–7)."""
REGION_TEXTS = (POLYGON_TEXT, "moc")
"""xtypes of regions in words."""

INT = Column("", "int")
LONG = Column("", "long")
DOUBLE = Column("", "double")
BOOLEAN = Column("", "boolean")
TEXT = Column("", "char", "*")
UNICODE = Column("", "unicodeChar", "*")
TIMESTAMP = Column("", "char", "*", "timestamp")
POINT = Column("", "double", "2", "point", "deg")
CIRCLE = Column("", "double", "3", "circle", "deg")
POLYGON = Column("", "double", "*", "polygon", "deg")
MOC = Column("", "char", "*", "moc")
INTEGER_ARRAY = Column("", "int", "*")

CAST_COLUMNS = {
    "SMALLINT": Column("", "short"),
    "INTEGER": INT,
    "BIGINT": LONG,
    "REAL": Column("", "float"),
    "DOUBLE PRECISION": DOUBLE,
    "CHAR": TEXT,
    "VARCHAR": TEXT,
    "TIMESTAMP": TIMESTAMP,
    "POINT": POINT,
    "CIRCLE": CIRCLE,
    "POLYGON": POLYGON,
}
"""What CAST makes (§4.7.1)."""

MAX_INT, MAX_LONG = 2**31 - 1, 2**63 - 1
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?")
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*")


def category(value: Value) -> Category:
    """The kind of a value, as far as operators care."""
    if isinstance(value, Constant) and value.value is None:
        return "null"
    return category_of(value.column)


def category_of(column: Column) -> Category:
    """The kind of a column's values."""
    if column.is_timestamp:
        return "timestamp"
    if column.xtype in SHAPES and column.is_array:
        return "geometry"
    if column.is_array:
        return "array"
    if column.datatype in NUMBERS:
        return "number"
    return "boolean" if column.datatype == "boolean" else "text"


def is_geometry(value: Value) -> bool:
    """Whether a value can be an argument of CONTAINS and its like: an array of degrees, or a region as text (ObsCore's s_region)."""
    return category(value) in ("geometry", "null") or value.column.xtype in REGION_TEXTS


def of_number(value: float) -> Column:
    """The type of a number in a query."""
    if isinstance(value, int):
        return INT if value <= MAX_INT else LONG if value <= MAX_LONG else DOUBLE
    return DOUBLE


def of_text(value: str) -> Column:
    """The type of a text in a query."""
    return TEXT if value.isascii() else UNICODE


def arithmetic(left: Column, right: Column) -> str:
    """The datatype of a sum or product, as PostgreSQL computes it: integers stay, REAL stays among its like, all else is DOUBLE."""
    if left.datatype in INTEGERS and right.datatype in INTEGERS:
        widest = max(left.datatype, right.datatype, key=INTEGERS.index)
        return "short" if widest == "unsignedByte" else widest
    return "float" if left.datatype == right.datatype == "float" else "double"


def instant(text: str) -> str | None:
    """A text that is an instant of DALI 1.1 §3.3.3, without the closing Z; None if it is none."""
    if not _INSTANT.fullmatch(text):
        return None
    minute, second = text[11:16] or "00:00", text[16:19]
    try:
        date.fromisoformat(text[:10])
        time.fromisoformat(minute if second == ":60" else minute + second.removesuffix("Z"))  # a leap second is no mistake
    except ValueError:
        return None
    return text.removesuffix("Z")


def number(text: str) -> int | float | None:
    """The number that a text spells, None if it spells none."""
    if not _NUMBER.fullmatch(text):
        return None
    stripped = text.strip()
    return int(stripped) if stripped.lstrip("+-").isdigit() and len(stripped) < 19 else float(stripped)


def unify(values: Sequence[Value]) -> Column | None:
    """The type that alternatives (CASE, COALESCE, set operations) share; metadata of the first. None if they do not fit together."""
    known = [value.column for value in values if category(value) != "null"]
    if not known:
        return TEXT
    return unify_columns(known)


def unify_columns(columns: Sequence[Column]) -> Column | None:
    """As `unify`, for columns."""
    merged = columns[0]
    for column in columns[1:]:
        step = _merge(merged, column)
        if step is None:
            return None
        merged = step
    return merged


def _merge(left: Column, right: Column) -> Column | None:
    kind, other = category_of(left), category_of(right)
    if kind != other:
        return None
    if kind == "number":
        unit = common(left.unit, right.unit)
        return Column(left.name, arithmetic(left, right), None, None, unit, left.ucd, left.utype, left.description)
    if kind == "text":
        datatype = "unicodeChar" if "unicodeChar" in (left.datatype, right.datatype) else "char"
        return Column(
            left.name, datatype, "*", left.xtype if left.xtype == right.xtype else None, left.unit, left.ucd, left.utype, left.description
        )
    if kind in ("array", "geometry") and (left.datatype != right.datatype or left.xtype != right.xtype):
        return None
    return left


def fits(value: Value, kind: Kind) -> bool:
    """Whether a value may be an argument of this kind."""
    found = category(value)
    if found == "null" or kind == "any":
        return True
    if kind == "geometry":
        return is_geometry(value)
    if kind == "point":
        return value.column.xtype == "point"
    if kind == "integer":
        return value.column.datatype in INTEGERS and found == "number"
    if kind == "timestamp":
        return found in ("timestamp", "text")
    return found == kind


WORDS: dict[Kind, str] = {
    "number": "a number",
    "integer": "an integer",
    "text": "a text",
    "timestamp": "an instant",
    "geometry": "a geometry",
    "point": "a point",
    "any": "a value",
}
"""Kinds of arguments in words."""

CATEGORY_WORDS: dict[Category, str] = {
    "number": "a number",
    "text": "a text",
    "timestamp": "an instant",
    "geometry": "a geometry",
    "boolean": "a truth value",
    "array": "an array",
    "null": "NULL",
}
"""Categories in words."""
