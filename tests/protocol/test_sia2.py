"""SIA 2.0: every parameter finds what it should and nothing else, and says what it does not understand."""

import math
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from astropy.io.votable import parse
from lxml import etree
from sqlalchemy import Connection
from starlette.testclient import TestClient
from votables import VOTABLE, refusal, statuses

from vo_server.db.catalogue import bump_version
from vo_server.db.database import Database
from vo_server.model.obscore import COLUMNS, MANDATORY
from vo_server.publish.datasets import Dataset, replace_datasets
from vo_server.services import Services


def square(ra: float, dec: float, half: float) -> tuple[float, ...]:
    """A polygon around a position, counter-clockwise seen from inside."""
    width = half / math.cos(math.radians(dec))
    west, east = (ra - width) % 360, (ra + width) % 360
    return (east, dec - half, west, dec - half, west, dec + half, east, dec + half)


def dataset(name: str, **values: object) -> Dataset:
    known = {"path": f"{name}.fits", "obs_id": name, "access_format": "application/fits", "access_estsize": 30, "dataproduct_type": "image"}
    return Dataset(**{**known, **values})  # type: ignore[arg-type]


BLAZAR = {
    "shape": square(77.36, 5.69, 1.0),
    "em_min": 4e-7,
    "em_max": 7e-7,
    "em_res_power": 5.0,
    "t_min": 58000.0,
    "t_max": 58020.0,
    "t_exptime": 100.0,
    "t_resolution": 1.0,
    "s_fov": 2.8,
    "s_resolution": 60.0,
    "calib_level": 2,
    "target_name": "TXS 0506+056",
    "facility_name": "Eye",
    "instrument_name": "Left",
    "obs_release_date": datetime(2020, 1, 1),
}
CRAB = {
    "dataproduct_type": "cube",
    "access_format": "image/png",
    "shape": square(83.63, 22.01, 1.0),
    "em_min": 1e-12,
    "em_max": 1e-9,
    "em_res_power": 50.0,
    "t_min": 58100.0,
    "t_max": 58101.0,
    "t_exptime": 1000.0,
    "t_resolution": 10.0,
    "s_fov": 28.0,
    "s_resolution": 6.0,
    "calib_level": 3,
    "target_name": "Crab",
    "facility_name": "Ear",
    "instrument_name": "Right",
    "obs_release_date": datetime(2021, 1, 1),
    "pol_states": "/I/Q/U/",
}
DATASETS = (
    dataset("blazar", **BLAZAR),
    dataset("crab", **CRAB),
    dataset("edge", shape=square(0.0, -40.0, 1.0)),
    dataset("pole", shape=(0.0, 90.0, 2.0)),
    dataset("nowhere"),
    dataset("events", shape=square(77.36, 5.69, 1.0), dataproduct_type="event"),
)


@pytest.fixture(autouse=True)
def datasets(site: Services, database: Database, tmp_path: Path) -> None:
    def replace(connection: Connection) -> None:
        replace_datasets(connection, "Maps", tmp_path, DATASETS)
        bump_version(connection)

    with database.publish_engine.begin() as connection:
        replace(connection)
    site.refresh()


def found(client: TestClient, *parameters: tuple[str, str | float]) -> set[str]:
    reply = client.get("/sia2/query", params=[(name, str(value)) for name, value in parameters])
    assert reply.status_code == 200, reply.text
    table = parse(BytesIO(reply.content), verify="exception").get_first_table().to_table()
    return set(table["obs_id"])


def test_without_constraints_all_images_and_cubes(client: TestClient) -> None:
    assert found(client) == {"blazar", "crab", "edge", "pole", "nowhere"}
    assert found(client, ("MAXREC", 100), ("UNKNOWN", "1")) == {"blazar", "crab", "edge", "pole", "nowhere"}


CIRCLES: dict[str, set[str]] = {
    "CIRCLE 77.36 5.69 0.1": {"blazar"},
    "CIRCLE 77.36 5.69 0": {"blazar"},
    "CIRCLE 77.36 7.19 0.4": set(),
    "CIRCLE 77.36 7.19 0.6": {"blazar"},
    "CIRCLE 80 14 12": {"blazar", "crab"},
    "CIRCLE 359.5 -40 0.1": {"edge"},
    "CIRCLE 0.5 -40 0.1": {"edge"},
    "CIRCLE 123 89.5 0.1": {"pole"},
    "CIRCLE 180 85 2.9": set(),
    "CIRCLE 180 85 3.1": {"pole"},
    "CIRCLE 10 10 180": {"blazar", "crab", "edge", "pole"},
}

