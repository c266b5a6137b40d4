"""Tree → resolved tree: tables found in the catalogue, ``*`` spelled out, results named and typed (ADQL 2.1 §2.2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import NoReturn

from vo_server.adql import resolved, tree, types
from vo_server.adql.expressions import Expressions
from vo_server.adql.functions import BY_NAME
from vo_server.adql.grouping import column_names, find_aggregate, has_window, ungrouped
from vo_server.adql.messages import did_you_mean, meaning_error, nearest, place
from vo_server.adql.positions import has_row_numbers, position_of_query, position_of_table
from vo_server.adql.scopes import Scope, Visible, columns_of, matches, renamed
from vo_server.model.catalogue import Catalogue, Table
from vo_server.model.columns import CELL, Column

MAX_COLUMNS = 1600
"""PostgreSQL's own limit for one result."""


MAX_OUTPUTS = 6000
"""Columns of all SELECTs of a statement together: a star makes many of one word."""
MAX_WARNINGS = 20
"""More would not be read."""


def resolve(query: tree.Query, catalogue: Catalogue) -> resolved.Query:
    """What `query` means with these tables.

    Raises QueryMeaningError with line and column, and the nearest names, where a name or type does not fit.
    """
    return _Resolver(catalogue, query.text).statement(query)


@dataclass(frozen=True, slots=True)
class _Common:
    """A common table as later queries see it."""

    sql: str
    fields: tuple[resolved.Field, ...]
    position: tuple[str, str] | None


