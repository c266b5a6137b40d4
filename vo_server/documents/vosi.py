"""The documents beside every service (VOSI 1.1): capabilities, availability, tables."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from vo_server.documents.capabilities import add_capability, prefixes
from vo_server.documents.vodataservice import Detail, add_schema, fill_table
from vo_server.documents.xml import add, add_texts, document, serialise, set_attribute
from vo_server.model.capability import Capability, Interface
from vo_server.model.catalogue import Catalogue, Key, Table

CAPABILITIES_ID = "ivo://ivoa.net/std/VOSI#capabilities"
AVAILABILITY_ID = "ivo://ivoa.net/std/VOSI#availability"
TABLES_ID = "ivo://ivoa.net/std/VOSI#tables-1.1"

TAP_PLUS_FLAGS: Mapping[str, str] = MappingProxyType({"pos.eq.ra;meta.main": "1", "pos.eq.dec;meta.main": "2", "meta.id;meta.main": "16"})
"""UCD → what TAP+, the extension of ESA's archives, says of such a column in an attribute; 0 of any other."""

BESIDE: tuple[tuple[str, str, str], ...] = (
    (CAPABILITIES_ID, "capabilities", "What this service can do."),
    (AVAILABILITY_ID, "availability", "Whether this service is up."),
)
"""Standard, address below the service's, description."""


def vosi_capabilities(service_url: str) -> tuple[Capability, ...]:
    """The capabilities of the two documents that stand beside every service (VOSI 1.1 §5)."""
    return tuple(
        Capability(standard_id=standard, interfaces=(Interface(f"{service_url}/{path}", use="full"),), description=description)
        for standard, path, description in BESIDE
    )


def capabilities(caps: Sequence[Capability]) -> bytes:
    """The ``/capabilities`` document of a service (VOSI 1.1 §3.1)."""
    root = document("cap:capabilities", {"vr", "vs"} | prefixes(caps))
    for capability in caps:
        add_capability(root, capability)
    return serialise(root)


def availability(up_since: datetime, *, available: bool = True, note: str | None = None) -> bytes:
    """The ``/availability`` document (VOSI 1.1 §3.2); `up_since` is an aware time."""
    root = document("avl:availability")
    add(root, "avl:available", "true" if available else "false")
    add(root, "avl:upSince", up_since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    add_texts(root, "avl:note", note)
    return serialise(root)


def tables(catalogue: Catalogue, *, detail: Detail = "max", flags: bool = False) -> bytes:
    """The ``/tables`` document: every schema with its tables, in catalogue order (VOSI 1.1 §3.3); `flags`: with those of TAP+."""
    root = document("vtm:tableset", ("vs", "esatapplus") if flags else ("vs",))
    for schema in catalogue.schemas:
        add_schema(root, schema, catalogue.of_schema(schema.name), catalogue.keys, detail)
    if flags:
        for column in root.iter("column"):
            set_attribute(column, "esatapplus:flags", TAP_PLUS_FLAGS.get(column.findtext("ucd", ""), "0"))
    return serialise(root)


def table(shown: Table, keys: Sequence[Key] = ()) -> bytes:
    """The ``/tables/{name}`` document: one table in full; `keys` may hold those of others."""
    root = document("vtm:table", ("vs",))
    fill_table(root, shown, keys, "max")
    return serialise(root)
