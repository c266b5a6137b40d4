"""What grouping allows: which values are aggregates, which are neither grouped nor aggregated (SQL-92 §7.9)."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from vo_server.adql import resolved, tree


def _children(node: object) -> list[object]:
    """The values and conditions directly inside a resolved one, constants apart; queries inside are worlds of their own."""
    found: list[object] = []
    if not isinstance(node, resolved.Value | resolved.Condition) or isinstance(node, resolved.Reference):
        return found
    kind: type = type(node)
    for name in resolved.parts_of(kind):
        waiting = [getattr(node, name)]
        while waiting:
            item = waiting.pop()
            if isinstance(item, tuple):
                waiting += item
            elif isinstance(item, resolved.Value | resolved.Condition) and not isinstance(item, resolved.Constant):
                found.append(item)
    return found


def find_aggregate(node: object) -> str | None:
    """The name of a set function in a value or condition, if there is one (not counting window functions and subqueries)."""
    waiting = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, resolved.Aggregate):
            return item.name
        if isinstance(item, resolved.Over):
            waiting += [child for inner in _children(item) for child in _children(inner)]
        else:
            waiting += _children(item)
    return None


def has_window(node: object) -> bool:
    """Whether there is a window function in a value or condition (not counting subqueries)."""
    waiting = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, resolved.Over):
            return True
        waiting += _children(item)
    return False


def column_names(node: object) -> Iterator[tree.ColumnName]:
    """The names of columns in a value, condition or part of a query, in the order of the text; without those inside set functions and
    queries.
    """
    if isinstance(node, tree.ColumnName):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from column_names(item)
    elif is_dataclass(node) and not isinstance(node, tree.Aggregate | tree.Query):
        for part in fields(node):
            yield from column_names(getattr(node, part.name))


def ungrouped(parts: Sequence[object], group: Sequence[resolved.Value], sources: frozenset[int]) -> resolved.Reference | None:
    """A column of these tables (identities in `sources`) that is neither grouped nor inside a set function; None if all is well."""
    waiting = list(parts)
    keys = set(group)
    while waiting:
        item = waiting.pop()
        if isinstance(item, resolved.Aggregate) or (isinstance(item, resolved.Value) and item in keys):
            continue
        if isinstance(item, resolved.Reference) and id(item.source) in sources:
            return item
        waiting += _children(item)
    return None
