"""VOTable documents around the rows (VOTable 1.5 §3, DALI 1.1 §4.4): head, tail, errors. Elements, never text templates.

A document is built whole, with a processing instruction where the FIELDs and the rows belong, and cut there: what stands before
the rows is the head, what stands after them the tail. No text of a user can look like the mark, because the serialiser escapes it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from vo_server.formats.mivot import annotation, position_of
from vo_server.formats.systems import GALACTIC, ICRS, TIME_IDS, System, system_of
from vo_server.formats.texts import legal_xml
from vo_server.model.columns import TEXTS, Column, Group
from vo_server.model.result import Ending, Info, Outcome, TableHead
from vo_server.model.service import ServiceDescriptor, ServiceParam

NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"
"""Of all versions from 1.3 to 1.5."""
DEFAULT_VERSION = "1.4"
"""Which all clients read. Errors have it whatever the setting: nothing in them is different in 1.5."""


@dataclass(frozen=True, slots=True)
class Serialization:
    """How rows stand in TABLE: the elements around them, outermost first, the innermost one's attributes, whether the FIELDs of strings
    and of variable arrays keep their bound and shape, and whether those of integers declare which number is NULL."""

    elements: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...] = ()
    keeps_bounds: bool = True
    declares_nulls: bool = False


TABLEDATA = Serialization(("DATA", "TABLEDATA"))
NO_DATA = Serialization(())
"""The table's description alone."""
# The rows carry every length, and astropy misreads the rest: bounded strings (before 7.1, CHECKLIST VOT-009), and arrays such as 3x*,
# whose count it takes for that of the triples, where VOTable 1.5 §5.3 and STIL mean all elements.
BINARY2 = Serialization(("DATA", "BINARY2", "STREAM"), (("encoding", "base64"),), keeps_bounds=False)
BINARY = Serialization(("DATA", "BINARY", "STREAM"), (("encoding", "base64"),), keeps_bounds=False, declares_nulls=True)

_END = b"</VOTABLE>\n"

NULLS = {"short": -(2**15), "int": -(2**31), "long": -(2**63)}
"""What stands for NULL among integers where a FIELD must declare it (VOTable 1.5 §4.7): the smallest of each."""


def head(table: TableHead, serialization: Serialization) -> bytes:
    """The document up to the rows: QUERY_STATUS OK, the other INFOs, the systems of columns, TABLE with its FIELDs (DALI 1.1 §4.4)."""
    root, results = _document(table.votable_version)
    results.extend(_info(info) for info in (Info("QUERY_STATUS", Ending.COMPLETE.value), *table.infos))
    results.extend(_element(system.tag, **system.dressed(table.votable_version)) for system in _systems(table.columns))
    results.extend(_param(param, {}) for param in table.params)
    ids = _field_ids(table.descriptors)
    annotated, ids = _annotated(table.columns, ids) if table.mivot else (b"", ids)
    if annotated:
        results.append(_mark())
    results.append(_table(serialization, table.name, table.description))
    *above, before, between, _ = _pieces(root)
    return b"".join((*above, annotated, before, _fields(table.columns, serialization, ids), between))


def tail(table: TableHead, outcome: Outcome, serialization: Serialization) -> bytes:
    """The document from the rows on: a second QUERY_STATUS behind the TABLE if rows are missing (DALI 1.1 §4.4.1), then the descriptors of
    services, which users of a stream have use for when they have the rows.
    """
    root, results = _document(table.votable_version)
    results.append(_table(serialization))
    if outcome.ending is not Ending.COMPLETE:
        results.append(_info(Info("QUERY_STATUS", outcome.ending.value, outcome.message)))
    return _pieces(root)[-1].removesuffix(_END) + _services(table.descriptors) + _END


def metadata_document(table: TableHead) -> bytes:
    """What a service can be asked and answers with, without an answer (SIAP 1.0 §6, SSA 1.1 §4.3): INFOs, PARAMs, and a TABLE without rows
    if there are columns to describe.
    """
    root, results = _document(table.votable_version)
    results.extend(_info(info) for info in (Info("QUERY_STATUS", Ending.COMPLETE.value), *table.infos))
    results.extend(_element(system.tag, **system.dressed(table.votable_version)) for system in _systems(table.columns))
    results.extend(_param(param, {}) for param in table.params)
    if table.columns:
        shown = _element("TABLE", table.description, name=table.name)
        shown.extend(_field(column, TABLEDATA, None) for column in table.columns)
        results.append(shown)
    return _serialize(root)


def error_document(message: str, infos: Iterable[Info] = ()) -> bytes:
    """An error for a DALI client (DALI 1.1 §4.4.2): QUERY_STATUS=ERROR with `message` for people, then `infos`."""
    root, results = _document(DEFAULT_VERSION)
    results.extend(_info(info) for info in (Info("QUERY_STATUS", Ending.FAILED.value, message), *infos))
    return _serialize(root)