class _Resolver:
    """Resolves the queries of one statement; expressions go to Expressions."""

    def __init__(self, catalogue: Catalogue, text: str) -> None:
        self.catalogue = catalogue
        self.text = text
        self.common: dict[str, tuple[tree.Identifier, _Common]] = {}
        self.numbers: Iterator[int] = count(1)
        self.warnings: dict[str, None] = {}
        self.tables: dict[str, None] = {}
        self.columns = 0

    def fail(self, at: int, message: str, *, word: str = "", hint: str | None = None) -> NoReturn:
        raise meaning_error(self.text, at, message, word=word, hint=hint)

    # queries

    def statement(self, query: tree.Query) -> resolved.Query:
        tables = tuple(self.common_table(number, table) for number, table in enumerate(query.common, 1))
        found = self.query(query, None)
        return replace(found, common=tables, text=self.text, warnings=tuple(self.warnings), tables=tuple(self.tables))

    def warn(self, at: int, message: str) -> None:
        """Notes what the query means at offset `at`, and its author may not have meant; an expression may be resolved twice."""
        if len(self.warnings) == MAX_WARNINGS:
            return
        line, column = place(self.text, at)
        self.warnings[f"Line {line}, column {column}: {message}"] = None

    def common_table(self, number: int, table: tree.CommonTable) -> resolved.CommonTable:
        """Resolves one table of WITH; those after it can use it (§4.5.1)."""
        key = table.name.text.lower()
        if key in self.common:
            self.fail(table.at, f"Two common tables are called {table.name}.", word=str(table.name))
        query = self.query(table.query, None)
        name = f"w{number}"
        position = position_of_query(query)
        self.common[key] = (table.name, _Common(name, _fields(query), position))
        return resolved.CommonTable(name, query, position)

    def subquery(self, query: tree.Query, scope: Scope) -> resolved.Query:
        """A query inside an expression, which sees the names around it."""
        return self.query(query, scope)

    def query(self, query: tree.Query, outer: Scope | None, *, operand: bool = False) -> resolved.Query:
        """A query expression with its ORDER BY. That of an `operand` of a set operation gets its types from the whole."""
        body = query.body
        if isinstance(body, tree.Select):
            select, expressions = self.select(body, outer)
            order = self.order_of_select(query, select, expressions)
            return resolved.Query(select, tuple(output.column for output in select.outputs), order, query.offset)
        found, columns = self.body(body, outer)
        if not operand:
            found = cast_to(found, columns)
        order = tuple((self.order_of_set(key, columns), key.descending) for key in query.order)
        return resolved.Query(found, columns, order, query.offset)

    def body(self, body: tree.Body, outer: Scope | None) -> tuple[resolved.Body, tuple[Column, ...]]:
        if isinstance(body, tree.SetOperation):
            return self.set_operation(body, outer)
        if isinstance(body, tree.Query):
            query = self.query(body, outer, operand=True)
            return query, query.columns
        select, _ = self.select(body, outer)
        return select, tuple(output.column for output in select.outputs)

    def set_operation(self, body: tree.SetOperation, outer: Scope | None) -> tuple[resolved.Body, tuple[Column, ...]]:
        """UNION and its like: as many columns on both sides, of types that fit; metadata from the left (§4.6)."""
        left, first = self.body(body.left, outer)
        right, second = self.body(body.right, outer)
        if len(first) != len(second):
            message = f"The queries of {body.word} have {len(first)} and {len(second)} columns."
            self.fail(body.at, message, word=body.word, hint="Both need the same number.")
        free, fixed = _always_null(left), _always_null(right)
        columns = tuple(
            renamed(other, one.name) if index in free else one if index in fixed else self.united(body, one, other)
            for index, (one, other) in enumerate(zip(first, second, strict=True))
        )
        return resolved.SetOperation(body.word, body.all, left, right), columns

    def united(self, body: tree.SetOperation, left: Column, right: Column) -> Column:
        merged = types.unify_columns((left, right))
        if merged is None:
            words = f"{types.CATEGORY_WORDS[types.category_of(left)]} and {types.CATEGORY_WORDS[types.category_of(right)]}"
            self.fail(
                body.at, f"The column {left.name} of {body.word} holds {words}.", word=body.word, hint="CAST makes their types equal."
            )
        return merged

    # one SELECT

    def select(self, select: tree.Select, outer: Scope | None) -> tuple[resolved.Select, Expressions]:
        scope = Scope(outer)
        expressions = Expressions(self.text, scope, self)
        tables = tuple(self.table(reference, scope) for reference in select.tables)
        where = expressions.condition(select.where) if select.where else None
        outputs = self.outputs(select, scope, expressions)
        aliases = _aliases(outputs) if select.group else {}
        group = tuple(self.group_key(node, outputs, aliases, expressions) for node in select.group)
        having = expressions.condition(select.having) if select.having else None
        found = resolved.Select(outputs, tables, where, group, having, select.distinct, select.top)
        self.check_groups(select, found, expressions)
        return found, expressions

    def group_value(self, value: resolved.Value, node: tree.Value) -> resolved.Value:
        """A key of GROUP BY, which must not need groups itself."""
        aggregate = find_aggregate(value)
        if aggregate is not None or has_window(value):
            self.fail(node.at, f"{aggregate or 'A window function'} makes no groups.", hint="Groups are made of what each row says.")
        return value

    def outputs(self, select: tree.Select, scope: Scope, expressions: Expressions) -> tuple[resolved.Output, ...]:
        """The select list, stars spelled out, names made unique ignoring case."""
        named: list[tuple[resolved.Value, Column]] = []
        for position, item in enumerate(select.items, 1):
            if isinstance(item, tree.Star):
                named += self.star(item, scope, expressions)
            else:
                value = expressions.value(item.value)
                named.append((value, renamed(value.column, _name(item, value, position))))
            if len(named) > MAX_COLUMNS:
                self.fail(item.at, f"The result would have more than {MAX_COLUMNS} columns.")
        self.columns += len(named)
        if self.columns > MAX_OUTPUTS:
            self.fail(select.at, f"The queries of this statement have more than {MAX_OUTPUTS} columns in all.", hint="Name those you need.")
        return tuple(_unique(named))

    def star(self, star: tree.Star, scope: Scope, expressions: Expressions) -> list[tuple[resolved.Value, Column]]:
        shown = columns_of(expressions.source(star.qualifier)) if star.qualifier else scope.visible
        return [(entry.value, renamed(entry.value.column, entry.name)) for entry in shown]

    def group_key(
        self, node: tree.Value, outputs: tuple[resolved.Output, ...], aliases: Mapping[str, int], expressions: Expressions
    ) -> resolved.Value:
        """A key of GROUP BY: an expression, or (extension) the name or position of a result."""
        if isinstance(node, tree.Number):
            return self.group_value(self.output_at(node, outputs).value, node)
        if isinstance(node, tree.ColumnName) and len(node.parts) == 1 and not expressions.scope.column(node.parts[0]):
            named = _aliased(node.parts[0], outputs, aliases)
            if named is not None:
                return self.group_value(outputs[named].value, node)
        value = expressions.value(node)
        if isinstance(value, resolved.Constant):
            self.fail(node.at, "A constant makes no groups.")
        return value

    def output_at(self, node: tree.Number, outputs: tuple[resolved.Output, ...]) -> resolved.Output:
        if not isinstance(node.value, int) or not 1 <= node.value <= len(outputs):
            self.fail(node.at, f"There is no column number {node.value} in the select list.", word=str(node.value))
        return outputs[node.value - 1]

    def check_groups(self, node: tree.Select, select: resolved.Select, expressions: Expressions) -> None:
        """With groups, what is selected is grouped or aggregated (SQL-92 §7.9)."""
        if not _is_grouped(select):
            return
        parts = [output.value for output in select.outputs]
        stray = ungrouped([*parts, *([select.having] if select.having else [])], select.group, _sources(select.tables))
        if stray is not None:
            named = next((name for name in column_names((node.items, node.having)) if expressions.value(name) == stray), node)
            self.fail(
                named.at,
                f"The column {stray.column.name} is neither grouped nor aggregated.",
                hint=f"Add it to GROUP BY, or write MIN({stray.column.name}).",
            )

    # order

    def order_of_select(
        self, query: tree.Query, select: resolved.Select, expressions: Expressions
    ) -> tuple[tuple[int | resolved.Value, bool], ...]:
        if not query.order:
            return ()
        aliases = _aliases(select.outputs)
        positions = {output.value: position for position, output in reversed(tuple(enumerate(select.outputs, 1)))}
        return tuple((self.order_key(key, select, aliases, positions, expressions), key.descending) for key in query.order)

    def order_key(
        self,
        key: tree.OrderKey,
        select: resolved.Select,
        aliases: Mapping[str, int],
        positions: Mapping[resolved.Value, int],
        expressions: Expressions,
    ) -> int | resolved.Value:
        """A key of ORDER BY: position, name of a result, else any expression."""
        node = key.value
        if isinstance(node, tree.Number):
            self.output_at(node, select.outputs)
            return int(node.value)
        if isinstance(node, tree.ColumnName) and len(node.parts) == 1:
            named = _aliased(node.parts[0], select.outputs, aliases)
            if named is not None:
                return named + 1
        value = expressions.value(node)
        if isinstance(value, resolved.Constant):
            self.fail(node.at, "A constant orders nothing.")
        if value in positions:
            return positions[value]
        self.check_order(node, value, select)
        return value

    def check_order(self, node: tree.Node, value: resolved.Value, select: resolved.Select) -> None:
        """Whether rows can be ordered by something that is not selected."""
        if select.distinct:
            self.fail(node.at, "With DISTINCT only what is selected can order the result.")
        grouped = _is_grouped(select)
        if not grouped and find_aggregate(value):
            self.fail(node.at, "The rows are not grouped, so that an aggregate cannot order them.")
        stray = ungrouped([value], select.group, _sources(select.tables)) if grouped else None
        if stray is not None:
            self.fail(node.at, f"The column {stray.column.name} is neither grouped nor aggregated.")

    def order_of_set(self, key: tree.OrderKey, columns: tuple[Column, ...]) -> int:
        """A key of ORDER BY behind a set operation: position or name of a result."""
        node = key.value
        if isinstance(node, tree.Number) and isinstance(node.value, int) and 1 <= node.value <= len(columns):
            return node.value
        if isinstance(node, tree.ColumnName):
            found = matches(node.parts[-1], (column.name for column in columns))
            if len(found) == 1:
                return found[0] + 1
        names = ", ".join(column.name for column in columns)
        return self.fail(key.at, "A set operation can only be ordered by its columns.", hint=f"They are {names}.")

    # tables

    def table(self, node: tree.TableReference, scope: Scope) -> resolved.From:
        """Resolves a table reference and shows its columns in `scope`."""
        if isinstance(node, tree.Join):
            return self.join(node, scope)
        source = self.source(node, scope.outer)
        scope.show([source], columns_of(source))
        return source

    def source(
        self, node: tree.TableName | tree.Derived, outer: Scope | None
    ) -> resolved.TableSource | resolved.QuerySource | resolved.CommonSource:
        """A table; a subquery sees the names `outer` to this query, not those beside it (SQL-92 §6.3)."""
        if isinstance(node, tree.Derived):
            query = self.query(node.query, outer)
            return resolved.QuerySource(self.alias(), node.alias.text, _fields(query), position_of_query(query), query)
        common = self.find_common(node)
        if common is not None:
            label = (node.alias or node.parts[-1]).text
            return resolved.CommonSource(self.alias(), label, common.fields, common.position, common.sql)
        table = self.find_table(node)
        self.tables[table.full_name] = None
        fields = tuple(
            resolved.Field(column, table.stored.get(column.name, column.name)) for column in table.columns if column.name != CELL
        )
        label = node.alias.text if node.alias else table.name
        return resolved.TableSource(self.alias(), label, fields, position_of_table(table), table)

    def alias(self) -> str:
        return f"t{next(self.numbers)}"

    def find_common(self, node: tree.TableName) -> _Common | None:
        if len(node.parts) != 1:
            return None
        name, common = self.common.get(node.parts[0].text.lower(), (None, None))
        return common if name is not None and matches(node.parts[0], (name.text,)) else None

    def find_table(self, node: tree.TableName) -> Table:
        """The published table of a name; without a schema, if only one has it (extension)."""
        found = self.tables_named(node.parts)
        if len(found) == 1:
            return found[0]
        name = ".".join(map(str, node.parts))
        if found:
            listed = ", ".join(table.full_name for table in found[:5])
            self.fail(node.at, f"Several tables are called {name}.", word=name, hint=f"Say which: {listed}.")
        bare = ".".join(part.text for part in node.parts)
        close = nearest(bare, (table.full_name for table in self.catalogue.tables)) or tuple(
            table.full_name for table in self.catalogue.tables if table.name.lower() == node.parts[-1].text.lower()
        )
        close = close or self.by_bare_name(node.parts[-1].text)
        hint = did_you_mean(close) or "TAP_SCHEMA.tables lists all tables."
        return self.fail(node.at, f"There is no table {name}.", word=name, hint=hint)

    def by_bare_name(self, name: str) -> tuple[str, ...]:
        close = nearest(name, (table.name for table in self.catalogue.tables))
        return tuple(table.full_name for table in self.catalogue.tables if table.name in close)[:3]

    def tables_named(self, parts: tuple[tree.Identifier, ...]) -> list[Table]:
        if len(parts) > 2:
            return []
        tables = self.catalogue.tables
        if len(parts) == 2:
            tables = tuple(table for table in tables if matches(parts[0], (table.schema,)))
        named = [tables[index] for index in matches(parts[-1], (table.name for table in tables))]
        exact = [table for table in named if len(parts) == 2 and table.schema == parts[0].text]
        return exact if len(exact) == 1 else named

    # joins

    def join(self, node: tree.Join, scope: Scope) -> resolved.JoinSource:
        """Two tables; those columns that USING or NATURAL name are one (SQL-92 §7.5)."""
        left_scope, right_scope = Scope(scope.outer), Scope(scope.outer)
        left, right = self.table(node.left, left_scope), self.table(node.right, right_scope)
        names = node.using or (_shared(left_scope, right_scope, node) if node.natural else ())
        merged, equalities, hidden = self.merge(node, names, left_scope, right_scope)
        shown = [entry for entry in (*left_scope.visible, *right_scope.visible) if id(entry) not in hidden]
        scope.show([*left_scope.sources, *right_scope.sources], [*merged, *shown])
        on = self.join_condition(node, equalities, left_scope, right_scope)
        kind = node.kind
        if on is None and kind != "CROSS":
            if kind != "INNER":
                self.fail(node.at, f"{kind} JOIN needs ON or USING.", hint="Say which rows belong together.")
            kind = "CROSS"
        if kind == "RIGHT":
            return resolved.JoinSource("LEFT", right, left, on)
        if kind == "FULL" and not resolved.equates(on, left, right) and not (has_row_numbers(left) and has_row_numbers(right)):
            self.fail(
                node.at,
                "FULL JOIN needs an equality between the tables among its conditions, or two published tables with positions.",
                hint="Take LEFT JOIN, and UNION ALL for the rows of the other table that have no partner (NOT EXISTS).",
            )
        return resolved.JoinSource(kind, left, right, on)

    def join_condition(self, node: tree.Join, equalities: list[resolved.Condition], left: Scope, right: Scope) -> resolved.Condition | None:
        if node.on is not None:
            both = Scope(left.outer)
            both.show([*left.sources, *right.sources], [*left.visible, *right.visible])
            return Expressions(self.text, both, self).condition(node.on)
        if len(equalities) > 1:
            return resolved.Logical("AND", tuple(equalities))
        return equalities[0] if equalities else None

    def merge(
        self, node: tree.Join, names: tuple[tree.Identifier, ...], left: Scope, right: Scope
    ) -> tuple[list[Visible], list[resolved.Condition], set[int]]:
        """The columns that become one, the conditions that make them so, and the entries they replace."""
        merged, equalities, hidden = [], [], set()
        for name in names:
            one, other = self.joining(name, left), self.joining(name, right)
            if types.category(one.value) != types.category(other.value):
                self.fail(name.at, f"The column {name} is of different types in the two tables.", word=str(name))
            equalities.append(resolved.Comparison("=", one.value, other.value))
            merged.append(Visible(one.name, _merged(node.kind, one.value, other.value)))
            hidden |= {id(one), id(other)}
        return merged, list(equalities), hidden

    def joining(self, name: tree.Identifier, scope: Scope) -> Visible:
        found = matches(name, (entry.name for entry in scope.visible))
        if len(found) != 1:
            labels = ", ".join(source.label for source in scope.sources)
            close = did_you_mean(nearest(name.text, (entry.name for entry in scope.visible)))
            problem = f"no column {name}" if not found else f"several columns {name}"
            self.fail(name.at, f"{labels} has {problem} to join by.", word=str(name), hint=close)
        return scope.visible[found[0]]


