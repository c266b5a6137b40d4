"""VOTable in any serialisation (VOTable 1.5), through astropy."""

import gzip
import re
import warnings
import xml.parsers.expat
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
from astropy.io import votable

from vo_server.errors import DataError
from vo_server.formats.readers import memory
from vo_server.formats.readers.source import Source, clean, distinct


def open_votable(path: Path, table: str | None) -> Source:
    """The first table of a VOTable, or the one of this name (or ``table<n>``). DataError says why it cannot be read."""
    document = _parsed(path)
    tables = list(document.iter_tables())
    names, _ = distinct([str(one.name or one.ID or f"table{number}") for number, one in enumerate(tables, 1)])
    if not names:
        raise DataError(_without_table(document), source=path.name, hint="Fetch it again, or check it with `stilts votlint`.")
    wanted = names[0] if table is None else table
    if wanted not in names:
        raise DataError(f"there is no table {wanted!r}.", source=path.name, hint=f"Tables are: {', '.join(names)}.")
    found = tables[names.index(wanted)]
    source = memory.from_series(path, wanted, _series(found), title=None, description=found.description or document.description)
    notes = tuple(f"the answer of a service ended with {info}" for info in _overflow(document))
    return replace(source, other_tables=tuple(name for name in names if name != wanted), notes=notes + source.notes)


def _parsed(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return votable.parse(str(path), verify="ignore")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"the compressed file cannot be unpacked ({error}).", source=path.name, hint="It is probably truncated: fetch it again."
        ) from None
    except (ValueError, TypeError, IndexError, KeyError, OSError, xml.parsers.expat.ExpatError, AttributeError) as error:
        place = re.search(r":(\d+):\d+:", str(error))
        where = f" at line {place[1]}" if place else ""
        raise DataError(
            f"this VOTable cannot be read{where} ({error}).", source=path.name, hint="Check it with `stilts votlint`."
        ) from None


def _without_table(document: Any) -> str:
    for info in [info for resource in document.resources for info in resource.infos]:
        if info.name == "QUERY_STATUS" and info.value == "ERROR":
            return f"there is no table in it, but the error of a service: {clean(info.content) or 'without a message'}."
    return "there is no table in this VOTable."


def _overflow(document: Any) -> list[str]:
    infos = [info for resource in document.resources for info in resource.infos]
    return ["OVERFLOW: rows are missing" for info in infos if info.name == "QUERY_STATUS" and info.value == "OVERFLOW"][:1]


def _series(table: Any) -> list[memory.Series]:
    return [
        memory.Series(
            str(field.name or field.ID or ""),
            _values(table.array, field),
            unit=str(field.unit) if field.unit is not None else None,
            ucd=field.ucd,
            utype=field.utype,
            xtype=field.xtype,
            arraysize=_arraysize(field),
            description=str(field.description) if field.description else None,
        )
        for field in table.fields
    ]


def _values(array: Any, field: Any) -> Any:
    """The column; texts are cut at the first NUL and keep their blanks, as VOTable has it (VOTable 1.5 §6)."""
    values = array[field.ID]
    if field.datatype in ("float", "double") and values.dtype.kind == "f":
        # a masked float is a NaN in the file: only whole cells are null, elements of arrays keep their NaN
        return numpy.ma.MaskedArray(values.data, mask=False) if values.ndim > 1 else values
    return values


def _arraysize(field: Any) -> str | None:
    """The FIELD's arraysize as VOTable has it, without the bound of a variable last axis; None for scalars and texts."""
    text = str(field.arraysize or "")
    if field.datatype in ("char", "unicodeChar") or text in ("", "1"):
        return None
    return re.sub(r"\d+\*$", "*", text)
