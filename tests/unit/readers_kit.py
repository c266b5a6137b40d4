"""What a reader gives, in the shape that tests compare."""

from typing import Any

import pyarrow as pa

from vo_server.formats.readers import Source
from vo_server.formats.readers.source import arrow_type


def content(source: Source) -> dict[str, list[Any]]:
    """All rows by column; the batches must have the types that the columns promise."""
    batches = list(source.batches())
    for batch in batches:
        assert [field.type for field in batch.schema] == [arrow_type(column) for column in source.columns]
    return pa.Table.from_batches(batches, schema=source.schema).to_pydict()


def types(source: Source) -> dict[str, tuple[str, str | None]]:
    return {column.name: (column.datatype, column.arraysize) for column in source.columns}
