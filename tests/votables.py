"""What tests ask of an answer that is a VOTable."""

from typing import Any

from lxml import etree

VOTABLE = "{http://www.ivoa.net/xml/VOTable/v1.3}"
"""What the names of its elements begin with."""


def statuses(content: bytes) -> list[str]:
    """The value of each QUERY_STATUS, in order: the last one counts."""
    return [info.get("value") for info in etree.fromstring(content).iterfind(f".//{VOTABLE}INFO[@name='QUERY_STATUS']")]


def refusal(reply: Any, status: int = 400) -> str:
    """The text of an error as DALI tells it."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"].startswith("application/x-votable+xml")
    (info,) = etree.fromstring(reply.content).iterfind(f".//{VOTABLE}INFO[@name='QUERY_STATUS']")
    assert info.get("value") == "ERROR"
    return str(info.text)
