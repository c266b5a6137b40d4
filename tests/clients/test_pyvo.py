"""pyvo, as a user's script has it, against a live server."""

import pytest
import pyvo
from astropy.coordinates import SkyCoord


def test_tap_with_metadata(live: str) -> None:
    service = pyvo.dal.TAPService(f"{live}/tap")
    assert service.maxrec == 4
    assert "sky.sources" in service.tables
    columns = {column.name: column for column in service.tables["sky.sources"].columns}
    assert columns["ra"].unit == "deg"
    result = service.search("SELECT name, flux, detected FROM sky.sources WHERE flux > 1 ORDER BY flux")
    assert list(result["name"]) == ["Vega", "Sirius"]
    assert result.fielddescs[2].xtype == "timestamp"


def test_overflow_warns_and_errors_carry_our_words(live: str) -> None:
    service = pyvo.dal.TAPService(f"{live}/tap")
    with pytest.warns(pyvo.dal.DALOverflowWarning):
        assert len(service.search("SELECT * FROM sky.sources")) == 4
    assert len(service.search("SELECT * FROM sky.sources", maxrec=2)) == 2
    with pytest.raises(pyvo.dal.DALQueryError, match=r"Line 1, column 8.*flux"):
        service.search("SELECT flx FROM sky.sources")


def test_cone_search(live: str) -> None:
    cone = pyvo.dal.SCSService(f"{live}/scs/sky.sources?")
    found = cone.search(pos=SkyCoord(77.43, 5.79, unit="deg"), radius=0.2)
    assert [record["name"] for record in found] == ["TXS 0506+056"]
    assert found[0].id == "5"
    assert found[0].pos.separation(SkyCoord(77.358, 5.693, unit="deg")).arcsec < 1e-6
    assert len(cone.search(pos=(0, 90), radius=1.0)) == 1


def test_registry_names_what_is_served(live: str) -> None:
    capabilities = pyvo.dal.TAPService(f"{live}/tap").capabilities
    assert {capability.standardid for capability in capabilities} >= {"ivo://ivoa.net/std/TAP", "ivo://ivoa.net/std/VOSI#tables-1.1"}
