"""What a reader hands over: columns, and batches whose Arrow types fit them."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow

from vo_server.errors import DataError, TooLargeError
from vo_server.formats.readers.ucds import ucd as checked_ucd
from vo_server.formats.readers.units import vounit
from vo_server.model.columns import Column

BATCH_BYTES = 8 << 20
BATCH_ROWS = 65_536

ARROW_TYPES = {
    "boolean": pyarrow.bool_(),
    "unsignedByte": pyarrow.int16(),
    "short": pyarrow.int16(),
    "int": pyarrow.int32(),
    "long": pyarrow.int64(),
    "float": pyarrow.float32(),
    "double": pyarrow.float64(),
    "char": pyarrow.large_string(),
    "unicodeChar": pyarrow.large_string(),
}
"""VOTable primitive → the Arrow type of one element, as COPY into Column.sql_type needs it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that is read of a stranger's table: rows, and bytes of memory that its values take."""

    rows: int
    size: int
    columns: int = 1500
    """PostgreSQL allows 1600 in a table, less in some results."""

    def check(self, name: str, rows: int = 0, size: int = 0, columns: int = 0) -> None:
        """TooLargeError, which names the limit, if so many rows, bytes or columns are more than that."""
        if columns > self.columns:
            raise TooLargeError(f"{name}: the table has more than {self.columns} columns.", hint=SMALLER)
        if rows > self.rows:
            raise TooLargeError(f"{name}: the table has more than {self.rows} rows, the limit for uploads.", hint=SMALLER)
        if size > self.size:
            raise TooLargeError(f"{name}: the values take more than {self.size} bytes, too much for an upload.", hint=SMALLER)


SMALLER = "Send only the rows and columns that the query needs, or send it in parts."


@dataclass(frozen=True, slots=True)
class Source:
    """One table of a file.

    ``batches`` may be called several times; its batches have `schema`, column by column as `columns`. ``notes`` are sentences about
    what did not go over as it stood. ``other_tables`` names the file's other tables, in order, as `open_table` takes them;
    ``other_table`` gives one of them from what was read already, and is None where a file need not be read as a whole for one of them.
    """

    path: Path
    name: str
    columns: tuple[Column, ...]
    batches: Callable[[], Iterator[pyarrow.RecordBatch]]
    nrows: int | None = None
    title: str | None = None
    description: str | None = None
    notes: tuple[str, ...] = ()
    other_tables: tuple[str, ...] = ()
    other_table: "Callable[[str], Source] | None" = None

    @property
    def schema(self) -> pyarrow.Schema:
        """The Arrow schema of every batch."""
        return pyarrow.schema([(column.name, arrow_type(column)) for column in self.columns])

    def limited_to(self, names: Collection[str]) -> "Source":
        """The same table without columns of other names. DataError names those that are not there."""
        places = [place for place, column in enumerate(self.columns) if column.name in names]
        columns = tuple(self.columns[place] for place in places)
        if missing := sorted(set(names) - {column.name for column in columns}):
            known = ", ".join(column.name for column in self.columns)
            raise DataError(f"there is no column {', '.join(missing)}.", source=self.path.name, hint=f"Columns are: {known}.")
        if not columns:
            raise DataError("no column is left of it.", source=self.path.name, hint="Describe those to publish in [columns].")
        return replace(self, columns=columns, batches=lambda: (batch.select(places) for batch in self.batches()))


def arrow_type(column: Column) -> pyarrow.DataType:
    """The Arrow type that COPY into ``column.sql_type`` needs; arrays are flat lists."""
    if column.is_timestamp:
        return pyarrow.timestamp("us")
    element = ARROW_TYPES[column.datatype]
    return pyarrow.list_(element) if column.is_array else element


def batch_rows(row_bytes: int) -> int:
    """How many rows of this size make a batch."""
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, row_bytes)))


INSTANTS = ("timestamp", "adql:TIMESTAMP")
"""xtypes of instants: DALI's, and the one of TAP 1.0. A file's word alone does not make a column one of instants: its values do."""


def annotated(
    column: Column, *, unit: str | None, ucd: str | None, utype: str | None, description: str | None, xtype: str | None = None
) -> tuple[Column, list[str]]:
    """`column` with the metadata a file gives, unit and UCD checked; and the remarks about them, each naming the column."""
    vo_unit, unit_remark = vounit(unit or "")
    vo_ucd, ucd_remark = checked_ucd(ucd or "")
    said = f"{description or ''} [{unit}]" if unit_remark else description  # people may still want to know
    kept = column.xtype or (clean(xtype) if xtype not in INSTANTS else None)
    full = replace(column, unit=vo_unit, ucd=vo_ucd, utype=clean(utype), description=clean(said), xtype=kept)
    return full, [f"{column.name}: {remark}" for remark in (unit_remark, ucd_remark) if remark]


def clean(text: str | None) -> str | None:
    """`text` with blanks and line breaks collapsed, and without control characters; None when nothing is left."""
    if text and not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join((text or "").split()) or None


def distinct(names: list[str]) -> tuple[list[str], list[str]]:
    """Names without twins or gaps: an empty one becomes ``col<n>``, a repeated one gets ``_2``, ``_3``; and a note on each change."""
    taken: set[str] = set()
    notes: list[str] = []
    unique: list[str] = []
    for number, given in enumerate(names, 1):
        base = given.strip() or f"col{number}"
        name, count = base, 1
        while name in taken or (name != given and name in names):
            count += 1
            name = f"{base}_{count}"
        if name != given:
            notes.append(f"column {number}, {given!r} in the file, is called {name}")
        taken.add(name)
        unique.append(name)
    return unique, notes
