"""VOTable in any serialisation (VOTable 1.5): what it says of its tables through astropy, the rows by ``votablecells``.

One pass: rows are taken out of the stream of elements before astropy sees it, and so are addresses that it would open.
"""

import binascii
import gzip
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

import pyarrow
import pybase64
from astropy.io.votable import tree

from vo_server.errors import DataError
from vo_server.formats.readers import memory
from vo_server.formats.readers.source import BATCH_ROWS, INSTANTS, Bounds, Source, annotated, arrow_type, clean, distinct
from vo_server.formats.readers.votablecells import CellError, Field, field_of, from_bytes, from_texts
from vo_server.formats.systems import EQUINOXES
from vo_server.model.columns import Column

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

FAULTS = (ValueError, TypeError, LookupError, OSError, AttributeError, NotImplementedError)
"""What astropy raises when a document is wrong, and expat for an encoding that nobody knows."""

UNREAD = {"datatype": "char", "arraysize": "*"}
"""What astropy is told of all values, which it does not see: it would make room for one."""

BLOCK_BYTES = 1 << 16
CHUNK_ROWS = 10_000
"""Rows of TABLEDATA that are Python objects at a time."""

DEEPEST = 60
MOST_ELEMENTS = 200_000
"""Elements besides those of rows."""

PLACE = re.compile(r"None:(\d+):\d+: (?:[EW]\d+: )?(.*)", re.DOTALL)
"""How astropy begins a message: file, line, column, number of the fault. The reader of elements is further down by then."""

ADVICE = "Check it with `stilts votlint`."

Event = tuple[bool, str, Any, tuple[int, int]]
"""Whether an element begins, its name, its attributes or its text, line and column: as astropy's reader has them."""


def open_votable(path: Path, table: str | None, bounds: Bounds | None = None) -> Source:
    """The first table of a VOTable, or the one of this name (or ``table<n>``). DataError says why it cannot be read, and where."""
    document = _read(path, bounds)
    return document.table(next(iter(document.tables)) if table is None else table)


@dataclass(frozen=True, slots=True)
class _Document:
    """A VOTable whose elements have been read, all of them: its tables by their names, their rows by their IDs."""

    path: Path
    tables: Mapping[str, Any]
    rows: "Mapping[str, Rows]"
    frames: "Frames"
    description: str | None
    notes: tuple[str, ...]

    def table(self, name: str) -> Source:
        """The table of this name, from which the others can be had, too. DataError if there is none."""
        if name not in self.tables:
            raise DataError(f"there is no table {name!r}.", source=self.path.name, hint=f"Tables are: {', '.join(self.tables)}.")
        found = self.tables[name]
        source = _source(self.path, name, found, self.rows[found.ID], self.frames)
        return replace(
            source,
            description=clean(found.description or self.description),
            other_tables=tuple(other for other in self.tables if other != name),
            other_table=self.table,
            notes=self.notes + source.notes,
        )


def _read(path: Path, bounds: Bounds | None) -> _Document:
    document, rows = _parsed(path, bounds)
    tables = list(document.iter_tables())
    names, _ = distinct([str(one.name or one.ID) for one in tables])
    if not names:
        raise DataError(_without_table(document), source=path.name, hint="Fetch it again, or check it with `stilts votlint`.")
    notes = tuple(f"the answer of a service ended with {info}" for info in _overflow(document))
    return _Document(path, dict(zip(names, tables, strict=True)), rows, _frames(document), document.description, notes)


FRAMES = {
    "icrs": "ICRS",
    "eq_fk5": "FK5",
    "fk5": "FK5",
    "eq_fk4": "FK4",
    "fk4": "FK4",
    "galactic": "GALACTIC",
    "ecl_fk5": "ECLIPTIC",
    "ecliptic": "ECLIPTIC",
    "supergalactic": "SUPER_GALACTIC",
    "super_galactic": "SUPER_GALACTIC",
}
"""``system`` of a COOSYS, of any version of VOTable → word of the vocabulary refframe."""

