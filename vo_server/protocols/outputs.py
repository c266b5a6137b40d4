"""Answers whose columns a standard prescribes: how each is described, and what the query selects for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vo_server.adql import build, tree
from vo_server.model.columns import Column


@dataclass(frozen=True, slots=True)
class Output:
    """A column as the answer describes it, and what the query selects for it."""

    column: Column
    value: tree.Value


def select(
    outputs: Iterable[Output],
    table: Sequence[str],
    where: tree.Condition | None,
    order: Iterable[tree.OrderKey] = (),
    top: int | None = None,
) -> tree.Query:
    """``SELECT TOP top outputs FROM table WHERE … ORDER BY …``; `table` is (schema, name)."""
    items = tuple(tree.Item(0, output.value, build.name(output.column.name)) for output in outputs)
    source = tree.TableName(0, tuple(build.name(part) for part in table))
    return tree.Query(0, tree.Select(0, items, (source,), where, top=top), tuple(order))


def columns_of(outputs: Iterable[Output]) -> tuple[Column, ...]:
    """How the answer describes its columns."""
    return tuple(output.column for output in outputs)


def middle(lower: str, upper: str) -> tree.Value:
    """The middle between the values of two columns."""
    return build.calculate(build.calculate(build.column(lower), ("+", build.column(upper))), ("/", 2.0))


def width(lower: str, upper: str) -> tree.Value:
    """How far apart the values of two columns are."""
    return build.calculate(build.column(upper), ("-", build.column(lower)))


def scaled(column: str, factor: float) -> tree.Value:
    """The value of a column in another unit."""
    return build.calculate(build.column(column), ("*", factor))
