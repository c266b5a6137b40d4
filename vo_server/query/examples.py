"""Queries that show what can be asked of the tables that are published, each of which runs as it stands (DALI 1.1 §2.3, TAP 1.1 §2.4)."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from vo_server.adql import tree
from vo_server.errors import VoError
from vo_server.model import obscore, tap_schema
from vo_server.model.catalogue import Catalogue, Table
from vo_server.model.example import Example
from vo_server.model.names import adql_name, adql_table_name
from vo_server.model.resource import Resource
from vo_server.sql.compiler import compile_adql, parse_adql

log = logging.getLogger("vo_server")

COLUMNS = 5
"""An example shows at most this many columns: a screen's width."""

RADIUS_DEG = 0.5
MATCH_RADIUS_DEG = 0.1
MOST_RESOURCES = 40
"""So many resources have an example made for them; those of their publishers are all shown."""

Sample = tuple[float, float]


def examples(catalogue: Catalogue, resources: Sequence[Resource]) -> tuple[Example, ...]:
    """The examples that publishers gave, then those made from what is published. One that does not fit the tables any more is left out,
    and the log says so.
    """
    given = [example for resource in resources for example in _given(resource, catalogue)]
    asked = chain(given, _of_resources(catalogue, resources[:MOST_RESOURCES]), _match(catalogue, resources), _of_standards(catalogue))
    return tuple(example for example in asked if _runs(example, catalogue))


def rows_of(table: Table, sample: Sample | None, limit: int) -> str:
    """A query that finds something: the principal columns around `sample` (ICRS degrees) where it is known, else of the first rows.
    All in words that ADQL 2.0 has too, by which clients check it.
    """
    columns = _shown(table) or ["*"]
    text = f"SELECT TOP {limit} {', '.join(columns)} FROM {_adql(table)}"  # noqa: S608 ADQL to read
    if sample is None or table.position is None:
        return text
    position = f"{adql_name(table.position.ra)}, {adql_name(table.position.dec)}"
    return f"{text} WHERE 1 = CONTAINS(POINT('ICRS', {position}), CIRCLE('ICRS', {sample[0]}, {sample[1]}, {RADIUS_DEG}))"


def _given(resource: Resource, catalogue: Catalogue) -> Iterator[Example]:
    for example in resource.examples:
        yield replace(example, tables=_tables_in(example.query, catalogue))


def _of_resources(catalogue: Catalogue, resources: Sequence[Resource]) -> Iterator[Example]:
    """Rows of the first table of each resource."""
    for resource in resources:
        table = next((table for name in resource.tables if (table := catalogue.table(name))), None)
        if table is None:
            continue
        around = " around a position" if resource.sample and table.position else ""
        yield Example(
            f"{resource.schema}-{resource.name}",
            f"{resource.title}: rows{around}",
            rows_of(table, resource.sample, 100),
            (table.full_name,),
            table.description,
        )


def _match(catalogue: Catalogue, resources: Sequence[Resource]) -> Iterator[Example]:
    """Two tables with positions, matched on the sky: the smallest with the largest."""
    own = (table for resource in resources for name in resource.tables if (table := catalogue.table(name)))
    placed = sorted((table for table in own if table.position), key=lambda table: table.nrows or 0)
    if len(placed) < 2:
        return
    few, many = placed[0], placed[-1]
    points = [
        f"{alias}.{adql_name(table.position.ra)}, {alias}.{adql_name(table.position.dec)}"
        for alias, table in (("a", few), ("b", many))
        if table.position
    ]
    shown = [f"{alias}.{column}" for alias, table in (("a", few), ("b", many)) for column in (_shown(table) or ["*"])[:3]]
    query = (
        f"SELECT TOP 10 {', '.join(shown)}, DISTANCE(POINT('ICRS', {points[0]}), POINT('ICRS', {points[1]})) AS separation "  # noqa: S608 ADQL to read
        f"FROM {_adql(few)} AS a JOIN {_adql(many)} AS b "
        f"ON 1 = CONTAINS(POINT('ICRS', {points[1]}), CIRCLE('ICRS', {points[0]}, {MATCH_RADIUS_DEG}))"
    )
    names = (few.full_name, many.full_name)
    yield Example("match", "Two tables matched on the sky", query, names, f"Pairs of rows at most {MATCH_RADIUS_DEG} degrees apart.")


def _of_standards(catalogue: Catalogue) -> Iterator[Example]:
    """Tables that every service has, or that have rows here."""
    name = f"{tap_schema.SCHEMA}.columns"
    yield Example(
        "columns-by-ucd",
        "Columns by what they mean",
        f"SELECT table_name, column_name, unit, description FROM {name} WHERE ucd LIKE 'pos.eq.ra%' ORDER BY table_name",  # noqa: S608
        (name,),
        "UCDs say what a column holds, whatever it is called: here all right ascensions.",
    )
    observations = catalogue.table(f"{obscore.SCHEMA}.{obscore.TABLE}")
    if observations is not None:
        yield Example(
            "datasets",
            "Datasets: what was observed where",
            "SELECT TOP 20 obs_publisher_did, dataproduct_type, target_name, s_ra, s_dec, t_min, access_url "  # noqa: S608
            f"FROM {observations.full_name} ORDER BY obs_publisher_did",
            (observations.full_name,),
            "Images, events and other datasets are described in the columns of ObsCore, as in every data centre.",
        )


def _runs(example: Example, catalogue: Catalogue) -> bool:
    try:
        compile_adql(example.query, catalogue)
    except VoError as error:
        log.warning("the example %s is not shown: %s", example.id, error)
        return False
    return True


def _tables_in(query: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Full names of the published tables that a query names; none if it is not ADQL."""
    try:
        named = [node for node in tree.walk(parse_adql(query)) if isinstance(node, tree.TableName)]
    except VoError:
        return ()
    found = (catalogue.table(".".join(part.text for part in name.parts)) for name in named)
    return tuple(dict.fromkeys(table.full_name for table in found if table is not None))


def _shown(table: Table) -> list[str]:
    return [adql_name(column.name) for column in table.columns if column.principal][:COLUMNS]


def _adql(table: Table) -> str:
    return adql_table_name(table.schema, table.name)
