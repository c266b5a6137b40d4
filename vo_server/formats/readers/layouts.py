"""Text tables that do not say how they are laid out: columns between blanks, at fixed places of the line, or without names above them."""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

import pyarrow

from vo_server.errors import DataError
from vo_server.formats.readers.source import BATCH_ROWS

LONGEST_LINE = 1 << 20
"""Characters; a longer line is no row of a text table."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the lines of a text table become rows.

    ``places``: first and last character of each column, counted from 1 (last None: to the end of the line); else cells are separated by
    `separator`, or by blanks if it is None. ``names`` of the columns; if there are none, those of the last line of `skip`, or else of the
    comment above the rows. ``comment``: how lines begin that are no rows.
    """

    names: tuple[str, ...] = ()
    separator: str | None = None
    places: tuple[tuple[int, int | None], ...] = ()
    skip: int = 0
    comment: str = "#"


@dataclass(frozen=True, slots=True)
class Lines:
    """The rows of a text file as texts, batch by batch, as often as one likes. ``names`` are the columns'."""

    path: Path
    layout: Layout
    names: tuple[str, ...]
    nulls: frozenset[str]

    def batches(self) -> Iterator[tuple[int, pyarrow.RecordBatch]]:
        """Batches with the number of their first row, counted from 1. DataError names the row that has more or fewer cells."""
        first = 1
        with _numbered(self.path) as lines:
            rows = self._rows(lines)
            while some := list(islice(rows, BATCH_ROWS)):
                columns = [
                    pyarrow.array([self._value(cell) for cell in cells], pyarrow.large_string()) for cells in zip(*some, strict=True)
                ]
                yield first, pyarrow.RecordBatch.from_arrays(columns, names=[str(place) for place in range(len(columns))])
                first += len(some)

    def _rows(self, lines: Iterator[tuple[int, str]]) -> Iterator[list[str]]:
        split = splitter(self.layout)
        for row, (number, line) in enumerate(_without_comments(islice(lines, self.layout.skip, None), self.layout), 1):
            cells = split(line)
            if len(cells) != len(self.names):
                raise DataError(
                    f"there are {len(cells)} values for {len(self.names)} columns (line {number}).",
                    source=self.path.name,
                    row=row,
                    hint="[table.layout] in the descriptor says what the columns are called and where they stand.",
                )
            yield cells

    def _value(self, cell: str) -> str | None:
        return None if not cell or cell in self.nulls else cell


def opened_lines(path: Path, layout: Layout, nulls: frozenset[str]) -> Lines:
    """The rows of a text file; DataError if nothing says what the columns are called."""
    names = layout.names or _names(path, layout)
    if layout.places and len(layout.places) != len(names):
        raise DataError(f"there are {len(names)} names for {len(layout.places)} places.", source=path.name)
    return Lines(path, layout, names, nulls)


def splitter(layout: Layout) -> Callable[[str], list[str]]:
    """What makes cells of a line."""
    if layout.places:
        slices = [slice(first - 1, last) for first, last in layout.places]
        return lambda line: [line[place].strip() for place in slices]
    if layout.separator is None:
        return str.split
    separator = layout.separator
    return lambda line: [cell.strip() for cell in next(csv.reader((line,), delimiter=separator))]


def _names(path: Path, layout: Layout) -> tuple[str, ...]:
    """The words of the last line above the rows, if they are as many as the cells of the first row."""
    split = splitter(layout)
    with _numbered(path) as lines:
        above = [line for _, line in islice(lines, layout.skip)]
        for _, line in lines:
            if not (_is_comment(line, layout) or not line.strip()):
                count = len(split(line))
                break
            above.append(line)
        else:
            raise DataError("there are no rows.", source=path.name)
    named = [words for words in (split(line.strip().lstrip(layout.comment or "#").strip()) for line in above) if len(words) == count]
    if not named or layout.places:
        raise DataError(
            f"no line above the rows names their {count} columns.",
            source=path.name,
            hint='Name them in the descriptor: names = ["a", "b", …] in [table.layout].',
        )
    return tuple(named[-1])


def _without_comments(lines: Iterator[tuple[int, str]], layout: Layout) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in lines if line.strip() and not _is_comment(line, layout))


def _is_comment(line: str, layout: Layout) -> bool:
    return bool(layout.comment) and line.lstrip().startswith(layout.comment)


@contextmanager
def _numbered(path: Path) -> Iterator[Iterator[tuple[int, str]]]:
    """Lines without their ends, numbered from 1; unpacked if need be. DataError if they are no text, or cannot be read."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        opened = gzip.open if packed else open
        with opened(path, "rt", encoding="utf-8-sig", newline=None) as text:
            yield _bounded(path, cast("TextIO", text))
    except UnicodeDecodeError as error:
        raise DataError(
            f"the text is not UTF-8 ({error.reason}).", source=path.name, hint="Convert it, for instance with `iconv -f latin1 -t utf8`."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"the file cannot be read ({error}).", source=path.name, hint="It is probably truncated: fetch it again.") from None


def _bounded(path: Path, text: TextIO) -> Iterator[tuple[int, str]]:
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise DataError(f"line {number} has more than {LONGEST_LINE:,} characters: this is no text table.", source=path.name)
        yield number, line.rstrip("\n")