OTHER_SHAPES: dict[str, set[str]] = {
    "POLYGON 76 5 79 5 79 7 76 7": {"blazar"},
    "POLYGON 76 7 79 7 79 5 76 5": {"blazar"},
    "POLYGON 77.2 5.6 77.5 5.6 77.4 5.8": {"blazar"},
    "POLYGON 60 -10 100 -10 100 40 60 40": {"blazar", "crab"},
    "POLYGON 359 -41 1 -41 1 -39 359 -39": {"edge"},
    "RANGE 76 79 5 7": {"blazar"},
    "RANGE 0 360 88.5 +Inf": {"pole"},
    "RANGE 359 360 -50 -30": {"edge"},
    "RANGE 0 1 -50 -30": {"edge"},
    "RANGE 70 90 0 30": {"blazar", "crab"},
    "RANGE 0 360 6.7 20.9": set(),
    "RANGE 0 360 6.6 21.1": {"blazar", "crab"},
    "RANGE -Inf +Inf -Inf +Inf": {"blazar", "crab", "edge", "pole"},
    "RANGE 77 77 5.5 5.5": {"blazar"},
}


def test_circles(client: TestClient) -> None:
    assert {position: found(client, ("POS", position)) for position in CIRCLES} == CIRCLES


def test_polygons_and_ranges(client: TestClient) -> None:
    assert {position: found(client, ("POS", position)) for position in OTHER_SHAPES} == OTHER_SHAPES


OTHERS: dict[tuple[str, str], set[str]] = {
    ("BAND", "5e-7"): {"blazar"},
    ("BAND", "1e-9 4e-7"): {"blazar", "crab"},
    ("BAND", "8e-7 +Inf"): set(),
    ("BAND", "-Inf 1e-10"): {"crab"},
    ("BAND", "-Inf +Inf"): {"blazar", "crab"},
    ("TIME", "58010"): {"blazar"},
    ("TIME", "58020 58100"): {"blazar", "crab"},
    ("TIME", "58021 58099"): set(),
    ("FOV", "20 +Inf"): {"crab"},
    ("FOV", "2.8"): {"blazar"},
    ("SPATRES", "-Inf 10"): {"crab"},
    ("SPECRP", "4 6"): {"blazar"},
    ("EXPTIME", "1000"): {"crab"},
    ("TIMERES", "0 5"): {"blazar"},
    ("POL", "Q"): {"crab"},
    ("POL", "V"): set(),
    ("ID", "IVO://EXAMPLE.vo-server/~?Maps/crab"): {"crab"},
    ("COLLECTION", "Maps"): {"blazar", "crab", "edge", "pole", "nowhere"},
    ("COLLECTION", "maps"): set(),
    ("FACILITY", "Ear"): {"crab"},
    ("INSTRUMENT", "Left"): {"blazar"},
    ("TARGET", "TXS 0506+056"): {"blazar"},
    ("TARGET", "it's"): set(),
    ("DPTYPE", "cube"): {"crab"},
    ("CALIB", "3"): {"crab"},
    ("FORMAT", "image/png"): {"crab"},
    ("format", "image/png"): {"crab"},
    ("RELEASEDATE", "2020-01-01"): {"blazar"},
    ("RELEASEDATE", "2019-12-31T23:00:00 2020-06-01"): {"blazar"},
    ("RELEASEDATE", "2020-01-02 +Inf"): {"crab"},
    ("RELEASEDATE", "-Inf +Inf"): {"blazar", "crab"},
    ("RELEASEDATE", "-Inf 1999-01-01"): set(),
}


def test_polygons_without_area_are_refused_with_what_to_do(client: TestClient) -> None:
    reply = client.get("/sia2/query", params={"POS": "POLYGON 0 0 10 0 20 0"})
    assert reply.status_code == 400
    assert "UsageFault: POS: " in reply.text
    assert "A CIRCLE is always understood." in reply.text


def test_other_parameters(client: TestClient) -> None:
    assert {asked: found(client, asked) for asked in OTHERS} == OTHERS


