"""The indexed column of cells that knows a position: of a published table, or what a subquery over one passes on."""

from collections.abc import Iterable

from vo_server.adql import resolved
from vo_server.model.columns import CELL
from vo_server.sql.literals import quote_identifier

UNKNOWN_ROWS = 100_000
"""Rows of a table of which nothing is known."""
KEPT_PART = 100
"""A condition on one table alone leaves one row in so many."""
PASSED_ON = "cell"
"""The column in which a subquery passes on the cells of its table."""


def restricted_by(conditions: Iterable[resolved.Condition]) -> frozenset[resolved.Source]:
    """The tables of which conditions on each alone leave few rows."""
    named = [set(resolved.references(condition)) for condition in conditions]
    return frozenset(source for sources in named if len(sources) == 1 for source in sources)


def cell_of(ra: resolved.Value, dec: resolved.Value) -> str | None:
    """The SQL of the cells that are computed from exactly these two columns; None if there is no such column."""
    if not (isinstance(ra, resolved.Reference) and isinstance(dec, resolved.Reference) and ra.source is dec.source):
        return None
    return _cells(ra.source) if ra.source.position == (ra.name, dec.name) else None


def has_column(source: resolved.Source) -> bool:
    """Whether the cells of a published table are stored, and not computed where they are named."""
    position = source.table.position if isinstance(source, resolved.TableSource) else None
    return position is not None and not position.computed


def rows_of(source: resolved.Source) -> int:
    """About how many rows a table has; for a subquery, what its largest table, its conditions, and TOP let through."""
    if isinstance(source, resolved.TableSource):
        return source.table.nrows or UNKNOWN_ROWS
    if not isinstance(source, resolved.QuerySource) or not isinstance(source.query.body, resolved.Select):
        return UNKNOWN_ROWS
    body = source.query.body
    largest = max((rows_of(table) for part in body.tables for table in resolved.sources(part)), default=UNKNOWN_ROWS)
    kept = largest // KEPT_PART if body.where is not None else largest
    return min(kept, body.top) if body.top is not None else kept


def passed_on(query: resolved.Query, position: tuple[str, str] | None) -> str | None:
    """What a subquery whose results `position` lie on the sky selects besides, so that its cells can be used outside."""
    if position is None or not isinstance(query.body, resolved.Select):
        return None
    value = query.body.outputs[int(position[0][1:]) - 1].value
    return f"{_cells(value.source)} AS {PASSED_ON}" if isinstance(value, resolved.Reference) else None


def _cells(source: resolved.Source) -> str:
    if not isinstance(source, resolved.TableSource):
        return f"{source.alias}.{PASSED_ON}"
    position = source.table.position
    if position is not None and position.computed:
        ra, dec = (f"{source.alias}.{quote_identifier(name)}" for name in (position.ra, position.dec))
        return f"vo.healpix({ra}, {dec})"
    return f"{source.alias}.{quote_identifier(CELL)}"
