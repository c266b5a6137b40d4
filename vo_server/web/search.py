"""``/search``: a name or a position, looked for in every table that has names or positions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from time import monotonic

from starlette.requests import Request
from starlette.routing import Route

from vo_server.errors import VoError
from vo_server.model.catalogue import Table
from vo_server.model.columns import Column
from vo_server.model.names import adql_name, adql_table_name
from vo_server.query.examples import RADIUS_DEG
from vo_server.services import Snapshot
from vo_server.sql import compile_adql
from vo_server.web.kit import Kit, TableView
from vo_server.web.samples import Rows, read_rows

MOST_TABLES = 40
"""Tables that are searched, in the order of the catalogue."""
SECONDS = 15.0
"""Tables whose turn has not come by then are named instead."""
MOST_ROWS = 10
MOST_SHOWN = 8
LARGE = 2_000_000
"""Rows of a table whose names are not searched: each has to be looked at."""
AT_LEAST = 3
"""Characters of a name."""
NAMES = "meta.id"
"""UCD of columns with names."""

_DEGREES = re.compile(r"\s*(\d{1,3}(?:\.\d*)?)\s*[,\s]\s*([+-]?\d{1,2}(?:\.\d*)?)\s*")
_SEXAGESIMAL = re.compile(
    r"\s*(\d{1,2})[:h\s](\d{1,2})[:m\s](\d{1,2}(?:\.\d*)?)s?[\s,]+([+-]?)(\d{1,2})[:d°\s](\d{1,2})[:m'\s](\d{1,2}(?:\.\d*)?)[s\"]?\s*"
)


@dataclass(frozen=True, slots=True)
class Hits:
    """What one table has; ``adql`` finds the same again."""

    view: TableView
    rows: Rows
    adql: str


def routes(kit: Kit) -> list[Route]:
    """``/search``."""

    async def search(request: Request, snapshot: Snapshot) -> str:
        asked = request.query_params.get("q", "").strip()
        place = position(asked)
        hits, skipped, deadline = [], [], monotonic() + SECONDS
        if asked:
            for table in snapshot.catalogue.tables[:MOST_TABLES]:
                adql = around(table, place) if place else named(table, asked)
                if adql is None:
                    continue
                if monotonic() > deadline:
                    skipped.append(table)
                    continue
                try:
                    key = ("search", kit.sampler.state(table), adql)
                    rows = await kit.cache.get(key, partial(_read, kit, snapshot, adql), lambda _: 4000)
                except VoError:
                    skipped.append(table)
                else:
                    if rows.values:
                        hits.append(Hits(TableView(table, None), rows, adql))
        return kit.render("search.html", snapshot, asked=asked, place=place, hits=hits, skipped=skipped, radius=RADIUS_DEG, least=AT_LEAST)

    return [Route("/search", kit.endpoint(search), methods=["GET"])]


def _read(kit: Kit, snapshot: Snapshot, adql: str) -> Rows:
    return read_rows(kit.services.page_pool, compile_adql(adql, snapshot.catalogue, max_rows=MOST_ROWS), MOST_ROWS)


def position(text: str) -> tuple[float, float] | None:
    """A position in degrees (ICRS), written in degrees or as hours, minutes and seconds; None for anything else."""
    if found := _DEGREES.fullmatch(text):
        ra, dec = float(found[1]), float(found[2])
    elif found := _SEXAGESIMAL.fullmatch(text):
        ra = 15 * (float(found[1]) + float(found[2]) / 60 + float(found[3]) / 3600)
        dec = float(found[5]) + float(found[6]) / 60 + float(found[7]) / 3600
        dec = -dec if found[4] == "-" else dec
    else:
        return None
    return (ra, dec) if ra < 360 and abs(dec) <= 90 else None


def around(table: Table, place: tuple[float, float]) -> str | None:
    """The query for rows within RADIUS_DEG of a place, nearest first; None for a table without positions."""
    if table.position is None:
        return None
    there = f"POINT({place[0]}, {place[1]})"
    row = f"POINT({adql_name(table.position.ra)}, {adql_name(table.position.dec)})"
    return f"{_select(table)} WHERE DISTANCE({row}, {there}) < {RADIUS_DEG} ORDER BY DISTANCE({row}, {there})"


def named(table: Table, name: str) -> str | None:
    """The query for rows in whose names a text occurs, whatever the case; None for a table without names, and for a text too short."""
    columns = [column for column in table.columns if column.is_text and (column.ucd or "").startswith(NAMES)]
    if not columns or len(name) < AT_LEAST or table.resource is None or (table.nrows or 0) > LARGE:
        return None
    pattern = "'%" + re.sub(r"[\s_%]+", "%", name).replace("'", "''") + "%'"
    return f"{_select(table)} WHERE {' OR '.join(f'{adql_name(column.name)} ILIKE {pattern}' for column in columns)}"


def _select(table: Table) -> str:
    columns = ", ".join(adql_name(column.name) for column in _shown(table))
    return f"SELECT TOP {MOST_ROWS} {columns} FROM {adql_table_name(table.schema, table.name)}"  # noqa: S608 ADQL


def _shown(table: Table) -> Iterator[Column]:
    """Names and positions first, then what is principal."""
    places = (table.position.ra, table.position.dec) if table.position else ()
    first = [column for column in table.columns if (column.ucd or "").startswith(NAMES) or column.name in places]
    rest = [column for column in table.columns if column not in first]
    yield from [*first, *(column for column in rest if column.principal), *(column for column in rest if not column.principal)][:MOST_SHOWN]
