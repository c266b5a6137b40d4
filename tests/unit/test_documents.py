"""VOSI documents: what they say, read back by an XML parser and by pyvo."""

import io
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from lxml import etree
from pyvo.io import vosi as pyvo_vosi
from registry_samples import BASE, CATALOGUE, CONE, SERVICES, SIA1, TAP

from vo_server.documents import vosi
from vo_server.documents.vodataservice import add_coverage
from vo_server.documents.xml import XSI, add, document, legal, serialise
from vo_server.model.resource import Coverage


def texts(document: bytes, path: str) -> list[str]:
    found = etree.fromstring(document).xpath(path, namespaces={"xsi": XSI})
    return [one if isinstance(one, str) else one.text for one in found]


def test_characters_that_xml_does_not_have_are_dropped() -> None:
    assert legal("a\0b\x81c\ufffe\ud800\tµ𝜈") == "abc\tµ𝜈"
    root = document("ri:Resource")
    add(root, "title", "nul\0 & <tag>", {"note": "\x01x"})
    assert b'<title note="x">nul &amp; &lt;tag&gt;</title>' in serialise(root)


def test_a_type_whose_prefix_is_not_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="tr:TableAccess"):
        add(document("ri:Resource", ("vs",)), "capability", attributes={"xsi:type": "tr:TableAccess"})


def test_schema_locations_name_every_declared_namespace() -> None:
    words = document("oai:OAI-PMH", ("vr", "dc")).get(f"{{{XSI}}}schemaLocation").split()
    assert dict(zip(words[::2], words[1::2], strict=True)) == {
        "http://www.openarchives.org/OAI/2.0/": "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd",
        "http://www.ivoa.net/xml/VOResource/v1.0": "http://www.ivoa.net/xml/VOResource/v1.0",
    }


def test_capabilities_of_tap_are_what_pyvo_reads() -> None:
    capability = next(iter(pyvo_vosi.parse_capabilities(io.BytesIO(vosi.capabilities(SERVICES[0].capabilities)).read)))
    assert capability.standardid == "ivo://ivoa.net/std/TAP"
    assert capability.interfaces[0].accessurls[0].content == f"{BASE}/tap"
    assert (capability.interfaces[0].version, capability.interfaces[0].role) == ("1.1", "std")
    assert capability.interfaces[0].securitymethods == []
    assert [(one.content, one.ivo_id) for one in capability.languages[0].versions] == list(TAP.languages[0].versions)
    assert (capability.outputlimit.default.content, capability.outputlimit.hard.content) == (20_000, 20_000_000)
    assert (capability.executionduration.default, capability.executionduration.hard) == (60, 3600)
    assert capability.outputformats[0].ivo_id == "ivo://ivoa.net/std/TAPRegExt#output-votable-td"
    assert capability.outputformats[0].aliases == ["votable", "votable/td"]
    assert [method.ivo_id for method in capability.uploadmethods] == ["ivo://ivoa.net/std/TAPRegExt#upload-inline"]


def test_limits_that_are_not_set_are_not_written() -> None:
    bare = replace(TAP, retention_s=None, duration_s=None, output_limit=None, upload_limit=None)
    assert not texts(vosi.capabilities([bare]), "//retentionPeriod | //executionDuration | //outputLimit | //uploadLimit")


def test_cone_search_says_how_to_test_it() -> None:
    written = vosi.capabilities([CONE])
    assert texts(written, "//testQuery/*") == ["77.36", "5.69", "0.5"]
    assert texts(written, "//testQueryString") == ["RA=77.36&DEC=5.69&SR=0.5"]
    assert texts(written, "//param[@use='required'][@std='true']/name") == ["RA"]
    assert texts(written, "//param[@use='optional'][@std='false']/name") == ["MAXREC"]
    assert not texts(vosi.capabilities([replace(CONE, test_query=None)]), "//testQuery")


