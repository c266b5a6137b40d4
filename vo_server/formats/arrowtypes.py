"""Columns as Arrow has them, for the formats that are Arrow's own or made from it (Parquet, IPC).

Bytes are unsigned, arrays of a declared number of elements are fixed-size lists, others lists; PostgreSQL's infinite instants are null.
Each field carries what VOTable knows of the column as metadata.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vo_server.errors import DataError
from vo_server.formats.cells import elements, finite_instants, timestamp_text
from vo_server.model.columns import Column
from vo_server.model.result import TableHead

ELEMENTS = {
    "boolean": pa.bool_(),
    "unsignedByte": pa.uint8(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "char": pa.string(),
    "unicodeChar": pa.string(),
}
"""VOTable primitive → Arrow type of one element."""

METADATA = ("datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a format wants its batches: whether instants are text, as VOTable has them."""

    instants_as_text: bool

    def schema(self, head: TableHead) -> pa.Schema:
        """The schema of a table, with the columns' VOTable words as metadata of the fields, and the table's name, description and infos."""
        fields = [pa.field(column.name, self._type(column), metadata=_words(column)) for column in head.columns]
        texts = {"name": head.name, "description": head.description, **_infos(head)}
        return pa.schema(fields, {name: text for name, text in texts.items() if text})

    def arrays(self, columns: Sequence[Column], batch: pa.RecordBatch) -> list[pa.Array]:
        """The cells in the types of the schema. Raises DataError for those that the column's declaration forbids."""
        return [self._array(column, array) for column, array in zip(columns, batch.columns, strict=True)]

    def _type(self, column: Column) -> pa.DataType:
        if column.is_timestamp:
            return pa.string() if self.instants_as_text else pa.timestamp("us")
        element = ELEMENTS[column.datatype]
        if not column.is_array:
            return element
        return pa.list_(element) if column.length is None else pa.list_(element, column.length)

    def _array(self, column: Column, array: pa.Array) -> pa.Array:
        if column.is_timestamp:
            return timestamp_text(column, array) if self.instants_as_text else finite_instants(array)
        if column.length is not None:
            return _fixed_list(column, array)
        if column.datatype == "unsignedByte":
            return _bytes(column, array, self._type(column))
        return array


def _infos(head: TableHead) -> dict[str, str]:
    """Infos by name; the values of those that have the same are lines of one text."""
    values: dict[str, list[str]] = {}
    for info in head.infos:
        values.setdefault(f"INFO.{info.name}", []).append(info.value)
    return {name: "\n".join(texts) for name, texts in values.items()}


def _words(column: Column) -> dict[str, str]:
    values = {name: getattr(column, name) for name in METADATA}
    return {name: value for name, value in values.items() if value}


def _bytes(column: Column, array: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return array.cast(kind)
    except pa.ArrowInvalid:
        raise DataError("a value does not fit into an unsigned byte (0 to 255).", column=column.name) from None


def _fixed_list(column: Column, array: pa.Array) -> pa.Array:
    """A list with all its cells of the declared length; null cells take as much room as others."""
    flat, _ = elements(column, array)
    if column.datatype == "unsignedByte":
        flat = _bytes(column, flat, pa.uint8())
    length = column.length or 0
    if not array.null_count:
        return pa.FixedSizeListArray.from_arrays(flat, length)
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    rows = np.zeros(len(array), np.int64)
    rows[valid] = np.arange(int(valid.sum()))
    places = (rows[:, np.newaxis] * length + np.arange(length)).ravel()
    room = flat.take(pa.array(places)) if len(flat) else pa.nulls(len(places), flat.type)
    return pa.FixedSizeListArray.from_arrays(room, length, mask=pa.array(~valid))
