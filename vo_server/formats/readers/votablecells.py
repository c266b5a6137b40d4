"""Cells of a VOTable → Arrow: from the text of TABLEDATA, and from the bytes of BINARY and BINARY2 (VOTable 1.5 §5).

Ours, since astropy reads row by row into Python objects, ends a BINARY stream that is cut off as if it were whole, and does not
know NULL from empty texts.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo_server.errors import DataError
from vo_server.formats.readers.arrays import fixed_lists, scalars
from vo_server.formats.readers.source import ARROW_TYPES
from vo_server.model.columns import Column

ARRAYSIZE = re.compile(r"(?P<inner>(?:\d+x)*)(?P<last>\d+|\d*\*)")

STORED = {
    "boolean": ("boolean", "u1"),
    "bit": ("boolean", "u1"),
    "unsignedByte": ("unsignedByte", "u1"),
    "short": ("short", ">i2"),
    "int": ("int", ">i4"),
    "long": ("long", ">i8"),
    "float": ("float", ">f4"),
    "double": ("double", ">f8"),
    "char": ("char", "u1"),
    "unicodeChar": ("unicodeChar", ">u2"),
}
"""Datatype of a FIELD → VOTable primitive of our column, numpy type of an element in BINARY."""

COMPLEX = ("floatComplex", "doubleComplex")

TRUE, FALSE, UNKNOWN = ("t", "true", "1"), ("f", "false", "0"), ("?", "")
LENGTH = struct.Struct(">i")
HEX = re.compile(r"[-+]?0x[0-9a-f]+", re.IGNORECASE)


@dataclass
class Field:
    """A FIELD as far as its cells are concerned. ``inner``: elements of one step of the last axis; ``last``: its length, None if that
    is variable.
    """

    name: str
    datatype: str
    inner: int
    last: int | None
    plain: bool
    """Whether a cell is one element."""
    null: str | None = None
    arraysize: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether cells are strings."""
        return self.datatype in ("char", "unicodeChar")

    @property
    def count(self) -> int | None:
        """Elements of a cell; None if variable."""
        return None if self.last is None else self.inner * self.last

    @property
    def element(self) -> pyarrow.DataType:
        """The Arrow type of an element."""
        return ARROW_TYPES[STORED[self.datatype][0]]

    @property
    def type(self) -> pyarrow.DataType:
        """The Arrow type of the cells."""
        return self.element if self.plain or self.is_text else pyarrow.list_(self.element)

    @property
    def size(self) -> int | None:
        """Bytes of a cell in BINARY; None if variable."""
        return None if self.count is None else self.bytes_of(self.count)

    def bytes_of(self, count: int) -> int:
        """Bytes of so many elements."""
        return (count + 7) // 8 if self.datatype == "bit" else count * int(numpy.dtype(STORED[self.datatype][1]).itemsize)

    def column(self, xtype: str | None) -> Column:
        """The column of numbers or truth values that this field becomes."""
        kept = xtype if xtype not in ("timestamp", "adql:TIMESTAMP") else None
        return Column(self.name, STORED[self.datatype][0], self.arraysize, xtype=kept)


def field_of(attributes: Mapping[str, str], source: str) -> Field:
    """The Field of a FIELD element. DataError for a type that no table of ours can hold."""
    name = attributes.get("name") or attributes.get("ID") or ""
    datatype = attributes.get("datatype", "char")
    if datatype in COMPLEX:
        hint = "Store real and imaginary parts as two columns."
        raise DataError("complex numbers have no place in a TAP table.", source=source, column=name, hint=hint)
    if datatype not in STORED:
        hint = f"VOTable knows {', '.join(STORED)}."
        raise DataError(f"there is no datatype {datatype!r}.", source=source, column=name, hint=hint)
    arraysize = attributes.get("arraysize", "").strip()
    found = ARRAYSIZE.fullmatch(arraysize or "1")
    if found is None:
        raise DataError(f"the arraysize {arraysize!r} is none.", source=source, column=name, hint="It is like 3, *, 10*, 2x3 or 2x*.")
    inner = 1
    for factor in filter(None, found["inner"].split("x")):
        inner *= int(factor)
    last = None if found["last"].endswith("*") else int(found["last"])
    plain = not found["inner"] and last == 1
    shape = None if plain else f"{found['inner']}{'*' if last is None else last}"
    return Field(name, datatype, inner, last, plain, arraysize=None if datatype in ("char", "unicodeChar") else shape)


