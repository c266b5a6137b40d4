"""DataLink 1.1: what belongs to a dataset, for many at once, and errors one by one."""

from io import BytesIO
from typing import Any

import pytest
from astropy.io.votable import parse
from datasets import identifier
from lxml import etree
from starlette.testclient import TestClient

from vo_server.protocols import datalink

NS = {"v": "http://www.ivoa.net/xml/VOTable/v1.3"}
LINKS = "/datalink/links"
pytestmark = pytest.mark.usefixtures("sky")

TYPE = "application/x-votable+xml;content=datalink"


def ask(client: TestClient, *names: str, **parameters: Any) -> etree._Element:
    reply = client.get(LINKS, params={"ID": [identifier(name) if name.isalpha() else name for name in names], **parameters})
    assert (reply.status_code, reply.headers["content-type"]) == (200, TYPE)
    return etree.fromstring(reply.content)


def rows(root: etree._Element) -> list[dict[str, str | None]]:
    names = [field.get("name") for field in root.iterfind(".//v:FIELD", NS)]
    return [{name: cell.text for name, cell in zip(names, row, strict=True)} for row in root.iterfind(".//v:TR", NS)]


def statuses(root: etree._Element) -> list[str | None]:
    return [info.get("value") for info in root.iterfind(".//v:INFO[@name='QUERY_STATUS']", NS)]


def test_all_that_belongs_to_an_image(client: TestClient) -> None:
    this, cutout = rows(ask(client, "image"))
    assert this == {
        "ID": identifier("image"),
        "access_url": "http://testserver/files/sky/image.fits",
        "service_def": None,
        "error_message": None,
        "description": "Crab ?nebula?",  # VOTable's char is ASCII
        "semantics": "#this",
        "content_type": "application/fits",
        "content_length": None,
        "content_qualifier": "#image",
        "local_semantics": None,
        "link_auth": "false",
        "link_authorized": "T",
    }
    assert (cutout["semantics"], cutout["service_def"], cutout["access_url"]) == ("#cutout", "soda_sync_1", None)


def test_links_of_others_and_of_parts(client: TestClient) -> None:
    this, calibration, progenitor, _ = rows(ask(client, "events"))
    assert this["content_qualifier"] == "#event-list"
    assert (calibration["semantics"], calibration["local_semantics"]) == ("#calibration", "aeff")
    assert calibration["access_url"] == "http://testserver/files/sky/events.fits"
    assert progenitor["access_url"] == "http://elsewhere.test/raw?x=1&y=2"
    assert (progenitor["content_length"], progenitor["link_auth"]) == (str(2**40), None)


def test_what_is_not_fits_has_no_cutouts(client: TestClient) -> None:
    root = ask(client, "spectrum")
    assert [row["semantics"] for row in rows(root)] == ["#this"]
    assert len(root) == 1


def params(root: etree._Element, number: int) -> dict[str | None, etree._Element]:
    (service,) = root.iterfind(f"v:RESOURCE[@ID='soda_sync_{number}']", NS)
    return {param.get("name"): param for param in service.iterfind("v:GROUP/v:PARAM", NS)}


def test_each_dataset_describes_its_own_cutouts(client: TestClient) -> None:
    root = ask(client, "cube", "events", "image")
    assert [row["service_def"] for row in rows(root) if row["service_def"]] == ["soda_sync_1", "soda_sync_2", "soda_sync_3"]
    cube, events, image = (params(root, number) for number in (1, 2, 3))
    assert list(cube) == ["ID", "POS", "CIRCLE", "POLYGON", "BAND"]
    assert list(events) == ["ID", "POS", "CIRCLE", "POLYGON", "BAND", "ENERGY", "TIME"]
    assert list(image) == ["ID", "POS", "CIRCLE", "POLYGON"]
    assert cube["ID"].get("value") == identifier("cube")
    limits = {value.tag.rpartition("}")[2]: float(value.get("value") or "") for value in cube["BAND"].iterfind("v:VALUES/*", NS)}
    assert limits == {"MIN": 4.95e-7, "MAX": 5.45e-7}
    assert cube["CIRCLE"].find("v:VALUES/v:MAX", NS).get("value") == "83.6 22.0 0.3"
    assert len(cube["POLYGON"].find("v:VALUES/v:MAX", NS).get("value").split()) == 8
    energies = [float(value.get("value") or "") for value in events["ENERGY"].iterfind("v:VALUES/*", NS)]
    assert energies == pytest.approx([1e11, 1e14], rel=1e-3)


