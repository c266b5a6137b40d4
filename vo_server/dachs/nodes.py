"""The XML of a resource descriptor as plain nodes, read without entities and without the network."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from vo_server.errors import DataError

DEEPEST = 100
LONGEST = 32 << 20
"""Bytes; descriptors of whole archives have less than one megabyte."""

TRUE = ("true", "yes", "t", "on", "enabled", "1")
"""How DaCHS spells that something is so."""


@dataclass(slots=True)
class Node:
    """An element. DaCHS lets simple values be attributes or elements (Reference Documentation, "Resource Descriptor Element Reference"):
    `get` takes them from either.
    """

    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def get(self, *names: str) -> str | None:
        """The value of the first of `names` that is there, without blanks around."""
        for name in names:
            if name in self.attributes:
                return self.attributes[name].strip()
            child = next((child for child in self.children if child.tag == name and not child.children), None)
            if child is not None:
                return child.text.strip()
        return None

    def is_true(self, name: str) -> bool:
        """A boolean; what is not said is false."""
        return (self.get(name) or "").lower() in TRUE

    def all(self, *tags: str) -> list["Node"]:
        """The children of these names."""
        return [child for child in self.children if child.tag in tags]

    def walk(self) -> Iterator["Node"]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def texts(self) -> str:
        """All text in it and below it."""
        return " ".join(node.text for node in self.walk())


def parse(content: bytes, source: str) -> Node:
    """The root of a descriptor. DataError, with the place, for what is not XML, no resource, or wants entities."""
    if len(content) > LONGEST:
        raise DataError(f"it has more than {LONGEST >> 20} megabytes: that is no resource descriptor.", source=source)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise DataError(f"this is not XML: {_told(error)}.", source=source, hint="Resource descriptors of DaCHS are XML.") from None
    if root.getroottree().docinfo.doctype:
        line = content[: max(content.find(b"<!DOCTYPE"), 0)].count(b"\n") + 1
        raise DataError(
            f"line {line}: there is a document type, whose entities are not expanded.", source=source, hint="Remove the DOCTYPE."
        )
    node = _node(root, source, 0)
    if node.tag != "resource":
        raise DataError(
            f"line {node.line}: the root is <{node.tag}>, not <resource>.", source=source, hint="It must be a resource descriptor of DaCHS."
        )
    return node


def _told(error: etree.XMLSyntaxError) -> str:
    """What is wrong, after the line and the column."""
    line, column = error.position
    message = (error.msg or "it cannot be parsed").partition(", line ")[0]
    return f"line {line}, column {max(column, 1)}: {message}"


def _node(element: etree._Element, source: str, depth: int) -> Node:
    if depth > DEEPEST:
        raise DataError(f"line {element.sourceline}: elements are nested too deeply.", source=source)
    pieces = [element.text or "", *(child.tail or "" for child in element)]
    node = Node(
        _local(element.tag), element.sourceline or 0, {_local(key): value for key, value in element.attrib.items()}, "".join(pieces)
    )
    node.children = [_node(child, source, depth + 1) for child in element]
    return node


def _local(name: str) -> str:
    return name.rpartition("}")[2]
