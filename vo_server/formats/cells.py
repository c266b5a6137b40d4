"""Cells as text: Arrow arrays in, Arrow string arrays out, one pass of a compiled kernel at a time and never a Python object a cell.

What differs between TABLEDATA, CSV and JSON is a value, `Spelling`; everything else is here once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo_server.errors import DataError
from vo_server.formats.floats import float_text
from vo_server.formats.texts import string_bytes
from vo_server.model.columns import FLOATS, Column
from vo_server.model.result import Piece

# Constants are Arrow scalars: making one of a Python value costs more than a kernel over a hundred rows.
EMPTY = pa.scalar("")
SECOND_US = pa.scalar(1_000_000, pa.int64())
NO_TIMESTAMP = pa.scalar(None, pa.timestamp("us"))
INFINITIES = {
    kind: (pa.scalar(np.inf, arrow), pa.scalar(-np.inf, arrow)) for kind, arrow in (("float", pa.float32()), ("double", pa.float64()))
}
UNKNOWN = pa.scalar("?")
"""A boolean that is neither true nor false (VOTable 1.5 §2.1)."""
DATE_LENGTH = len("YYYY-MM-DD")
NO_ELEMENTS = pa.scalar(0, pa.int32())
NO_TEXT = pa.scalar(None, pa.string())
INFINITE_BEFORE_US = pa.scalar(-(2**63) + 946_684_800_000_000 + 86_400_000_000, pa.int64())
"""PostgreSQL's timestamps ±infinity arrive wrapped around to the two smallest instants; nothing real lies within a day of them."""

LAST_SPELLED_US = 971_890_963_199_999_999
"""The end of the year 32767."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a format spells cells. ``text`` makes strings fit to stand in it, told whether the column is ``char`` or ``unicodeChar``."""

    text: Callable[[pa.Array, str], pa.Array]
    true: pa.Scalar
    false: pa.Scalar
    nan: pa.Scalar
    infinities: tuple[pa.Scalar, pa.Scalar]
    """Positive, negative."""
    between: pa.Scalar = pa.scalar(" ")  # noqa: RUF009 immutable
    """What separates the elements of an array."""
    brackets: tuple[pa.Scalar, pa.Scalar] | None = None
    """What encloses an array."""
    quote: pa.Scalar | None = None
    """What encloses a timestamp."""
    null_element: pa.Scalar | None = None
    """A null inside an array; None: NaN among floats, ``?`` among booleans, refused among integers, as VOTable has no word for it."""
    fills_arrays: bool = False
    """Whether a null array of a fixed number of floats is that many NaN, as DALI 1.1 §3.3.4 has it for intervals."""
    long: Callable[[pa.Array], pa.Array] | None = None
    """64-bit integers, where they need more than their digits."""


def column_text(column: Column, array: pa.Array, spelling: Spelling) -> pa.Array:
    """The cells of one column as a string array; null stays null."""
    if column.is_timestamp:
        text = timestamp_text(column, array)
        return enclose(spelling.quote, text, spelling.quote) if spelling.quote else text
    if column.is_text:
        return spelling.text(array, column.datatype)
    if column.is_array:
        return _array_text(column, array, spelling)
    return _number_text(column.datatype, array, spelling)


@dataclass(frozen=True, slots=True)
class RowFrame:
    """What stands before the first row, between cells, between rows and after the last row; and what a null cell looks like."""

    before: bytes
    between_cells: pa.Scalar
    between_rows: pa.Scalar
    after: bytes
    null: str = ""

    def join(self, texts: Sequence[pa.Array]) -> memoryview:
        """Rows as bytes, each with what separates rows before it; at least one row."""
        # what separates rows is joined to their first cells: a second pass over whole rows would cost more
        begun = self._join(self.between_rows, texts[0], between=EMPTY)
        return string_bytes(self._join(begun, *texts[1:], between=self.between_cells) if len(texts) > 1 else begun).data

    @property
    def extra(self) -> int:
        """Bytes of what separates rows, which the first row has before it in vain."""
        return len(self.between_rows.as_py().encode())

    def _join(self, *texts: pa.Array | pa.Scalar, between: pa.Scalar) -> pa.Array:
        return pc.binary_join_element_wise(*texts, between, null_handling="replace", null_replacement=self.null)


class FramedRows:
    """The rows of one table as text, batch after batch. All but the first batch leave as Arrow made them, without a copy: what separates
    rows stands before each, and what ends the last one comes with the `end`.
    """

    def __init__(self, frame: RowFrame, spelling: Spelling, columns: Sequence[Column]) -> None:
        self._frame = frame
        self._spelling = spelling
        self._columns = columns
        self._begun = False

    def rows(self, batch: pa.RecordBatch) -> Piece:
        """The rows of a batch, which may be none."""
        if not batch.num_rows:
            return b""
        texts = [column_text(column, array, self._spelling) for column, array in zip(self._columns, batch.columns, strict=True)]
        joined = self._frame.join(texts)
        if self._begun:
            return joined
        self._begun = True
        return self._frame.before + joined[self._frame.extra :]

    def end(self) -> bytes:
        """What ends the last row; nothing if there was none."""
        return self._frame.after if self._begun else b""


def enclose(opening: pa.Scalar, text: pa.Array, closing: pa.Scalar) -> pa.Array:
    """Each string between two others; null stays null."""
    return pc.binary_join_element_wise(opening, text, closing, EMPTY)


