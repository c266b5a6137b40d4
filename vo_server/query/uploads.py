"""Tables that come with a query: read, bounded, given positions and types, ready to be put beside the query (TAP 1.1 §2.7.6)."""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from types import MappingProxyType

import numpy
import pyarrow

from vo_server import scratch
from vo_server.adql.positions import written_position
from vo_server.adql.tree import Query
from vo_server.dali.uploads import Upload
from vo_server.errors import DataError, TooLargeError, UsageError
from vo_server.formats.readers import Bounds, Source, open_table
from vo_server.formats.readers.infer import find_position, plausible
from vo_server.formats.readers.source import SMALLER
from vo_server.model.catalogue import Position, Table
from vo_server.model.columns import CELL, POLYGON_TEXT, Column
from vo_server.model.result import TEMPORARY, Statement, TemporaryTable
from vo_server.query.fetch import Sources, fetch
from vo_server.sky.cells import cells_of

SCHEMA = "TAP_UPLOAD"

GROWTH = 4
"""So many times the bytes of an upload its values may take in memory: "1," is a double of eight bytes."""

AT_A_TIME = 4
"""So many tables are decoded at a time."""

SHELF_BYTES = 4 << 20
"""Larger tables wait for their query in a file."""

BLOCK_BYTES = 1 << 18
GZIP = b"\x1f\x8b"

Parts = Callable[[Upload], Iterator[bytes] | None]
"""Upload → its bytes, if they came with the request or are kept here; else None."""


@dataclass(frozen=True, slots=True)
class UploadedTable:
    """What the query sees of an upload, its rows, and sentences about what did not go over as it stood."""

    table: Table
    stored: TemporaryTable
    notes: tuple[str, ...] = ()


def with_uploads(statement: Statement, uploaded: Sequence[UploadedTable]) -> Statement:
    """`statement`, which says when it runs what must be there, and tells whoever asked what was remarkable about it."""
    notes = (note for one in uploaded for note in one.notes)
    return replace(statement, tables=tuple(one.stored for one in uploaded), warnings=(*statement.warnings, *notes))


@dataclass
class Budget:
    """Bytes that may still come."""

    size: int
    used: int = 0

    def spend(self, name: str, size: int) -> None:
        """TooLargeError if `size` more bytes are too many."""
        self.used += size
        if self.used > self.size:
            raise TooLargeError(f"{name}: the uploads have more than {self.size} bytes, the limit.", hint=SMALLER)


class UploadReader:
    """Reads uploads within the limits: each of at most `rows` rows, those of one query of at most `size` bytes together.

    So that the memory is bounded for any number of queries, few tables are decoded at a time, and a large one that waits for its
    query lies in a file (``_shelved``).
    """

    def __init__(self, rows: int, size: int, sources: Sources) -> None:
        self._bounds = Bounds(rows, GROWTH * size)
        self._size = size
        self._sources = sources
        self._turns = BoundedSemaphore(AT_A_TIME)

    def read(self, uploads: Sequence[Upload], parts: Parts, query: Query | None = None) -> tuple[UploadedTable, ...]:
        """The tables of `uploads`, blocks while others are decoded. `query` is what they come with.

        Raises TooLargeError that names the limit, and DataError that names table, row and column.
        """
        budget = Budget(self._size)
        return tuple(self._read(number, upload, parts, budget, query) for number, upload in enumerate(uploads, 1))

    def _read(self, number: int, upload: Upload, parts: Parts, budget: Budget, query: Query | None) -> UploadedTable:
        with TemporaryDirectory(prefix=scratch.prefix("upload")) as directory:
            path = Path(directory) / f"{SCHEMA}.{upload.name}"
            save(path, _content(upload, parts, self._sources), budget)
            with self._turns:
                return _decoded(upload.name, path, number, self._bounds, query)


def _content(upload: Upload, parts: Parts, sources: Sources) -> Iterator[bytes]:
    """The bytes of an upload, wherever they are."""
    found = parts(upload)
    if found is not None:
        return found
    if upload.part is not None:
        raise missing_part(upload)
    return fetch(upload.uri, sources)


def missing_part(upload: Upload) -> UsageError:
    """The error to tell for an upload whose content did not come."""
    return UsageError(
        f"UPLOAD: the form has no part {upload.part!r}, which is to be the table {upload.name}.",
        hint="Send it as a file of a multipart/form-data body, under this name.",
        parameter="UPLOAD",
    )


def save(path: Path, blocks: Iterable[bytes], budget: Budget) -> None:
    """Write `blocks` to `path`, unpacked if they are gzip's. Both sizes count."""
    with path.open("wb") as file:
        for block in _spent(path.name, blocks, budget):
            file.write(block)
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    if packed:
        _unpack(path, budget)


def _unpack(path: Path, budget: Budget) -> None:
    plain = path.with_suffix(f"{path.suffix}~")
    try:
        with gzip.open(path) as unpacked, plain.open("wb") as file:
            for block in _spent(path.name, iter(lambda: unpacked.read(BLOCK_BYTES), b""), budget):
                file.write(block)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"the compressed table cannot be unpacked ({error}).", source=path.name, hint="It is probably cut off.") from None
    plain.replace(path)