def test_image_search_of_the_first_version_is_described() -> None:
    written = vosi.capabilities([SIA1])
    assert texts(written, "//maxQueryRegionSize/* | //testQuery/*/* ") == ["360.0", "180.0", "77.36", "5.69", "0.5", "0.25"]


def test_availability_is_in_utc() -> None:
    started = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=2)))
    read = pyvo_vosi.parse_availability(io.BytesIO(vosi.availability(started, note="Ready")).read)
    assert read.available
    assert read.upsince == "2026-01-02T01:04:05Z"
    assert texts(vosi.availability(started, available=False), "//*[local-name()='available']") == ["false"]


def test_tables_are_what_pyvo_reads() -> None:
    tableset = pyvo_vosi.parse_tables(io.BytesIO(vosi.tables(CATALOGUE)).read)
    assert [schema.name for schema in tableset.tableset.schemas] == ["tap_schema", "ivoa", "data", "other"]
    alerts, order = tableset.tableset.schemas[2].tables
    assert (alerts.name, alerts.title, alerts.description, alerts.type) == ("data.alerts", "Alerts", "All alerts", "table")
    assert order.name == 'data."Order 66"'
    columns = {column.name: column for column in alerts.columns}
    assert list(columns) == ["ra", "dec", '"size"', '"flux µ"', "name", "observed"]
    assert (columns["ra"].unit, columns["ra"].ucd, columns["ra"].flags) == ("deg", "pos.eq.ra;meta.main", ["indexed"])
    assert columns["name"].description == "Näme & <company>"
    assert (columns['"flux µ"'].datatype.content, columns['"flux µ"'].datatype.arraysize) == ("float", "3")


def test_times_keep_their_xtype_and_standard_columns_say_so() -> None:
    written = vosi.tables(CATALOGUE)
    assert texts(written, "//column[name='observed']/dataType/@extendedType") == ["timestamp"]
    assert texts(written, "//column[@std='true']/name") == ["table_name", "obs_id"]


def test_foreign_keys_stand_with_their_table() -> None:
    written = vosi.tables(CATALOGUE)
    assert texts(written, "//table[name='data.alerts']/foreignKey/targetTable") == ['data."Order 66"', "other.notes"]
    assert texts(written, "//foreignKey[1]//fromColumn") == ["name", '"size"']
    assert texts(written, "//table[not(name='data.alerts')]/foreignKey") == []


def test_little_detail_is_tables_without_columns() -> None:
    written = vosi.tables(CATALOGUE, detail="min")
    assert texts(written, "//table/name") == ["tap_schema.tables", "ivoa.obscore", "data.alerts", 'data."Order 66"', "other.notes"]
    assert not texts(written, "//column | //foreignKey")
    assert texts(written, "//nrows") == ["348", "0"]


def test_one_table_is_a_document_of_its_own() -> None:
    root = etree.fromstring(vosi.table(CATALOGUE.tables[2], CATALOGUE.keys))
    assert root.tag == "{http://www.ivoa.net/xml/VOSITables/v1.0}table"
    assert root.get("type") == "table"
    assert (root.findtext("name"), len(root.findall("column")), len(root.findall("foreignKey"))) == ("data.alerts", 6, 2)


@pytest.mark.parametrize(
    ("coverage", "written"),
    [
        (Coverage(), []),
        (Coverage(waveband=("Neutrino",)), []),
        (Coverage(temporal=(55000.0, float("inf"))), []),
        (Coverage("6/1", (55000, 55001.5), (1e-19, 2e-19), ("x-RAY",)), ["6/1", "55000.0 55001.5", "1e-19 2e-19", "X-ray"]),
    ],
)
def test_coverage_says_what_every_registry_understands(coverage: Coverage, written: list[str]) -> None:
    root = document("ri:Resource")
    add_coverage(root, coverage)
    assert [element.text for element in root.iterfind("coverage/*")] == written
    assert (root.find("coverage") is None) == (not written)
