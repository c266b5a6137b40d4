"""What the pages of a Parquet file claim to hold, before any is unpacked.

The footer says it too, but whoever wants a server to run out of memory writes another footer; pages are unpacked by what stands in
their own headers (Thrift's compact protocol), and those are read here.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from vo_server.errors import DataError

DATA_PAGE, DATA_PAGE_V2 = 0, 3
HEADERS = {DATA_PAGE: (5, 2), DATA_PAGE_V2: (8, 4)}
"""Type of a page with values → (field of PageHeader that tells of them, field of their encoding in it)."""

DELTA_BYTE_ARRAY = 7
"""The encoding that says of each text how much of the one before it begins with: a few bytes stand for any number of copies."""

MOST_PAGES = 100_000
DEEPEST = 8

TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
INTEGERS = (4, 5, 6)
"""Types of Thrift's compact protocol."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: bytes once unpacked, values, and whether they are texts that repeat each other's beginnings."""

    size: int
    values: int
    is_repeating: bool


def pages(path: Path, metadata: pq.FileMetaData) -> Iterator[Page]:
    """The pages of all columns. DataError if they are not where the footer says, or no pages at all."""
    count = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for begin, end in _chunks(metadata):
            position = begin
            while position < end:
                count += 1
                page, position = _page(path, data, position)
                if count > MOST_PAGES:
                    raise DataError(f"there are more than {MOST_PAGES} pages.", source=path.name, hint="Write it in larger ones.")
                yield page


def _chunks(metadata: pq.FileMetaData) -> Iterator[tuple[int, int]]:
    """Where the pages of each column of each row group begin and end, as Arrow computes it."""
    for group in (metadata.row_group(number) for number in range(metadata.num_row_groups)):
        for column in (group.column(place) for place in range(group.num_columns)):
            if column.num_values == 0:  # then no page is looked for
                continue
            begin = column.data_page_offset
            if column.has_dictionary_page and column.dictionary_page_offset and column.dictionary_page_offset < begin:
                begin = column.dictionary_page_offset
            yield begin, begin + column.total_compressed_size


def _page(path: Path, data: mmap.mmap, position: int) -> tuple[Page, int]:
    """The page whose header is at `position`, and where the next one begins."""
    try:
        header, begin = _struct(data, position, 0)
        kind, size, packed = (_number(header[field]) for field in (1, 2, 3))
        told, encoding = HEADERS.get(kind, (0, 0))
        values = header.get(told, {})
        page = Page(size, _number(values.get(1, 0)), values.get(encoding) == DELTA_BYTE_ARRAY)
    except (IndexError, KeyError, ValueError, AttributeError):
        raise DataError("its pages cannot be read.", source=path.name, hint="It is damaged: fetch it again.") from None
    return page, begin + packed


def _number(value: Any) -> int:
    """`value` if it can count something; else ValueError."""
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
        return None, _after_list(data, position, depth)
    if kind == STRUCT:
        return _struct(data, position, depth + 1)
    raise ValueError


def _after_list(data: mmap.mmap, position: int, depth: int) -> int:
    count, kind = data[position] >> 4, data[position] & 15
    position += 1
    if count == 15:
        count, position = _varint(data, position)
    for _ in range(min(count, len(data))):
        position = position + 1 if kind in (TRUE, FALSE) else _value(data, position, kind, depth + 1)[1]
    return position


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
