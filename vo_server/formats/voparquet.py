"""Rows as Parquet with the table's description as VOTable in its footer (IVOA Note VOParquet 1.0).

Timestamps are ISO strings, as the VOTable says, and the lengths of strings are known at the end only, when the footer is written:
both so that astropy (``format="parquet.votable"``) can match description and data.
"""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pybase64

from vo_server.formats import votable
from vo_server.formats.arrowtypes import Shape
from vo_server.formats.pieces import Pieces
from vo_server.formats.writer import Writer, refuse_failure
from vo_server.model.columns import Column
from vo_server.model.result import Outcome, TableHead

SHAPE = Shape(instants_as_text=True)
GROUP_BYTES = 4 << 20
"""Arrow bytes in a row group. Each is held several times over while it is encoded; four times as many compress by two per cent better."""
VERSION = "1.0"
COMPRESSION = "zstd"
LEVEL = 1


class ParquetWriter(Writer):
    """Parquet, streamed a row group at a time. The footer's VOTable ends with QUERY_STATUS=OVERFLOW when rows are missing."""

    def __init__(self, head: TableHead) -> None:
        self._head = head
        self._schema = SHAPE.schema(head)
        self._pieces = Pieces()
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._widths = {column.name: 0 for column in head.columns if column.is_text or column.is_timestamp}
        self._writer = pyarrow.parquet.ParquetWriter(
            self._pieces.sink,
            self._schema,
            compression=COMPRESSION,
            compression_level=LEVEL,
            use_dictionary=[column.name for column in head.columns if column.is_text],
            store_schema=False,
        )

    def head(self) -> bytes:
        """Four bytes that say Parquet."""
        return self._pieces.take()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """A row group, once there are rows enough for one."""
        if not batch.num_rows:
            return b""
        arrays = SHAPE.arrays(self._head.columns, batch)
        for column, array in zip(self._head.columns, arrays, strict=True):
            if column.name in self._widths:
                self._widths[column.name] = max(self._widths[column.name], pc.max(pc.utf8_length(array)).as_py() or 0)
        part = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._waiting.append(part)
        self._waiting_bytes += part.nbytes
        if self._waiting_bytes >= GROUP_BYTES:
            self._write_group()
        return self._pieces.take()

    def tail(self, outcome: Outcome) -> Iterator[bytes]:
        """The last row group and the footer; a FAILED outcome raises UnfinishedError."""
        refuse_failure(outcome, "Parquet")
        self._write_group()
        description = {"IVOA.VOTable-Parquet.version": VERSION, "IVOA.VOTable-Parquet.content": self._description(outcome)}
        self._writer.add_key_value_metadata({**description, "ARROW:schema": self._arrow_schema()})
        self._writer.close()
        yield self._pieces.take()

    def _write_group(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._waiting_bytes = [], 0

    def _arrow_schema(self) -> bytes:
        """The schema as Arrow keeps it in a footer, so that fixed lists come back as such; made here, because astropy wants the longest
        string of each column in it, lest it take the length of a null.
        """
        widths = {f"table::len::{name}": str(max(width, 1)) for name, width in self._widths.items()}
        schema = self._schema.with_metadata({**(self._schema.metadata or {}), **widths})
        encoded: bytes = pybase64.b64encode(schema.serialize())
        return encoded

    def _description(self, outcome: Outcome) -> str:
        columns = tuple(self._bounded(column) for column in self._head.columns)
        described = replace(self._head, columns=columns)
        return (votable.head(described, votable.NO_DATA) + votable.tail(described, outcome, votable.NO_DATA)).decode()

    def _bounded(self, column: Column) -> Column:
        """As the file has it: a text with the length of its longest cell (astropy takes one without bound for Python objects, which match
        no data), a matrix as the flat list it is.
        """
        width = self._widths.get(column.name)
        if width is not None:
            return replace(column, arraysize=f"{max(width, 1)}*")
        return column if column.length is None else replace(column, arraysize=str(column.length))
