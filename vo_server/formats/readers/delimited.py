"""CSV and TSV: no types in the file, so every value of a column decides what the column is."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import pyarrow
import pyarrow.compute as pc
import pyarrow.csv

from vo_server.errors import DataError
from vo_server.formats.readers import arrays
from vo_server.formats.readers.layouts import Layout, opened_lines
from vo_server.formats.readers.source import Source, arrow_type, clean, distinct
from vo_server.model.columns import Column

BLOCK_BYTES = 8 << 20
LONGEST_LINE = 1 << 20
"""Bytes of a line above the rows."""

BOOLEAN = r"^(?i:true|false)$"
INTEGER = r"^[+-]?(0|[1-9][0-9]{0,18})$"
DECIMAL = r"^[+-]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?[0-9]+[eE][+-]?[0-9]+$|^[+-]?(?i:inf|infinity|nan)$"
SMALL_INTEGER = r"^[+-]?(0|[1-9][0-9]{0,14})$"
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?Z?)?$"
PADDED = r"^[+-]?0[0-9]"
DOUBTFUL = r"^.{16}|[eE]"
"""What a double may round: a decimal of at most fifteen digits it holds, if it is within its range."""

MAYBE_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"

KINDS = ("boolean", "long", "double", "timestamp")
"""What a column of texts may turn out to be, tried in this order; else it stays text."""

DOUBLE = "is double precision, in which "
AS_TEXT = "As text in ECSV, VOTable or Parquet such numbers would stay as they are written."
"""Said once, however many columns have some."""

DELIMITERS = {".tsv": "\t", ".tab": "\t"}
OTHER_DELIMITERS = (";", "\t", "|")


@dataclass
class Guess:
    """What a column can still be, after the values seen so far."""

    kinds: set[str] = field(default_factory=lambda: set(KINDS))
    ascii: bool = True
    empty: bool = True
    small: bool = True
    numbers: int = 0
    first_text: tuple[int, str] | None = None
    """Row and value of the first that is not a number."""
    padded: tuple[int, str] | None = None
    """Row and value of the first number with zeros before it that it does not need."""
    rounded: tuple[int, str] | None = None
    """Row and value of the first number that a double does not hold."""

    def see(self, texts: pyarrow.Array, row: int) -> None:
        """Narrow the guess by some more values, the first of which stands in `row`."""
        self.ascii = self.ascii and arrays.is_ascii(texts)
        trimmed = _trimmed(texts)
        known = pc.drop_null(trimmed)
        self.empty = self.empty and len(known) == 0
        self.kinds = {kind for kind in self.kinds if _fits(known, kind)}
        if "long" in self.kinds and self.small and len(known):
            bounds = pc.min_max(_numbers(known, pyarrow.int64()))
            self.small = bounds["min"].as_py() >= -(2**31) and bounds["max"].as_py() < 2**31
        self._remember_text(trimmed, known, row)
        if "double" in self.kinds:
            self.padded = self.padded or _at(trimmed, pc.index(pc.match_substring_regex(trimmed, PADDED), True).as_py(), row)
            self.rounded = self.rounded or _at(trimmed, _rounded(trimmed), row)

    def _remember_text(self, trimmed: pyarrow.Array, known: pyarrow.Array, row: int) -> None:
        if self.first_text is None and not self.kinds and len(known):
            matches = pc.match_substring_regex(trimmed, MAYBE_NUMBER)
            self.numbers += pc.sum(matches).as_py() or 0
            other = pc.index(matches, False).as_py()
            self.first_text = (row + other, trimmed[other].as_py()) if other >= 0 else None
        else:
            self.numbers += len(known) if self.kinds & {"long", "double"} else 0

    def column(self, name: str) -> Column:
        """The column this is, now that all values were seen."""
        kind = next((kind for kind in KINDS if kind in self.kinds), "text") if not self.empty else "text"
        if kind == "timestamp":
            return Column(name, "char", "*", xtype="timestamp")
        if kind == "text":
            return Column(name, "char" if self.ascii else "unicodeChar", "*")
        return Column(name, "int" if kind == "long" and self.small else kind)

    def remarks(self) -> list[str]:
        """What an operator may want to know about the decision."""
        if self.empty:
            return ["has no values; it is kept as a column of empty text"]
        if not self.kinds and self.first_text is not None and self.numbers:
            row, value = self.first_text
            missing = f"if that means a missing value, leave the cell empty, or publish with --null {value!r}"
            return [f"is text, because row {row} holds {value!r} among numbers ({missing})"]
        if "double" not in self.kinds:
            return []
        seen = dict.fromkeys(one for one in (self.rounded, self.padded) if one)
        said = " and ".join(f"{value!r} of row {row} is {float(value)!r}" for row, value in seen)
        return [f"{DOUBLE}{said}"] if said else []


def open_delimited(path: Path, table: str | None, nulls: Sequence[str] = ()) -> Source:
    """The table of a CSV or TSV file; `nulls` are spellings of missing values besides the empty one. DataError names the wrong row."""
    stem = path.name.split(".")[0]
    if table is not None and table != stem:
        raise DataError(f"there is no table {table!r}: a text file holds one.", source=path.name)
    head = _head(path)
    return _source(path, head.names, head.notes, head.comment, _Text(path, head, ("", *nulls)).batches)


def open_laid_out(path: Path, layout: Layout, nulls: Sequence[str] = ()) -> Source:
    """The table of a text file whose layout somebody has to say. DataError names the wrong row."""
    lines = opened_lines(path, layout, frozenset(nulls))
    return _source(path, lines.names, (), None, lines.batches)


def _source(
    path: Path,
    given: Sequence[str],
    remarks: Sequence[str],
    comment: str | None,
    texts: Callable[[], Iterator[tuple[int, pyarrow.RecordBatch]]],
) -> Source:
    """The table of these columns of texts, whose values decide on their types."""
    names, notes = distinct(list(given))
    guesses = [Guess() for _ in names]
    nrows = 0
    for row, batch in texts():
        for name, guess, values in zip(names, guesses, batch.columns, strict=True):
            arrays.refuse_nul(values, source=path.name, column=name, first_row=row)
            guess.see(values, row)
        nrows += batch.num_rows
    columns = tuple(guess.column(name) for name, guess in zip(names, guesses, strict=True))
    about = [(name, remark) for name, guess in zip(names, guesses, strict=True) for remark in guess.remarks()]
    notes += [*remarks, *(f"{name}: {remark}" for name, remark in about)]
    notes += [AS_TEXT] if any(remark.startswith(DOUBLE) for _, remark in about) else []
    schema = pyarrow.schema([(column.name, arrow_type(column)) for column in columns])

    def batches() -> Iterator[pyarrow.RecordBatch]:
        for _, batch in texts():
            yield pyarrow.RecordBatch.from_arrays(
                [_typed(values, column) for values, column in zip(batch.columns, columns, strict=True)], schema=schema
            )

    return Source(path, path.name.split(".")[0], columns, batches, nrows, None, comment, tuple(notes))


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the rows: column names, comment lines, and how many lines both take."""

    names: tuple[str, ...]
    delimiter: str
    lines: int
    comment: str | None
    notes: tuple[str, ...]