EPOCH = re.compile(r"([JB]?)(\d+(?:\.\d*)?)")


Frames = Mapping[str, tuple[str | None, str | None]]
"""(frame, epoch) of a document's coordinate systems, by the IDs that FIELDs refer to."""


def _frames(document: Any) -> Frames:
    """The document's coordinate systems. An unusual equinox tells of no frame."""
    found = {}
    for system in document.iter_coosys():
        frame = FRAMES.get(str(system.system or "").lower())
        usual = EQUINOXES.get(frame or "", "")[1:].split(".")[0]
        if system.equinox and str(system.equinox).strip("JB").split(".")[0] != usual:
            frame = None
        epoch = EPOCH.fullmatch(str(system.epoch or "").strip())
        found[str(system.ID)] = frame, f"{epoch[1] or 'J'}{epoch[2]}" if epoch else None
    return found


def _source(path: Path, name: str, table: Any, rows: "Rows", frames: Frames) -> Source:
    unique, notes = distinct([str(one.name or one.ID or "") for one in table.fields])
    columns: list[Column] = []
    data: list[pyarrow.Array] = []
    for label, said, cells, chunks in zip(
        unique, table.fields, rows.fields, zip(*rows.chunks, strict=True) if rows.chunks else (), strict=True
    ):
        values = pyarrow.concat_arrays(chunks)
        if cells.is_text:
            column, values = memory.text_column(path.name, label, said.xtype, values)
            if said.xtype in INSTANTS and not column.is_timestamp:
                notes.append(f"{label}: its xtype is {said.xtype}, and not all of its values are instants: they stay texts")
        else:
            column = replace(cells.column(said.xtype), name=label)
        unit = str(said.unit) if said.unit is not None else None
        description = str(said.description) if said.description else None
        column, more = annotated(column, unit=unit, ucd=said.ucd, utype=said.utype, description=description)
        frame, epoch = frames.get(str(said.ref), (None, None))
        columns.append(replace(column, frame=frame, epoch=epoch))
        data.append(values)
        notes += more
    content = pyarrow.Table.from_arrays(data, schema=pyarrow.schema([(column.name, arrow_type(column)) for column in columns]))

    def batches() -> Iterator[pyarrow.RecordBatch]:
        yield from content.to_batches(max_chunksize=BATCH_ROWS)

    return Source(path, name, tuple(columns), batches, content.num_rows, notes=tuple(notes))


def _parsed(path: Path, bounds: Bounds | None) -> tuple[Any, "dict[str, Rows]"]:
    """What astropy says of the document, and the rows of each table by its ID."""
    reader = _Reader(path, bounds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            document = tree.VOTableFile(config=dict(CONFIG), pos=(1, 1)).parse(reader.events(), dict(CONFIG))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"the compressed file cannot be unpacked ({error}).", source=path.name, hint="It is probably truncated: fetch it again."
        ) from None
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code] if error.code in expat.errors.messages else str(error)
        raise DataError(f"this VOTable cannot be read at line {error.lineno} ({reason}).", source=path.name, hint=ADVICE) from None
    except FAULTS as error:
        place = PLACE.match(str(error))
        line, reason = (place[1], place[2]) if place else (reader.line, str(error))
        raise DataError(f"this VOTable cannot be read at line {line} ({reason}).", source=path.name, hint=ADVICE) from None
    return document, reader.tables


@dataclass
class Rows:
    """The rows of one table: for each chunk of them its columns."""

    fields: list[Field]
    declared: int | None = None
    chunks: list[list[pyarrow.Array]] = field(default_factory=list)
    count: int = 0
    size: int = 0