def test_errors_are_rows_of_their_identifiers(client: TestClient) -> None:
    root = ask(client, "ivo://nobody/x", "image", "  ")
    found = rows(root)
    assert [row["ID"] for row in found][:3] == ["ivo://nobody/x", identifier("image"), identifier("image")]
    faults = [(row["semantics"], (row["error_message"] or "").partition(":")[0]) for row in found if row["error_message"]]
    assert faults == [("#this", "NotFoundFault"), ("#this", "UsageFault")]
    assert statuses(root) == ["OK"]


def test_a_dataset_that_is_not_released_says_when(client: TestClient) -> None:
    this, preview, _ = rows(ask(client, "late"))
    for row in (this, preview):
        assert (row["link_auth"], row["link_authorized"]) == ("true", "F")
    assert "not public before 2031-05-06" in (this["description"] or "")


def test_the_rules_of_the_document(client: TestClient) -> None:
    """DataLink 1.1 §3.2–3.3: one table in TABLEDATA, its standard named, one of three in each row."""
    root = ask(client, "image", "cube", "nothing")
    assert [resource.get("type") for resource in root] == ["results", "meta", "meta"]
    assert root.find("v:RESOURCE/v:INFO[@name='standardID']", NS).get("value") == "ivo://ivoa.net/std/DataLink#links-1.1"
    fields = {field.get("name"): field for field in root.iterfind(".//v:FIELD", NS)}
    assert [(name, field.get("datatype")) for name, field in fields.items() if field.get("datatype") != "char"] == [
        ("content_length", "long"),
        ("link_authorized", "boolean"),
    ]
    assert all(field.get("ucd") for field in fields.values())
    for row in rows(root):
        assert sum(row[name] is not None for name in ("access_url", "service_def", "error_message")) == 1
    assert parse(BytesIO(client.get(LINKS, params={"ID": identifier("image")}).content)).get_first_table().nrows == 2


def test_no_identifier_is_an_empty_table(client: TestClient) -> None:
    root = ask(client)
    assert (rows(root), statuses(root)) == ([], ["OK"])


def test_many_identifiers_by_post(client: TestClient) -> None:
    names = [identifier("image"), *(f"ivo://nobody/{number}" for number in range(3000)), identifier("cube")]
    reply = client.post(LINKS, data={"id": names})
    found = rows(etree.fromstring(reply.content))
    assert len(found) == 3004
    assert list(dict.fromkeys(row["ID"] for row in found)) == names


def test_too_many_are_cut_between_two_identifiers(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    root = ask(client, "image", "cube", "events", MAXREC=3)
    assert ([row["ID"] for row in rows(root)], statuses(root)) == ([identifier("image")] * 2, ["OK", "OVERFLOW"])
    assert len(root) == 2  # and no description of what is not there
    monkeypatch.setattr(datalink, "MOST_IDS", 2)
    root = ask(client, "image", "cube", "events")
    assert ({row["ID"] for row in rows(root)}, statuses(root)) == ({identifier("image"), identifier("cube")}, ["OK", "OVERFLOW"])
    assert statuses(ask(client, "image", MAXREC=0)) == ["OK", "OVERFLOW"]


def test_the_media_type_is_spelled_one_way(client: TestClient) -> None:
    for form in ("votable", "application/x-votable+xml", "application/x-votable+xml; content=datalink", ""):
        assert rows(ask(client, "image", RESPONSEFORMAT=form))


def test_other_formats(client: TestClient) -> None:
    reply = client.get(LINKS, params={"ID": identifier("image"), "RESPONSEFORMAT": "csv"})
    assert reply.headers["content-type"].startswith("text/csv")
    assert reply.text.splitlines()[0].startswith("ID,access_url,service_def")


def test_faults_of_the_question_as_a_whole(client: TestClient) -> None:
    for name, value in (("RESPONSEFORMAT", "image/gif"), ("MAXREC", "-1")):
        reply = client.get(LINKS, params={"ID": "x", name: value})
        assert reply.status_code == 400
        (info,) = etree.fromstring(reply.content).iterfind(".//v:INFO", NS)
        assert info.text.startswith("UsageFault: ")


def test_the_service_describes_itself(client: TestClient) -> None:
    root = etree.fromstring(client.get("/datalink/capabilities").content)
    (links,) = root.xpath("capability[@standardID='ivo://ivoa.net/std/DataLink#links-1.1']")
    assert links.findtext("interface/accessURL") == "http://testserver/datalink/links"
    assert [param.findtext("name") for param in links.iterfind("interface/param")] == ["ID", "RESPONSEFORMAT"]
    assert client.get("/datalink/availability").status_code == 200
