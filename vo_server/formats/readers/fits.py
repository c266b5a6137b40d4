"""FITS binary tables (FITS 4.0 §7.3), read in slices straight from the bytes; ASCII tables and serialised objects go through astropy."""

import gzip
import re
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy
import pyarrow
import pyarrow.compute as pc
from astropy.io import fits
from astropy.table import Table
from astropy.table.meta import get_header_from_yaml
from numpy.typing import NDArray

from vo_server import scratch
from vo_server.errors import DataError
from vo_server.formats.readers import arrays, memory
from vo_server.formats.readers.instants import with_instants
from vo_server.formats.readers.source import BATCH_BYTES, Bounds, Source, annotated, arrow_type, batch_rows, clean, distinct
from vo_server.model.columns import Column

FORMAT = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])(.*)")
ELEMENTS = {
    "L": ("boolean", "u1"),
    "X": ("boolean", "u1"),
    "B": ("unsignedByte", "u1"),
    "I": ("short", ">i2"),
    "J": ("int", ">i4"),
    "K": ("long", ">i8"),
    "E": ("float", ">f4"),
    "D": ("double", ">f8"),
    "A": ("char", "u1"),
}
"""Code of a TFORM → VOTable primitive, numpy type of one element as it lies in the file."""

RANGES = {"B": (0, 255), "I": (-(2**15), 2**15 - 1), "J": (-(2**31), 2**31 - 1), "K": (-(2**63), 2**63 - 1)}
WIDER = (("short", 16), ("int", 32), ("long", 64))

STANDARD_COMMENT = re.compile(r"(label|name|units?|data format|format|column|field|ttype)\b.*\d*", re.IGNORECASE)
"""What programs write beside TTYPEn by themselves: not a description."""

Chunk = Callable[[int, int], pyarrow.Array]
"""(first row, row after the last) → the column's values."""


