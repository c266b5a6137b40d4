"""Rows of a VOTable as BINARY2 or BINARY in base64 (VOTable 1.5 §5.3–5.4).

BINARY has no flags for nulls. There a null string or variable array is empty, a null float NaN, a null boolean ``?``, and a null
integer the smallest of its type, which the FIELD declares by VALUES (bytes become shorts for that). A table that holds this very number
is refused, since it would read back as NULL: whoever wants BINARY gets no wrong rows, and everybody else has BINARY2.

A row is a sequence of runs of fixed width (null flags, numbers, and the count of the variable cell that follows), with the variable cells
between them. Each run is one big-endian numpy record array, which Arrow then interleaves with the variable cells in one kernel.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pybase64

from vo_server.errors import DataError
from vo_server.formats import votable
from vo_server.formats.cells import EMPTY, elements, offsets_of, refuse_null_integers, timestamp_text
from vo_server.formats.texts import HIGH, ascii_only, classes_in, string_bytes
from vo_server.formats.writer import Writer
from vo_server.model.columns import INTEGERS, Column
from vo_server.model.result import Outcome, TableHead

WIRE_TYPES = {
    "boolean": "u1",
    "unsignedByte": "u1",
    "short": ">i2",
    "int": ">i4",
    "long": ">i8",
    "float": ">f4",
    "double": ">f8",
}
"""VOTable primitive → numpy type of one element on the wire."""

NOTHING = pa.scalar(b"")
ARROW_TYPES = {
    "unsignedByte": pa.int16(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
}
"""VOTable number → the Arrow type it arrives as."""


@dataclass(frozen=True, slots=True)
class Fillers:
    """What stands in the place of a null, by datatype: for numpy, where ``?`` is unknown, and the same for Arrow."""

    numbers: Mapping[str, float]
    scalars: Mapping[str, pa.Scalar]


def _fillers(integers: Mapping[str, int]) -> Fillers:
    numbers: dict[str, float] = {"float": np.nan, "double": np.nan, **integers}
    return Fillers({**numbers, "boolean": ord("?")}, {name: pa.scalar(number, ARROW_TYPES[name]) for name, number in numbers.items()})


FLAGGED = _fillers(dict.fromkeys(INTEGERS, 0))
"""Anything will do: the flag tells."""
DECLARED = _fillers({"unsignedByte": 0, **votable.NULLS})
"""Integers as VALUES declares them; of bytes only variable arrays are left, and these have no nulls."""

UNKNOWN = pa.scalar(2, pa.uint8())
BOOLEANS = np.frombuffer(b"FT?", np.uint8)
LINE_BYTES = 48_000
"""Bytes in a line of base64, which makes 64,000 characters: longer tokens overflow the XML parsers of some clients (PITFALLS P-73)."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive fixed-width cells: their columns by index, the record that holds them, and the variable column behind, if any."""

    fixed: tuple[int, ...]
    record: np.dtype
    variable: int | None


class BinaryWriter(Writer):
    """VOTable with rows as base64 of big-endian records. Strings of ``char`` columns are ASCII, of ``unicodeChar`` UTF-16."""

    def __init__(self, head: TableHead, serialization: votable.Serialization) -> None:
        self._head = head
        self._serialization = serialization
        self._fillers = DECLARED if serialization.declares_nulls else FLAGGED
        self._runs = tuple(_runs(head.columns, flags=not serialization.declares_nulls))
        self._remainder = b""

    def head(self) -> bytes:
        """The document up to the first character of base64."""
        return votable.head(self._head, self._serialization)

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """The base64 of all complete groups of three bytes so far; the rest waits for the next batch."""
        if not batch.num_rows:
            return b""
        data = self._remainder + self._records(batch)
        whole = len(data) - len(data) % 3
        self._remainder = data[whole:]
        return _base64_lines(memoryview(data)[:whole])

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """The last group, and the rest of the document with QUERY_STATUS when rows are missing."""
        end = _base64_lines(memoryview(self._remainder))
        self._remainder = b""
        yield end + votable.tail(self._head, outcome, self._serialization)

    def _records(self, batch: pa.RecordBatch) -> memoryview:
        columns = self._head.columns
        arrays = [
            timestamp_text(column, array) if column.is_timestamp else array for column, array in zip(columns, batch.columns, strict=True)
        ]
        if self._serialization.declares_nulls:
            _refuse_declared_nulls(columns, arrays)
        parts: list[pa.Array] = []
        for number, run in enumerate(self._runs):
            records = np.zeros(batch.num_rows, run.record)
            if number == 0 and not self._serialization.declares_nulls:
                _set_flags(records["flags"], arrays)
            for index in run.fixed:
                records[f"c{index}"] = _fixed_cells(columns[index], arrays[index], self._fillers)
            if run.variable is None:
                parts.append(_as_binary(records))
            else:
                records["count"], cells = _variable_cells(columns[run.variable], arrays[run.variable])
                parts += [_as_binary(records), cells]
        return string_bytes(parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, NOTHING)).data


def binary2_writer(head: TableHead) -> BinaryWriter:
    """BINARY2: every null has its flag."""
    return BinaryWriter(head, votable.BINARY2)


def binary_writer(head: TableHead) -> BinaryWriter:
    """BINARY: integers are null where VALUES says so; bytes become shorts, that there is a number to say it with."""
    columns = [replace(column, datatype="short") if _is_narrow(column) else column for column in head.columns]
    return BinaryWriter(replace(head, columns=tuple(columns)), votable.BINARY)


def _is_narrow(column: Column) -> bool:
    return column.datatype == "unsignedByte" and not _is_variable(column)


