"""Queries → SQL: FROM, GROUP BY, ORDER BY, limits, set operations, common tables."""

import re

from vo_server.adql import resolved
from vo_server.adql.messages import meaning_error
from vo_server.model.columns import Column
from vo_server.model.result import Statement
from vo_server.sql.errors import MisfitError
from vo_server.sql.expressions import Renderer
from vo_server.sql.literals import quote_identifier
from vo_server.sql.positions import passed_on

_WORD = re.compile(r"\w{1,60}")


def translate(query: resolved.Query, *, max_rows: int | None) -> Statement:
    """The SQL of a query and the columns it returns.

    Every column is cast to its ``sql_type``. At most `max_rows` rows come back; what the query itself asks for is ``Statement.limit``.
    Raises QueryMeaningError for geometries that there are not.
    """
    top = query.body.top if isinstance(query.body, resolved.Select) else None
    limits = [limit for limit in (top, max_rows) if limit is not None]
    try:
        sql = _statement(query, min(limits, default=None))
    except MisfitError as misfit:
        word = _WORD.match(query.text, misfit.at)
        raise meaning_error(query.text, misfit.at, misfit.message, word=word.group() if word else "", hint=misfit.hint) from None
    return Statement(sql, query.columns, top)


def _statement(query: resolved.Query, limit: int | None) -> str:
    sql = query_sql(query, limit=limit)
    if not query.common:
        return sql
    tables = ", ".join(f"{table.name} AS ({query_sql(table.query, more=passed_on(table.query, table.position))})" for table in query.common)
    return f"WITH {tables} {sql}"


def query_sql(query: resolved.Query, *, limit: int | None = None, more: str | None = None) -> str:
    """A query with its order and limits. Without `limit` its own TOP holds. `more` is selected behind its results."""
    body = query.body
    if isinstance(body, resolved.Select):
        text, own = _select(body, more), body.top
    else:
        text, own = _body(body), None
    order = _order(query.order)
    most = own if limit is None else limit
    bounds = (f" LIMIT {most}" if most is not None else "") + (f" OFFSET {query.offset}" if query.offset else "")
    return f"{text}{order}{bounds}"


RENDERER = Renderer(query_sql)


def _body(body: resolved.Body) -> str:
    """An operand of a set operation, which always stands in parentheses; the operation itself does not."""
    if isinstance(body, resolved.SetOperation):
        every = " ALL" if body.all else ""
        return f"{_operand(body.left)} {body.word}{every} {_operand(body.right)}"
    return _operand(body)


def _operand(body: resolved.Body) -> str:
    if isinstance(body, resolved.Query):
        return f"({query_sql(body)})"
    if isinstance(body, resolved.SetOperation):
        return f"({_body(body)})"
    return f"({query_sql(resolved.Query(body, ()))})"


def _select(select: resolved.Select, more: str | None) -> str:
    distinct = "DISTINCT " if select.distinct else ""
    outputs = [_output(output.value, output.column, position) for position, output in enumerate(select.outputs, 1)]
    if more is not None:
        outputs.append(more)
    parts = [f"SELECT {distinct}{', '.join(outputs)} FROM {', '.join(_table(table) for table in select.tables)}"]  # noqa: S608 - parts are rendered, never users' text
    if select.where is not None:
        parts.append(f"WHERE {RENDERER.condition(select.where)}")
    if select.group:
        parts.append(f"GROUP BY {', '.join(RENDERER.value(key) for key in select.group)}")
    if select.having is not None:
        parts.append(f"HAVING {RENDERER.condition(select.having)}")
    return " ".join(parts)


def _output(value: resolved.Value, column: Column, position: int) -> str:
    return f"{RENDERER.cast(value, column.sql_type)} AS c{position}"


def _order(keys: tuple[tuple[int | resolved.Value, bool], ...]) -> str:
    if not keys:
        return ""
    texts = [(str(key) if isinstance(key, int) else RENDERER.value(key)) + (" DESC" if descending else "") for key, descending in keys]
    return f" ORDER BY {', '.join(texts)}"


def _table(table: resolved.From) -> str:
    if isinstance(table, resolved.JoinSource):
        return _join(table)
    if isinstance(table, resolved.TableSource):
        return f"{table.table.physical} AS {table.alias}"
    if isinstance(table, resolved.QuerySource):
        return f"({query_sql(table.query, more=passed_on(table.query, table.position))}) AS {table.alias}"
    return f"{quote_identifier(table.name)} AS {table.alias}"


def _join(join: resolved.JoinSource) -> str:
    right = _table(join.right)
    if isinstance(join.right, resolved.JoinSource):
        right = f"({right})"
    if join.on is None:
        return f"{_table(join.left)} CROSS JOIN {right}"
    word = "JOIN" if join.kind == "INNER" else f"{join.kind} JOIN"
    return f"{_table(join.left)} {word} {right} ON {RENDERER.condition(join.on)}"
