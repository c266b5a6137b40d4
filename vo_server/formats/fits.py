"""Rows as a FITS binary table in HDU 1 (FITS 4.0 §7.3).

The header comes first and needs what only the last row tells: the number of rows, the width of strings, a number for NULL that no
cell holds. So the rows wait in a temporary file, and ``tail`` reads it: once for the rows, and once more for the heap of variable cells.

Strings are of fixed width, as astropy and STIL like them, unless a few long ones would blow up the file; timestamps are strings. FITS
knows printable ASCII only, and no difference between an empty string and NULL. Null floats are NaN, null booleans zero bytes.
Integers with nulls have a TNULL that occurs nowhere in the column, in a wider type if all numbers of their own are taken.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo_server.errors import DataError, UsageError
from vo_server.formats.binary import ARROW_TYPES, cut
from vo_server.formats.cells import EMPTY, elements, refuse_null_integers, timestamp_text
from vo_server.formats.fitscards import header, number_card, padding, remark_cards, text_cards
from vo_server.formats.spool import Spool
from vo_server.formats.texts import SUBSTITUTE, classes_in, string_bytes
from vo_server.formats.writer import Writer
from vo_server.model.columns import INTEGERS, Column
from vo_server.model.result import Ending, Outcome, TableHead

MOST_COLUMNS = 999
"""FITS 4.0 §7.3.1."""
SPECIAL_BYTES = b"\t\n\r\x7f"
NOT_PRINTABLE = "[^ -~]"
NUL = "\x00"

NOTHING = pa.scalar(b"")

CODES = {"boolean": "L", "unsignedByte": "B", "short": "I", "int": "J", "long": "K", "float": "E", "double": "D", "char": "A"}
"""VOTable primitive → letter of TFORM; every text is ``char``."""
WIRE_TYPES = {"L": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "A": "S1"}
WIDER = {"B": "I", "I": "J", "J": "K"}
RANGES = {"B": (0, 255), "I": (-(2**15), 2**15 - 1), "J": (-(2**31), 2**31 - 1), "K": (-(2**63), 2**63 - 1)}
LETTERS = np.frombuffer(b"FT\x00", np.uint8)
UNKNOWN = pa.scalar(2, pa.uint8())
NULLABLE = {"B": ARROW_TYPES["short"], "I": ARROW_TYPES["short"], "J": ARROW_TYPES["int"], "K": ARROW_TYPES["long"]}
"""Letter → Arrow type that holds all numbers of a column with TNULL."""
COLUMN_KEYWORDS = (("TUNIT", "unit"), ("TUCD", "ucd"), ("TUTYP", "utype"), ("TXTYP", "xtype"), ("TCOMM", "description"))
"""TUNIT is the standard's (FITS 4.0 §7.3.2), the others are those of STIL."""
CANDIDATES = 4
"""How many numbers at each end of an integer's range may become its TNULL."""
SMALL_HEAP = 2**31
"""Up to here descriptors are pairs of 32 bits."""
LONG = 256
WASTE = 4
ROOM = 1 << 24
"""Strings go to the heap if the longest has more characters than LONG and fixed cells would take WASTE times their sum, and more bytes than
ROOM: astropy gives cells of the heap as arrays of single characters.
"""


@dataclass(slots=True)
class Facts:
    """What is known of a column once all of its cells have been seen: `width` and `total` count the bytes of strings or the elements of
    variable arrays, `free` are numbers that no cell holds."""

    free: list[int]
    nulls: bool = False
    width: int = 0
    total: int = 0

    def see(self, column: Column, array: pa.Array) -> None:
        """Take the cells of one batch into account. Raises DataError for those that the column's declaration forbids."""
        self.nulls = self.nulls or array.null_count > 0
        if column.is_array:
            flat, lengths = elements(column, array)
            refuse_null_integers(column, flat)
        else:
            flat, lengths = array, _lengths(array) if _is_text(column) else np.empty(0, np.int32)
        if self.free:
            self._see_integers(column, flat)
        if len(lengths):
            self.width, self.total = max(self.width, int(lengths.max())), self.total + int(lengths.sum())

    def _see_integers(self, column: Column, flat: pa.Array) -> None:
        ends = pc.min_max(flat)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is None:
            return
        if column.datatype == "unsignedByte" and (low < 0 or high > RANGES["B"][1]):
            raise DataError("a value does not fit into an unsigned byte (0 to 255).", column=column.name)
        if any(low <= number <= high for number in self.free):
            taken = pc.is_in(pa.array(self.free, flat.type), value_set=flat).to_pylist()
            self.free = [number for number, is_taken in zip(self.free, taken, strict=True) if not is_taken]