class _Reader:
    """The elements of a document but for its rows, which end up in `tables`."""

    def __init__(self, path: Path, bounds: Bounds | None) -> None:
        self.path = path
        self.tables: dict[str, Rows] = {}
        self._bounds = bounds
        self._queue: list[Event] = []
        self._text: list[str] = []
        self._depth = self._elements = 0
        self._table = Rows([])
        self._serialisation = ""
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.EntityDeclHandler = self._refuse_entity
        parser.CharacterDataHandler = self._text.append
        self._see_elements()

    @property
    def line(self) -> int:
        """Where the reader is."""
        return self._parser.CurrentLineNumber

    def events(self) -> Iterator[Event]:
        """The elements, in order."""
        with self.path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            file = gzip.GzipFile(fileobj=plain) if packed else plain
            while block := file.read(BLOCK_BYTES):
                self._parser.Parse(block, False)
                yield from self._queue
                self._queue.clear()
            self._parser.Parse(b"", True)
            yield from self._queue

    # elements that describe

    def _see_elements(self) -> None:
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self._depth += 1
        self._elements += 1
        if self._depth > DEEPEST or (self._bounds is not None and self._elements > MOST_ELEMENTS):
            self._refuse("there are too many elements, or too many in each other.")
        self._text.clear()
        if self._depth == 1 and tag != "VOTABLE":
            self._refuse(f"this is no VOTable: its outermost element is {name}.", NO_TABLE)
        if tag in SEEN:
            SEEN[tag](self, tag, attributes)
        if tag in ("FIELD", "PARAM"):
            attributes = {**attributes, **UNREAD}
        if tag not in ("STREAM", "BINARY", "BINARY2"):
            self._queue.append((True, tag, attributes, (self.line, 0)))

    def _end(self, name: str) -> None:
        tag = name.rpartition(":")[2]
        self._depth -= 1
        text = "".join(self._text)
        self._text.clear()
        if tag == "STREAM":
            self._take_stream(text)
        elif tag in ("BINARY", "BINARY2"):
            self._queue += [(True, "TABLEDATA", {}, (self.line, 0)), (False, "TABLEDATA", "", (self.line, 0))]
        else:
            if tag == "TABLE":
                self._finish_table()
            self._queue.append((False, tag, text.strip(), (self.line, 0)))

    def _begin_table(self, _: str, attributes: dict[str, str]) -> None:
        declared = attributes.pop("nrows", "").strip()  # astropy would make room for so many
        known = self.tables.get(attributes.get("ref", ""))
        self._table = Rows(known.fields if known else [], int(declared) if declared.isdecimal() and len(declared) < 19 else None)
        self.tables[attributes.setdefault("ID", f"table{len(self.tables) + 1}")] = self._table

    def _finish_table(self) -> None:
        rows = self._table
        if not rows.chunks:
            rows.chunks.append([pyarrow.array([], one.type) for one in rows.fields])
        if rows.declared is not None and rows.declared > rows.count:
            self._refuse(f"the table ends after row {rows.count} of {rows.declared}.", "It is cut off: fetch it again.")

    def _begin_field(self, _: str, attributes: dict[str, str]) -> None:
        self._table.fields.append(field_of(attributes, self.path.name))
        if self._bounds is not None:
            self._bounds.check(self.path.name, columns=len(self._table.fields))

    def _see_values(self, _: str, attributes: dict[str, str]) -> None:
        if self._table.fields and self._table.fields[-1].null is None:
            self._table.fields[-1].null = attributes.get("null")

    def _begin_serialisation(self, tag: str, _: dict[str, str]) -> None:
        self._serialisation = tag
        if tag == "TABLEDATA":
            self._see_rows()

    def _begin_stream(self, _: str, attributes: dict[str, str]) -> None:
        if "href" in attributes:
            self._refuse(f"the rows are not in this file, but at {attributes['href'][:200]}, and are not fetched from there.", COPY)
        if attributes.get("encoding", "").lower() != "base64":
            self._refuse("a STREAM is not in base64.", ADVICE)

    def _refuse_form(self, tag: str, _: dict[str, str]) -> None:
        self._refuse(f"the rows are {tag} inside a VOTable.", COPY)

    # rows

    def _see_rows(self) -> None:
        """Handlers for TABLEDATA, which are called for every cell."""
        text, width = self._text, len(self._table.fields)
        rows: list[list[str]] = []
        cells: list[str] = []
        join = "".join

        def begin(_: str, attributes: dict[str, str]) -> None:
            text.clear()
            if attributes.get("encoding"):
                self._refuse("a cell is encoded.", COPY)

        def end(name: str) -> None:
            nonlocal cells
            if name.endswith("TD"):
                cells.append(join(text))
                text.clear()
            elif name.endswith("TR"):
                if len(cells) != width:
                    message = f"there are {len(cells)} cells for {width} columns."
                    raise DataError(message, source=self.path.name, row=self._table.count + len(rows) + 1, hint=f"See line {self.line}.")
                rows.append(cells)
                cells = []
                if len(rows) == CHUNK_ROWS:
                    self._take_texts(rows)
                    rows.clear()
            elif name.endswith("TABLEDATA"):
                self._take_texts(rows)
                self._see_elements()
                self._end(name)

        self._parser.StartElementHandler = begin
        self._parser.EndElementHandler = end

    def _take_texts(self, rows: list[list[str]]) -> None:
        if rows:
            fields = self._table.fields
            self._take(
                len(rows), [self._checked(one, from_texts, one, cells) for one, cells in zip(fields, zip(*rows, strict=True), strict=True)]
            )

    def _take_stream(self, text: str) -> None:
        most = None if self._bounds is None else self._bounds.rows
        try:
            data = pybase64.b64decode(text)
        except (binascii.Error, ValueError) as error:
            self._refuse(f"a STREAM is not in base64 ({error}).", ADVICE)
        if data:
            arrays = self._checked(None, from_bytes, data, self._table.fields, flagged=self._serialisation == "BINARY2", most=most)
            self._take(len(arrays[0]) if arrays else 0, arrays)

    def _take(self, rows: int, arrays: list[pyarrow.Array]) -> None:
        table = self._table
        table.count += rows
        table.size += sum(array.nbytes for array in arrays)
        table.chunks.append(arrays)
        if self._bounds is not None:
            self._bounds.check(self.path.name, table.count, table.size)

    def _checked(self, column: Field | None, decode: Any, *arguments: Any, **options: Any) -> Any:
        """What `decode` makes of cells; its CellError as a DataError with the row of the table."""
        try:
            return decode(*arguments, **options)
        except CellError as error:
            name = column.name if column is not None else None
            raise DataError(f"{error}.", source=self.path.name, row=self._table.count + error.row + 1, column=name, hint=MEND) from None

    def _refuse_entity(self, name: str, *_: object) -> None:
        self._refuse(f"the document declares the entity {name!r}, and VOTables have none.", "Write out what it stands for.")

    def _refuse(self, message: str, hint: str | None = None) -> NoReturn:
        raise DataError(f"line {self.line}: {message}", source=self.path.name, hint=hint)


