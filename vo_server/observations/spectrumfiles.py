"""FITS spectra → datasets: tables with a spectral axis and fluxes, and one-dimensional images with a spectral WCS (FITS 4.0 §8.4)."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from sqlalchemy import func, select

from vo_server.db import schema
from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.model.media import PNG, media_type
from vo_server.observations.collections import Collection, PublishedCollection, Work, publish_collection
from vo_server.observations.descriptor import SpectrumSection
from vo_server.observations.energies import read_unit
from vo_server.observations.headers import axis_band, inherited, number, read_observable, read_texts, read_times
from vo_server.observations.images import IMAGES, UNREADABLE
from vo_server.observations.previews import draw_curve, write
from vo_server.observations.reading import Reading, Request, without_ending
from vo_server.publish.datasets import Dataset, Link

Numbers = npt.NDArray[np.float64]
TABLES = (fits.BinTableHDU, fits.TableHDU)

AXES = ("WAVE", "WAVELENGTH", "LAMBDA", "LAM", "LOGLAM", "ENERGY", "ENERG", "E_REF", "FREQ", "FREQUENCY", "NU")
FLUXES = (
    "FLUX",
    "FLUX_DENSITY",
    "FLUX_REDUCED",
    "FLAM",
    "FNU",
    "DNDE",
    "E2DNDE",
    "EFLUX",
    "NUFNU",
    "SED",
    "INTENSITY",
    "COUNTS",
    "SPECTRUM",
)
"""Names of columns, if neither operator nor UCDs say which they are; the first that is there counts."""
AXIS_UCDS, FLUX_UCDS = ("em.wl", "em.freq", "em.energy"), ("phot.flux", "phot.count", "phot.fluence")
LOGARITHMS = ("LOGLAM",)
"""Columns that hold logarithms to base 10 of what their units say, ångström if they have none (SDSS)."""

PLACES = (("RA", "DEC"), ("RA_TARG", "DEC_TARG"), ("RA_OBJ", "DEC_OBJ"), ("OBJRA", "OBJDEC"), ("RA_PNT", "DEC_PNT"), ("RA_NOM", "DEC_NOM"))
"""Keywords of a position, in degrees or sexagesimal."""
APERTURE_DEG = 2 / 3600
"""Diameter of what a spectrum shows, if its header does not say."""
OBSERVABLES: tuple[tuple[str, str], ...] = (
    ("W m-2 m-1", "phot.flux.density;em.wl"),
    ("Jy", "phot.flux.density;em.freq"),
    ("m-2 s-1 J-1", "phot.flux.density;em.energy"),
    ("W m-2", "phot.flux"),
    ("m-2 s-1", "phot.fluence"),
)
"""Unit of fluxes → their UCD."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Points of a spectrum: metres, and fluxes in `unit`; ``axis`` is how the file measures the first, for the picture."""

    wavelengths: Numbers
    fluxes: Numbers
    axis: Numbers
    axis_label: str
    flux_label: str
    ucd: str | None


@dataclass(frozen=True)
class SpectrumReader:
    """Reads files as a section says. Its name changes with it, so that files are read again when it does."""

    section: SpectrumSection

    @property
    def __name__(self) -> str:
        """By what readings are known."""
        return f"read_spectra {self.section.model_dump_json(exclude_none=True)}"

    def __call__(self, request: Request) -> Reading:
        """The spectra of a file. DataError says why there is none."""
        return read_spectra(request, self.section)


def publish_spectrum_files(database: Database, collection: Collection, work: Work, section: SpectrumSection) -> PublishedCollection:
    """Make the FITS spectra below the collection's directory the whole of it."""
    done = publish_collection(database, collection, SpectrumReader(section), work, "No spectrum was found")
    datasets = schema.obscore.c
    homeless = select(func.count()).where(datasets.collection == collection.name, datasets.s_region.is_(None))
    with database.engine.connect() as connection:
        count = connection.execute(homeless).scalar_one()
    note = f"{count:,} of them have no position: SSAP finds those by other parameters only. s_ra and s_dec in a descriptor give them one"
    return replace(done, notes=(note,) if count else ())


def read_spectra(request: Request, section: SpectrumSection) -> Reading:
    """The datasets of a file, one an HDU that holds a spectrum, with a preview."""
    datasets: list[Dataset] = []
    skipped: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd in others' headers is not for us to complain of
            with fits.open(request.file, memmap=False) as hdus:
                found = list(_spectra(hdus, section, skipped))
                for index, spectrum in found:
                    datasets.append(_dataset(request, hdus, index, spectrum, whole=len(found) == 1))
    except UNREADABLE as error:
        raise DataError(f"it could not be read as FITS ({next(iter(str(error).splitlines()), type(error).__name__)})") from None
    if not datasets:
        raise DataError(
            "; ".join(dict.fromkeys(skipped)) or "it holds no spectrum: no column and no axis of wavelengths, frequencies or energies"
        )
    return Reading(tuple(datasets), tuple(skipped))


