"""Searches for catalogues, images and spectra as scripts have them: pyvo and STILTS against a live server."""

import gc
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import pyvo
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from sqlalchemy import insert, select

from vo_server.db import schema
from vo_server.db.catalogue import bump_version
from vo_server.db.database import Database
from vo_server.publish.datasets import Dataset, replace_datasets

HERE = (77.36, 5.69)
PREVIEW = "preview.png"

IMAGE = Dataset(
    path="blazar.fits",
    obs_id="blazar",
    obs_title="A blazar",
    access_format="application/fits",
    access_estsize=6,
    dataproduct_type="image",
    target_name="TXS 0506+056",
    instrument_name="Eye",
    s_ra=HERE[0],
    s_dec=HERE[1],
    s_fov=1.0,
    s_xel1=10,
    s_xel2=10,
    s_pixel_scale=180.0,
    shape=(*HERE, 0.5),
    t_min=58000.0,
    t_max=58001.0,
    em_min=4e-7,
    em_max=6e-7,
)
SPECTRUM = Dataset(
    path="blazar.vot",
    obs_id="sed",
    obs_title="Energies of a blazar",
    access_format="application/x-votable+xml",
    access_estsize=1,
    dataproduct_type="sed",
    target_name="TXS 0506+056",
    instrument_name="LAT",
    s_ra=HERE[0],
    s_dec=HERE[1],
    shape=(*HERE, 0.1),
    em_min=1e-18,
    em_max=1e-15,
    em_xel=8,
    obs_release_date=datetime(2020, 1, 2),
)


def write_image(path: Path) -> None:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = list(HERE), [5.5, 5.5], [-0.05, 0.05]
    fits.PrimaryHDU(np.arange(100, dtype=np.int16).reshape(10, 10), header=wcs.to_header()).writeto(path)


@pytest.fixture
def sky(live: str, database: Database, tmp_path: Path, datalink_vocabulary: None) -> Iterator[str]:
    """The base URL of the live server, with an image, its preview and a spectrum."""
    write_image(tmp_path / IMAGE.path)
    (tmp_path / PREVIEW).write_bytes(b"\x89PNG")
    (tmp_path / SPECTRUM.path).write_text("<VOTABLE/>")
    with database.publish_engine.begin() as connection:
        replace_datasets(connection, "Blazars", tmp_path, [IMAGE, SPECTRUM])
        key = connection.execute(select(schema.obscore.c.obs_key).where(schema.obscore.c.obs_id == "blazar")).scalar_one()
        link = {"obs_key": key, "semantics": "#preview", "collection": "Blazars", "path": PREVIEW, "content_type": "image/png"}
        connection.execute(insert(schema.links).values(**link, content_length=4))
        bump_version(connection)
    yield live
    gc.collect()  # pyvo leaves connections open, which are not to be noticed in another test


def near(position: SkyCoord) -> bool:
    return bool(position.separation(SkyCoord(*HERE, unit="deg")).arcsec < 1e-3)


leaves_connections = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@leaves_connections
def test_images_by_siap_1(sky: str) -> None:
    service = pyvo.dal.SIAService(f"{sky}/sia1?")
    image, preview = sorted(service.search(pos=HERE, size=0.1), key=lambda record: str(record.format))
    assert (image.format, preview.format) == ("application/fits", "image/png")
    assert (image.title, image.instr, image.naxes, image.coord_frame, image.pixflags) == ("A blazar", "Eye", 2, "ICRS", "C")
    assert near(image.pos)
    assert list(image.naxis.value) == [10, 10]
    assert list(image.scale.value) == pytest.approx([0.05, 0.05])
    assert (image.dateobs.mjd, image.filesize) == (58000.5, 6000)
    assert [image.bandpass_lolimit.value, image.bandpass_refvalue.value, image.bandpass_hilimit.value] == pytest.approx([4e-7, 5e-7, 6e-7])
    assert image.getdataset().read(6) == b"SIMPLE"
    assert preview.getdataset().read(4) == b"\x89PNG"
    assert [record.format for record in service.search(pos=HERE, size=0.1, format="graphic")] == ["image/png"]
    assert not len(service.search(pos=HERE, size=3.0, intersect="covers"))
    with pytest.raises(pyvo.dal.DALQueryError, match="'tiff' is not one of"):
        service.search(pos=HERE, size=0.1, format="GRAPHIC-tiff")


@leaves_connections
def test_images_by_sia_2(sky: str) -> None:
    service = pyvo.dal.SIA2Service(f"{sky}/sia2/query")
    (image,) = service.search(pos=(*HERE, 0.1), collection="Blazars")
    assert (image.obs_collection, image.target_name, image.dataproduct_type) == ("Blazars", "TXS 0506+056", "image")
    assert image.getdataset().read(6) == b"SIMPLE"
    assert not len(service.search(pos=(*HERE, 0.1), band=(1e-6, 1e-3)))
    with pytest.raises(pyvo.dal.DALQueryError, match="UsageFault: RELEASEDATE"):
        service.search(pos=(*HERE, 0.1), RELEASEDATE="yesterday")


