"""Batches of any Arrow types → Source: each type cast to what COPY needs, a batch at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow
import pyarrow.compute as pc

from vo_server.errors import DataError
from vo_server.formats.readers import arrays
from vo_server.formats.readers.instants import with_instants
from vo_server.formats.readers.source import Source, annotated, arrow_type, distinct
from vo_server.model.columns import Column

PRIMITIVES = {
    pyarrow.bool_(): "boolean",
    pyarrow.uint8(): "unsignedByte",
    pyarrow.int8(): "short",
    pyarrow.int16(): "short",
    pyarrow.uint16(): "int",
    pyarrow.int32(): "int",
    pyarrow.uint32(): "long",
    pyarrow.int64(): "long",
    pyarrow.uint64(): "long",
    pyarrow.float16(): "float",
    pyarrow.float32(): "float",
    pyarrow.float64(): "double",
}
"""Arrow type → VOTable primitive that holds all its values."""

ADVICE = "Convert the column before publishing, for instance with pyarrow or DuckDB."

Convert = Callable[[pyarrow.Array, int], pyarrow.Array]
"""(values as stored, number of the first row) → values of the column's Arrow type."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one column goes over. ``scan``: its values must be seen before its datatype is known."""

    column: Column
    convert: Convert
    remarks: tuple[str, ...] = ()
    scan: bool = False


Raw = Callable[[list[str] | None], Iterator[tuple[int, pyarrow.RecordBatch]]]
"""(columns, None for all) → their batches as stored, each with the number of its first row."""

Words = Mapping[str, Mapping[str, str | None]]
"""By column: what the file says of it, under the keys of NOTHING_SAID."""

NOTHING_SAID: dict[str, str | None] = dict.fromkeys(("unit", "ucd", "utype", "xtype", "description"))


def from_arrow(path: Path, name: str, schema: pyarrow.Schema, raw: Raw, words: Words, nrows: int, *, omit: bool = False) -> Source:
    """A Source over batches of `schema`. A column that no VO table can hold raises DataError naming it, or with `omit` is left out, and the
    notes say so.
    """
    names, notes = distinct(list(schema.names))
    plans: list[Plan] = []
    fields: list[pyarrow.Field] = []
    for unique, field in zip(names, schema, strict=True):
        try:
            plans.append(_plan(path.name, unique, field))
        except DataError as error:
            if not omit:
                raise
            notes.append(f"{unique} was left out: {error.fault}")
        else:
            fields.append(field)
    stored = [field.name for field in fields]
    plans = _scanned(plans, stored, raw)
    columns: list[Column] = []
    for plan, field in zip(plans, fields, strict=True):
        said = words.get(field.name, NOTHING_SAID)
        column, more = annotated(plan.column, **{key: said.get(key) for key in NOTHING_SAID})
        columns.append(column)
        notes += [f"{column.name}: {remark}" for remark in plan.remarks] + more
    target = pyarrow.schema([(column.name, arrow_type(column)) for column in columns])

    def batches() -> Iterator[pyarrow.RecordBatch]:
        for row, batch in raw(None if len(stored) == len(names) else stored):
            converted = [plan.convert(values, row) for plan, values in zip(plans, batch.columns, strict=True)]
            yield pyarrow.RecordBatch.from_arrays(converted, schema=target)

    source = Source(path, name, tuple(columns), batches, nrows, notes=tuple(notes))
    return with_instants(
        source, {column.name: words.get(field.name, NOTHING_SAID).get("xtype") for column, field in zip(columns, fields, strict=True)}
    )


