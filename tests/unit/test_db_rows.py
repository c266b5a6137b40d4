"""COPY BINARY to Arrow, from bytes that this module makes as PostgreSQL does (*COPY*, Binary Format)."""

import struct
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vo_server.db.rows import EPOCH_US, READERS, SCALARS, SPARE_BYTES, MisreadError, find_rows, read_rows

PACKED = {"boolean": "?", "smallint": ">h", "integer": ">i", "bigint": ">q", "real": ">f", "double precision": ">d", "timestamp": ">q"}
EPOCH = datetime(1970, 1, 1)


def cell(sql_type: str, value: Any) -> bytes:
    """The bytes of one value that is not NULL."""
    if sql_type == "text":
        return str(value).encode()
    if sql_type.endswith("[]"):
        return array(sql_type[:-2], value)
    if sql_type == "timestamp":
        value = (value - EPOCH) // timedelta(microseconds=1) - EPOCH_US
    return struct.pack(PACKED[sql_type], value)


def array(sql_type: str, values: Sequence[Any]) -> bytes:
    if not values:
        return struct.pack(">iii", 0, 0, 0)
    return struct.pack(">iiiii", 1, None in values, 0, len(values), 1) + b"".join(field(sql_type, value) for value in values)


def field(sql_type: str, value: Any) -> bytes:
    if value is None:
        return struct.pack(">i", -1)
    content = cell(sql_type, value)
    return struct.pack(">i", len(content)) + content


def message(content: bytes) -> bytes:
    return b"d" + struct.pack(">i", len(content) + 4) + content


def row(types: Sequence[str], values: Sequence[Any]) -> bytes:
    return message(struct.pack(">h", len(types)) + b"".join(map(field, types, values)))


def copied(types: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    return b"".join(row(types, values) for values in rows)


def spared(content: bytes) -> np.ndarray:
    """The content, and what read_rows wants behind it."""
    return np.frombuffer(content + b"\x7f" * SPARE_BYTES, np.uint8).copy()


def read(types: Sequence[str], content: bytes) -> list[tuple[Any, ...]]:
    data = np.frombuffer(content, np.uint8)
    starts, end = find_rows(data, len(types))
    assert end == len(content)
    batch = read_rows(spared(content), starts, types)
    batch.validate(full=True)
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(width=32, allow_nan=False),
    "double precision": st.floats(allow_nan=False),
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.sampled_from(["d\x01\x02", "d" * 20]),
    "timestamp": st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
}
TYPES: dict[str, st.SearchStrategy[Any]] = {
    **VALUES,
    **{f"{name}[]": st.lists(st.none() | VALUES[name], max_size=5) for name in SCALARS},
}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_type_and_null_is_read_as_it_was_sent(data: st.DataObject) -> None:
    types = data.draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=6))
    rows = data.draw(st.lists(st.tuples(*(st.none() | TYPES[name] for name in types)), min_size=1, max_size=12))
    assert read(types, copied(types, rows)) == rows


def test_there_is_a_reader_for_each_type() -> None:
    assert set(READERS) == set(TYPES)


def test_what_looks_like_a_row_within_a_text_is_none() -> None:
    types = ["text", "integer"]
    inner = row(types, ["inner", 1]).decode("latin-1")
    rows = [(f"{inner}{inner}", number) for number in range(5)] + [("plain", None), (inner[:6], 7)]
    assert read(types, copied(types, rows)) == rows


PARTS = st.sampled_from(
    ["d", "\0\0\0", "\x06", "\x0b", "\0\1", row(["integer"], [100]).decode("latin-1"), row(["text"], ["d"]).decode("latin-1")]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(PARTS, max_size=8).map("".join), min_size=1, max_size=20), st.integers(0, 40))
def test_rows_are_found_as_by_going_from_one_to_the_next(texts: list[str], missing: int) -> None:
    content = b"".join(message(struct.pack(">hi", 1, len(text)) + text.encode("latin-1")) for text in texts)
    data = content[: max(0, len(content) - missing)]
    walked, place = list[int](), 0
    while place + 7 <= len(data) and (following := place + 1 + int.from_bytes(data[place + 1 : place + 5], "big")) <= len(data):
        walked.append(place + 7)
        place = following
    starts, end = find_rows(np.frombuffer(data, np.uint8), 1)
    assert (starts.tolist(), end) == (walked, place)


def test_rows_that_are_not_complete_wait() -> None:
    types = ["text", "bigint"]
    content = copied(types, [("one", 1), ("two", 2), ("three", 3)])
    borders = np.cumsum([len(row(types, one)) for one in (("one", 1), ("two", 2), ("three", 3))])
    for size in range(len(content) + 1):
        starts, end = find_rows(np.frombuffer(content[:size], np.uint8), 2)
        complete = int((borders <= size).sum())
        assert (len(starts), end) == (complete, int(borders[complete - 1]) if complete else 0)


def test_what_follows_the_rows_is_left() -> None:
    types = ["integer"]
    content = copied(types, [(1,), (2,)])
    starts, end = find_rows(np.frombuffer(content + b"N\0\0\0\x05\0" + copied(types, [(3,)]), np.uint8), 1)
    assert (len(starts), end) == (2, len(content))


def test_nothing_is_kept_of_what_was_read() -> None:
    types = ["text", "double precision", "integer[]"]
    rows = [("abc", 1.5, [1, 2]), (None, None, None)]
    data = spared(copied(types, rows))
    batch = read_rows(data, find_rows(data, 3)[0], types)
    data[:] = 0
    assert [tuple(one.values()) for one in batch.to_pylist()] == rows


def test_arrays_of_more_dimensions_are_flat() -> None:
    head = struct.pack(">iiiiiii", 2, 0, 0, 2, 1, 3, 1)
    content = head + b"".join(field("integer", number) for number in range(6))
    sent = message(struct.pack(">h", 1) + struct.pack(">i", len(content)) + content)
    assert read(["integer[]"], sent) == [([0, 1, 2, 3, 4, 5],)]


@pytest.mark.parametrize(("sent", "expected"), [("integer", "bigint"), ("integer[]", "bigint[]"), ("boolean", "smallint")])
def test_other_types_than_expected_are_noticed(sent: str, expected: str) -> None:
    values = [[1, 2]] if sent.endswith("[]") else [1]
    data = spared(row([sent], values))
    with pytest.raises(MisreadError):
        read_rows(data, find_rows(data, 1)[0], [expected])


def test_infinite_instants_are_those_that_cells_know() -> None:
    ends = b"".join(message(struct.pack(">hiq", 1, 8, instant)) for instant in (2**63 - 1, -(2**63)))
    data = spared(ends)
    batch = read_rows(data, find_rows(data, 1)[0], ["timestamp"])
    assert batch.column(0).view(pa.int64()).to_pylist() == [-(2**63) + EPOCH_US - 1, -(2**63) + EPOCH_US]
