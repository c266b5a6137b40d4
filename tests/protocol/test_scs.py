"""Simple Cone Search 1.03: cones, the columns it requires, and its way of telling errors."""

import math
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io.votable import from_table, parse
from astropy.io.votable.tree import TableElement
from astropy.table import Table
from lxml import etree
from starlette.testclient import TestClient
from votables import VOTABLE

from vo_server.app import record_keeper
from vo_server.model.capability import ConeSearch
from vo_server.model.catalogue import Position
from vo_server.model.catalogue import Table as Published
from vo_server.model.columns import Column
from vo_server.model.resource import Resource
from vo_server.protocols import cones, scs
from vo_server.publish import PublishOptions, publish_file
from vo_server.services import Services, utc_now
from vo_server.settings import Settings

MAIN = ("ID_MAIN", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN")


def search(client: TestClient, ra: float, dec: float, radius: float, table: str = "sky.stars", **more: str | int) -> TableElement:
    reply = client.get(f"/scs/{table}", params={"RA": ra, "DEC": dec, "SR": radius, **more})
    assert reply.status_code == 200, reply.text
    assert b"ERROR" not in reply.content, reply.text
    # astropy knows only UCD1+, and 1.03 requires words of UCD1
    return parse(BytesIO(reply.content), verify="ignore").get_first_table()


def names(client: TestClient, ra: float, dec: float, radius: float, **more: str | int) -> list[str]:
    return [str(name) for name in search(client, ra, dec, radius, **more).array["name"]]


def error(client: TestClient, query: str, table: str = "sky.stars") -> str:
    """The message of an answer that must be an error as 1.03 tells it."""
    reply = client.get(f"/scs/{table}?{query}")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/xml")
    root = etree.fromstring(reply.content)
    (info,) = root.findall(f"{VOTABLE}INFO")
    assert info.get("name") == "Error"
    status = root.find(f"{VOTABLE}RESOURCE/{VOTABLE}INFO[@name='QUERY_STATUS']")
    assert status.get("value") == "ERROR"
    return str(info.get("value"))


def test_a_cone_finds_what_lies_in_it(client: TestClient) -> None:
    assert names(client, 279.2, 38.8, 0.1) == ["Vega"]
    assert names(client, 10, 10, 0.1) == []


def test_names_of_parameters_have_no_case_and_others_are_ignored(client: TestClient) -> None:
    reply = client.get("/scs/sky.stars?ra=279.2347&Dec=38.7837&sr=0.01&SPURIOUS=1&cb=abc")
    assert b"Vega" in reply.content


def test_the_base_address_works_by_concatenation(client: TestClient, site: Services) -> None:
    (table,) = (table for table in site.catalogue().tables if table.full_name == "sky.stars")
    cone, *_ = scs.capability(site.settings, table, site.resources()).capabilities
    (interface,) = cone.interfaces
    assert interface.url == "http://testserver/scs/sky.stars?"
    assert b"<TR>" in client.get(f"{interface.url}{interface.test_query}").content


def test_right_ascension_wraps(client: TestClient) -> None:
    for ra in (0, 360, 359.9995, -0.0005, 719.9995):
        assert sorted(names(client, ra, 0, 0.002)) == ["Edge", "Other edge"], ra


def test_poles_are_ordinary(client: TestClient) -> None:
    assert names(client, 123, 90, 1) == ["Polaris"]
    assert names(client, 123, -90, 1) == []


def test_the_whole_sky(client: TestClient) -> None:
    assert len(names(client, 10, 20, 180)) == 7


def test_a_radius_of_zero_gives_the_metadata(client: TestClient) -> None:
    table = search(client, 10, 10, 0)
    assert {field.ucd for field in table.fields} >= set(MAIN)
    assert len(table.array) == 0


def test_rows_are_sorted_by_their_distance(client: TestClient) -> None:
    table = search(client, 100, 0, 180)
    (distance,) = (field for field in table.fields if field.ucd == "pos.angDistance")
    assert (distance.name, str(distance.unit)) == ("_r", "deg")
    distances = table.array["_r"].filled(np.nan)
    assert list(distances) == sorted(distances)
    stars = SkyCoord(table.array["ra"].filled(np.nan), table.array["dec"].filled(np.nan), unit="deg")
    assert np.allclose(distances, stars.separation(SkyCoord(100, 0, unit="deg")).deg, atol=1e-9)


def test_the_rim_belongs_to_the_cone(client: TestClient) -> None:
    assert names(client, 0.001, 1.0, 1.0) == ["Edge"]


REFUSED = (
    ("DEC=1&SR=1", "The parameter RA is missing"),
    ("RA=1&SR=1", "The parameter DEC is missing"),
    ("RA=1&DEC=1", "The parameter SR is missing"),
    ("RA=1&DEC=1&SR=", "The parameter SR is missing"),
    ("RA=x&DEC=1&SR=1", "RA: 'x' is not a number"),
    ("RA=nan&DEC=1&SR=1", "RA: 'nan' is not a number"),
    ("RA=1&DEC=91&SR=1", "DEC=91 is not between -90 and 90"),
    ("RA=1&DEC=-90.1&SR=1", "DEC=-90.1 is not between -90 and 90"),
    ("RA=1&DEC=1&SR=-1", "SR=-1 is not between 0 and 180"),
    ("RA=1&DEC=1&SR=181", "SR=181 is not between 0 and 180"),
    ("RA=1&RA=2&DEC=1&SR=1", "RA was given 2 different values"),
    ("RA=1&DEC=1&SR=1&VERB=4", "VERB='4' is not 1, 2 or 3"),
    ("RA=1&DEC=1&SR=1&MAXREC=-1", "MAXREC='-1' is not a non-negative integer"),
    ("RA=1&DEC=1&SR=1&RESPONSEFORMAT=nonsense", "RESPONSEFORMAT 'nonsense' is not offered"),
)


def test_errors_are_told_as_1_03_tells_them(client: TestClient) -> None:
    for query, message in REFUSED:
        assert message in error(client, query), query


def test_an_unknown_table_and_one_without_positions_are_errors(client: TestClient) -> None:
    assert "There is no table sky.nothing" in error(client, "RA=1&DEC=1&SR=1", "sky.nothing")
    assert "has no positions" in error(client, "RA=1&DEC=1&SR=1", "tap_schema.tables")


def test_rows_beyond_maxrec_are_left_out_and_that_is_told(client: TestClient) -> None:
    reply = client.get("/scs/sky.stars?RA=100&DEC=0&SR=180&MAXREC=2")
    assert reply.content.count(b"<TR>") == 2
    assert b'<INFO name="QUERY_STATUS" value="OVERFLOW"/>' in reply.content.partition(b"</TABLE>")[2]


def test_an_empty_answer_is_no_error(client: TestClient) -> None:
    reply = client.get("/scs/sky.stars?RA=10&DEC=10&SR=0.1")
    assert b"Error" not in reply.content
    assert reply.content.count(b"<FIELD ") == 7


def test_the_answer_is_tabledata_unless_asked_otherwise(client: TestClient) -> None:
    reply = client.get("/scs/sky.stars?RA=279.2&DEC=38.8&SR=1")
    assert b"<TABLEDATA>" in reply.content
    assert reply.headers["content-type"] == "application/x-votable+xml"
    assert client.get("/scs/sky.stars?RA=279.2&DEC=38.8&SR=1&RESPONSEFORMAT=csv").text.splitlines()[1].split(",")[1] == "Vega"


def test_posted_forms_work_too(client: TestClient) -> None:
    assert b"Vega" in client.post("/scs/sky.stars", data={"RA": "279.2", "DEC": "38.8", "SR": "1"}).content


@pytest.fixture
def odd_client(client: TestClient, site: Services, tmp_path: Path) -> TestClient:
    """A site with a table of single-precision positions, integer identifiers, and columns that carry the words of UCD1."""
    table = Table(
        {
            "source_id": np.array([2**60 + 1, 2**60 + 2], np.int64),
            "ra": np.array([10.25, 10.5], np.float32),
            "dec": np.array([20.25, -20.5], np.float32),
            "ra_b": np.array([1.0, 2.0]),
            "dec_b": np.array([3.0, 4.0]),
            "_r": np.array([5.0, 6.0]),
        }
    )
    for name in ("ra", "dec", "ra_b", "dec_b"):
        table[name].unit = units.deg
    ucds = {
        "source_id": "meta.id;meta.main",
        "ra": "pos.eq.ra;meta.main",
        "dec": "pos.eq.dec;meta.main",
        "ra_b": "POS_EQ_RA_MAIN",
        "dec_b": "POS_EQ_DEC_MAIN",
    }
    document = from_table(table)
    for field in document.get_first_table().fields:
        field.ucd = ucds.get(field.name)
    file = tmp_path / "odd.vot"
    document.to_xml(str(file))
    publish_file(site.database, file, PublishOptions(schema="sky"), records=record_keeper(site.settings), progress=None)
    site.refresh()
    return client


def test_required_columns_have_the_required_types(odd_client: TestClient) -> None:
    table = search(odd_client, 10.25, 20.25, 1, "sky.odd", VERB=3)
    fields = {field.name: field for field in table.fields}
    for name, ucd, datatype in zip(("source_id", "ra", "dec"), MAIN, ("char", "double", "double"), strict=True):
        assert (fields[name].ucd, fields[name].datatype) == (ucd, datatype)
    assert fields["ra"].unit == units.deg
    assert list(table.array["source_id"]) == ["1152921504606846977"]
    assert float(table.array["ra"][0]) == 10.25


def test_no_other_column_has_the_words_of_ucd1(odd_client: TestClient) -> None:
    ucds = [field.ucd for field in search(odd_client, 10.25, 20.25, 1, "sky.odd", VERB=3).fields]
    assert [ucds.count(ucd) for ucd in MAIN] == [1, 1, 1]
    assert {"pos.eq.ra", "pos.eq.dec"} <= set(ucds)


def test_the_distance_gives_way_to_a_column_of_its_name(odd_client: TestClient) -> None:
    table = search(odd_client, 10.25, 20.25, 1, "sky.odd", VERB=3)
    assert [field.name for field in table.fields if field.ucd == "pos.angDistance"] == ["__r"]
    assert list(table.array["_r"]) == [5.0]


# columns, without a database

POSITIONS = (Column("ra", "double"), Column("dec", "double"))


def table_of(*columns: Column) -> Published:
    return Published("s", "t", "s.t", (*columns, *POSITIONS), position=Position("ra", "dec"), resource="s/r")


def shown(table: Published, verbosity: int) -> list[str]:
    return [output.column.name for output in cones.outputs_of(table, verbosity)]


def test_verbosity_chooses_nested_sets_of_columns() -> None:
    table = table_of(Column("id", "char", "*", ucd="meta.id;meta.main"), Column("mag", "float", principal=True), Column("flag", "int"))
    assert [shown(table, verbosity) for verbosity in (1, 2, 3)] == [
        ["id", "ra", "dec"],
        ["id", "mag", "ra", "dec"],
        ["id", "mag", "flag", "ra", "dec"],
    ]


def test_without_principal_columns_the_default_is_all() -> None:
    table = table_of(Column("id", "char", "*", ucd="meta.id;meta.main"), Column("mag", "float"))
    assert shown(table, 2) == shown(table, 3) == ["id", "mag", "ra", "dec"]


def test_a_table_without_identifier_gets_one_of_its_positions(client: TestClient, site: Services, tmp_path: Path) -> None:
    assert [output.column.ucd for output in cones.outputs_of(table_of(), 1)] == ["ID_MAIN", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN"]
    file = tmp_path / "events.csv"
    file.write_text("ra,dec,energy\n1.5,2.5,3\n1.5,2.5,4\n")
    publish_file(site.database, file, PublishOptions(schema="sky"), records=record_keeper(site.settings), progress=None)
    site.refresh()
    assert list(search(client, 1.5, 2.5, 1, "sky.events").array["_id"]) == ["1.5 2.5", "1.5 2.5 #2"]


def resource(*tables: str, sample: tuple[float, float] | None) -> Resource:
    return Resource("s", "r", "title", "description", utc_now(), utc_now(), tables=tables, sample=sample)


@pytest.mark.parametrize(
    ("known", "test_query"),
    [
        (resource("s.t", sample=(10.0, 20.0)), (10.0, 20.0, 0.1)),
        (resource("s.t", "s.u", sample=(10.0, 20.0)), (10.0, 20.0, 180.0)),
        (resource("s.t", sample=None), (0.0, 0.0, 180.0)),
    ],
)
def test_the_test_query_finds_something(known: Resource, test_query: tuple[float, float, float]) -> None:
    part = scs.capability(Settings(public_url="https://vo.example.org"), table_of(), [known])
    assert part.path == "scs/s.t"
    cone, *_ = part.capabilities
    assert isinstance(cone, ConeSearch)
    assert cone.test_query == test_query
    assert cone.interfaces[0].test_query == "RA={}&DEC={}&SR={}".format(*test_query)
    assert math.isclose(cone.max_sr, 180)


def test_verbosity_is_declared_only_where_it_changes_something() -> None:
    plain = table_of(Column("id", "char", "*", ucd="meta.id;meta.main"))
    told = [scs.capability(Settings(), table, []).capabilities[0] for table in (plain, table_of(Column("mag", "float")))]
    assert [isinstance(cone, ConeSearch) and cone.verbosity for cone in told] == [False, True]