def _candidates(column: Column) -> list[int]:
    if column.datatype not in INTEGERS:
        return []
    low, high = RANGES[CODES[column.datatype]]
    if column.datatype == "unsignedByte":
        return list(range(high, low - 1, -1))
    return [number for step in range(CANDIDATES) for number in (low + step, high - step)]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a column stands in the file: letter and count of its cells, the letter of the descriptor if they are in the heap, and TNULL."""

    column: Column
    code: str
    count: int
    descriptor: str | None = None
    null: int | None = None
    longest: int = 0

    @property
    def form(self) -> str:
        """TFORM (FITS 4.0 §7.3.1)."""
        return f"1{self.descriptor}{self.code}({self.longest})" if self.descriptor else f"{self.count}{self.code}"

    @property
    def cell(self) -> tuple[object, ...]:
        """Type and shape of the cell in a numpy record."""
        if self.descriptor:
            return ">i4" if self.descriptor == "P" else ">i8", (2,)
        if self.code == "A":
            return f"S{self.count}", ()
        return WIRE_TYPES[self.code], (self.count,) if self.column.is_array else ()

    @property
    def filler(self) -> float:
        """What stands in the place of a null."""
        return self.null if self.null is not None else 0 if self.code == "L" else np.nan

    @property
    def wire(self) -> np.dtype:
        """Type of one element."""
        return np.dtype(WIRE_TYPES[self.code])


def layout_of(column: Column, facts: Facts, rows: int, descriptor: str) -> Layout:
    """The layout for cells of which `facts` is known; `descriptor` is what a heap of that size takes."""
    if _is_text(column):
        in_heap = facts.width > LONG and rows * facts.width > max(WASTE * facts.total, ROOM)
        return Layout(column, "A", max(facts.width, 1), descriptor if in_heap else None, longest=facts.width)
    code = CODES[column.datatype]
    if column.is_array and column.length is None:
        return Layout(column, code, 1, descriptor, longest=facts.width)
    null = None
    if facts.nulls and column.datatype in INTEGERS:
        code, null = _with_null(column, facts, code)
    return Layout(column, code, 1 if column.length is None else column.length, null=null)


def _with_null(column: Column, facts: Facts, code: str) -> tuple[str, int]:
    if facts.free:
        return code, facts.free[0]
    if code not in WIDER:
        raise DataError("no number is left to stand for NULL in FITS.", column=column.name, hint="Ask for another format, such as Parquet.")
    return WIDER[code], RANGES[WIDER[code]][0]


class FitsWriter(Writer):
    """Two HDUs: an empty one, which is sent at once, and the table. QSTATUS and a COMMENT in its header say how the rows ended."""

    def __init__(self, head: TableHead) -> None:
        if len(head.columns) > MOST_COLUMNS:
            raise UsageError(
                f"A FITS table has at most {MOST_COLUMNS} columns; this one has {len(head.columns)}.",
                hint="Choose fewer columns, or another format.",
                parameter="RESPONSEFORMAT",
            )
        self._head = head
        self._facts = [Facts(_candidates(column)) for column in head.columns]
        self._spool: Spool | None = None
        self._rows = 0

    def head(self) -> bytes:
        """The primary HDU, which holds nothing."""
        return header((number_card("SIMPLE", True), number_card("BITPIX", 8), number_card("NAXIS", 0), number_card("EXTEND", True)))

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """Nothing: the rows are kept."""
        arrays = [_prepared(column, array) for column, array in zip(self._head.columns, batch.columns, strict=True)]
        for column, array, facts in zip(self._head.columns, arrays, self._facts, strict=True):
            facts.see(column, array)
        kept = pa.RecordBatch.from_arrays(arrays, names=[str(index) for index in range(len(arrays))])
        if self._spool is None:
            self._spool = Spool(kept.schema, self.room)
        self._spool.write(kept)
        self._rows += kept.num_rows
        return b""

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """The table's header, its rows, and its heap."""
        layouts = self._layouts()
        record = np.dtype([(f"c{index}", *layout.cell) for index, layout in enumerate(layouts)])
        heap = sum(facts.total * layout.wire.itemsize for layout, facts in zip(layouts, self._facts, strict=True) if layout.descriptor)
        yield _table_header(self._head, layouts, (record.itemsize, self._rows, heap), outcome)
        yield from self._records(layouts, record)
        if heap:
            yield from self._heap(layouts)
        yield bytes(padding(record.itemsize * self._rows + heap))

    def close(self) -> None:
        """Remove the temporary file."""
        if self._spool is not None:
            self._spool.close()

    def _layouts(self) -> list[Layout]:
        columns = self._head.columns
        # not all of these bytes will be in the heap, but a descriptor that is too wide costs little
        bound = sum(facts.total * np.dtype(WIRE_TYPES[_code(column)]).itemsize for column, facts in zip(columns, self._facts, strict=True))
        descriptor = "P" if bound < SMALL_HEAP else "Q"
        return [layout_of(column, facts, self._rows, descriptor) for column, facts in zip(columns, self._facts, strict=True)]

    def _batches(self) -> Iterator[pa.RecordBatch]:
        return self._spool.batches() if self._spool is not None else iter(())

    def _records(self, layouts: Sequence[Layout], record: np.dtype) -> Iterator[bytes]:
        at = 0
        for batch in self._batches():
            records = np.zeros(batch.num_rows, record)
            sizes = _heap_sizes(layouts, batch)
            starts = at + np.concatenate(([0], np.cumsum(sizes.ravel())))
            at = int(starts[-1])
            starts = starts[:-1].reshape(sizes.shape)
            heaped = 0
            for index, (layout, array) in enumerate(zip(layouts, batch.columns, strict=True)):
                if layout.descriptor:
                    records[f"c{index}"][:, 0] = sizes[:, heaped] // layout.wire.itemsize
                    records[f"c{index}"][:, 1] = starts[:, heaped]
                    heaped += 1
                else:
                    records[f"c{index}"] = _cells(layout, array)
            yield records.tobytes()

    def _heap(self, layouts: Sequence[Layout]) -> Iterator[bytes]:
        for batch in self._batches():
            parts = [
                _heap_cells(layout, array) for layout, array in zip(layouts, batch.columns, strict=True) if layout.descriptor is not None
            ]
            yield string_bytes(parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, NOTHING)).tobytes()


