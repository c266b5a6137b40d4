"""Parts of images and cubes: their pixels are those of astropy's Cutout2D, and each keeps its place on the sky."""

import bz2
import gzip
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS

from vo_server.cutout import Bounds, Cutout, Filters, JobCutout, NoOverlapError, Source
from vo_server.cutout.images import blocks
from vo_server.dali.intervals import Interval
from vo_server.dali.shapes import Circle, Polygon, Range, Shape
from vo_server.errors import UsageError

pytestmark = pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")

WIDTH, HEIGHT = 60, 40
PLANE = np.arange(WIDTH * HEIGHT, dtype=np.int32).reshape(HEIGHT, WIDTH)


def header(projection: str = "TAN", system: tuple[str, str] = ("RA--", "DEC-"), **cards: Any) -> fits.Header:
    place = {"CRVAL1": 83.6, "CRVAL2": 22.0, "CRPIX1": 30.0, "CRPIX2": 20.0, "CDELT1": -0.01, "CDELT2": 0.01}
    types = {f"CTYPE{number}": f"{name}-{projection}" for number, name in enumerate(system, 1)}
    units = {"CUNIT1": "deg", "CUNIT2": "deg", "RADESYS": "ICRS"}
    return fits.Header({**types, **place, **units, **cards})


def write(file: Path, *hdus: Any) -> Path:
    content = BytesIO()
    fits.HDUList(list(hdus)).writeto(content, output_verify="exception")
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(file.suffix, bytes)
    file.write_bytes(pack(content.getvalue()))
    return file


def cut(file: Path, region: Shape | None = None, hdu: int | None = None, bounds: Bounds | None = None, **filters: Any) -> fits.HDUList:
    work = Cutout(Source("ivo://vo.test/~?a", file, hdu, "cube", bounds or Bounds()), Filters(region, **filters))
    try:
        work.start()
        content = b"".join(work.chunks())
    finally:
        work.close()
    assert len(content) % 2880 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fits.open(BytesIO(content), memmap=False)
        found.verify("exception")
    return found


def offset(whole: WCS, part: WCS) -> tuple[int, int]:
    """The first pixel of a part."""
    return tuple(round(float(number)) for number in whole.wcs.crpix[:2] - part.wcs.crpix[:2])  # type: ignore[return-value]


def same_as_astropys(data: Any, whole: WCS, part: Any) -> None:
    """Each plane of `part` is what Cutout2D gives of each plane of `data`; and so is its WCS."""
    place = WCS(part.header).celestial
    x, y = offset(whole.celestial, place)
    height, width = part.data.shape[-2:]
    planes = data.reshape(-1, *data.shape[-2:])
    parts = part.data.reshape(-1, height, width)
    assert len(planes) == len(parts)
    for plane, found in zip(planes, parts, strict=True):
        expected = Cutout2D(plane, (x + (width - 1) / 2, y + (height - 1) / 2), (height, width), whole.celestial)
        np.testing.assert_array_equal(found, expected.data)
        np.testing.assert_allclose(place.wcs.crpix, expected.wcs.wcs.crpix)
    there = SkyCoord(place.pixel_to_world([0.0, width - 1.0], [0.0, height - 1.0]))
    here = SkyCoord(whole.celestial.pixel_to_world([x, x + width - 1.0], [y, y + height - 1.0]))
    assert there.separation(here).max() < 1e-6 * u.arcsec


SIP = {"A_ORDER": 2, "A_2_0": 2e-4, "B_ORDER": 2, "B_0_2": -1e-4, "A_1_1": 1e-5}
PLACES: dict[str, fits.Header] = {
    "tangent": header(),
    "turned": header(PC1_1=0.8, PC1_2=-0.6, PC2_1=0.6, PC2_2=0.8),
    "galactic": header("CAR", ("GLON", "GLAT"), CRVAL1=184.5, CRVAL2=-5.8),
    "galactic, sine": header("SIN", ("GLON", "GLAT"), CRVAL1=184.5, CRVAL2=-5.8),
    "zenithal equal area at the pole": header("ZEA", CRVAL1=10.0, CRVAL2=90.0),
    "FK5": header("ARC", RADESYS="FK5", EQUINOX=2000.0),
    "FK4": header("TAN", RADESYS="FK4", EQUINOX=1950.0),
    "SIP": fits.Header({**header(), **SIP, "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"}),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_circle_in_every_projection(name: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, PLACES[name]))
    whole = WCS(PLACES[name])
    centre = SkyCoord(whole.pixel_to_world(35.0, 15.0)).icrs
    (part,) = cut(file, Circle(centre.ra.deg, centre.dec.deg, 0.05))
    same_as_astropys(PLANE, whole, part)
    assert all(10 <= size <= 15 for size in part.data.shape)
    x, y = offset(whole, WCS(part.header))
    reach = (np.array(part.data.shape) - 1) / 2
    assert abs(x + reach[1] - 35) <= 1
    assert abs(y + reach[0] - 15) <= 1
    assert part.header["HISTORY"][-1] == "Part of ivo://vo.test/~?a"


