"""Elements with the prefixes the VO agreed on: the one place where XML is made.

Names are written as in the documents themselves: ``"ri:Resource"`` stands in its namespace, ``"title"`` in none (children of
VOResource and VOSI elements are unqualified), ``"xsi:type"`` is an attribute in a namespace.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from lxml import etree

Element: TypeAlias = etree._Element
"""An element, for annotations: lxml has no public name for it."""

XSI = "http://www.w3.org/2001/XMLSchema-instance"

NAMESPACES: Mapping[str, str] = MappingProxyType(
    {
        "avl": "http://www.ivoa.net/xml/VOSIAvailability/v1.0",
        "cap": "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
        "cs": "http://www.ivoa.net/xml/ConeSearch/v1.0",
        "dc": "http://purl.org/dc/elements/1.1/",
        "esatapplus": "http://esa.int/xml/EsaTapPlus",
        "oai": "http://www.openarchives.org/OAI/2.0/",
        "oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc/",
        "ri": "http://www.ivoa.net/xml/RegistryInterface/v1.0",
        "sia": "http://www.ivoa.net/xml/SIA/v1.1",
        "ssap": "http://www.ivoa.net/xml/SSA/v1.1",
        "tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
        "uws": "http://www.ivoa.net/xml/UWS/v1.0",
        "vg": "http://www.ivoa.net/xml/VORegistry/v1.0",
        "vr": "http://www.ivoa.net/xml/VOResource/v1.0",
        "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
        "vtm": "http://www.ivoa.net/xml/VOSITables/v1.0",
        "xlink": "http://www.w3.org/1999/xlink",
        "xsi": XSI,
    }
)
"""Canonical prefix → namespace (VOResource 1.2 §1.3, VOSI 1.1 §6)."""

LOCATIONS: Mapping[str, str] = MappingProxyType(
    {
        "oai": "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd",
        "oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
    }
)
"""Where a schema lies, if not at the address that is its namespace (as all of the IVOA's do)."""

SCHEMALESS = ("dc", "esatapplus", "xlink", "xsi")
"""Prefixes without a schema of their own to point at: those of oai_dc and UWS import dc and xlink, that of ESA lies with ESA."""

Attributes = Mapping[str, str | None]
NO_ATTRIBUTES: Attributes = MappingProxyType({})

ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 §2.2 forbids, and the control characters that it only discourages: they are bytes of a wrong encoding, and break clients."""


def document(name: str, prefixes: Iterable[str] = (), attributes: Attributes = NO_ATTRIBUTES) -> Element:
    """A root element that declares its own prefix, xsi and `prefixes`, and says where their schemas are."""
    declared = sorted({name.partition(":")[0], "xsi", *prefixes})
    root = etree.Element(_qualified(name), nsmap={prefix: NAMESPACES[prefix] for prefix in declared})
    places = [f"{NAMESPACES[prefix]} {LOCATIONS.get(prefix, NAMESPACES[prefix])}" for prefix in declared if prefix not in SCHEMALESS]
    return _dress(root, None, {"xsi:schemaLocation": " ".join(places), **attributes})


def add(parent: Element, name: str, text: str | None = None, attributes: Attributes = NO_ATTRIBUTES) -> Element:
    """A new last child of `parent`; attributes that are None are left out, as are characters that XML 1.0 does not have.

    Raises ValueError for an ``xsi:type`` whose prefix the document does not declare: it would mean nothing to a reader.
    """
    return _dress(etree.SubElement(parent, _qualified(name)), text, attributes)


def set_attribute(element: Element, name: str, value: str) -> None:
    """Say one more thing of an element."""
    element.set(_qualified(name), legal(value))


def add_texts(parent: Element, name: str, *texts: str | None) -> None:
    """One child for each of `texts` that says something."""
    for text in texts:
        if text and text.strip():
            add(parent, name, text)


def serialise(root: Element) -> bytes:
    """The document as UTF-8 with its XML declaration."""
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def parse(text: str | bytes) -> Element:
    """The root of a document that we wrote ourselves: nothing is fetched, no entity is expanded."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.fromstring(text.encode() if isinstance(text, str) else text, parser)


def legal(text: str) -> str:
    """`text` without what XML 1.0 does not have."""
    return ILLEGAL.sub("", text)


def _dress(element: Element, text: str | None, attributes: Attributes) -> Element:
    for name, value in attributes.items():
        if value is not None:
            set_attribute(element, name, value)
    kind = attributes.get("xsi:type")
    if kind is not None and kind.partition(":")[0] not in element.nsmap:
        raise ValueError(f"the document does not declare the prefix of xsi:type {kind}")
    if text is not None:
        element.text = legal(text)
    return element


def _qualified(name: str) -> str:
    prefix, colon, local = name.rpartition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}" if colon else name
