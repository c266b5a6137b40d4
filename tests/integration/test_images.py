"""Images into ObsCore: footprints, headers, replacement, and what stays untouched when something is wrong."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image
from publishing import silent
from sqlalchemy import Connection, select

from vo_server.db import locks, schema
from vo_server.db.catalogue import load_resources, read_version
from vo_server.db.database import Database
from vo_server.errors import DataError, UsageError
from vo_server.observations import images
from vo_server.observations.collections import Collection, PublishedCollection, Work, retract_collection
from vo_server.observations.descriptor import read_collection
from vo_server.observations.reading import Reading, Request
from vo_server.observations.words import Said, checked
from vo_server.sky.cells import cells_of


def publish_images(
    database: Database,
    directory: Path,
    name: str,
    *,
    defaults: dict[str, Any] | None = None,
    records: Any = silent,
    previews: Path | None = None,
) -> PublishedCollection:
    collection = Collection(name=name, directory=directory, said=Said(checked(defaults or {}, "test")))
    return images.publish_images(database, collection, Work(records=records, previews=previews))


def write_image(
    path: Path,
    *,
    axes: tuple[str, str] = ("RA---TAN", "DEC--TAN"),
    centre: tuple[float, float] = (77.0, 6.0),
    size: int = 40,
    pixel: float = 0.1,
    polynomial: tuple[float, ...] = (),
    **cards: Any,
) -> Path:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = list(axes)
    wcs.wcs.crval = list(centre)
    wcs.wcs.crpix = [(size + 1) / 2, (size + 1) / 2]
    wcs.wcs.cdelt = [-pixel, pixel]
    wcs.wcs.set_pv([(2, power, factor) for power, factor in enumerate(polynomial)])
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
    done = publish_images(database, tmp_path, "maps", defaults={"em_min": 4e-7, "em_max": 7e-7, "facility_name": "Nobody"}, records=silent)
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
    publish_images(database, tmp_path, "maps", records=silent)
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
    publish_images(database, tmp_path, "maps", records=silent)
    (row,) = rows(database)
    assert (row.s_ra, row.s_dec) == (pytest.approx(266.405, abs=1e-3), pytest.approx(-28.936, abs=1e-3))
    assert turns_left([float(number) for number in row.s_region.split()[2:]])
    assert covers(cells(database, row.obs_key), 266.405, -28.936)


def test_all_sky_images_are_found_everywhere(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "sky.fits", axes=("RA---AIT", "DEC--AIT"), centre=(0.0, 0.0), size=180, pixel=2.0)
    publish_images(database, tmp_path, "maps", records=silent)
    (row,) = rows(database)
    assert (len(row.shape), row.shape[2], row.s_fov) == (3, 180.0, 360.0)
    assert row.s_region.startswith("Circle ICRS ")
    covered = cells(database, row.obs_key)
    assert all(covers(covered, ra, dec) for ra, dec in ((0, 0), (180, 0), (90, 89.9), (270, -89.9)))


def test_names_with_blanks_folders_and_endings(database: Database, tmp_path: Path) -> None:
    plain = write_image(tmp_path / "night 1" / "a.fits")
    (plain.parent / "a.fits.gz").write_bytes(gzip.compress(plain.read_bytes()))
    write_image(tmp_path / ".hidden" / "b.fits")
    publish_images(database, tmp_path, "my maps", records=silent)
    assert [(row.obs_id, row.access_path, row.obs_publisher_did) for row in rows(database)] == [
        ("night 1/a.fits", "/files/my%20maps/night%201/a.fits", "ivo://example.vo-server/~?my%20maps/night%201/a.fits"),
        ("night 1/a.fits.gz", "/files/my%20maps/night%201/a.fits.gz", "ivo://example.vo-server/~?my%20maps/night%201/a.fits.gz"),
    ]


def test_what_is_no_image_of_the_sky_is_skipped_and_said(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "good.fits")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "laboratory.fits")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  = not really")
    (tmp_path / "notes.txt").write_text("not looked at")
    done = publish_images(database, tmp_path, "maps", records=silent)
    assert done.published == 1
    assert [path for path, _ in done.skipped] == ["broken.fits", "laboratory.fits"]
    assert done.skipped[1][1] == "it has no celestial WCS"


def test_publishing_again_replaces_and_announces(database: Database, tmp_path: Path) -> None:
    one = write_image(tmp_path / "one.fits")
    publish_images(database, tmp_path, "maps", records=silent)
    with database.engine.connect() as connection:
        before = read_version(connection)
    one.unlink()
    write_image(tmp_path / "two.fits")
    told: list[int] = []
    publish_images(database, tmp_path, "maps", records=lambda connection, _resource=None: told.append(read_version(connection)))
    assert [row.obs_id for row in rows(database)] == ["two"]
    assert told == [before + 1]
    with database.engine.connect() as connection:
        keys = set(connection.execute(select(schema.obscore_cells.c.obs_key)).scalars())
    assert keys == {row.obs_key for row in rows(database)}


def test_a_failure_leaves_the_collection_as_it_was(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "one.fits")
    publish_images(database, tmp_path, "maps", records=silent)
    write_image(tmp_path / "two.fits")

    def fail(connection: Connection, _resource: str | None = None) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        publish_images(database, tmp_path, "maps", records=fail)
    assert [row.obs_id for row in rows(database)] == ["one"]
    (tmp_path / "one.fits").unlink()
    (tmp_path / "two.fits").unlink()
    with pytest.raises(DataError, match="No image"):
        publish_images(database, tmp_path, "maps", records=silent)
    assert [row.obs_id for row in rows(database)] == ["one"]


def test_unknown_defaults_are_named(database: Database, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="wavelength") as refusal:
        publish_images(database, tmp_path, "maps", defaults={"wavelength": 1}, records=silent)
    assert "em_min" in str(refusal.value)


PROJECTIONS = {
    "TAN": ((77.0, 6.0), 40, 0.1),
    "SIN": ((10.0, -60.0), 40, 0.5),
    "ARC": ((0.0, 89.0), 41, 0.1),
    "ZEA": ((200.0, 20.0), 40, 1.0),
    "CAR": ((0.0, 0.0), 60, 0.5),
    "SFL": ((300.0, 0.0), 60, 0.5),
    "AIT": ((0.0, 0.0), 180, 2.0),
    "MOL": ((120.0, 0.0), 60, 7.0),
    "ZPN": ((83.0, 22.0), 40, 0.01),
}


@pytest.mark.parametrize("frame", [("RA--{}", "DEC-{}"), ("GLON{}", "GLAT{}")], ids=["equatorial", "galactic"])
def test_footprints_hold_every_pixel_of_every_projection(tmp_path: Path, frame: tuple[str, str]) -> None:
    for name, (centre, size, pixel) in PROJECTIONS.items():
        polynomial = (0.0, 1.0, 0.0, 40.0) if name == "ZPN" else ()
        path = write_image(
            tmp_path / f"{name}.fits",
            axes=(frame[0].format(f"-{name}"), frame[1].format(f"-{name}")),
            centre=centre,
            size=size,
            pixel=pixel,
            polynomial=polynomial,
        )
        (dataset,) = images.read_images(Request(tmp_path, path.name)).datasets
        wcs = WCS(fits.getheader(path))
        x, y = np.meshgrid(np.arange(size), np.arange(size))
        sky = SkyCoord(wcs.pixel_to_world(x.ravel(), y.ravel())).icrs
        sky = sky[np.isfinite(sky.ra.deg) & np.isfinite(sky.dec.deg)]
        assert dataset.shape is not None
        assert inside(dataset.shape, sky).all(), name
        with np.errstate(invalid="ignore"):
            rim = SkyCoord(wcs.calc_footprint(center=False), unit="deg", frame="galactic" if frame[0].startswith("G") else "icrs").icrs
        if len(dataset.shape) > 3:
            vertices = SkyCoord(list(dataset.shape[::2]), list(dataset.shape[1::2]), unit="deg")
            assert all(corner.separation(vertices).min().deg < 1e-6 for corner in rim), name


def inside(shape: tuple[float, ...], sky: SkyCoord) -> Any:
    """Whether positions lie in a circle or in a polygon: by how often an arc to a place outside crosses the edges."""
    if len(shape) == 3:
        return sky.separation(SkyCoord(shape[0], shape[1], unit="deg")).deg <= shape[2]
    corners = SkyCoord(list(shape[::2]), list(shape[1::2]), unit="deg").cartesian.xyz.value.T
    points = sky.cartesian.xyz.value.T
    middle = corners.mean(axis=0) / np.linalg.norm(corners.mean(axis=0))
    aside = np.cross(middle, [0.36, 0.48, 0.8])
    outside = -0.5 * middle + 0.75**0.5 * aside / np.linalg.norm(aside)
    crossings = np.zeros(len(points), int)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge, arcs = np.cross(start, end), np.cross(points, outside)
        apart = ((points @ edge) > 0) != ((outside @ edge) > 0)
        astride = ((arcs @ start) > 0) != ((arcs @ end) > 0)
        meeting = np.cross(arcs, edge)
        same = ((meeting @ (start + end)) > 0) == ((meeting * (points + outside)).sum(axis=1) > 0)
        crossings += apart & astride & same
    return crossings % 2 == 1


def test_each_image_of_a_file_is_a_dataset(database: Database, tmp_path: Path) -> None:
    header = fits.getheader(write_image(tmp_path / "part.fits"))
    (tmp_path / "part.fits").unlink()
    primary = fits.PrimaryHDU()
    primary.header["TELESCOP"] = "Satellite"
    primary.header["DATE-OBS"] = "2020-01-01"
    pixels = np.arange(1600, dtype=np.int16).reshape(40, 40)
    planes = [fits.ImageHDU(pixels, header, name=name) for name in ("COUNTS", "EXPOSURE")]
    packed = fits.CompImageHDU(pixels.astype(np.float32), header, name="PACKED")
    laboratory = fits.ImageHDU(pixels, name="DARK")
    fits.HDUList([primary, *planes, packed, laboratory]).writeto(tmp_path / "many.fits")
    done = publish_images(database, tmp_path, "maps")
    assert done.skipped == (("many.fits", "HDU 4 DARK: it has no celestial WCS"),)
    found = [(row.hdu, row.obs_id, row.obs_publisher_did, row.obs_title, row.facility_name) for row in rows(database)]
    assert sorted(found) == [
        (hdu, "many", f"ivo://example.vo-server/~?maps/many:{hdu}", f"many: {name}", "Satellite")
        for hdu, name in ((1, "COUNTS"), (2, "EXPOSURE"), (3, "PACKED"))
    ]


def test_cubes_know_their_band(tmp_path: Path) -> None:
    write_image(tmp_path / "flat.fits")
    header = fits.getheader(tmp_path / "flat.fits")
    cube = np.zeros((5, 40, 40), np.float32)
    frequency = {"CTYPE3": "FREQ", "CUNIT3": "Hz", "CRVAL3": 1.0e9, "CDELT3": 1.0e8, "CRPIX3": 1.0}
    velocity = {"CTYPE3": "VRAD", "CUNIT3": "m/s", "CRVAL3": 0.0, "CDELT3": 1000.0, "CRPIX3": 3.0, "RESTFRQ": 1.15e11}
    nameless = {"CTYPE3": "VOPT", "CUNIT3": "m/s", "CRVAL3": 0.0, "CDELT3": 1000.0, "CRPIX3": 3.0}
    for name, cards in {"frequency": frequency, "velocity": velocity, "nameless": nameless}.items():
        fits.PrimaryHDU(cube, fits.Header([*header.cards, *cards.items()])).writeto(tmp_path / f"{name}.fits")
    energies = fits.BinTableHDU.from_columns(
        [fits.Column("E_MIN", "E", "keV", array=[1e6] * 5), fits.Column("E_MAX", "E", "keV", array=[1e9] * 5)], name="EBOUNDS"
    )
    header.update({"CTYPE3": "Energy", "CUNIT3": "MeV", "CRVAL3": 1e3, "CDELT3": 900.0})
    fits.HDUList([fits.PrimaryHDU(cube, header), energies]).writeto(tmp_path / "energies.fits")
    found = {
        name: images.read_images(Request(tmp_path, f"{name}.fits")).datasets[0]
        for name in ("frequency", "velocity", "nameless", "energies")
    }
    assert (found["frequency"].em_min, found["frequency"].em_max) == (pytest.approx(299792458 / 1.45e9), pytest.approx(299792458 / 0.95e9))
    line = 299792458 / 1.15e11
    assert (found["velocity"].em_min, found["velocity"].em_max) == (
        pytest.approx(line / (1 + 2500 / 299792458), rel=1e-9),
        pytest.approx(line / (1 - 2500 / 299792458), rel=1e-9),
    )
    assert found["nameless"].em_min is None
    assert (found["energies"].em_min, found["energies"].em_max) == (pytest.approx(1.2398419843e-18), pytest.approx(1.2398419843e-15))
    assert {one.dataproduct_type for one in found.values()} == {"cube"}
    assert [one.em_xel for one in found.values()] == [5, 5, None, 5]


def test_unchanged_files_are_not_read_again(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        write_image(tmp_path / f"{name}.fits")
    read: list[str] = []
    reader = images.read_images

    def watched(request: Request) -> Reading:
        read.append(request.path)
        return reader(request)

    watched.__name__ = reader.__name__
    monkeypatch.setattr(images, "read_images", watched)
    pictures = tmp_path.parent / f"{tmp_path.name} pictures"
    publish_images(database, tmp_path, "maps", previews=pictures)
    before = [tuple(row)[1:] for row in rows(database)]
    read.clear()
    publish_images(database, tmp_path, "maps", previews=pictures)
    assert read == []
    assert [tuple(row)[1:] for row in rows(database)] == before
    (tmp_path / "two.fits").unlink()
    write_image(tmp_path / "two.fits", OBJECT="another")
    (pictures / "maps" / "three.fits.png").unlink()
    publish_images(database, tmp_path, "maps", previews=pictures)
    assert sorted(read) == ["three.fits", "two.fits"]
    assert {row.obs_id: row.target_name for row in rows(database)} == {"one": None, "three": None, "two": "another"}


def test_many_files_are_read_by_several_processes(database: Database, tmp_path: Path) -> None:
    for number in range(45):
        write_image(tmp_path / f"{number:02}.fits", size=4)
    watched: list[tuple[int, int]] = []
    collection = Collection(name="maps", directory=tmp_path)
    work = Work(records=silent, processes=2, watch=lambda done, total: watched.append((done, total)))
    assert images.publish_images(database, collection, work).published == 45
    assert watched == [(done, 45) for done in range(46)]
    assert [row.obs_id for row in rows(database)] == [f"{number:02}" for number in range(45)]


def pictures(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.png"))


def test_what_is_not_published_leaves_no_pictures(database: Database, tmp_path: Path) -> None:
    """Whatever fails before the commit: new pictures are gone, and those of what was published before stay as they were."""
    shown, source = tmp_path / "pictures", tmp_path / "maps"
    before = write_image(source / "field.fits")
    publish_images(database, source, "maps", previews=shown)
    (shown / "maps/field.fits.png").write_bytes(b"the old one")

    def fail(*_: Any) -> None:
        raise RuntimeError("the disk of the records is full")

    before.unlink()
    write_image(before, size=80)
    write_image(source / "second.fits")
    for name in ("maps", "others"):
        with pytest.raises(RuntimeError, match="disk"):
            publish_images(database, source, name, previews=shown, records=fail)
        assert pictures(shown) == ["maps/field.fits.png"]
    assert (shown / "maps/field.fits.png").read_bytes() == b"the old one"
    publish_images(database, source, "maps", previews=shown)
    assert pictures(shown) == ["maps/field.fits.png", "maps/second.fits.png"]
    assert (shown / "maps/field.fits.png").read_bytes() != b"the old one"
    before.unlink()
    publish_images(database, source, "maps", previews=shown)
    assert pictures(shown) == ["maps/second.fits.png"]


def test_what_a_killed_process_left_is_finished_or_cleared_away(database: Database, tmp_path: Path) -> None:
    """Killed before its commit, its pictures are nobody's; killed behind it, they are still to be moved."""
    shown, source = tmp_path / "pictures", tmp_path / "maps"
    write_image(source / "field.fits")
    publish_images(database, source, "maps", previews=shown)
    stage = shown / ".stages" / "maps~dead"
    stage.mkdir()
    (shown / "maps/field.fits.png").rename(stage / "field.fits.png")
    (stage / "nobody.fits.png").write_bytes(b"a picture of what was never committed")
    write_image(tmp_path / "others/a.fits")
    with take_shared(shown / ".stages/lock"):  # somebody else is publishing: nothing is touched
        publish_images(database, tmp_path / "others", "others", previews=shown)
        assert pictures(stage) == ["field.fits.png", "nobody.fits.png"]
    publish_images(database, tmp_path / "others", "others", previews=shown)
    assert pictures(shown) == ["maps/field.fits.png", "others/a.fits.png"]
    assert not stage.exists()


