"""SIAP 1.0: every parameter, the words of UCD1 that its clients look for, previews beside images, metadata queries, errors."""

import math
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from astropy.io.votable import parse
from astropy.io.votable.tree import TableElement
from lxml import etree
from sqlalchemy import insert, select
from starlette.testclient import TestClient
from votables import VOTABLE, statuses

from vo_server.db import schema
from vo_server.db.catalogue import bump_version
from vo_server.db.database import Database
from vo_server.publish.datasets import Dataset, replace_datasets
from vo_server.services import Services


def square(ra: float, dec: float, half: float) -> tuple[float, ...]:
    width = half / math.cos(math.radians(dec))
    west, east = (ra - width) % 360, (ra + width) % 360
    return (east, dec - half, west, dec - half, west, dec + half, east, dec + half)


def image(name: str, ra: float, dec: float, half: float, **values: object) -> Dataset:
    known: dict[str, object] = {
        "path": f"{name}.fits",
        "obs_id": name,
        "access_format": "application/fits",
        "access_estsize": 30,
        "dataproduct_type": "image",
        "s_ra": ra,
        "s_dec": dec,
        "shape": square(ra, dec, half),
        "s_xel1": 100,
        "s_xel2": 200,
        "s_pixel_scale": 36.0,
    }
    return Dataset(**{**known, **values})  # type: ignore[arg-type]


DATASETS = (
    image("small", 80.0, 20.0, 0.5, obs_title="A small one", t_min=58000.0, t_max=58002.0, em_min=4e-7, em_max=6e-7, instrument_name="Eye"),
    image("wide", 80.0, 20.0, 5.0, dataproduct_type="cube"),
    image("edge", 0.0, -40.0, 1.0, s_xel1=None),
    image("events", 80.0, 20.0, 0.5, dataproduct_type="event"),
)
PREVIEW = "pre view#1.png"


@pytest.fixture(autouse=True)
def datasets(site: Services, database: Database, tmp_path: Path) -> None:
    (tmp_path / PREVIEW).write_bytes(b"\x89PNG")
    with database.publish_engine.begin() as connection:
        replace_datasets(connection, "Maps", tmp_path, DATASETS)
        key = connection.execute(select(schema.obscore.c.obs_key).where(schema.obscore.c.obs_id == "small")).scalar_one()
        link = {
            "obs_key": key,
            "semantics": "#preview",
            "collection": "Maps",
            "path": PREVIEW,
            "content_type": "image/png",
            "content_length": 1234,
        }
        connection.execute(insert(schema.links), [link, {**link, "semantics": "#calibration"}])
        bump_version(connection)
    site.refresh()


def rows(client: TestClient, **parameters: str) -> TableElement:
    reply = client.get("/sia1", params=parameters)
    assert reply.status_code == 200, reply.text
    assert statuses(reply.content)[0] == "OK", reply.text
    return parse(BytesIO(reply.content), verify="ignore").get_first_table()


def found(client: TestClient, **parameters: str) -> list[str]:
    return sorted(str(url).rpartition("/")[2] for url in rows(client, **parameters).array["access_url"])


NEAR = {"POS": "80,20", "SIZE": "0.1"}
SMALL = ["pre%20view%231.png", "small.fits"]


def test_images_are_found_in_every_format_they_have(client: TestClient) -> None:
    assert found(client, **NEAR) == [*SMALL, "wide.fits"]
    assert found(client, POS="0.5,-40", SIZE="0.1") == ["edge.fits"]
    assert found(client, POS="10,10", SIZE="1") == []


INTERSECTIONS: dict[tuple[str, str, str], list[str]] = {
    ("OVERLAPS", "80.55,20", "0.2"): [*SMALL, "wide.fits"],
    ("OVERLAPS", "80.75,20", "0.2"): ["wide.fits"],
    ("COVERS", "80,20", "0.8"): [*SMALL, "wide.fits"],
    ("COVERS", "80,20", "2"): ["wide.fits"],
    ("COVERS", "80,20", "0.5,2"): ["wide.fits"],
    ("ENCLOSED", "80,20", "3"): SMALL,
    ("ENCLOSED", "80,20", "0.5,3"): [],
    ("ENCLOSED", "80,20", "30"): [*SMALL, "wide.fits"],
    ("CENTER", "80.7,20", "2"): ["wide.fits"],
    ("center", "80.3,20", "2"): [*SMALL, "wide.fits"],
    ("OVERLAPS", "80,20", "0"): [*SMALL, "wide.fits"],
    ("OVERLAPS", "80.7,20", "0,0"): ["wide.fits"],
    ("OVERLAPS", "80,20", "0,2"): [*SMALL, "wide.fits"],
    ("OVERLAPS", "0,0", "360,180"): ["edge.fits", *SMALL, "wide.fits"],
    ("OVERLAPS", "350,-40", "100,10"): ["edge.fits"],
    ("OVERLAPS", "180,20", "250,10"): [*SMALL, "wide.fits"],
}


