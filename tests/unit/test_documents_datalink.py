"""The rules of links documents: a good one keeps them, and each rule notices when one does not."""

from collections.abc import Callable
from contextlib import closing

import pytest
from lxml import etree
from registry_samples import violations

from vo_server.formats import FORMATS
from vo_server.model.result import Ending, Info, Outcome, TableHead
from vo_server.model.service import ServiceDescriptor, ServiceParam
from vo_server.protocols.datalink import COLUMNS, STANDARD_ID, Link, batch

Element = etree._Element
V = "{http://www.ivoa.net/xml/VOTable/v1.3}"
SERVICE = ServiceDescriptor("cut", "http://vo.test/soda", (ServiceParam("ID", value="a"), ServiceParam("N", ref="ID")))
ROWS = (
    Link("a", "http://vo.test/a", content_length=5, link_authorized=True),
    Link("a", service_def="cut", semantics="#cutout"),
    Link("b", error_message="NotFoundFault: there is none"),
)


def document() -> bytes:
    head = TableHead(COLUMNS, (Info("standardID", STANDARD_ID),), descriptors=(SERVICE,))
    with closing(FORMATS[0].writer(head)) as writer:
        return b"".join((writer.head(), writer.rows(batch(ROWS)), *writer.tail(Outcome(Ending.COMPLETE, len(ROWS)))))


def test_our_documents_keep_the_rules() -> None:
    assert violations(document(), "datalink") == []


def cell(row: int, column: int, value: str) -> Callable[[Element], None]:
    def edit(root: Element) -> None:
        root.findall(f".//{V}TR")[row][column].text = value

    return edit


def attribute(path: str, name: str, value: str) -> Callable[[Element], None]:
    def edit(root: Element) -> None:
        root.find(path.replace("/", f"/{V}").replace("./" + V + "/" + V, f".//{V}")).set(name, value)

    return edit


def remove(path: str) -> Callable[[Element], None]:
    def edit(root: Element) -> None:
        found = root.find(path.replace("/", f"/{V}").replace("./" + V + "/" + V, f".//{V}"))
        found.getparent().remove(found)

    return edit


def binary(root: Element) -> None:
    root.find(f".//{V}TABLEDATA").tag = f"{V}BINARY2"


BROKEN: tuple[tuple[str, Callable[[Element], None]], ...] = (
    ("one-table", attribute(".//RESOURCE", "type", "meta")),
    ("standard", attribute(".//INFO[@name='standardID']", "value", "ivo://ivoa.net/std/DataLink#links-1.0")),
    ("status", remove(".//INFO[@name='QUERY_STATUS']")),
    ("tabledata", binary),
    ("columns", remove(".//FIELD[@name='description']")),
    ("length", attribute(".//FIELD[@name='content_length']", "unit", "kbyte")),
    ("authorized", attribute(".//FIELD[@name='link_authorized']", "datatype", "char")),
    ("words", attribute(".//FIELD[@name='semantics']", "ucd", "meta.note")),
    ("identified", cell(0, 0, "")),
    ("one-of-three", cell(0, 1, "")),
    ("one-of-three", cell(2, 1, "http://vo.test/x")),
    ("service", cell(1, 2, "other")),
    ("fault", cell(2, 3, "NotFound: there is none")),
    ("semantics", cell(0, 5, "this")),
    ("address", cell(0, 1, "/files/a")),
    ("access-url", attribute(".//PARAM[@name='accessURL']", "name", "url")),
    ("inputs", attribute(".//GROUP", "name", "inputs")),
    ("one-source", attribute(".//PARAM[@name='N']", "value", "5")),
    ("column", attribute(".//PARAM[@name='N']", "ref", "nothing")),
)


@pytest.mark.parametrize(("rule", "edit"), BROKEN)
def test_each_rule_notices(rule: str, edit: Callable[[Element], None]) -> None:
    root = etree.fromstring(document())
    edit(root)
    assert rule in violations(etree.tostring(root), "datalink")
