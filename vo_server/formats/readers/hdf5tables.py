"""What in an HDF5 file is a table: its columns, where their values lie, and what the writers of such files say of them."""

import pickletools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy
import pyarrow
import pyarrow.compute as pc
from astropy.io.misc.hdf5 import META_KEY
from astropy.table.meta import get_header_from_yaml
from numpy.typing import NDArray

from vo_server.errors import DataError
from vo_server.formats.readers.source import batch_rows

WORDS = {
    "unit": ("unit", "units"),
    "ucd": ("ucd",),
    "utype": ("utype",),
    "description": ("description", "desc", "comment", "long_name", "title"),
}
"""What is known of a column → attributes in which writers say it."""

INDEXES = ("TINDEX", "INDEX")
"""CLASS of the groups in which PyTables keeps indexes."""

MOST_LABELS = 20


@dataclass(frozen=True, slots=True)
class Field:
    """One column as it is stored. ``read`` takes the rows of `dataset` that are looked at, as numpy has them, and the first's number."""

    name: str
    type: pyarrow.DataType
    dataset: Any
    read: Callable[[NDArray[Any], int], pyarrow.Array]
    member: str | None = None
    """The member of the dataset's records that the column lies in."""
    words: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """One table: its columns, which have equally many rows."""

    fields: tuple[Field, ...]
    nrows: int
    title: str | None = None
    description: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> dict[str, Mapping[str, str | None]]:
        """What the file says of the columns."""
        return {one.name: one.words for one in self.fields}

    @cached_property
    def step(self) -> int:
        """Rows of a batch: whole chunks of the file, lest one be unpacked twice."""
        datasets = {one.dataset.name: one.dataset for one in self.fields}.values()
        widths = [one.dtype.itemsize * int(numpy.prod(one.shape[1:], dtype=int)) for one in datasets]
        rows = batch_rows(sum(widths))
        chunk = max((one.chunks[0] for one in datasets if one.chunks), default=1)
        return rows // chunk * chunk if rows >= chunk else chunk if chunk * sum(widths) < LARGEST_CHUNK else rows

    def batch(self, columns: list[str] | None, start: int, stop: int) -> pyarrow.RecordBatch:
        """Some rows of some columns, in this order."""
        known = {one.name: one for one in self.fields}
        fields = self.fields if columns is None else [known[name] for name in columns]
        held: dict[str, NDArray[Any]] = {}
        for dataset in {one.dataset.name: one.dataset for one in fields}.values():
            members = list(dict.fromkeys(one.member for one in fields if one.dataset.name == dataset.name and one.member))
            few = members and len(members) < len(dataset.dtype.names)
            held[dataset.name] = dataset.fields(members)[start:stop] if few else dataset[start:stop]
        arrays = [one.read(_member(held[one.dataset.name], one.member), start) for one in fields]
        return pyarrow.RecordBatch.from_arrays(arrays, schema=pyarrow.schema([(one.name, one.type) for one in fields]))


LARGEST_CHUNK = 1 << 26


def _member(rows: NDArray[Any], member: str | None) -> NDArray[Any]:
    return rows[member] if member else rows