def _is_grouped(select: resolved.Select) -> bool:
    """Whether the results are of groups; all rows are one where nothing says how to group them (SQL-92 §7.8)."""
    return bool(select.group) or select.having is not None or any(find_aggregate(output.value) for output in select.outputs)


def _always_null(body: resolved.Body) -> frozenset[int]:
    """Which results (from 0) are NULL in each row, as written, and so of any type."""
    if isinstance(body, resolved.Select):
        return frozenset(index for index, output in enumerate(body.outputs) if types.category(output.value) == "null")
    if isinstance(body, resolved.SetOperation):
        return _always_null(body.left) & _always_null(body.right)
    return _always_null(body.body)


def _shared(left: Scope, right: Scope, node: tree.Join) -> tuple[tree.Identifier, ...]:
    """The columns that NATURAL joins by: all that have the same name."""
    others = {entry.name.lower() for entry in right.visible}
    return tuple(tree.Identifier(node.at, entry.name, not entry.name.isascii()) for entry in left.visible if entry.name.lower() in others)


def _aliases(outputs: tuple[resolved.Output, ...]) -> dict[str, int]:
    """Where (from 0) the results stand, by their names, which differ even if case is ignored."""
    return {output.column.name.lower(): index for index, output in enumerate(outputs)}


def _aliased(name: tree.Identifier, outputs: tuple[resolved.Output, ...], aliases: Mapping[str, int]) -> int | None:
    """The result that an alias of the select list names."""
    found = aliases.get(name.text.lower())
    return found if found is not None and matches(name, (outputs[found].column.name,)) else None


