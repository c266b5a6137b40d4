"""Publishing a directory of FITS images: headers → ObsCore rows, which image searches find and whose files are served."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.wcs import WCS
from sqlalchemy import Connection

from vo_server.dali.timestamps import mjd, parse_timestamp
from vo_server.db.catalogue import bump_version
from vo_server.db.database import Database
from vo_server.errors import DataError, UsageError
from vo_server.model.media import media_type
from vo_server.publish.datasets import SETTABLE, Dataset, replace_datasets
from vo_server.publish.footprints import footprint

ENDINGS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fits.fz", ".fits.bz2")

TEXTS: dict[str, tuple[str, ...]] = {
    "target_name": ("OBJECT",),
    "obs_title": ("TITLE",),
    "facility_name": ("TELESCOP",),
    "instrument_name": ("INSTRUME", "DETECTOR"),
}
"""ObsCore column → header keywords that hold its text; the first that is there counts."""

DATES: dict[str, tuple[str, ...]] = {"t_min": ("MJD-BEG", "DATE-BEG", "MJD-OBS", "DATE-OBS"), "t_max": ("MJD-END", "DATE-END")}
IMAGES = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)
EXPOSURES = ("XPOSURE", "EXPTIME", "EXPOSURE", "ONTIME")


@dataclass(frozen=True, slots=True)
class PublishedImages:
    """What became of the files of a directory: how many are in ObsCore now, and (path, reason) of those that are not."""

    collection: str
    published: int
    skipped: tuple[tuple[str, str], ...]


def publish_images(
    database: Database,
    directory: Path,
    collection: str,
    *,
    defaults: Mapping[str, Any] | None = None,
    records: Callable[[Connection], None],
) -> PublishedImages:
    """Make the FITS images below `directory` the whole of `collection`, in one transaction.

    `defaults` are values of ObsCore columns for files that do not say them. `records` renders the registry's records in the same
    transaction. Files without a celestial WCS are skipped and reported; a directory without any image raises DataError and changes nothing.
    """
    unknown = sorted(set(defaults or {}) - SETTABLE)
    if unknown:
        raise UsageError(f"{', '.join(unknown)} cannot be given for images.", hint=f"These can: {', '.join(sorted(SETTABLE))}.")
    datasets: list[Dataset] = []
    skipped: list[tuple[str, str]] = []
    for path in image_paths(directory):
        try:
            datasets.append(read_image(directory, path, defaults or {}))
        except DataError as error:
            skipped.append((path, error.message))
    if not datasets:
        raise DataError(f"No image with a position on the sky was found ({len(skipped)} FITS files looked at).", source=str(directory))
    with database.engine.begin() as connection:
        replace_datasets(connection, collection, directory, unique_ids(datasets))
        bump_version(connection)
        records(connection)
    return PublishedImages(collection, len(datasets), tuple(skipped))


def image_paths(directory: Path) -> Iterator[str]:
    """Paths of the FITS files below `directory`, relative to it, in order; hidden files and directories are passed over."""
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        if path.name.lower().endswith(ENDINGS) and path.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield relative.as_posix()


def read_image(directory: Path, path: str, defaults: Mapping[str, Any]) -> Dataset:
    """The ObsCore row of the first image with a celestial WCS in a file; DataError says why there is none."""
    header, wcs = find_image(directory / path)
    sizes = [int(header[f"NAXIS{axis}"]) for axis in range(1, int(header["NAXIS"]) + 1)]
    width, height = (sizes[axis] for axis in sorted((wcs.wcs.lng, wcs.wcs.lat)))  # `celestial` keeps the axes' order
    place = footprint(wcs.celestial, width, height)
    if place is None:
        raise DataError("no pixel of the image lies on the sky")
    axes = sum(size > 1 for size in sizes)
    said = {
        "dataproduct_type": "image" if axes <= 2 else "cube",
        "s_ra": place.ra,
        "s_dec": place.dec,
        "s_fov": place.fov,
        "s_xel1": width,
        "s_xel2": height,
        "s_pixel_scale": place.pixel_scale,
        **read_texts(header),
        **read_times(header),
    }
    return Dataset(
        path=path,
        **{
            "obs_id": without_ending(path),
            "access_format": media_type(path),
            "access_estsize": max(1, round((directory / path).stat().st_size / 1000)),
            "shape": place.shape,
            **defaults,
            **said,
        },
    )


def find_image(file: Path) -> tuple[fits.Header, WCS]:
    """Header and WCS of the first image in a FITS file that has a celestial WCS."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd in others' headers is not for us to complain of
            with fits.open(file, lazy_load_hdus=True) as hdus:
                for hdu in hdus:
                    if isinstance(hdu, IMAGES) and hdu.header.get("NAXIS", 0) >= 2 and (wcs := WCS(hdu.header, hdus)).has_celestial:
                        return hdu.header.copy(), wcs
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, VerifyError) as error:
        raise DataError(f"it could not be read as FITS ({error})") from None
    raise DataError("it holds no image with a celestial WCS")


def read_texts(header: fits.Header) -> dict[str, str]:
    """Columns that are texts in the header."""
    found = {column: next((text for key in keys if (text := str(header.get(key, "")).strip())), "") for column, keys in TEXTS.items()}
    return {column: text for column, text in found.items() if text}


def read_times(header: fits.Header) -> dict[str, float]:
    """t_min and t_max (MJD) and t_exptime (s), as far as the header says them."""
    times = {column: value for column, keys in DATES.items() if (value := first_date(header, keys)) is not None}
    exposure = next((float(header[key]) for key in EXPOSURES if isinstance(header.get(key), int | float) and header[key] > 0), None)
    if exposure is not None:
        times["t_exptime"] = exposure
    if "t_min" in times and "t_max" not in times:
        times["t_max"] = times["t_min"] + (exposure or 0.0) / 86400
    if times.get("t_max", 0.0) < times.get("t_min", 0.0):
        return {"t_exptime": exposure} if exposure is not None else {}
    return times


def first_date(header: fits.Header, keys: Sequence[str]) -> float | None:
    """The first of `keys` that holds a date, as MJD: a number as it is, a text as FITS writes dates (FITS 4.0 §9.1.1)."""
    for key in keys:
        value = header.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, str):
            try:
                return mjd(parse_timestamp(value, key))
            except UsageError:
                continue
    return None


def without_ending(path: str) -> str:
    """The path without the file's ending."""
    ending = next(ending for ending in sorted(ENDINGS, key=len, reverse=True) if path.lower().endswith(ending))
    return path[: -len(ending)]


def unique_ids(datasets: Sequence[Dataset]) -> list[Dataset]:
    """The datasets; those that share an obs_id (``a.fits`` beside ``a.fits.gz``) get their whole path for one."""
    uses = Counter(dataset.obs_id for dataset in datasets)
    return [replace(dataset, obs_id=dataset.path) if uses[dataset.obs_id] > 1 else dataset for dataset in datasets]
