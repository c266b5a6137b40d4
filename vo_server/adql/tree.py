"""What a query says, before anybody asks what its names mean: the whole of ADQL 2.1 and our extensions.

``at`` is the offset of a node's first character in the text. Chains of one precedence (``a - b + c``, ``x OR y OR z``) are flat,
so that long ones need no deep recursion.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Node:
    """Anything with a place in the text."""

    at: int


@dataclass(frozen=True, slots=True)
class Identifier(Node):
    """A name; ``delimited`` if it stood in double quotes, and so is case-sensitive (§2.1.6)."""

    text: str
    delimited: bool = False

    def __str__(self) -> str:
        return '"' + self.text.replace('"', '""') + '"' if self.delimited else self.text


class Value(Node):
    """An expression that has a value."""

    __slots__ = ()


class Condition(Node):
    """An expression that is true, false or unknown."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Number(Value):
    """An unsigned number: int for integers (and hexadecimal ones, an extension), float otherwise."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Text(Value):
    """A text in single quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Null(Value):
    """NULL, wherever a value may stand (BNF value_expression)."""


@dataclass(frozen=True, slots=True)
class Boolean(Value):
    """TRUE or FALSE (extension: for boolean columns)."""

    value: bool


@dataclass(frozen=True, slots=True)
class ColumnName(Value):
    """``[[[catalog.]schema.]table.]column``."""

    parts: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class Call(Value):
    """A function with its arguments; ``name`` in capitals. A coordinate system is a first argument of class Text."""

    name: str
    arguments: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Aggregate(Value):
    """A set function; ``argument`` is None in ``COUNT(*)``."""

    name: str
    argument: Value | None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Cast(Value):
    """``CAST(operand AS type)``; ``length`` of CHAR(n) and VARCHAR(n) (§4.7)."""

    operand: Value
    type: str
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Case(Value):
    """CASE (extension). With ``operand`` the branches begin with values, without with conditions."""

    operand: Value | None
    branches: tuple[tuple[Value | Condition, Value], ...]
    otherwise: Value | None


@dataclass(frozen=True, slots=True)
class Elements(Value):
    """Numbers as the elements of one array, NULL if one of them is. No text says this: it is for SIAP 1 and SSAP."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Sign(Value):
    """Unary ``-`` or ``+``."""

    sign: str
    operand: Value


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a chain: the operator, its offset, and its right operand."""

    sign: str
    at: int
    operand: Value


@dataclass(frozen=True, slots=True)
class Chain(Value):
    """Left-associative operations of one precedence: ``+ -``, ``* / %`` or ``||``."""

    first: Value
    rest: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class ScalarQuery(Value):
    """A query used as a value (extension)."""

    query: "Query"


@dataclass(frozen=True, slots=True)
class Over(Value):
    """A window function (extension)."""

    function: Call | Aggregate
    partition: tuple[Value, ...]
    order: "tuple[OrderKey, ...]"


@dataclass(frozen=True, slots=True)
class Comparison(Condition):
    """``= <> < > <= >=``."""

    sign: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Between(Condition):
    """``[NOT] BETWEEN``."""

    operand: Value
    low: Value
    high: Value
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InValues(Condition):
    """``[NOT] IN (values)``."""

    operand: Value
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InQuery(Condition):
    """``[NOT] IN (query)``."""

    operand: Value
    query: "Query"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Like(Condition):
    """``[NOT] LIKE`` and, with ``fold``, ``ILIKE`` (§4.4.3)."""

    operand: Value
    pattern: Value
    negated: bool = False
    fold: bool = False


@dataclass(frozen=True, slots=True)
class IsNull(Condition):
    """``IS [NOT] NULL``."""

    operand: Value
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Exists(Condition):
    """``EXISTS (query)``."""

    query: "Query"


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """``NOT``."""

    operand: Condition


@dataclass(frozen=True, slots=True)
class Logical(Condition):
    """``AND`` or ``OR`` of two or more conditions."""

    word: str
    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Holds(Condition):
    """A geometrical predicate without ``= 1`` (extension): CONTAINS(…) or INTERSECTS(…) standing alone."""

    call: Call


@dataclass(frozen=True, slots=True)
class Star(Node):
    """``*`` or, with ``qualifier``, ``table.*``."""

    qualifier: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Item(Node):
    """An expression of a select list and the name given to it."""

    value: Value
    alias: Identifier | None = None


@dataclass(frozen=True, slots=True)
class TableName(Node):
    """``[[catalog.]schema.]table [AS alias]``."""

    parts: tuple[Identifier, ...]
    alias: Identifier | None = None


@dataclass(frozen=True, slots=True)
class Derived(Node):
    """``(query) AS alias``."""

    query: "Query"
    alias: Identifier


@dataclass(frozen=True, slots=True)
class Join(Node):
    """Two tables joined. ``kind`` is INNER, LEFT, RIGHT, FULL or CROSS; at most one of ``natural``, ``on``, ``using`` is set."""

    kind: str
    left: "TableReference"
    right: "TableReference"
    natural: bool = False
    on: Condition | None = None
    using: tuple[Identifier, ...] = ()


TableReference = TableName | Derived | Join


@dataclass(frozen=True, slots=True)
class OrderKey(Node):
    """One key of ORDER BY; a Number of class int is a position in the select list."""

    value: Value
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Select(Node):
    """One SELECT, without the ORDER BY and OFFSET that belong to the query around it."""

    items: tuple[Item | Star, ...]
    tables: tuple[TableReference, ...]
    where: Condition | None = None
    group: tuple[Value, ...] = ()
    having: Condition | None = None
    distinct: bool = False
    top: int | None = None


@dataclass(frozen=True, slots=True)
class SetOperation(Node):
    """UNION, EXCEPT or INTERSECT (§4.6). An operand that is a Query stood in parentheses."""

    word: str
    all: bool
    left: "Body"
    right: "Body"


@dataclass(frozen=True, slots=True)
class CommonTable(Node):
    """One table of a WITH clause (§4.5)."""

    name: Identifier
    query: "Query"


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A query expression; ``text`` is what the user wrote (for messages), empty if the tree was built by program."""

    body: "Body"
    order: tuple[OrderKey, ...] = ()
    offset: int | None = None
    common: tuple[CommonTable, ...] = ()
    text: str = ""


Body = Select | SetOperation | Query


def walk(part: object) -> Iterator[Node | Operation]:
    """A node (or tuple of nodes) and all inside it, from the outside inwards, in the order of the text."""
    waiting = [part]
    while waiting:
        found = waiting.pop()
        if isinstance(found, tuple):
            waiting += reversed(found)
        elif isinstance(found, Node | Operation):
            yield found
            waiting += [getattr(found, entry.name) for entry in reversed(fields(found))]
