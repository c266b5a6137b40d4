"""``<rowmaker>`` → which column of the file goes into which of the table (DaCHS Reference Documentation, "Element rowmaker")."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from vo_server.dachs.metadata import shortened
from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report

READERS = "float|int|str|bool|parseFloat|parseInt|parseBooleanLiteral|parseTimestamp|parseDate"
"""Functions of Python that make of a text what reading it makes of it anyway."""

PASSED = re.compile(rf"(?:(?:{READERS})\()?(?:@|vars\[[\"'])(\w+)(?:[\"']\])?(?:\.strip\(\))?\)?")
WITH_NULL = re.compile(r"parseWithNull\(\s*@(\w+)\s*,\s*[\w.]+\s*,\s*(\"[^\"]*\"|'[^']*')\s*(?:,[^()]*)?\)")
CONSTANT = re.compile(r"\"[^\"]*\"|'[^']*'|[-+]?\d[\d.eE+-]*|None|True|False")
SENTINEL = re.compile(r"[+-]?9{2,}(?:\.[90]*)?|[+-]?0?\.?9{3,}|[-+.]+|.*[^-+.\deE].*")
"""Literals that mean a missing value and nothing else."""

PAIR = re.compile(r"([\w./-]{1,99})\s{0,99}:\s{0,99}([\w./-][\w./ -]{0,99})")
DEEPEST = 5


@dataclass
class Rows:
    """``sources``: column of the table → key of the grammar; ``told``: columns of which the report has said why nothing goes into them;
    ``nulls``: spellings of missing values.
    """

    sources: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    nulls: list[str] = field(default_factory=list)


def rows_of(maker: Node | None, columns: Sequence[str], report: Report, *, is_text: bool) -> Rows:
    """What a row maker passes on into these columns; without one, everything goes over under its own name."""
    rows = Rows()
    if maker is None:
        rows.sources = {name: name for name in columns}
        return rows
    variables = {name: node for node in maker.all("var") if (name := _name(node))}
    given: dict[str, Node | str] = {**pairs(maker.get("simplemaps") or "")}
    given |= {name: node for node in maker.all("map") if (name := _name(node))}
    patterns = [pattern for pattern in re.split(r"[,\s]+", maker.get("idmaps") or "") if pattern]
    for column in columns:
        rule = given.get(column) or (column if any(fnmatchcase(column, pattern) for pattern in patterns) else None)
        if rule is not None:
            _fill(column, rule, variables, rows, report, is_text=is_text)
    for node in maker.children:
        if node.tag not in ("map", "idmaps", "simplemaps", "var", "ignoreOn"):
            report.lost(node, f"it computes with rows, which are taken as they stand in the file{_named(node)}")
    return rows


def pairs(text: str) -> dict[str, str]:
    """``dest:src, …`` as DaCHS abbreviates renaming."""
    return {name: source.strip() for name, source in PAIR.findall(text)}


def _name(node: Node) -> str:
    return (node.get("key", "dest", "name") or "").removeprefix("quoted/")


def _named(node: Node) -> str:
    name = node.get("procDef", "name")
    return f" ({name})" if name else ""


def _fill(column: str, rule: Node | str, variables: Mapping[str, Node], rows: Rows, report: Report, *, is_text: bool) -> None:
    """Follows a rule, through variables, to what stands in the file."""
    for _ in range(DEEPEST):
        if isinstance(rule, Node):
            source, null = _passed(rule)
            if null:
                _null(rule, null, rows, report, is_text=is_text)
            if source is None:
                _computed(column, rule, rows, report)
                return
        else:
            source = rule
        if source not in variables or variables[source] is rule:
            rows.sources[column] = source
            return
        rule = variables[source]


def _passed(rule: Node) -> tuple[str | None, str]:
    """The key that a rule only passes on, None if it computes; and the literal of a missing value."""
    source, expression = rule.get("source", "src"), " ".join(rule.text.split())
    null = (rule.get("nullExpr", "nullValue") or "").strip("\"'")
    if found := WITH_NULL.fullmatch(expression):
        return found[1], found[2][1:-1]
    if source is None and not expression:
        return _name(rule), null
    if source is None and (passed := PASSED.fullmatch(expression)):
        return passed[1], null
    return source, null


def _computed(column: str, rule: Node, rows: Rows, report: Report) -> None:
    expression = " ".join(rule.text.split())
    rows.told.add(column)
    if CONSTANT.fullmatch(expression):
        report.lost(rule, f"{column} is {expression} in all rows: no column of the file goes into it")
    else:
        report.lost(rule, f"{column} is computed by Python: {shortened(expression)}")


def _null(rule: Node, literal: str, rows: Rows, report: Report, *, is_text: bool) -> None:
    if not is_text:
        report.lost(rule, f"{literal} was made a missing value; here such values stay as they are in the file")
    elif SENTINEL.fullmatch(literal):
        rows.nulls += [literal] if literal not in rows.nulls else []
        report.covered(rule, f"{literal} is a missing value, in all columns of the table")
    else:
        report.lost(rule, f"{literal} would be a missing value in this column only")