def _plan(source: str, name: str, field: pyarrow.Field) -> Plan:
    """How a column of this Arrow type goes over; a type without a place in a TAP table raises DataError."""
    kind = field.type.storage_type if isinstance(field.type, pyarrow.BaseExtensionType) else field.type
    if pyarrow.types.is_dictionary(kind):
        inner = _plan(source, name, pyarrow.field(name, kind.value_type))
        return replace(inner, convert=lambda values, row: inner.convert(values.dictionary_decode(), row))
    if kind in PRIMITIVES:
        return _primitive(source, name, kind)
    if is_text(kind) or pyarrow.types.is_null(kind):
        return Plan(Column(name, "char", "*"), _texts(source, name), scan=True)
    if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_date(kind):
        return _instants(name, kind)
    if pyarrow.types.is_decimal(kind):
        return Plan(Column(name, "double"), lambda values, _row: values.cast(pyarrow.float64()), (f"{kind} became double precision",))
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind):
        return _list(source, name, kind)
    raise DataError(f"values of the type {kind} have no place in a TAP table.", source=source, column=name, hint=ADVICE)


def is_text(kind: pyarrow.DataType) -> bool:
    """Whether these are strings, or bytes that should be."""
    types = pyarrow.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or _is_bytes(kind))


def _is_bytes(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind) or types.is_binary_view(kind))


def _primitive(source: str, name: str, kind: pyarrow.DataType) -> Plan:
    column = Column(name, PRIMITIVES[kind])
    target = arrow_type(column)
    if kind == pyarrow.uint64():
        return Plan(column, lambda values, row: _signed(source, name, values, row), scan=True)
    if pyarrow.types.is_floating(kind):
        return Plan(column, lambda values, _row: _without_nan(values.cast(target)))
    return Plan(column, lambda values, _row: values.cast(target))


def _without_nan(values: pyarrow.Array) -> pyarrow.Array:
    """NaN is NULL: VOTable knows no difference."""
    return pc.if_else(pc.is_nan(values), pyarrow.scalar(None, values.type), values)


def _signed(source: str, name: str, values: pyarrow.Array, row: int) -> pyarrow.Array:
    filled = pc.fill_null(values, pyarrow.scalar(0, pyarrow.uint64())).to_numpy(zero_copy_only=False)
    arrays.checked_unsigned(filled, source=source, column=name, first_row=row)
    return values.cast(pyarrow.int64())


def _texts(source: str, name: str) -> Convert:
    target = pyarrow.large_string()

    def convert(values: pyarrow.Array, row: int) -> pyarrow.Array:
        if not _is_bytes(values.type):  # strings of a file are what it calls so
            values = values.cast(target)
        values = values.cast(pyarrow.large_binary())
        try:
            strings = values.cast(target)
        except pyarrow.ArrowInvalid:
            raise DataError(
                "the bytes are not text in UTF-8.", source=source, row=row + _first_bad_text(values), column=name, hint=ADVICE
            ) from None
        arrays.refuse_nul(strings, source=source, column=name, first_row=row)
        return strings

    return convert


def _first_bad_text(values: pyarrow.Array) -> int:
    for place, cell in enumerate(values):
        try:
            (cell.as_py() or b"").decode()
        except UnicodeDecodeError:
            return place
    return 0


def _instants(name: str, kind: pyarrow.DataType) -> Plan:
    target = pyarrow.timestamp("us")
    zone = getattr(kind, "tz", None)
    remarks = [f"{kind} became timestamps at midnight"] if pyarrow.types.is_date(kind) else []
    if zone:
        remarks.append(f"instants of the time zone {zone} became UTC")
    nanoseconds = getattr(kind, "unit", "") == "ns"

    def convert(values: pyarrow.Array, _row: int) -> pyarrow.Array:
        bare = values.cast(pyarrow.timestamp(kind.unit)) if zone else values
        return bare.cast(target, safe=False) if nanoseconds else bare.cast(target)

    return Plan(Column(name, "char", "*", xtype="timestamp"), convert, tuple(remarks), scan=nanoseconds)