def _head(path: Path) -> Head:
    with _explained(path), _stream(path) as stream:
        lines = _lines(io.BufferedReader(stream))
        comments: list[str] = []
        line = next(lines, "")
        if "\r" in line.rstrip("\r\n") and not line.endswith("\n"):
            raise DataError(
                "its lines end with a carriage return alone, as on the earliest Macintoshes.",
                source=path.name,
                hint="Convert them: tr '\\r' '\\n' < FILE > NEWFILE.",
            )
        while line.startswith("#") or (line and not line.strip()):
            comments.append(line.strip("# \t\r\n"))
            line = next(lines, "")
        if not line:
            raise DataError("the file is empty.", source=path.name)
        delimiter, notes = _delimiter(path, line)
        reader = csv.reader(chain((line,), lines), delimiter=delimiter)
        names = next(reader)
    return Head(tuple(names), delimiter, len(comments) + reader.line_num, clean(" ".join(comments)), notes)


def _lines(file: io.BufferedReader) -> Iterator[str]:
    """Lines with their ends; only what is asked for is read, so that a fault in the rows is found where rows are counted."""
    first = file.readline(LONGEST_LINE).decode("utf-8-sig")
    if first:
        yield first
    while line := file.readline(LONGEST_LINE):
        yield line.decode("utf-8")


def _delimiter(path: Path, line: str) -> tuple[str, tuple[str, ...]]:
    """The file's delimiter, and a note if it is not the one its name promises."""
    suffix = next((suffix for suffix in path.suffixes[::-1] if suffix != ".gz"), "").lower()
    promised = DELIMITERS.get(suffix, ",")
    if promised in line:
        return promised, ()
    for other in (*OTHER_DELIMITERS, ","):
        if other in line:
            return other, (f"the columns are separated by {other!r}",)
    return promised, ()


