"""The words of event lists: Data Formats for Gamma-Ray Astronomy (GADF 0.3) and the OGIP files it grew from.

Tables of what columns and extensions mean, and how times are counted; nothing is read here.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.time import Time, TimeDelta
from mocpy import TimeMOC

from vo_server.observations.headers import SCALES, number, to_utc

RESPONSE_TYPES = "http://www.ivoa.net/rdf/response-type#"
"""Vocabulary of response functions."""

GOOD_SECONDS = 1.0
"""Resolution of T-MOCs of good time intervals, unless they become long."""
LONGEST_MOC = 10_000
"""Characters of a T-MOC at most; longer ones are coarser."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of extension: word of the response-type vocabulary (None: it is no response function), and what it is, for people."""

    word: str | None
    description: str


RESPONSES: dict[str, Kind] = {
    "EFF_AREA": Kind("aeff", "Effective area"),
    "EDISP": Kind("edisp", "Energy dispersion"),
    "RPSF": Kind("psf", "Point spread function"),
    "BKG": Kind("bkgrate", "Background rate"),
    "RAD_MAX": Kind("response-function", "Radius of the cut around the source"),
    "SPECRESP": Kind("arf", "Effective area of one region"),
    "RSP_MATRIX": Kind("rmf", "Redistribution matrix"),
}
"""HDUCLAS2 of a RESPONSE extension → what it is (GADF, "IRF components")."""

INDEX_TYPES: dict[str, str] = {"aeff": "EFF_AREA", "edisp": "EDISP", "psf": "RPSF", "bkg": "BKG", "rad_max": "RAD_MAX"}
"""HDU_TYPE of an hdu-index → HDUCLAS2."""

COLUMNS: dict[str, tuple[str, str]] = {
    "OBS_ID": ("meta.id;obs", "Observation"),
    "EVENT_ID": ("meta.id", "Event within its observation"),
    "TIME": ("time.epoch", "Arrival time, counted from the reference time of the observation's file"),
    "RA": ("pos.eq.ra;meta.main", "Reconstructed right ascension"),
    "DEC": ("pos.eq.dec;meta.main", "Reconstructed declination"),
    "ENERGY": ("phys.energy", "Reconstructed energy"),
    "DIR_ERR": ("stat.error;pos", "Error of the direction"),
    "ENERGY_ERR": ("stat.error;phys.energy", "Error of the energy"),
    "GLON": ("pos.galactic.lon", "Galactic longitude"),
    "GLAT": ("pos.galactic.lat", "Galactic latitude"),
    "L": ("pos.galactic.lon", "Galactic longitude"),
    "B": ("pos.galactic.lat", "Galactic latitude"),
    "ALT": ("pos.az.alt", "Altitude above the horizon"),
    "AZ": ("pos.az.azi", "Azimuth"),
    "ZENITH_ANGLE": ("pos.az.zd", "Angle from the zenith"),
    "DETX": ("pos.cartesian.x;instr.det", "Coordinate in the field of view"),
    "DETY": ("pos.cartesian.y;instr.det", "Coordinate in the field of view"),
    "THETA": ("pos.angDistance;instr.offset", "Angle from the pointing"),
    "PHI": ("pos.posAng", "Position angle in the field of view"),
    "MULTIP": ("meta.number", "Number of telescopes that saw the event"),
    "GAMMANESS": ("stat.probability", "Classification: 1 for gamma rays"),
    "COREX": ("pos.cartesian.x", "Impact on the ground"),
    "COREY": ("pos.cartesian.y", "Impact on the ground"),
    "HIL_MSW": ("instr.det", "Mean scaled width of the images"),
    "HIL_MSL": ("instr.det", "Mean scaled length of the images"),
    "XMAX": ("pos.distance;instr.det", "Depth of the shower's maximum"),
}
"""Column of an EVENTS table → UCD and description (GADF, "EVENTS")."""

