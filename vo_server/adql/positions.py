"""Which columns of a table or subquery say where its rows lie, so that an index of cells can be used (also from outside a subquery)."""

from vo_server.adql import resolved
from vo_server.adql.grouping import find_aggregate
from vo_server.model.catalogue import Table

Names = tuple[str, str]
"""The SQL names of the columns with RA and Dec."""


def position_of_table(table: Table) -> Names | None:
    """The columns from which a published table's cells are computed."""
    position = table.position
    if position is None or not position.indexed:
        return None
    return table.stored.get(position.ra, position.ra), table.stored.get(position.dec, position.dec)


def position_of_query(query: resolved.Query) -> Names | None:
    """The results that are these columns of a table, where each row is a row of it: no groups, no DISTINCT, no set operation."""
    body = query.body
    if not isinstance(body, resolved.Select) or body.distinct or body.group or body.having is not None:
        return None
    if any(find_aggregate(output.value) for output in body.outputs):
        return None
    plain = [(f"c{index}", output.value) for index, output in enumerate(body.outputs, 1) if isinstance(output.value, resolved.Reference)]
    places = {(id(value.source), value.name): name for name, value in reversed(plain)}
    for name, value in plain:
        position = value.source.position
        if position is not None and position[0] == value.name and (id(value.source), position[1]) in places:
            return name, places[id(value.source), position[1]]
    return None


def has_row_numbers(table: resolved.From) -> bool:
    """Whether a table reference is a table that we filled, whose rows PostgreSQL numbers; one published in place may be a view."""
    if not isinstance(table, resolved.TableSource) or table.table.view is not None:
        return False
    place = table.table.position
    return place is not None and place.indexed and not place.computed
