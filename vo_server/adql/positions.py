"""Which columns of a table or subquery say where its rows lie, so that an index of cells can be used (also from outside a subquery)."""

from collections.abc import Iterator, Sequence

from vo_server.adql import resolved, tree
from vo_server.adql.geometries import LATITUDES
from vo_server.adql.grouping import find_aggregate
from vo_server.model.catalogue import Table
from vo_server.model.columns import NUMBERS, Column

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


def written_position(query: tree.Query, table: str, columns: Sequence[Column]) -> Names | None:
    """The first two of `columns` that the text of a query takes as a position of the table `table`, whatever they are called:
    ``POINT(u.a, u.b)``, and the like in CIRCLE, BOX and DISTANCE.
    """
    names = _names_of(query, table)
    for ra, dec in _coordinates(query):
        if {name.lower() for column in (ra, dec) for name in _qualifier(column)} <= names:
            found = [_column(one.parts[-1], columns) for one in (ra, dec)]
            if all(found):
                return str(found[0]), str(found[1])
    return None


def _names_of(query: tree.Query, table: str) -> set[str]:
    """What a query calls a table: its own name and aliases, in lower case."""
    aliases = {
        node.alias.text.lower()
        for node in tree.walk(query)
        if isinstance(node, tree.TableName) and node.alias is not None and node.parts[-1].text.lower() == table.lower()
    }
    return {table.lower(), *aliases}


def _coordinates(query: tree.Query) -> Iterator[tuple[tree.ColumnName, tree.ColumnName]]:
    """Pairs of columns that stand as longitude and latitude in a geometry."""
    for node in tree.walk(query):
        if isinstance(node, tree.Call):
            arguments = node.arguments[isinstance(node.arguments[0], tree.Text) :] if node.arguments else ()
            for place in LATITUDES.get((node.name, len(arguments)), ()):
                ra, dec = arguments[place - 1 : place + 1]
                if isinstance(ra, tree.ColumnName) and isinstance(dec, tree.ColumnName):
                    yield ra, dec


def _qualifier(column: tree.ColumnName) -> tuple[str, ...]:
    return tuple(part.text for part in column.parts[-2:-1])


def _column(name: tree.Identifier, columns: Sequence[Column]) -> str | None:
    """The number among `columns` that `name` means, if there is one."""
    for column in columns:
        same = column.name == name.text if name.delimited else column.name.lower() == name.text.lower()
        if same and column.datatype in NUMBERS and not column.is_array:
            return column.name
    return None
