"""Parquet, with units and UCDs wherever its writers put them: streamed in batches, every Arrow type cast to what COPY needs."""

import io
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy.io import votable
from astropy.table.meta import get_header_from_yaml

from vo_server.errors import DataError
from vo_server.formats.readers import arrays
from vo_server.formats.readers.source import BATCH_ROWS, Bounds, Source, annotated, arrow_type, clean, distinct
from vo_server.formats.readers.units import NOTHING, vounit
from vo_server.model.columns import Column

VOPARQUET = b"IVOA.VOTable-Parquet.content"
"""Key of a VOTable without rows that describes the columns (VOParquet 1.0)."""

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


def open_parquet(path: Path, table: str | None, bounds: Bounds | None = None) -> Source:
    """The table of a Parquet file. DataError says why it cannot be read, naming row and column."""
    stem = path.name.split(".")[0]
    if table is not None and table != stem:
        raise DataError(f"there is no table {table!r}: a Parquet file holds one.", source=path.name)
    file = _opened(path)
    schema = file.schema_arrow
    if bounds is not None:
        _hold_against(bounds, path, file)
    names, notes = distinct(list(schema.names))
    plans = [_plan(path.name, name, field) for name, field in zip(names, schema, strict=True)]
    plans = _scanned(path, file, plans)
    annotations = _annotations(schema)
    columns: list[Column] = []
    for plan, field in zip(plans, schema, strict=True):
        column, more = annotated(plan.column, **annotations.get(field.name, _NONE))
        columns.append(column)
        notes += [f"{column.name}: {remark}" for remark in plan.remarks] + more
    target = pyarrow.schema([(column.name, arrow_type(column)) for column in columns])

    def batches() -> Iterator[pyarrow.RecordBatch]:
        for row, batch in _raw(path, file, None):
            converted = [plan.convert(values, row) for plan, values in zip(plans, batch.columns, strict=True)]
            yield pyarrow.RecordBatch.from_arrays(converted, schema=target)

    description = _text((schema.metadata or {}).get(b"description")) or _text((schema.metadata or {}).get(b"source"))
    return Source(
        path, stem, tuple(columns), batches, file.metadata.num_rows, _text((schema.metadata or {}).get(b"title")), description, tuple(notes)
    )


def _hold_against(bounds: Bounds, path: Path, file: pq.ParquetFile) -> None:
    """TooLargeError before anything is unpacked that a few bytes of a file may stand for: a value once stored, and repeated by number."""
    metadata, schema = file.metadata, file.schema_arrow
    bounds.check(path.name, metadata.num_rows, columns=len(schema.names))
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    bounds.check(path.name, size=sum(group.column(place).num_values * WIDEST for group in groups for place in range(group.num_columns)))
    texts = [field.name for field in schema if _is_text(_plain(field.type))]
    for field in schema:
        if pyarrow.types.is_nested(field.type) and not _is_list_of_numbers(field.type):
            raise DataError(f"values of the type {field.type} are not taken.", source=path.name, column=field.name, hint=ADVICE)
    repeated = pq.ParquetFile(path, read_dictionary=texts)
    size = 0
    for name in texts:
        for _, batch in _raw(path, repeated, [name]):
            size += _unpacked_size(batch.column(0))
            bounds.check(path.name, size=size)


WIDEST = 8
"""Bytes of the widest number."""


def _plain(kind: pyarrow.DataType) -> pyarrow.DataType:
    return kind.value_type if pyarrow.types.is_dictionary(kind) else kind


def _is_list_of_numbers(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    return (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)) and kind.value_type in PRIMITIVES


def _unpacked_size(texts: pyarrow.Array) -> int:
    """Bytes of all texts if each were written out."""
    if not pyarrow.types.is_dictionary(texts.type):
        return int(texts.nbytes)
    return int(pc.sum(pc.take(pc.binary_length(texts.dictionary), texts.indices)).as_py() or 0)


