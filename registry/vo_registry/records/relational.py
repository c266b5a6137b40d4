"""Records → rows of the relational registry: what a searchable registry makes of our records is read from the records themselves
(RegTAP 1.2 §5 on texts, §8 on tables).

A site has tens of thousands of records, each with some hundred values. So a record is parsed and walked once, into plain nodes, and the
paths of the columns are taken apart when this module is loaded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vo_server.documents.xml import NAMESPACES, Element, parse
from vo_server.model.regtap import DETAILS, ROLES, TABLES, Field, RegistryTable, Rule

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Counted:
    """Elements that are numbered within a record, by document order: ``column`` is where the number stands (RegTAP 1.2 §4), None: they
    only hold such; ``below`` are those inside, by name."""

    column: str | None
    below: Mapping[str, "Counted"] = field(default_factory=dict)


NOTHING = Counted(None)
COUNTED = Counted(
    None,
    {
        "capability": Counted("cap_index", {"interface": Counted("intf_index")}),
        "tableset": Counted(None, {"schema": Counted("schema_index", {"table": Counted("table_index")})}),
    },
)


@dataclass(slots=True)
class Node:
    """An element: its text without blanks around it (None: it has none), and the numbers of all that it stands in."""

    text: str | None
    attributes: Mapping[str, str]
    numbers: Mapping[str, int]
    children: Mapping[str, list["Node"]]


Nodes = Callable[[Node], Iterable[Node]]
Texts = Callable[[Node], list[str]]


def nodes_at(names: Sequence[str]) -> Nodes:
    """The elements that a path of names leads to."""
    if not names:
        return lambda node: (node,)
    first, *rest = names
    if not rest:
        return lambda node: node.children.get(first, ())
    further = nodes_at(rest)
    return lambda node: [one for child in node.children.get(first, ()) for one in further(child)]


def texts_at(path: str) -> Texts:
    """What stands at a path such as ``content/source/@format``, nothing of it empty (RegTAP 1.2 §5.1, §5.2)."""
    way, at, attribute = path.rpartition("@")
    names = _names(way if at else path)
    found = nodes_at(names)
    if not at and len(names) == 1:
        return _texts_of_children(names[0])
    if not at:
        return lambda node: [one.text for one in found(node) if one.text is not None]
    prefix, colon, local = attribute.partition(":")
    name = f"{{{NAMESPACES[prefix]}}}{local}" if colon else attribute
    return lambda node: [text for one in found(node) if (text := one.attributes.get(name, "").strip())]


def _texts_of_children(name: str) -> Texts:
    """What most columns are: texts of children, of which mostly there is none."""

    def texts(node: Node) -> list[str]:
        children = node.children
        return [one.text for one in children[name] if one.text is not None] if name in children else []

    return texts


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def relational_rows(record: str) -> dict[str, list[Row]]:
    """The rows of each table of ``rr`` that a record (as ``ivo_vor``) makes."""
    root = _node(parse(record), {}, COUNTED, {})
    rows = {name: [reader(node, root) for node in where(root)] for name, (where, reader) in READERS.items()}
    ivoid = rows["resource"][0]["ivoid"]
    others = {"relationship": _relations(root), "res_role": _roles(root, ivoid), "res_detail": _details(root, ivoid)}
    return rows | {name: list(more) for name, more in others.items()}


def _node(element: Element, numbers: Mapping[str, int], counted: Counted, counts: dict[str, int]) -> Node:
    """The element with all below it; `counts` is how many there were so far of what is numbered."""
    column = counted.column
    if column is not None:
        counts[column] = counts.get(column, 0) + 1
        numbers = {**numbers, column: counts[column]}
    text, items = element.text, element.items()
    children: dict[str, list[Node]] = {}
    node = Node((text.strip() or None) if text else None, dict(items) if items else {}, numbers, children)
    below = counted.below
    for child in element:
        name = child.tag
        one = _node(child, numbers, below.get(name, NOTHING), counts)
        if name in children:
            children[name].append(one)
        else:
            children[name] = [one]
    return node


def _reader(table: RegistryTable) -> Callable[[Node, Node], Row]:
    """What makes a row of an element, and of the record it stands in."""
    values = [(one.column.name, _value(one)) for one in table.fields]
    special = SPECIAL.get(table.name)

    def read(node: Node, root: Node) -> Row:
        row = {name: value(node, root) for name, value in values}
        return row if special is None else row | special(node)

    return read


def _value(one: Field) -> Callable[[Node, Node], Any]:
    """What reads the value of a column."""
    name = one.column.name
    if one.path is None:
        return lambda node, _: node.numbers.get(name)
    texts_of, rule, typed = texts_at(one.path), RULES[one.rule], _typed(one)

    def of_node(node: Node, _: Node) -> Any:
        texts = texts_of(node)
        return None if not texts else typed(rule(texts)) if typed is not None else rule(texts)

    def of_root(_: Node, root: Node) -> Any:
        return of_node(root, root)

    return of_root if one.path.startswith("/") else of_node


def _typed(one: Field) -> Callable[[str], Any] | None:
    """What makes a value of a text; None: it is one."""
    if one.column.is_timestamp:
        return lambda text: text.removesuffix("Z")
    if one.column.datatype == "int":
        return lambda text: {"true": 1, "false": 0}[text] if text in ("true", "false") else int(text)
    if one.column.datatype in ("float", "double"):
        return lambda text: float(text.split()[0])
    return None


RULES: Mapping[Rule, Callable[[list[str]], str]] = {
    "as is": lambda texts: texts[0],
    "lower": lambda texts: texts[0].lower(),
    "hash list": "#".join,
    "lower hash list": lambda texts: "#".join(texts).lower(),
    "semicolon list": "; ".join,
}


def _interval(begin: str, end: str) -> Callable[[Node], Row]:
    def both(node: Node) -> Row:
        low, high = (float(word) for word in (node.text or "").split())
        return {begin: low, end: high}

    return both


def _access(interface: Node) -> Row:
    """Anonymous use is possible without a security method, or with one that names no standard (RegTAP 1.2 §8.8)."""
    methods = interface.children.get("securityMethod", ())
    return {"authenticated_only": int(bool(methods) and all(method.attributes.get("standardID") for method in methods))}


SPECIAL: Mapping[str, Callable[[Node], Row]] = {
    "interface": _access,
    "stc_temporal": _interval("time_start", "time_end"),
    "stc_spectral": _interval("spectral_start", "spectral_end"),
}
"""What a path alone does not say."""


def _everywhere(name: str) -> Nodes:
    """All elements of this name, wherever they stand."""

    def found(node: Node) -> Iterator[Node]:
        for child, nodes in node.children.items():
            for one in nodes:
                if child == name:
                    yield one
                yield from found(one)

    return found


def _where(context: str) -> Nodes:
    """The elements that make rows."""
    return _everywhere(context[3:]) if context.startswith(".//") else nodes_at(_names(context))


READERS = {table.name: (_where(table.context), _reader(table)) for table in TABLES if table.context is not None}
"""Name of each table that elements make rows of → where they stand, and how."""


def _relations(root: Node) -> Iterator[Row]:
    """The kind of a relation stands beside those that are related (VOResource 1.2 §3.1.4)."""
    _, reader = READERS["relationship"]
    for relation in nodes_at(("content", "relationship"))(root):
        kind = next(iter(texts_at("relationshipType")(relation)), "").lower()
        for related in relation.children.get("relatedResource", ()):
            yield reader(related, root) | {"relationship_type": kind}


ROLE_PATHS = [(role, nodes_at(_names(place)), {name: texts_at(path) for name, path in said.items()}) for role, place, said in ROLES]
NOT_SAID = dict.fromkeys(("role_name", "role_ivoid", "street_address", "email", "telephone", "logo"))


def _roles(root: Node, ivoid: str) -> Iterator[Row]:
    for role, place, paths in ROLE_PATHS:
        for node in place(root):
            said = {name: next(iter(texts_of(node)), None) for name, texts_of in paths.items()}
            identifier = said.get("role_ivoid")
            yield NOT_SAID | said | {"ivoid": ivoid, "base_role": role, "role_ivoid": identifier.lower() if identifier else None}


CAPABILITY = "capability/"
DETAILS_OF_CAPABILITIES = [(f"/{path}", texts_at(path.removeprefix(CAPABILITY))) for path in DETAILS if path.startswith(CAPABILITY)]
DETAILS_OF_RECORDS = [(f"/{path}", texts_at(path)) for path in DETAILS if not path.startswith(CAPABILITY)]


def _details(root: Node, ivoid: str) -> Iterator[Row]:
    places = [(node, DETAILS_OF_CAPABILITIES) for node in root.children.get("capability", ())]
    for node, paths in (*places, (root, DETAILS_OF_RECORDS)):
        for name, texts_of in paths:
            for text in texts_of(node):
                yield {"ivoid": ivoid, "cap_index": node.numbers.get("cap_index"), "detail_xpath": name, "detail_value": text}
