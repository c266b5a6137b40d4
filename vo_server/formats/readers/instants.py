"""Texts that a file calls instants → timestamps (DALI 1.1 §3.3.3)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pyarrow
import pyarrow.compute as pc

from vo_server.formats.readers.source import INSTANTS, Source, arrow_type


def with_instants(source: Source, xtypes: Mapping[str, str | None]) -> Source:
    """`source`, in which texts that are called instants by `xtypes` (xtype by name) are such, if all of a column are."""
    places = {place for place, column in enumerate(source.columns) if column.is_text and xtypes.get(column.name) in INSTANTS}
    for batch in source.batches() if places else ():
        places = {place for place in places if parsed_instants(batch.column(place)) is not None}
    if not places:
        return source
    columns = tuple(
        replace(column, datatype="char", xtype="timestamp") if place in places else column for place, column in enumerate(source.columns)
    )
    schema = pyarrow.schema([(column.name, arrow_type(column)) for column in columns])

    def batches() -> Iterator[pyarrow.RecordBatch]:
        for batch in source.batches():
            values = [parsed_instants(column) if place in places else column for place, column in enumerate(batch.columns)]
            yield pyarrow.RecordBatch.from_arrays(values, schema=schema)

    return replace(source, columns=columns, batches=batches)


def parsed_instants(strings: pyarrow.Array) -> pyarrow.Array | None:
    """DALI timestamps (DALI 1.1 §3.3.3) as instants; None if one of them is not."""
    bare = pc.replace_substring_regex(pc.if_else(pc.equal(strings, ""), pyarrow.scalar(None, strings.type), strings), r"Z$", "")
    try:
        return pc.cast(bare, pyarrow.timestamp("us"))
    except pyarrow.ArrowInvalid:
        return None
