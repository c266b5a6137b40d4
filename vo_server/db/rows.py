"""Rows of COPY BINARY to Arrow, a column of all rows at a time: no row and no cell becomes a Python object.

PostgreSQL sends each row as one message (*Frontend/Backend Protocol*, CopyData): ``d``, four bytes of length that count themselves, and the
row, which is the number of its fields and, for each, its length (-1 is NULL) and its bytes, all big-endian (*COPY*, Binary Format).

Where rows begin is found by looking for what a row begins with, and proved by their lengths: each must end where the next begins.
Where their fields lie is then known column by column, and fields are gathered from there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

ROW = ord("d")
"""The first byte of a message that is a row."""

HEAD_BYTES = 5
"""Of a message: its first byte, and its length."""

COUNT_BYTES = 2
"""Of a row: the number of its fields."""

LENGTH_BYTES = 4
EPOCH_US = 946_684_800_000_000
"""2000-01-01, from which PostgreSQL counts, in the microseconds of Arrow."""

ARRAY_HEAD = np.dtype([("dimensions", ">i4"), ("gaps", ">i4"), ("element", ">u4")])
"""Of an array: its number of dimensions, whether NULL is among its elements, the type of these."""

DIMENSION_BYTES = 8
"""Then, of each dimension: its size and its lower bound."""


SPARE_BYTES = 16
"""So many bytes are to follow the last row: a field is gathered with its length and as many bytes as its type has, even if it is NULL."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type of fixed size: as PostgreSQL sends it, and as Arrow has it."""

    wire: str
    arrow: pa.DataType

    @property
    def size(self) -> int:
        """Bytes of a value."""
        return np.dtype(self.wire).itemsize


SCALARS = {
    "boolean": Scalar("u1", pa.bool_()),
    "smallint": Scalar(">i2", pa.int16()),
    "integer": Scalar(">i4", pa.int32()),
    "bigint": Scalar(">i8", pa.int64()),
    "real": Scalar(">f4", pa.float32()),
    "double precision": Scalar(">f8", pa.float64()),
    "timestamp": Scalar(">i8", pa.timestamp("us")),
}
"""SQL type → how it travels."""


class MisreadError(Exception):
    """The bytes are not what COPY sends: the types are others, or a message was taken for another's."""


def find_rows(data: np.ndarray, width: int) -> tuple[np.ndarray, int]:
    """Where the fields of each complete row begin, of rows of `width` fields that follow each other from the beginning of `data` on, and
    where the first thing that is no such row begins.
    """
    if len(data) < HEAD_BYTES + COUNT_BYTES or data[0] != ROW:
        return np.empty(0, np.int64), 0
    begins = np.flatnonzero(data[: -HEAD_BYTES - COUNT_BYTES + 1] == ROW)
    begins = begins[(data[begins + HEAD_BYTES] == width >> 8) & (data[begins + HEAD_BYTES + 1] == width & 0xFF)]
    if not len(begins) or begins[0]:
        return np.empty(0, np.int64), 0
    ends = begins + 1 + _integers(data, begins + 1)
    if not (ends[:-1] == begins[1:]).all():
        begins, ends = _chain(begins, ends)
    complete = int(np.searchsorted(ends, len(data), side="right"))
    return begins[:complete] + HEAD_BYTES + COUNT_BYTES, int(ends[complete - 1]) if complete else 0


