"""Coordinates that explain themselves: pyvo's MIVOT viewer, astropy and STILTS with annotated results of a live server."""

import io
import warnings
from pathlib import Path
from typing import Any

import astropy.units as u
import httpx2
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile
from astropy.table import Row
from astropy.time import Time

from tests.stilts import SERIALISATIONS, needs_stilts, stilts
from vo_server.app import record_keeper
from vo_server.db.database import Database
from vo_server.publish import PublishOptions, publish_file
from vo_server.settings import Settings

mivot = pytest.importorskip("pyvo.mivot.viewer", reason="this pyvo knows no MIVOT")
prototype = pytest.importorskip("pyvo.utils.prototype", reason="this pyvo has no prototypes")

STARS = """\
hip,ra,dec,l,b,plx,pmra,pmdec,rv
87937,269.45402305,4.66828815,31.01,14.06,548.31,-798.58,10328.12,-110.51
32349,101.28854105,-16.71314306,227.23,-8.89,379.21,-546.01,-1223.07,-5.5
91262,279.23410832,38.78299311,67.45,19.24,130.23,200.94,286.23,
99999,10.5,-20.25,120.5,-83.0,,,,
"""
DESCRIPTOR = """
[resource]
schema = "near"
title = "Near stars"

[table]
source = "stars.csv"

[[table.frames]]
epoch = "J1991.25"

[columns.hip]
ucd = "meta.id;meta.main"
[columns.ra]
unit = "deg"
ucd = "pos.eq.ra;meta.main"
[columns.dec]
unit = "deg"
ucd = "pos.eq.dec;meta.main"
[columns.plx]
unit = "mas"
ucd = "pos.parallax.trig"
[columns.pmra]
unit = "mas.yr**-1"
ucd = "pos.pm;pos.eq.ra"
[columns.pmdec]
unit = "mas.yr**-1"
ucd = "pos.pm;pos.eq.dec"
[columns.rv]
unit = "km.s**-1"
ucd = "spect.dopplerVeloc.opt"
"""
ALL = "SELECT * FROM near.stars ORDER BY hip"
IN_SKYCOORD = {"plx": "distance", "pmra": "pm_ra_cosdec", "pmdec": "pm_dec", "rv": "radial_velocity"}


@pytest.fixture(scope="module")
def configured() -> dict[str, Any]:
    return {"mivot": True}


