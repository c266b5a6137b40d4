"""Values and conditions: names looked up, types checked."""

from collections.abc import Callable
from typing import NoReturn, Protocol

from vo_server.adql import resolved, tree, types, units
from vo_server.adql.functions import BY_NAME, Function, Kind
from vo_server.adql.geometries import coordinate_fault, geometry_kinds
from vo_server.adql.grouping import find_aggregate
from vo_server.adql.messages import did_you_mean, meaning_error, nearest
from vo_server.adql.regions import Part, RegionError, parse_region
from vo_server.adql.scopes import Scope, columns_of, names_in
from vo_server.model.columns import INTEGERS, Column

SYSTEMS = ("", "ICRS", "FK5", "FK4", "GALACTIC", "ECLIPTIC", "UNKNOWNFRAME", "UNKNOWN", "J2000", "B1950")
"""First words of coordinate systems that a geometry may name (§4.2.5). None converts anything."""
_OTHER_SYSTEMS = ("FK4", "GALACTIC", "ECLIPTIC", "B1950")
"""Those in which positions differ much from ICRS."""


class Queries(Protocol):
    """Who resolves the queries inside expressions."""

    def subquery(self, query: tree.Query, scope: Scope) -> resolved.Query:
        """A query inside another, which sees the names of `scope`."""

    def warn(self, at: int, message: str) -> None:
        """Tells whoever asks what the query means at offset `at`."""