class CellError(ValueError):
    """A cell does not fit its field; ``row`` counts from 0 within the rows at hand."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


# texts


def from_texts(field: Field, cells: Sequence[str]) -> pyarrow.Array:
    """The cells of one column of TABLEDATA. Raises CellError."""
    if field.is_text:
        return pyarrow.array([_whole(field, cell) or None for cell in cells], pyarrow.large_string())
    if field.plain:
        return _elements(field, pyarrow.array(cells, pyarrow.large_string()), None)
    split = [_split(field, cell) for cell in cells]
    lengths = numpy.fromiter(map(len, split), numpy.int64, len(split))
    gaps = lengths == 0
    if field.count is not None:
        wrong = numpy.flatnonzero(~gaps & (lengths != field.count))
        if len(wrong):
            raise CellError(int(wrong[0]), f"there are {lengths[wrong[0]]} elements, not {field.count}")
    flat = pyarrow.array([element for elements in split for element in elements], pyarrow.large_string())
    elements = _elements(field, flat, lengths)
    return lists(elements, lengths, gaps | _without_any(field, elements, lengths))


def _split(field: Field, cell: str) -> list[str]:
    return [digit for digit in cell if not digit.isspace()] if field.datatype == "bit" else cell.split()


def _elements(field: Field, texts: pyarrow.Array, lengths: NDArray[numpy.int64] | None) -> pyarrow.Array:
    """Numbers or truth values; NaN stays within arrays (`lengths`), and is NULL elsewhere."""
    bare = pc.utf8_trim_whitespace(texts)
    try:
        values = _truths(bare) if STORED[field.datatype][0] == "boolean" else _numbers(field, bare)
    except CellError as error:
        if lengths is not None:  # the row is that of the element
            error.row = int(numpy.searchsorted(numpy.cumsum(lengths), error.row, side="right"))
        raise
    if pyarrow.types.is_floating(values.type):
        return values if lengths is not None else pc.if_else(pc.is_nan(values), pyarrow.scalar(None, values.type), values)
    return _without(values, field.null)


def _truths(texts: pyarrow.Array) -> pyarrow.Array:
    codes = pc.index_in(pc.utf8_lower(texts), value_set=pyarrow.array([*TRUE, *FALSE, *UNKNOWN], texts.type))
    wrong = pc.index(codes.is_null(), True).as_py()
    if wrong >= 0:
        raise CellError(wrong, f"{texts[wrong].as_py()[:60]!r} is no truth value")
    known = pc.less(codes, len(TRUE) + len(FALSE))
    return pc.if_else(known, pc.less(codes, len(TRUE)), pyarrow.scalar(None, pyarrow.bool_()))


def _numbers(field: Field, texts: pyarrow.Array) -> pyarrow.Array:
    known = pc.if_else(pc.equal(texts, ""), pyarrow.scalar(None, texts.type), texts)
    try:
        values = pc.cast(pc.replace_substring_regex(known, r"^\+", ""), field.element)
    except pyarrow.ArrowInvalid:
        values = pyarrow.array([_number(field, row, text) for row, text in enumerate(known.to_pylist())], field.element)
    if field.datatype == "unsignedByte":
        wrong = pc.index(pc.or_kleene(pc.less(values, 0), pc.greater(values, 255)), True).as_py()
        if wrong >= 0:
            raise CellError(wrong, f"{values[wrong]} is no unsigned byte")
    return values


def _number(field: Field, row: int, text: str | None) -> float | int | None:
    """One number, also in hexadecimal; CellError with the row if it is none of the field's."""
    if text is None:
        return None
    try:
        if field.datatype in ("float", "double"):
            return float(text)
        number = int(text, 16 if HEX.fullmatch(text) else 10)
        pyarrow.scalar(number, field.element)
    except (ValueError, OverflowError, pyarrow.ArrowException):
        raise CellError(row, f"{text[:60]!r} is no {field.datatype}") from None
    return number


def _without(values: pyarrow.Array, null: str | None) -> pyarrow.Array:
    """Integers with the number that stands for NULL replaced (VOTable 1.5 §4.7)."""
    if null is None or not pyarrow.types.is_integer(values.type):
        return values
    try:
        gap = pyarrow.scalar(int(null, 16 if HEX.fullmatch(null) else 10), values.type)
    except (ValueError, OverflowError, pyarrow.ArrowException):
        return values
    return pc.if_else(pc.equal(values, gap), pyarrow.scalar(None, values.type), values)


