"""SSAP 1.1: every parameter finds what it should, the utypes that clients look for, metadata queries, errors."""

from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from astropy.io.votable import parse
from astropy.io.votable.tree import TableElement
from lxml import etree
from starlette.testclient import TestClient
from votables import VOTABLE, statuses

from vo_server.db.catalogue import bump_version
from vo_server.db.database import Database
from vo_server.publish.datasets import Dataset, Link, replace_datasets
from vo_server.services import Services


def spectrum(name: str, ra: float, dec: float, **values: object) -> Dataset:
    known: dict[str, object] = {
        "path": f"{name}.vot",
        "obs_id": name,
        "access_format": "application/x-votable+xml",
        "access_estsize": 4,
        "dataproduct_type": "sed",
        "s_ra": ra,
        "s_dec": dec,
    }
    return Dataset(**{**known, **values})  # type: ignore[arg-type]


CRAB = {
    "obs_title": "Crab, gamma rays",
    "target_name": "Crab Nebula",
    "s_fov": 0.2,
    "shape": (83.63, 22.01, 0.1),
    "t_min": 58000.0,
    "t_max": 58010.0,
    "t_exptime": 3600.0,
    "em_min": 1e-18,
    "em_max": 3e-18,
    "em_res_power": 4.0,
    "s_resolution": 360.0,
    "em_xel": 8,
    "o_ucd": "phot.flux.density",
    "instrument_name": "LAT",
    "obs_release_date": datetime(2020, 5, 4),
}
DATASETS = (
    spectrum("crab", 83.63, 22.01, **CRAB),
    spectrum("vela", 128.84, -45.18, target_name="Vela", em_min=4e-7, em_max=7e-7, access_format="application/fits", path="vela.fits"),
    spectrum("lost", 10.0, 20.0, dataproduct_type="spectrum", s_ra=None, s_dec=None, target_name="vela x"),
    spectrum("picture", 83.63, 22.01, dataproduct_type="image", shape=(83.63, 22.01, 0.1)),
)


@pytest.fixture(autouse=True)
def datasets(site: Services, database: Database, tmp_path: Path) -> None:
    with database.publish_engine.begin() as connection:
        replace_datasets(connection, "Spectra_1", tmp_path, DATASETS)
        bump_version(connection)
    site.refresh()


def rows(client: TestClient, **parameters: str) -> TableElement:
    reply = client.get("/ssa", params={"REQUEST": "queryData", **parameters})
    assert reply.status_code == 200, reply.text
    assert statuses(reply.content)[0] == "OK", reply.text
    return parse(BytesIO(reply.content), verify="exception").get_first_table()


def found(client: TestClient, **parameters: str) -> list[str]:
    return [str(url).rpartition("/")[2].partition(".")[0] for url in rows(client, **parameters).array["access_url"]]


FOUND: tuple[tuple[dict[str, str], set[str]], ...] = (
    ({}, {"crab", "vela", "lost"}),
    ({"POS": "83.63,22.01"}, {"crab"}),
    ({"POS": "83.63,22.2", "SIZE": "0.1"}, set()),
    ({"POS": "83.63,22.2", "SIZE": "0.3"}, {"crab"}),
    ({"POS": "83.63,22.01", "SIZE": "0"}, {"crab"}),
    ({"POS": "184.557,-5.784;GALACTIC", "SIZE": "0.5"}, {"crab"}),
    ({"POS": "128.84,-45.18", "SIZE": "0.01"}, {"vela"}),
    ({"POS": "100,0", "SIZE": "360"}, {"crab", "vela"}),
    ({"BAND": "5e-7"}, {"vela"}),
    ({"BAND": "1e-6/1e-3"}, set()),
    ({"BAND": "6e-7/"}, {"vela"}),
    ({"BAND": "/1e-12"}, {"crab"}),
    ({"BAND": "/1e-12,5e-7;observer"}, {"crab", "vela"}),
    ({"BAND": "gamma-ray"}, {"crab"}),
    ({"BAND": "Optical"}, {"vela"}),
    ({"TIME": "2017-09"}, {"crab"}),
    ({"TIME": "2017-09-10"}, {"crab"}),
    ({"TIME": "2017-09-04T12:00:00"}, {"crab"}),
    ({"TIME": "2017-09-03T23:59"}, set()),
    ({"TIME": "2010/2016"}, set()),
    ({"TIME": "2010/2017"}, {"crab"}),
    ({"TIME": "2018/"}, set()),
    ({"FORMAT": "all"}, {"crab", "vela", "lost"}),
    ({"FORMAT": "VOTable"}, {"crab", "lost"}),
    ({"FORMAT": "fits"}, {"vela"}),
    ({"FORMAT": "native"}, {"vela"}),
    ({"FORMAT": "compliant"}, {"crab", "vela", "lost"}),
    ({"FORMAT": "graphic"}, set()),
    ({"FORMAT": "image/fits,application/x-votable+xml"}, {"crab", "vela", "lost"}),
    ({"TARGETNAME": "VELA"}, {"vela"}),
    ({"TARGETNAME": "vela x,crab nebula"}, {"crab", "lost"}),
    ({"WILDTARGET": "v*"}, {"vela", "lost"}),
    ({"WILDTARGET": "vel?"}, {"vela"}),
    ({"PUBDID": "IVO://example.vo-server/~?Spectra_1/crab"}, {"crab"}),
    ({"COLLECTION": "spectra"}, {"crab", "vela", "lost"}),
    ({"COLLECTION": "images"}, set()),
    ({"SPECRP": "3"}, {"crab"}),
    ({"SPECRP": "5"}, set()),
    ({"SPATRES": "0.2"}, {"crab"}),
    ({"SPATRES": "0.05"}, set()),
    ({"TARGETNAME": "Vela", "BAND": "gamma-ray"}, set()),
    ({"SPURIOUS": "1", "REDSHIFT": ""}, {"crab", "vela", "lost"}),
)