def _spectra(hdus: fits.HDUList, section: SpectrumSection, skipped: list[str]) -> Iterator[tuple[int, Spectrum]]:
    """The HDUs that are spectra; why others that look like ones are none goes to `skipped`."""
    for index, hdu in enumerate(hdus):
        try:
            read = _of_table if isinstance(hdu, TABLES) else _of_image if isinstance(hdu, IMAGES) else None
            spectrum = read(hdu, section) if read is not None else None
            if spectrum is not None:
                yield index, spectrum
        except DataError as error:
            skipped.append(f"HDU {index} {hdu.name}: {error.message}".replace("  ", " "))


def _of_table(hdu: Any, section: SpectrumSection) -> Spectrum | None:
    """A row a point, or one row with arrays; None without a spectral axis."""
    axis, flux = _column(hdu, section.axis, AXIS_UCDS, AXES), _column(hdu, section.flux, FLUX_UCDS, FLUXES)
    if axis is None:
        return None
    if flux is None:
        raise DataError(f"none of its columns holds fluxes ({', '.join(hdu.columns.names)}); --flux names one")
    if len(hdu.data) > 1 and np.asarray(hdu.data[axis.name]).ndim > 1:
        raise DataError(f"{axis.name} has an array in each of {len(hdu.data)} rows, which are many spectra; a file of one is needed")
    values, fluxes = (np.asarray(hdu.data[one.name], np.float64).ravel() for one in (axis, flux))
    if values.size != fluxes.size:
        raise DataError(f"{axis.name} has {values.size} values and {flux.name} {fluxes.size}")
    unit = _unit(section.axis_unit or axis.unit)
    if axis.name.upper() in LOGARITHMS:
        values, unit = 10.0**values, unit if unit is not None and unit.is_equivalent(u.m) else u.AA
    ucd = _keyword(hdu, flux, "TUCD") or _observable(flux.unit)
    return _spectrum(values, unit, fluxes, axis.name, f"{flux.name} {flux.unit or ''}", ucd)


def _column(hdu: Any, wanted: str | None, ucds: tuple[str, ...], names: tuple[str, ...]) -> fits.Column | None:
    """The column that the operator names, else the one with such a UCD, else with such a name."""
    columns = {column.name.upper(): column for column in hdu.columns}
    if wanted is not None:
        return columns.get(wanted.upper())
    meant = (
        column for column in hdu.columns if _keyword(hdu, column, "TUCD").startswith(ucds) and ";" not in _keyword(hdu, column, "TUCD")
    )
    return next(meant, None) or next((columns[name] for name in names if name in columns), None)


def _keyword(hdu: Any, column: fits.Column, name: str) -> str:
    return str(hdu.header.get(f"{name}{hdu.columns.names.index(column.name) + 1}", "")).strip()


def _of_image(hdu: Any, section: SpectrumSection) -> Spectrum | None:
    """An array along one axis whose WCS is spectral; None for pictures, and for what is empty."""
    header = hdu.header
    sizes = [int(header[f"NAXIS{axis}"]) for axis in range(1, int(header.get("NAXIS", 0)) + 1)]
    if not sizes or max(sizes) < 2 or sizes[0] != int(np.prod(sizes)):
        return None
    wcs = WCS(header, fix=True)
    kind, unit = str(header.get("CTYPE1", "")).strip(), _unit(section.axis_unit or header.get("CUNIT1") or _iraf_unit(header))
    pixels = np.arange(1, sizes[0] + 1)
    if header.get("DC-FLAG") == 1:  # IRAF: logarithms to base 10
        values = 10.0 ** _linear(header, pixels)
    elif wcs.wcs.spec == 0:
        rest = [np.full(sizes[0], reference) for reference in wcs.wcs.crpix[1:]]
        values, unit = np.asarray(wcs.all_pix2world(pixels, *rest, 1)[0]), _unit(wcs.wcs.cunit[0]) or unit
    else:
        values = _linear(header, pixels)
    if unit is None and (kind.upper() in ("", "LINEAR", "PIXEL") or wcs.wcs.spec != 0):
        raise DataError("nothing says the unit of its axis (CUNIT1 is missing); --axis-unit gives it")
    if unit is not None and unit.is_equivalent(u.m / u.s):
        return _of_velocities(wcs, header, np.asarray(hdu.data, np.float64).ravel())
    flux_unit = str(header.get("BUNIT", "")).strip()
    ucd = _observable(flux_unit) or read_observable(header).get("o_ucd")
    return _spectrum(values, unit, np.asarray(hdu.data, np.float64).ravel(), kind or "axis", f"flux {flux_unit}", ucd)


def _linear(header: fits.Header, pixels: npt.NDArray[np.int_]) -> Numbers:
    step = number(header.get("CDELT1")) or number(header.get("CD1_1"))
    if step is None or number(header.get("CRVAL1")) is None:
        raise DataError("its axis has no scale (CRVAL1 and CDELT1, or CD1_1)")
    return np.asarray(header["CRVAL1"] + (pixels - header.get("CRPIX1", 1.0)) * step, np.float64)


