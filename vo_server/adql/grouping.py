"""What grouping allows: which values are aggregates, which are neither grouped nor aggregated (SQL-92 §7.9)."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from vo_server.adql import resolved, tree


def _children(node: object) -> list[object]:
    """The values and conditions directly inside a resolved one, constants apart; queries inside are worlds of their own."""
    found: list[object] = []
    if not isinstance(node, resolved.Value | resolved.Condition) or isinstance(node, resolved.Reference):
        return found
    waiting = list(resolved.inside(node))
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting += item
        elif isinstance(item, resolved.Value | resolved.Condition) and not isinstance(item, resolved.Constant):
            found.append(item)
    return found


def _of_window(over: resolved.Over) -> list[object]:
    """What a window function computes with, in each row or group: all inside it but its own set function."""
    return [*_children(over.function), *over.partition, *(key for key, _ in over.order)]


def find_aggregate(node: object) -> str | None:
    """The name of a set function in a value or condition, if there is one (not counting window functions and subqueries)."""
    waiting = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, resolved.Aggregate):
            return item.name
        if isinstance(item, resolved.Over):
            waiting += _of_window(item)
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
    elif isinstance(node, tree.Over) and isinstance(node.function, tree.Aggregate):
        yield from column_names((node.function.argument, node.partition, node.order))
    elif is_dataclass(node) and not isinstance(node, tree.Aggregate | tree.Query):
        for part in fields(node):
            yield from column_names(getattr(node, part.name))


_PLAIN = frozenset({str, int, float, bool, type(None), resolved.Constant})
"""What has no parts: most of what there is, since each query is gone through for each query around it."""


def ungrouped(parts: Sequence[object], group: Sequence[resolved.Value], sources: frozenset[int]) -> resolved.Reference | None:
    """A column of these tables (identities in `sources`) that is neither grouped nor inside a set function; None if all is well.

    Queries inside are asked, too: what they name of these tables has one value only if it is grouped, even in set functions of theirs.
    """
    waiting = [(part, False) for part in parts]
    keys, kinds = set(group), {type(key) for key in group}
    while waiting:
        item, nested = waiting.pop()
        kind = type(item)
        if kind in _PLAIN or (kind is resolved.Aggregate and not nested):
            continue
        if kind in kinds and item in keys:  # in this order: the hash of a value is of all that it is made of
            continue
        if isinstance(item, resolved.Reference):
            if id(item.source) in sources:
                return item
        elif isinstance(item, resolved.Over) and not nested:
            waiting += [(part, False) for part in _of_window(item)]
        else:
            inner = nested or isinstance(item, resolved.Query)
            waiting += [(part, inner) for part in resolved.inside(item)]
    return None