def _chain(begins: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of what looks like the beginnings of rows, those that are: the first, and each where the last one ends. Nearly all follow each other,
    so that only what does not is looked at one by one.
    """
    breaks = np.append(np.flatnonzero(ends[:-1] != begins[1:]), len(begins) - 1)
    following = np.searchsorted(begins, ends[breaks])
    linked = np.append(begins, -1)[following] == ends[breaks]
    rows, row = np.zeros(len(begins), bool), 0
    for last, target, is_row in zip(breaks.tolist(), following.tolist(), linked.tolist(), strict=True):
        if last < row:
            continue  # within a row
        rows[row : last + 1] = True
        if not is_row:
            break
        row = target
    return begins[rows], ends[rows]


def read_rows(data: np.ndarray, starts: np.ndarray, types: Sequence[str]) -> pa.RecordBatch:
    """The rows whose fields begin at `starts`, with columns of these SQL types. SPARE_BYTES of any content follow them in `data`.
    Nothing of `data` is referred to afterwards.

    Raises MisreadError if a field is not as large as its type has it.
    """
    columns, place = [], starts
    for sql_type in types:
        column, place = READERS[sql_type](data, place)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=[f"c{number}" for number in range(1, len(columns) + 1)])


Reader = Callable[[np.ndarray, np.ndarray], tuple[pa.Array, np.ndarray]]
"""Data, and where a field of each row begins → the column, and where the next field begins."""


def _gather(data: np.ndarray, kind: np.dtype, place: np.ndarray) -> np.ndarray:
    """What lies at these places, which need not be aligned. NumPy copies bytes without a meaning fastest."""
    size = kind.itemsize
    everywhere = np.ndarray((len(data) - size + 1,), np.dtype((np.void, size)), data, strides=(1,))
    found: np.ndarray = everywhere[place].view(kind)
    return found


def _integers(data: np.ndarray, place: np.ndarray) -> np.ndarray:
    return _gather(data, INTEGER, place).astype(np.int64)


INTEGER = np.dtype(">i4")


def _bits(flags: np.ndarray) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _validity(valid: np.ndarray | None) -> pa.Buffer | None:
    """The bitmap of Arrow; None if all is valid."""
    return None if valid is None else _bits(valid)


def _values(scalar: Scalar, cells: np.ndarray, valid: np.ndarray | None) -> pa.Buffer:
    """Arrow's buffer of values as PostgreSQL sent them; zero where they are null."""
    values = cells.astype(cells.dtype.newbyteorder("="))
    if pa.types.is_timestamp(scalar.arrow):
        values += EPOCH_US
    if valid is not None:
        values[~valid] = 0
    return _bits(values) if pa.types.is_boolean(scalar.arrow) else pa.py_buffer(values)


def _scalars(scalar: Scalar) -> Reader:
    kind = np.dtype([("size", INTEGER), ("value", scalar.wire)])

    def read(data: np.ndarray, place: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        cells = _gather(data, kind, place)
        right = cells["size"] == scalar.size
        valid = None if right.all() else right
        following = place + kind.itemsize
        if valid is not None:
            _require((cells["size"][~valid] == -1).all())
            following[~valid] -= scalar.size
        values = _values(scalar, cells["value"], valid)
        return pa.Array.from_buffers(scalar.arrow, len(place), [_validity(valid), values]), following

    return read


def _sizes(data: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Of fields of any size: where they begin behind their lengths, and their sizes, 0 if null; and which are valid."""
    sizes = _integers(data, place)
    valid = sizes >= 0
    if valid.all():
        return place + LENGTH_BYTES, sizes, None
    sizes[~valid] = 0
    return place + LENGTH_BYTES, sizes, valid


def _texts(data: np.ndarray, place: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """Texts. For Arrow all of `data` is binary cells, of which every second one lies between two texts and is left out."""
    count = len(place)
    begins, sizes, valid = _sizes(data, place)
    following = begins + sizes
    bounds = np.empty(2 * count + 1, np.int32)
    bounds[:-1:2] = begins
    bounds[1::2] = following
    bounds[-1] = bounds[-2]
    cells = pa.Array.from_buffers(pa.binary(), 2 * count, [None, pa.py_buffer(bounds), pa.py_buffer(data)])
    _, offsets, characters = cells.take(pa.array(np.arange(0, 2 * count, 2, dtype=np.int32))).buffers()
    return pa.Array.from_buffers(pa.string(), count, [_validity(valid), offsets, characters]), following


def _arrays(scalar: Scalar) -> Reader:
    """Arrays of any number of dimensions, flat."""

    def read(data: np.ndarray, place: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        begins, sizes, valid = _sizes(data, place)
        counts, first, gaps = _array_heads(data, begins, sizes > 0)
        offsets = np.zeros(len(counts) + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        cells, there = (_uneven if gaps else _even)(data, scalar, counts, first, offsets)
        flat = pa.Array.from_buffers(scalar.arrow, len(cells), [_validity(there), _values(scalar, cells, there)])
        buffers = [_validity(valid), pa.py_buffer(offsets)]
        return pa.Array.from_buffers(pa.list_(scalar.arrow), len(counts), buffers, children=[flat]), begins + sizes

    return read


def _array_heads(data: np.ndarray, begins: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Of each array that is `there`: how many elements it has, and where the first begins; and whether any element is null."""
    counts, first = np.zeros(len(there), np.int64), begins.copy()
    heads = _gather(data, ARRAY_HEAD, begins[there])
    dimensions = heads["dimensions"].astype(np.int64)
    found = (dimensions > 0).astype(np.int64)
    for number in range(int(dimensions.max(initial=0))):
        has = dimensions > number
        found[has] *= _integers(data, begins[there][has] + ARRAY_HEAD.itemsize + DIMENSION_BYTES * number)
    counts[there] = found
    first[there] += ARRAY_HEAD.itemsize + DIMENSION_BYTES * dimensions
    return counts, first, bool(heads["gaps"].any())


def _even(data: np.ndarray, scalar: Scalar, counts: np.ndarray, first: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, None]:
    """The elements of arrays without NULL: all have the same size."""
    kind = np.dtype([("size", INTEGER), ("value", scalar.wire)])
    place = np.repeat(first - kind.itemsize * offsets[:-1], counts) + kind.itemsize * np.arange(offsets[-1])
    cells = _gather(data, kind, place)
    _require((cells["size"] == scalar.size).all())
    return cells["value"], None


def _uneven(data: np.ndarray, scalar: Scalar, counts: np.ndarray, first: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The elements of arrays with NULL among them, and which are valid: read the first of all arrays, then the second …"""
    values, valid = np.zeros(offsets[-1], scalar.wire), np.zeros(offsets[-1], bool)
    place = first.copy()
    kind = np.dtype([("size", INTEGER), ("value", scalar.wire)])
    for number in range(int(counts.max(initial=0))):
        has = counts > number
        cells = _gather(data, kind, place[has])
        _require(np.isin(cells["size"], (scalar.size, -1)).all())
        target = offsets[:-1][has] + number
        values[target], valid[target] = cells["value"], cells["size"] >= 0
        place[has] += LENGTH_BYTES + np.maximum(cells["size"], 0)
    return values, valid


def _require(right: np.bool_) -> None:
    if not right:
        raise MisreadError("a field has not the size of its type")


READERS: dict[str, Reader] = {
    "text": _texts,
    **{name: _scalars(scalar) for name, scalar in SCALARS.items()},
    **{f"{name}[]": _arrays(scalar) for name, scalar in SCALARS.items()},
}
"""SQL type (`Column.sql_type`) → how its fields are read."""
