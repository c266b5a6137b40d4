"""Values and conditions → SQL.

Compound parts stand in parentheses wherever they are part of something else, so that precedence never has to be thought about.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from vo_server.adql import resolved
from vo_server.adql.functions import PREDICATES, Function
from vo_server.adql.types import category
from vo_server.adql.units import conversion
from vo_server.model.columns import INTEGERS
from vo_server.sql import geometry
from vo_server.sql.errors import MisfitError
from vo_server.sql.literals import number, quote_identifier, quote_text
from vo_server.sql.work import Work

_MIRRORED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_TYPES = {
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "REAL": "real",
    "DOUBLE PRECISION": "float8",
    "CHAR": "text",
    "VARCHAR": "text",
    "TIMESTAMP": "timestamp",
}
_SHAPES = ("POINT", "CIRCLE", "POLYGON")


class Renderer(ABC):
    """Writes the values and conditions of one statement, in which some things are counted, since they take time."""

    def __init__(self) -> None:
        self.work = Work()

    @abstractmethod
    def query_sql(self, query: resolved.Query) -> str:
        """A query inside an expression, without parentheses around it."""

    @abstractmethod
    def exists_sql(self, query: resolved.Query) -> str:
        """Whether a query has rows."""

    def value(self, value: resolved.Value) -> str:
        """The SQL of a value. Raises MisfitError if the statement has become too long."""
        text = _VALUES[type(value)](self, value)
        if not self.work.may_write(len(text)):
            raise MisfitError("This makes too long an SQL statement.", getattr(value, "at", 0), "Use WITH to compute its parts.")
        return text

    def atom(self, value: resolved.Value) -> str:
        """The SQL of a value as part of a larger expression."""
        text = self.value(value)
        return text if isinstance(value, _ATOMS) else f"({text})"

    def cast(self, value: resolved.Value, sql_type: str) -> str:
        """A value cast to a type."""
        return f"{self.atom(value)}::{sql_type}"

    def double(self, value: resolved.Value) -> str:
        """A number as double precision; only what is not so already is cast."""
        if value.column.datatype == "double" and isinstance(value, resolved.Reference | resolved.Constant):
            return self.value(value)
        return self.cast(value, "float8")

    def condition(self, condition: resolved.Condition, opposite: bool = False) -> str:
        """The SQL of a condition, or of its opposite.

        NOT is moved inwards as far as it goes: the opposite of a geometrical test is one of its own (see ``geometry.Test``).
        """
        kind = type(condition)
        if kind in _TURNING:
            return _TURNING[kind](self, condition, opposite)
        text = _CONDITIONS[kind](self, condition)
        return f"NOT ({text})" if opposite else text

    def part(self, condition: resolved.Condition, opposite: bool = False) -> str:
        """The SQL of a condition, or of its opposite, as part of a larger one."""
        return f"({self.condition(condition, opposite)})"

    # values

    def _reference(self, value: resolved.Reference) -> str:
        return f"{value.source.alias}.{quote_identifier(value.name)}"

    def _constant(self, value: resolved.Constant) -> str:
        if value.value is None:
            return "NULL" if value.column.is_text else f"NULL::{value.column.sql_type}"
        if isinstance(value.value, bool):
            return "TRUE" if value.value else "FALSE"
        if isinstance(value.value, str):
            prefix = "TIMESTAMP " if value.column.is_timestamp else ""
            return prefix + quote_text(value.value)
        return number(value.value)

    def _call(self, value: resolved.Call) -> str:
        special = _CALLS.get(value.function.name)
        if special is not None:
            return special(self, value)
        if value.function.sql is None:
            return geometry.render(self, value)
        return self._template(value.function, value.arguments)

    def _template(self, function: Function, arguments: tuple[resolved.Value, ...]) -> str:
        return (function.sql or "").format(*(self.atom(argument) for argument in arguments))

    def _modulo(self, value: resolved.Call) -> str:
        left, right = value.arguments
        if value.column.datatype in INTEGERS:
            return f"mod({self.value(left)}, {self.value(right)})"
        return f"vo.mod({self.double(left)}, {self.double(right)})"

    def _rounded(self, value: resolved.Call) -> str:
        places = self.cast(value.arguments[1], "integer") if len(value.arguments) == 2 else "0"
        return f"vo.{value.function.name.lower()}({self.double(value.arguments[0])}, {places})"

    def _choice(self, value: resolved.Call) -> str:
        arguments = ", ".join(self.cast(argument, value.column.sql_type) for argument in value.arguments)
        return f"{value.function.name.lower()}({arguments})"

    def _in_unit(self, value: resolved.Call) -> str:
        operand = value.arguments[0]
        factor = conversion(operand.column.unit or "", value.column.unit or "")
        return f"({self.atom(operand)} * {number(factor)})"

    def _aggregate(self, value: resolved.Aggregate) -> str:
        return self._set_function(value) + _settled(value)

    def _set_function(self, value: resolved.Aggregate) -> str:
        """A set function, of the type that PostgreSQL gives it."""
        if value.argument is None:
            return "count(*)"
        if value.function is not None:
            return self._template(value.function, (value.argument, *value.others))
        distinct = "DISTINCT " if value.distinct else ""
        argument = self.value(value.argument)
        if value.name in ("SUM", "AVG") and value.argument.column.datatype not in INTEGERS:
            argument = self.double(value.argument)
        return f"{value.name.lower()}({distinct}{argument})"

    def _cast_value(self, value: resolved.Cast) -> str:
        if value.type in _SHAPES:
            return geometry.shape_of_text(self, value)
        if not value.type:
            return self.cast(value.operand, value.column.sql_type)
        if category(value.operand) == "timestamp" and value.type in ("CHAR", "VARCHAR"):
            text = f"replace({self.cast(value.operand, 'text')}, ' ', 'T')"
            return text if value.length is None else f"left({text}, {value.length})"
        if value.length is not None:
            return f"left({self.cast(value.operand, 'text')}, {value.length})"
        if category(value.operand) == "boolean" and value.type in ("SMALLINT", "BIGINT", "REAL", "DOUBLE PRECISION"):
            return f"{self.cast(value.operand, 'integer')}::{_TYPES[value.type]}"
        return self.cast(value.operand, _TYPES[value.type])

    def _case(self, value: resolved.Case) -> str:
        kind = value.column.sql_type
        branches = " ".join(f"WHEN {self.condition(test)} THEN {self.cast(result, kind)}" for test, result in value.branches)
        otherwise = f" ELSE {self.cast(value.otherwise, kind)}" if value.otherwise is not None else ""
        return f"CASE {branches}{otherwise} END"

    def _elements(self, value: resolved.Elements) -> str:
        parts = [self.value(part) for part in value.values]
        missing = " OR ".join(f"{self.atom(part)} IS NULL" for part in value.values)
        return f"CASE WHEN {missing} THEN NULL ELSE ARRAY[{', '.join(parts)}]::{value.column.sql_type} END"

    def _sign(self, value: resolved.Sign) -> str:
        return f"{value.sign}{self.atom(value.operand)}"

    def _chain(self, value: resolved.Chain) -> str:
        """PostgreSQL has no ``%`` for doubles."""
        text = self.atom(value.first)
        whole = all(part.column.datatype in INTEGERS for part in (value.first, *(part for _, part in value.rest)))
        for sign, part in value.rest:
            text = f"vo.mod(({text})::float8, {self.double(part)})" if sign == "%" and not whole else f"{text} {sign} {self.atom(part)}"
        return text

    def _scalar(self, value: resolved.ScalarQuery) -> str:
        return f"({self.query_sql(value.query)})"

    def _union(self, value: resolved.Union) -> str:
        raise MisfitError("A union of shapes has no place in a result; CONTAINS and INTERSECTS take it.", value.parts[0].at)

    def _over(self, value: resolved.Over) -> str:
        parts = []
        if value.partition:
            parts.append(f"PARTITION BY {', '.join(self.value(part) for part in value.partition)}")
        if value.order:
            parts.append(f"ORDER BY {', '.join(self.value(key) + (' DESC' if descending else '') for key, descending in value.order)}")
        if isinstance(value.function, resolved.Aggregate):
            return f"{self._set_function(value.function)} OVER ({' '.join(parts)}){_settled(value.function)}"
        return f"{self.value(value.function)} OVER ({' '.join(parts)})"

    # conditions

    def _comparison(self, condition: resolved.Comparison, opposite: bool) -> str:
        spatial = geometry.comparison(self, *oriented(condition), opposite)
        if spatial:
            return spatial
        text = f"{self.atom(condition.left)} {condition.sign} {self.atom(condition.right)}"
        return f"NOT ({text})" if opposite else text

    def _between(self, condition: resolved.Between) -> str:
        word = "NOT BETWEEN" if condition.negated else "BETWEEN"
        return f"{self.atom(condition.operand)} {word} {self.atom(condition.low)} AND {self.atom(condition.high)}"

    def _in_values(self, condition: resolved.InValues) -> str:
        word = "NOT IN" if condition.negated else "IN"
        return f"{self.atom(condition.operand)} {word} ({', '.join(self.value(item) for item in condition.values)})"

    def _in_query(self, condition: resolved.InQuery) -> str:
        word = "NOT IN" if condition.negated else "IN"
        return f"{self.atom(condition.operand)} {word} ({self.query_sql(condition.query)})"

    def _like(self, condition: resolved.Like) -> str:
        """A backslash in a pattern is an ordinary character, so that no character escapes."""
        word = ("NOT " if condition.negated else "") + ("ILIKE" if condition.fold else "LIKE")
        return f"{self.atom(condition.operand)} {word} {self.atom(condition.pattern)} ESCAPE ''"

    def _is_null(self, condition: resolved.IsNull) -> str:
        return f"{self.atom(condition.operand)} IS {'NOT ' if condition.negated else ''}NULL"

    def _exists(self, condition: resolved.Exists) -> str:
        return self.exists_sql(condition.query)

    def _negation(self, condition: resolved.Not, opposite: bool) -> str:
        return self.condition(condition.operand, not opposite)

    def _logical(self, condition: resolved.Logical, opposite: bool) -> str:
        word = {"AND": "OR", "OR": "AND"}[condition.word] if opposite else condition.word
        return f" {word} ".join(self.part(operand, opposite) for operand in condition.operands)


def _settled(value: resolved.Aggregate) -> str:
    """The cast behind sums and means, which PostgreSQL computes of integers as numeric: those would not divide as integers do."""
    return f"::{value.column.sql_type}" if value.name in ("SUM", "AVG") else ""


def oriented(condition: resolved.Comparison) -> tuple[resolved.Value, str, resolved.Value]:
    """A comparison with the geometrical function, if there is one, on the left."""
    right = condition.right
    if isinstance(right, resolved.Call) and right.function.name in (*PREDICATES, "DISTANCE"):
        return right, _MIRRORED[condition.sign], condition.left
    return condition.left, condition.sign, condition.right


_ATOMS = (resolved.Reference, resolved.Call, resolved.Aggregate, resolved.ScalarQuery, resolved.Constant)
"""What needs no parentheses inside a larger expression."""

_CALLS: dict[str, Callable[[Renderer, resolved.Call], str]] = {
    "MOD": Renderer._modulo,
    "ROUND": Renderer._rounded,
    "TRUNCATE": Renderer._rounded,
    "COALESCE": Renderer._choice,
    "GREATEST": Renderer._choice,
    "LEAST": Renderer._choice,
    "IN_UNIT": Renderer._in_unit,
}
_VALUES: dict[type, Callable[..., str]] = {
    resolved.Reference: Renderer._reference,
    resolved.Constant: Renderer._constant,
    resolved.Call: Renderer._call,
    resolved.Aggregate: Renderer._aggregate,
    resolved.Cast: Renderer._cast_value,
    resolved.Case: Renderer._case,
    resolved.Elements: Renderer._elements,
    resolved.Sign: Renderer._sign,
    resolved.Chain: Renderer._chain,
    resolved.ScalarQuery: Renderer._scalar,
    resolved.Over: Renderer._over,
    resolved.Union: Renderer._union,
}
_CONDITIONS: dict[type, Callable[..., str]] = {
    resolved.Between: Renderer._between,
    resolved.InValues: Renderer._in_values,
    resolved.InQuery: Renderer._in_query,
    resolved.Like: Renderer._like,
    resolved.IsNull: Renderer._is_null,
    resolved.Exists: Renderer._exists,
}
_TURNING: dict[type, Callable[..., str]] = {
    resolved.Comparison: Renderer._comparison,
    resolved.Not: Renderer._negation,
    resolved.Logical: Renderer._logical,
}
"""Conditions whose opposite is written without NOT in front."""