@dataclass(frozen=True, slots=True)
class Form:
    """One TFORMn, taken apart. ``descriptor``: P or Q, when the row only points to the heap."""

    repeat: int
    code: str
    descriptor: str = ""
    width: int | None = None
    """Length of one string of an array of strings (``rAw``)."""

    def bytes_of(self, counts: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
        """Bytes of so many elements in the heap."""
        return (counts + 7) // 8 if self.code == "X" else counts * numpy.dtype(ELEMENTS[self.code][1]).itemsize

    @property
    def row_dtype(self) -> Any:
        """The numpy type of the field within a row."""
        if self.descriptor:
            return (">i4" if self.descriptor == "P" else ">i8", (2,))
        if self.code == "A":
            return f"S{self.repeat}" if self.repeat else "V0"
        count = (self.repeat + 7) // 8 if self.code == "X" else self.repeat
        return ELEMENTS[self.code][1] if count == 1 and self.code != "X" else (ELEMENTS[self.code][1], (count,))


def open_fits(path: Path, table: str | None, bounds: Bounds | None = None) -> Source:
    """The first table of a FITS file, or the one of this EXTNAME (or ``table<n>``). DataError says why it cannot be read; TooLargeError,
    before anything of a stranger's file is read, that it stands for more than `bounds`.
    """
    with _explained(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _opened(path, table, bounds)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What astropy and numpy raise for headers that do not say what FITS asks for, as DataError."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, fits.VerifyError) as error:
        raise DataError(
            f"this is not a readable FITS file ({error}).", source=path.name, hint="Check it with `fitsverify`, or fetch it again."
        ) from None


def _opened(path: Path, table: str | None, bounds: Bounds | None) -> Source:
    plain = _Plain(path)
    headers = _headers(path, plain)
    names, _ = distinct([str(header.get("EXTNAME", "")).strip() or f"table{index}" for index, header in headers])
    if not names:
        raise DataError("there is no table in this FITS file.", source=path.name, hint="Images are published with `vo publish-images`.")
    wanted = names[0] if table is None else table
    if wanted not in names:
        raise DataError(f"there is no table {wanted!r}.", source=path.name, hint=f"Tables are: {', '.join(names)}.")
    index, header = headers[names.index(wanted)]
    others = tuple(name for name in names if name != wanted)
    if bounds is not None and str(header["XTENSION"]).strip() != "TABLE":
        _hold_against(bounds, _Layout(path, plain, header))
    source = _through_astropy(path, plain, index, header) if _needs_astropy(header) else _binary(path, plain, header)
    titled = replace(source, name=wanted, other_tables=others)
    return titled if header.get("EXTNAME") or len(names) > 1 else replace(titled, name=path.name.split(".")[0])


def _hold_against(bounds: Bounds, layout: "_Layout") -> None:
    """TooLargeError if there are too many rows, or if they have too many bytes once each has its own: many may point to one array."""
    bounds.check(layout.path.name, layout.nrows, columns=len(layout.forms))
    size = 0
    for start, stop in layout.steps():
        size += int(layout.sizes(start, stop).sum())
        bounds.check(layout.path.name, size=size)


class _Plain:
    """The file without compression: itself, or an unpacked temporary file, kept for as long as somebody reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unpacked: IO[bytes] | None = None
        with path.open("rb") as packed:
            if packed.read(2) == b"\x1f\x8b":
                self._unpacked = _gunzip(path)

    def open(self) -> IO[bytes]:
        """A file object of its own position, to be closed by the caller."""
        return self.path.open("rb") if self._unpacked is None else open(self._unpacked.name, "rb")


def _gunzip(path: Path) -> IO[bytes]:
    unpacked = tempfile.NamedTemporaryFile(prefix=scratch.prefix("unpacked"), suffix=".fits")  # noqa: SIM115
    try:
        with gzip.open(path) as packed:
            while block := packed.read(1 << 22):
                unpacked.write(block)
    except (EOFError, OSError, zlib.error) as error:
        unpacked.close()
        raise DataError(
            f"the compressed file cannot be unpacked ({error}).", source=path.name, hint="It is probably truncated: fetch it again."
        ) from None
    unpacked.flush()
    return unpacked


def _headers(path: Path, plain: _Plain) -> list[tuple[int, fits.Header]]:
    """The headers of all tables, each with its number in the file; the data of each must be there in full."""
    found = []
    with plain.open() as file, fits.open(file, memmap=True) as hdus:
        end = file.seek(0, 2)
        for index, hdu in enumerate(hdus):
            kind = str(hdu.header.get("XTENSION", "")).strip()
            if kind not in ("BINTABLE", "TABLE", "A3DTABLE") or hdu.header.get("ZIMAGE"):
                continue
            header = hdu.header.copy()
            header["_START"] = start = hdu.fileinfo()["datLoc"]
            if start + header["NAXIS1"] * header["NAXIS2"] + header.get("PCOUNT", 0) > end:
                rows = max(0, end - start) // max(1, header["NAXIS1"])
                raise DataError(
                    f"the file ends after row {rows} of {header['NAXIS2']}.", source=path.name, hint="It is truncated: fetch it again."
                )
            found.append((index, header))
    return found


def _needs_astropy(header: fits.Header) -> bool:
    """Whether the table is an ASCII table, or carries objects (times, masked columns) that astropy serialised into several columns."""
    return str(header["XTENSION"]).strip() == "TABLE" or "__serialized_columns__" in "".join(map(str, header.get("COMMENT", ())))


def _through_astropy(path: Path, plain: _Plain, index: int, header: fits.Header) -> Source:
    with plain.open() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = Table.read(file, format="fits", hdu=index)
    source = memory.from_astropy(path, table)
    return replace(source, description=source.description or clean(header.get("OBJECT")))


def _binary(path: Path, plain: _Plain, header: fits.Header) -> Source:
    if header.get("ZTABLE"):
        raise DataError("the table is compressed inside the FITS file.", source=path.name, hint="Unpack it with `funpack` first.")
    layout = _Layout(path, plain, header)
    serialised = _astropy_columns(header)
    names, notes = distinct([str(header.get(f"TTYPE{number}", "")) for number in range(1, header["TFIELDS"] + 1)])
    columns: list[Column] = []
    chunks: list[Chunk] = []
    xtypes: dict[str, str | None] = {}
    for number, name in enumerate(names, 1):
        if layout.forms[number - 1].repeat == 0 and not layout.forms[number - 1].descriptor:
            notes.append(f"{name}: the column has no width and was left out")
            continue
        column, chunk, remarks = _column(layout, number, name)
        said = _metadata(header, number, serialised.get(name, {}))
        column, more = annotated(column, **said)
        xtypes[name] = said["xtype"]
        columns.append(column)
        chunks.append(chunk)
        notes += [f"{name}: {remark}" for remark in remarks] + more

    def batches() -> Iterator[pyarrow.RecordBatch]:
        schema = pyarrow.schema([(column.name, arrow_type(column)) for column in columns])
        for start, stop in layout.pieces():
            yield pyarrow.RecordBatch.from_arrays([chunk(start, stop) for chunk in chunks], schema=schema)

    source = Source(path, "", tuple(columns), batches, layout.nrows, clean(header.get("TITLE")), None, tuple(notes))
    return with_instants(source, xtypes)


class _Layout:
    """Where the rows and the heap of a binary table lie, as numpy sees them without reading."""

    def __init__(self, path: Path, plain: _Plain, header: fits.Header) -> None:
        self.path = path
        self.plain = plain  # keeps an unpacked copy alive
        self.header = header
        self.nrows = int(header["NAXIS2"])
        self.row_bytes = int(header["NAXIS1"])
        self.forms = [_form(path, header, number) for number in range(1, header["TFIELDS"] + 1)]
        dtype = numpy.dtype([(f"f{number}", *_field(form.row_dtype)) for number, form in enumerate(self.forms, 1)])
        if dtype.itemsize != self.row_bytes:
            raise DataError(
                f"NAXIS1 says {self.row_bytes} bytes a row, the columns need {dtype.itemsize}.",
                source=path.name,
                hint="Check it with `fitsverify`.",
            )
        with plain.open() as file:
            size = self.nrows * self.row_bytes + int(header.get("PCOUNT", 0))
            data = numpy.memmap(file, numpy.uint8, "r", int(header["_START"]), (size,)) if size else numpy.zeros(0, numpy.uint8)
        self.rows: NDArray[Any] = data[: self.nrows * self.row_bytes].view(dtype) if self.row_bytes else numpy.zeros(self.nrows, dtype)
        self.heap: NDArray[numpy.uint8] = data[int(header.get("THEAP", self.nrows * self.row_bytes)) :]

    def of(self, number: int, start: int, stop: int) -> NDArray[Any]:
        """Field `number` of some rows, as it lies in the file."""
        return numpy.asarray(self.rows[f"f{number}"][start:stop])

    def steps(self) -> Iterator[tuple[int, int]]:
        """(first row, row after the last) of parts of the table whose rows, without what they point to, fit into memory."""
        step = batch_rows(self.row_bytes)
        for start in range(0, self.nrows, step):
            yield start, min(start + step, self.nrows)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """The same, with what they point to: as many rows as make a batch, at least one."""
        if not any(form.descriptor for form in self.forms):
            yield from self.steps()
            return
        for first, last in self.steps():
            ends = numpy.cumsum(self.sizes(first, last))
            start = first
            while start < last:
                before = ends[start - first - 1] if start > first else 0
                stop = max(start + 1, first + int(numpy.searchsorted(ends, before + BATCH_BYTES, side="right")))
                yield start, stop
                start = stop

    def sizes(self, start: int, stop: int) -> NDArray[numpy.int64]:
        """Bytes of each of these rows, with those of the arrays that it points to."""
        sizes = numpy.full(stop - start, self.row_bytes, numpy.int64)
        for number, form in enumerate(self.forms, 1):
            if form.descriptor:
                counts = numpy.maximum(self.of(number, start, stop)[:, 0].astype(numpy.int64), 0)
                sizes += form.bytes_of(counts)
        return sizes


def _field(dtype: Any) -> tuple[Any, ...]:
    return dtype if isinstance(dtype, tuple) else (dtype,)


def _form(path: Path, header: fits.Header, number: int) -> Form:
    """TFORMn taken apart. What VO tables cannot hold raises DataError naming the column."""
    text = str(header.get(f"TFORM{number}", ""))
    name = str(header.get(f"TTYPE{number}", f"col{number}"))
    match = FORMAT.match(text)
    if match is None:
        raise DataError(
            f"TFORM{number} = {text!r} is not a format FITS knows.", source=path.name, column=name, hint="Check it with `fitsverify`."
        )
    repeat, code, rest = int(match[1] or 1), match[2], match[3].strip()
    descriptor = ""
    if code in "PQ":
        descriptor, code = code, rest[:1]
        if code not in ELEMENTS and code not in "CM":
            raise DataError(f"TFORM{number} = {text!r} is not a format FITS knows.", source=path.name, column=name)
    if code in "CM":
        raise DataError(
            "complex numbers have no place in a TAP table.",
            source=path.name,
            column=name,
            hint="Store real and imaginary parts as two columns.",
        )
    width = int(rest) if code == "A" and not descriptor and rest.isdigit() else None
    return Form(repeat, code, descriptor, width)


def _metadata(header: fits.Header, number: int, serialised: dict[str, Any]) -> dict[str, str | None]:
    """Unit, UCD, utype, xtype and description: from the keywords, else from what astropy wrote into COMMENT cards."""

    def card(keyword: str) -> str | None:
        return str(header.get(f"{keyword}{number}", "")).strip() or None

    meta = dict(serialised.get("meta") or {})
    comment = str(header.comments[f"TTYPE{number}"]).strip() if f"TTYPE{number}" in header else ""
    return {
        "unit": card("TUNIT") or serialised.get("unit"),
        "ucd": card("TUCD") or meta.get("ucd"),
        "utype": card("TUTYP") or meta.get("utype"),
        "xtype": card("TXTYP") or meta.get("xtype"),
        "description": card("TCOMM") or serialised.get("description") or (None if STANDARD_COMMENT.fullmatch(comment) else comment),
    }


def _astropy_columns(header: fits.Header) -> dict[str, dict[str, Any]]:
    """Column attributes that astropy keeps as YAML in COMMENT cards, by column name."""
    cards = [str(card) for card in header.get("COMMENT", ())]
    begin, end = "--BEGIN-ASTROPY-SERIALIZED-COLUMNS--", "--END-ASTROPY-SERIALIZED-COLUMNS--"
    if begin not in cards or end not in cards:
        return {}
    lines: list[str] = []
    continued = False
    for card in cards[cards.index(begin) + 1 : cards.index(end)]:
        text = card[:-1] if card.endswith("\\") else card
        lines[-1:] = [lines[-1] + text] if continued else [*lines[-1:], text]
        continued = card.endswith("\\")
    return {str(entry["name"]): dict(entry) for entry in get_header_from_yaml(lines).get("datatype", [])}


def _column(layout: _Layout, number: int, name: str) -> tuple[Column, Chunk, list[str]]:
    form = layout.forms[number - 1]
    if form.code == "A":
        return _variable_text(layout, number, name) if form.descriptor else _text(layout, number, name, form)
    if form.code == "L":
        decode: _Decode = _logical
        datatype = "boolean"
    elif form.code == "X":
        decode, datatype = _Bits(form.repeat), "boolean"
    else:
        datatype, decode = _numeric(layout, number, name, form)
    column = Column(name, datatype, _arraysize(layout.header, number, form))
    target = arrow_type(column)
    if form.descriptor:
        return column, _from_heap(layout, number, form, target, decode), []

    def chunk(start: int, stop: int) -> pyarrow.Array:
        values, nulls = decode(layout.of(number, start, stop), start + 1)
        if column.is_array:
            return arrays.fixed_lists(values, nulls, target)
        return arrays.scalars(values.reshape(-1), nulls.reshape(-1) if nulls is not None else None, target)

    return column, chunk, []


_Decode = Callable[[NDArray[Any], int], tuple[NDArray[Any], NDArray[Any] | None]]
"""(values as they lie in the file, number of the first row) → (values, which of them are null)."""


def _arraysize(header: fits.Header, number: int, form: Form) -> str | None:
    """VOTable's arraysize: TDIM's axes are in the same order, the first running fastest (VOTable 1.5 §2.2)."""
    if form.descriptor:
        return "*"
    if form.repeat == 1:
        return None
    axes = re.fullmatch(r"\s*\(([\d,\s]+)\)\s*", str(header.get(f"TDIM{number}", "")))
    sizes = [int(size) for size in axes[1].split(",")] if axes else []
    return "x".join(map(str, sizes)) if len(sizes) > 1 and numpy.prod(sizes) == form.repeat else str(form.repeat)


def _logical(raw: NDArray[Any], _row: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """T, F, and anything else for null (FITS 4.0 §7.3.3.1)."""
    return raw == ord("T"), (raw != ord("T")) & (raw != ord("F"))


@dataclass(frozen=True, slots=True)
class _Bits:
    """The first `count` bits of each row's bytes, most significant first."""

    count: int

    def __call__(self, raw: NDArray[Any], _row: int) -> tuple[NDArray[Any], None]:
        return numpy.unpackbits(raw, axis=-1, count=self.count).astype(bool), None


def _numeric(layout: _Layout, number: int, name: str, form: Form) -> tuple[str, _Decode]:
    """Datatype and decoder of a column of numbers, with TSCAL, TZERO and TNULL applied (FITS 4.0 §7.2.2)."""
    header = layout.header
    scale, zero = header.get(f"TSCAL{number}", 1), header.get(f"TZERO{number}", 0)
    null = header.get(f"TNULL{number}") if form.code in RANGES else None
    if scale == 1 and zero == 0:
        return ELEMENTS[form.code][0], lambda raw, _row: (raw, raw == null if null is not None else None)
    if form.code in RANGES and scale == 1 and float(zero).is_integer():
        datatype, unsigned = _shifted(form.code, int(zero))

        def shift(raw: NDArray[Any], row: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
            nulls = raw == null if null is not None else None
            if not unsigned:
                return raw.astype(numpy.int64) + int(zero), nulls
            values = raw.astype(numpy.int64).view(numpy.uint64) + numpy.uint64(int(zero) % 2**64)
            known = numpy.where(nulls, numpy.uint64(0), values) if nulls is not None else values
            return arrays.checked_unsigned(known, source=layout.path.name, column=name, first_row=row), nulls

        return datatype, shift
    return "double", lambda raw, _row: (raw.astype(numpy.float64) * scale + zero, raw == null if null is not None else None)


def _shifted(code: str, zero: int) -> tuple[str, bool]:
    """The integer type that holds a shifted column, and whether only as far as the values allow (unsigned 64 bit)."""
    low, high = (bound + zero for bound in RANGES[code])
    for datatype, bits in WIDER:
        if low >= -(2 ** (bits - 1)) and high < 2 ** (bits - 1):
            return datatype, False
    return "long", True


def _from_heap(layout: _Layout, number: int, form: Form, target: pyarrow.DataType, decode: _Decode) -> Chunk:
    """Arrays of varying length: each row points to its elements in the heap (FITS 4.0 §7.3.5)."""

    def chunk(start: int, stop: int) -> pyarrow.Array:
        lengths = layout.of(number, start, stop)[:, 0].astype(numpy.int64)
        flat = _gather(layout, number, start, stop)
        if form.code == "X":
            parts = numpy.split(flat, numpy.cumsum((lengths + 7) // 8)[:-1])
            values = numpy.concatenate(
                [numpy.unpackbits(part, count=count) for part, count in zip(parts, lengths, strict=True)] or [flat]
            ).astype(bool)
        else:
            values, nulls = decode(flat, start + 1)
            if nulls is not None and nulls.any() and values.dtype.kind in "iu":
                return _with_gaps(values, nulls, lengths, target)
        return arrays.variable_lists(values, lengths, target)

    return chunk


def _with_gaps(values: NDArray[Any], nulls: NDArray[Any], lengths: NDArray[Any], target: pyarrow.DataType) -> pyarrow.Array:
    whole = arrays.variable_lists(values, lengths, target)
    elements = pyarrow.array(values.astype(target.value_type.to_pandas_dtype()), target.value_type, mask=nulls)
    return pyarrow.ListArray.from_arrays(whole.offsets, elements)


def _gather(layout: _Layout, number: int, start: int, stop: int) -> NDArray[Any]:
    """The elements in the heap that these rows point to (length, byte offset), one row after the other."""
    form = layout.forms[number - 1]
    pointers = layout.of(number, start, stop).astype(numpy.int64)
    sizes, begins = form.bytes_of(pointers[:, 0]), pointers[:, 1]
    ends = begins + sizes
    bad = (sizes < 0) | (begins < 0) | ((ends > len(layout.heap)) & (sizes > 0))
    if bad.any():
        raise DataError(
            "the array lies outside the file's heap.",
            source=layout.path.name,
            row=start + 1 + int(numpy.flatnonzero(bad)[0]),
            column=str(layout.header.get(f"TTYPE{number}", number)),
            hint="The file is damaged: fetch it again.",
        )
    known = sizes > 0
    begins, ends = begins[known], ends[known]
    if not len(begins):
        data = numpy.zeros(0, numpy.uint8)
    elif (begins[1:] == ends[:-1]).all():  # as most writers have it
        data = layout.heap[begins[0] : ends[-1]]
    else:
        data = numpy.concatenate([layout.heap[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)])
    return numpy.ascontiguousarray(data).view(ELEMENTS[form.code][1])


def _text(layout: _Layout, number: int, name: str, form: Form) -> tuple[Column, Chunk, list[str]]:
    """Strings: trailing blanks are padding, a NUL ends one (FITS 4.0 §7.3.3.1), and an empty one is NULL, as in astropy's tables."""
    width, count = _string_shape(layout.header, number, form)
    raw = layout.of(number, 0, layout.nrows)
    encoding, plain = _encoding(layout, number)
    remarks = ["the bytes are not UTF-8 and were read as Latin-1"] if encoding == "latin-1" else []
    if _text_after_nul(layout, number, width):
        remarks.append("what follows the first NUL of a string was left out (FITS 4.0 §7.3.3.1)")
    if count > 1:
        remarks.append(f"each row's {count} strings became one, separated by semicolons")
    column = Column(name, "char" if plain else "unicodeChar", "*")

    def chunk(start: int, stop: int) -> pyarrow.Array:
        cells = numpy.ascontiguousarray(raw[start:stop])
        if count == 1:
            return _decoded(cells, encoding)
        parts = cells.view(f"S{width}").reshape(-1)
        pieces = pc.fill_null(_decoded(parts, encoding), "")
        offsets = pyarrow.array(numpy.arange(stop - start + 1, dtype=numpy.int64) * count)
        return pc.binary_join(pyarrow.LargeListArray.from_arrays(offsets, pieces), pyarrow.scalar(";", pyarrow.large_string()))

    return column, chunk, remarks


def _string_shape(header: fits.Header, number: int, form: Form) -> tuple[int, int]:
    """(width of one string, strings a row), from TDIM or the rAw convention."""
    axes = re.fullmatch(r"\s*\(([\d,\s]+)\)\s*", str(header.get(f"TDIM{number}", "")))
    width = int(axes[1].split(",")[0]) if axes else form.width or form.repeat
    fits_in = 0 < width <= form.repeat and form.repeat % width == 0
    return (width, form.repeat // width) if fits_in else (form.repeat, 1)


def _encoding(layout: _Layout, number: int) -> tuple[str, bool]:
    """(encoding of a column of strings, whether it is plain ASCII), judged over the whole column."""
    encoding, plain = "utf-8", True
    for start, stop in layout.steps():
        cells = numpy.ascontiguousarray(layout.of(number, start, stop))
        if not (cells.view(numpy.uint8) > 127).any():
            continue
        plain = False
        try:
            pyarrow.array(cells).cast(pyarrow.string())
        except pyarrow.ArrowInvalid:
            encoding = "latin-1"
    return encoding, plain


def _text_after_nul(layout: _Layout, number: int, width: int) -> bool:
    for start, stop in layout.steps():
        cells = numpy.ascontiguousarray(layout.of(number, start, stop)).view(numpy.uint8).reshape(-1, width)
        if ((cells[:, :-1] == 0) & (cells[:, 1:] != 0) & (cells[:, 1:] != ord(" "))).any():
            return True
    return False


def _decoded(cells: NDArray[Any], encoding: str) -> pyarrow.Array:
    """Fixed-width byte strings, shape (n,), as texts without their padding; empty ones are NULL."""
    if encoding == "latin-1":
        strings = pyarrow.array(numpy.char.decode(cells, "latin-1"), pyarrow.large_string())
    else:
        strings = pyarrow.array(cells).cast(pyarrow.large_binary()).cast(pyarrow.large_string())
    trimmed = pc.utf8_rtrim(strings, " ")
    return pc.if_else(pc.equal(trimmed, ""), pyarrow.scalar(None, pyarrow.large_string()), trimmed)


def _variable_text(layout: _Layout, number: int, name: str) -> tuple[Column, Chunk, list[str]]:
    """One string a row, of any length, in the heap (``PA``)."""

    def raw(start: int, stop: int) -> pyarrow.Array:
        lengths = layout.of(number, start, stop)[:, 0].astype(numpy.int64)
        flat = _gather(layout, number, start, stop)
        offsets = numpy.concatenate(([0], numpy.cumsum(lengths))).astype(numpy.int64)
        return pyarrow.LargeBinaryArray.from_buffers(
            pyarrow.large_binary(), stop - start, [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(flat.tobytes())]
        )

    def chunk(start: int, stop: int) -> pyarrow.Array:
        try:
            strings = raw(start, stop).cast(pyarrow.large_string())
        except pyarrow.ArrowInvalid:
            strings = pyarrow.array([cell.decode("latin-1") for cell in raw(start, stop).to_pylist()], pyarrow.large_string())
        trimmed = pc.utf8_rtrim(pc.utf8_rtrim(strings, " "), "\0")
        arrays.refuse_nul(trimmed, source=layout.path.name, column=name, first_row=start + 1)
        return pc.if_else(pc.equal(trimmed, ""), pyarrow.scalar(None, pyarrow.large_string()), trimmed)

    plain = all(arrays.is_ascii(chunk(start, stop)) for start, stop in layout.pieces())
    return Column(name, "char" if plain else "unicodeChar", "*"), chunk, []
