"""The examples of a service as XHTML with RDFa (DALI 1.1 §2.3): read by TOPCAT and pyvo, and by people."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from lxml import etree

from vo_server.documents.xml import Element, legal
from vo_server.model.example import Example

EXAMPLES_ID = "ivo://ivoa.net/std/DALI#examples"
VOCABULARY = "http://www.ivoa.net/rdf/examples#"
XHTML = "http://www.w3.org/1999/xhtml"

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1f; background: #fff }
pre { padding: .6rem .8rem; background: #f3f4f7; overflow-x: auto; white-space: pre-wrap }
code { background: #f3f4f7 }
@media (prefers-color-scheme: dark) { body { color: #e3e3e8; background: #16161a } pre, code { background: #26262c } a { color: #9db7ff } }
"""


def examples(shown: Iterable[Example], service_url: str) -> bytes:
    """The page for the TAP service at `service_url`.

    It is well-formed XML that HTML parsers read alike, and a query is the first and only text of its element: some clients read by
    ElementTree and take no more (CHECKLIST META-039, META-045).
    """
    root = etree.Element(f"{{{XHTML}}}html", {"lang": "en"}, nsmap={None: XHTML})
    head = _add(root, "head")
    _add(head, "meta", attributes={"charset": "utf-8"})
    _add(head, "meta", attributes={"name": "viewport", "content": "width=device-width, initial-scale=1"})
    _add(head, "title", "Examples of queries")
    _add(head, "style", STYLE)
    body = _add(root, "body")
    _add(body, "h1", "Examples of queries")
    _add(body, "p", "ADQL for the TAP service at this address. Programs such as TOPCAT offer these queries in their menus.")
    _add(_add(body, "p"), "a", service_url, {"href": service_url})
    examples_ = _add(body, "div", attributes={"vocab": VOCABULARY})
    for example in shown:
        _add_example(examples_, example, service_url)
    document: bytes = etree.tostring(root, doctype="<!DOCTYPE html>", encoding="UTF-8", method="xml")
    return document + b"\n"


def _add_example(parent: Element, example: Example, service_url: str) -> None:
    attributes = {"id": example.id, "resource": f"#{example.id}", "typeof": "example"}
    element = _add(parent, "div", attributes=attributes)
    _add(element, "h2", example.name, {"property": "name"})
    if example.description:
        _add(element, "p", example.description)
    _add(element, "pre", example.query, {"property": "query"})
    if example.tables:
        tables = _add(element, "p", "Reads ")
        for table in example.tables:
            _add(tables, "code", table, {"property": "table"}).tail = " "
    asked = urlencode({"LANG": "ADQL", "QUERY": example.query, "RESPONSEFORMAT": "html"})
    _add(_add(element, "p"), "a", "Run it", {"href": f"{service_url}/sync?{asked}"})


def _add(parent: Element, name: str, text: str | None = None, attributes: Mapping[str, str] | None = None) -> Element:
    element = etree.SubElement(parent, f"{{{XHTML}}}{name}", {key: legal(value) for key, value in (attributes or {}).items()})
    element.text = legal(text) if text is not None else None
    return element