@leaves_connections
def test_spectra_by_ssap(sky: str) -> None:
    service = pyvo.dal.SSAService(f"{sky}/ssa?")
    (spectrum,) = service.search(pos=HERE, diameter=0.5, band=(1e-17, 1e-16))
    assert (spectrum.title, spectrum.format, spectrum.instr) == ("Energies of a blazar", "application/x-votable+xml", "LAT")
    assert (spectrum.ra, spectrum.dec) == HERE
    assert spectrum.dateobs.isot == "2020-01-02T00:00:00.000"
    assert spectrum.getdataset().read() == b"<VOTABLE/>"
    assert not len(service.search(pos=HERE, diameter=0.5, band=(1e-7, 1e-6)))
    with pytest.raises(pyvo.dal.DALQueryError, match="VERSION='9' is not spoken"):
        service.search(pos=HERE, diameter=0.5, VERSION="9")


@leaves_connections
def test_what_datasets_have_beside_them_is_found_from_every_search(sky: str) -> None:
    for answer in (
        pyvo.dal.SIAService(f"{sky}/sia1?").search(pos=HERE, size=0.1),
        pyvo.dal.SIA2Service(f"{sky}/sia2/query").search(pos=(*HERE, 0.1)),
        pyvo.dal.SSAService(f"{sky}/ssa?").search(pos=HERE, diameter=0.5),
    ):
        links = answer.get_adhocservice_by_ivoid("ivo://ivoa.net/std/DataLink#links-1.1")
        assert {param.name: param.value for param in links.params}["accessURL"] == f"{sky}/datalink/links"


def test_the_cone_search_describes_itself(live: str) -> None:
    service = pyvo.dal.SCSService(f"{live}/scs/sky.sources?")
    assert {"ID_MAIN", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN"} <= {column.ucd for column in service.columns}
    found = service.search(pos=HERE, radius=0.1, verbosity=1)
    assert found.to_table().colnames == ["_r", "source_id", "ra", "dec"]


needs_stilts = pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed (Debian package stilts)")


def stilts(*arguments: str) -> list[str]:
    done = subprocess.run(["stilts", *arguments], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


SEARCHES = {
    "cone": ("/scs/sky.sources?", "name", ["TXS 0506+056"]),
    "sia1": ("/sia1?", "access_url", ["{url}/files/Blazars/blazar.fits"]),
    "sia2": ("/sia2/query", "access_url", ["{url}/files/Blazars/blazar.fits"]),
    "ssa": ("/ssa?", "access_url", ["{url}/files/Blazars/blazar.vot"]),
}


@needs_stilts
@pytest.mark.parametrize("kind", SEARCHES)
def test_topcats_engine_searches(kind: str, sky: str) -> None:
    path, column, found = SEARCHES[kind]
    place = (f"lon={HERE[0]}", f"lat={HERE[1]}", "radius=0.2")
    lines = stilts("cone", f"servicetype={kind}", f"serviceurl={sky}{path}", *place, f"ocmd=keepcols {column}", "ofmt=csv")
    assert lines == [column, *(one.format(url=sky) for one in found)]


@needs_stilts
def test_topcats_engine_searches_around_many_positions(live: str, tmp_path: Path) -> None:
    table = tmp_path / "places.csv"
    table.write_text("ra,dec\n77.36,5.69\n279.2,38.8\n10,10\n")
    where = (f"in={table}", "ra=ra", "dec=dec", "sr=0.2", "find=all", "usefoot=false")
    lines = stilts("coneskymatch", f"serviceurl={live}/scs/sky.sources?", *where, "ocmd=keepcols name", "ofmt=csv")
    assert lines == ["name", "TXS 0506+056", "Vega"]


ANSWERS = (
    "/sia1?POS=77.36,5.69&SIZE=1&VERB=3",
    "/sia1?FORMAT=METADATA",
    "/sia2/query?MAXREC=5",
    "/ssa?REQUEST=queryData&POS=77.36,5.69",
    "/ssa?REQUEST=queryData&FORMAT=METADATA",
    "/scs2?TABLE=sky.sources&RA=77.36&DEC=5.69&SR=1",
    "/sia1?POS=1",
)


@needs_stilts
def test_all_answers_are_valid_votables(sky: str) -> None:
    for path in ANSWERS:
        report = stilts("votlint", f"votable={sky}{path}", "validate=true", "ucd=false")
        assert not [line for line in report if line.startswith(("ERROR", "WARNING"))], path
