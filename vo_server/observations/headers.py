"""What FITS headers say of an observation: names, times, exposure, band (FITS 4.0 §4.4.2, §8.4, §9)."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS

from vo_server.dali.timestamps import mjd, parse_timestamp
from vo_server.errors import UsageError
from vo_server.observations.energies import band, read_unit, wavelength

TEXTS: dict[str, tuple[str, ...]] = {
    "target_name": ("OBJECT",),
    "obs_title": ("TITLE",),
    "facility_name": ("TELESCOP", "OBSERVAT"),
    "instrument_name": ("INSTRUME", "DETECTOR"),
}
"""ObsCore column → header keywords that hold its text; the first that is there counts."""

DATES: dict[str, tuple[str, ...]] = {"t_min": ("MJD-BEG", "DATE-BEG", "MJD-OBS", "DATE-OBS"), "t_max": ("MJD-END", "DATE-END")}
CLOCKS: dict[str, str] = {"DATE-OBS": "TIME-OBS", "DATE-END": "TIME-END"}
"""Keyword of a date → the one that holds the time of day where the date has none."""
EXPOSURES = ("LIVETIME", "XPOSURE", "EXPTIME", "EXPOSURE", "ONTIME", "EXP_TIME")
SCALES = ("tt", "tai", "utc", "tdb", "tcb", "tcg", "ut1")
LIGHT_M_S = 299_792_458.0

STRETCHES: dict[str, Callable[[float], float]] = {
    "VOPT": lambda beta: 1 + beta,
    "FELO": lambda beta: 1 + beta,
    "VRAD": lambda beta: 1 / (1 - beta),
    "VELO": lambda beta: math.sqrt((1 + beta) / (1 - beta)),
}
"""Axis of velocities → what they do to a wavelength (FITS 4.0 §8.4, Table 25)."""

OBSERVABLES: tuple[tuple[str, str], ...] = (
    ("count", "phot.count"),
    ("photon", "phot.count"),
    ("Jy", "phot.flux.density"),
    ("Jy/beam", "phot.flux.density"),
    ("Jy/sr", "phot.flux.density.sb"),
)
"""Unit that BUNIT can be converted to → UCD of what the pixels hold."""


def number(value: Any) -> float | None:
    """A finite number, also where a header holds it as text."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def read_texts(header: fits.Header) -> dict[str, str]:
    """Columns that are texts in the header."""
    found = {column: next((text for key in keys if (text := str(header.get(key, "")).strip())), "") for column, keys in TEXTS.items()}
    return {column: text for column, text in found.items() if text and text.isprintable()}


def read_times(header: fits.Header) -> dict[str, float]:
    """t_min and t_max (MJD, UTC) and t_exptime (s), as far as the header says them."""
    times = {column: value for column, keys in DATES.items() if (value := first_date(header, keys)) is not None}
    exposure = next((value for key in EXPOSURES if (value := number(header.get(key))) is not None and value > 0), None)
    if exposure is not None:
        times["t_exptime"] = exposure
    if "t_min" in times and "t_max" not in times:
        times["t_max"] = times["t_min"] + (exposure or 0.0) / 86400
    if times.get("t_max", 0.0) < times.get("t_min", 0.0):
        return {"t_exptime": exposure} if exposure is not None else {}
    return times


def first_date(header: fits.Header, keys: Sequence[str]) -> float | None:
    """The first of `keys` that holds a date, as MJD in UTC: a number as it is, a text as FITS writes dates (FITS 4.0 §9.1.1)."""
    for key in keys:
        value = header.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return to_utc(float(value), header.get("TIMESYS"))
        if isinstance(value, str):
            clock = str(header.get(CLOCKS.get(key, ""), "")).strip()
            text = f"{value}T{clock}" if clock and "T" not in value else value
            try:
                return to_utc(mjd(parse_timestamp(text, key)), header.get("TIMESYS"))
            except UsageError:
                continue
    return None


