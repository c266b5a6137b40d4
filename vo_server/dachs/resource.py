"""A whole resource descriptor → the text of ours, and what it could not take over."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from vo_server.dachs import written
from vo_server.dachs.expand import Expander
from vo_server.dachs.metadata import Resource, meta
from vo_server.dachs.nodes import Node, parse
from vo_server.dachs.report import Remark, Report
from vo_server.dachs.services import served
from vo_server.dachs.sources import DataFiles, feed, no_files
from vo_server.dachs.tables import Table, column_name, columns_of, described
from vo_server.errors import DataError
from vo_server.formats.readers.infer import fold
from vo_server.publish.descriptor import Descriptor, explain
from vo_server.publish.plan import RESERVED_SCHEMAS

LEFT = {
    "execute": "commands that DaCHS runs again and again: use cron or a systemd timer with `vo publish`",
    "job": "commands that DaCHS runs again and again: use cron or a systemd timer with `vo publish`",
    "regSuite": "tests of the service: `vo selftest URL` tries what clients do",
    "resRec": "records of other resources are not written",
    "script": "nothing is run when a table is made",
    "procDef": "code of DaCHS",
    "condDesc": "conditions of forms: users write ADQL",
    "outputTable": "all columns are given; users choose theirs",
    "dm": "annotation with data models is not kept",
    "FEED": "it is defined elsewhere",
    "mixin": "it is defined elsewhere",
}
COVERED = {
    "coverage": "where and when there are rows is found out from them",
    "publish": "every table that is published gets a record",
    "property": "it says nothing about data",
}
HANDLED = ("meta", "table", "data", "service", "rowmaker", "schema", "resdir")


@dataclass(frozen=True, slots=True)
class Imported:
    """``text`` is a descriptor of ours (TOML), without tables if none of ``tables`` could be taken over; ``remarks`` say what became of the
    rest, what was lost first.
    """

    text: str
    tables: tuple[str, ...]
    remarks: tuple[Remark, ...]

    @property
    def lost(self) -> tuple[Remark, ...]:
        """What was not taken over."""
        return tuple(remark for remark in self.remarks if remark.lost)


def import_rd(content: bytes, source: str, files: DataFiles = no_files) -> Imported:
    """The resource descriptor called `source` as one of ours. DataError if it is none, or defines itself by itself."""
    report = Report()
    root = Expander(source, report).expand(parse(content, source))
    resource = Resource(report)
    resource.take(root)
    keys = {**_names(root, source, report), **resource.keys}
    tables = _tables(root, keys.get("schema", "data"), files, report)
    _services(root, {table.node.get("id") or "main": table for table in tables}, keys, report)
    _others(root, report)
    remarks = tuple(report.remarks())
    text = "\n".join(_text(source, keys, tables, remarks))
    if tables:
        _hold_against_model(text, source)
    return Imported(text, tuple(table.name for table in tables), remarks)


def _names(root: Node, source: str, report: Report) -> dict[str, Any]:
    given = root.get("schema") or ""
    schema = fold(given) if given else ""
    if not schema:
        report.lost(root, "it has no schema: tables come into the schema data")
        schema = fold(source.rpartition("/")[2].partition(".")[0])
        return {"name": schema}
    if schema in RESERVED_SCHEMAS:
        report.lost(root, f"the schema {given} is reserved here: tables come into the schema data")
        return {"name": schema}
    if schema != given:
        report.lost(root, f"the schema {given} is called {schema}: names need no quotes here")
    return {"schema": schema, "name": schema}


def _tables(root: Node, schema: str, files: DataFiles, report: Report) -> list[Table]:
    nodes = {node.get("id") or "": node for node in root.walk() if node.tag == "table" and node.get("id")}
    makers = {node.get("id") or "": node for node in root.walk() if node.tag == "rowmaker" and node.get("id")}
    filled: list[Table] = []
    seen: set[str] = set()
    for data in root.all("data"):
        for make in data.all("make"):
            name = (make.get("table") or "").rpartition("#")[2]
            node = nodes.get(name) or next(iter(make.all("table")), None)
            if node is None:
                report.lost(make, f"the table {make.get('table')} is not in this descriptor")
            elif name in seen and any(table.node is node for table in filled):
                report.lost(make, f"{name} has rows from several <data>: `vo publish --append` adds files with the same columns")
            else:
                seen.add(name)
                filled += _filled(data, make, node, nodes, makers, schema, files, report)
        for node in data.children:
            if not (node.tag.endswith("Grammar") or node.tag in ("make", "sources", "rowmaker", "meta", "table", "property", "publish")):
                report.lost(node, "nothing else happens when a table is made")
    for name, node in nodes.items():
        if name not in seen and node in root.children:
            why = (
                "views are published from the database: `vo publish --in-place`"
                if node.get("viewStatement")
                else "no <data> makes its rows"
            )
            report.lost(node, f"{name}: {why}")
    return _in_order(filled, schema)


def _filled(
    data: Node, make: Node, node: Node, nodes: Mapping[str, Node], makers: Mapping[str, Node], schema: str, files: DataFiles, report: Report
) -> list[Table]:
    columns = columns_of(node, nodes, report)
    fed = feed(data, make, makers, [column_name(column) for column in columns], files, report)
    return [] if fed is None else [described(node, columns, fed, schema, report)]


def _in_order(tables: list[Table], schema: str) -> list[Table]:
    """Tables before those whose keys point to them, as they are published."""
    waiting, ordered = list(tables), list[Table]()
    while waiting:
        names = {f"{schema}.{table.name}" for table in waiting}
        free = next(
            (one for one in waiting if not any(key["target"] in names - {f"{schema}.{one.name}"} for key in one.foreign)), waiting[0]
        )
        waiting.remove(free)
        ordered.append(free)
    return ordered


def _services(root: Node, tables: Mapping[str, Table], keys: dict[str, Any], report: Report) -> None:
    cores = {node.get("id") or "": node for node in root.children if node.tag.endswith("Core")}
    for service in root.all("service"):
        served(service, cores, tables, report)
        short = meta(service, "shortName")
        if short and len(short) <= 16:
            keys.setdefault("short_name", short)


def _others(root: Node, report: Report) -> None:
    for node in root.children:
        if node.tag in HANDLED or node.tag.endswith("Core") or node.text.strip() in root.attributes.values():
            continue
        if node.tag in COVERED:
            report.covered(node, COVERED[node.tag])
        elif node.tag in ("FEED", "mixin"):
            report.lost(node, f"{node.attributes.get('source') or node.text.strip()} is defined elsewhere")
        else:
            report.lost(node, LEFT.get(node.tag, "there is no place for it here"))


def _text(source: str, keys: Mapping[str, Any], tables: list[Table], remarks: tuple[Remark, ...]) -> Iterator[str]:
    yield written.comment(f"Imported from {source}. `vo check` says what is wrong and what could be better; `vo publish` publishes it.")
    for title, lost in (("Not taken over:", True), ("Done here without being asked, or elsewhere:", False)):
        if some := [remark for remark in remarks if remark.lost is lost]:
            yield "#"
            yield written.comment(title)
            yield from (written.comment(f"* {remark}") for remark in some)
    yield ""
    yield from written.section("[resource]", keys)
    for table in tables:
        if len(tables) == 1:
            yield from _one(table, "[table]", "columns", "keys")
        else:
            yield from _one(table, "[[tables]]", "tables.columns", "tables.keys")


def _one(table: Table, header: str, columns: str, keys: str) -> Iterator[str]:
    yield from written.section(header, table.keys)
    for name, section in table.columns.items():
        if section:
            yield from written.section(f"[{columns}.{written.key(name)}]", section)
    for foreign in table.foreign:
        yield from written.section(f"[[{keys}]]", foreign)


def _hold_against_model(text: str, source: str) -> None:
    """DataError if what was written is no descriptor: some value of the other has a form that is not allowed here."""
    try:
        Descriptor.model_validate(tomllib.loads(text))
    except ValidationError as error:
        faults = "; ".join(f"{where}: {message}" for _, where, message in explain(text, error))
        raise DataError(f"it holds what a descriptor must not hold here: {faults}.", source=source) from None