@contextmanager
def _stream(path: Path) -> Iterator[pyarrow.NativeFile]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with pyarrow.input_stream(str(path), compression="gzip" if packed else None) as stream:
        yield stream


@contextmanager
def _explained(path: Path, shift: int = 0) -> Iterator[None]:
    """Errors of reading as DataError; `shift` lines stand above the first row that the parser counts."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"the text is not UTF-8 ({error.reason}).", source=path.name, hint=_RECODE) from None
    except pyarrow.ArrowInvalid as error:
        raise _explanation(path, str(error), shift) from None
    except (OSError, EOFError, csv.Error) as error:
        raise DataError(f"the file cannot be read ({error}).", source=path.name, hint="It is probably truncated: fetch it again.") from None


_RECODE = "Convert it, for instance with `iconv -f latin1 -t utf8`."


def _explanation(path: Path, message: str, shift: int) -> DataError:
    place = re.search(r"Row #(\d+)", message)
    row = int(place[1]) - shift if place else None
    if "UTF8" in message:
        return DataError("the text is not UTF-8.", source=path.name, row=row, hint=_RECODE)
    counts = re.search(r"Expected (\d+) columns, got (\d+)", message)
    if counts:
        what = f"there are {counts[2]} values for {counts[1]} columns."
        return DataError(what, source=path.name, row=row, hint="Put values that contain the delimiter in double quotes.")
    return DataError(f"this is not a readable text table ({message}).", source=path.name, row=row)


class _Text:
    """The rows as texts, batch by batch, as often as one likes."""

    def __init__(self, path: Path, head: Head, nulls: Sequence[str]) -> None:
        self._path = path
        self._head = head
        self._labels = [f"c{number}" for number in range(len(head.names))]
        self._nulls = list(nulls)

    def batches(self) -> Iterator[tuple[int, pyarrow.RecordBatch]]:
        """Batches with the number of their first row, counted from 1 below the names."""
        read = pyarrow.csv.ReadOptions(column_names=self._labels, skip_rows=self._head.lines, block_size=BLOCK_BYTES, use_threads=False)
        parse = pyarrow.csv.ParseOptions(delimiter=self._head.delimiter, newlines_in_values=True, ignore_empty_lines=len(self._labels) > 1)
        convert = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(self._labels, pyarrow.large_string()),
            null_values=self._nulls,
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        )
        row = 1
        last = None
        with _explained(self._path, self._head.lines), _stream(self._path) as stream:
            try:
                for batch in pyarrow.csv.open_csv(stream, read, parse, convert):
                    yield row, batch
                    row += batch.num_rows
                    last = batch.columns[-1][-1].as_py() if batch.num_rows else last
            except pyarrow.ArrowInvalid as error:
                if "Empty CSV file" in str(error):
                    return
                self._refuse_unclosed()
                raise
        if last is not None and "\n" in last:  # the last value of all may have swallowed rows
            self._refuse_unclosed()

    def _refuse_unclosed(self) -> None:
        """DataError that names row and column if a quote is open at the end of the file. Slow: only for files that look like it."""
        place = None
        with suppress(UnicodeDecodeError), _stream(self._path) as stream:
            place = _unclosed(io.BufferedReader(stream), self._head)
        if place is not None:
            row, column = place
            raise DataError(
                "the value begins with a double quote that is never closed, so that it goes on to the end of the file.",
                source=self._path.name,
                row=row,
                column=column,
                hint='Close the quote; a quote that belongs to the value itself is written "" inside quotes.',
            )


def _unclosed(file: io.BufferedReader, head: Head) -> tuple[int, str | None] | None:
    """Row and column of a quote that is open at the end of the file; None if there is none."""
    held: list[str] = []

    def lines() -> Iterator[str]:
        for line in islice(_lines(file), head.lines, None):
            held.append(line)
            yield line

    row = 1
    reader = csv.reader(lines(), delimiter=head.delimiter, strict=True)
    try:
        for values in reader:
            row += 1 if values or len(head.names) == 1 else 0
            held.clear()
    except csv.Error as error:
        if not any(word in str(error) for word in UNCLOSED):
            return None
        # the row until the quote that is open, or at least the beginning of what follows it
        values = next(csv.reader(_within(held, csv.field_size_limit() // 2), delimiter=head.delimiter))
        return row, head.names[len(values) - 1] if len(values) <= len(head.names) else None
    return None


UNCLOSED = ("unexpected end of data", "field larger than field limit")
"""What the csv module says of a quote that is open: the file ended, or the value is too long for one."""


def _within(lines: Sequence[str], limit: int) -> Iterator[str]:
    """The first of `lines` that have at most `limit` characters together, and at least the beginning of one."""
    yield lines[0][:limit]
    left = limit - len(lines[0])
    for line in lines[1:]:
        left -= len(line)
        if left < 0:
            return
        yield line


def _trimmed(texts: pyarrow.Array) -> pyarrow.Array:
    """Without blanks around; what is nothing but blanks is NULL."""
    bare = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(bare, ""), pyarrow.scalar(None, bare.type), bare)


def _matches(known: pyarrow.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(known, pattern), min_count=0).as_py())


def _fits(known: pyarrow.Array, kind: str) -> bool:
    """Whether every value can be of this kind without losing anything of its spelling that matters."""
    if kind == "boolean":
        return _matches(known, BOOLEAN)
    if kind == "long":
        return _matches(known, INTEGER) and _casts(_without_plus(known), pyarrow.int64())
    if kind == "double":
        # integers of more digits than a double holds are identifiers, and so are those with leading zeros; not so decimals, which
        # catalogues pad (-05.1234) and print with more digits than were measured: these are told
        return _matches(known, f"{DECIMAL}|{SMALL_INTEGER}")
    return _matches(known, INSTANT) and _casts(_without_zone(known), pyarrow.timestamp("us"))


def _rounded(trimmed: pyarrow.Array) -> int:
    """The place of the first number that a double does not hold; -1 if there is none."""
    doubtful = pc.match_substring_regex(trimmed, DOUBTFUL)
    texts = trimmed.filter(doubtful)
    values = _numbers(texts, pyarrow.float64())
    differs = pc.not_equal(values.cast(texts.type), texts)  # what programs write is mostly the shortest that means this double
    places = pc.indices_nonzero(doubtful).filter(differs).to_pylist()
    left = list(zip(places, texts.filter(differs).to_pylist(), values.filter(differs).to_pylist(), strict=True))
    return next((place for place, text, value in _unlike(left) if not _is_held(text, value)), -1)


def _unlike(numbers: list[tuple[int, str, float]]) -> list[tuple[int, str, float]]:
    """The (place, text, value) whose text is not what the program writes of the value that seems to have written the first."""
    if not numbers:
        return numbers
    mantissa, exponent, _ = numbers[0][1].partition("e")
    form = f"%.{len(mantissa.partition('.')[2])}e" if exponent else "%.17g"
    written = (f"{form}\n" * len(numbers) % tuple(value for _, _, value in numbers)).split("\n")  # at once: three times as fast
    return [one for one, text in zip(numbers, written, strict=False) if one[1] != text]


def _is_held(text: str, value: float) -> bool:
    """Whether `value`, written with as many digits as `text`, is `text`: programs write 17 digits and more of what they hold."""
    digits = _digits(text)
    return digits.isalpha() or _digits(f"{value:.{max(len(digits) - 1, 0)}e}") == digits


def _digits(text: str) -> str:
    """The significant digits of a number."""
    return text.lower().partition("e")[0].replace(".", "").lstrip("+-0").rstrip("0")


def _at(texts: pyarrow.Array, place: int, row: int) -> tuple[int, str] | None:
    """Row and value of what stands at `place`, if it is one; `row` is that of the first value."""
    return (row + place, texts[place].as_py()) if place >= 0 else None


def _casts(known: pyarrow.Array, target: pyarrow.DataType) -> bool:
    try:
        known.cast(target)
    except pyarrow.ArrowInvalid:
        return False
    return True


def _without_zone(texts: pyarrow.Array) -> pyarrow.Array:
    """Without the Z of UTC, which a DALI timestamp implies anyway (DALI 1.1 §3.3.3)."""
    return pc.replace_substring_regex(texts, "Z$", "")


def _without_plus(texts: pyarrow.Array) -> pyarrow.Array:
    return pc.replace_substring_regex(texts, r"^\+", "")


def _numbers(texts: pyarrow.Array, target: pyarrow.DataType) -> pyarrow.Array:
    return _without_plus(texts).cast(target)


def _typed(texts: pyarrow.Array, column: Column) -> pyarrow.Array:
    if column.is_text:
        return texts
    bare = _trimmed(texts)
    if column.is_timestamp:
        return _without_zone(bare).cast(arrow_type(column))
    if column.datatype == "boolean":
        return pc.utf8_lower(bare).cast(pyarrow.bool_())
    values = _numbers(bare, arrow_type(column))
    return pc.if_else(pc.is_nan(values), pyarrow.scalar(None, values.type), values) if column.datatype == "double" else values