def _is_text(column: Column) -> bool:
    return column.is_text or column.is_timestamp


def _code(column: Column) -> str:
    return "A" if _is_text(column) else CODES[column.datatype]


def _prepared(column: Column, array: pa.Array) -> pa.Array:
    """Texts without nulls and with printable ASCII only; all else as it is."""
    if not _is_text(column):
        return array
    text = timestamp_text(column, array) if column.is_timestamp else array
    if text.null_count:
        text = pc.fill_null(text, EMPTY)
    return pc.replace_substring_regex(text, NOT_PRINTABLE, SUBSTITUTE) if classes_in(text, SPECIAL_BYTES) else text


def _lengths(array: pa.Array) -> np.ndarray:
    lengths: np.ndarray = pc.binary_length(array).to_numpy()
    return lengths


def _numbers(layout: Layout, array: pa.Array) -> np.ndarray:
    """Elements as numpy; null becomes NaN, TNULL, or the zero byte of a boolean."""
    if layout.code == "L":
        codes: np.ndarray = pc.fill_null(array.cast(pa.uint8()), UNKNOWN).to_numpy()
        letters: np.ndarray = LETTERS[codes]
        return letters
    if layout.null is not None:
        array = array.cast(NULLABLE[layout.code])
    if array.null_count:
        array = pc.fill_null(array, pa.scalar(layout.filler, array.type))
    values: np.ndarray = array.to_numpy()
    return values


