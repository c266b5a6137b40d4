"""VOTable in any serialisation (VOTable 1.5), through astropy."""

import gzip
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy
from astropy.io.votable import tree
from astropy.utils.xml.iterparser import get_xml_iterator

from vo_server.errors import DataError
from vo_server.formats.readers import memory
from vo_server.formats.readers.source import Bounds, Source, clean, distinct

CONFIG = {
    "columns": None,
    "invalid": "exception",
    "verify": "ignore",
    "chunk_size": tree.DEFAULT_CHUNK_SIZE,
    "table_number": None,
    "filename": None,
    "unit_format": None,
    "datatype_mapping": {},
}
"""How astropy is to read: as ``astropy.io.votable.parse`` does by itself."""

FAULTS = (ValueError, TypeError, IndexError, KeyError, OSError, AttributeError, NotImplementedError)
"""What astropy raises when a document is wrong."""


def open_votable(path: Path, table: str | None, bounds: Bounds | None = None) -> Source:
    """The first table of a VOTable, or the one of this name (or ``table<n>``). DataError says why it cannot be read."""
    document = _parsed(path, bounds)
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


def _parsed(path: Path, bounds: Bounds | None) -> Any:
    _refuse_entities(path)
    guard = _Guard(path, bounds)
    try:
        with warnings.catch_warnings(), get_xml_iterator(str(path)) as events:
            warnings.simplefilter("ignore")
            return tree.VOTableFile(config=dict(CONFIG), pos=(1, 1)).parse(guard.watched(events), dict(CONFIG))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"the compressed file cannot be unpacked ({error}).", source=path.name, hint="It is probably truncated: fetch it again."
        ) from None
    except FAULTS as error:
        raise DataError(
            f"this VOTable cannot be read at line {guard.line} ({error}).", source=path.name, hint="Check it with `stilts votlint`."
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


Event = tuple[bool, str, Any, tuple[int, int]]
"""Whether an element begins, its name, its attributes or its text, line and column."""


class _Guard:
    """Sees the elements before astropy does, and refuses what would make it open addresses or fill the memory."""

    def __init__(self, path: Path, bounds: Bounds | None) -> None:
        self.line = 1
        self._name = path.name
        self._bounds = bounds
        self._row_bytes = 0
        self._rows = 0

    def watched(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same elements."""
        for event in events:
            started, tag, data, (self.line, _) = event
            if started:
                if tag == "TR":
                    self._see_rows(self._rows + 1)
                elif tag == "TABLE":
                    self._row_bytes = self._rows = 0
                    data.pop("nrows", None)  # astropy would make room for so many
                elif tag == "FIELD":
                    self._see_field(data)
                elif tag == "DATA":
                    self._see_rows(0)
                elif tag == "STREAM" and "href" in data:
                    raise DataError(
                        f"the rows are not in this file, but at {data['href'][:200]}, and are not fetched from there.",
                        source=self._name,
                        hint="Make one file of both: `stilts tcopy ifmt=votable ofmt=votable`.",
                    )
            yield event

    def _see_field(self, attributes: Mapping[str, str]) -> None:
        """How many bytes a value of fixed size takes."""
        self._row_bytes += element_bytes(attributes.get("datatype", "char")) * fixed_size(attributes.get("arraysize", ""))

    def _see_rows(self, rows: int) -> None:
        self._rows = rows
        if self._bounds is not None:
            self._bounds.check(self._name, rows, max(1, rows) * self._row_bytes)


def element_bytes(datatype: str) -> int:
    """Bytes of one element in memory."""
    return {"double": 8, "long": 8, "floatComplex": 8, "doubleComplex": 16, "float": 4, "int": 4, "unicodeChar": 4, "short": 2}.get(
        datatype, 1
    )


def fixed_size(arraysize: str) -> int:
    """Elements of a value whose size is fixed; 1 for others."""
    if not re.fullmatch(r"\s*\d+(x\d+)*\s*", arraysize):
        return 1
    product = 1
    for factor in arraysize.split("x"):
        product *= int(factor)
    return product


def _refuse_entities(path: Path) -> None:
    """DataError if the document declares entities of its own: they may grow without bounds, or name files."""
    begun = False

    def begin(*_: object) -> None:
        nonlocal begun
        begun = True

    def declare(name: str, *_: object) -> None:
        raise DataError(f"the document declares the entity {name!r}, and VOTables have none.", source=path.name, hint="Write it out.")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.EntityDeclHandler = declare
    with suppress(expat.ExpatError, EOFError, OSError, zlib.error), _open(path) as file:  # told when all of it is read
        while not begun and (block := file.read(65_536)):
            parser.Parse(block, False)


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    """The document, unpacked."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")