def _whole(field: Field, cell: str) -> str:
    """The string of a cell, up to its first NUL; an array of strings becomes one, with semicolons."""
    width = field.inner if field.inner > 1 or (field.arraysize or "").count("x") else 0
    if width > 1:
        pieces = [cell[start : start + width] for start in range(0, len(cell), width)]
        return ";".join(piece.partition("\0")[0].rstrip() for piece in pieces)
    return cell.partition("\0")[0]


def _without_any(field: Field, elements: pyarrow.Array, lengths: NDArray[numpy.int64]) -> NDArray[numpy.bool_]:
    """Cells of a fixed number of elements, all of which are NULL: so writers fill what is NULL itself."""
    found = numpy.zeros(len(lengths), bool)
    if field.count and elements.null_count:
        gaps = elements.is_null().to_numpy(zero_copy_only=False)
        found[lengths > 0] = gaps.reshape(-1, field.count).all(axis=1)
    return found


def lists(elements: pyarrow.Array, lengths: NDArray[numpy.int64], gaps: NDArray[numpy.bool_] | None) -> pyarrow.Array:
    """Cells of so many elements each, taken one after the other; `gaps` are NULL."""
    offsets = numpy.concatenate(([0], numpy.cumsum(lengths))).astype(numpy.int32)
    mask = pyarrow.array(gaps) if gaps is not None and gaps.any() else None
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), elements, mask=mask)


# bytes


@dataclass
class Cut:
    """The cells of one column as they lie in a stream: all bytes one after the other, and the elements of each cell."""

    cells: bytes
    counts: NDArray[numpy.int64]


def from_bytes(data: bytes, fields: Sequence[Field], *, flagged: bool, most: int | None = None) -> list[pyarrow.Array]:
    """The columns of a BINARY stream, or (`flagged`) of a BINARY2 one, which begins each row with a bit a column that says NULL.

    Stops behind `most` rows. Raises CellError where the stream ends within a row.
    """
    flags = (len(fields) + 7) // 8 if flagged else 0
    first = Field("", "unsignedByte", 1, flags, plain=False)
    cuts, rows = _cut(data, [first, *fields], most)
    bits = numpy.unpackbits(numpy.frombuffer(cuts[0].cells, numpy.uint8).reshape(rows, flags), axis=1).astype(bool)
    return [
        _decoded(field, cut, bits[:, place] if flagged else None) for place, (field, cut) in enumerate(zip(fields, cuts[1:], strict=True))
    ]


def _cut(data: bytes, fields: Sequence[Field], most: int | None) -> tuple[list[Cut], int]:
    """The stream, column by column, and the number of rows. Neighbours of fixed size are cut out together."""
    runs = list(_runs(fields))
    starts, counts = _walk(data, runs, most)
    rows = len(starts[0])
    cuts: list[Cut] = []
    for run, places, lengths in zip(runs, starts, counts, strict=True):
        cuts += list(_cut_run(data, run, places, lengths, rows))
    return cuts, rows


def _runs(fields: Sequence[Field]) -> Iterator[list[Field]]:
    """Neighbours that are cut out together: fields of fixed size, or one that is not."""
    run: list[Field] = []
    for field in fields:
        if field.size is None:
            yield run
            yield [field]
            run = []
        else:
            run.append(field)
    yield run


def _walk(data: bytes, runs: Sequence[list[Field]], most: int | None) -> tuple[list[list[int]], list[list[int]]]:
    """Where each run begins in each row, and how many elements it has if that is variable."""
    starts: list[list[int]] = [[] for _ in runs]
    counts: list[list[int]] = [[] for _ in runs]
    sizes = [sum(field.size or 0 for field in run) for run in runs]
    if not any(sizes) and len(runs) == 1:
        raise CellError(0, "the rows have no bytes")
    if len(runs) == 1:
        rows, rest = divmod(len(data), sizes[0])
        if rest:
            raise CellError(rows, "the data end within this row")
        starts[0] = list(range(0, len(data), sizes[0]))[: None if most is None else most + 1]
        return starts, counts
    steps = [(place, run[0] if run and run[0].size is None else None, sizes[place]) for place, run in enumerate(runs)]
    position, end, row = 0, len(data), 0
    while position < end and (most is None or row <= most):
        for place, variable, size in steps:
            if variable is None:
                starts[place].append(position)
                position += size
                continue
            if position + LENGTH.size > end:
                raise CellError(row, "the data end within this row")
            (count,) = LENGTH.unpack_from(data, position)
            if count < 0:
                raise CellError(row, f"a length is {count}")
            position += LENGTH.size
            starts[place].append(position)
            count *= variable.inner if not variable.is_text else 1
            counts[place].append(count)
            position += variable.bytes_of(count)
        if position > end:
            raise CellError(row, "the data end within this row")
        row += 1
    return starts, counts


