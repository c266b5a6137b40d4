"""Constant regions that hold many rows, and MOCs that rows have → joins with their spans of cells (docs/explanation/sky.md).

Beside the table of the positions stands a list of spans; a row that lies in one of them is joined with it, once, since spans are disjoint.
Rows of spans that lie wholly inside the region need no exact test. That is right wherever every row must meet the condition: in WHERE, and
in the ON of an inner join.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vo_server.adql import resolved
from vo_server.sky.covers import Span
from vo_server.sql.expressions import Renderer, oriented
from vo_server.sql.geometry import Sets, demanded
from vo_server.sql.positions import restricted_by

MOST = 4
"""Regions of a SELECT that are joined at most: computing their spans takes a millisecond each. Ranges do for the others."""


@dataclass(frozen=True, slots=True)
class Regions:
    """What large regions add to a SELECT: row sources beside a table, and the SQL of conditions (by identity) that stands for them."""

    beside: Mapping[resolved.Source, list[str]]
    texts: Mapping[int, str]


def regions_of(renderer: Renderer, select: resolved.Select) -> Regions:
    """The large regions of a SELECT, and the MOCs in which positions of another of its tables are to lie."""
    beside: dict[resolved.Source, list[str]] = {}
    texts: dict[int, str] = {}
    local = {source for table in select.tables for source in resolved.sources(table)}
    inner = [join.on for table in select.tables for join in resolved.joins(table) if join.kind == "INNER"]
    parts = [part for condition in (*inner, select.where) for part in resolved.conjuncts(condition)]
    restricted = restricted_by(parts)
    for part in parts:
        if len(texts) == MOST or not isinstance(part, resolved.Comparison) or resolved.holds_query(part):
            continue
        test = demanded(renderer, *oriented(part))
        if test is None:
            continue
        alias, cover, sets = f"s{len(texts) + 1}", test.cover, test.sets
        if sets is not None and sets.source in local:
            rows, texts[id(part)] = _read_once(sets, alias, looked_up=sets.indexed in local - restricted)
            beside.setdefault(sets.source, []).append(rows)
        elif cover is not None and cover.source in local and renderer.work.may_span():
            spans = cover.spans()
            beside.setdefault(cover.source, []).append(_row_source(spans, alias))
            texts[id(part)] = _condition(cover.cell, test.exact, spans, alias)
    return Regions(beside, texts)


def _read_once(sets: Sets, alias: str, *, looked_up: bool) -> tuple[str, str]:
    """A row source beside a table of MOCs, which reads each once and not for each position, and the condition: that a position is looked up
    by the ranges of one, which are disjoint; or, where other conditions leave few rows to be asked, that it is in the whole.
    """
    if not looked_up:
        return f"(SELECT {sets.cells} AS cells OFFSET 0) AS {alias}", f"{sets.cell} <@ {alias}.cells"
    rows = f"(SELECT lower(span) AS low, upper(span) - 1 AS high FROM unnest({sets.cells}) AS span) AS {alias}"  # noqa: S608 - rendered
    return rows, f"{sets.cell} BETWEEN {alias}.low AND {alias}.high"


def _row_source(spans: Sequence[Span], alias: str) -> str:
    columns = [",".join(str(span.low) for span in spans), ",".join(str(span.high) for span in spans)]
    arrays = [f"'{{{column}}}'::bigint[]" for column in columns]
    if all(span.inside for span in spans):
        return f"unnest({', '.join(arrays)}) AS {alias} (low, high)"
    flags = ",".join("t" if span.inside else "f" for span in spans)
    return f"unnest({', '.join(arrays)}, '{{{flags}}}'::boolean[]) AS {alias} (low, high, inside)"


def _condition(cell: str, exact: str, spans: Sequence[Span], alias: str) -> str:
    met = f"{cell} BETWEEN {alias}.low AND {alias}.high"
    return met if all(span.inside for span in spans) else f"{met} AND ({alias}.inside OR {exact})"
