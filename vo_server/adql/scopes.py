"""Which names a part of a query can see (ADQL 2.1 §2.2.1)."""

from collections.abc import Iterable
from dataclasses import replace

from vo_server.adql.resolved import Field, Reference, Source, Value
from vo_server.adql.tree import Identifier
from vo_server.model.columns import Column


def is_regular(name: str) -> bool:
    """Whether a name can be written without double quotes, and so has no case (ADQL 2.1 §2.1.5)."""
    return name.isascii() and name[:1].isalpha() and name.replace("_", "a").isalnum()


def matches(wanted: Identifier, names: Iterable[str]) -> list[int]:
    """The positions of the names that `wanted` may mean.

    The same spelling wins. Without one a regular identifier means every name that differs in case only; a delimited one means those
    among them that are regular, for which case is no difference.
    """
    listed = list(names)
    exact = [index for index, name in enumerate(listed) if name == wanted.text]
    if exact:
        return exact
    folded = wanted.text.lower()
    return [index for index, name in enumerate(listed) if name.lower() == folded and not (wanted.delimited and not is_regular(name))]


class Visible:
    """A column that can be named without saying whose it is."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Value) -> None:
        self.name = name
        self.value = value


class Scope:
    """The tables of one FROM clause, and the query around it."""

    def __init__(self, outer: "Scope | None" = None) -> None:
        self.outer = outer
        self.sources: list[Source] = []
        self.visible: list[Visible] = []
        self._index: dict[str, list[Visible]] | None = None

    def show(self, sources: list[Source], visible: list[Visible]) -> None:
        """Adds tables and the columns they show."""
        self.sources += sources
        self.visible += visible
        self._index = None

    def column(self, wanted: Identifier) -> list[Value]:
        """The columns of this scope (not of the outer ones) that an unqualified name may mean."""
        if self._index is None:
            self._index = {}
            for entry in self.visible:
                self._index.setdefault(entry.name.lower(), []).append(entry)
        candidates = self._index.get(wanted.text.lower(), [])
        if len(candidates) == 1 and not wanted.delimited:
            return [candidates[0].value]
        return [candidates[index].value for index in matches(wanted, (entry.name for entry in candidates))]

    def source(self, qualifier: tuple[Identifier, ...]) -> list[Source]:
        """The tables of this scope that `qualifier` (``alias``, ``table``, ``schema.table``) may mean."""
        last = qualifier[-1]
        found = [self.sources[index] for index in matches(last, (source.label for source in self.sources))]
        if len(qualifier) == 1:
            return found
        schema = qualifier[-2]
        return [source for source in found if matches(schema, (schema_of(source),))]


def schema_of(source: Source) -> str:
    """The schema of a published table that has no alias; empty otherwise."""
    table = getattr(source, "table", None)
    return table.schema if table is not None and table.name == source.label else ""


def reference(source: Source, field: Field) -> Reference:
    """The value of a source's column."""
    return Reference(field.column, source, field.sql)


def columns_of(source: Source) -> list[Visible]:
    """All that a source offers."""
    return [Visible(field.column.name, reference(source, field)) for field in source.fields]


def names_in(scope: Scope | None) -> list[str]:
    """All column names that can be seen, for messages."""
    names: list[str] = []
    while scope is not None:
        names += [entry.name for entry in scope.visible]
        scope = scope.outer
    return names


def renamed(column: Column, name: str) -> Column:
    """A column's metadata with a name, without what is said of its table."""
    if column.name == name and not column.indexed and not column.principal:
        return column
    return replace(column, name=name, indexed=False, principal=False)
