"""A catalogue in which a query of foreign tables makes sense: tables with the columns that it names, of the types that it uses them as."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from vo_server.adql import tree
from vo_server.adql.functions import BY_NAME
from vo_server.model.catalogue import Catalogue, Footprint, Position, Schema, Table
from vo_server.model.columns import POLYGON_TEXT, Column, text

ROWS = 100_000_000
"""Rows that each table is said to have."""
_TEXTS = ("LOWER", "UPPER", "IVO_HASWORD", "IVO_NOCASEMATCH", "IVO_STRING_AGG")
_SHAPES = ("CONTAINS", "INTERSECTS", "AREA", "CENTROID")
_POINTS = ("DISTANCE", "COORD1", "COORD2", "COORDSYS")
_TYPES = {
    "text": text,
    "timestamp": lambda name: Column(name, "char", "*", "timestamp"),
    "region": lambda name: Column(name, "char", "*", POLYGON_TEXT),
    "point": lambda name: Column(name, "double", "2", "point", "deg"),
    "boolean": lambda name: Column(name, "boolean"),
    "number": lambda name: Column(name, "double", unit="deg"),
}


@dataclass
class _Guess:
    """One table, as far as the query tells."""

    schema: str
    name: str
    columns: dict[str, str] = field(default_factory=dict)
    """Bare name → its spelling."""
    position: tuple[str, str] | None = None


def catalogue_for(query: tree.Query) -> Catalogue:
    """Tables in which all names of `query` are found, if it is not too strange."""
    return _Guesser(query).catalogue()


class _Guesser:
    """Walks through the queries of one statement."""

    def __init__(self, query: tree.Query) -> None:
        self.tables: dict[tuple[str, str], _Guess] = {}
        self.types = dict(_uses(query))
        self.common = {table.name.text.lower(): _names(table.query) for table in query.common}
        for table in query.common:
            self.query(table.query, [])
        self.query(query, [])

    def catalogue(self) -> Catalogue:
        tables = tuple(self.table(number, guess) for number, guess in enumerate(self.tables.values()))
        return Catalogue(1, tuple(Schema(name) for name in {table.schema for table in tables}), tables)

    def table(self, number: int, guess: _Guess) -> Table:
        columns = tuple(_TYPES[self.types.get(key, "number")](name) for key, name in guess.columns.items()) or (Column("x", "int"),)
        region = next((column.name for column in columns if column.xtype == POLYGON_TEXT), None)
        return Table(
            guess.schema,
            guess.name,
            f"foreign.t{number}",
            columns,
            nrows=ROWS,
            position=Position(*guess.position) if guess.position else None,
            footprint=Footprint(region, "_shape", f"foreign.c{number}", "_key") if region else None,
        )

    def query(self, query: tree.Body, outer: "list[tuple[str, _Guess | set[str]]]") -> None:
        """Notes what a query names; `outer` are the tables around it."""
        if isinstance(query, tree.SetOperation):
            self.query(query.left, outer)
            self.query(query.right, outer)
        elif isinstance(query, tree.Query):
            self.query(query.body, outer)
            if isinstance(query.body, tree.Select):
                self.names((query.order,), [*self.sources(query.body.tables), *outer], _aliases(query.body))
        else:
            inner = [*self.sources(query.tables), *outer]
            self.names((query.items, query.tables, query.where, query.having), inner, set())
            self.names((query.group,), inner, _aliases(query))

    def sources(self, tables: tuple[tree.TableReference, ...]) -> "list[tuple[str, _Guess | set[str]]]":
        """Label and columns of each table of a FROM clause."""
        found: list[tuple[str, _Guess | set[str]]] = []
        for item in tables:
            if isinstance(item, tree.Join):
                sides = self.sources((item.left,)), self.sources((item.right,))
                for side in sides:
                    for name in item.using:
                        _note(name, side)
                found += [*sides[0], *sides[1]]
            elif isinstance(item, tree.Derived):
                found.append((item.alias.text.lower(), _names(item.query)))
            else:
                label = (item.alias or item.parts[-1]).text.lower()
                common = self.common.get(label) if len(item.parts) == 1 else None
                common = common if common is not None or len(item.parts) > 1 else self.common.get(item.parts[-1].text.lower())
                found.append((label, common if common is not None else self.guess(item)))
        return found

    def guess(self, table: tree.TableName) -> _Guess:
        schema = table.parts[-2].text if len(table.parts) > 1 else "own"
        return self.tables.setdefault((schema.lower(), table.parts[-1].text.lower()), _Guess(schema, table.parts[-1].text))

    def names(self, parts: tuple[object, ...], sources: "list[tuple[str, _Guess | set[str]]]", aliases: set[str]) -> None:
        for node in _outside_queries(parts):
            if isinstance(node, tree.Query):
                self.query(node, sources)
            elif isinstance(node, tree.ColumnName):
                qualifier = node.parts[-2].text.lower() if len(node.parts) > 1 else None
                if qualifier is None and node.parts[-1].text.lower() in aliases:
                    continue
                _note(node.parts[-1], [source for source in sources if qualifier in (None, source[0])])
            elif isinstance(node, tree.Call) and node.name == "POINT":
                self.position(node, sources)

    def position(self, point: tree.Call, sources: "list[tuple[str, _Guess | set[str]]]") -> None:
        """A POINT of two columns is where its table has its rows."""
        ra, dec = point.arguments[-2:] if len(point.arguments) > 1 else (None, None)
        if isinstance(ra, tree.ColumnName) and isinstance(dec, tree.ColumnName):
            qualifier = ra.parts[-2].text.lower() if len(ra.parts) > 1 else None
            owner = next((one for label, one in sources if isinstance(one, _Guess) and qualifier in (None, label)), None)
            if owner is not None:
                owner.position = owner.position or (ra.parts[-1].text, dec.parts[-1].text)


def _note(name: tree.Identifier, sources: "list[tuple[str, _Guess | set[str]]]") -> None:
    """Gives a column to the first table that can have it, unless another has it."""
    key = name.text.lower()
    if any(key in (one if isinstance(one, set) else one.columns) for _, one in sources):
        return
    owner = next((one for _, one in sources if isinstance(one, _Guess)), None)
    if owner is not None:
        owner.columns[key] = name.text


def _outside_queries(parts: object) -> Iterator[tree.Node | tree.Operation]:
    """The nodes of an expression; queries inside are given, but not entered."""
    inside: set[int] = set()
    for node in tree.walk(parts):
        if id(node) not in inside:
            yield node
        if isinstance(node, tree.Query) and id(node) not in inside:
            inside |= {id(part) for part in tree.walk(node)}


def _aliases(select: tree.Select) -> set[str]:
    return {item.alias.text.lower() for item in select.items if isinstance(item, tree.Item) and item.alias is not None}


def _names(query: tree.Body) -> set[str]:
    """The names of a query's results, as far as they are written."""
    while not isinstance(query, tree.Select):
        query = query.left if isinstance(query, tree.SetOperation) else query.body
    items = [item for item in query.items if isinstance(item, tree.Item)]
    columns = {item.value.parts[-1].text.lower() for item in items if item.alias is None and isinstance(item.value, tree.ColumnName)}
    return columns | _aliases(query)