def corners(x: float, y: float, half: float) -> Polygon:
    sky = WCS(header()).pixel_to_world([x - half, x + half, x + half, x - half], [y - half, y - half, y + half, y + half])
    return Polygon(tuple(zip(sky.ra.deg.tolist(), sky.dec.deg.tolist(), strict=True)))


def test_a_polygon_is_cut_to_the_pixels_it_touches(tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, header()))
    (part,) = cut(file, corners(30, 20, 4.2))
    np.testing.assert_array_equal(part.data, PLANE[16:25, 26:35])
    (reversed_,) = cut(file, Polygon(corners(30, 20, 4.2).vertices[::-1]))
    np.testing.assert_array_equal(reversed_.data, part.data)


def test_a_range_of_coordinates(tmp_path: Path) -> None:
    place = header("CAR", CRVAL1=10.0, CRVAL2=0.0, CRPIX1=30.5, CRPIX2=20.5, CDELT1=-1.0, CDELT2=1.0)
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, place))
    (part,) = cut(file, Range((5.1, 7.9), (-3.9, 2.9)))
    np.testing.assert_array_equal(part.data, PLANE[16:23, 32:35])


def test_what_is_larger_than_the_image_leaves_it_whole(tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, header()))
    for region in (Circle(83.6, 22.0, 30.0), Range((0.0, 360.0), (-90.0, 90.0)), None):
        (part,) = cut(file, region)
        np.testing.assert_array_equal(part.data, PLANE)


def test_beside_the_image_there_is_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, header()))
    # the last but one: its box meets the image's, the circle does not
    for region in (
        Circle(83.6, 22.5, 0.1),
        Circle(263.6, -22.0, 1.0),
        Circle(83.6 + 0.37, 22.25, 0.06),
        Range((100.0, 101.0), (22.0, 23.0)),
    ):
        with pytest.raises(NoOverlapError):
            cut(file, region)


ALL_SKY = header("CAR", CRVAL1=0.0, CRVAL2=0.0, CRPIX1=30.5, CRPIX2=20.5, CDELT1=-6.0, CDELT2=4.5)


def test_a_map_of_all_the_sky(tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, ALL_SKY))
    (torn,) = cut(file, Circle(180.0, 0.0, 20.0))
    assert torn.data.shape[1] == WIDTH  # its pixels lie at both ends
    assert torn.data.shape[0] < HEIGHT / 2
    (pole,) = cut(file, Circle(77.0, 80.0, 15.0))
    assert pole.data.shape[1] == WIDTH
    np.testing.assert_array_equal(pole.data[-1], PLANE[-1])
    aitoff = fits.Header({**ALL_SKY, "CTYPE1": "RA---AIT", "CTYPE2": "DEC--AIT"})
    (whole,) = cut(write(tmp_path / "b.fits", fits.PrimaryHDU(PLANE, aitoff)), Circle(0, 0, 20))
    assert whole.data.shape < (HEIGHT / 2, WIDTH / 2)


KINDS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "bytes": lambda: (fits.ImageHDU, (PLANE % 256).astype(np.uint8)),
    "unsigned": lambda: (fits.ImageHDU, (PLANE + 40000).astype(np.uint16)),
    "double": lambda: (fits.ImageHDU, PLANE / 7),
    "rice": lambda: (fits.CompImageHDU, PLANE.astype(np.int16)),
    "rice, unsigned": lambda: (fits.CompImageHDU, (PLANE + 40000).astype(np.uint16)),
    "gzip": lambda: (fits.CompImageHDU, (PLANE / 7).astype(np.float32)),
}