def _cut_run(data: bytes, run: list[Field], starts: list[int], counts: list[int], rows: int) -> Iterator[Cut]:
    if run and run[0].size is None:
        field = run[0]
        cells = b"".join(data[start : start + field.bytes_of(count)] for start, count in zip(starts, counts, strict=True))
        yield Cut(cells, numpy.array(counts, numpy.int64))
        return
    size = sum(field.size or 0 for field in run)
    joined = b"".join(data[start : start + size] for start in starts)
    block = numpy.frombuffer(joined, numpy.uint8).reshape(rows, size)
    offset = 0
    for field in run:
        width = field.size or 0
        yield Cut(block[:, offset : offset + width].tobytes(), numpy.full(rows, field.count, numpy.int64))
        offset += width


def _decoded(field: Field, cut: Cut, flagged: NDArray[numpy.bool_] | None) -> pyarrow.Array:
    if field.is_text:
        return _strings(field, cut, flagged)
    values, gaps = _values(field, cut)
    if field.plain:
        nulls = gaps if flagged is None else flagged if gaps is None else gaps | flagged
        return _without(scalars(values, nulls, field.element), field.null)
    if field.count is not None:
        shaped = values.reshape(len(cut.counts), field.count)
        if gaps is None and (field.null is None or shaped.dtype.kind == "f"):
            whole = fixed_lists(shaped, None, field.type)
            return whole if flagged is None else pc.if_else(pyarrow.array(~flagged), whole, pyarrow.scalar(None, whole.type))
    elements = _without(pyarrow.array(values.astype(field.element.to_pandas_dtype()), field.element, mask=gaps), field.null)
    empty = _without_any(field, elements, cut.counts)
    return lists(elements, cut.counts, empty if flagged is None else flagged | empty)


def _values(field: Field, cut: Cut) -> tuple[NDArray[Any], NDArray[numpy.bool_] | None]:
    """All elements, one after the other, and which of them are NULL, if that can be."""
    raw = numpy.frombuffer(cut.cells, STORED[field.datatype][1])
    if field.datatype == "bit":
        return _bits(field, raw, cut.counts), None
    if field.datatype == "boolean":
        return numpy.isin(raw, CODES_TRUE), ~numpy.isin(raw, CODES_KNOWN)
    return raw.astype(raw.dtype.newbyteorder("=")), None


CODES_TRUE = numpy.frombuffer(b"Tt1", numpy.uint8)
CODES_KNOWN = numpy.frombuffer(b"Tt1Ff0", numpy.uint8)


def _bits(field: Field, raw: NDArray[Any], counts: NDArray[numpy.int64]) -> NDArray[numpy.bool_]:
    """Bits from the left; of a single one writers do not agree where it stands."""
    if field.plain:
        return numpy.asarray(raw != 0, bool)
    widths = (counts + 7) // 8
    ends = numpy.cumsum(widths)
    pieces = [numpy.unpackbits(raw[end - width : end])[:count] for end, width, count in zip(ends, widths, counts, strict=True)]
    return numpy.concatenate(pieces).astype(bool) if pieces else numpy.zeros(0, bool)


def _strings(field: Field, cut: Cut, flagged: NDArray[numpy.bool_] | None) -> pyarrow.Array:
    """Texts; one without characters is NULL where no flag could say so."""
    sizes = cut.counts * field.bytes_of(1)
    ends = numpy.cumsum(sizes).tolist()
    texts = [_whole(field, _text(field, cut.cells[end - size : end])) for end, size in zip(ends, sizes.tolist(), strict=True)]
    if flagged is None:
        return pyarrow.array([text or None for text in texts], pyarrow.large_string())
    return pyarrow.array(texts, pyarrow.large_string(), mask=flagged)


def _text(field: Field, cell: bytes) -> str:
    """Characters: UTF-8 in char, else Latin-1, which every byte is; UTF-16 in unicodeChar."""
    if field.datatype == "unicodeChar":
        return cell.decode("utf-16-be", "replace")
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell.decode("latin-1")