def cast_to(body: resolved.Body, columns: tuple[Column, ...]) -> resolved.Body:
    """The same operand with results of these types."""
    if isinstance(body, resolved.Select):
        outputs = tuple(
            resolved.Output(output.value, renamed(column, output.column.name)) for output, column in zip(body.outputs, columns, strict=True)
        )
        return replace(body, outputs=outputs)
    if isinstance(body, resolved.SetOperation):
        return replace(body, left=cast_to(body.left, columns), right=cast_to(body.right, columns))
    return replace(body, body=cast_to(body.body, columns), columns=columns)


def _merged(kind: str, left: resolved.Value, right: resolved.Value) -> resolved.Value:
    """The value of a column that two tables share: of the side that always has a row."""
    if kind == "RIGHT":
        return right
    if kind == "FULL":
        both = resolved.Cast(left.column, left, "", None), resolved.Cast(left.column, right, "", None)
        # not CASE, which would name the left side twice: many joins would double it each time
        before = left.arguments if isinstance(left, resolved.Call) and left.function is BY_NAME["COALESCE"] else both[:1]
        return resolved.Call(left.column, BY_NAME["COALESCE"], (*before, both[1]))
    return left


def _fields(query: resolved.Query) -> tuple[resolved.Field, ...]:
    return tuple(resolved.Field(column, f"c{position}") for position, column in enumerate(query.columns, 1))