_NONE: dict[str, str | None] = {"unit": None, "ucd": None, "utype": None, "description": None}


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False)  # which keeps all that was read until the file is closed
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"this is not a readable Parquet file ({error}).", source=path.name, hint="It is probably truncated: fetch it again."
        ) from None


def _raw(path: Path, file: pq.ParquetFile, columns: list[str] | None) -> Iterator[tuple[int, pyarrow.RecordBatch]]:
    """Batches with the number of their first row."""
    row = 1
    try:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            yield row, batch
            row += batch.num_rows
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"the file cannot be read on ({error}).", source=path.name, row=row, hint="It is damaged: fetch it again."
        ) from None


def _plan(source: str, name: str, field: pyarrow.Field) -> Plan:
    """How a column of this Arrow type goes over; a type without a place in a TAP table raises DataError."""
    kind = field.type.storage_type if isinstance(field.type, pyarrow.BaseExtensionType) else field.type
    if pyarrow.types.is_dictionary(kind):
        inner = _plan(source, name, pyarrow.field(name, kind.value_type))
        return replace(inner, convert=lambda values, row: inner.convert(values.dictionary_decode(), row))
    if kind in PRIMITIVES:
        return _primitive(source, name, kind)
    if _is_text(kind) or pyarrow.types.is_null(kind):
        return Plan(Column(name, "char", "*"), _texts(source, name), scan=True)
    if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_date(kind):
        return _instants(name, kind)
    if pyarrow.types.is_decimal(kind):
        return Plan(Column(name, "double"), lambda values, _row: values.cast(pyarrow.float64()), (f"{kind} became double precision",))
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind):
        return _list(source, name, kind)
    raise DataError(f"values of the type {kind} have no place in a TAP table.", source=source, column=name, hint=ADVICE)


def _is_text(kind: pyarrow.DataType) -> bool:
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
        if _is_bytes(values.type):
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
    if _is_text(kind.value_type):
        texts = _texts(source, name)
        remark = "each row's strings became one, separated by semicolons"
        return Plan(Column(name, "char", "*"), lambda values, row: texts(_joined(values), row), (remark,), scan=True)
    element = kind.value_type
    if element not in PRIMITIVES:
        what = "nested lists" if pyarrow.types.is_nested(element) else f"lists of {element}"
        raise DataError(
            f"{what} have no place in a TAP table.",
            source=source,
            column=name,
            hint="Arrays are one-dimensional lists of numbers. " + ADVICE,
        )
    fixed = pyarrow.types.is_fixed_size_list(kind)
    column = Column(name, PRIMITIVES[element], (str(kind.list_size) if kind.list_size > 1 else "*") if fixed else "*")
    target = arrow_type(column)

    def convert(values: pyarrow.Array, row: int) -> pyarrow.Array:
        if element == pyarrow.uint64():
            _checked_elements(source, name, values, row)
        return values.cast(target)

    return Plan(column, convert, scan=element == pyarrow.uint64())


def _checked_elements(source: str, name: str, values: pyarrow.Array, row: int) -> None:
    over = pc.greater(pc.list_flatten(values), pyarrow.scalar(int(arrays.MAX_LONG), pyarrow.uint64()))
    if pc.any(over).as_py():
        place = pc.list_parent_indices(values)[pc.index(over, True).as_py()].as_py()
        raise DataError("an element does not fit into a signed 64-bit integer.", source=source, row=row + place, column=name, hint=ADVICE)


def _joined(values: pyarrow.Array) -> pyarrow.Array:
    kind = pyarrow.large_list(pyarrow.large_string())
    return pc.binary_join(values.cast(kind), pyarrow.scalar(";", pyarrow.large_string()))


def _scanned(path: Path, file: pq.ParquetFile, plans: list[Plan]) -> list[Plan]:
    """The plans, with what only the values tell: whether texts are ASCII, instants lose nanoseconds, unsigned integers fit."""
    chosen = [index for index, plan in enumerate(plans) if plan.scan]
    wide: set[int] = set()
    cut: set[int] = set()
    names = file.schema_arrow.names
    for index in chosen:
        for row, batch in _raw(path, file, [names[index]]):
            values = plans[index].convert(batch.column(0), row)
            if plans[index].column.is_text and not arrays.is_ascii(values):
                wide.add(index)
            if plans[index].column.is_timestamp and _loses(batch.column(0)):
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