def _uses(query: tree.Query) -> Iterator[tuple[str, str]]:
    """(bare name of a column, what it is used as)."""
    for node in tree.walk(query):
        for part, kind in _used(node):
            for value in (part, *_inside(part)):
                if isinstance(value, tree.ColumnName):
                    yield value.parts[-1].text.lower(), kind


def _inside(value: object) -> tuple[object, ...]:
    """What has the same type as a value that is made of it."""
    if isinstance(value, tree.Call) and value.name in ("LOWER", "UPPER", "COALESCE", "NULLIF"):
        return value.arguments
    return (value.argument,) if isinstance(value, tree.Aggregate) and value.name in ("MIN", "MAX") else ()


def _used(node: object) -> Iterator[tuple[object, str]]:
    if isinstance(node, tree.Like):
        yield from ((node.operand, "text"), (node.pattern, "text"))
    elif isinstance(node, tree.Chain) and node.rest[0].sign == "||":
        yield from ((part, "text") for part in (node.first, *(step.operand for step in node.rest)))
    elif isinstance(node, tree.Call) and node.name in _TEXTS:
        yield from ((part, "text") for part in node.arguments)
    elif isinstance(node, tree.Call) and node.name in _SHAPES:
        yield from ((part, "region") for part in node.arguments)
    elif isinstance(node, tree.Call) and node.name in _POINTS and len(node.arguments) <= 2:
        yield from ((part, "point") for part in node.arguments)
    elif isinstance(node, tree.Call) and node.name in BY_NAME:
        kinds = {"text": "text", "point": "point", "timestamp": "timestamp"}
        function = BY_NAME[node.name]
        yield from ((part, kinds[kind]) for i, part in enumerate(node.arguments) if (kind := function.kind(i)) in kinds)
    elif isinstance(node, tree.Comparison | tree.Between | tree.InValues):
        sides = [getattr(node, name) for name in ("left", "right", "operand", "low", "high") if hasattr(node, name)]
        sides += getattr(node, "values", ())
        if any(isinstance(side, tree.Text) for side in sides):
            yield from ((side, "text") for side in sides)
        if any(isinstance(side, tree.Boolean) for side in sides):
            yield from ((side, "boolean") for side in sides)
        if any(isinstance(side, tree.Cast) and side.type == "TIMESTAMP" for side in sides):
            yield from ((side, "timestamp") for side in sides)
