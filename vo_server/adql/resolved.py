"""What a query means: every name bound to a published column, every value typed, every ``*`` spelled out.

``column`` of a value is its type and metadata (its name is empty unless it is a plain column). Sources carry the alias that SQL gives
them; two are the same only if they are the same object.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache

from vo_server.adql.functions import Function
from vo_server.model.catalogue import Table
from vo_server.model.columns import Column


@dataclass(frozen=True, slots=True)
class Value:
    """Something with a value."""

    column: Column


class Condition:
    """Something that is true, false or unknown."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A column that a source offers: its metadata, and its name in SQL."""

    column: Column
    sql: str


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A table of a FROM clause. ``label`` is what users call it; ``alias`` its name in SQL, unique in the whole statement.

    ``position``: the columns (SQL names of RA and Dec) whose cells an index knows.
    """

    alias: str
    label: str
    fields: tuple[Field, ...]
    position: tuple[str, str] | None


@dataclass(frozen=True, slots=True, eq=False)
class TableSource(Source):
    """A published table."""

    table: Table


@dataclass(frozen=True, slots=True, eq=False)
class QuerySource(Source):
    """A subquery in the FROM clause."""

    query: "Query"


@dataclass(frozen=True, slots=True, eq=False)
class CommonSource(Source):
    """A use of a common table; ``name`` is that table's name in SQL."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class JoinSource:
    """Two tables joined. ``kind`` is INNER, LEFT, FULL or CROSS, for a RIGHT JOIN is a LEFT JOIN the other way; ``on`` is None for a
    cross join.
    """

    kind: str
    left: "From"
    right: "From"
    on: Condition | None


From = TableSource | QuerySource | CommonSource | JoinSource


@dataclass(frozen=True, slots=True)
class Reference(Value):
    """A column of a source; ``name`` is its name in SQL."""

    source: Source
    name: str