OBSERVATION_COLUMNS: dict[str, tuple[str, str]] = {
    "OBS_ID": ("meta.id;obs;meta.main", "Observation"),
    "RA_PNT": ("pos.eq.ra;meta.main", "Right ascension of the pointing"),
    "DEC_PNT": ("pos.eq.dec;meta.main", "Declination of the pointing"),
    "GLON_PNT": ("pos.galactic.lon", "Galactic longitude of the pointing"),
    "GLAT_PNT": ("pos.galactic.lat", "Galactic latitude of the pointing"),
    "ALT_PNT": ("pos.az.alt", "Mean altitude of the pointing"),
    "AZ_PNT": ("pos.az.azi", "Mean azimuth of the pointing"),
    "ZEN_PNT": ("pos.az.zd", "Mean zenith angle of the pointing"),
    "OBJECT": ("meta.id;src", "Target"),
    "RA_OBJ": ("pos.eq.ra;src", "Right ascension of the target"),
    "DEC_OBJ": ("pos.eq.dec;src", "Declination of the target"),
    "OFFSET_OBJ": ("pos.angDistance", "Distance of the target from the pointing"),
    "ONTIME": ("time.duration;obs", "Good time, dead time included"),
    "LIVETIME": ("time.duration;obs.exposure", "Good time without dead time"),
    "DEADC": ("arith.factor;time", "Part of the good time that is no dead time"),
    "N_TELS": ("meta.number;instr.tel", "Number of telescopes"),
    "TELLIST": ("meta.id;instr.tel", "Telescopes"),
    "QUALITY": ("meta.code.qual", "Quality: 0 best"),
    "MUONEFF": ("arith.factor;instr", "Mean muon efficiency"),
    "EVENT_COUNT": ("meta.number", "Number of events"),
    "OBS_MODE": ("meta.code;obs.param", "Mode of the observation"),
    "TELESCOP": ("meta.id;instr.tel", "Facility"),
    "INSTRUME": ("meta.id;instr", "Instrument"),
    "SAFE_ENERGY_LO": ("phys.energy;stat.min", "Lowest safe energy"),
    "SAFE_ENERGY_HI": ("phys.energy;stat.max", "Highest safe energy"),
}
"""Column of an obs-index, all of which but the last few a header says too → UCD and description (GADF, "Observation index table")."""

UNITS = {
    "RA_PNT": "deg", "DEC_PNT": "deg", "ALT_PNT": "deg", "AZ_PNT": "deg", "ZEN_PNT": "deg", "RA_OBJ": "deg", "DEC_OBJ": "deg",
    "ONTIME": "s", "LIVETIME": "s",
}  # fmt: skip
"""Of those that headers say."""


def is_events(hdu: object) -> bool:
    """Whether an HDU is a list of events."""
    return isinstance(hdu, fits.BinTableHDU) and (
        str(hdu.header.get("HDUCLAS1", "")).strip().upper() == "EVENTS" or hdu.name in ("EVENTS", "STDEVT")
    )


def is_index(hdu: object) -> bool:
    """Whether an HDU is an index of observations or of HDUs."""
    return isinstance(hdu, fits.BinTableHDU) and str(hdu.header.get("HDUCLAS1", "")).strip().upper() == "INDEX"


def response_of(header: fits.Header) -> Kind | None:
    """What kind of response function an extension is; None if it is none."""
    if str(header.get("HDUCLAS1", "")).strip().upper() != "RESPONSE":
        return None
    return RESPONSES.get(str(header.get("HDUCLAS2", "")).strip().upper(), Kind("response-function", "Response function"))


def reference_time(header: fits.Header) -> tuple[float, str] | None:
    """The MJD from which a file counts its seconds, and the time scale (FITS 4.0 §9.2.2); None if it does not say."""
    whole, part = number(header.get("MJDREFI")), number(header.get("MJDREFF"))
    reference = number(header.get("MJDREF")) if whole is None else whole + (part or 0.0)
    if reference is None:
        return None
    scale = str(header.get("TIMESYS", "utc")).strip().lower()
    return reference + (number(header.get("TIMEZERO")) or 0.0) / 86400, scale if scale in SCALES else "utc"


def days(seconds: npt.ArrayLike, reference: tuple[float, str]) -> npt.NDArray[np.float64]:
    """MJD in UTC of seconds since a reference time. Seconds within one file: leap seconds are those of its first instant."""
    instants = reference[0] + np.asarray(seconds, np.float64) / 86400
    finite = instants[np.isfinite(instants)]
    shift = to_utc(float(finite[0]), reference[1]) - float(finite[0]) if finite.size else 0.0
    return np.asarray(instants + shift, np.float64)


def time_moc(starts: Sequence[float], stops: Sequence[float]) -> str:
    """A T-MOC in ASCII of intervals given in MJD, UTC."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begin, end = (Time(list(ends), format="mjd", scale="utc").tdb for ends in (starts, stops))
        seconds = GOOD_SECONDS
        while True:
            text = str(TimeMOC.from_time_ranges(begin, end, delta_t=TimeDelta(seconds, format="sec")).to_string()).strip()
            if len(text) <= LONGEST_MOC:
                return text
            seconds *= 16
