"""Whom DaCHS lets read what. What it does not give to everybody is not for publishing (Reference Documentation, "Element table",
"Element service"; Tutorial, "Restricting Access").
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vo_server.dachs.nodes import TRUE, Node

ROWS_STAY = ("//products#define", "//procs#expandComma", "//procs#expandIntegers", "//procs#expandDates")
"""Row filters of DaCHS that drop no row."""

DROPPING = ("IgnoreThisRow", "SkipThis")
"""What Python code raises so that a row is dropped."""

CHANGING = ("delete", "update", "truncate")
"""Words of SQL scripts that make the table another one than its source."""

OPENING = ("//obscore#publish", "//epntap2#", "//epntap#")
"""How mixins begin that open their table to ADQL by themselves."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the services of a descriptor say of its tables, by their ids: who alone is let in, and which are shown to everybody."""

    limited: Mapping[str, str]
    shown: frozenset[str]


def core_of(service: Node, cores: Mapping[str, Node]) -> Node | None:
    """The core of a service, written into it or called up."""
    written = next((child for child in service.children if child.tag.endswith("Core")), None)
    return written or cores.get((service.get("core") or "").rpartition("#")[2])


def queried(core: Node | None) -> str:
    """The id of the table that a core queries; empty if there is none."""
    return (core.get("queriedTable") or "").rpartition("#")[2] if core is not None else ""


def access_of(root: Node, cores: Mapping[str, Node]) -> Access:
    """What the services of a descriptor say of its tables."""
    limited, shown = dict[str, str](), set[str]()
    for service in root.all("service"):
        core = core_of(service, cores)
        table, group = queried(core), service.get("limitTo")
        if group:
            limited[table] = f'its service "{service.get("id") or ""}" is open to {group} only'
        elif core is not None and service.all("publish") and not _is_partial(service, core):
            shown.add(table)
    return Access(limited, frozenset(shown))


def _is_partial(service: Node, core: Node) -> bool:
    """Whether it shows only some of the rows, or some of the columns."""
    fixed = any(node.get("fixedSQL") for node in core.walk())
    output = [*service.all("outputTable"), *core.all("outputTable")]
    return fixed or any(one.all("outputField", "column") or one.get("autoCols") not in (None, "*") for one in output)


def closed(table: Node, access: Access) -> str | None:
    """Why not everybody may read a table; None if everybody may."""
    name, adql = table.get("id") or "", (table.get("adql") or "").lower()
    if name in access.limited:
        return access.limited[name]
    if not table.is_true("onDisk"):
        return "it is made for a moment only: there is no onDisk"
    if table.is_true("temporary"):
        return "it is temporary"
    if adql in TRUE or (not adql and (_is_published(table) or name in access.shown)):
        return None
    if adql == "hidden":
        return 'it is hidden from TAP: adql="hidden"'
    if profiles := table.get("readProfiles"):
        return f"only the profiles {profiles} read it"
    return f'it is closed to ADQL: adql="{table.get("adql")}"' if adql else "it has no adql, and no published service shows all of it"


def _is_published(table: Node) -> bool:
    return bool(table.all("publish", "register")) or any(mixin.text.strip().startswith(OPENING) for mixin in table.all("mixin"))


def filters(grammar: Node, make: Node, maker: Node | None) -> Iterator[tuple[Node, str]]:
    """What keeps rows of the source out of the table, each with how it does that."""
    for part in (grammar, *([maker] if maker is not None else [])):
        for node in part.all("ignoreOn"):
            yield node, "it drops rows"
    for node in grammar.all("rowfilter"):
        if node.get("procDef") not in ROWS_STAY:
            yield node, "its code may drop rows"
    for node in maker.all("apply", "map", "var") if maker is not None else ():
        if any(word in node.texts() for word in DROPPING):
            yield node, "its code drops rows"
    for node in make.all("script"):
        if any(word in node.texts().lower() for word in CHANGING):
            yield node, "it changes the rows after they are loaded"