def test_each_parameter_finds_what_it_should(client: TestClient) -> None:
    assert [set(found(client, **asked)) for asked, _ in FOUND] == [names for _, names in FOUND]


def test_spectra_come_before_their_pictures(client: TestClient, site: Services, database: Database) -> None:
    """A picture is a row too, unless FORMAT says otherwise (§4.1.1.5): without an identifier, since it is not the dataset."""
    link = Link(semantics="#preview", collection="Spectra_1", path="a.png", content_type="image/png")
    near = spectrum("near", 83.63, 22.01, shape=(83.63, 22.01, 0.1))
    with database.publish_engine.begin() as connection:
        replace_datasets(connection, "Spectra_1", Path("/nowhere"), [replace(one, links=(link,)) for one in (DATASETS[0], near)])
        bump_version(connection)
    site.refresh()
    table = rows(client, POS="83.6,22", SIZE="1").array
    assert [bool(did) for did in table["obs_publisher_did"]] == [True, True, False, False]
    assert [url.rpartition(".")[2] for url in table["access_url"]] == ["vot", "vot", "png", "png"]
    assert found(client, POS="83.6,22", SIZE="1", FORMAT="votable") == ["crab", "near"]
    assert found(client, POS="83.6,22", SIZE="1", FORMAT="graphic") == ["a", "a"]


def test_the_nearest_come_first_and_top_takes_them(client: TestClient) -> None:
    assert found(client, POS="120,-40", SIZE="360") == ["vela", "crab"]
    reply = client.get("/ssa?REQUEST=queryData&POS=120,-40&SIZE=360&TOP=1")
    assert (reply.content.count(b"<TR>"), statuses(reply.content)) == (1, ["OK"])
    reply = client.get("/ssa?REQUEST=queryData&POS=120,-40&SIZE=360&MAXREC=1")
    assert (reply.content.count(b"<TR>"), statuses(reply.content)) == (1, ["OK", "OVERFLOW"])


MANDATORY = {
    "ssa:Access.Reference",
    "ssa:Access.Format",
    "ssa:Dataset.DataModel",
    "ssa:Dataset.Length",
    "ssa:DataID.Title",
    "ssa:Curation.Publisher",
    "ssa:Char.SpatialAxis.Coverage.Location.Value",
    "ssa:Char.SpatialAxis.Coverage.Bounds.Extent",
    "ssa:Char.SpectralAxis.Coverage.Location.Value",
    "ssa:Char.SpectralAxis.Coverage.Bounds.Extent",
    "ssa:Char.TimeAxis.Coverage.Location.Value",
}


def test_a_row_in_the_words_of_the_model(client: TestClient) -> None:
    table = rows(client, POS="83.63,22.01")
    assert {item.utype for item in (*table.fields, *table._votable.resources[0].params)} >= MANDATORY
    (row,) = table.to_table()
    values = {field.utype: row[field.name] for field in table.fields}
    assert list(values["ssa:Char.SpatialAxis.Coverage.Location.Value"]) == [83.63, 22.01]
    assert values["ssa:DataID.Title"] == "Crab, gamma rays"
    assert values["ssa:Dataset.Length"] == 8
    assert values["ssa:Char.TimeAxis.Coverage.Location.Value"] == 58005.0
    assert values["ssa:Char.TimeAxis.Coverage.Bounds.Extent"] == 864000.0
    assert values["ssa:Char.SpectralAxis.Coverage.Location.Value"] == pytest.approx(2e-18)
    assert values["ssa:Char.SpectralAxis.Coverage.Bounds.Extent"] == pytest.approx(2e-18)
    assert values["ssa:Char.SpectralAxis.Resolution"] == pytest.approx(5e-19)
    assert values["ssa:Char.SpatialAxis.Resolution"] == pytest.approx(0.1)
    assert values["ssa:DataID.Date"] == "2020-05-04"
    assert rows(client, TARGETNAME="vela x").to_table()[0]["time_mid"] is np.ma.masked