def test_image_and_region_lie_to_each_other_as_asked(client: TestClient) -> None:
    got = {case: found(client, INTERSECT=case[0], POS=case[1], SIZE=case[2]) for case in INTERSECTIONS}
    assert got == {case: sorted(names) for case, names in INTERSECTIONS.items()}


FORMATS: dict[str, list[str]] = {
    "ALL": [*SMALL, "wide.fits"],
    "image/fits": ["small.fits", "wide.fits"],
    "application/fits": ["small.fits", "wide.fits"],
    "image/png": SMALL[:1],
    "image/fits,image/png": [*SMALL, "wide.fits"],
    "GRAPHIC": SMALL[:1],
    "graphic-all": SMALL[:1],
    "GRAPHIC-png": SMALL[:1],
    "GRAPHIC-jpeg,png": SMALL[:1],
    "GRAPHIC-gif": [],
    "text/html": [],
}


def test_formats(client: TestClient) -> None:
    assert {asked: found(client, **NEAR, FORMAT=asked) for asked in FORMATS} == FORMATS


def test_every_address_gives_what_the_row_says(client: TestClient, tmp_path: Path) -> None:
    for dataset in DATASETS:
        (tmp_path / dataset.path).write_bytes(b"SIMPLE")
    for row in rows(client, **NEAR).array:
        reply = client.get(str(row["access_url"]))
        assert (reply.status_code, reply.headers["content-type"]) == (200, str(row["format"]))


REQUIRED = {
    "VOX:Image_Title": ("char", "*"),
    "POS_EQ_RA_MAIN": ("double", None),
    "POS_EQ_DEC_MAIN": ("double", None),
    "VOX:Image_Naxes": ("int", None),
    "VOX:Image_Naxis": ("int", "*"),
    "VOX:Image_Scale": ("double", "*"),
    "VOX:Image_Format": ("char", "*"),
    "VOX:Image_AccessReference": ("char", "*"),
}


def test_required_columns(client: TestClient) -> None:
    table = rows(client, **NEAR, FORMAT="image/png")
    by_ucd = {field.ucd: field for field in table.fields}
    assert {ucd: (by_ucd[ucd].datatype, by_ucd[ucd].arraysize) for ucd in REQUIRED} == REQUIRED
    row = table.to_table()[0]
    assert str(row["image_title"]) == "A small one"
    assert (row["ra"], row["dec"], row["naxes"]) == (80.0, 20.0, 2)
    assert list(row["naxis"]) == [100, 200]
    assert list(row["scale"]) == pytest.approx([0.01, 0.01])
    assert row["obs_publisher_did"] == "", "who follows the links of a preview gets the image"
    assert (row["date_obs"], row["band_ref"], row["file_size"]) == (58001.0, pytest.approx(5e-7), 2000)


def test_what_is_not_known_is_null(client: TestClient) -> None:
    (row,) = rows(client, POS="0,-40", SIZE="1").to_table()
    assert not len(row["naxis"])
    assert row["date_obs"] is np.ma.masked
    assert str(row["image_title"]) == "edge"


def test_one_column_alone_is_the_address(client: TestClient) -> None:
    """PITFALLS P-96."""
    fields = rows(client, **NEAR, VERB="3").fields
    assert sum((field.ucd or "") == "VOX:Image_AccessReference" or "meta.ref.url" in (field.ucd or "") for field in fields) == 1


def test_verbosity_chooses_nested_sets_of_columns(client: TestClient) -> None:
    sets = [[field.name for field in rows(client, **NEAR, VERB=str(verbosity)).fields] for verbosity in range(4)]
    assert len(sets[0]) == len(REQUIRED)
    assert sets[1] == sets[2]
    assert set(sets[0]) < set(sets[1]) < set(sets[3])
    assert [field.name for field in rows(client, **NEAR).fields] == sets[2]