class Expressions:
    """Resolves the expressions of one SELECT: what `scope` shows is what they may name."""

    def __init__(self, text: str, scope: Scope, queries: Queries) -> None:
        self.text = text
        self.scope = scope
        self.queries = queries

    def fail(self, at: int, message: str, *, word: str = "", hint: str | None = None, expected: tuple[str, ...] = ()) -> NoReturn:
        """Raises the error that the query makes no sense at offset `at`."""
        raise meaning_error(self.text, at, message, word=word, hint=hint, expected=expected)

    def value(self, node: tree.Value) -> resolved.Value:
        """A value. Raises QueryMeaningError."""
        return _VALUES[type(node)](self, node)

    def condition(self, node: tree.Condition) -> resolved.Condition:
        """A condition. Raises QueryMeaningError."""
        return _CONDITIONS[type(node)](self, node)

    # values

    def _number(self, node: tree.Number) -> resolved.Value:
        return resolved.Constant(types.of_number(node.value), node.value)

    def _text_value(self, node: tree.Text) -> resolved.Value:
        if "\0" in node.value:
            self.fail(node.at, "A text cannot hold the character U+0000.")
        return resolved.Constant(types.of_text(node.value), node.value)

    def _null(self, _: tree.Null) -> resolved.Value:
        return resolved.Constant(types.TEXT, None)

    def _boolean(self, node: tree.Boolean) -> resolved.Value:
        return resolved.Constant(types.BOOLEAN, node.value)

    def _column(self, node: tree.ColumnName) -> resolved.Value:
        wanted, qualifier = node.parts[-1], node.parts[:-1]
        return self._qualified(node, wanted, qualifier) if qualifier else self._unqualified(wanted)

    def _unqualified(self, wanted: tree.Identifier) -> resolved.Value:
        scope: Scope | None = self.scope
        while scope is not None:
            found = scope.column(wanted)
            if len(found) == 1:
                return found[0]
            if found:
                owners = ", ".join(f"{item.source.label}.{wanted}" for item in found if isinstance(item, resolved.Reference))
                self.fail(wanted.at, f"The column {wanted} is ambiguous.", word=str(wanted), hint=f"Say which: {owners}.")
            scope = scope.outer
        hint = did_you_mean(nearest(wanted.text, names_in(self.scope)))
        if hint is None and wanted.delimited:
            hint = f"Names stand in double quotes, texts in single ones: '{wanted.text}'."
        return self.fail(wanted.at, f"There is no column {wanted} here.", word=str(wanted), hint=hint)

    def _qualified(self, node: tree.ColumnName, wanted: tree.Identifier, qualifier: tuple[tree.Identifier, ...]) -> resolved.Value:
        source = self.source(qualifier)
        own = Scope()
        own.show([source], columns_of(source))
        found = own.column(wanted)
        if len(found) == 1:
            return found[0]
        name = ".".join(map(str, node.parts))
        if found:
            self.fail(
                node.at,
                f"Several columns of {source.label} differ from {wanted} in case only.",
                word=name,
                hint='Write it in double quotes: "Name".',
            )
        close = [f"{source.label}.{close}" for close in nearest(wanted.text, (field.column.name for field in source.fields))]
        return self.fail(node.at, f"{source.label} has no column {wanted}.", word=name, hint=did_you_mean(close))

    def source(self, qualifier: tuple[tree.Identifier, ...]) -> resolved.Source:
        """The table that a qualifier names, in this query or one around it."""
        scope: Scope | None = self.scope
        labels: list[str] = []
        while scope is not None:
            found = scope.source(qualifier) if len(qualifier) < 3 else []
            if len(found) == 1:
                return found[0]
            name = ".".join(map(str, qualifier))
            if found:
                self.fail(qualifier[0].at, f"Several tables here are called {name}.", word=name, hint="Give them different names with AS.")
            labels += [source.label for source in scope.sources]
            scope = scope.outer
        name = ".".join(map(str, qualifier))
        hint = did_you_mean(nearest(qualifier[-1].text, labels)) or (f"Tables here: {', '.join(labels)}." if labels else None)
        return self.fail(qualifier[0].at, f"No table of this FROM clause is called {name}.", word=name, hint=hint)

    def _sign(self, node: tree.Sign) -> resolved.Value:
        operand = self._numeric(node.operand)
        if isinstance(operand, resolved.Constant) and isinstance(operand.value, int | float):
            return resolved.Constant(operand.column, -operand.value if node.sign == "-" else operand.value)
        return resolved.Sign(_plain(operand.column), node.sign, operand)

    def _numeric(self, node: tree.Value) -> resolved.Value:
        """A value one can calculate with; a text that spells a number is one."""
        found = self.value(node)
        if isinstance(found, resolved.Constant) and isinstance(found.value, str):
            spelled = types.number(found.value)
            if spelled is not None:
                return resolved.Constant(types.of_number(abs(spelled)), spelled)
        kind = types.category(found)
        if kind == "null":
            return resolved.Constant(types.INT, None) if isinstance(found, resolved.Constant) else found
        if kind != "number":
            self.fail(node.at, f"One cannot calculate with {types.CATEGORY_WORDS[kind]}.", expected=("a number",))
        return found

    def _chain(self, node: tree.Chain) -> resolved.Value:
        if node.rest[0].sign == "||":
            return self._concatenation(node)
        first = self._numeric(node.first)
        column, rest = _plain(first.column) if types.category(first) == "number" else types.INT, []
        for step in node.rest:
            operand = self._numeric(step.operand)
            if step.sign in "/%" and isinstance(operand, resolved.Constant) and operand.value == 0:
                self.fail(step.at, "This divides by zero.", word=step.sign)
            if step.sign == "/" and column.datatype in INTEGERS and operand.column.datatype in INTEGERS:
                self.queries.warn(step.at, "Integers divide as integers here (5/60 is 0). Write 5./60, or CAST(… AS DOUBLE PRECISION).")
            column = _calculated(step.sign, column, operand)
            rest.append((step.sign, operand))
        return resolved.Chain(column, first, tuple(rest))

    def _concatenation(self, node: tree.Chain) -> resolved.Value:
        operands = [self._textual(part) for part in (node.first, *(step.operand for step in node.rest))]
        unicode = any(operand.column.datatype == "unicodeChar" for operand in operands)
        return resolved.Chain(types.UNICODE if unicode else types.TEXT, operands[0], tuple(("||", operand) for operand in operands[1:]))

    def _textual(self, node: tree.Value) -> resolved.Value:
        found = self.value(node)
        if types.category(found) not in ("text", "null"):
            words = types.CATEGORY_WORDS[types.category(found)]
            self.fail(node.at, f"|| joins texts, and this is {words}.", expected=("a text",), hint="CAST(… AS VARCHAR) makes a text of it.")
        return found

    def _call(self, node: tree.Call) -> resolved.Value:
        function = BY_NAME.get(node.name)
        if function is None:
            close = nearest(node.name, BY_NAME)
            self.fail(
                node.at,
                f"There is no function {node.name}.",
                word=node.name,
                hint=did_you_mean(close) or "/tap/capabilities lists all functions.",
            )
        if function.name in ("GREATEST", "LEAST", "COALESCE", "NULLIF"):
            return self._choice(node, function)
        if function.name == "REGION":
            return self._region(node)
        nodes = self._without_system(node, function)
        arguments = self._arguments(nodes, function)
        fault = coordinate_fault(function.name, arguments)
        if fault is not None:
            self.fail(nodes[fault[0]].at, fault[1])
        column = self._result(node, function, arguments)
        if function.aggregate:
            self._refuse_nested(node, arguments)
            self._refuse_outer(node, arguments)
            return resolved.Aggregate(column, function.name, arguments[0], False, function, arguments[1:])
        return resolved.Call(column, function, arguments, node.at)

    def _arguments(self, nodes: tuple[tree.Value, ...], function: Function) -> tuple[resolved.Value, ...]:
        """The arguments, which must be of the kinds that one of the function's forms takes."""
        points = function.name == "POLYGON" and isinstance(nodes[0], tree.ColumnName) and types.fits(self.value(nodes[0]), "point")
        kinds = geometry_kinds(function.name, nodes, points=points) or tuple(function.kind(index) for index in range(len(nodes)))
        return tuple(self._argument(part, function, kind, index) for index, (part, kind) in enumerate(zip(nodes, kinds, strict=True)))

    def _region(self, node: tree.Call) -> resolved.Value:
        """REGION of a literal becomes the shapes it names (§4.2.20)."""
        literal = node.arguments[0]
        texts = (literal.first, *(step.operand for step in literal.rest)) if isinstance(literal, tree.Chain) else (literal,)
        text = "".join(part.value for part in texts if isinstance(part, tree.Text))
        try:
            parts = tuple(self._shape(literal, part) for part in parse_region(text))
        except RegionError as error:
            self.fail(
                literal.at, f"{str(error)[0].upper()}{str(error)[1:]}.", hint="Write, for instance, REGION('Circle ICRS 10.7 41.3 0.5')."
            )
        return parts[0] if len(parts) == 1 else resolved.Union(types.POLYGON, parts)

    def _shape(self, literal: tree.Value, part: Part) -> resolved.Call:
        function = BY_NAME[part.function]
        arguments = tuple(resolved.Constant(types.DOUBLE, number) for number in part.numbers)
        fault = coordinate_fault(function.name, arguments)
        if fault is not None:
            self.fail(literal.at, fault[1])
        return resolved.Call(_RESULTS[function.result](arguments), function, arguments, literal.at)

    def _without_system(self, node: tree.Call, function: Function) -> tuple[tree.Value, ...]:
        """The arguments of a geometry without the coordinate system, which must be one we know (§4.2.5)."""
        first = node.arguments[0] if node.arguments else None
        if not function.coosys or not isinstance(first, tree.Text | tree.Null) or not function.accepts(len(node.arguments) - 1):
            return node.arguments
        word = first.value.split()[0].upper() if isinstance(first, tree.Text) and first.value.strip() else ""
        if word not in SYSTEMS:
            self.fail(
                first.at, f"{word} is not a coordinate system.", word=word, hint="The argument can be left out: all positions are ICRS."
            )
        if word in _OTHER_SYSTEMS:
            self.queries.warn(
                first.at, f"The coordinate system {word} converts nothing: all positions are ICRS (ivo_geom_transform converts)."
            )
        return node.arguments[1:]

    def _argument(self, node: tree.Value, function: Function, kind: Kind, index: int) -> resolved.Value:
        found = self._numeric(node) if kind == "number" else self.value(node)
        if not types.fits(found, kind):
            words = types.CATEGORY_WORDS[types.category(found)]
            self.fail(
                node.at,
                f"Argument {index + 1} of {function.name} is {words}.",
                expected=(types.WORDS[kind],),
                hint=f"It must be {types.WORDS[kind]}.",
            )
        return self._instant(node, found) if kind == "timestamp" and types.category(found) == "text" else found

    def _instant(self, node: tree.Value, found: resolved.Value) -> resolved.Value:
        """A text in the place of an instant."""
        return (
            self._adapted(found, "timestamp", node)
            if isinstance(found, resolved.Constant)
            else resolved.Cast(types.TIMESTAMP, found, "TIMESTAMP", None)
        )

    def _result(self, node: tree.Call, function: Function, arguments: tuple[resolved.Value, ...]) -> Column:
        """The type of a function's value."""
        if function.name == "IN_UNIT":
            return self._converted(node, arguments)
        column = _RESULTS[function.result](arguments)
        unit = arguments[0].column.unit if function.keeps_unit else function.unit if column.unit is None else column.unit
        return column if unit == column.unit else _typed(column, unit)

    def _converted(self, node: tree.Call, arguments: tuple[resolved.Value, ...]) -> Column:
        """The type of IN_UNIT, whose unit must be a constant that fits (§4.9.1)."""
        target = arguments[1].value if isinstance(arguments[1], resolved.Constant) else None
        if not isinstance(target, str):
            self.fail(node.arguments[1].at, "The unit of IN_UNIT must be a text in quotes.")
        source = arguments[0].column.unit
        if source is None:
            self.fail(node.arguments[0].at, "The value to convert has no unit.", hint="TAP_SCHEMA.columns says the units of columns.")
        try:
            units.conversion(source, target)
        except units.UnitError as error:
            self.fail(node.at, f"{error}.", word=node.name)
        return Column("", "double", unit=target)

    def _choice(self, node: tree.Call, function: Function) -> resolved.Value:
        """COALESCE and its like: arguments of one type (§4.8.1)."""
        arguments = self._alike(node.arguments)
        column = types.unify(arguments)
        if column is None:
            self.fail(node.at, f"The arguments of {node.name} are of different types.", word=node.name)
        return resolved.Call(_plain(column), function, arguments)

    def _alike(self, nodes: tuple[tree.Value, ...]) -> tuple[resolved.Value, ...]:
        """Values that are to be compared with each other: constants take the type of the rest."""
        found = [self.value(node) for node in nodes]
        kinds = {types.category(item) for item in found if not isinstance(item, resolved.Constant)}
        if len(kinds) != 1:
            return tuple(found)
        kind = kinds.pop()
        return tuple(self._adapted(item, kind, node) for item, node in zip(found, nodes, strict=True))

    def _adapted(self, found: resolved.Value, kind: types.Category, node: tree.Value) -> resolved.Value:
        """A constant as a value of another kind, where it spells one: numbers and instants in quotes, 1 and 0 for truth values."""
        if not isinstance(found, resolved.Constant) or found.value is None or types.category(found) == kind:
            return found
        if kind == "timestamp" and isinstance(found.value, str):
            moment = types.instant(found.value)
            if moment is None:
                self.fail(node.at, f"{found.value!r} is not an instant.", hint="Write it as '2017-09-22T20:54:30'.")
            return resolved.Constant(types.TIMESTAMP, moment)
        if kind == "number" and isinstance(found.value, str):
            spelled = types.number(found.value)
            return found if spelled is None else resolved.Constant(types.of_number(abs(spelled)), spelled)
        if kind == "boolean":
            truth = {"1": True, "0": False, "true": True, "false": False, "t": True, "f": False}.get(str(found.value).lower())
            return found if truth is None else resolved.Constant(types.BOOLEAN, truth)
        return found

    def _aggregate(self, node: tree.Aggregate) -> resolved.Value:
        found = self._set_function(node)
        if node.argument is not None and found.argument is not None:
            self._refuse_nested(node.argument, (found.argument,))
            self._refuse_outer(node, (found.argument,))
        return found

    def _set_function(self, node: tree.Aggregate) -> resolved.Aggregate:
        """A set function, of the rows of a group or, in a window, of groups."""
        if node.argument is None:
            return resolved.Aggregate(_COUNT, "COUNT", None, False)
        inner = self.value(node.argument)
        column = inner.column
        if node.name == "COUNT":
            return resolved.Aggregate(_COUNT, "COUNT", inner, node.distinct)
        kind = types.category(inner)
        if node.name in ("SUM", "AVG"):
            if kind not in ("number", "null"):
                self.fail(node.argument.at, f"{node.name} needs numbers, and this is {types.CATEGORY_WORDS[kind]}.", expected=("a number",))
            exact = node.name == "SUM" and column.datatype in INTEGERS
            return resolved.Aggregate(Column("", "long" if exact else "double", unit=column.unit), node.name, inner, node.distinct)
        if kind in ("geometry", "array", "boolean"):
            self.fail(node.argument.at, f"{node.name} needs values with an order, and this is {types.CATEGORY_WORDS[kind]}.")
        return resolved.Aggregate(_plain(column), node.name, inner, node.distinct)

    def _refuse_outer(self, node: tree.Aggregate | tree.Call, arguments: tuple[resolved.Value, ...]) -> None:
        """A set function of nothing but columns of a query around this one would be that query's (SQL-92 §6.5)."""
        named = set(resolved.references(arguments))
        around = self.scope.outer
        while around is not None and named.isdisjoint(self.scope.sources):
            if not named.isdisjoint(around.sources):
                self.fail(
                    node.at,
                    f"{node.name} names only columns of the query around this one, whose groups it would be of.",
                    word=node.name,
                    hint="Name a column of this query's own tables; COUNT(*) counts its rows.",
                )
            around = around.outer

    def _refuse_nested(self, node: tree.Node, arguments: tuple[resolved.Value, ...]) -> None:
        """A set function has no other inside; one that is a window function may have."""
        found = next(filter(None, map(find_aggregate, arguments)), None)
        if found is not None:
            self.fail(node.at, f"{found} stands inside another set function.", hint="A subquery in FROM can compute it first.")

    def _cast(self, node: tree.Cast) -> resolved.Value:
        operand = self.value(node.operand)
        column = types.CAST_COLUMNS[node.type]
        if node.type == "TIMESTAMP" and isinstance(operand, resolved.Constant) and isinstance(operand.value, str):
            return self._adapted(operand, "timestamp", node.operand)
        kind = types.category(operand)
        if kind == "geometry" and types.category_of(column) == "geometry" and operand.column.xtype != column.xtype:
            self.fail(node.operand.at, f"A {operand.column.xtype} cannot become {node.type}.")
        if types.category_of(column) == "geometry" and isinstance(operand, resolved.Constant) and isinstance(operand.value, str):
            self._check_shape(node, operand.value)
        if kind != "null" and kind not in _CASTABLE[types.category_of(column)]:
            self.fail(node.operand.at, f"{types.CATEGORY_WORDS[kind].capitalize()} cannot become {node.type}.")
        if types.category_of(column) == "number" and operand.column.unit:
            column = _typed(column, operand.column.unit)
        if column is types.TEXT and operand.column.datatype == "unicodeChar":
            column = types.UNICODE
        return resolved.Cast(column, operand, node.type, node.length)

    def _check_shape(self, node: tree.Cast, text: str) -> None:
        """A geometry in words is so many numbers (DALI 1.1 §3.3.5–7)."""
        numbers = text.split()
        fits = {"POINT": len(numbers) == 2, "CIRCLE": len(numbers) == 3, "POLYGON": len(numbers) >= 6 and len(numbers) % 2 == 0}
        if not fits[node.type] or any(types.number(number) is None for number in numbers):
            examples = {"POINT": "10.7 41.3", "CIRCLE": "10.7 41.3 0.5", "POLYGON": "10 40 11 40 11 41"}
            self.fail(node.operand.at, f"{text[:40]!r} is no {node.type}.", hint=f"Write, for instance, '{examples[node.type]}'.")

    def _case(self, node: tree.Case) -> resolved.Value:
        nodes = (*(value for _, value in node.branches), *((node.otherwise,) if node.otherwise else ()))
        values = self._alike(nodes)
        column = types.unify(values)
        if column is None:
            self.fail(node.at, "The branches of CASE are of different types.", word="CASE")
        branches = tuple((self._branch(node, test), value) for (test, _), value in zip(node.branches, values, strict=False))
        return resolved.Case(_plain(column), branches, values[-1] if node.otherwise else None)

    def _branch(self, node: tree.Case, test: tree.Value | tree.Condition) -> resolved.Condition:
        if isinstance(test, tree.Condition):
            return self.condition(test)
        if node.operand is None:
            self.fail(test.at, "WHEN needs a condition here.")
        return self.condition(tree.Comparison(test.at, "=", node.operand, test))

    def _elements(self, node: tree.Elements) -> resolved.Value:
        values = tuple(self._numeric(value) for value in node.values)
        column = types.unify(values) or types.DOUBLE
        return resolved.Elements(Column("", column.datatype, str(len(values)), unit=column.unit), values)

    def _scalar(self, node: tree.ScalarQuery) -> resolved.Value:
        query = self.queries.subquery(node.query, self.scope)
        self._single(node, query)
        return resolved.ScalarQuery(query.columns[0], query)

    def _single(self, node: tree.Node, query: resolved.Query) -> None:
        if len(query.columns) != 1:
            self.fail(node.at, f"A subquery that stands for a value has one column, not {len(query.columns)}.")

    def _over(self, node: tree.Over) -> resolved.Value:
        if isinstance(node.function, tree.Call):
            function = self._window_function(node.function)
        else:
            function = self._set_function(node.function)
            if node.function.distinct:
                self.fail(node.at, "DISTINCT is not possible in a window function.")
        partition = tuple(self.value(part) for part in node.partition)
        return resolved.Over(function.column, function, partition, tuple((self.value(key.value), key.descending) for key in node.order))

    def _window_function(self, node: tree.Call) -> resolved.Value:
        if node.name not in WINDOW_FUNCTIONS:
            listed = (*WINDOW_FUNCTIONS, "COUNT", "SUM", "AVG", "MIN", "MAX")
            self.fail(node.at, f"{node.name} is not a window function.", word=node.name, expected=listed)
        if node.arguments:
            self.fail(node.at, f"{node.name} has no arguments.", word=node.name)
        return resolved.Call(types.LONG, WINDOW_FUNCTIONS[node.name], ())

    # conditions

    def _comparison(self, node: tree.Comparison) -> resolved.Condition:
        left, right = self._comparable(node, (node.left, node.right), ordered=node.sign not in ("=", "<>"))
        return resolved.Comparison(node.sign, left, right)

    def _comparable(self, node: tree.Node, nodes: tuple[tree.Value, ...], *, ordered: bool = True) -> tuple[resolved.Value, ...]:
        """Values that may be compared with each other; constants are made to fit."""
        found = self._alike(nodes)
        kinds = list(dict.fromkeys(kind for item in found if (kind := types.category(item)) != "null"))
        if len(kinds) > 1:
            words = " and ".join(types.CATEGORY_WORDS[kind] for kind in kinds[:2])
            self.fail(node.at, f"One cannot compare {words}.", hint="Texts stand in single quotes, numbers in none; CAST converts.")
        if ordered and kinds and kinds[0] in ("geometry", "array", "boolean"):
            self.fail(node.at, f"There is no order of {types.CATEGORY_WORDS[kinds[0]]}.")
        return found

    def _between(self, node: tree.Between) -> resolved.Condition:
        operand, low, high = self._comparable(node, (node.operand, node.low, node.high))
        return resolved.Between(operand, low, high, node.negated)

    def _in_values(self, node: tree.InValues) -> resolved.Condition:
        operand, *values = self._comparable(node, (node.operand, *node.values), ordered=False)
        return resolved.InValues(operand, tuple(values), node.negated)

    def _in_query(self, node: tree.InQuery) -> resolved.Condition:
        operand = self.value(node.operand)
        query = self.queries.subquery(node.query, self.scope)
        self._single(node.query, query)
        kind, other = types.category(operand), types.category_of(query.columns[0])
        if kind not in (other, "null"):
            self.fail(node.at, f"One cannot compare {types.CATEGORY_WORDS[kind]} and {types.CATEGORY_WORDS[other]}.")
        return resolved.InQuery(operand, query, node.negated)

    def _like(self, node: tree.Like) -> resolved.Condition:
        operand, pattern = self.value(node.operand), self.value(node.pattern)
        for part, found in ((node.operand, operand), (node.pattern, pattern)):
            if types.category(found) not in ("text", "null"):
                self.fail(part.at, f"LIKE compares texts, and this is {types.CATEGORY_WORDS[types.category(found)]}.", expected=("a text",))
        return resolved.Like(operand, pattern, node.negated, node.fold)

    def _is_null(self, node: tree.IsNull) -> resolved.Condition:
        return resolved.IsNull(self.value(node.operand), node.negated)

    def _exists(self, node: tree.Exists) -> resolved.Condition:
        return resolved.Exists(self.queries.subquery(node.query, self.scope))

    def _negation(self, node: tree.Not) -> resolved.Condition:
        return resolved.Not(self.condition(node.operand))

    def _logical(self, node: tree.Logical) -> resolved.Condition:
        return resolved.Logical(node.word, tuple(self.condition(operand) for operand in node.operands))

    def _holds(self, node: tree.Holds) -> resolved.Condition:
        return resolved.Comparison("=", self.value(node.call), resolved.Constant(types.INT, 1))