def _annotations(schema: pyarrow.Schema) -> dict[str, dict[str, str | None]]:
    """What the file says of its columns, by name; of several sources the more explicit one wins, key by key."""
    found: dict[str, dict[str, str | None]] = {}
    metadata: dict[bytes, bytes] = schema.metadata or {}
    for origin in (_of_plain_keys(schema), _of_fields(schema), _of_astropy(metadata), _of_votable(metadata)):
        for name, entries in origin.items():
            known = found.setdefault(name, dict(_NONE))
            known.update({key: value for key, value in entries.items() if value})
    return found


def _of_plain_keys(schema: pyarrow.Schema) -> dict[str, dict[str, str | None]]:
    """``name: 'unit;ucd'`` in the metadata of the schema."""
    metadata: dict[bytes, bytes] = schema.metadata or {}
    keys = {name: _text(metadata.get(name.encode())) for name in schema.names}
    return {name: _unit_and_ucd(text) for name, text in keys.items() if text}


def _unit_and_ucd(text: str) -> dict[str, str | None]:
    """``unit;ucd``, or one of them alone."""
    first, _, rest = text.partition(";")
    if vounit(first)[0] is not None or first.lower() in NOTHING or not _looks_like_ucd(first):
        return {"unit": first, "ucd": rest}
    return {"unit": None, "ucd": text}


def _looks_like_ucd(text: str) -> bool:
    return text.split(".")[0] in ("arith", "em", "instr", "meta", "obs", "phot", "phys", "pos", "spect", "src", "stat", "time")


def _of_fields(schema: pyarrow.Schema) -> dict[str, dict[str, str | None]]:
    """``unit``, ``ucd``, ``utype`` and ``description`` in the metadata of each field."""
    found = {}
    for field in schema:
        entries = {key.decode(errors="replace").lower(): _text(value) for key, value in (field.metadata or {}).items()}
        found[field.name] = {key: entries.get(key) for key in _NONE} | {"description": entries.get("description") or entries.get("comment")}
    return found


def _of_astropy(metadata: dict[bytes, bytes]) -> dict[str, dict[str, str | None]]:
    """What astropy's Table.write keeps as YAML, and what pandas keeps as JSON."""
    found: dict[str, dict[str, str | None]] = {}
    for entry in _json(metadata.get(b"pandas")).get("columns", []):
        found[str(entry.get("name"))] = _entries(entry.get("metadata") or {})
    yaml = _text(metadata.get(b"table_meta_yaml"), whole=True)
    if yaml:
        for entry in get_header_from_yaml(yaml.split("\n")).get("datatype", []):
            found[str(entry["name"])] = _entries({**dict(entry.get("meta") or {}), **entry})
    return found


def _json(text: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(text or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _entries(meta: dict[str, Any]) -> dict[str, str | None]:
    lower = {str(key).lower(): value for key, value in meta.items()}
    return {key: str(lower[key]) for key in _NONE if isinstance(lower.get(key), str)}


def _of_votable(metadata: dict[bytes, bytes]) -> dict[str, dict[str, str | None]]:
    """The FIELDs of the VOTable that VOParquet puts beside the columns."""
    content = metadata.get(VOPARQUET)
    if not content:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fields = next(iter(votable.parse(io.BytesIO(content), verify="ignore").iter_tables())).fields
        except (ValueError, StopIteration, TypeError):
            return {}
    return {
        str(field.name): {
            "unit": str(field.unit) if field.unit is not None else None,
            "ucd": field.ucd,
            "utype": field.utype,
            "description": str(field.description) if field.description else None,
        }
        for field in fields
    }


def _text(value: bytes | None, *, whole: bool = False) -> str | None:
    text = value.decode("utf-8", errors="replace") if value else None
    return text if whole else clean(text)