@dataclass(frozen=True, slots=True)
class Constant(Value):
    """A number, a text, a truth value or (None) NULL."""

    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Call(Value):
    """A function of the table, with its arguments; the coordinate system is gone. ``at`` is its place in the text, for messages."""

    function: Function
    arguments: tuple[Value, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Union(Value):
    """The shapes of a REGION that are one region."""

    parts: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Aggregate(Value):
    """A set function; ``argument`` is None in COUNT(*). ``function`` is set, and ``others`` may be, for those of the function table."""

    name: str
    argument: Value | None
    distinct: bool
    function: Function | None = None
    others: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Cast(Value):
    """CAST; ``length`` cuts texts."""

    operand: Value
    type: str
    length: int | None


@dataclass(frozen=True, slots=True)
class Case(Value):
    """CASE with conditions: the other form has become comparisons."""

    branches: tuple[tuple[Condition, Value], ...]
    otherwise: Value | None


@dataclass(frozen=True, slots=True)
class Elements(Value):
    """Numbers as the elements of one array, NULL if one of them is."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Sign(Value):
    """Unary minus or plus."""

    sign: str
    operand: Value


@dataclass(frozen=True, slots=True)
class Chain(Value):
    """Left-associative operations of one precedence: ((sign, operand), …)."""

    first: Value
    rest: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class ScalarQuery(Value):
    """A query of one column used as a value."""

    query: "Query"


@dataclass(frozen=True, slots=True)
class Over(Value):
    """A window function."""

    function: Value
    partition: tuple[Value, ...]
    order: "tuple[tuple[Value, bool], ...]"


@dataclass(frozen=True, slots=True)
class Comparison(Condition):
    """``= <> < > <= >=``."""

    sign: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Between(Condition):
    """BETWEEN."""

    operand: Value
    low: Value
    high: Value
    negated: bool


@dataclass(frozen=True, slots=True)
class InValues(Condition):
    """IN with a list."""

    operand: Value
    values: tuple[Value, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class InQuery(Condition):
    """IN with a query."""

    operand: Value
    query: "Query"
    negated: bool


@dataclass(frozen=True, slots=True)
class Like(Condition):
    """LIKE, ILIKE."""

    operand: Value
    pattern: Value
    negated: bool
    fold: bool


@dataclass(frozen=True, slots=True)
class IsNull(Condition):
    """IS NULL."""

    operand: Value
    negated: bool


@dataclass(frozen=True, slots=True)
class Exists(Condition):
    """EXISTS."""

    query: "Query"


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """NOT."""

    operand: Condition


@dataclass(frozen=True, slots=True)
class Logical(Condition):
    """AND, OR."""

    word: str
    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a result: its value and its final metadata with a unique name."""

    value: Value
    column: Column


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT."""

    outputs: tuple[Output, ...]
    tables: tuple[From, ...]
    where: Condition | None = None
    group: tuple[Value, ...] = ()
    having: Condition | None = None
    distinct: bool = False
    top: int | None = None


@dataclass(frozen=True, slots=True)
class SetOperation:
    """UNION, EXCEPT, INTERSECT of operands whose columns have been made alike."""

    word: str
    all: bool
    left: "Body"
    right: "Body"


@dataclass(frozen=True, slots=True)
class CommonTable:
    """A common table: its name in SQL, its query, and the results of it whose cells an index knows."""

    name: str
    query: "Query"
    position: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Query:
    """A query. ``columns`` are its results; a key of ``order`` is a position (from 1) or a value, with whether it descends."""

    body: "Body"
    columns: tuple[Column, ...]
    order: tuple[tuple[int | Value, bool], ...] = ()
    offset: int | None = None
    common: tuple[CommonTable, ...] = ()
    text: str = field(default="", compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """Of the whole statement: what it means, and its author may not have meant."""
    tables: tuple[str, ...] = field(default=(), compare=False)
    """Full names of the published tables that the whole statement reads, as they are first named."""


Body = Select | SetOperation | Query


# walking


def sources(table: From) -> Iterator[Source]:
    """The tables of a table reference, from left to right."""
    if isinstance(table, JoinSource):
        yield from sources(table.left)
        yield from sources(table.right)
    else:
        yield table


def joins(table: From) -> Iterator[JoinSource]:
    """The joins of a table reference, the innermost first."""
    if isinstance(table, JoinSource):
        yield from joins(table.left)
        yield from joins(table.right)
        yield table


def conjuncts(condition: Condition | None) -> Iterator[Condition]:
    """The conditions that must all be true for `condition` to be."""
    if isinstance(condition, Logical) and condition.word == "AND":
        for operand in condition.operands:
            yield from conjuncts(operand)
    elif condition is not None:
        yield condition


def equates(condition: Condition | None, left: From, right: From) -> bool:
    """Whether a condition equates something of one table with something of the other: PostgreSQL joins fully by nothing else."""
    ones, others = set(sources(left)), set(sources(right))
    for part in conjuncts(condition):
        if isinstance(part, Comparison) and part.sign == "=":
            sides = [set(references(part.left)), set(references(part.right))]
            if all(sides) and any(one <= ones and other <= others for one, other in (sides, sides[::-1])):
                return True
    return False


def holds_query(part: object) -> bool:
    """Whether a value or condition has a query inside."""
    if isinstance(part, tuple):
        return any(map(holds_query, part))
    if not isinstance(part, Value | Condition) or isinstance(part, Reference | Constant):
        return isinstance(part, Query)
    return any(holds_query(getattr(part, entry.name)) for entry in fields(part))  # type: ignore[arg-type]


def references(part: object) -> Iterator[Source]:
    """The tables whose columns a value or condition names."""
    waiting = [part]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Reference):
            yield item.source
        else:
            waiting += reversed(list(inside(item)))


def inside(part: object) -> Iterator[object]:
    """What a tuple, value, condition or query is made of; constants and what is published apart."""
    if isinstance(part, tuple):
        yield from part
    elif is_dataclass(part) and not isinstance(part, type | Constant | Column | Field | Table):
        for name in parts_of(type(part)):
            yield getattr(part, name)


@cache
def parts_of(kind: type) -> tuple[str, ...]:
    """The names of what a class is made of; types of values apart, which name nothing."""
    return tuple(entry.name for entry in fields(kind) if entry.name != "column")