def _list(source: str, name: str, kind: pyarrow.DataType) -> Plan:
    if is_text(kind.value_type):
        texts = _texts(source, name)
        remark = "each row's strings became one, separated by semicolons"
        return Plan(Column(name, "char", "*"), lambda values, row: texts(_joined(values), row), (remark,), scan=True)
    shape, element = _shape(kind)
    if element not in PRIMITIVES:
        what = "nested lists" if pyarrow.types.is_nested(element) else f"lists of {element}"
        raise DataError(
            f"{what} have no place in a TAP table.",
            source=source,
            column=name,
            hint="Arrays are one-dimensional lists of numbers. " + ADVICE,
        )
    column = Column(name, PRIMITIVES[element], "*" if shape in ((), (1,)) else "x".join(map(str, reversed(shape))))
    target = arrow_type(column)

    def convert(values: pyarrow.Array, row: int) -> pyarrow.Array:
        flat = _flat(values, shape)
        if element == pyarrow.uint64():
            _checked_elements(source, name, flat, row)
        return flat.cast(target)

    return Plan(column, convert, scan=element == pyarrow.uint64())


def _shape(kind: pyarrow.DataType) -> tuple[tuple[int, ...], pyarrow.DataType]:
    """(sizes of lists of fixed size within each other, from the outermost; the elements' type); of other lists no sizes."""
    if not pyarrow.types.is_fixed_size_list(kind):
        return (), kind.value_type
    shape = []
    while pyarrow.types.is_fixed_size_list(kind):
        shape.append(kind.list_size)
        kind = kind.value_type
    return tuple(shape), kind


def _flat(values: pyarrow.Array, shape: tuple[int, ...]) -> pyarrow.Array:
    """One list a row of what lies in lists of fixed size within each other, the innermost fastest."""
    if len(shape) < 2:
        return values
    length, elements = 1, values
    for size in shape:
        start, length = elements.offset * size, length * size
        elements = elements.values.slice(start, len(elements) * size)
    return pyarrow.FixedSizeListArray.from_arrays(elements, length, mask=values.is_null() if values.null_count else None)


def _checked_elements(source: str, name: str, values: pyarrow.Array, row: int) -> None:
    over = pc.greater(pc.list_flatten(values), pyarrow.scalar(int(arrays.MAX_LONG), pyarrow.uint64()))
    if pc.any(over).as_py():
        place = pc.list_parent_indices(values)[pc.index(over, True).as_py()].as_py()
        raise DataError("an element does not fit into a signed 64-bit integer.", source=source, row=row + place, column=name, hint=ADVICE)


def _joined(values: pyarrow.Array) -> pyarrow.Array:
    kind = pyarrow.large_list(pyarrow.large_string())
    return pc.binary_join(values.cast(kind), pyarrow.scalar(";", pyarrow.large_string()))


def _scanned(plans: list[Plan], names: list[str], raw: Raw) -> list[Plan]:
    """The plans, with what only the values tell: whether texts are ASCII, instants lose nanoseconds, unsigned integers fit."""
    chosen = [index for index, plan in enumerate(plans) if plan.scan]
    wide: set[int] = set()
    cut: set[int] = set()
    for row, batch in raw([names[index] for index in chosen]) if chosen else ():
        for index, stored in zip(chosen, batch.columns, strict=True):
            values = plans[index].convert(stored, row)
            if plans[index].column.is_text and not arrays.is_ascii(values):
                wide.add(index)
            if plans[index].column.is_timestamp and _loses(stored):
                cut.add(index)
    changed = list(plans)
    for index in wide:
        changed[index] = replace(plans[index], column=replace(plans[index].column, datatype="unicodeChar"))
    for index in cut:
        changed[index] = replace(plans[index], remarks=(*plans[index].remarks, "nanoseconds were cut to microseconds"))
    return changed


def _loses(nanoseconds: pyarrow.Array) -> bool:
    counts = nanoseconds.cast(pyarrow.int64())
    return bool(pc.any(pc.not_equal(counts, pc.multiply(pc.divide(counts, 1000), 1000))).as_py())