def cone_error_document(message: str) -> bytes:
    """An error for a cone search client: INFO ``Error`` right below VOTABLE (Simple Cone Search 1.03 §2.3), and DALI's QUERY_STATUS too."""
    root, results = _document(DEFAULT_VERSION)
    results.addprevious(_info(Info("Error", message)))
    results.append(_info(Info("QUERY_STATUS", Ending.FAILED.value, message)))
    return _serialize(root)


def field_arraysize(column: Column, serialization: Serialization) -> str | None:
    """The arraysize of a column's FIELD; strings always have one, since ``char`` without it is a single character (VOTable 1.5 §2.2).
    Without rows it is what the column says: whoever describes data elsewhere knows how long they are.
    """
    if serialization is NO_DATA:
        return column.arraysize
    arraysize = "*" if column.is_timestamp or (column.datatype in TEXTS and not column.arraysize) else column.arraysize
    if serialization.keeps_bounds or arraysize is None:
        return arraysize
    return "*" if column.datatype in TEXTS or arraysize.endswith("*") else arraysize


def null_of(column: Column) -> int | None:
    """The number that VALUES declares as NULL; variable arrays need none, since they can be empty."""
    return NULLS.get(column.datatype) if not column.is_array or column.length is not None else None


def _document(version: str) -> tuple[etree._Element, etree._Element]:
    """A VOTABLE with its results RESOURCE, and that RESOURCE."""
    root = etree.Element(f"{{{NAMESPACE}}}VOTABLE", nsmap={None: NAMESPACE}, version=version)
    results = etree.SubElement(root, f"{{{NAMESPACE}}}RESOURCE", type="results")
    return root, results


def _table(serialization: Serialization, name: str | None = None, description: str | None = None) -> etree._Element:
    table = _element("TABLE", description, name=name)
    table.append(_mark())
    inner = table
    for tag in serialization.elements:
        inner.append(_element(tag))
        inner = inner[-1]
    inner.attrib.update(serialization.attributes)
    inner.append(_mark())
    return table


FieldIds = tuple[tuple[str, str], ...]
"""Column name → XML ID of its FIELD, for those that something refers to; in the order of their names."""


@lru_cache(maxsize=256)
def _annotated(columns: tuple[Column, ...], field_ids: FieldIds) -> tuple[bytes, FieldIds]:
    """A RESOURCE before the TABLE that says which of `columns` are the main position (MIVOT 1.0 §3), and the IDs of FIELDs with those that
    it refers by; empty if none are.
    """
    position = position_of(columns)
    if position is None:
        return b"", field_ids
    ids = _with_more(field_ids, (column.name for column in position.columns), columns)
    root, results = _document(DEFAULT_VERSION)
    meta = _element("RESOURCE", type="meta")
    meta.append(annotation(position, ids))
    results.extend((_mark(), meta, _mark()))
    return _pieces(root)[1].strip(), tuple(ids.items())


@lru_cache(maxsize=1024)
def _fields(columns: tuple[Column, ...], serialization: Serialization, field_ids: FieldIds) -> bytes:
    """The FIELDs of `columns`: the costly part of a small answer, and the same for all that ask alike."""
    ids = _with_more(field_ids, (column.name for column in columns if column.group), columns)
    groups = _groups(columns, ids)
    root, results = _document(DEFAULT_VERSION)
    table = _element("TABLE")
    table.append(_mark())
    table.extend(_field(column, serialization, ids.pop(column.name, None)) for column in columns)
    table.extend(groups)
    table.append(_mark())
    results.append(table)
    return _pieces(root)[1].strip()


def _field(column: Column, serialization: Serialization, field_id: str | None) -> etree._Element:
    field = _element(
        "FIELD",
        column.description,
        ID=field_id,
        name=column.name,
        datatype=column.datatype,
        arraysize=field_arraysize(column, serialization),
        xtype=column.xtype,
        unit=column.unit,
        ucd=column.ucd,
        utype=column.utype,
        ref=system.id if (system := system_of(column)) else None,
    )
    null = null_of(column) if serialization.declares_nulls else None
    if null is not None:
        field.append(_element("VALUES", null=str(null)))
    return field


def _field_ids(descriptors: tuple[ServiceDescriptor, ...]) -> FieldIds:
    """IDs for the columns that services take their parameters from: the column's name wherever that is an XML name, since astropy
    calls the column by its ID (PITFALLS P-60).
    """
    taken = {ICRS.id, GALACTIC.id, *(descriptor.id for descriptor in descriptors)}
    names = sorted(set().union(*(descriptor.columns for descriptor in descriptors)))
    return tuple(_identified({}, names, taken).items())