def _sources(tables: tuple[resolved.From, ...]) -> frozenset[int]:
    """Identities of the tables of a FROM clause."""
    found: set[int] = set()
    waiting: list[resolved.From] = list(tables)
    while waiting:
        item = waiting.pop()
        if isinstance(item, resolved.JoinSource):
            waiting += [item.left, item.right]
        else:
            found.add(id(item))
    return frozenset(found)


def _name(item: tree.Item, value: resolved.Value, position: int) -> str:
    """The name of a result: its alias, its column's, its function's, else its position."""
    if item.alias is not None:
        return item.alias.text
    if isinstance(item.value, tree.ColumnName):
        return value.column.name or item.value.parts[-1].text
    if isinstance(item.value, tree.Call | tree.Aggregate):
        return item.value.name.lower()
    return f"column_{position}"


def _unique(named: list[tuple[resolved.Value, Column]]) -> Iterator[resolved.Output]:
    """Results whose names differ even if case is ignored: later ones get a number."""
    taken = {column.name.lower() for _, column in named}
    used: set[str] = set()
    numbers: dict[str, Iterator[int]] = {}
    for value, column in named:
        name = column.name
        if name.lower() in used:
            numbered = (f"{column.name}_{number}" for number in numbers.setdefault(name.lower(), count(2)))
            name = next(candidate for candidate in numbered if candidate.lower() not in taken)
            taken.add(name.lower())
        used.add(name.lower())
        yield resolved.Output(value, column if name == column.name else renamed(column, name))
