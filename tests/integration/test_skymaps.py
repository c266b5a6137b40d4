"""Sky maps: every ordering gives the same areas, and ADQL finds what lies inside."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from cdshealpix.nested import healpix_to_lonlat
from cdshealpix.ring import lonlat_to_healpix
from PIL import Image
from publishing import silent
from sqlalchemy import text

from vo_server import adql
from vo_server.db.catalogue import load_catalogue
from vo_server.db.database import Database
from vo_server.observations.collections import Collection, Work
from vo_server.observations.reading import Request
from vo_server.observations.skymaps import publish_skymaps, read_skymap
from vo_server.sky.cells import cells_of
from vo_server.sql import translate

ORDER = 4
NSIDE = 1 << ORDER


def bump() -> Any:
    """A map with its peak at RA 100, Dec 40, in NESTED order, and the distance of each pixel from the peak."""
    cells = np.arange(12 * NSIDE**2)
    lon, lat = healpix_to_lonlat(cells.astype(np.uint64), ORDER)
    cosine = np.sin(lat) * np.sin(np.radians(40)) + np.cos(lat) * np.cos(np.radians(40)) * np.cos(lon.to_value("rad") - np.radians(100))
    away = np.degrees(np.arccos(np.clip(cosine.value, -1, 1)))
    values = np.exp(-0.5 * (away / 12) ** 2)
    return values / values.sum(), lon, lat


def write_map(path: Path, columns: list[fits.Column], **cards: Any) -> None:
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header.update({"PIXTYPE": "HEALPIX", "COORDSYS": "C", "OBJECT": "G1", "DATE-OBS": "2019-08-14T21:10:39", **cards})
    hdu.writeto(path)


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    values, lon, lat = bump()
    write_map(tmp_path / "nested.fits", [fits.Column("PROB", "D", "pix-1", array=values)], ORDERING="NESTED", NSIDE=NSIDE)
    ring = np.empty_like(values)
    ring[lonlat_to_healpix(lon, lat, NSIDE)] = values
    write_map(tmp_path / "ring.fits.gz", [fits.Column("T", "1024E", array=ring.reshape(-1, 1024))], ORDERING="RING", NSIDE=NSIDE)
    # the same with the southern base cells as single cells, where the density is the mean
    north = np.arange(8 * 4**ORDER)
    uniq = np.concatenate([north + 4 ** (ORDER + 1), np.arange(8, 12) + 4])
    density = np.concatenate([values[: 8 * 4**ORDER] * 12 * 4**ORDER, values[8 * 4**ORDER :].reshape(4, -1).sum(axis=1) * 12]) / (4 * np.pi)
    columns = [fits.Column("UNIQ", "K", array=uniq), fits.Column("PROBDENSITY", "D", "sr-1", array=density)]
    write_map(tmp_path / "multiorder.fits", columns, ORDERING="NUNIQ", MOCORDER=ORDER)
    return tmp_path


def test_orderings_agree_on_the_areas(maps: Path) -> None:
    found = {name: read_skymap(Request(maps, name)).datasets[0] for name in ("nested.fits", "ring.fits.gz", "multiorder.fits")}
    values, _, _ = bump()
    ranked = np.argsort(-values)
    for name, dataset in found.items():
        assert (dataset.s_ra, dataset.s_dec) == (pytest.approx(100, abs=4), pytest.approx(40, abs=4)), name
        assert (dataset.target_name, dataset.o_ucd, dataset.dataproduct_subtype) == ("G1", "stat.probability", "healpix")
        assert dataset.shape is not None
        assert dataset.s_fov == 2 * dataset.shape[2]
        middle, size = SkyCoord(*dataset.shape[:2], unit="deg"), dataset.shape[2]
        assert middle.separation(SkyCoord(100, 40, unit="deg")).deg < 4
        for area in dataset.areas:
            assert size > np.sqrt(area.area / np.pi)
            assert size < 1.5 * np.sqrt(dataset.areas[-1].area / np.pi) + 6
            ends = np.array([[low, high] for low, high in area.cells], np.uint64).ravel()
            lon, lat = healpix_to_lonlat(ends, 29)
            assert middle.separation(SkyCoord(lon, lat)).deg.max() < size  # the circle holds the areas
            inside = ranked[: int(np.searchsorted(np.cumsum(values[ranked]), area.probability)) + 1]
            cells = inside << 2 * (29 - ORDER)
            assert all(any(low <= cell <= high for low, high in area.cells) for cell in cells), name
            assert area.area == pytest.approx(len(inside) * 41252.96 / len(values), rel=0.02), name


def test_areas_can_be_queried(database: Database, maps: Path) -> None:
    done = publish_skymaps(database, Collection(name="maps", directory=maps), Work(records=silent, previews=maps.parent / "pictures"))
    assert done.published == 3
    with database.engine.connect() as connection:
        catalogue = load_catalogue(connection)

    def rows(query: str) -> list[Any]:
        statement = translate(adql.resolve(adql.parse(query), catalogue), max_rows=100)
        with database.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement.sql.replace(":", r"\:")))]

    def areas(ra: float, dec: float) -> list[Any]:
        return rows(f"SELECT obs_id, probability FROM ivoa.skymap_areas WHERE 1 = CONTAINS(POINT({ra}, {dec}), moc) ORDER BY 1, 2")

    assert cells_of(np.array([100.0]), np.array([40.0])).size == 1
    assert areas(100, 40) == [(name, level) for name in ("multiorder", "nested", "ring") for level in (0.5, 0.9)]
    assert areas(100, 22) == [(name, 0.9) for name in ("multiorder", "nested", "ring")]
    assert areas(280, -40) == []
    for size, told in rows("SELECT AREA(moc) AS a, area_deg2 FROM ivoa.skymap_areas"):
        assert size == pytest.approx(told)
    pairs = "FROM ivoa.skymap_areas AS a JOIN ivoa.skymap_areas AS b ON a.obs_id = b.obs_id WHERE a.probability < b.probability AND 1 ="
    assert rows(f"SELECT COUNT(*) {pairs} CONTAINS(a.moc, b.moc)") == rows(f"SELECT COUNT(*) {pairs} INTERSECTS(a.moc, b.moc)") == [(3,)]
    assert rows(f"SELECT COUNT(*) {pairs} CONTAINS(b.moc, a.moc)") == [(0,)]
    with Image.open(maps.parent / "pictures" / "maps" / "nested.fits.png") as drawn:
        assert drawn.size == (400, 200)
        assert drawn.getpixel((0, 0))[3] == 0


def test_maps_that_are_no_probability_have_no_areas(tmp_path: Path) -> None:
    write_map(tmp_path / "flux.fits", [fits.Column("T", "E", array=np.arange(12.0))], ORDERING="NESTED", NSIDE=1)
    dataset = read_skymap(Request(tmp_path, "flux.fits")).datasets[0]
    assert (dataset.areas, dataset.o_ucd) == ((), None)
