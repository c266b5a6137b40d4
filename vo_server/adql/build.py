"""Queries without text, for protocols whose parameters are a query (Simple Cone Search, SIA 2).

Values are Python's; names are taken as they are spelled in the catalogue.
"""

from collections.abc import Iterable, Sequence

from vo_server.adql import tree

Plain = int | float | str | bool | None


def name(text: str) -> tree.Identifier:
    """A name, taken literally."""
    return tree.Identifier(0, text, delimited=True)


def column(*parts: str) -> tree.ColumnName:
    """A column, for instance ``column("s_ra")`` or ``column("t", "s_ra")``."""
    return tree.ColumnName(0, tuple(name(part) for part in parts))


def value(plain: Plain | tree.Value) -> tree.Value:
    """A Python value as a constant; what is a tree already stays."""
    if isinstance(plain, tree.Node):
        return plain
    if plain is None:
        return tree.Null(0)
    if isinstance(plain, bool):
        return tree.Boolean(0, plain)
    if isinstance(plain, str):
        return tree.Text(0, plain)
    return tree.Sign(0, "-", tree.Number(0, -plain)) if plain < 0 else tree.Number(0, plain)


def call(function: str, *arguments: Plain | tree.Value) -> tree.Call:
    """A function."""
    return tree.Call(0, function, tuple(value(argument) for argument in arguments))


def compare(left: Plain | tree.Value, sign: str, right: Plain | tree.Value) -> tree.Comparison:
    """A comparison; `sign` is one of ``= <> < > <= >=``."""
    return tree.Comparison(0, sign, value(left), value(right))


def within(ra: tree.Value, dec: tree.Value, center_ra: float, center_dec: float, radius: float) -> tree.Condition:
    """Whether a position lies in a cone or on its rim; degrees."""
    return compare(call("CONTAINS", call("POINT", ra, dec), call("CIRCLE", center_ra, center_dec, radius)), "=", 1)


def array(*elements: Plain | tree.Value) -> tree.Elements:
    """Numbers as one array; NULL if one of them is."""
    return tree.Elements(0, tuple(value(element) for element in elements))


def calculate(first: Plain | tree.Value, *rest: tuple[str, Plain | tree.Value]) -> tree.Chain:
    """Operations of one precedence, such as ``calculate(column("a"), ("+", column("b")), ("-", 1))``."""
    return tree.Chain(0, value(first), tuple(tree.Operation(sign, 0, value(operand)) for sign, operand in rest))


def cast(operand: Plain | tree.Value, type_: str) -> tree.Cast:
    """CAST to a type of ADQL, such as ``INTEGER``."""
    return tree.Cast(0, value(operand), type_)


def circle(ra: float, dec: float, radius: float) -> tree.Call:
    """A circle; degrees."""
    return call("CIRCLE", ra, dec, radius)


def polygon(coordinates: Iterable[float]) -> tree.Call:
    """A polygon from ra, dec, ra, dec …; degrees."""
    return call("POLYGON", *coordinates)


def contains(outer: tree.Value, inner: tree.Value) -> tree.Condition:
    """Whether the second region or point lies wholly in the first."""
    return compare(call("CONTAINS", inner, outer), "=", 1)


def meets(left: tree.Value, right: tree.Value) -> tree.Condition:
    """Whether two regions have a point in common."""
    return compare(call("INTERSECTS", left, right), "=", 1)


def one_of(operand: tree.Value, values: Sequence[Plain]) -> tree.Condition:
    """Whether `operand` is one of `values`."""
    return tree.InValues(0, operand, tuple(value(item) for item in values))


def like(operand: tree.Value, pattern: str, *, fold: bool = False) -> tree.Condition:
    """LIKE, or ILIKE with `fold`."""
    return tree.Like(0, operand, tree.Text(0, pattern), fold=fold)


def is_null(operand: tree.Value, *, negated: bool = False) -> tree.Condition:
    """IS NULL."""
    return tree.IsNull(0, operand, negated)


def no(condition: tree.Condition) -> tree.Condition:
    """NOT."""
    return tree.Not(0, condition)


def every(conditions: Iterable[tree.Condition]) -> tree.Condition | None:
    """All of the conditions; None if there are none."""
    return _joined("AND", tuple(conditions))


def some(conditions: Iterable[tree.Condition]) -> tree.Condition | None:
    """At least one of the conditions; None if there are none."""
    return _joined("OR", tuple(conditions))


def _joined(word: str, conditions: tuple[tree.Condition, ...]) -> tree.Condition | None:
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return tree.Logical(0, word, conditions)


def select(
    table: Sequence[str],
    columns: Iterable[str | tree.Value] | None = None,
    where: tree.Condition | None = None,
    order: Iterable[tuple[tree.Value, bool]] = (),
    top: int | None = None,
) -> tree.Query:
    """A query of one table.

    `table` is (schema, name); `columns` None for all, else names or values; `order` lists (value, descending).
    """
    listed = (
        (tree.Star(0),) if columns is None else tuple(tree.Item(0, column(item) if isinstance(item, str) else item) for item in columns)
    )
    source = tree.TableName(0, tuple(name(part) for part in table))
    keys = tuple(tree.OrderKey(0, key, descending) for key, descending in order)
    return tree.Query(0, tree.Select(0, listed, (source,), where, top=top), keys)
