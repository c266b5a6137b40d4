"""A column as VOTable, TAP_SCHEMA and PostgreSQL see it (VOTable 1.5 §2–4, TAP 1.1 §4.3, DALI 1.1 §3.3)."""

import re
from dataclasses import dataclass

SQL_TYPES: dict[str, str] = {
    "boolean": "boolean",
    "unsignedByte": "smallint",  # PostgreSQL has no unsigned byte
    "short": "smallint",
    "int": "integer",
    "long": "bigint",
    "float": "real",
    "double": "double precision",
    "char": "text",
    "unicodeChar": "text",
}
"""VOTable primitive → the PostgreSQL type that holds one element."""

TEXTS = ("char", "unicodeChar")
INTEGERS = ("unsignedByte", "short", "int", "long")
FLOATS = ("float", "double")
NUMBERS = INTEGERS + FLOATS

CELL = "_hpx29"
"""The hidden column of a published table with positions: HEALPix order-29 NESTED cell of the row. Never listed, never returned."""

POLYGON_TEXT = "adql:REGION"
"""xtype of a region written as STC-S text, as ObsCore's s_region is (ObsCore 1.1 §4.12)."""


SERVED_XTYPES = ("timestamp", "interval", "point", "circle", "polygon", "moc")
"""xtypes written as they are: those of DALI 1.1 §3.3, to which the VOTables we write refer, and ``moc`` of DALI 1.2, which queries
understand here and by which TOPCAT draws.
"""

DRAFTED_XTYPES = ("hms", "dms", "range", "shape", "multishape", "multiinterval", "uri", "uuid", "json")
"""What DALI 1.2 adds."""


def served_xtype(xtype: str | None) -> str | None:
    """The xtype of somebody's table as we serve it. What DALI 1.1 does not know gets a prefix, as its §3.3 asks for: ``dali`` for words of
    DALI 1.2, ``x`` for all others; the word itself stays, for those who know it.
    """
    if not xtype or xtype in SERVED_XTYPES or xtype.find(":") > 0:
        return xtype
    return f"{'dali' if xtype in DRAFTED_XTYPES else 'x'}:{xtype.lstrip(':')}"


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that belong together (a value and its error, the three of a vector): VOTable 1.5 §4.9."""

    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table or of a result.

    ``datatype`` is a VOTable primitive (a key of SQL_TYPES); ``arraysize`` is in VOTable's syntax and absent for scalars
    (never "1"); texts are ``char`` or ``unicodeChar`` with ``*``. Arrays are stored flat: "2x8" is 16 elements.
    ``name`` is the bare spelling, without quotes. ``frame`` is a word of the IVOA's vocabulary refframe, ``epoch`` such as J1991.25: the
    frame, and the instant, that coordinates refer to.
    """

    name: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None
    indexed: bool = False
    principal: bool = False
    std: bool = False
    frame: str | None = None
    epoch: str | None = None
    group: Group | None = None

    def __post_init__(self) -> None:
        if self.datatype not in SQL_TYPES:
            raise ValueError(f"column {self.name}: {self.datatype} is not a VOTable datatype we serve")

    @property
    def is_text(self) -> bool:
        """Whether the column holds character strings (one a row)."""
        return self.datatype in TEXTS and self.xtype != "timestamp"

    @property
    def is_timestamp(self) -> bool:
        """Whether the column holds instants (PostgreSQL ``timestamp``, VOTable char with xtype timestamp)."""
        return self.xtype == "timestamp"

    @property
    def is_array(self) -> bool:
        """Whether a cell holds several elements (a string counts as one)."""
        return self.arraysize is not None and self.datatype not in TEXTS

    @property
    def length(self) -> int | None:
        """Number of elements of a fixed-size array; None for scalars and variable arrays."""
        if not self.is_array or not re.fullmatch(r"\d+(x\d+)*", self.arraysize or ""):
            return None
        product = 1
        for factor in (self.arraysize or "").split("x"):
            product *= int(factor)
        return product

    @property
    def sql_type(self) -> str:
        """The PostgreSQL type that stores the column: one of the closed list that streaming knows."""
        if self.is_timestamp:
            return "timestamp"
        return SQL_TYPES[self.datatype] + ("[]" if self.is_array else "")


def text(name: str, **metadata: str | None) -> Column:
    """A column of ASCII strings."""
    return Column(name, "char", "*", **metadata)  # type: ignore[arg-type]