NO_TABLE = "A file that came from an address may be its answer to another question, or a page: look into it."
MEND = "Correct it, or leave the row out."
COPY = "Write the table anew: `stilts tcopy ifmt=votable ofmt=votable-binary2`."

SEEN = {
    "TABLE": _Reader._begin_table,
    "FIELD": _Reader._begin_field,
    "VALUES": _Reader._see_values,
    "TABLEDATA": _Reader._begin_serialisation,
    "BINARY": _Reader._begin_serialisation,
    "BINARY2": _Reader._begin_serialisation,
    "STREAM": _Reader._begin_stream,
    "FITS": _Reader._refuse_form,
    "PARQUET": _Reader._refuse_form,
}
"""Elements that say where rows are and of what kind."""


def _without_table(document: Any) -> str:
    for info in [info for resource in document.resources for info in resource.infos]:
        if info.name == "QUERY_STATUS" and info.value == "ERROR":
            return f"there is no table in it, but the error of a service: {(clean(info.content) or 'without a message').rstrip('.')}."
    return "there is no table in this VOTable."


def _overflow(document: Any) -> list[str]:
    infos = [info for resource in document.resources for info in resource.infos]
    return ["OVERFLOW: rows are missing" for info in infos if info.name == "QUERY_STATUS" and info.value == "OVERFLOW"][:1]