def _identified(ids: dict[str, str], names: Iterable[str], taken: set[str]) -> dict[str, str]:
    """`ids` and those of more names, none of which is among `taken`."""
    for name in names:
        ids[name] = re.sub(r"^(?![A-Za-z_])|[^\w.-]", "_", name, flags=re.ASCII)
        while ids[name] in taken or ids[name].startswith(TIME_IDS):
            ids[name] += "_"
        taken.add(ids[name])
    return ids


def _with_more(field_ids: FieldIds, names: Iterable[str], columns: tuple[Column, ...]) -> dict[str, str]:
    """The IDs of FIELDs, with those of `names`, to which something else refers."""
    ids = dict(field_ids)
    more = dict.fromkeys(name for name in names if name not in ids)
    systems = {system.id for system in _systems(columns)} if more else set()
    return _identified(ids, more, {ICRS.id, GALACTIC.id, *systems, *ids.values()})


def _groups(columns: tuple[Column, ...], ids: Mapping[str, str]) -> list[etree._Element]:
    """A GROUP for columns that belong together (VOTable 1.5 §4.9)."""
    members: dict[Group, dict[str, None]] = {}
    for column in columns:
        if column.group is not None:
            members.setdefault(column.group, {})[ids[column.name]] = None
    found = []
    for group, refs in members.items():
        element = _element("GROUP", group.description, name=group.name)
        element.extend(_element("FIELDref", ref=ref) for ref in refs)
        found.append(element)
    return found


@lru_cache(maxsize=256)
def _services(descriptors: tuple[ServiceDescriptor, ...]) -> bytes:
    """The descriptors of services: a good part of a small answer, and the same for all that ask alike."""
    root, _ = _document(DEFAULT_VERSION)
    root.append(_mark())
    ids = dict(_field_ids(descriptors))
    root.extend(_service(descriptor, ids) for descriptor in descriptors)
    return _pieces(root)[-1].removesuffix(_END).lstrip(b"\n")


def _service(descriptor: ServiceDescriptor, ids: Mapping[str, str]) -> etree._Element:
    """A service as a RESOURCE of its own (DataLink 1.1 §4.1)."""
    resource = _element("RESOURCE", descriptor.description, ID=descriptor.id, name=descriptor.name, type="meta", utype="adhoc:service")
    said = (
        ("accessURL", descriptor.access_url),
        ("standardID", descriptor.standard_id),
        ("resourceIdentifier", descriptor.resource_identifier),
        ("contentType", descriptor.content_type),
        *(("exampleURL", url) for url in descriptor.examples),
    )
    resource.extend(_element("PARAM", name=name, datatype="char", arraysize="*", value=value) for name, value in said if value)
    inputs = _element("GROUP", name="inputParams")
    inputs.extend(_param(param, ids) for param in descriptor.params)
    resource.append(inputs)
    return resource


def _param(param: ServiceParam, ids: Mapping[str, str]) -> etree._Element:
    element = _element(
        "PARAM",
        param.description,
        name=param.name,
        datatype=param.datatype,
        arraysize=param.arraysize,
        xtype=param.xtype,
        unit=param.unit,
        ucd=param.ucd,
        utype=param.utype,
        ref=ids[param.ref] if param.ref else None,
    )
    element.set("value", legal_xml(param.value))  # required, even when empty
    values = _element("VALUES")
    values.extend(_element(tag, value=value) for tag, value in (("MIN", param.minimum), ("MAX", param.maximum)) if value)
    values.extend(_element("OPTION", value=option) for option in param.options)
    if len(values):
        element.append(values)
    return element


def _systems(columns: Iterable[Column]) -> tuple[System, ...]:
    """The coordinate systems, then the time systems (VOTable 1.5 §3.2) that `columns` refer to, each once."""
    found = dict.fromkeys(system for column in columns if (system := system_of(column)))
    return tuple(sorted(found, key=lambda system: system.tag))


def _info(info: Info) -> etree._Element:
    element = _element("INFO", name=info.name)
    element.set("value", legal_xml(info.value))  # required, even when empty
    element.text = legal_xml(info.content) if info.content else None
    return element


def _element(tag: str, description: str | None = None, **attributes: str | None) -> etree._Element:
    """An element with the attributes that have a value, and a DESCRIPTION if there is one."""
    element = etree.Element(f"{{{NAMESPACE}}}{tag}", {name: legal_xml(value) for name, value in attributes.items() if value})
    if description:
        etree.SubElement(element, f"{{{NAMESPACE}}}DESCRIPTION").text = legal_xml(description)
    return element


def _mark() -> etree._ProcessingInstruction:
    return etree.ProcessingInstruction("cut", "here")


def _pieces(root: etree._Element) -> list[bytes]:
    """The document, cut at its marks."""
    return _serialize(root).split(b"<?cut here?>")


def _serialize(root: etree._Element) -> bytes:
    etree.indent(root)
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return document.replace(b"<?xml version='1.0' encoding='UTF-8'?>", b'<?xml version="1.0" encoding="UTF-8"?>', 1) + b"\n"
