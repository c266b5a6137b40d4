"""What the pages of a Parquet file claim to hold, before any is unpacked.

The footer says it too, but whoever wants a server to run out of memory writes another footer; pages are unpacked by what stands in
their own headers, and those are read here. Where the pages are is read here too: Arrow's ``ColumnChunkMetaData`` ends the process if
what a footer says of a column is nonsense. All of it is written in Thrift's compact protocol.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vo_server.errors import DataError

MAGIC_BYTES, LENGTH_BYTES = 4, 4
ROW_GROUPS, COLUMNS, COLUMN = 4, 1, 3
VALUES, COMPRESSED, DATA_OFFSET, DICTIONARY_OFFSET = 5, 7, 9, 11
"""Fields of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData (parquet.thrift)."""

DATA_PAGE, DATA_PAGE_V2 = 0, 3
HEADERS = {DATA_PAGE: (5, 2), DATA_PAGE_V2: (8, 4)}
"""Type of a page with values → (field of PageHeader that tells of them, field of their encoding in it)."""

DELTA_BYTE_ARRAY = 7
"""The encoding that says of each text how much of the one before it begins with: a few bytes stand for any number of copies."""

MOST_PAGES = 100_000
MOST_FOOTER = 4 << 20
DEEPEST = 16

TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
INTEGERS = (4, 5, 6)
"""Types of Thrift's compact protocol."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: bytes once unpacked, values, and whether they are texts that repeat each other's beginnings."""

    size: int
    values: int
    is_repeating: bool


def pages(path: Path) -> Iterator[Page]:
    """The pages of all columns. DataError if they are not where the footer says, or no pages at all."""
    count = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            for begin, end in _chunks(_footer(data)):
                position = begin
                while position < end:
                    count += 1
                    page, position = _page(data, position)
                    if count > MOST_PAGES:
                        raise DataError(f"there are more than {MOST_PAGES} pages.", source=path.name, hint="Write it in larger ones.")
                    yield page
        except (IndexError, KeyError, ValueError, TypeError, AttributeError):
            raise DataError("its pages cannot be found.", source=path.name, hint="It is damaged: fetch it again.") from None


def _footer(data: mmap.mmap) -> dict[int, Any]:
    """The file's FileMetaData."""
    end = len(data) - MAGIC_BYTES - LENGTH_BYTES
    length = int.from_bytes(data[end : end + LENGTH_BYTES], "little")
    if not 0 < length <= min(end, MOST_FOOTER):
        raise ValueError
    return _struct(data, end - length, 0)[0]


def _chunks(footer: dict[int, Any]) -> Iterator[tuple[int, int]]:
    """Where the pages of each column of each row group begin and end, as Arrow computes it."""
    for group in footer.get(ROW_GROUPS, ()):
        for column in (chunk[COLUMN] for chunk in group[COLUMNS]):
            if _number(column[VALUES]) == 0:  # then no page is looked for
                continue
            data, dictionary = _number(column[DATA_OFFSET]), _number(column.get(DICTIONARY_OFFSET, 0))
            begin = dictionary if 0 < dictionary < data else data
            yield begin, begin + _number(column[COMPRESSED])


def _page(data: mmap.mmap, position: int) -> tuple[Page, int]:
    """The page whose header is at `position`, and where the next one begins."""
    header, begin = _struct(data, position, 0)
    kind, size, packed = (_number(header[field]) for field in (1, 2, 3))
    told, encoding = HEADERS.get(kind, (0, 0))
    values = header.get(told, {})
    return Page(size, _number(values.get(1, 0)), values.get(encoding) == DELTA_BYTE_ARRAY), begin + packed


def _number(value: Any) -> int:
    """`value` if it can count something."""
    if not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _struct(data: mmap.mmap, position: int, depth: int) -> tuple[dict[int, Any], int]:
    """The fields of a structure by their numbers, and the position behind it."""
    if depth > DEEPEST:
        raise ValueError
    fields: dict[int, Any] = {}
    number = 0
    while (byte := data[position]) != 0:
        position += 1
        if byte >> 4:
            number += byte >> 4
        else:
            number, position = _integer(data, position)
        fields[number], position = _value(data, position, byte & 15, depth)
    return fields, position + 1


def _value(data: mmap.mmap, position: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (TRUE, FALSE):
        return kind == TRUE, position
    if kind in INTEGERS:
        return _integer(data, position)
    if kind in (BYTE, DOUBLE):
        return None, position + (1 if kind == BYTE else 8)
    if kind == BINARY:
        length, position = _varint(data, position)
        return None, position + length
    if kind in (LIST, SET):
        return _list(data, position, depth)
    if kind == STRUCT:
        return _struct(data, position, depth + 1)
    raise ValueError


def _list(data: mmap.mmap, position: int, depth: int) -> tuple[list[Any], int]:
    count, kind = data[position] >> 4, data[position] & 15
    position += 1
    if count == 15:
        count, position = _varint(data, position)
    found = []
    for _ in range(count):
        value, position = (None, position + 1) if kind in (TRUE, FALSE) else _value(data, position, kind, depth + 1)
        found.append(value)
    return found, position


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7
        if shift > 63:
            raise ValueError


def _integer(data: mmap.mmap, position: int) -> tuple[int, int]:
    number, position = _varint(data, position)
    return (number >> 1) ^ -(number & 1), position
