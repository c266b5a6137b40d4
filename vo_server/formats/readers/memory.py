"""Tables that astropy has read into memory as numpy columns → Source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy
import pyarrow
from astropy.table import Table
from astropy.table.serialize import represent_mixins_as_columns
from astropy.time import Time, TimeDelta
from numpy.typing import NDArray

from vo_server.errors import DataError
from vo_server.formats.readers import arrays
from vo_server.formats.readers.instants import parsed_instants
from vo_server.formats.readers.source import BATCH_ROWS, INSTANTS, Source, annotated, arrow_type, clean, distinct
from vo_server.model.columns import Column

PRIMITIVES = {
    "b1": "boolean",
    "i1": "short",
    "u1": "unsignedByte",
    "i2": "short",
    "u2": "int",
    "i4": "int",
    "u4": "long",
    "i8": "long",
    "u8": "long",
    "f2": "float",
    "f4": "float",
    "f8": "double",
}
"""numpy kind and size → VOTable primitive that holds all its values."""


@dataclass(frozen=True, slots=True)
class Series:
    """One column as read: its values (n, …), perhaps masked, and what the file says of it."""

    name: str
    values: Any
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    xtype: str | None = None
    arraysize: str | None = None
    description: str | None = None


def from_series(path: Path, name: str, series: Sequence[Series], *, title: str | None = None, description: str | None = None) -> Source:
    """A Source over columns in memory. DataError names the column and row that no VO table can hold."""
    names, notes = distinct([one.name for one in series])
    columns: list[Column] = []
    data: list[pyarrow.Array] = []
    for unique, one in zip(names, series, strict=True):
        column, values, remarks = _converted(path.name, replace(one, name=unique))
        column, more = annotated(column, unit=one.unit, ucd=one.ucd, utype=one.utype, description=one.description, xtype=one.xtype)
        columns.append(column)
        data.append(values)
        notes += [f"{unique}: {remark}" for remark in remarks] + more
    table = pyarrow.Table.from_arrays(data, schema=pyarrow.schema([(column.name, arrow_type(column)) for column in columns]))

    def batches() -> Iterator[pyarrow.RecordBatch]:
        yield from table.to_batches(max_chunksize=BATCH_ROWS)

    return Source(path, name, tuple(columns), batches, table.num_rows, title, clean(description), tuple(notes))


def from_astropy(path: Path, table: Table) -> Source:
    """An astropy table: times become timestamps, other objects (coordinates, quantities) the plain columns that they consist of."""
    notes: list[str] = []
    for name in table.colnames:
        if isinstance(table[name], Time) and not isinstance(table[name], TimeDelta):
            table[name] = _timestamps(name, table[name], notes)
    plain = represent_mixins_as_columns(table)
    series = [_series(name, plain[name]) for name in plain.colnames]
    meta = {str(key).lower(): value for key, value in table.meta.items()}
    title, description = (meta.get(key) if isinstance(meta.get(key), str) else None for key in ("name", "description"))
    source = from_series(path, path.name.split(".")[0], series, title=title, description=description)
    return replace(source, notes=(*notes, *source.notes))


def _series(name: str, column: Any) -> Series:
    meta = {str(key).lower(): value for key, value in (column.info.meta or {}).items()}
    unit = column.info.unit
    return Series(
        name,
        column if numpy.ma.isMaskedArray(column) else numpy.asarray(column),
        unit=str(unit) if unit is not None else None,
        ucd=meta.get("ucd"),
        utype=meta.get("utype"),
        xtype=meta.get("xtype"),
        description=column.info.description,
    )


def _timestamps(name: str, times: Time, notes: list[str]) -> Any:
    """Instants in microseconds, rounded from the two doubles astropy keeps; in the file's own time scale."""
    exact = times.copy()
    exact.precision = 9
    nanoseconds = numpy.asarray(exact.to_value("datetime64")).astype("datetime64[ns]").astype(numpy.int64)
    notes.append(f"{name}: times became timestamps in microseconds, in the time scale {times.scale.upper()} as in the file")
    rounded = ((nanoseconds + 500) // 1000).astype("datetime64[us]")
    masked = numpy.ma.MaskedArray(rounded, mask=numpy.broadcast_to(numpy.asarray(times.mask), rounded.shape))
    return masked if masked.mask.any() else rounded


def _converted(source: str, one: Series) -> tuple[Column, pyarrow.Array, list[str]]:
    """The column, its values in Arrow, and remarks."""
    values = numpy.ma.getdata(one.values)
    nulls = numpy.ma.getmaskarray(one.values) if numpy.ma.isMaskedArray(one.values) and values.dtype.kind != "V" else None
    if values.dtype.kind == "c":
        raise DataError(
            "complex numbers have no place in a TAP table.",
            source=source,
            column=one.name,
            hint="Store real and imaginary parts as two columns.",
        )
    if values.dtype.kind == "M":
        return _instants(one, values, nulls)
    if values.dtype.kind in "SU":
        return _texts(source, one, values, nulls)
    if values.dtype.kind == "O":
        return _objects(source, one, values, nulls)
    return _numbers(source, one, values, nulls)


def _numbers(source: str, one: Series, values: NDArray[Any], nulls: NDArray[Any] | None) -> tuple[Column, pyarrow.Array, list[str]]:
    datatype = PRIMITIVES.get(values.dtype.str[1:])
    if datatype is None:
        raise DataError(
            f"values of the type {values.dtype} have no place in a TAP table.",
            source=source,
            column=one.name,
            hint="Convert the column first.",
        )
    if values.dtype.kind == "u" and values.dtype.itemsize == 8:
        known = numpy.where(nulls, values.dtype.type(0), values) if nulls is not None else values
        values = arrays.checked_unsigned(known, source=source, column=one.name, first_row=1)
    flat_shape = values.shape[1:]
    if flat_shape in ((), (1,)):
        column = Column(one.name, datatype)
        return column, arrays.scalars(values.reshape(-1), None if nulls is None else nulls.reshape(-1), arrow_type(column)), []
    arraysize = one.arraysize or "x".join(str(size) for size in reversed(flat_shape))
    column = Column(one.name, datatype, arraysize, xtype=one.xtype)
    return column, arrays.fixed_lists(values, nulls, arrow_type(column)), []


def _instants(one: Series, values: NDArray[Any], nulls: NDArray[Any] | None) -> tuple[Column, pyarrow.Array, list[str]]:
    column = Column(one.name, "char", "*", xtype="timestamp")
    micro = values.astype("datetime64[us]")
    gaps = numpy.isnat(micro) if nulls is None else numpy.isnat(micro) | nulls
    lost = bool((micro.astype(values.dtype)[~gaps] != values[~gaps]).any())
    remarks = ["nanoseconds were cut to microseconds"] if lost else []
    return column, pyarrow.array(micro, pyarrow.timestamp("us"), mask=gaps), remarks


def _texts(source: str, one: Series, values: NDArray[Any], nulls: NDArray[Any] | None) -> tuple[Column, pyarrow.Array, list[str]]:
    if values.dtype.kind == "S":
        values = numpy.char.decode(values, "utf-8")
    if values.ndim > 1:
        cells = values.reshape(len(values), -1)
        joined = pyarrow.array([";".join(row) for row in cells.tolist()], pyarrow.large_string())
        return *text_column(source, one.name, one.xtype, joined), [
            f"each row's {cells.shape[1]} strings became one, separated by semicolons"
        ]
    mask = nulls if nulls is not None and nulls.any() else None
    return *text_column(source, one.name, one.xtype, pyarrow.array(values, pyarrow.large_string(), mask=mask)), []


def text_column(source: str, name: str, xtype: str | None, strings: pyarrow.Array) -> tuple[Column, pyarrow.Array]:
    """The column of texts, or of instants if `xtype` says so and they are; and its values. DataError for what cannot be stored."""
    arrays.refuse_nul(strings, source=source, column=name, first_row=1)
    if xtype in INSTANTS:
        instants = parsed_instants(strings)
        if instants is not None:
            return Column(name, "char", "*", xtype="timestamp"), instants
    kept = None if xtype in INSTANTS else xtype
    return Column(name, "char" if arrays.is_ascii(strings) else "unicodeChar", "*", xtype=kept), strings


def _objects(source: str, one: Series, values: NDArray[Any], nulls: NDArray[Any] | None) -> tuple[Column, pyarrow.Array, list[str]]:
    """Python objects: strings, or one array a row."""
    cells: list[Any] = [
        None if missing else value for value, missing in zip(values, nulls if nulls is not None else [False] * len(values), strict=True)
    ]
    known = [cell for cell in cells if cell is not None]
    if all(isinstance(cell, str | bytes) for cell in known):
        strings = [cell.decode() if isinstance(cell, bytes) else cell for cell in cells]
        return *text_column(source, one.name, one.xtype, pyarrow.array(strings, pyarrow.large_string())), []
    pieces = [None if cell is None else _piece(source, one.name, row, cell) for row, cell in enumerate(cells, 1)]
    present = [piece for piece in pieces if piece is not None]
    if any(piece.dtype.kind in "USO" for piece in present):
        joined = [None if piece is None else ";".join(map(str, piece.tolist())) for piece in pieces]
        return *text_column(source, one.name, one.xtype, pyarrow.array(joined, pyarrow.large_string())), [
            "each row's strings became one, separated by semicolons"
        ]
    return _ragged(source, one, pieces, numpy.concatenate(present) if present else numpy.zeros(0))


def _ragged(source: str, one: Series, pieces: list[Any], flat: NDArray[Any]) -> tuple[Column, pyarrow.Array, list[str]]:
    datatype = PRIMITIVES.get(flat.dtype.str[1:])
    if datatype is None:
        raise DataError(
            f"values of the type {flat.dtype} have no place in a TAP table.",
            source=source,
            column=one.name,
            hint="Convert the column first.",
        )
    if flat.dtype.str[1:] == "u8":
        flat = arrays.checked_unsigned(flat, source=source, column=one.name, first_row=1)
    column = Column(one.name, datatype, one.arraysize or "*", xtype=one.xtype)
    lengths = numpy.array([0 if piece is None else piece.size for piece in pieces], dtype=numpy.int64)
    missing = numpy.array([piece is None for piece in pieces], dtype=bool)
    return column, arrays.variable_lists(flat, lengths, arrow_type(column), missing), []


def _piece(source: str, column: str, row: int, cell: Any) -> NDArray[Any]:
    """One row's array, flat; masked floats are NaN. Anything else raises DataError."""
    if isinstance(cell, numpy.ma.MaskedArray):
        cell = cell.filled(numpy.nan) if cell.dtype.kind == "f" else cell.data
    array = numpy.asarray(cell)
    if array.dtype.kind not in "biufUS":
        raise DataError(
            "nested or mixed values have no place in a TAP table.",
            source=source,
            row=row,
            column=column,
            hint="Keep one kind of number in it, or text.",
        )
    return array.reshape(-1)