def _of_velocities(wcs: WCS, header: fits.Header, fluxes: Numbers) -> Spectrum:
    """An axis of velocities: the ends by the line's rest wavelength or frequency."""
    found = axis_band(wcs, header, 0)
    if not found:
        raise DataError("its axis holds velocities, and neither RESTWAV nor RESTFRQ says of what line")
    ends = np.linspace(found["em_min"], found["em_max"], fluxes.size)
    return _spectrum(ends, u.m, fluxes, "wavelength", f"flux {header.get('BUNIT', '')}", read_observable(header).get("o_ucd"))


def _iraf_unit(header: fits.Header) -> str | None:
    found = re.search(r"units=([A-Za-z]+)", str(header.get("WAT1_001", "")))
    return found[1].rstrip("s") if found else None


def _unit(text: Any) -> u.UnitBase | None:
    """A unit as headers write it; None if it is missing. DataError for what nobody knows."""
    name = str(text or "").strip()
    unit = read_unit(name) or read_unit(name.capitalize()) or read_unit(name.lower())
    if name and unit is None:
        raise DataError(f"nobody knows the unit {name!r} of its axis; --axis-unit gives another")
    return unit


def _spectrum(values: Numbers, unit: u.UnitBase | None, fluxes: Numbers, axis: str, flux: str, ucd: str | None) -> Spectrum:
    """The points, their axis in metres. DataError for axes that are none."""
    if unit is None:
        raise DataError(f"{axis} has no unit; --axis-unit gives it")
    if not unit.is_equivalent(u.m, u.spectral()):
        raise DataError(f"{axis} is measured in {unit}, which is no wavelength, frequency or energy")
    wrong = np.flatnonzero(~np.isfinite(values) | (values <= 0))
    if wrong.size:
        raise DataError(f"{axis} has {wrong.size} values that are not positive, the first ({values[wrong[0]]}) at point {wrong[0] + 1}")
    if values.size < 2 or not np.isfinite(fluxes).any():
        raise DataError(f"it has {values.size} points, and no flux" if values.size else "it has no points")
    metres = np.asarray(u.Quantity(values, unit).to_value(u.m, equivalencies=u.spectral()), np.float64)
    return Spectrum(metres, fluxes, values, f"{axis} ({unit})", flux.strip(), ucd or None)


def _observable(text: Any) -> str | None:
    """The UCD that a unit of fluxes tells."""
    unit = read_unit(text)
    return next((ucd for name, ucd in OBSERVABLES if unit is not None and unit.is_equivalent(u.Unit(name))), None)


def _dataset(request: Request, hdus: fits.HDUList, index: int, spectrum: Spectrum, *, whole: bool) -> Dataset:
    """The dataset of one HDU. `whole`: the file holds no other spectrum, and its dataset is called as the file is."""
    hdu = hdus[index]
    header = inherited(hdu.header, hdus[0].header)
    texts = read_texts(header)
    title = texts.get("obs_title") or texts.get("target_name") or without_ending(request.path)
    said = {**texts, "obs_title": title if whole or not hdu.name else f"{title}: {hdu.name}"}
    aperture = number(header.get("APERTURE")) or APERTURE_DEG
    place = read_place(header)
    return Dataset(
        path=request.path,
        hdu=index,
        part=None if whole else str(index),
        obs_id=without_ending(request.path),
        access_format=media_type(request.path),
        access_estsize=request.kilobytes,
        dataproduct_type="spectrum",
        s_ra=place[0] if place else None,
        s_dec=place[1] if place else None,
        s_fov=aperture if place else None,
        shape=(*place, aperture / 2) if place else None,
        em_min=float(spectrum.wavelengths.min()),
        em_max=float(spectrum.wavelengths.max()),
        em_xel=int(spectrum.wavelengths.size),
        em_res_power=number(header.get("SPEC_RES")),
        o_ucd=spectrum.ucd,
        links=_preview(request, spectrum, f"{request.path}.png" if whole else f"{request.path}.{index}.png"),
        **said,  # type: ignore[arg-type]
        **read_times(header),  # type: ignore[arg-type]
    )


def read_place(header: fits.Header) -> tuple[float, float] | None:
    """The ICRS position (degrees) that a header tells, in degrees or sexagesimal; None if it tells none."""
    for keys in PLACES:
        ra, dec = (header.get(key) for key in keys)
        if ra is None or dec is None:
            continue
        frame = str(header.get("RADESYS") or header.get("RADECSYS") or "ICRS").strip().lower()
        sexagesimal = number(ra) is None
        try:
            place = SkyCoord(
                ra if sexagesimal else number(ra),
                dec if number(dec) is None else number(dec),
                unit=(u.hourangle if sexagesimal else u.deg, u.deg),
                frame=frame if frame in ("icrs", "fk5", "fk4") else "icrs",
            ).icrs
        except (ValueError, TypeError):
            continue
        return float(place.ra.deg), float(place.dec.deg)
    return None


def _preview(request: Request, spectrum: Spectrum, name: str) -> tuple[Link, ...]:
    if request.drawn is None:
        return ()
    picture = draw_curve(spectrum.axis, spectrum.fluxes, spectrum.axis_label, spectrum.flux_label)
    length = write(picture, request.drawn / name)
    return (Link(semantics="#preview", path=name, content_type=PNG, content_length=length, description="Picture of the spectrum"),)