@contextmanager
def take_shared(path: Path) -> Iterator[None]:
    held = locks.take(path, locks.SHARED)
    try:
        yield
    finally:
        assert held is not None
        os.close(held)


def test_previews_are_pictures_with_links(database: Database, tmp_path: Path) -> None:
    path = write_image(tmp_path / "images" / "field.fits", size=40)
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[:20, :] = 100  # the lower half
    publish_images(database, path.parent, "maps", previews=tmp_path / "pictures")
    with database.engine.connect() as connection:
        (link,) = connection.execute(select(schema.links)).all()
        root = connection.execute(select(schema.collections.c.root).where(schema.collections.c.collection == link.collection)).scalar_one()
    assert (link.semantics, link.collection, link.path, link.content_type) == ("#preview", "maps.previews", "field.fits.png", "image/png")
    picture = Path(root, link.path)
    assert picture.stat().st_size == link.content_length
    with Image.open(picture) as drawn:
        assert drawn.size == (400, 400)
        assert drawn.getpixel((200, 350)) == 255
        assert drawn.getpixel((200, 50)) == 1


def test_release_dates_and_words_of_the_operator(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits", TELESCOP="Eye")
    write_image(tmp_path / "b.fits")
    descriptor = tmp_path / "maps.toml"
    descriptor.write_text(
        """
[collection]
name = "maps"
[resource]
title = "Maps of the sky"
creators = ["Somebody, A."]
[values]
facility_name = "Ear"
band = "100 GeV..10 TeV"
obs_release_date = 2031-05-01
[files."b*"]
calib_level = 3
time = "2008-08-04..2015-08-02"
""",
        encoding="utf-8",
    )
    told = read_collection(descriptor)
    collection = Collection(name=told.collection.name, directory=tmp_path, said=told.said("maps.toml"), resource=told.resource)
    images.publish_images(database, collection, Work(records=silent))
    first, second = rows(database)
    assert (first.facility_name, second.facility_name) == ("Eye", "Ear")
    assert (first.calib_level, second.calib_level) == (2, 3)
    assert (first.t_min, second.t_min, second.t_max) == (None, 54682.0, 57236.0)
    assert first.em_min == pytest.approx(1.2398e-19, rel=1e-4)
    assert first.em_max == pytest.approx(1.2398e-17, rel=1e-4)
    assert str(first.obs_release_date) == "2031-05-01 00:00:00"


def test_the_collection_is_a_resource_whose_record_stays_while_nothing_changes(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "field.fits", DATE_OBS="2017-09-22T12:00:00", TELESCOP="Eye")
    collection = Collection(name="maps", directory=tmp_path, title="Maps")
    hours = iter(range(10))

    def publish() -> Any:
        work = Work(records=silent, clock=lambda: datetime(2030, 1, 1, next(hours), tzinfo=UTC))
        images.publish_images(database, collection, work)
        with database.engine.connect() as connection:
            return load_resources(connection)[0]

    first = publish()
    assert (first.id, first.title, first.type, first.facilities) == ("data/maps", "Maps", ("Archive",), ("Eye",))
    assert first.coverage.temporal == (58018.5, 58018.5)
    assert first.coverage.spatial.startswith("5/")
    assert publish() == first
    write_image(tmp_path / "more.fits", centre=(10.0, 10.0))
    assert publish().updated > first.updated
    with database.engine.begin() as connection:
        retract_collection(connection, "maps", silent)
    with database.engine.connect() as connection:
        assert load_resources(connection) == ()
    assert rows(database) == []


def test_a_name_that_is_taken_is_refused(database: Database, tmp_path: Path) -> None:
    write_image(tmp_path / "field.fits")
    publish_images(database, tmp_path, "my maps")
    with pytest.raises(DataError, match="resource of the collection my maps"):
        publish_images(database, tmp_path, "My Maps")