def test_repeated_means_or_and_different_means_and(client: TestClient) -> None:
    crab, blazar = ("POS", "CIRCLE 83.63 22.01 0.1"), ("POS", "CIRCLE 77.36 5.69 0.1")
    assert found(client, crab, blazar) == {"blazar", "crab"}
    assert found(client, crab, blazar, ("FACILITY", "Eye"), ("pos", "CIRCLE 0 -40 0.1")) == {"blazar"}
    assert found(client, ("CALIB", "2"), ("CALIB", "3"), ("DPTYPE", "image")) == {"blazar", "edge", "pole", "nowhere"}


def test_fits_has_two_media_types(client: TestClient) -> None:
    fits = found(client, ("FORMAT", "application/fits"))
    assert fits
    assert found(client, ("FORMAT", "image/fits")) == fits


def test_post_answers_as_get_does(client: TestClient) -> None:
    form = {"POS": ["CIRCLE 83.63 22.01 0.1", "CIRCLE 77.36 5.69 0.1"], "RESPONSEFORMAT": "csv"}
    got = client.get("/sia2/query", params=form)
    assert got.status_code == 200
    assert got.headers["content-type"].startswith("text/csv")
    assert len(got.text.splitlines()) == 3
    assert client.post("/sia2/query", data=form).content == got.content


def test_the_columns_are_those_of_obscore(client: TestClient) -> None:
    table = parse(BytesIO(client.get("/sia2/query").content), verify="exception").get_first_table()
    fields = {field.name: field for field in table.fields}
    assert list(fields)[: len(MANDATORY)] == [column.name for column in MANDATORY]
    for column in COLUMNS:
        assert (fields[column.name].utype, fields[column.name].ucd, fields[column.name].unit and str(fields[column.name].unit)) == (
            column.utype, column.ucd, column.unit
        )  # fmt: skip
    assert fields["s_ra"].utype.startswith("obscore:")
    assert not {"obs_key", "shape"} & set(fields)


def test_access_urls_lead_to_the_files(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "blazar.fits").write_bytes(b"SIMPLE")
    table = parse(BytesIO(client.get("/sia2/query", params={"TARGET": "TXS 0506+056"}).content)).get_first_table().to_table()
    address, form = str(table["access_url"][0]), str(table["access_format"][0])
    reply = client.get(address)
    assert (reply.status_code, reply.content, reply.headers["content-type"]) == (200, b"SIMPLE", form)


def test_maxrec(client: TestClient) -> None:
    few = client.get("/sia2/query", params={"MAXREC": 2})
    assert statuses(few.content) == ["OK", "OVERFLOW"]
    assert len(parse(BytesIO(few.content)).get_first_table().to_table()) == 2
    none = client.get("/sia2/query", params={"MAXREC": 0})
    assert statuses(none.content) == ["OK", "OVERFLOW"]
    assert len(parse(BytesIO(none.content)).get_first_table().fields) == len(COLUMNS)
    assert statuses(client.get("/sia2/query", params={"MAXREC": 5}).content) == ["OK"]


REFUSED = (
    ("POS", "BOX 1 2 3 4"),
    ("POS", "CIRCLE 1 2"),
    ("POS", "RANGE 10 5 0 1"),
    ("POS", ""),
    ("BAND", "red"),
    ("BAND", "2 1"),
    ("TIME", "2017-09-22"),
    ("FOV", "1 2 3"),
    ("POL", "Z"),
    ("POL", "i"),
    ("CALIB", "5"),
    ("CALIB", "1.5"),
    ("DPTYPE", "spectrum"),
    ("MAXREC", "-1"),
    ("MAXREC", "many"),
    ("RESPONSEFORMAT", "image/gif"),
    ("COLLECTION", "a\0"),
    ("TARGET", "\0"),
    ("ID", "\0"),
    ("RELEASEDATE", "yesterday"),
    ("RELEASEDATE", "2020-01-01 2020-01-02 2020-01-03"),
    ("RELEASEDATE", "Inf"),
    ("UPLOAD", "t,http://example.org/t.vot"),
)


def test_what_is_not_understood_is_named(client: TestClient) -> None:
    for name, value in REFUSED:
        reply = client.get("/sia2/query", params={name: value})
        told = refusal(reply)
        assert told.startswith("UsageFault: ")
        assert name in told or value in told
        assert "\0" not in value or told.startswith(f"UsageFault: {name}: ")


