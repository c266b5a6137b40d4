"""numpy → Arrow, without a Python object a cell."""

import numpy
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo_server.errors import DataError

MAX_LONG = numpy.uint64(2**63 - 1)


def scalars(values: NDArray, nulls: NDArray | None, target: pyarrow.DataType) -> pyarrow.Array:  # type: ignore[type-arg]
    """One value a row, shape (n,); `nulls` (n,) marks missing ones. NaN is NULL: VOTable knows no difference."""
    native = numpy.ascontiguousarray(values, dtype=target.to_pandas_dtype())
    if native.dtype.kind == "f":
        missing = numpy.isnan(native)
        nulls = missing if nulls is None else nulls | missing
    return pyarrow.array(native, target, mask=nulls if nulls is not None and nulls.any() else None)


def fixed_lists(values: NDArray, nulls: NDArray | None, target: pyarrow.DataType) -> pyarrow.Array:  # type: ignore[type-arg]
    """A fixed number of elements a row, shape (n, …), flattened with the last axis fastest.

    A row whose elements are all null is NULL; NaN elements stay.
    """
    rows = len(values)
    length = int(numpy.prod(values.shape[1:], dtype=int))
    offsets = numpy.arange(rows + 1, dtype=numpy.int32) * numpy.int32(length)
    element = target.value_type
    flat = numpy.ascontiguousarray(values, dtype=element.to_pandas_dtype()).reshape(-1)
    if nulls is None or not nulls.any():
        return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), pyarrow.array(flat, element))
    gaps = numpy.broadcast_to(nulls, values.shape).reshape(rows, length)
    elements = (
        pyarrow.array(flat, element, mask=gaps.reshape(-1))
        if flat.dtype.kind != "f"
        else pyarrow.array(numpy.where(gaps.reshape(-1), numpy.nan, flat).astype(flat.dtype))
    )
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), elements, mask=pyarrow.array(gaps.all(axis=1) & (length > 0)))


def variable_lists(flat: NDArray, lengths: NDArray, target: pyarrow.DataType, nulls: NDArray | None = None) -> pyarrow.Array:  # type: ignore[type-arg]
    """As many elements a row as `lengths` says, taken from `flat` one row after the other."""
    offsets = numpy.concatenate(([0], numpy.cumsum(lengths, dtype=numpy.int64))).astype(numpy.int32)
    elements = pyarrow.array(numpy.ascontiguousarray(flat, dtype=target.value_type.to_pandas_dtype()), target.value_type)
    mask = pyarrow.array(nulls) if nulls is not None and nulls.any() else None
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), elements, mask=mask)


def checked_unsigned(values: NDArray, *, source: str, column: str, first_row: int) -> NDArray:  # type: ignore[type-arg]
    """Unsigned 64-bit integers as signed ones. One above 2^63-1 fits no type of VOTable or PostgreSQL: DataError with its row."""
    over = values > MAX_LONG
    if over.any():
        place = int(numpy.argwhere(over.reshape(len(values), -1).any(axis=1))[0][0])
        raise DataError(
            f"{values[place]} does not fit into a signed 64-bit integer.",
            source=source,
            row=first_row + place,
            column=column,
            hint="Store the column as text or as double precision.",
        )
    return values.astype(numpy.int64)


def refuse_nul(strings: pyarrow.Array, *, source: str, column: str, first_row: int) -> None:
    """U+0000, which PostgreSQL cannot store, raises DataError with its row."""
    found = pc.match_substring(strings, "\0")
    if pc.any(found).as_py():
        row = first_row + pc.index(found, True).as_py()
        raise DataError(
            "the text contains the character U+0000, which cannot be stored.", source=source, row=row, column=column, hint="Remove it."
        )


def is_ascii(strings: pyarrow.Array | pyarrow.ChunkedArray) -> bool:
    """Whether all strings are plain ASCII, so that VOTable may call them ``char`` (VOTable 1.5 §2.1)."""
    return bool(pc.all(pc.string_is_ascii(strings), skip_nulls=True, min_count=0).as_py())
