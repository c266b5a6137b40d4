"""Tables of images → descriptors of collections, as ``vo publish-images`` takes them (DaCHS Tutorial, "SIAP and Friends")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report
from vo_server.dachs.rows import CONSTANT
from vo_server.dachs.tables import column_name
from vo_server.errors import UsageError
from vo_server.observations.words import checked

PUBLISHED = "//obscore#publish"
VALUES = {
    "calib_level": "calib_level",
    "calibLevel": "calib_level",
    "facility_name": "facility_name",
    "facilityName": "facility_name",
    "instrument_name": "instrument_name",
    "instrumentName": "instrument_name",
    "target_name": "target_name",
    "targetName": "target_name",
    "o_ucd": "o_ucd",
    "oUCD": "o_ucd",
    "pol_states": "pol_states",
    "polStates": "pol_states",
    "dataproduct_subtype": "dataproduct_subtype",
    "productSubtype": "dataproduct_subtype",
}
"""Parameters of the mixins that publish to ObsCore, by both of their names → its columns."""

SAID = {"facility_name": "facility", "instrument_name": "instrument"}
"""Columns of ObsCore → keys of the resource that say the same."""

NAMES = ("obs_collection", "collectionName")
KEPT_BACK = ("owner", "embargo")
"""What //products#define says of files that not everybody gets."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of images: its name, and the keys of its sections ``[collection]`` and ``[values]``."""

    name: str
    keys: dict[str, Any]
    values: dict[str, Any]


def kept_back(grammar: Node) -> str | None:
    """Why not everybody gets the files that a grammar reads; None if everybody does."""
    for node in grammar.all("rowfilter"):
        for bind in node.all("bind"):
            if bind.get("name", "key") in KEPT_BACK and bind.text.strip() not in ("", "None"):
                return f"its files have an {bind.get('name', 'key')}: {bind.text.strip()}"
    return None


def collection_of(table: Node, directory: str, resource: Mapping[str, Any], name: str, report: Report) -> Collection:
    """The collection that a table of images becomes, whose files lie below `directory`; `name` is for want of a better one."""
    values: dict[str, Any] = {key: ", ".join(resource[said]) for key, said in SAID.items() if said in resource}
    for mixin in table.all("mixin"):
        if mixin.text.strip().startswith(PUBLISHED):
            for key, given in {**{child.tag: child.text.strip() for child in mixin.children}, **mixin.attributes}.items():
                name = _parameter(mixin, key, given, values, name, report)
    for column in table.all("column"):
        report.lost(column, f"{column_name(column)}: images have the columns of ObsCore only")
    return Collection(name, {"name": name, "source": directory}, values)


def _parameter(mixin: Node, key: str, given: str, values: dict[str, Any], name: str, report: Report) -> str:
    """Puts a parameter of a mixin where it belongs, and returns the name of the collection."""
    if key not in VALUES and key not in NAMES:
        report.lost(mixin, f"{key} is what the files say, not {given}", f"<mixin>{PUBLISHED}")
        return name
    if not CONSTANT.fullmatch(given):
        report.lost(mixin, f"{key} is the SQL {given}: say it in [values] or [files]", f"<mixin>{PUBLISHED}")
        return name
    value = given.strip("'\"")
    if key in NAMES:
        return value
    try:
        values |= checked({VALUES[key]: value}, key)
    except UsageError as error:
        report.lost(mixin, str(error), f"<mixin>{PUBLISHED}")
    return name