def _plain(column: Column) -> Column:
    """Type and unit of a value that was computed: it is no longer the column it came from."""
    return _typed(column, column.unit)


def _typed(column: Column, unit: str | None) -> Column:
    return Column("", column.datatype, column.arraysize, column.xtype, unit)


def _calculated(sign: str, left: Column, operand: resolved.Value) -> Column:
    right = operand.column if types.category(operand) == "number" else types.INT
    unit = _UNITS[sign](left.unit, right.unit)
    return Column("", types.arithmetic(left, right), unit=unit)


_UNITS: dict[str, Callable[[str | None, str | None], str | None]] = {
    "*": units.product,
    "/": units.ratio,
    "+": units.common,
    "-": units.common,
    "%": lambda left, _: left,
}
_COUNT = Column("", "long", ucd="meta.number")
_CASTABLE: dict[types.Category, tuple[types.Category, ...]] = {
    "number": ("number", "text", "boolean"),
    "text": ("number", "text", "timestamp", "boolean"),
    "timestamp": ("timestamp", "text"),
    "geometry": ("geometry", "text"),
}
"""What CAST can make a number, a text … of."""


def _like_first(arguments: tuple[resolved.Value, ...]) -> Column:
    column = arguments[0].column
    return Column("", column.datatype) if types.category(arguments[0]) == "number" else types.DOUBLE


