"""pyvo's registry search, pointed at our own TAP service: what it finds, and that what it finds can be used (RegTAP 1.2)."""

import gc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvo
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from pyvo import registry
from pyvo.registry import regtap, rtcons

from vo_server.app import record_keeper
from vo_server.db.database import Database
from vo_server.observations.collections import Collection, Work, store
from vo_server.publish.datasets import Dataset
from vo_server.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

SOURCES = "ivo://example.vo-server/sky/sources"
TAP = "ivo://example.vo-server/tap"
MAPS = "ivo://example.vo-server/data/maps"
FLUXES = "ivo://example.vo-server/data/fluxes"
HERE = (77.36, 5.69)
NEWER = {"newer_features": True, "newer_records": True}

PLACED = {"s_ra": HERE[0], "s_dec": HERE[1], "s_fov": 1.0, "shape": (*HERE, 0.5), "access_estsize": 1}
IMAGE = Dataset(
    path="a.fits",
    obs_id="a",
    dataproduct_type="image",
    access_format="application/fits",
    t_min=58000.0,
    t_max=58001.0,
    em_min=4e-7,
    em_max=6e-7,
    **PLACED,
)
SPECTRUM = Dataset(
    path="b.vot", obs_id="b", dataproduct_type="sed", access_format="application/x-votable+xml", em_min=1e-18, em_max=1e-15, **PLACED
)


@pytest.fixture(scope="module")
def configured() -> dict[str, Any]:
    """pyvo.registry.Spatial looks for the feature MOC; neutrinos are among the wavebands."""
    return NEWER


@pytest.fixture
def vo(live: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The live server as the only registry pyvo knows; the vocabulary of messengers, which pyvo would fetch, as it is."""
    before = regtap.REGISTRY_BASEURL
    registry.choose_RegTAP_service(f"{live}/tap")
    monkeypatch.setattr(rtcons.Waveband, "_legal_terms", {"radio", "optical", "gamma-ray", "neutrino"})
    yield live
    registry.choose_RegTAP_service(before)
    gc.collect()  # pyvo leaves connections open, which are not to be noticed in another test


@pytest.fixture
def datasets(vo: str, database: Database, tmp_path: Path) -> str:
    """The registry with an image and a spectrum in it, each in a collection of its own."""
    work = Work(records=record_keeper(Settings(public_url=vo, **NEWER)))
    for name, one in (("maps", IMAGE), ("fluxes", SPECTRUM)):
        with database.engine.begin() as connection:
            store(connection, Collection(name=name, directory=tmp_path), [one], {}, work)
    return vo


def found(*constraints: rtcons.Constraint, **more: object) -> set[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pyvo.dal.DALOverflowWarning)
        return {str(one["ivoid"]) for one in registry.search(*constraints, maxrec=1000, **more)}


ASKED: dict[str, Callable[[Any], Any]] = {
    "sia": lambda service: service.search(pos=HERE, size=0.1),
    "sia2": lambda service: service.search(pos=(*HERE, 0.1)),
    "ssa": lambda service: service.search(pos=HERE, diameter=0.5),
    "conesearch": lambda service: service.search(pos=HERE, radius=0.1),
    "tap": lambda service: service.search("SELECT TOP 1 name FROM sky.sources"),
}
"""servicetype → a query that finds one thing."""


@pytest.mark.parametrize("kind", ASKED)
def test_what_is_found_by_the_kind_of_service_answers_queries(kind: str, datasets: str) -> None:
    """Both where the service has its own record and where a resource names it as an auxiliary capability."""
    expected = {"sia": {MAPS}, "sia2": {MAPS}, "ssa": {FLUXES}, "conesearch": {SOURCES}, "tap": {SOURCES}}[kind]
    services = registry.search(servicetype=kind)
    assert len(services) == 1
    for record in (*services, *registry.search(servicetype=kind, includeaux=True)):
        service = record.get_service(kind)
        assert service.baseurl.startswith(datasets)
        assert len(ASKED[kind](service)) == 1, record.ivoid
    assert found(servicetype=kind, includeaux=True) - found(servicetype=kind) == expected - found(servicetype=kind)


def test_services_of_datasets_are_found_by_their_standards(datasets: str) -> None:
    """pyvo has no class for them, so their addresses are what is looked for (DataLink 1.1 §2.2, SODA 1.0 §2.5)."""
    for standard, path in (("DataLink#links-1.1", "datalink/links"), ("SODA#sync-1.0", "soda/sync"), ("SODA#async-1.0", "soda/async")):
        (record,) = registry.search(servicetype=f"ivo://ivoa.net/std/{standard}".lower())
        addresses = [one.access_url for one in record.interfaces if one.standard_id == f"ivo://ivoa.net/std/{standard}".lower()]
        assert addresses == [f"{datasets}/{path}"]


@pytest.mark.usefixtures("datasets")
def test_coverage_finds_what_it_must_and_nothing_else() -> None:
    mine = {MAPS, FLUXES, SOURCES}
    for constraint, expected in (
        (registry.Waveband("optical"), {MAPS}),
        (registry.Waveband("gamma-ray"), {FLUXES}),
        (registry.Waveband("radio"), set()),
        (registry.Temporal(Time(58000.5, format="mjd")), {MAPS}),
        (registry.Temporal(Time(40000, format="mjd")), set()),
        (registry.Spectral(500 * u.nm), {MAPS}),
        (registry.Spectral((1 * u.GeV, 2 * u.GeV)), {FLUXES}),
        (registry.Spectral(21 * u.cm), set()),
        (registry.Spatial(HERE), mine),
        (registry.Spatial((10.0, -60.0)), set()),
        (registry.UCD("pos.eq.dec%"), {SOURCES}),
        (registry.UCD("phys.veloc%"), set()),
        (registry.Freetext("maps"), {MAPS}),
    ):
        assert found(constraint) & mine == expected, constraint


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