def test_rows_beyond_maxrec_are_left_out_and_that_is_told(client: TestClient) -> None:
    reply = client.get("/sia1", params={**NEAR, "MAXREC": 1})
    assert statuses(reply.content) == ["OK", "OVERFLOW"]
    assert reply.content.count(b"<TR>") == 1


def test_metadata_need_no_position(client: TestClient) -> None:
    reply = client.get("/sia1?FORMAT=METADATA")
    assert reply.status_code == 200
    root = etree.fromstring(reply.content)
    assert statuses(reply.content) == ["OK"]
    params = {param.get("name"): param for param in root.iter(f"{VOTABLE}PARAM")}
    assert {"INPUT:POS", "INPUT:SIZE", "INPUT:INTERSECT", "INPUT:FORMAT", "INPUT:VERB"} <= set(params)
    options = [option.get("value") for option in params["INPUT:FORMAT"].iter(f"{VOTABLE}OPTION")]
    assert {"ALL", "GRAPHIC", "METADATA", "application/fits"} <= set(options)
    assert {field.get("ucd") for field in root.iter(f"{VOTABLE}FIELD")} >= set(REQUIRED)
    assert not list(root.iter(f"{VOTABLE}TR"))


REFUSED = (
    ({"SIZE": "1"}, "The parameter POS is missing"),
    ({"POS": "1,2"}, "The parameter SIZE is missing"),
    ({"POS": "1 2", "SIZE": "1"}, "POS='1 2' has 1 numbers"),
    ({"POS": "1,2,3", "SIZE": "1"}, "POS='1,2,3' has 3 numbers"),
    ({"POS": "a,2", "SIZE": "1"}, "POS: 'a' is not a number"),
    ({"POS": "1,92", "SIZE": "1"}, "POS: the declination 92"),
    ({"POS": "1,2", "SIZE": "-1"}, "SIZE: width and height"),
    ({"POS": "1,2", "SIZE": "1,400"}, "SIZE: width and height"),
    ({"POS": "1,2", "SIZE": "1", "INTERSECT": "NEAR"}, "INTERSECT='NEAR' is not one of"),
    ({"POS": "1,2", "SIZE": "200", "INTERSECT": "COVERS"}, "INTERSECT=COVERS: SIZE may be 90"),
    ({"POS": "1,2", "SIZE": "1", "FORMAT": "GRAPHIC-tiff"}, "'tiff' is not one of"),
    ({"POS": "1,2", "SIZE": "1", "VERB": "7"}, "VERB='7' is not one of"),
    ({"POS": "1,2", "SIZE": "1", "MAXREC": "x"}, "MAXREC='x' is not"),
    ({"POS": "1,2", "SIZE": "1", "COLLECTION": "\0"}, "COLLECTION: the character U+0000"),
    ({"POS": "1,2", "SIZE": "1", "FORMAT": "a\0"}, "FORMAT: the character U+0000"),
)


def test_errors_are_told_with_status_200(client: TestClient) -> None:
    for parameters, message in REFUSED:
        reply = client.get("/sia1", params=parameters)
        assert (reply.status_code, reply.headers["content-type"].partition(";")[0]) == (200, "text/xml")
        assert statuses(reply.content) == ["ERROR"]
        assert message in reply.text.replace("&#39;", "'"), parameters


def test_others_parameters_are_ignored_and_names_have_no_case(client: TestClient) -> None:
    assert found(client, pos="80,20", size="0.1", SPURIOUS="1") == [*SMALL, "wide.fits"]
    assert found(client, **NEAR, COLLECTION="Maps") == [*SMALL, "wide.fits"]
    assert found(client, **NEAR, COLLECTION="Others") == []


def test_the_capability_has_a_query_that_finds_something(client: TestClient) -> None:
    root = etree.fromstring(client.get("/sia1/capabilities").content)
    (capability,) = root.xpath("capability[@standardID='ivo://ivoa.net/std/SIA']")
    url, query = capability.findtext("interface/accessURL"), capability.findtext("interface/testQueryString")
    assert url == "http://testserver/sia1?"
    assert b"<TR>" in client.get(url + query).content
    assert capability.findtext("testQuery/size/long") == "0.1"
    assert client.get("/sia1/availability").status_code == 200
