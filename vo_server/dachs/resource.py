"""A whole resource descriptor → the texts of ours, and what they could not take over."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from vo_server.dachs.expand import Expander, Shared
from vo_server.dachs.making import Making
from vo_server.dachs.metadata import SHORT_NAME, Resource, meta
from vo_server.dachs.nodes import Node, parse
from vo_server.dachs.report import Fate, Remark, Report
from vo_server.dachs.services import served
from vo_server.dachs.surroundings import Surroundings
from vo_server.dachs.tables import Table
from vo_server.dachs.texts import text_of_collection, text_of_tables
from vo_server.errors import DataError
from vo_server.formats.readers.infer import fold
from vo_server.observations.descriptor import CollectionDescriptor
from vo_server.publish.descriptor import Descriptor, explain
from vo_server.publish.plan import DEFAULT_SCHEMA, RESERVED_SCHEMAS

LEFT = {
    "execute": "commands that DaCHS runs again and again: use cron or a systemd timer with `vo publish`",
    "job": "commands that DaCHS runs again and again: use cron or a systemd timer with `vo publish`",
    "resRec": "records of other resources are not written",
    "script": "nothing is run when a table is made",
    "condDesc": "conditions of forms: users write ADQL",
    "dm": "annotation with data models is not kept",
    "FEED": "it is defined elsewhere",
    "mixin": "it is defined elsewhere",
}
COVERED = {
    "coverage": "where and when there are rows is found out from them",
    "publish": "every table that is published gets a record",
    "property": "it says nothing about data",
    "regSuite": "`vo selftest URL` tries what clients do",
    "outputTable": "all columns are given; users choose theirs",
}
NEXT = {
    False: "`vo check` says what is wrong and what could be better; `vo publish` publishes it.",
    True: "`vo publish --in-place` publishes it.",
}
"""Whether tables are published in place → what comes next."""

HANDLED = ("meta", "table", "data", "service", "rowmaker", "schema", "resdir", "readProfiles", "allProfiles")


@dataclass(frozen=True, slots=True)
class Imported:
    """``text`` is a descriptor (TOML) of the ``tables``, empty if none could be taken over; ``collections``: name of a collection of images
    → its descriptor; ``remarks`` say what became of the rest, the weightiest first.
    """

    text: str
    tables: tuple[str, ...]
    collections: Mapping[str, str]
    remarks: tuple[Remark, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to publish."""
        return not (self.tables or self.collections)

    def of(self, fate: Fate) -> tuple[Remark, ...]:
        """The remarks of one kind."""
        return tuple(remark for remark in self.remarks if remark.fate is fate)


def import_rd(
    content: bytes, source: str, around: Surroundings | None = None, *, with_restricted: bool = False, in_place: bool = False
) -> Imported:
    """The resource descriptor called `source` as ours. What DaCHS does not give to everybody is left out unless `with_restricted`;
    `in_place` describes the tables that DaCHS has in its database, not the files of which they were made. DataError if it is none, or
    defines itself by itself.
    """
    around = around or Surroundings(source.removesuffix(".rd"))
    report = Report()
    home = Expander(parse(content, source), source, around.rd_id, Shared(report, around))
    root = home.expanded
    resource = Resource(report)
    resource.take(root)
    keys = {**_names(root, source, report), **resource.keys}
    making = Making(home, around, report, keys, with_restricted=with_restricted, in_place=in_place)
    making.make_all()
    _services(root, {table.node.get("id") or "main": table for table in making.tables}, keys, making.cores, report)
    _others(root, report)
    remarks = tuple(report.remarks())
    tables = _in_order(making.tables, keys.get("schema", DEFAULT_SCHEMA))
    text = _checked("\n".join(text_of_tables(source, NEXT[in_place], keys, tables, remarks)), Descriptor, source) if tables else ""
    collections = {
        one.name: _checked("\n".join(text_of_collection(source, keys, one, remarks)), CollectionDescriptor, source)
        for one in making.collections
    }
    return Imported(text, tuple(table.name for table in tables), collections, remarks)


def _names(root: Node, source: str, report: Report) -> dict[str, Any]:
    given = root.get("schema") or ""
    schema = fold(given) if given else ""
    if not schema:
        report.lost(root, f"it has no schema: tables come into the schema {DEFAULT_SCHEMA}")
        return {"name": fold(source.rpartition("/")[2].partition(".")[0])}
    if schema in RESERVED_SCHEMAS:
        report.lost(root, f"the schema {given} is reserved here: tables come into the schema {DEFAULT_SCHEMA}")
        return {"name": schema}
    if schema != given:
        report.lost(root, f"the schema {given} is called {schema}: names need no quotes here")
    return {"schema": schema, "name": schema}


def _in_order(tables: Sequence[Table], schema: str) -> list[Table]:
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


def _services(root: Node, tables: Mapping[str, Table], keys: dict[str, Any], cores: Mapping[str, Node], report: Report) -> None:
    for service in root.all("service"):
        served(service, cores, tables, report)
        short = meta(service, "shortName")
        if short and len(short) <= SHORT_NAME:
            keys.setdefault("short_name", short)


def _others(root: Node, report: Report) -> None:
    for node in root.children:
        if node.tag in HANDLED or node.tag.endswith("Core"):
            continue
        if node.tag in COVERED:
            report.covered(node, COVERED[node.tag])
        else:
            name = node.attributes.get("source") or (node.text.strip() if node.tag == "mixin" else "")
            report.lost(node, f"{f'{name}: ' if name else ''}{LEFT.get(node.tag, 'there is no place for it here')}")


def _checked(text: str, model: type[BaseModel], source: str) -> str:
    """`text`; DataError if it is no descriptor: some value of the other has a form that is not allowed here."""
    try:
        model.model_validate(tomllib.loads(text))
    except ValidationError as error:
        faults = "; ".join(f"{where}: {message}" for _, where, message in explain(text, error))
        raise DataError(f"it holds what a descriptor must not hold here: {faults}.", source=source) from None
    return text