def _spent(name: str, blocks: Iterable[bytes], budget: Budget) -> Iterator[bytes]:
    for block in blocks:
        budget.spend(name, len(block))
        yield block


def _decoded(name: str, path: Path, number: int, bounds: Bounds, query: Query | None) -> UploadedTable:
    source = open_table(path, bounds=bounds)
    rows = _shelved(_gathered(source, bounds), path.parent)
    columns = [_as_loose(_as_shape(column)) for column in _visible(source.columns)]
    position = _written_position(query, name, columns) or _likely_position(columns, rows)
    stored = {column.name: f"c{place}" for place, column in enumerate(columns, 1)}
    fields = [(stored[column.name], column.sql_type) for column in columns]
    values = rows.rename_columns(list(stored.values()))
    if position is not None:
        values = values.append_column(CELL, _cells(rows, position))
        fields.append((CELL, "bigint"))
    physical = f"u{number}"
    table = Table(
        SCHEMA,
        name,
        f"{TEMPORARY}.{physical}",
        tuple(columns),
        nrows=rows.num_rows,
        position=position,
        stored=MappingProxyType(stored),
    )
    stands = TemporaryTable(physical, tuple(fields), values, CELL if position is not None else None)
    return UploadedTable(table, stands, _told(source))


MOST_NOTES = 10
LONGEST_NOTE = 300


def _told(source: Source) -> tuple[str, ...]:
    """What its sender may want to know of a table: names that were changed, texts that were to be instants, units nobody knows."""
    others = f"the first of the file's tables is taken, not {', '.join(source.other_tables)}" if source.other_tables else ""
    notes = [note for note in (others, *source.notes) if note]
    more = [f"and {len(notes) - MOST_NOTES} more remarks"] if len(notes) > MOST_NOTES else []
    return tuple(f"{source.path.name}: {note[:LONGEST_NOTE].rstrip('.')}." for note in (*notes[:MOST_NOTES], *more))


def _gathered(source: Source, bounds: Bounds) -> pyarrow.Table:
    """All rows; stops with TooLargeError as soon as there are too many."""
    batches: list[pyarrow.RecordBatch] = []
    rows = size = 0
    try:
        for batch in source.batches():
            rows += batch.num_rows
            size += batch.nbytes
            bounds.check(source.path.name, rows, size)
            batches.append(batch)
    except pyarrow.ArrowException as error:
        raise DataError(f"the rows cannot be read ({error}).", source=source.path.name) from None
    return pyarrow.Table.from_batches(batches, source.schema)


def _shelved(rows: pyarrow.Table, directory: Path) -> pyarrow.Table:
    """The same rows; if they are many, in a file that is gone from `directory`, and from the disk with the last who reads it."""
    if rows.nbytes < SHELF_BYTES:
        return rows
    path = directory / "rows.arrow"
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)
    return pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()


def _written_position(query: Query | None, name: str, columns: Sequence[Column]) -> Position | None:
    """What the query takes as the place of a row. In ADQL these are degrees, whatever the columns say."""
    names = None if query is None else written_position(query, name, columns)
    return None if names is None else Position(*names)


def _likely_position(columns: Sequence[Column], rows: pyarrow.Table) -> Position | None:
    """Right ascension and declination, found by UCD or name and looked at."""

    def in_range(ra: str, dec: str) -> bool:
        return plausible([(rows.column(ra), rows.column(dec))])

    pair, _ = find_position(columns, in_range)
    return None if pair is None else Position(pair.ra, pair.dec)


def _cells(rows: pyarrow.Table, position: Position) -> pyarrow.Array:
    """The HEALPix cell of each row; NULL where it has no position."""
    ra, dec = (rows.column(name).cast(pyarrow.float64()).to_numpy() for name in (position.ra, position.dec))
    cells = numpy.asarray(cells_of(ra, dec), dtype=numpy.int64)
    return pyarrow.array(cells, pyarrow.int64(), mask=cells < 0)


def _visible(columns: Sequence[Column]) -> list[Column]:
    """The columns; one with the name of our hidden one gets another."""
    names = {column.name for column in columns}
    other = next(name for length in count(1) if (name := CELL + "_" * length) not in names)
    return [replace(column, name=other) if column.name == CELL else column for column in columns]


def _as_shape(column: Column) -> Column:
    """A region in words keeps being one: ObsCore's s_region often comes without its xtype (ObsCore 1.1 §4.12)."""
    said = (column.utype or "").lower().endswith(REGION_UTYPE) or (column.ucd or "").lower().startswith("pos.outline")
    return replace(column, xtype=POLYGON_TEXT) if column.is_text and column.xtype is None and said else column


def _as_loose(column: Column) -> Column:
    """Cells of very many elements may have fewer: where the number is fixed, results fill a NULL, which takes no bytes of the upload."""
    if (column.length or 0) <= MOST_FILLED:
        return column
    inner, times, _ = (column.arraysize or "").rpartition("x")
    return replace(column, arraysize=f"{inner}{times}*")


MOST_FILLED = 10_000

REGION_UTYPE = "char.spatialaxis.coverage.support.area"
