"""Records → rows of the relational registry: what a searchable registry makes of our records is read from the records themselves
(RegTAP 1.2 §5 on texts, §8 on tables)."""

from collections.abc import Iterator, Mapping
from typing import Any

from vo_server.documents.xml import NAMESPACES, Element, parse
from vo_server.model.regtap import DETAILS, ROLES, TABLES, Field, RegistryTable, Rule

Row = dict[str, Any]

COUNTED: Mapping[str, str] = {
    "cap_index": "capability",
    "schema_index": "tableset/schema",
    "table_index": "tableset/schema/table",
    "intf_index": "capability/interface",
}
"""What is numbered within a record, by document order (RegTAP 1.2 §4)."""

Numbers = Mapping[str, Mapping[Element, int]]


def relational_rows(record: str) -> dict[str, list[Row]]:
    """The rows of each table of ``rr`` that a record (as ``ivo_vor``) makes."""
    root = parse(record)
    numbers = {name: {element: place for place, element in enumerate(root.iterfind(path), 1)} for name, path in COUNTED.items()}
    rows = {table.name: list(_rows(table, root, numbers)) for table in TABLES if table.context is not None}
    ivoid = rows["resource"][0]["ivoid"]
    return rows | {"res_role": list(_roles(root, ivoid)), "res_detail": list(_details(root, ivoid, numbers["cap_index"]))}


def _rows(table: RegistryTable, root: Element, numbers: Numbers) -> Iterator[Row]:
    elements = [root] if table.context == "." else root.iterfind(table.context or "")
    for element in elements:
        row = {field.column.name: _value(field, element, root, numbers) for field in table.fields}
        yield row | SPECIAL.get(table.name, _nothing)(element)


def _value(field: Field, element: Element, root: Element, numbers: Numbers) -> Any:
    if field.path is None:
        return _number(numbers.get(field.column.name, {}), element)
    texts = _texts(root, field.path[1:]) if field.path.startswith("/") else _texts(element, field.path)
    return None if not texts else _typed(field, texts)


def _typed(field: Field, texts: list[str]) -> Any:
    text = RULES[field.rule](texts)
    if field.column.is_timestamp:
        return text.removesuffix("Z")
    if field.column.datatype == "int":
        return {"true": 1, "false": 0}.get(text) if text in ("true", "false") else int(text)
    if field.column.datatype in ("float", "double"):
        return float(text.split()[0])
    return text


RULES: Mapping[Rule, Any] = {
    "as is": lambda texts: texts[0],
    "lower": lambda texts: texts[0].lower(),
    "hash list": "#".join,
    "lower hash list": lambda texts: "#".join(texts).lower(),
    "semicolon list": "; ".join,
}


def _texts(element: Element, path: str) -> list[str]:
    """The texts at a path such as ``content/source/@format``, none of them empty (RegTAP 1.2 §5.1, §5.2)."""
    way, at, attribute = path.rpartition("@")
    if at:
        prefix, colon, local = attribute.partition(":")
        name = f"{{{NAMESPACES[prefix]}}}{local}" if colon else attribute
        found = [one.get(name) for one in _elements(element, way.rstrip("/"))]
    else:
        found = [one.text for one in _elements(element, path)]
    return [text.strip() for text in found if text and text.strip()]


def _elements(element: Element, path: str) -> list[Element]:
    return [element] if path in ("", ".") else element.findall(path)


def _number(numbers: Mapping[Element, int], element: Element) -> int | None:
    """The number of the nearest numbered element, from `element` outwards."""
    while element is not None:
        if element in numbers:
            return numbers[element]
        element = element.getparent()
    return None


def _nothing(_: Element) -> Row:
    return {}


def _interval(begin: str, end: str) -> Any:
    def both(element: Element) -> Row:
        low, high = (float(word) for word in (element.text or "").split())
        return {begin: low, end: high}

    return both


def _relation(related: Element) -> Row:
    return {"relationship_type": related.getparent().findtext("relationshipType", "").strip().lower()}


def _access(interface: Element) -> Row:
    """Anonymous use is possible without a security method, or with one that names no standard (RegTAP 1.2 §8.8)."""
    methods = interface.findall("securityMethod")
    return {"authenticated_only": int(bool(methods) and all(method.get("standardID") for method in methods))}


SPECIAL: Mapping[str, Any] = {
    "relationship": _relation,
    "interface": _access,
    "stc_temporal": _interval("time_start", "time_end"),
    "stc_spectral": _interval("spectral_start", "spectral_end"),
}
"""What a path alone does not say."""


def _roles(root: Element, ivoid: str) -> Iterator[Row]:
    for role, place, paths in ROLES:
        for element in root.iterfind(place):
            said = {name: next(iter(_texts(element, path)), None) for name, path in paths.items()}
            identifier = said.get("role_ivoid")
            row = {"street_address": None, "email": None, "telephone": None, "logo": None}
            yield row | said | {"ivoid": ivoid, "base_role": role, "role_ivoid": identifier.lower() if identifier else None}


def _details(root: Element, ivoid: str, numbers: Mapping[Element, int]) -> Iterator[Row]:
    for path in DETAILS:
        first, slash, rest = path.partition("/")
        for element in root.iterfind(first) if slash and first == "capability" else (root,):
            for text in _texts(element, rest if element is not root else path):
                yield {"ivoid": ivoid, "cap_index": numbers.get(element), "detail_xpath": f"/{path}", "detail_value": text}