@pytest.fixture(scope="module")
def annotated(live: str, database: Database, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base URL of a site with stars that move, and one of which nothing but the place is known."""
    folder = tmp_path_factory.mktemp("near")
    (folder / "stars.csv").write_text(STARS)
    (folder / "stars.toml").write_text(DESCRIPTOR)
    records = record_keeper(Settings(public_url=live, data_dir=folder))
    publish_file(database, folder / "stars.toml", PublishOptions(), records=records, progress=None)
    return live


def ask(site: str, query: str, form: str = "votable/td") -> bytes:
    asked = {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form}
    return httpx2.get(f"{site}/tap/sync", params=asked).raise_for_status().content


def read(document: bytes) -> VOTableFile:
    return parse(io.BytesIO(document), verify="exception")


def coordinates(votable: VOTableFile) -> list[SkyCoord]:
    """What the viewer makes of each row, knowing no name of a column."""
    prototype.activate_features("MIVOT")  # else pyvo warns that it may change
    viewer = mivot.MivotViewer(votable, resolve_ref=True)
    found = []
    while viewer.next_row_view():
        found.append(viewer.dm_instance.get_SkyCoord())
    return found


def expected(row: Row) -> SkyCoord:
    """What astropy makes of the same columns, by their names."""
    known: dict[str, Any] = {}
    for name, role in IN_SKYCOORD.items():
        if not np.ma.is_masked(row[name]) and not np.isnan(row[name]):
            value = row[name] * row.table[name].unit
            known[role] = value.to(u.pc, u.parallax()) if role == "distance" else value
    return SkyCoord(row["ra"] * u.deg, row["dec"] * u.deg, obstime="J1991.25", **known)


def agree(one: SkyCoord, other: SkyCoord) -> None:
    assert one.frame.name == other.frame.name
    assert set(one.data.differentials) == set(other.data.differentials)
    assert abs(one.obstime - other.obstime).sec < 1e-3
    for name in ("ra", "dec", "distance"):
        assert u.allclose(getattr(one, name), getattr(other, name), rtol=1e-14)
    if one.data.differentials:
        for name in ("pm_ra_cosdec", "pm_dec"):
            assert u.allclose(getattr(one, name), getattr(other, name), rtol=1e-12)


@pytest.mark.parametrize("form", SERIALISATIONS)
def test_pyvo_makes_the_coordinates_that_columns_say(annotated: str, form: str) -> None:
    votable = read(ask(annotated, ALL, form))
    table = votable.get_first_table().to_table()
    found = coordinates(votable)
    assert len(found) == len(table) == 4
    for coordinate, row in zip(found, table, strict=True):
        agree(coordinate, expected(row))
    barnard = found[1].apply_space_motion(new_obstime=Time("J2016.0"))
    assert barnard.separation(SkyCoord(269.44850, 4.73942, unit="deg")).arcsec < 1  # where Gaia saw Barnard's star


def test_columns_may_have_any_names(annotated: str) -> None:
    query = 'SELECT hip, ra AS "R A", dec AS "2", pmra AS icrs, pmdec AS b FROM near.stars WHERE hip = 91262'
    (found,) = coordinates(read(ask(annotated, query)))
    assert found.separation(SkyCoord(279.23410832, 38.78299311, unit="deg")).arcsec < 1e-6
    assert u.allclose(found.pm_dec, 286.23 * u.mas / u.yr)


def test_cone_searches_have_it_too(annotated: str) -> None:
    document = httpx2.get(f"{annotated}/scs/near.stars?RA=279&DEC=38.8&SR=1").raise_for_status().content
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Simple Cone Search 1.03 demands UCDs that astropy warns of
        votable = parse(io.BytesIO(document))
    (found,) = coordinates(votable)
    assert found.separation(SkyCoord(279.23410832, 38.78299311, unit="deg")).arcsec < 1e-6


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a.ra, a.dec, b.pmra, b.pmdec FROM near.stars AS a JOIN near.stars AS b ON a.hip = b.hip + 1",
        "SELECT ra, dec FROM near.stars UNION SELECT ra, dec FROM sky.sources",
        "SELECT ra, dec FROM (SELECT TOP 2 ra, dec FROM near.stars) AS nearest",
        "SELECT ra, dec, (SELECT b.pmra FROM near.stars AS b WHERE b.hip = a.hip) AS pmra FROM near.stars AS a",
        "SELECT MAX(ra) AS ra, MAX(dec) AS dec FROM near.stars",
        "SELECT ra + 1 AS ra, dec FROM near.stars",
        "SELECT ra, pmra FROM near.stars",
        "SELECT table_name FROM tap_schema.tables",
    ],
)
def test_rows_without_one_position_of_one_table_have_none(annotated: str, query: str) -> None:
    assert b"mivot" not in ask(annotated, query)


@needs_stilts
@pytest.mark.parametrize("form", SERIALISATIONS)
def test_stilts_reads_what_is_annotated(annotated: str, form: str, tmp_path: Path) -> None:
    file = tmp_path / "stars.vot"
    file.write_bytes(ask(annotated, ALL, form))
    found = stilts("votlint", f"votable={file}", "validate=true").splitlines()
    assert [line for line in found if "Element VODML in foreign namespace" not in line] == []  # says votlint of every annotation
    assert stilts("tpipe", f"in={file}", "cmd=keepcols hip", "ofmt=csv").split() == ["hip", "32349", "87937", "91262", "99999"]
