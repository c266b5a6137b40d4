"""Schemas, tables, columns and coverage as elements, the same for VOSI and for registry records (VODataService 1.2 §3)."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from vo_server.documents.xml import Element, add, add_texts
from vo_server.model.catalogue import Key, Schema, Table
from vo_server.model.columns import Column
from vo_server.model.names import adql_full_name, adql_name, adql_table_name
from vo_server.model.resource import WAVEBANDS, Coverage
from vo_server.sky.mocs import blurred

Detail = Literal["min", "max"]
"""max: everything; min: without columns and foreign keys (VOSI 1.1 §3.3.1)."""

REGISTRY_ORDER = 6
"""HEALPix order of spatial coverage: what pyvo.registry.Spatial compares with."""

FLAGS = (("indexed", "indexed"), ("principal", "principal"))
"""Attribute of a Column → ``flag`` of the element."""


def add_schema(parent: Element, schema: Schema, tables: Iterable[Table], keys: Sequence[Key], detail: Detail) -> None:
    """A ``schema`` child of a tableset, with its tables in the order given."""
    element = add(parent, "schema")
    add(element, "name", adql_name(schema.name))
    add_texts(element, "description", schema.description)
    add_texts(element, "utype", schema.utype)
    for table in tables:
        fill_table(add(element, "table"), table, keys, detail)


def fill_table(element: Element, table: Table, keys: Sequence[Key], detail: Detail) -> None:
    """What a ``table`` element holds. Names are as one types them in ADQL, the quotes they need included (VODataService 1.2 §3.3.2)."""
    element.set("type", table.kind)
    add(element, "name", adql_table_name(table.schema, table.name))
    add_texts(element, "title", table.title)
    add_texts(element, "description", table.description)
    add_texts(element, "utype", table.utype)
    add_texts(element, "nrows", None if table.nrows is None else str(table.nrows))
    if detail == "max":
        for column in table.columns:
            _add_column(element, column)
        for key in keys:
            if key.from_table == table.full_name:
                _add_key(element, key)


def add_coverage(parent: Element, coverage: Coverage, messengers: Sequence[str] = WAVEBANDS) -> None:
    """A ``coverage`` child, if anything is known of it: MOC, MJD (TDB), Joule, wavebands (VODataService 1.2 §3.2).

    The MOC is of the Registry's usual resolution, a degree (ibid.): clients look for the one cell of order 6 in which a position lies, and
    would not find it in smaller cells. Of the wavebands those are written that are among `messengers`.
    """
    bands = [band for band in messengers if band.lower() in {given.lower() for given in coverage.waveband}]
    intervals = (("temporal", _interval(coverage.temporal)), ("spectral", _interval(coverage.spectral)))
    if not (coverage.spatial or bands or any(text for _, text in intervals)):
        return
    element = add(parent, "coverage")
    add_texts(element, "spatial", blurred(coverage.spatial, REGISTRY_ORDER) if coverage.spatial else None)
    for name, text in intervals:
        add_texts(element, name, text)
    add_texts(element, "waveband", *bands)


def _add_column(parent: Element, column: Column) -> None:
    element = add(parent, "column", attributes={"std": "true" if column.std else "false"})
    add(element, "name", adql_name(column.name))
    add_texts(element, "description", column.description)
    add_texts(element, "unit", column.unit)
    add_texts(element, "ucd", column.ucd)
    add_texts(element, "utype", column.utype)
    type_attributes = {"xsi:type": "vs:VOTableType", "arraysize": column.arraysize, "extendedType": column.xtype}
    add(element, "dataType", column.datatype, type_attributes)
    add_texts(element, "flag", *(flag for attribute, flag in FLAGS if getattr(column, attribute)))


def _add_key(parent: Element, key: Key) -> None:
    element = add(parent, "foreignKey")
    add(element, "targetTable", adql_full_name(key.target_table))
    for from_column, target_column in key.columns:
        pair = add(element, "fkColumn")
        add(pair, "fromColumn", adql_name(from_column))
        add(pair, "targetColumn", adql_name(target_column))
    add_texts(element, "description", key.description)
    add_texts(element, "utype", key.utype)


def _interval(limits: tuple[float, float] | None) -> str | None:
    """``lower upper`` as FloatInterval wants it, which has no word for infinity."""
    if limits is None or not all(math.isfinite(limit) for limit in limits):
        return None
    return f"{float(limits[0])!r} {float(limits[1])!r}"