def _integer_if_all(arguments: tuple[resolved.Value, ...]) -> Column:
    whole = all(argument.column.datatype in INTEGERS for argument in arguments)
    return Column("", types.arithmetic(arguments[0].column, arguments[1].column)) if whole else types.DOUBLE


def _text(arguments: tuple[resolved.Value, ...]) -> Column:
    return types.UNICODE if any(argument.column.datatype == "unicodeChar" for argument in arguments) else types.TEXT


_RESULTS: dict[str, Callable[[tuple[resolved.Value, ...]], Column]] = {
    "double": lambda _: types.DOUBLE,
    "int": lambda _: types.INT,
    "long": lambda _: types.LONG,
    "integers": lambda _: types.INTEGER_ARRAY,
    "like last": lambda arguments: _plain(arguments[-1].column) if types.category(arguments[-1]) == "geometry" else types.POLYGON,
    "moc": lambda _: types.MOC,
    "point": lambda _: types.POINT,
    "circle": lambda _: types.CIRCLE,
    "polygon": lambda _: types.POLYGON,
    "text": _text,
    "like first": _like_first,
    "integer if all integers": _integer_if_all,
}
"""Rules of the function table → types."""

WINDOW_FUNCTIONS = {name: Function(name, (), "long", f"{name.lower()}()") for name in ("ROW_NUMBER", "RANK", "DENSE_RANK")}

_VALUES: dict[type, Callable[..., resolved.Value]] = {
    tree.Number: Expressions._number,
    tree.Text: Expressions._text_value,
    tree.Null: Expressions._null,
    tree.Boolean: Expressions._boolean,
    tree.ColumnName: Expressions._column,
    tree.Call: Expressions._call,
    tree.Aggregate: Expressions._aggregate,
    tree.Cast: Expressions._cast,
    tree.Case: Expressions._case,
    tree.Elements: Expressions._elements,
    tree.Sign: Expressions._sign,
    tree.Chain: Expressions._chain,
    tree.ScalarQuery: Expressions._scalar,
    tree.Over: Expressions._over,
}
_CONDITIONS: dict[type, Callable[..., resolved.Condition]] = {
    tree.Comparison: Expressions._comparison,
    tree.Between: Expressions._between,
    tree.InValues: Expressions._in_values,
    tree.InQuery: Expressions._in_query,
    tree.Like: Expressions._like,
    tree.IsNull: Expressions._is_null,
    tree.Exists: Expressions._exists,
    tree.Not: Expressions._negation,
    tree.Logical: Expressions._logical,
    tree.Holds: Expressions._holds,
}