@pytest.mark.parametrize("ending", [".fits", ".fits.gz", ".fits.bz2"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_pixel_in_every_packing(kind: str, ending: str, tmp_path: Path) -> None:
    make, data = KINDS[kind]()
    other = fits.ImageHDU(PLANE * 0, header(), name="OTHER")
    file = write(tmp_path / f"a{ending}", fits.PrimaryHDU(), other, make(data, header(), name="DATA"))
    with fits.open(file) as opened:
        expected = opened[2].data.copy()
    (part,) = cut(file, Circle(83.6, 22.0, 0.05), hdu=2)
    same_as_astropys(expected, WCS(header()), part)
    assert part.data.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
    assert part.name == "DATA"
    assert not {"XTENSION", "ZIMAGE", "CHECKSUM", "DATASUM"} & set(part.header)


def test_scaled_pixels_stay_as_they_are_stored(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(PLANE.astype(np.int16), header())
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.5, 100.0, 3
    (part,) = cut(write(tmp_path / "a.fits", hdu), Circle(83.6, 22.0, 0.05))
    assert (part.header["BITPIX"], part.header["BSCALE"]) == (16, 0.5)
    x, y = offset(WCS(header()), WCS(part.header))
    np.testing.assert_array_equal(part.data, PLANE[y : y + part.data.shape[0], x : x + part.data.shape[1]] * 0.5 + 100)


def test_every_wcs_of_a_header_is_shifted(tmp_path: Path) -> None:
    others = {
        "CTYPE1P": "X",
        "CTYPE2P": "Y",
        "CRPIX1P": 5.0,
        "CRPIX2P": 6.0,
        "CDELT1P": 1.0,
        "CDELT2P": 1.0,
        "LTV1": 2.0,
        "DATASUM": "1",
    }
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, fits.Header({**header(), **others})))
    (part,) = cut(file, Circle(83.6, 22.0, 0.05))
    x, y = offset(WCS(header()), WCS(part.header))
    kept = {key: part.header.get(key) for key in others}
    assert kept == {**others, "CRPIX1P": 5.0 - x, "CRPIX2P": 6.0 - y, "LTV1": 2.0 - x, "DATASUM": None}


def test_an_extension_takes_along_what_it_inherits(tmp_path: Path) -> None:
    primary = fits.PrimaryHDU(header=fits.Header({"TELESCOP": "Eye", "OBJECT": "Crab"}))
    file = write(tmp_path / "a.fits", primary, fits.ImageHDU(PLANE, fits.Header({**header(), "INHERIT": True, "OBJECT": "M1"})))
    (part,) = cut(file, Circle(83.6, 22.0, 0.05))
    assert (part.header["TELESCOP"], part.header["OBJECT"]) == ("Eye", "M1")


SPEED = 299792458.0
SPECTRAL: dict[str, tuple[dict[str, Any], Callable[[float], float]]] = {
    "frequency": ({"CTYPE3": "FREQ", "CUNIT3": "GHz", "CRVAL3": 100.0, "CDELT3": 1.0}, lambda i: SPEED / ((100 + i) * 1e9)),
    "wavelength": ({"CTYPE3": "WAVE", "CUNIT3": "nm", "CRVAL3": 500.0, "CDELT3": 10.0}, lambda i: (500 + 10 * i) * 1e-9),
    "logarithmic": (
        {"CTYPE3": "WAVE-LOG", "CUNIT3": "m", "CRVAL3": 5e-7, "CDELT3": 5e-8},
        lambda i: 5e-7 * np.exp(i * 5e-8 / 5e-7),
    ),
    "energy": ({"CTYPE3": "ENER", "CUNIT3": "keV", "CRVAL3": 2.0, "CDELT3": 0.5}, lambda i: 1.239841984e-9 / (2 + 0.5 * i)),
    "radio velocity": (
        {"CTYPE3": "VRAD", "CUNIT3": "km/s", "CRVAL3": 0.0, "CDELT3": 1000.0, "RESTFRQ": 1.42e9},
        lambda i: SPEED / (1.42e9 * (1 - i * 1e6 / SPEED)),
    ),
    "optical velocity": (
        {"CTYPE3": "VOPT", "CUNIT3": "m/s", "CRVAL3": 0.0, "CDELT3": 1e6, "RESTWAV": 0.21},
        lambda i: 0.21 * (1 + i * 1e6 / SPEED),
    ),
    "air": ({"CTYPE3": "AWAV", "CUNIT3": "nm", "CRVAL3": 500.0, "CDELT3": 10.0}, lambda i: (500 + 10 * i) * 1e-9 * 1.000279),
}


def cube(axes: dict[str, Any], planes: int, place: fits.Header | None = None) -> fits.PrimaryHDU:
    data = PLANE + 10000 * np.arange(planes, dtype=np.int32)[:, None, None]
    return fits.PrimaryHDU(data, fits.Header({**(place or header()), "CRPIX3": 1.0, **axes}))


@pytest.mark.parametrize("name", SPECTRAL)
def test_planes_by_wavelength(name: str, tmp_path: Path) -> None:
    axis, wavelength = SPECTRAL[name]
    file = write(tmp_path / "a.fits", cube(axis, 8))
    inner = sorted((wavelength(1.8), wavelength(4.2)))  # from the middle of plane 2 to that of plane 4
    (part,) = cut(file, Circle(83.6, 22.0, 0.05), band=Interval(*inner))
    assert part.data.shape[0] == 3
    assert part.data[0, 0, 0] // 10000 == 2
    same_as_astropys(cube(axis, 8).data[2:5], WCS(cube(axis, 8).header), part)
    whole, single = WCS(cube(axis, 8).header).sub([3]), WCS(part.header).sub([3])
    np.testing.assert_allclose(single.wcs_pix2world([0.0, 1.0, 2.0], 0), whole.wcs_pix2world([2.0, 3.0, 4.0], 0))
    (one,) = cut(file, band=Interval(wavelength(3), wavelength(3)))
    assert one.data.shape == (1, HEIGHT, WIDTH)
    assert one.data[0, 0, 0] == 30000
    with pytest.raises(NoOverlapError):
        cut(file, band=Interval(1.0, 2.0))


def test_a_velocity_needs_a_line(tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", cube({"CTYPE3": "VRAD", "CUNIT3": "m/s", "CRVAL3": 0.0, "CDELT3": 1.0}, 3))
    with pytest.raises(UsageError, match="wavelength at rest"):
        cut(file, band=Interval(0.1, 0.2))


def test_four_axes_in_any_order(tmp_path: Path) -> None:
    data = np.arange(4 * 3 * HEIGHT * WIDTH, dtype=np.float32).reshape(4, HEIGHT, WIDTH, 3)
    moved = {f"{key[:-1]}{int(key[-1]) + 1}": value for key, value in header().items() if key[-1] in "12"}
    axes = {"CTYPE1": "FREQ", "CUNIT1": "Hz", "CRVAL1": 1e9, "CDELT1": 1e6, "CRPIX1": 1.0}
    stokes = {"CTYPE4": "STOKES", "CRVAL4": 1.0, "CDELT4": 1.0, "CRPIX4": 1.0}
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(data, fits.Header({**axes, **moved, **stokes, "RADESYS": "ICRS"})))
    (part,) = cut(file, Circle(83.6, 22.0, 0.05), band=Interval(SPEED / 1.0014e9, SPEED / 1.0006e9), pol=("Q", "U"))
    place = WCS(part.header)
    x, y = (int(number) for number in np.array([30.0, 20.0]) - place.wcs.crpix[1:3])
    height, width = part.data.shape[1:3]
    np.testing.assert_array_equal(part.data, data[1:3, y : y + height, x : x + width, 1:2])
    assert (part.header["CRPIX4"], part.header["CRPIX1"]) == (0.0, 0.0)
    with pytest.raises(NoOverlapError):
        cut(file, pol=("XX",))


def test_energies_in_a_table_go_along(tmp_path: Path) -> None:
    bounds = fits.BinTableHDU.from_columns(
        [
            fits.Column("E_MIN", "D", "MeV", array=[1.0, 2.0, 4.0, 8.0]),
            fits.Column("E_MAX", "D", "MeV", array=[2.0, 4.0, 8.0, 16.0]),
        ],
        name="EBOUNDS",
    )
    file = write(tmp_path / "a.fits", cube({"CTYPE3": "Energy", "CUNIT3": "MeV", "CRVAL3": 1.0, "CDELT3": 1.0}, 4), bounds)
    metre_mev = 1.239841984e-12
    part, table = cut(file, band=Interval(metre_mev / 7.0, metre_mev / 3.0))
    assert part.data[:, 0, 0].tolist() == [10000, 20000]
    assert (table.name, table.data["E_MIN"].tolist(), table.data["E_MAX"].tolist()) == ("EBOUNDS", [2.0, 4.0], [4.0, 8.0])


def test_planes_by_time(tmp_path: Path) -> None:
    axis = {"CTYPE3": "TIME", "CUNIT3": "d", "CRVAL3": 0.0, "CDELT3": 1.0, "MJDREF": 58000.0, "TIMESYS": "UTC"}
    file = write(tmp_path / "a.fits", cube(axis, 5))
    (part,) = cut(file, time=Interval(58001.6, 58003.4))
    assert part.data[:, 0, 0].tolist() == [20000, 30000]


def test_axes_that_an_image_does_not_have(tmp_path: Path) -> None:
    """Where the whole image lies decides: all of it, nothing, or nobody knows."""
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, header()))
    known = Bounds((4e-7, 7e-7), (58000.0, 58001.0), ("I",))
    for filters in ({"band": Interval(5e-7, 9e-7)}, {"time": Interval(58000.5, 58000.5)}, {"pol": ("I", "V")}):
        (part,) = cut(file, bounds=known, **filters)
        assert part.data.shape == (HEIGHT, WIDTH)
    for filters in ({"band": Interval(8e-7, 9e-7)}, {"time": Interval(59000.5, 59000.5)}, {"pol": ("V",)}):
        with pytest.raises(NoOverlapError):
            cut(file, bounds=known, **filters)
        with pytest.raises(UsageError, match="not known"):
            cut(file, **filters)