def to_utc(value: float, scale: Any) -> float:
    """An MJD of this time scale (TIMESYS; UTC if it is missing or unknown) in UTC."""
    name = str(scale or "utc").strip().lower()
    if name == "utc" or name not in SCALES:
        return value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of years whose leap seconds nobody knows
        return float(Time(value, format="mjd", scale=name).utc.mjd)


def inherited(header: fits.Header, primary: fits.Header) -> fits.Header:
    """The header of an extension with what only the primary one says of the observation (the INHERIT convention)."""
    full = primary.copy()
    full.update({key: header[key] for key in header if key not in ("COMMENT", "HISTORY", "")})
    return full


def read_observable(header: fits.Header) -> dict[str, str]:
    """o_ucd, where BUNIT tells what the pixels hold."""
    text = str(header.get("BUNIT", "")).strip()
    unit = read_unit(text) or read_unit(text.lower()) or read_unit(text.replace("JY", "Jy").replace("BEAM", "beam"))
    if unit is None:
        return {}
    return next(({"o_ucd": ucd} for name, ucd in OBSERVABLES if unit.is_equivalent(u.Unit(name))), {})


def read_band(wcs: WCS, header: fits.Header, hdus: fits.HDUList) -> dict[str, float]:
    """em_min, em_max (m) and em_xel: from a table of energies beside the image, which
    may be of any spacing, else a spectral axis, else the wavelength in the header.
    """
    return next((found for found in _bands(wcs, header, hdus) if found), {})


def _bands(wcs: WCS, header: fits.Header, hdus: fits.HDUList) -> Iterator[dict[str, float]]:
    planes = {int(header.get(f"NAXIS{axis}", 1)) for axis in range(3, int(header["NAXIS"]) + 1)} | {1}
    tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and hdu.name in ("EBOUNDS", "ENERGIES")]
    yield from (_table_band(hdu) for hdu in tables if planes & {len(hdu.data), len(hdu.data) - 1})
    yield from (axis_band(wcs, header, axis) for axis in range(wcs.naxis))
    length = number(header.get("WAVELENG"))
    yield band([length], read_unit(header.get("WAVELNTH_UNIT")) or u.m) if length else {}


def axis_band(wcs: WCS, header: fits.Header, axis: int) -> dict[str, float]:
    """The band of one axis of the WCS: linear in wavelength, frequency, energy or velocity."""
    kind, size = str(wcs.wcs.ctype[axis])[:4], header.get(f"NAXIS{axis + 1}", 1)
    if axis in (wcs.wcs.lng, wcs.wcs.lat) or kind.startswith("STOK"):
        return {}
    edges = wcs.wcs.crval[axis] + (np.array([0.5, size + 0.5]) - wcs.wcs.crpix[axis]) * wcs.wcs.cdelt[axis] * wcs.wcs.get_pc()[axis, axis]
    unit = wcs.wcs.cunit[axis]
    if kind in STRETCHES:
        found = _velocity_band(edges, wcs, STRETCHES[kind])
    else:
        found = band(edges.tolist(), unit) if unit != u.dimensionless_unscaled else {}
    return {**found, "em_xel": int(size)} if found else {}


def _velocity_band(edges: Any, wcs: WCS, stretch: Callable[[float], float]) -> dict[str, float]:
    """The band of velocities (m/s): nothing without the line's rest wavelength or frequency, which alone give them a meaning."""
    rest = wcs.wcs.restwav or (LIGHT_M_S / wcs.wcs.restfrq if wcs.wcs.restfrq else 0.0)
    if not rest:
        return {}
    return band([rest * stretch(speed / LIGHT_M_S) for speed in edges.tolist()], u.m)


def _table_band(hdu: fits.BinTableHDU) -> dict[str, float]:
    """The band of a table of energies: one row a plane of the image."""
    columns = [column for column in hdu.columns if column.name.upper() in ("E_MIN", "E_MAX", "ENERGY")]
    lengths = [
        length
        for column in columns
        for value in np.asarray(hdu.data[column.name], float).ravel().tolist()
        if (length := wavelength(value, read_unit(column.unit) or u.keV)) is not None
    ]
    return {"em_min": min(lengths), "em_max": max(lengths), "em_xel": len(hdu.data)} if lengths else {}
