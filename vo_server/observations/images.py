"""FITS images and cubes → datasets, one an image HDU with a celestial WCS (FITS 4.0 §8)."""

import warnings
import zlib
from collections.abc import Iterator

from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.wcs import WCS

from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.model.media import PNG, media_type
from vo_server.observations.collections import Collection, PublishedCollection, Work, publish_collection
from vo_server.observations.footprints import footprint
from vo_server.observations.headers import inherited, read_band, read_observable, read_texts, read_times
from vo_server.observations.previews import Scale, draw_image, write
from vo_server.observations.reading import Reading, Request, without_ending
from vo_server.publish.datasets import Dataset, Link

IMAGES = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, VerifyError, zlib.error, AttributeError)
"""What astropy raises for files that are broken."""


def publish_images(database: Database, collection: Collection, work: Work) -> PublishedCollection:
    """Make the images below the collection's directory the whole of it."""
    return publish_collection(database, collection, read_images, work, "No image with a position on the sky was found")


def read_images(request: Request) -> Reading:
    """The datasets of a file: of each HDU that holds an image with a celestial WCS, with a preview. DataError says why there is none."""
    datasets: list[Dataset] = []
    skipped: list[str] = []
    file = request.file
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd in others' headers is not for us to complain of
            # unscaled, so that large files can be mapped into memory
            with fits.open(file, memmap=True, do_not_scale_image_data=True) as hdus:
                images = list(_images(hdus))
                for index, hdu in images:
                    try:
                        datasets.append(_dataset(request, hdus, index, whole=len(images) == 1))
                    except DataError as error:
                        skipped.append(error.message if len(images) == 1 else f"HDU {index} {hdu.name}: {error.message}")
    except UNREADABLE as error:
        raise DataError(f"it could not be read as FITS ({_first_line(error)})") from None
    if not images:
        raise DataError("it holds no image")
    if not datasets:
        raise DataError("; ".join(dict.fromkeys(skipped)))
    return Reading(tuple(datasets), tuple(skipped))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _images(hdus: fits.HDUList) -> Iterator[tuple[int, fits.ImageHDU]]:
    for index, hdu in enumerate(hdus):
        if isinstance(hdu, IMAGES) and hdu.header.get("NAXIS", 0) >= 2 and all(hdu.header[f"NAXIS{axis}"] for axis in (1, 2)):
            yield index, hdu


def _dataset(request: Request, hdus: fits.HDUList, index: int, *, whole: bool) -> Dataset:
    """The dataset of one HDU. `whole`: the file holds no other image, and its dataset is called as the file is."""
    hdu = hdus[index]
    wcs = WCS(hdu.header, hdus)
    if not wcs.has_celestial:
        raise DataError("it has no celestial WCS")
    sizes = [int(hdu.header[f"NAXIS{axis}"]) for axis in range(1, int(hdu.header["NAXIS"]) + 1)]
    axes = sorted((wcs.wcs.lng, wcs.wcs.lat))  # `celestial` keeps the axes' order
    if axes[1] >= len(sizes):
        raise DataError("its celestial WCS is of axes that it does not have")
    width, height = (sizes[axis] for axis in axes)
    place = footprint(wcs.celestial, width, height)
    if place is None:
        raise DataError("no pixel of it lies on the sky")
    header = inherited(hdu.header, hdus[0].header)
    said = {
        "dataproduct_type": "image" if sum(size > 1 for size in sizes) <= 2 else "cube",
        "s_ra": place.ra,
        "s_dec": place.dec,
        "s_fov": place.fov,
        "s_xel1": width,
        "s_xel2": height,
        "s_pixel_scale": place.pixel_scale,
        "shape": place.shape,
        **read_texts(header),
        **read_times(header),
        **read_band(wcs, hdu.header, hdus),
        **read_observable(hdu.header),
    }
    if not whole and hdu.name and hdu.name != "PRIMARY":
        said["obs_title"] = f"{said.get('obs_title') or without_ending(request.path)}: {hdu.name}"
    return Dataset(
        path=request.path,
        hdu=index,
        part=None if whole else str(index),
        obs_id=without_ending(request.path),
        access_format=media_type(request.path),
        access_estsize=request.kilobytes,
        links=_preview(request, hdu, index, whole=whole) if axes == [0, 1] else (),
        **said,
    )


def _preview(request: Request, hdu: fits.ImageHDU, index: int, *, whole: bool) -> tuple[Link, ...]:
    if request.drawn is None:
        return ()
    picture = draw_image(hdu.data, _scale(hdu.header))
    if picture is None:
        return ()
    name = f"{request.path}.png" if whole else f"{request.path}.{index}.png"
    length = write(picture, request.drawn / name)
    return (Link(semantics="#preview", path=name, content_type=PNG, content_length=length, description="Picture of the image"),)


def _scale(header: fits.Header) -> Scale:
    return Scale(header.get("BSCALE", 1), header.get("BZERO", 0), header.get("BLANK") if header["BITPIX"] > 0 else None)