def test_positions_in_tables_are_refused(tmp_path: Path) -> None:
    tabulated = cube({"CTYPE3": "WAVE-TAB", "PS3_0": "T", "PS3_1": "W", "CUNIT3": "m", "CRVAL3": 1.0, "CDELT3": 1.0}, 2)
    with pytest.raises(UsageError, match="WAVE-TAB"):
        cut(write(tmp_path / "a.fits", tabulated), Circle(83.6, 22.0, 0.05))
    distorted = fits.PrimaryHDU(PLANE, fits.Header({**header(), "CPDIS1": "LOOKUP"}))
    with pytest.raises(UsageError, match="CPDIS1"):
        cut(write(tmp_path / "b.fits", distorted), Circle(83.6, 22.0, 0.05))
    turned = cube({"CTYPE3": "WAVE", "CUNIT3": "m", "CRVAL3": 1.0, "CDELT3": 1.0, "PC1_3": 0.5}, 2)
    with pytest.raises(UsageError, match="turned"):
        cut(write(tmp_path / "c.fits", turned), Circle(83.6, 22.0, 0.05))


def test_only_images_with_positions_are_cut(tmp_path: Path) -> None:
    for index, hdu in enumerate((fits.PrimaryHDU(PLANE), fits.PrimaryHDU())):
        with pytest.raises(UsageError, match="no image"):
            cut(write(tmp_path / f"{index}.fits", hdu), Circle(1, 2, 3))
    with pytest.raises(UsageError, match="kind 'spectrum'"):
        Cutout(Source("a", tmp_path / "0.fits", None, "spectrum", Bounds()), Filters()).start()


def test_a_polygon_without_an_inside(tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, header()))
    with pytest.raises(UsageError, match="cross"):
        cut(file, Polygon(((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.5))))


def test_a_job_says_that_there_is_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", fits.PrimaryHDU(PLANE, header()))
    work = JobCutout(Source("a", file, None, "image", Bounds()), Filters(Circle(1.0, 2.0, 3.0)), seconds=60)
    work.start()
    assert b"".join(work.chunks()) == b"Error: The image lies outside of the region.\n"
    assert work.content_type.startswith("text/plain")
    work.close()


def test_blocks_cover_a_part_in_the_order_of_the_file() -> None:
    array = np.arange(5 * 700 * 900, dtype=np.int64).reshape(5, 700, 900)
    slices = (slice(1, 5), slice(3, 699), slice(10, 890))
    pieces = [array[block].ravel() for block in blocks(slices, 8)]
    assert max(piece.nbytes for piece in pieces) <= 1 << 20
    assert len(pieces) > 4
    np.testing.assert_array_equal(np.concatenate(pieces), array[slices].ravel())
