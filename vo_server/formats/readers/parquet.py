"""Parquet, with units and UCDs wherever its writers put them: streamed in batches, every Arrow type cast to what COPY needs."""

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy.io import votable
from astropy.table.meta import get_header_from_yaml

from vo_server.errors import DataError
from vo_server.formats.readers.arrow import ADVICE, NOTHING_SAID, PRIMITIVES, from_arrow, is_text
from vo_server.formats.readers.pages import pages
from vo_server.formats.readers.source import BATCH_ROWS, Bounds, Source, clean
from vo_server.formats.readers.units import NOTHING, vounit

VOPARQUET = b"IVOA.VOTable-Parquet.content"
"""Key of a VOTable without rows that describes the columns (VOParquet 1.0)."""


def open_parquet(path: Path, table: str | None, bounds: Bounds | None = None) -> Source:
    """The table of a Parquet file. DataError says why it cannot be read, naming row and column."""
    stem = path.name.split(".")[0]
    if table is not None and table != stem:
        raise DataError(f"there is no table {table!r}: a Parquet file holds one.", source=path.name)
    with _explained(path):
        file = pq.ParquetFile(path, pre_buffer=False)  # which keeps all that was read until the file is closed
        schema = file.schema_arrow
        if bounds is not None:
            _hold_against(bounds, path, file)
        metadata: dict[bytes, bytes] = schema.metadata or {}
        source = from_arrow(path, stem, schema, partial(_raw, path, file), _annotations(schema), file.metadata.num_rows)
    description = _text(metadata.get(b"description")) or _text(metadata.get(b"source"))
    return replace(source, title=_text(metadata.get(b"title")), description=description)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What is raised for files that are damaged, as DataError."""
    try:
        yield
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"this is not a readable Parquet file ({error}).", source=path.name, hint="It is probably truncated: fetch it again."
        ) from None


def _hold_against(bounds: Bounds, path: Path, file: pq.ParquetFile) -> None:
    """TooLargeError before anything is unpacked that a few bytes of a file may stand for: a value once stored, and repeated by number."""
    metadata, schema = file.metadata, file.schema_arrow
    bounds.check(path.name, metadata.num_rows, columns=len(schema.names))
    unpacked = values = 0
    for page in pages(path):
        unpacked, values = unpacked + page.size, values + page.values
        bounds.check(path.name, size=max(unpacked, values * WIDEST))
        if page.is_repeating:
            raise DataError("texts in the encoding DELTA_BYTE_ARRAY are not taken.", source=path.name, hint="Write it in the usual ones.")
    texts = [field.name for field in schema if is_text(_plain(field.type))]
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


def _annotations(schema: pyarrow.Schema) -> dict[str, dict[str, str | None]]:
    """What the file says of its columns, by name; of several sources the more explicit one wins, key by key."""
    found: dict[str, dict[str, str | None]] = {}
    metadata: dict[bytes, bytes] = schema.metadata or {}
    for origin in (_of_plain_keys(schema), _of_fields(schema), _of_astropy(metadata), _of_votable(metadata)):
        for name, entries in origin.items():
            known = found.setdefault(name, dict(NOTHING_SAID))
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
        entries["description"] = entries.get("description") or entries.get("comment")
        found[field.name] = {key: entries.get(key) for key in NOTHING_SAID}
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
    return {key: str(lower[key]) for key in NOTHING_SAID if isinstance(lower.get(key), str)}


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
            "xtype": field.xtype,
            "description": str(field.description) if field.description else None,
        }
        for field in fields
    }


def _text(value: bytes | None, *, whole: bool = False) -> str | None:
    text = value.decode("utf-8", errors="replace") if value else None
    return text if whole else clean(text)
