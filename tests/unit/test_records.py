"""Registry records: what they say, and that they say it the same way as long as nothing changed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree
from registry_samples import (
    ALERTS,
    ALERTS_ID,
    BASE,
    CATALOGUE,
    CREATED,
    MAPS,
    MAPS_ID,
    NOW,
    SCS2,
    SERVICES,
    SITE,
    TAP,
    all_records,
    violations,
)

from vo_registry.records import Rendered, registry_capabilities
from vo_registry.records.entry import doi_uri, orcid_uri, short
from vo_server.documents.xml import NAMESPACES
from vo_server.model.holdings import Product
from vo_server.model.resource import Coverage, Site

DESCRIBED = replace(
    CATALOGUE,
    tables=tuple(
        replace(table, columns=tuple(replace(column, description=column.description or "Something") for column in table.columns))
        for table in CATALOGUE.tables
    ),
)


def texts(record: Rendered, path: str, text: str | None = None) -> list[str]:
    found = etree.fromstring(text or record.ivo_vor).xpath(path, namespaces=dict(NAMESPACES))
    return [one if isinstance(one, str) else one.text for one in found]


@pytest.fixture(scope="module")
def records() -> dict[str, Rendered]:
    return all_records()


def test_every_part_of_the_site_has_a_record_of_its_type(records: dict[str, Rendered]) -> None:
    assert {name: texts(one, "/ri:Resource/@xsi:type")[0] for name, one in records.items()} == {
        "ivo://example.org": "vg:Authority",
        "ivo://example.org/registry": "vg:Registry",
        "ivo://example.org/org": "vr:Organisation",
        "ivo://example.org/tap": "vs:CatalogService",
        "ivo://example.org/sia2": "vs:CatalogService",
        "ivo://example.org/datalink": "vs:DataService",
        "ivo://example.org/soda": "vs:DataService",
        ALERTS_ID: "vs:CatalogService",
        MAPS_ID: "vs:CatalogResource",
    }
    assert all(texts(one, "/ri:Resource/identifier") == [name] for name, one in records.items())


def test_site_records_refer_to_each_other(records: dict[str, Rendered]) -> None:
    assert texts(records["ivo://example.org"], "managingOrg/@ivo-id") == ["ivo://example.org/org"]
    assert texts(records["ivo://example.org/registry"], "full | managedAuthority") == ["false", "example.org"]
    assert {texts(one, "curation/publisher/@ivo-id")[0] for one in records.values()} == {"ivo://example.org/org"}


def test_registry_says_where_it_is_harvested(records: dict[str, Rendered]) -> None:
    registry = records["ivo://example.org/registry"]
    assert texts(registry, "capability[@xsi:type='vg:Harvest']/interface[@xsi:type='vg:OAIHTTP'][@role='std']/accessURL[@use='base']") == [
        f"{BASE}/oai"
    ]
    assert texts(registry, "capability/maxRecords") == ["0"]
    assert [one.interfaces[0].url for one in registry_capabilities(BASE)] == [
        f"{BASE}/oai",
        f"{BASE}/oai/capabilities",
        f"{BASE}/oai/availability",
    ]


def test_tap_record_has_the_capabilities_of_the_service(records: dict[str, Rendered]) -> None:
    tap = records["ivo://example.org/tap"]
    assert texts(tap, "capability/@standardID") == [one.standard_id for one in SERVICES[0].capabilities]
    assert texts(tap, "capability[@xsi:type='tr:TableAccess']/outputLimit/hard[@unit='row']") == [str(TAP.output_limit.hard)]
    assert texts(tap, "tableset//table/name") == ["tap_schema.tables", "ivoa.obscore"]
    assert texts(tap, "tableset//table/utype") == ["ivo://ivoa.net/std/obscore#core-1.1"]


def test_services_and_resources_are_related_both_ways(records: dict[str, Rendered]) -> None:
    served = "content/relationship[relationshipType='IsServiceFor']/relatedResource/@ivo-id"
    by = "content/relationship[relationshipType='IsServedBy']/relatedResource/@ivo-id"
    assert texts(records["ivo://example.org/tap"], served) == [ALERTS_ID]
    assert texts(records["ivo://example.org/sia2"], served) == [MAPS_ID]
    assert texts(records[ALERTS_ID], by) == ["ivo://example.org/tap"]
    services = [f"ivo://example.org/{name}" for name in ("sia2", "datalink", "soda")]
    assert texts(records[MAPS_ID], by) == services
    assert [texts(records[one], served) for one in services] == [[MAPS_ID]] * 3


def test_resource_is_reached_by_auxiliary_tap_and_by_its_own_cone_search(records: dict[str, Rendered]) -> None:
    alerts = records[ALERTS_ID]
    assert texts(alerts, "capability/@standardID") == ["ivo://ivoa.net/std/TAP#aux", "ivo://ivoa.net/std/ConeSearch"]
    assert texts(alerts, "capability[1]/interface[@role='std'][@version='1.1']/accessURL") == [f"{BASE}/tap"]
    assert texts(alerts, "capability[@xsi:type='cs:ConeSearch']/testQuery/ra") == ["77.36"]
    assert texts(records[MAPS_ID], "capability/@standardID") == ["ivo://ivoa.net/std/SIA#query-aux-2.0"]
    assert texts(records[MAPS_ID], "capability/interface/accessURL") == [f"{BASE}/sia2/query"]


def test_resource_describes_its_tables_and_no_others(records: dict[str, Rendered]) -> None:
    alerts = records[ALERTS_ID]
    assert texts(alerts, "tableset/schema/name") == ["data"]
    assert texts(alerts, "tableset/schema/table/name") == ["data.alerts", 'data."Order 66"']
    assert len(texts(alerts, "tableset//table[1]/column/name")) == 6
    assert texts(alerts, "tableset//foreignKey/targetTable") == ['data."Order 66"'], "a key to a table outside would point at nothing"
    assert texts(records[MAPS_ID], "tableset") == []


def test_resource_says_who_what_and_where(records: dict[str, Rendered]) -> None:
    alerts = records[ALERTS_ID]
    for path, expected in (
        ("shortName", ["IceCube neutrino"]),
        ("altIdentifier", ["doi:10.7910/DVN/SCRUCD"]),
        ("curation/creator/name", ["Doe, J.", "Roe, R."]),
        ("curation/creator/altIdentifier", ["https://orcid.org/0000-0001-2345-6789"]),
        ("curation/date[@role='Created']", ["2025-03-04T05:06:07Z"]),
        ("curation/contact/email", ["vo@example.org"]),
        ("content/subject", ["neutrino-astronomy", "high-energy-astrophysics"]),
        ("content/source[@format='bibcode']", ["2023ApJS..269...25A"]),
        ("content/referenceURL", [f"{BASE}/"]),
        ("content/type | content/contentLevel", ["Catalog", "Research"]),
        ("rights[@rightsURI='https://creativecommons.org/licenses/by/4.0/']", ["CC BY 4.0"]),
        ("facility | instrument", ["IceCube", "IceCube DOMs"]),
        ("coverage/*", ["6/1-5 22", "55694.0 60000.5", "1.6e-05 0.0016", "Gamma-ray"]),
    ):
        assert texts(alerts, path) == expected, path


def test_dublin_core_says_the_same_in_fifteen_words(records: dict[str, Rendered]) -> None:
    dublin = records[ALERTS_ID].oai_dc
    for name, expected in (
        ("title", ["IceCube alerts"]),
        ("creator", ["Doe, J.", "Roe, R."]),
        ("publisher", ["Institute of Examples"]),
        ("type", ["Catalog"]),
        ("identifier", [ALERTS_ID, f"{BASE}/", "doi:10.7910/DVN/SCRUCD"]),
        ("relation", ["ivo://example.org/tap"]),
        ("rights", ["CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"]),
    ):
        assert texts(records[ALERTS_ID], f"dc:{name}", dublin) == expected, name
    for record in records.values():
        for name in ("title", "subject", "description", "publisher", "date", "type", "identifier"):
            assert texts(record, f"dc:{name}", record.oai_dc), (record.identifier, name)


def test_resource_without_words_is_still_a_valid_record() -> None:
    bare = replace(
        ALERTS, subjects=(), description="", source=None, doi=None, rights=None, rights_uri=None, coverage=Coverage(), creators=()
    )
    record = all_records(resources=(bare,))[ALERTS_ID]
    assert texts(record, "content/subject | content/description") == ["catalogs", "IceCube alerts"]
    assert texts(record, "content/source | altIdentifier | rights | coverage | curation/creator") == []


def test_tables_that_are_no_longer_there_are_not_described() -> None:
    record = all_records(resources=(replace(ALERTS, tables=("data.never", "data.alerts")),))[ALERTS_ID]
    assert texts(record, "tableset//table/name") == ["data.alerts"]


def test_a_service_that_is_not_served_has_no_record() -> None:
    records = all_records(services=SERVICES[:1])
    assert records.keys().isdisjoint(f"ivo://example.org/{name}" for name in ("sia2", "datalink", "soda"))
    assert texts(records[MAPS_ID], "capability | content/relationship") == []
    assert texts(records[ALERTS_ID], "capability/@standardID") == ["ivo://ivoa.net/std/TAP#aux"]


@pytest.mark.parametrize(
    ("product", "services"),
    [
        (Product("image", "application/fits"), {"sia2", "datalink", "soda"}),
        (Product("image", "image/png"), {"sia2", "datalink"}),
        (Product("event", "application/fits"), {"datalink", "soda"}),
        (Product("measurements", "text/csv"), {"datalink"}),
        (Product(None), {"datalink"}),
        (None, set()),
    ],
)
def test_services_are_registered_where_there_is_something_for_them(product: Product | None, services: set[str]) -> None:
    records = all_records(products={MAPS.id: {product}} if product else {})
    names = {f"ivo://example.org/{name}" for name in services}
    assert names == records.keys() & {f"ivo://example.org/{name}" for name in ("sia2", "datalink", "soda")}
    assert set(texts(records[MAPS_ID], "content/relationship/relatedResource/@ivo-id")) == names


def test_records_of_links_and_cutouts_have_the_capabilities_of_the_services(records: dict[str, Rendered]) -> None:
    """DataLink 1.1 §2.2, SODA 1.0 §2.5: plain capabilities, which have no auxiliary form."""
    by_path = {service.path: service.capabilities for service in SERVICES}
    for path in ("datalink", "soda"):
        record, served = records[f"ivo://example.org/{path}"], by_path[path]
        assert texts(record, "capability/@standardID") == [one.standard_id for one in served]
        (address,) = texts(record, "capability[1]/interface[@xsi:type='vs:ParamHTTP'][@role='std']/accessURL")
        assert address == served[0].interfaces[0].url
        assert not violations(record.dated(CREATED, NOW)[0].encode(), "record")


def test_what_only_newer_standards_know_is_said_when_asked_for(records: dict[str, Rendered]) -> None:
    newer = all_records(newer=True, catalogue=DESCRIBED)
    assert texts(newer[ALERTS_ID], "coverage/waveband") == ["Gamma-ray", "Neutrino"]
    assert texts(newer[ALERTS_ID], "capability/@standardID")[1:] == ["ivo://ivoa.net/std/ConeSearch", "ivo://ivoa.net/scs2#query-2.0"]
    assert [texts(newer[one], "productTypeServed") for one in (MAPS_ID, "ivo://example.org/soda", ALERTS_ID)] == [["image"], ["image"], []]
    events = all_records(newer=True, products={MAPS.id: {Product("event", "application/fits"), Product(None)}})
    assert texts(events[MAPS_ID], "productTypeServed") == ["event-list"]
    for name, record in newer.items():
        assert not violations(record.dated(CREATED, NOW)[0].encode(), "record"), name
    refused = {rule for record in newer.values() for rule in violations(record.dated(CREATED, NOW)[0].encode(), "rofr")}
    assert refused == {"waveband", "product-type"}
    assert not any(violations(record.dated(CREATED, NOW)[0].encode(), "rofr") for record in records.values())


def test_scs2_is_registered_for_tables_that_are_wholly_described() -> None:
    nowhere = replace(ALERTS, coverage=Coverage())
    for newer in (all_records(newer=True), all_records(newer=True, catalogue=DESCRIBED, resources=(nowhere,))):
        assert SCS2.standard_id not in texts(newer[ALERTS_ID], "capability/@standardID")


def test_same_content_same_hash(records: dict[str, Rendered]) -> None:
    again = all_records()
    assert {name: one.content_hash for name, one in again.items()} == {name: one.content_hash for name, one in records.items()}


def test_only_the_records_that_say_it_change(records: dict[str, Rendered]) -> None:
    def changed(**changes: object) -> set[str]:
        return {name for name, one in all_records(**changes).items() if one.content_hash != records[name].content_hash}

    assert changed(resources=(replace(ALERTS, subjects=("blazars",)), MAPS)) == {ALERTS_ID}
    assert changed(resources=(replace(ALERTS, title="Alerts"), MAPS)) == {ALERTS_ID, "ivo://example.org/tap"}
    assert changed(resources=(replace(ALERTS, updated=NOW), MAPS)) == set(), "publishing the same again is no change"
    grown = replace(CATALOGUE, tables=(*CATALOGUE.tables[:2], replace(CATALOGUE.tables[2], nrows=349), *CATALOGUE.tables[3:]))
    assert changed(catalogue=grown) == {ALERTS_ID}


def test_another_authority_is_other_records() -> None:
    assert not set(all_records(site=replace(SITE, authority="new.example"))) & set(all_records())


def test_dates_are_filled_in_when_stored(records: dict[str, Rendered]) -> None:
    record = records[ALERTS_ID]
    ivo_vor, oai_dc = record.dated(CREATED, NOW + timedelta(microseconds=999))
    assert texts(record, "/ri:Resource/@created | /ri:Resource/@updated", ivo_vor) == ["2025-03-04T05:06:07Z", "2026-01-02T03:04:05Z"]
    assert texts(record, "dc:date", oai_dc) == ["2026-01-02T03:04:05Z"]
    assert "1970" not in ivo_vor + oai_dc
    tricky = all_records(resources=(replace(ALERTS, description='created="1970-01-01T00:00:00Z" <dc:date>1970-01-01T00:00:00Z'),))
    ivo_vor, oai_dc = tricky[ALERTS_ID].dated(CREATED, NOW)
    assert texts(record, "/ri:Resource/@created", ivo_vor) == ["2025-03-04T05:06:07Z"]
    assert texts(record, "content/description", ivo_vor) == texts(record, "dc:description", oai_dc)
    assert "1970" in texts(record, "content/description", ivo_vor)[0], "only blanks are filled in"
    assert record.created == CREATED


def test_a_site_of_unknown_age_is_created_when_it_is_stored() -> None:
    records = all_records(site=Site())
    assert records["ivo://example.vo-server"].created is None
    assert records["ivo://example.vo-server/data/alerts"].created == CREATED


@pytest.mark.parametrize("given", ["10.1/x", "doi:10.1/x", "https://doi.org/10.1/x", "http://dx.doi.org/10.1/x", " DOI:10.1/x"])
def test_dois_have_one_form(given: str) -> None:
    assert doi_uri(given) == "doi:10.1/x"


@pytest.mark.parametrize("given", ["0000-0001-2345-6789", "orcid:0000-0001-2345-6789", "https://orcid.org/0000-0001-2345-6789/"])
def test_orcids_have_one_form(given: str) -> None:
    assert orcid_uri(given) == "https://orcid.org/0000-0001-2345-6789"


def test_short_names_are_short() -> None:
    assert short("fifteen letters and more") == "fifteen letters"