def found_tables(file: Any, h5py: Any) -> dict[str, Found]:
    """The tables of an open file by their path in it: datasets of records first, then groups, those of a single dataset last."""
    groups, records = [file], []

    def visit(_name: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            groups.append(item)
        elif item.shape is not None and len(item.shape) == 1 and item.dtype.names:
            records.append(item)

    file.visititems(visit)
    whole = {group.name: made for group in groups if (made := _of_program(group, h5py)) is not None}
    groups = [group for group in groups if not _is_within(group.name, whole) and not _is_index(group)]
    tables = {item.name: _of_records(item, h5py) for item in records if not _is_within(item.name, whole)}
    tables.update(whole)
    several = {group.name: made for group in groups if (made := _of_group(group, h5py)) is not None}
    tables.update({name: made for name, made in several.items() if len(made.fields) > 1})
    tables.update({name: made for name, made in several.items() if len(made.fields) == 1})
    return tables


def _is_within(name: str, groups: Iterable[str]) -> bool:
    return any(name == group or name.startswith(f"{group.rstrip('/')}/") for group in groups)


def _is_index(group: Any) -> bool:
    return _attribute(group, "CLASS") in INDEXES


def _of_program(group: Any, h5py: Any) -> Found | None:
    """The table that a group is as a whole, if pandas or vaex has made it."""
    kind = _attribute(group, "pandas_type")
    if kind == "frame_table" and isinstance(group.get("table"), h5py.Dataset):
        return _of_pandas_table(group, h5py)
    if kind == "frame":
        return _of_pandas_blocks(group, h5py)
    columns = group.get("columns")
    if _attribute(group, "type") == "table" and isinstance(columns, h5py.Group):
        return _of_vaex(group, columns, h5py)
    return None


# datasets of records: h5py, PyTables, astropy


def _of_records(dataset: Any, h5py: Any) -> Found:
    """A dataset of records: a column a member, members of members too."""
    said = _said_of_members(dataset)
    fields, notes = [], []
    for name, one in _members(dataset, h5py):
        if said.get(name, {}).get("transform") == "fixed_point":
            notes.append(f"{name} was left out: its values are stored as scaled integers")
            continue
        try:
            fields.append(one(said.get(name, {})))
        except DataError as error:
            notes.append(f"{name} was left out: {error.message}")
    meta = serialised_header(dataset.file, dataset.name).get("meta") or {}
    description = next((str(meta[key]) for key in ("description", "DESCRIPTION", "comments") if isinstance(meta.get(key), str)), None)
    return Found(tuple(fields), len(dataset), _attribute(dataset, "TITLE") or None, description, tuple(notes))


def _members(dataset: Any, h5py: Any) -> Iterator[tuple[str, Callable[[Mapping[str, str | None]], Field]]]:
    """(column, what makes its field of what is said of it), in the order of the record."""
    kinds = dataset.id.get_type()
    for place, name in enumerate(dataset.dtype.names):
        yield from _inner(dataset, name, (), name, dataset.dtype[name], kinds.get_member_type(place), h5py)


def _inner(
    dataset: Any, member: str, path: tuple[str, ...], name: str, dtype: Any, kind: Any, h5py: Any
) -> Iterator[tuple[str, Callable[[Mapping[str, str | None]], Field]]]:
    if dtype.names:
        for place, inner in enumerate(dtype.names):
            yield from _inner(dataset, member, (*path, inner), f"{name}_{inner}", dtype[inner], kind.get_member_type(place), h5py)
        return

    def made(words: Mapping[str, str | None]) -> Field:
        target, convert, labels = conversion(dtype, h5py, is_bits=kind.get_class() == h5py.h5t.BITFIELD)

        def read(rows: NDArray[Any], row: int) -> pyarrow.Array:
            for inner in path:
                rows = rows[inner]
            return convert(rows, row)

        return Field(name, target, dataset, read, member, _labelled(words, labels))

    yield name, made


def _said_of_members(dataset: Any) -> dict[str, dict[str, str | None]]:
    """By member: what astropy (a YAML header beside the dataset), ctapipe (CTAFIELD_2_UNIT) and others (energy_UNIT, FIELD_2_UNIT) say."""
    found: dict[str, dict[str, str | None]] = {}
    attributes = {name.lower(): name for name in dataset.attrs}
    for place, name in enumerate(dataset.dtype.names):
        prefixes = (f"ctafield_{place}_", f"field_{place}_", f"{name.lower()}_")
        sought = {**WORDS, "transform": ("transform",)}
        keys = {key: [prefix + word for prefix in prefixes for word in words] for key, words in sought.items()}
        said = {key: [_attribute(dataset, attributes[one]) for one in names if one in attributes] for key, names in keys.items()}
        found[name] = {key: next((text for text in texts if text), None) for key, texts in said.items()}
    for entry in serialised_header(dataset.file, dataset.name).get("datatype", []):
        lower = {str(key).lower(): value for key, value in {**dict(entry.get("meta") or {}), **entry}.items()}
        found[str(entry["name"])] = {key: str(lower[key]) for key in WORDS if lower.get(key) is not None}
    return found


def serialised_header(file: Any, name: str) -> dict[str, Any]:
    """What astropy's Table.write has put beside the dataset `name`, or into an attribute of it; empty for others."""
    beside, item = file.get(f"{name}.{META_KEY}"), file.get(name)
    lines = beside[()] if beside is not None else item.attrs.get(META_KEY) if item is not None else None
    if lines is None:
        return {}
    return dict(get_header_from_yaml(line.decode() if isinstance(line, bytes) else str(line) for line in lines))


# groups of datasets


def _of_group(group: Any, h5py: Any) -> Found | None:
    """The datasets of a group that have equally many rows, as most of them do; None without any."""
    items = [item for item in _items(group) if isinstance(item, h5py.Dataset) and item.shape and not item.dtype.names]
    columns = [item for item in items if not item.name.endswith(f".{META_KEY}")]
    lengths = Counter(len(item) for item in columns).most_common()
    if not lengths:
        return None
    nrows = max(length for length, count in lengths if count == lengths[0][1])
    fields, notes = [], []
    for item in columns:
        name = item.name.rpartition("/")[2]
        if len(item) != nrows:
            notes.append(f"{name} was left out: it has {len(item):,} rows, and the others {nrows:,}")
            continue
        try:
            fields.append(_of_dataset(item, name, h5py))
        except DataError as error:
            notes.append(f"{name} was left out: {error.message}")
    words = _words(group)
    return Found(tuple(fields), nrows, _attribute(group, "title"), words["description"], tuple(notes)) if fields else None


def _items(group: Any) -> Iterator[Any]:
    for name in group:
        item = group.get(name)  # None for a link that leads nowhere
        if item is not None:
            yield item


def _of_dataset(item: Any, name: str, h5py: Any, words: Mapping[str, str | None] | None = None) -> Field:
    dtype = numpy.dtype((item.dtype, item.shape[1:])) if len(item.shape) > 1 else item.dtype
    kind, convert, labels = conversion(dtype, h5py, is_bits=item.id.get_type().get_class() == h5py.h5t.BITFIELD)
    return Field(name, kind, item, convert, words=_labelled(_words(item) if words is None else words, labels))


def _words(item: Any) -> dict[str, str | None]:
    attributes = {name.lower(): name for name in item.attrs}
    return {
        key: next((text for one in names if one in attributes and (text := _attribute(item, attributes[one]))), None)
        for key, names in WORDS.items()
    }


def _labelled(words: Mapping[str, str | None], labels: Mapping[str, int] | None) -> Mapping[str, str | None]:
    """The description with what the numbers of an enumeration mean."""
    if not labels or len(labels) > MOST_LABELS:
        return words
    meaning = ", ".join(f"{number} {label}" for label, number in sorted(labels.items(), key=lambda pair: pair[1]))
    return {**words, "description": f"{words.get('description') or ''} ({meaning})".strip()}


def _attribute(item: Any, name: str) -> str | None:
    """An attribute that is a text."""
    value = item.attrs.get(name)
    if isinstance(value, numpy.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return str(value) if isinstance(value, str) else None


# pandas: https://pandas.pydata.org/docs/user_guide/io.html#hdf5-pytables


def _of_pandas_table(group: Any, h5py: Any) -> Found:
    """``format="table"``: the columns of one type lie in one member of the records, side by side."""
    table = group["table"]
    fields, notes = [], []
    for member in table.dtype.names:
        names = _pickled_texts(table.attrs.get(f"{member}_kind")) if member.startswith("values_block_") else [member]
        dtype, inner = table.dtype[member], table.dtype[member].shape
        base, width = dtype.base, int(numpy.prod(inner, dtype=int))
        if len(names) != width:
            notes.append(f"{member} was left out: what its columns are called cannot be read")
            continue
        instants = next(filter(None, (_attribute(table, f"{member}_{key}") for key in ("dtype", "kind"))), "")
        for place, name in enumerate(names):
            missing = _attribute(table, f"{member}_nan_rep")
            fields.append(_side_by_side(name, table, member, base, place if inner else None, instants, missing, h5py))
    order = _pickled_texts(group.attrs.get("non_index_axes"))
    fields.sort(key=lambda one: order.index(one.name) if one.name in order else -1)
    return Found(tuple(fields), len(table), notes=tuple(notes))


def _of_pandas_blocks(group: Any, h5py: Any) -> Found:
    """``format="fixed"``: the columns of one type are one dataset of two dimensions."""
    fields, notes = [], []
    index = group.get("axis1")
    if index is not None and len(index.shape) == 1:
        fields.append(_side_by_side("index", index, None, index.dtype, None, _attribute(index, "kind") or "", None, h5py))
    for number in range(int(group.attrs.get("nblocks", 0))):
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in group[f"block{number}_items"][()]]
        values = group[f"block{number}_values"]
        if len(values.shape) != 2 or values.dtype.kind == "O":
            notes += [f"{name} was left out: pandas has stored Python objects; write it with format='table'" for name in names]
            continue
        instants = _attribute(values, "value_type") or ""
        fields += [_side_by_side(name, values, None, values.dtype, place, instants, None, h5py) for place, name in enumerate(names)]
    order = [name.decode() if isinstance(name, bytes) else str(name) for name in group["axis0"][()]]
    fields.sort(key=lambda one: order.index(one.name) if one.name in order else -1)
    rows = len(fields[0].dataset) if fields else 0
    return Found(tuple(one for one in fields if len(one.dataset) == rows), rows, notes=tuple(notes))


def _side_by_side(
    name: str, dataset: Any, member: str | None, dtype: Any, place: int | None, kind: str, missing: str | None, h5py: Any
) -> Field:
    """Column `place` of those that lie side by side (None: alone); `kind` tells of integers whether they are instants."""
    unit = kind.partition("[")[2].rstrip("]") or "ns"
    if kind.startswith("datetime64") and dtype.kind == "i":
        dtype = numpy.dtype(f"datetime64[{unit}]")
    target, convert, _ = conversion(dtype, h5py)

    def read(rows: NDArray[Any], row: int) -> pyarrow.Array:
        cells = numpy.ascontiguousarray(rows if place is None else rows[:, place])
        values = convert(cells.view(dtype) if dtype.kind == "M" else cells, row)
        return pc.if_else(pc.equal(values, missing.encode()), pyarrow.scalar(None, values.type), values) if missing else values

    return Field(name, target, dataset, read, member)


def _pickled_texts(value: Any) -> list[str]:
    """The texts in what PyTables has pickled into an attribute. Nothing of it is executed."""
    if not isinstance(value, bytes):
        return []
    try:
        return [str(argument) for code, argument, _ in pickletools.genops(bytes(value)) if code.name in TEXT_CODES]
    except ValueError:
        return []


TEXT_CODES = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")


# vaex


def _of_vaex(group: Any, columns: Any, h5py: Any) -> Found:
    """A group a column, with its values in ``data``; texts as bytes between ``indices``, missing ones in ``mask`` or ``null_bitmap``."""
    fields, notes, lengths = [], [], []
    for name in columns:
        one = columns[name]
        data = one.get("data") if isinstance(one, h5py.Group) else one
        if data is None or not data.shape:
            continue
        try:
            made = _vaex_texts(name, one, data) if "indices" in one else _vaex_values(name, one, data, h5py)
        except DataError as error:
            notes.append(f"{name} was left out: {error.message}")
            continue
        fields.append(made)
        lengths.append(len(made.dataset) - (1 if "indices" in one else 0))
    nrows = min(lengths, default=0)
    return Found(tuple(fields), nrows, description=_words(group)["description"], notes=tuple(notes))


def _vaex_values(name: str, one: Any, data: Any, h5py: Any) -> Field:
    made = _of_dataset(data, name, h5py, _words(one) if isinstance(one, h5py.Group) else None)
    mask = one.get("mask") if isinstance(one, h5py.Group) else None
    if mask is None:
        return made

    def read(rows: NDArray[Any], row: int) -> pyarrow.Array:
        hidden = numpy.asarray(mask[row : row + len(rows)], dtype=bool)
        return pc.if_else(pyarrow.array(hidden), pyarrow.scalar(None, made.type), made.read(rows, row))

    return Field(name, made.type, data, read, words=made.words)


def _vaex_texts(name: str, one: Any, data: Any) -> Field:
    """The dataset of the rows is that of the indices, which has one more than there are rows."""
    indices, nulls = one["indices"], one.get("null_bitmap")

    def read(starts: NDArray[Any], row: int) -> pyarrow.Array:
        last = indices[row + len(starts)] if row + len(starts) < len(indices) else starts[-1]
        bounds = numpy.append(starts, last).astype(numpy.int64) if row + len(starts) < len(indices) else starts.astype(numpy.int64)
        first = int(indices[0])
        text = data[int(bounds[0]) - first : int(bounds[-1]) - first].tobytes()
        count = len(bounds) - 1
        buffers = [None, pyarrow.py_buffer(bounds - bounds[0]), pyarrow.py_buffer(text)]
        values = pyarrow.LargeBinaryArray.from_buffers(pyarrow.large_binary(), count, buffers)
        if nulls is None:
            return values
        bits = numpy.unpackbits(nulls[row // 8 : (row + count + 7) // 8], bitorder="little")[row % 8 :][:count]
        return pc.if_else(pyarrow.array(bits.astype(bool)), values, pyarrow.scalar(None, values.type))

    return Field(name, pyarrow.large_binary(), indices, read, words=_words(one))


# numpy → Arrow


def conversion(
    dtype: Any, h5py: Any, *, is_bits: bool = False
) -> tuple[pyarrow.DataType, Callable[[NDArray[Any], int], pyarrow.Array], Mapping[str, int] | None]:
    """(Arrow type, what converts values to it, labels of an enumeration) for elements of a numpy type; `is_bits`: they are true or false,
    whatever their type. DataError for those that no table can hold.
    """
    base, shape = dtype.base, dtype.shape
    if 0 in shape:
        raise DataError("its cells are empty")
    labels = h5py.check_enum_dtype(base)
    inner, is_text = h5py.check_vlen_dtype(base), h5py.check_string_dtype(base) is not None
    if inner is not None and not is_text:
        if shape or inner.kind not in "biuf":
            raise DataError("its cells hold lists of lists")
        element = _scalar_type(inner)
        return pyarrow.large_list(element), lambda cells, _row: _lists(cells, inner, element), None
    convert: Callable[[NDArray[Any]], pyarrow.Array]
    if is_bits and base.itemsize == 1:
        element, convert = pyarrow.bool_(), partial(_numbers, numpy.dtype(bool))
    elif is_text:
        element, convert = pyarrow.large_binary(), _texts
    else:
        element, native = _scalar_type(base), base.newbyteorder("=") if base.kind != "f" or base.itemsize <= 8 else numpy.dtype("f8")
        convert = partial(_numbers, native)
    kind = element
    for size in reversed(shape):
        kind = pyarrow.list_(kind, size)

    def converted(cells: NDArray[Any], _row: int) -> pyarrow.Array:
        array = convert(numpy.ascontiguousarray(cells).reshape(-1))
        for size in reversed(shape):
            array = pyarrow.FixedSizeListArray.from_arrays(array, size)
        return array

    return kind, converted, labels


def _scalar_type(dtype: Any) -> pyarrow.DataType:
    if dtype.kind == "c":
        raise DataError("complex numbers have no place in a TAP table")
    if dtype.kind == "f" and dtype.itemsize > 8:
        return pyarrow.float64()
    if dtype.kind not in "biufM":
        raise DataError(f"values of the type {dtype} have no place in a TAP table")
    return pyarrow.from_numpy_dtype(dtype.newbyteorder("="))


def _numbers(native: Any, flat: NDArray[Any]) -> pyarrow.Array:
    return pyarrow.array(flat.astype(native, copy=False))


def _texts(flat: NDArray[Any]) -> pyarrow.Array:
    if flat.dtype.kind == "O":
        return pyarrow.array([cell.encode() if isinstance(cell, str) else cell for cell in flat], pyarrow.large_binary())
    return pyarrow.array(flat).cast(pyarrow.large_binary())


def _lists(cells: NDArray[Any], inner: Any, element: pyarrow.DataType) -> pyarrow.Array:
    """Arrays of varying length, an object each."""
    lengths = numpy.fromiter(map(len, cells), numpy.int64, len(cells))
    flat = numpy.concatenate(cells) if len(cells) else numpy.zeros(0, inner)
    offsets = pyarrow.array(numpy.concatenate(([0], numpy.cumsum(lengths))))
    return pyarrow.LargeListArray.from_arrays(offsets, pyarrow.array(flat.astype(inner.newbyteorder("="), copy=False), element))