def _cells(layout: Layout, array: pa.Array) -> np.ndarray:
    """Cells of fixed width."""
    if layout.code == "A":
        return string_bytes(pc.ascii_rpad(array, layout.count, NUL)).view(f"S{layout.count}")
    if not layout.column.is_array:
        return _numbers(layout, array)
    values = _numbers(layout, array.flatten()).reshape(-1, layout.count)
    if not array.null_count:
        return values
    cells = np.full((len(array), layout.count), layout.filler, values.dtype)
    cells[array.is_valid().to_numpy(zero_copy_only=False)] = values
    return cells


def _heap_sizes(layouts: Sequence[Layout], batch: pa.RecordBatch) -> np.ndarray:
    """Bytes of each cell in the heap: a row for each row, a column for each variable column."""
    sizes = [
        (_lengths(array) if layout.code == "A" else elements(layout.column, array)[1]).astype(np.int64) * layout.wire.itemsize
        for layout, array in zip(layouts, batch.columns, strict=True)
        if layout.descriptor
    ]
    return np.stack(sizes, axis=1) if sizes else np.zeros((batch.num_rows, 0), np.int64)


def _heap_cells(layout: Layout, array: pa.Array) -> pa.Array:
    """Cells of the heap as a binary array; null is empty."""
    if layout.code == "A":
        return array.cast(pa.binary())
    flat, lengths = elements(layout.column, array)
    return cut(_numbers(layout, flat).astype(layout.wire), lengths * layout.wire.itemsize)


def _table_header(head: TableHead, layouts: Sequence[Layout], sizes: tuple[int, int, int], outcome: Outcome) -> bytes:
    """The header of HDU 1; `sizes` are bytes of a row, rows, bytes of the heap."""
    cards = [
        *text_cards("XTENSION", "BINTABLE"),
        number_card("BITPIX", 8),
        number_card("NAXIS", 2),
        number_card("NAXIS1", sizes[0]),
        number_card("NAXIS2", sizes[1]),
        number_card("PCOUNT", sizes[2]),
        number_card("GCOUNT", 1),
        number_card("TFIELDS", len(layouts)),
        *text_cards("EXTNAME", head.name or "results"),
    ]
    for number, layout in enumerate(layouts, start=1):
        cards += _column_cards(number, layout)
    cards += text_cards("QSTATUS", outcome.ending.value)
    cards += remark_cards("COMMENT", _ending_words(outcome))
    cards += remark_cards("COMMENT", head.description or "")
    for info in head.infos:
        cards += remark_cards("HISTORY", f"{info.name}: {info.value}")
    return header(cards)


def _column_cards(number: int, layout: Layout) -> Iterator[str]:
    column = layout.column
    yield from text_cards(f"TTYPE{number}", column.name)
    yield from text_cards(f"TFORM{number}", layout.form)
    if layout.null is not None:
        yield number_card(f"TNULL{number}", layout.null)
    if column.length is not None and "x" in (column.arraysize or ""):
        yield from text_cards(f"TDIM{number}", f"({(column.arraysize or '').replace('x', ',')})")
    for keyword, attribute in COLUMN_KEYWORDS:
        if text := getattr(column, attribute):
            yield from text_cards(f"{keyword}{number}", text)


def _ending_words(outcome: Outcome) -> str:
    if outcome.ending is Ending.OVERFLOW:
        return "There are more rows than these: the limit (MAXREC) was reached."
    return f"ROWS ARE MISSING: {outcome.message}" if outcome.ending is Ending.FAILED else ""
