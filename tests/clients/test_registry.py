"""pyvo's registry search, pointed at our own TAP service: what it finds, and that what it finds can be used (RegTAP 1.2)."""

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import pyvo
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from pyvo import registry
from pyvo.registry import regtap, rtcons

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

SOURCES = "ivo://example.vo-server/sky/sources"
TAP = "ivo://example.vo-server/tap"


@pytest.fixture(scope="module")
def configured() -> dict[str, Any]:
    """pyvo.registry.Spatial looks for the feature MOC."""
    return {"newer_features": True}


@pytest.fixture
def vo(live: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The live server as the only registry pyvo knows; the vocabulary of messengers, which pyvo would fetch, as it is."""
    before = regtap.REGISTRY_BASEURL
    registry.choose_RegTAP_service(f"{live}/tap")
    monkeypatch.setattr(rtcons.Waveband, "_legal_terms", {"radio", "optical", "gamma-ray", "neutrino"})
    yield live
    registry.choose_RegTAP_service(before)
    gc.collect()  # pyvo leaves connections open, which are not to be noticed in another test


def found(**constraints: object) -> set[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pyvo.dal.DALOverflowWarning)
        return {str(one["ivoid"]) for one in registry.search(maxrec=1000, **constraints)}


def test_searches_find_what_records_say(vo: str) -> None:
    assert SOURCES in found(keywords="few sources")
    assert SOURCES not in found(keywords="nothing of the kind")
    assert SOURCES in found(keywords=["sources", "few"], servicetype="scs")
    assert TAP in found(servicetype="tap")
    assert SOURCES not in found(servicetype="tap")
    assert SOURCES in found(servicetype="tap", includeaux=True)
    assert SOURCES in found(ucd="pos.eq.ra%")
    assert found(ivoid=SOURCES.upper().replace("IVO:", "ivo:")) == {SOURCES}
    assert TAP in found(datamodel="obscore")
    assert found(datamodel="regtap") == set(), "ours are not the records of the whole VO (RegTAP 1.2 §7)"
    assert found(waveband="neutrino") == set()


def test_searches_by_coverage(vo: str) -> None:
    assert SOURCES in found(spatial=(279.2347, 38.7837))
    assert SOURCES in found(spatial=SkyCoord(279.2347, 38.7837, unit="deg"))
    assert SOURCES not in found(spatial=(10.0, -60.0))
    assert SOURCES in {str(one["ivoid"]) for one in registry.search(registry.Spatial((279.2, 38.8, 5.0), intersect="overlaps"))}
    assert SOURCES in {str(one["ivoid"]) for one in registry.search(registry.Spatial((0.0, 0.0, 180.0), intersect="enclosed"))}
    assert found(temporal=Time("1999-06-01T12:00:00")) == set()
    assert found(spectral=5 * u.eV) == set()


def test_what_is_found_can_be_used(vo: str) -> None:
    record = registry.search(ivoid=SOURCES)[0]
    assert record.res_title == "A few sources"
    assert record.access_modes() == {"conesearch", "tap#aux"}
    cone = record.get_service("conesearch")
    assert [row["name"] for row in cone.search(pos=(77.358, 5.693), radius=0.1)] == ["TXS 0506+056"]
    tap = record.get_service("tap")
    assert len(tap.search("SELECT name FROM sky.sources WHERE flux > 1")) == 2
    assert "vo@example.org" in record.get_contact()
    tables = record.get_tables()
    assert [column.ucd for column in tables["sky.sources"].columns if column.name == "ra"] == ["pos.eq.ra;meta.main"]


def test_every_service_of_the_site_answers(vo: str) -> None:
    services = registry.search(servicetype=["tap", "scs", "sia2"])
    assert {str(one["ivoid"]) for one in services} >= {TAP, SOURCES}
    for record in services:
        for mode in record.access_modes():
            assert record.get_service(mode).baseurl.startswith(vo)


def test_tables_that_can_be_queried_stand_there_once(vo: str) -> None:
    rows = pyvo.dal.TAPService(f"{vo}/tap").search("SELECT resid, svcid, table_name FROM rr.tap_table", maxrec=500)
    names = [str(row["table_name"]) for row in rows]
    assert len(names) == len(set(names))
    assert {"sky.sources", "rr.resource", "tap_schema.tables", "ivoa.obscore"} <= set(names)
    assert [str(row["resid"]) for row in rows if row["table_name"] == "sky.sources"] == [SOURCES]
    assert {str(row["svcid"]) for row in rows} == {TAP}