def test_the_service_describes_itself(client: TestClient) -> None:
    reply = client.get("/sia2/capabilities")
    assert reply.status_code == 200
    root = etree.fromstring(reply.content)
    (query,) = root.xpath("capability[@standardID='ivo://ivoa.net/std/SIA#query-2.0']")
    assert query.findtext("interface/accessURL").strip() == "http://testserver/sia2/query"
    assert not query.findall("interface/securityMethod")
    assert not query.findall("interface/param")  # pyvo 1.9 warns of each, and thirty warnings are no welcome
    assert client.get("/sia2/availability").status_code == 200


def test_found_datasets_can_be_handed_on(client: TestClient) -> None:
    """Links and cut-outs are described where the identifiers stand: also in TAP, under whatever name (PITFALLS P-104)."""
    found = {"/sia2/query": {"MAXREC": 1}, "/tap/sync": {"LANG": "ADQL", "QUERY": "SELECT obs_publisher_did AS did FROM ivoa.obscore"}}
    for path, name in zip(found, ("obs_publisher_did", "did"), strict=True):
        root = etree.fromstring(client.get(path, params=found[path]).content)
        services = root.xpath("*[@utype = 'adhoc:service'][not(@name = 'this')]")
        assert [service.findall(f"{VOTABLE}PARAM")[0].get("value") for service in services] == [
            "http://testserver/datalink/links",
            "http://testserver/soda/sync",
        ]
        registered = [param.get("value") for param in root.iter(f"{VOTABLE}PARAM") if param.get("name") == "resourceIdentifier"]
        assert registered[:2] == ["ivo://example.vo-server/datalink", "ivo://example.vo-server/soda"]  # DataLink 1.1 §4.2
        assert {param.get("ref") for service in services for param in service.iter(f"{VOTABLE}PARAM") if param.get("name") == "ID"} == {
            name
        }
        assert [field.get("name") for field in root.iter(f"{VOTABLE}FIELD") if field.get("ID")] == [name]
    for query in ("SELECT obs_id FROM ivoa.obscore", "SELECT name FROM sky.stars"):
        other = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query})
        assert len(etree.fromstring(other.content)) == 1


def test_errors_are_plain_text_where_rows_would_have_been(client: TestClient) -> None:
    reply = client.get("/sia2/query", params={"POS": "BOX 1 2 3 4", "RESPONSEFORMAT": "csv"})
    assert (reply.status_code, reply.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert reply.text.startswith("UsageFault: POS: ")
    assert client.post("/sia2/query", data={"CALIB": "9", "RESPONSEFORMAT": "tsv"}).text.startswith("UsageFault: CALIB: ")


def test_the_answer_describes_the_search_and_the_words_that_find_something(client: TestClient) -> None:
    """SIA 2.0 §3.1.2, also without rows."""
    root = etree.fromstring(client.get("/sia2/query", params={"MAXREC": 0}).content)
    (itself,) = root.xpath("*[local-name() = 'RESOURCE'][@name = 'this']")
    assert (itself.get("type"), itself.get("utype")) == ("meta", "adhoc:service")
    said = {param.get("name"): param.get("value") for param in itself.findall(f"{VOTABLE}PARAM")}
    assert said == {
        "accessURL": "http://testserver/sia2/query",
        "standardID": "ivo://ivoa.net/std/SIA#query-2.0",
        "resourceIdentifier": "ivo://example.vo-server/sia2",
    }
    params = {param.get("name"): param for param in itself.find(f"{VOTABLE}GROUP")}
    assert len(params) == 20
    assert (params["BAND"].get("unit"), params["BAND"].get("xtype"), params["TIME"].get("unit")) == ("m", "interval", "d")
    options = {name: [option.get("value") for option in param.iter(f"{VOTABLE}OPTION")] for name, param in params.items()}
    assert options["COLLECTION"] == ["Maps"]
    assert (options["FACILITY"], options["INSTRUMENT"]) == (["Ear", "Eye"], ["Left", "Right"])
    assert options["FORMAT"] == ["application/fits", "image/png"]
    assert options["DPTYPE"] == ["image", "cube"]
    assert options["TARGET"] == []