def test_the_protocol_is_named(client: TestClient) -> None:
    root = etree.fromstring(client.get("/ssa?REQUEST=queryData").content)
    (info,) = (info for info in root.iter(f"{VOTABLE}INFO") if info.get("name") == "SERVICE_PROTOCOL")
    assert (info.get("value"), info.text) == ("1.1", "SSAP")
    assert any(param.get("value") == "http://testserver/datalink/links" for param in root.iter(f"{VOTABLE}PARAM"))


def test_metadata_are_params(client: TestClient) -> None:
    reply = client.get("/ssa?REQUEST=queryData&FORMAT=metadata&POS=nonsense")
    root = etree.fromstring(reply.content)
    assert statuses(reply.content) == ["OK"]
    params = {param.get("name"): param for param in root.find(f"{VOTABLE}RESOURCE").findall(f"{VOTABLE}PARAM")}
    assert {"INPUT:POS", "INPUT:SIZE", "INPUT:BAND", "INPUT:TIME", "INPUT:FORMAT", "INPUT:REQUEST"} <= set(params)
    assert {param.get("utype") for name, param in params.items() if name.startswith("OUTPUT:")} >= MANDATORY
    options = [option.get("value") for option in params["INPUT:COLLECTION"].iter(f"{VOTABLE}OPTION")]
    assert options == ["Spectra_1"]
    assert not list(root.iter(f"{VOTABLE}TABLE"))


REFUSED = (
    ("", "The parameter REQUEST is missing"),
    ("REQUEST=getData", "The parameter REQUEST is 'getData'"),
    ("REQUEST=queryData&VERSION=2.0", "VERSION='2.0' is not spoken here"),
    ("REQUEST=queryData&POS=1", "POS='1' is no position"),
    ("REQUEST=queryData&POS=a,1", "POS: 'a' is not a number"),
    ("REQUEST=queryData&POS=1,91", "POS: the latitude 91"),
    ("REQUEST=queryData&POS=1,2;MARS", "the frame 'MARS' is not known"),
    ("REQUEST=queryData&POS=1,2&SIZE=400", "SIZE=400 is not between"),
    ("REQUEST=queryData&BAND=J", "the band 'J' is not known"),
    ("REQUEST=queryData&BAND=2/1", "the range '2/1' ends before"),
    ("REQUEST=queryData&BAND=1/2/3", "BAND: '1/2/3' is not a range"),
    ("REQUEST=queryData&BAND=/", "BAND: '/' is not a range"),
    ("REQUEST=queryData&TIME=2017-13", "TIME: '2017-13' is not a date"),
    ("REQUEST=queryData&TIME=2017-02-30", "TIME: '2017-02-30' is not a date"),
    ("REQUEST=queryData&TIME=2017-02-03T25:00", "is not a date"),
    ("REQUEST=queryData&TIME=9999", None),
    ("REQUEST=queryData&SPECRP=high", "SPECRP: 'high' is not a number"),
    ("REQUEST=queryData&TOP=few", "TOP='few' is not a number"),
    ("REQUEST=queryData&MAXREC=-1", "MAXREC='-1' is not"),
    ("REQUEST=queryData&TARGETNAME=a%00", "TARGETNAME: the character U+0000"),
)


def test_errors_are_told_with_status_200(client: TestClient) -> None:
    for query, message in REFUSED:
        reply = client.get(f"/ssa?{query}")
        assert reply.status_code == 200, query
        assert statuses(reply.content) == (["OK"] if message is None else ["ERROR"]), query
        assert message is None or message in reply.text, query


def test_the_capability_has_a_query_that_finds_something(client: TestClient) -> None:
    root = etree.fromstring(client.get("/ssa/capabilities").content)
    (capability,) = root.xpath("capability[@standardID='ivo://ivoa.net/std/SSA']")
    url = capability.findtext("interface/accessURL")
    assert url == "http://testserver/ssa?"
    for query in (capability.findtext("interface/testQueryString"), f"REQUEST=queryData&{capability.findtext('testQuery/queryDataCmd')}"):
        assert b"<TR>" in client.get(url + query).content
    assert client.get("/ssa/availability").status_code == 200