def timestamp_text(column: Column, array: pa.Array) -> pa.Array:
    """``YYYY-MM-DDThh:mm:ss[.ffffff]`` without trailing zeros (DALI 1.1 §3.3.3); PostgreSQL's infinities become null. Raises DataError for
    years that Arrow cannot spell; PostgreSQL has none as early as the first of these.
    """
    if len(array) > array.null_count:
        array = finite_instants(array)
        if (pc.max(array.view(pa.int64())).as_py() or 0) > LAST_SPELLED_US:
            raise DataError("a timestamp lies beyond the year 32767.", column=column.name, hint="Ask for Arrow, which has it as a number.")
        if _whole_seconds(array.view(pa.int64())):
            array = array.cast(pa.timestamp("s"), safe=False)
    text = _with_t(array.cast(pa.string()))
    if array.type.unit == "s":
        return text
    return pc.ascii_rtrim(pc.ascii_rtrim(text, "0"), ".")


def _with_t(text: pa.Array) -> pa.Array:
    """``T`` for the blank between date and time, in place; years of other than four digits take the longer way."""
    bitmap, bounds, data = text.buffers()
    if text.null_count < len(text) and not text.offset:
        characters = np.frombuffer(data, np.uint8).copy()
        starts = np.frombuffer(bounds, np.int32)[: len(text)]
        if text.null_count:
            starts = starts[text.is_valid().to_numpy(zero_copy_only=False)]
        if (characters[starts + DATE_LENGTH] == ord(" ")).all():
            characters[starts + DATE_LENGTH] = ord("T")
            return pa.Array.from_buffers(text.type, len(text), [bitmap, bounds, pa.py_buffer(characters)])
    return pc.replace_substring(text, " ", "T", max_replacements=1)


def finite_instants(array: pa.Array) -> pa.Array:
    """The same timestamps with null for PostgreSQL's infinities."""
    infinite = pc.less(array.view(pa.int64()), INFINITE_BEFORE_US)
    return pc.if_else(infinite, NO_TIMESTAMP, array) if pc.any(infinite).as_py() else array


def elements(column: Column, array: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The elements of an array column, flat and without those of null cells, and the number in each cell (0 for null).

    Raises DataError if a cell does not have the declared number of elements.
    """
    lengths = (pc.list_value_length(array).fill_null(NO_ELEMENTS) if array.null_count else pc.list_value_length(array)).to_numpy()
    flat = array.flatten()
    declared = column.length
    if declared is not None:
        wrong = (lengths != declared) & array.is_valid().to_numpy(zero_copy_only=False)
        if wrong.any():
            raise DataError(
                f"a cell has {lengths[wrong][0]} elements, but the column is declared with arraysize {column.arraysize}.",
                column=column.name,
                hint="Correct the data, or declare the column with a variable arraysize.",
            )
    return flat, lengths


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Where each of consecutive pieces begins, and the last one ends: one number more than pieces, as Arrow has it."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def refuse_null_integers(column: Column, flat: pa.Array) -> None:
    """Raise DataError for a null inside an array of integers: only whole cells can be null (VOTable 1.5 §5.4), and we invent no number."""
    if flat.null_count and column.datatype not in (*FLOATS, "boolean"):
        raise DataError(
            "a cell is an integer array with a NULL inside, which VOTable, FITS and CSV cannot write.",
            column=column.name,
            hint="Ask for Parquet, Arrow or JSON.",
        )


def _whole_seconds(micros: pa.Array) -> bool:
    seconds = pc.multiply(pc.divide(micros, SECOND_US), SECOND_US)
    return bool(pc.all(pc.equal(seconds, micros)).as_py())


def _number_text(datatype: str, array: pa.Array, spelling: Spelling) -> pa.Array:
    if datatype == "boolean":
        return pc.if_else(array, spelling.true, spelling.false)
    if datatype in FLOATS:
        return _float_text(datatype, array, spelling)
    if datatype == "long" and spelling.long is not None:
        return spelling.long(array)
    return array.cast(pa.string())


def _float_text(datatype: str, array: pa.Array, spelling: Spelling) -> pa.Array:
    text = float_text(array)
    if pc.all(pc.is_finite(array), min_count=0).as_py():
        return text
    text = pc.if_else(pc.is_nan(array), spelling.nan, text)
    for infinity, word in zip(INFINITIES[datatype], spelling.infinities, strict=True):
        text = pc.if_else(pc.equal(array, infinity), word, text)
    return text


def _array_text(column: Column, array: pa.Array, spelling: Spelling) -> pa.Array:
    flat, lengths = elements(column, array)
    text = _number_text(column.datatype, flat, spelling)
    if flat.null_count:
        text = pc.fill_null(text, _null_element(column, flat, spelling))
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets_of(lengths)), text), spelling.between)
    if spelling.brackets:
        joined = enclose(spelling.brackets[0], joined, spelling.brackets[1])
    return pc.if_else(array.is_valid(), joined, _null_array(column, spelling)) if array.null_count else joined


def _null_array(column: Column, spelling: Spelling) -> pa.Scalar:
    if not spelling.fills_arrays or column.length is None or column.datatype not in FLOATS:
        return NO_TEXT
    return pa.scalar(spelling.between.as_py().join([spelling.nan.as_py()] * column.length))


def _null_element(column: Column, flat: pa.Array, spelling: Spelling) -> pa.Scalar:
    if spelling.null_element is not None:
        return spelling.null_element
    refuse_null_integers(column, flat)
    return UNKNOWN if column.datatype == "boolean" else spelling.nan