def _refuse_declared_nulls(columns: Sequence[Column], arrays: Sequence[pa.Array]) -> None:
    for column, array in zip(columns, arrays, strict=True):
        null = votable.null_of(column)
        flat = array.flatten() if column.is_array else array
        if null is not None and pc.any(pc.equal(flat, DECLARED.scalars[column.datatype])).as_py():
            raise DataError(
                f"a cell is {null}, which stands for NULL in VOTable's BINARY.", column=column.name, hint="Ask for BINARY2 (votable/b2)."
            )


def _runs(columns: Sequence[Column], *, flags: bool) -> Iterator[Run]:
    fields: list[tuple[object, ...]] = [("flags", "u1", ((len(columns) + 7) // 8,))] if flags else []
    fixed: list[int] = []
    for index, column in enumerate(columns):
        if _is_variable(column):
            yield Run(tuple(fixed), np.dtype([*fields, ("count", ">u4")]), index)
            fields, fixed = [], []
        else:
            shape = (column.length,) if column.is_array else ()
            fields.append((f"c{index}", WIRE_TYPES[column.datatype], shape))
            fixed.append(index)
    if fields:
        yield Run(tuple(fixed), np.dtype(fields), None)


def _is_variable(column: Column) -> bool:
    return column.is_text or column.is_timestamp or (column.is_array and column.length is None)


def _set_flags(flags: np.ndarray, arrays: Sequence[pa.Array]) -> None:
    # the first column is the most significant bit of the first byte
    for index, array in enumerate(arrays):
        if array.null_count:
            nulls = array.is_null().to_numpy(zero_copy_only=False)
            flags[:, index // 8] |= nulls.astype(np.uint8) << (7 - index % 8)


def _fixed_cells(column: Column, array: pa.Array, fillers: Fillers) -> np.ndarray:
    if not column.is_array:
        return numbers(column, array, fillers.scalars)
    flat, _ = elements(column, array)
    refuse_null_integers(column, flat)
    values = numbers(column, flat, fillers.scalars).reshape(-1, column.length or 0)
    if not array.null_count:
        return values
    cells = np.full((len(array), column.length or 0), fillers.numbers[column.datatype], values.dtype)
    cells[array.is_valid().to_numpy(zero_copy_only=False)] = values
    return cells


def _variable_cells(column: Column, array: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """The count of each cell, as the wire has it, and the cells as a binary array."""
    if column.is_array:
        return _variable_arrays(column, array)
    if array.null_count:
        array = pc.fill_null(array, EMPTY)
    high = classes_in(array, b"") & HIGH
    if column.datatype == "unicodeChar":
        return _utf16(array) if high else _widened(array)
    if high:
        array = ascii_only(array)
    return _lengths(array), array.cast(pa.binary())


def _variable_arrays(column: Column, array: pa.Array) -> tuple[np.ndarray, pa.Array]:
    flat, lengths = elements(column, array)
    refuse_null_integers(column, flat)
    wire = numbers(column, flat, FLAGGED.scalars).astype(WIRE_TYPES[column.datatype], copy=False)
    return lengths, cut(wire, lengths * wire.itemsize)


def numbers(column: Column, array: pa.Array, fillers: Mapping[str, pa.Scalar]) -> np.ndarray:
    """Elements as numpy; null becomes its filler, or ``?`` among booleans."""
    if column.datatype == "boolean":
        codes: np.ndarray = pc.fill_null(array.cast(pa.uint8()), UNKNOWN).to_numpy()
        letters: np.ndarray = BOOLEANS[codes]
        return letters
    if array.null_count:
        array = pc.fill_null(array, fillers[column.datatype])
    values: np.ndarray = array.to_numpy()
    if column.datatype == "unsignedByte" and len(values) and (values.min() < 0 or values.max() > 255):
        raise DataError("a value does not fit into an unsigned byte (0 to 255).", column=column.name)
    return values


def _utf16(array: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Strings as UTF-16, big-endian; the count is in units of 16 bits."""
    data = string_bytes(array)
    # every byte that begins a character makes one unit, and one more where UTF-8 needs four bytes
    units = ((data & 0xC0) != 0x80).astype(np.int32) + (data >= 0xF0)
    lengths = np.diff(offsets_of(units)[offsets_of(_lengths(array))])
    return lengths, cut(np.frombuffer(bytes(data).decode().encode("utf-16-be"), np.uint8), lengths * 2)


def _widened(array: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """ASCII strings as UTF-16: a zero byte before each."""
    data = string_bytes(array)
    wide = np.zeros(2 * len(data), np.uint8)
    wide[1::2] = data
    lengths = _lengths(array)
    return lengths, cut(wide, lengths * 2)


def _lengths(array: pa.Array) -> np.ndarray:
    lengths: np.ndarray = pc.binary_length(array).to_numpy()
    return lengths


def cut(data: np.ndarray, sizes: np.ndarray) -> pa.Array:
    """`data` as a binary array of cells of the given sizes in bytes."""
    return pa.Array.from_buffers(pa.binary(), len(sizes), [None, pa.py_buffer(offsets_of(sizes)), pa.py_buffer(data)])


def _as_binary(records: np.ndarray) -> pa.Array:
    offsets = np.arange(len(records) + 1, dtype=np.int32) * records.itemsize
    return pa.Array.from_buffers(pa.binary(), len(records), [None, pa.py_buffer(offsets), pa.py_buffer(records)])


def _base64_lines(data: memoryview) -> bytes:
    lines = [pybase64.b64encode(data[start : start + LINE_BYTES]) for start in range(0, len(data), LINE_BYTES)]
    return b"\n".join((*lines, b"")) if lines else b""
