"""Queries → SQL: FROM, GROUP BY, ORDER BY, limits, set operations, common tables."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from vo_server.adql import resolved
from vo_server.adql.grouping import find_aggregate
from vo_server.adql.messages import meaning_error
from vo_server.adql.positions import position_of_query
from vo_server.model.columns import CELL, Column
from vo_server.model.result import Statement
from vo_server.sql.errors import MisfitError
from vo_server.sql.expressions import Renderer
from vo_server.sql.joins import Within, by_rows, is_by_rows, is_order, joins_of
from vo_server.sql.literals import quote_identifier
from vo_server.sql.nearest import Nearest, nearest_of
from vo_server.sql.positions import PASSED_ON, passed_on
from vo_server.sql.regions import regions_of

_ROW_NUMBER = ("tableoid", "ctid")
"""What tells the rows of a table, partitions included, while a statement runs."""
_WORD = re.compile(r"\w{1,60}")


def translate(query: resolved.Query, *, max_rows: int | None) -> Statement:
    """The SQL of a query and the columns it returns.

    Every column is cast to its ``sql_type``. At most `max_rows` rows come back; what the query itself asks for is ``Statement.limit``.
    Raises QueryMeaningError for geometries that there are not.
    """
    top = query.body.top if isinstance(query.body, resolved.Select) else None
    limits = [limit for limit in (top, max_rows) if limit is not None]
    try:
        sql = _Writer().statement(query, min(limits, default=None))
    except MisfitError as misfit:
        word = _WORD.match(query.text, misfit.at)
        raise meaning_error(query.text, misfit.at, misfit.message, word=word.group() if word else "", hint=misfit.hint) from None
    return Statement(sql, query.columns, top, warnings=query.warnings, reads=query.tables, is_of_one_table=_is_of_one_table(query))


def _is_of_one_table(query: resolved.Query) -> bool:
    """Whether each row is one of a single table: no join, no set operation, no groups, no subquery in FROM or among the columns."""
    body = query.body
    if (
        not isinstance(body, resolved.Select)
        or body.group
        or any(isinstance(output.value, resolved.ScalarQuery) for output in body.outputs)
    ):
        return False
    return [type(table) for table in body.tables] == [resolved.TableSource]


def row_source(query: resolved.Query, columns: Sequence[Column]) -> str:
    """A query as what stands behind FROM: its results under the names and types of `columns`, and behind them CELL, if rows of a table
    with indexed positions pass through it as they are.

    Raises QueryMeaningError for geometries that there are not.
    """
    place = passed_on(query, position_of_query(query))
    try:
        rows = _Writer().statement(query, None, more=place)
    except MisfitError as misfit:
        raise meaning_error(query.text, misfit.at, misfit.message, hint=misfit.hint) from None
    outputs = []
    for number, (column, result) in enumerate(zip(columns, query.columns, strict=True), 1):
        cast = "" if column.sql_type == result.sql_type else f"::{column.sql_type}"
        outputs.append(f"v.c{number}{cast} AS {quote_identifier(column.name)}")
    outputs += [f"v.{PASSED_ON} AS {quote_identifier(CELL)}"] if place is not None else []
    return f"(SELECT {', '.join(outputs)} FROM ({rows}) AS v)"  # noqa: S608 - rendered


@dataclass(frozen=True, slots=True)
class _Spatial:
    """What the sky index adds to a SELECT: row sources beside tables, conditions of matches (see Joins), conditions in other words; and
    the rows that take a table's place.
    """

    beside: Mapping[resolved.Source, Sequence[str]]
    within: Mapping[resolved.Source, Within]
    matches: Mapping[resolved.JoinSource | None, Sequence[str]]
    texts: Mapping[int, str]
    rows: Mapping[resolved.Source, str]

    def condition(self, renderer: Renderer, condition: resolved.Condition, join: resolved.JoinSource | None) -> str:
        """The SQL of WHERE, or of the ON of a join, behind the conditions of its matches."""
        parts = list(resolved.conjuncts(condition))
        if not any(id(part) in self.texts or self._is_hidden(part) for part in parts):
            parts = [condition]
        matches = self.matches.get(join, ())
        if not matches and len(parts) == 1:
            return self._written(parts[0], renderer, renderer.condition)
        return " AND ".join((*matches, *(self._written(part, renderer, renderer.part) for part in parts)))

    def _written(self, part: resolved.Condition, renderer: Renderer, render: Callable[[resolved.Condition], str]) -> str:
        if self._is_hidden(part):
            return f"{renderer.part(part)} IS TRUE"
        return self.texts.get(id(part)) or render(part)

    def _is_hidden(self, part: resolved.Condition) -> bool:
        """Whether no index may be used for a condition: beside a match PostgreSQL would add to the few cells of each row half of an index
        of what the condition names.
        """
        return bool(self.matches) and is_order(part)


class _Writer(Renderer):
    """Writes the queries of one statement."""

    def statement(self, query: resolved.Query, limit: int | None, more: str | None = None) -> str:
        sql = self.query_sql(query, limit=limit, more=more, outermost=more is None)
        if not query.common:
            return sql
        tables = ", ".join(
            f"{table.name} AS ({self.query_sql(table.query, more=passed_on(table.query, table.position))})" for table in query.common
        )
        return f"WITH {tables} {sql}"

    def query_sql(self, query: resolved.Query, *, limit: int | None = None, more: str | None = None, outermost: bool = False) -> str:
        """A query with its order and limits. Without `limit` its own TOP holds. `more` is selected behind its results.

        A query that is not the `outermost` may have a limit around it, which matches of tables must be ready for.
        """
        body = query.body
        own = body.top if isinstance(body, resolved.Select) else None
        most = own if limit is None else limit
        order = self._order(query.order)
        nearest = nearest_of(self, query, most)
        if nearest is not None and isinstance(body, resolved.Select) and most is not None:
            rows = f"{self._select(body, more, None, nearest)}{order}{_bounds(most + (query.offset or 0), None)}"
            return f"{nearest.ring_by_ring(rows)}{_bounds(most, query.offset)}"
        text = (
            self._select(body, more, _wanted(query, body, most if outermost else most or 1))
            if isinstance(body, resolved.Select)
            else self._body(body)
        )
        return f"{text}{order}{_bounds(most, query.offset)}"

    def exists_sql(self, query: resolved.Query) -> str:
        """Whether a query has rows. Those near a row of an outer query are counted, for a bare EXISTS would not use the index of cells."""
        text = self.query_sql(query)
        body = query.body
        if isinstance(body, resolved.Select) and joins_of(self, body, None).correlated:
            return f"0 < (SELECT count(*) FROM ({text}) AS near)"  # noqa: S608 - a rendered query
        return f"EXISTS ({text})"

    def _body(self, body: resolved.Body) -> str:
        """An operand of a set operation, which always stands in parentheses; the operation itself does not."""
        if isinstance(body, resolved.SetOperation):
            every = " ALL" if body.all else ""
            return f"{self._operand(body.left)} {body.word}{every} {self._operand(body.right)}"
        return self._operand(body)

    def _operand(self, body: resolved.Body) -> str:
        if isinstance(body, resolved.Query):
            return f"({self.query_sql(body)})"
        if isinstance(body, resolved.SetOperation):
            return f"({self._body(body)})"
        return f"({self.query_sql(resolved.Query(body, ()))})"

    def _select(self, select: resolved.Select, more: str | None, most: int | None, nearest: Nearest | None = None) -> str:
        spatial = self._spatial(select, most, nearest)
        distinct = "DISTINCT " if select.distinct else ""
        outputs = [self._output(output.value, output.column, position) for position, output in enumerate(select.outputs, 1)]
        if more is not None:
            outputs.append(more)
        parts = [f"SELECT {distinct}{', '.join(outputs)} FROM {', '.join(self._table(table, spatial) for table in select.tables)}"]  # noqa: S608 - parts are rendered, never users' text
        if select.where is not None:
            parts.append(f"WHERE {spatial.condition(self, select.where, None)}")
        if select.group:
            parts.append(f"GROUP BY {', '.join(self.value(key) for key in select.group)}")
        if select.having is not None:
            parts.append(f"HAVING {self.condition(select.having)}")
        return " ".join(parts)

    def _output(self, value: resolved.Value, column: Column, position: int) -> str:
        return f"{self.cast(value, column.sql_type)} AS c{position}"

    def _spatial(self, select: resolved.Select, most: int | None, nearest: Nearest | None) -> _Spatial:
        regions = regions_of(self, select)
        joins = joins_of(self, select, most, {*regions.beside, *by_rows(self, select)})
        beside = {
            source: (*joins.beside.get(source, ()), *regions.beside.get(source, ()))
            for source in (*joins.beside, *(source for source in regions.beside if source not in joins.beside))
        }
        rows: dict[resolved.Source, str] = {nearest.host: nearest.rows} if nearest is not None else {}
        return _Spatial(beside, joins.within, joins.conditions, regions.texts, rows)

    def _table(self, table: resolved.From, spatial: _Spatial) -> str:
        if isinstance(table, resolved.JoinSource):
            return self._join(table, spatial)
        rows, within = spatial.rows.get(table), spatial.within.get(table)
        if rows is not None:
            return rows
        if within is not None:
            return within(self._source(table))
        beside = spatial.beside.get(table)
        if beside is None:
            return self._source(table)
        return f"({' CROSS JOIN LATERAL '.join((self._source(table), *beside))})"

    def _source(self, table: resolved.TableSource | resolved.QuerySource | resolved.CommonSource) -> str:
        if isinstance(table, resolved.TableSource):
            return f"{table.table.physical} AS {table.alias}"
        if isinstance(table, resolved.QuerySource):
            return f"({self.query_sql(table.query, more=passed_on(table.query, table.position))}) AS {table.alias}"
        return f"{quote_identifier(table.name)} AS {table.alias}"

    def _join(self, join: resolved.JoinSource, spatial: _Spatial) -> str:
        left, right = self._table(join.left, spatial), self._table(join.right, spatial)
        if isinstance(join.right, resolved.JoinSource):
            right = f"({right})"
        if join.on is None:
            return f"{left} CROSS JOIN {right}"
        if is_by_rows(self, join):
            return self._join_by_rows(join, left, right)
        word = "JOIN" if join.kind == "INNER" else f"{join.kind} JOIN"
        return f"{left} {word} {right} ON {spatial.condition(self, join.on, join)}"

    def _join_by_rows(self, join: resolved.JoinSource, left: str, right: str) -> str:
        """An outer join by the numbers of the rows that its condition, as an inner join, makes pairs of."""
        inner, sources = replace(join, kind="INNER"), tuple(resolved.sources(join))
        matches = joins_of(self, resolved.Select((), (inner,)), None, sources)
        found = self._table(inner, _Spatial(matches.beside, {}, matches.conditions, {}, {}))
        one, other = (source.alias for source in sources)
        rows = ", ".join(f"{alias}.{column} AS {alias}_{column}" for alias in (one, other) for column in _ROW_NUMBER)
        pairs = f"(SELECT {rows} FROM {found}) AS {one}_{other}"  # noqa: S608 - made of aliases
        first, second = (
            " AND ".join(f"{one}_{other}.{alias}_{column} = {alias}.{column}" for column in _ROW_NUMBER) for alias in (one, other)
        )
        return f"{left} LEFT JOIN {pairs} ON {first} {join.kind} JOIN {right} ON {second}"

    def _order(self, keys: tuple[tuple[int | resolved.Value, bool], ...]) -> str:
        if not keys:
            return ""
        texts = [(str(key) if isinstance(key, int) else self.value(key)) + (" DESC" if descending else "") for key, descending in keys]
        return f" ORDER BY {', '.join(texts)}"


def _bounds(limit: int | None, offset: int | None) -> str:
    return (f" LIMIT {limit}" if limit is not None else "") + (f" OFFSET {offset}" if offset else "")


def _wanted(query: resolved.Query, select: resolved.Select, most: int | None) -> int | None:
    """How many rows are to be found; None for all, since they are then ordered or grouped."""
    whole = query.order or select.group or select.distinct or any(find_aggregate(output.value) for output in select.outputs)
    return None if whole or most is None else most + (query.offset or 0)
