"""Images into ObsCore: footprints, headers, replacement, and what stays untouched when something is wrong."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from sqlalchemy import Connection, select

from vo_server.db import schema
from vo_server.db.catalogue import read_version
from vo_server.db.database import Database
from vo_server.errors import DataError, UsageError
from vo_server.publish.images import publish_images
from vo_server.sky.cells import cells_of


def keep_nothing(connection: Connection) -> None:
    """A record renderer without records."""


def write_image(
    path: Path,
    *,
    axes: tuple[str, str] = ("RA---TAN", "DEC--TAN"),
    centre: tuple[float, float] = (77.0, 6.0),
    size: int = 40,
    pixel: float = 0.1,
    **cards: Any,
) -> Path:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = list(axes)
    wcs.wcs.crval = list(centre)
    wcs.wcs.crpix = [(size + 1) / 2, (size + 1) / 2]
    wcs.wcs.cdelt = [-pixel, pixel]
    image = fits.PrimaryHDU(np.zeros((size, size), np.int16), header=wcs.to_header())
    image.header.update({key.replace("_", "-"): value for key, value in cards.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    image.writeto(path)
    return path


def rows(database: Database) -> list[Any]:
    with database.engine.connect() as connection:
        return list(connection.execute(select(schema.obscore).order_by(schema.obscore.c.obs_id)))


def cells(database: Database, key: int) -> list[tuple[int, int]]:
    with database.engine.connect() as connection:
        found = connection.execute(
            select(schema.obscore_cells.c.lo, schema.obscore_cells.c.hi).where(schema.obscore_cells.c.obs_key == key)
        )
        return [(low, high) for low, high in found]


def covers(ranges: list[tuple[int, int]], ra: float, dec: float) -> bool:
    cell = int(cells_of(np.array([ra]), np.array([dec]))[0])
    return any(low <= cell <= high for low, high in ranges)


def turns_left(shape: list[float]) -> bool:
    """Whether a polygon runs counter-clockwise for somebody inside the sphere: east of north is to the left."""
    vertices = SkyCoord(shape[::2], shape[1::2], unit="deg").cartesian.xyz.value.T
    return bool(np.cross(vertices, np.roll(vertices, -1, axis=0)).sum(axis=0) @ vertices.mean(axis=0) < 0)


def test_headers_become_obscore(database: Database, tmp_path: Path) -> None:
    write_image(
        tmp_path / "field.fits",
        OBJECT="TXS 0506+056",
        TELESCOP="Satellite",
        INSTRUME="Camera",
        DATE_OBS="2017-09-22T12:00:00",
        EXPTIME=8640.0,
    )
    done = publish_images(
        database, tmp_path, "maps", defaults={"em_min": 4e-7, "em_max": 7e-7, "facility_name": "Nobody"}, records=keep_nothing
    )
    assert (done.published, done.skipped) == (1, ())
    (row,) = rows(database)
    assert (row.obs_collection, row.obs_id, row.dataproduct_type) == ("maps", "field", "image")
    assert row.obs_publisher_did == "ivo://example.vo-server/~?maps/field"
    assert (row.access_path, row.access_format) == ("/files/maps/field.fits", "application/fits")
    assert row.access_estsize == round((tmp_path / "field.fits").stat().st_size / 1000)
    assert (row.target_name, row.facility_name, row.instrument_name) == ("TXS 0506+056", "Satellite", "Camera")
    assert (row.t_min, row.t_max, row.t_exptime) == (58018.5, pytest.approx(58018.6), 8640.0)
    assert (row.em_min, row.em_max) == (4e-7, 7e-7)
    assert (row.s_ra, row.s_dec) == (pytest.approx(77.0), pytest.approx(6.0))
    assert (row.s_xel1, row.s_xel2, row.s_pixel_scale) == (40, 40, pytest.approx(360.0))
    assert row.s_fov == pytest.approx(4 * 2**0.5, rel=0.01)
    assert row.data_rights == "public"


def test_the_polygon_is_the_rim_of_the_image(database: Database, tmp_path: Path) -> None:
    path = write_image(tmp_path / "field.fits", centre=(0.0, 60.0))
    publish_images(database, tmp_path, "maps", records=keep_nothing)
    (row,) = rows(database)
    rim = WCS(fits.getheader(path)).calc_footprint(center=False)
    assert sorted(zip(row.shape[::2], row.shape[1::2], strict=True)) == [
        (pytest.approx(ra), pytest.approx(dec)) for ra, dec in sorted((float(ra), float(dec)) for ra, dec in rim)
    ]
    assert row.s_region.startswith("Polygon ICRS ")
    written = [float(number) for number in row.s_region.split()[2:]]
    assert turns_left(written)
    assert sorted(written) == pytest.approx(sorted(row.shape), abs=1e-8)
    covered = cells(database, row.obs_key)
    for ra, dec in ((0.0, 60.0), (3.0, 61.0), (357.0, 61.0), (0.0, 58.1)):
        assert covers(covered, ra, dec)
    assert not covers(covered, 180.0, 60.0)


def test_galactic_images_lie_where_they_are_on_the_sky(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "centre.fits", axes=("GLON-CAR", "GLAT-CAR"), centre=(0.0, 0.0))
    publish_images(database, tmp_path, "maps", records=keep_nothing)
    (row,) = rows(database)
    assert (row.s_ra, row.s_dec) == (pytest.approx(266.405, abs=1e-3), pytest.approx(-28.936, abs=1e-3))
    assert turns_left([float(number) for number in row.s_region.split()[2:]])
    assert covers(cells(database, row.obs_key), 266.405, -28.936)


def test_all_sky_images_are_found_everywhere(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "sky.fits", axes=("RA---AIT", "DEC--AIT"), centre=(0.0, 0.0), size=180, pixel=2.0)
    publish_images(database, tmp_path, "maps", records=keep_nothing)
    (row,) = rows(database)
    assert (len(row.shape), row.shape[2], row.s_fov) == (3, 180.0, 360.0)
    assert row.s_region.startswith("Circle ICRS ")
    covered = cells(database, row.obs_key)
    assert all(covers(covered, ra, dec) for ra, dec in ((0, 0), (180, 0), (90, 89.9), (270, -89.9)))


def test_names_with_blanks_folders_and_endings(database: Database, tmp_path: Path) -> None:
    plain = write_image(tmp_path / "night 1" / "a.fits")
    (plain.parent / "a.fits.gz").write_bytes(gzip.compress(plain.read_bytes()))
    write_image(tmp_path / ".hidden" / "b.fits")
    publish_images(database, tmp_path, "my maps", records=keep_nothing)
    assert [(row.obs_id, row.access_path, row.obs_publisher_did) for row in rows(database)] == [
        ("night 1/a.fits", "/files/my%20maps/night%201/a.fits", "ivo://example.vo-server/~?my%20maps/night%201/a.fits"),
        ("night 1/a.fits.gz", "/files/my%20maps/night%201/a.fits.gz", "ivo://example.vo-server/~?my%20maps/night%201/a.fits.gz"),
    ]


def test_what_is_no_image_of_the_sky_is_skipped_and_said(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "good.fits")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "laboratory.fits")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  = not really")
    (tmp_path / "notes.txt").write_text("not looked at")
    done = publish_images(database, tmp_path, "maps", records=keep_nothing)
    assert done.published == 1
    assert [path for path, _ in done.skipped] == ["broken.fits", "laboratory.fits"]
    assert "no image with a celestial WCS" in done.skipped[1][1]


def test_publishing_again_replaces_and_announces(database: Database, tmp_path: Path) -> None:
    one = write_image(tmp_path / "one.fits")
    publish_images(database, tmp_path, "maps", records=keep_nothing)
    with database.engine.connect() as connection:
        before = read_version(connection)
    one.unlink()
    write_image(tmp_path / "two.fits")
    told: list[int] = []
    publish_images(database, tmp_path, "maps", records=lambda connection: told.append(read_version(connection)))
    assert [row.obs_id for row in rows(database)] == ["two"]
    assert told == [before + 1]
    with database.engine.connect() as connection:
        keys = set(connection.execute(select(schema.obscore_cells.c.obs_key)).scalars())
    assert keys == {row.obs_key for row in rows(database)}


def test_a_failure_leaves_the_collection_as_it_was(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "one.fits")
    publish_images(database, tmp_path, "maps", records=keep_nothing)
    write_image(tmp_path / "two.fits")

    def fail(connection: Connection) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        publish_images(database, tmp_path, "maps", records=fail)
    assert [row.obs_id for row in rows(database)] == ["one"]
    (tmp_path / "one.fits").unlink()
    (tmp_path / "two.fits").unlink()
    with pytest.raises(DataError, match="No image"):
        publish_images(database, tmp_path, "maps", records=keep_nothing)
    assert [row.obs_id for row in rows(database)] == ["one"]


def test_unknown_defaults_are_named(database: Database, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="wavelength") as refusal:
        publish_images(database, tmp_path, "maps", defaults={"wavelength": 1}, records=keep_nothing)
    assert "em_min" in str(refusal.value)
