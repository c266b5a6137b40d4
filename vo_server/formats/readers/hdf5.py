"""HDF5 tables through h5py, in slices: structured datasets, groups of equally long ones, and what astropy, PyTables, pandas, vaex write."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
from astropy.table import Table

from vo_server.errors import DataError
from vo_server.formats.readers import memory
from vo_server.formats.readers.arrow import from_arrow
from vo_server.formats.readers.extras import chosen, library
from vo_server.formats.readers.hdf5tables import Found, found_tables, serialised_header
from vo_server.formats.readers.source import Source, clean


def open_hdf5(path: Path, table: str | None) -> Source:
    """The first table of an HDF5 file, or the one at this path in it. DataError says why it cannot be read.

    Tables are datasets of records, and groups of datasets of equally many rows. Columns that no table can hold are left out, which the
    notes say.
    """
    h5py = library("h5py", "hdf5", path)
    try:
        with ExitStack() as failing:
            file = failing.enter_context(h5py.File(path, "r", locking="best-effort"))
            tables = found_tables(file, h5py)
            name = chosen(path, list(tables), table, "table (dataset of records, or group of datasets of equally many rows)")
            source = _opened(path, file, name, tables[name])
            failing.pop_all()  # open for as long as somebody reads the source
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(
            f"this is not a readable HDF5 file ({error}).", source=path.name, hint="Check it with `h5dump -H`, or fetch it again."
        ) from None
    return replace(source, name=name, other_tables=tuple(other for other in tables if other != name))


def _opened(path: Path, file: Any, name: str, found: Found) -> Source:
    header = serialised_header(file, name)
    if "__serialized_columns__" in (header.get("meta") or {}):
        return _through_astropy(path, file, name)
    schema = pyarrow.schema([(field.name, field.type) for field in found.fields])
    source = from_arrow(path, name, schema, partial(_raw, path, found), found.words, found.nrows, omit=True)
    return replace(source, title=clean(found.title), description=clean(found.description), notes=(*found.notes, *source.notes))


def _raw(path: Path, found: Found, columns: list[str] | None) -> Iterator[tuple[int, pyarrow.RecordBatch]]:
    """Batches as stored, each with the number of its first row."""
    start = 0
    try:
        for start in range(0, found.nrows, found.step):
            yield start + 1, found.batch(columns, start, min(start + found.step, found.nrows))
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"the file cannot be read on ({error}).", source=path.name, row=start + 1, hint="It is damaged: fetch it again."
        ) from None


def _through_astropy(path: Path, file: Any, name: str) -> Source:
    """A table in which astropy has taken objects (times, masked columns) apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return memory.from_astropy(path, Table.read(file, format="hdf5", path=name.strip("/")))
