"""Event lists: the rows of an EVENTS table that lie in a region, an interval of energies and of times, with all that stands beside it.

Layout and keywords are those of GADF (Data formats for gamma-ray astronomy 0.3) and of the OGIP standards that it follows: times count
seconds from MJDREF, good time intervals stand in a GTI table, what was selected is told by DSS keywords.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time

from vo_server.cutout.filters import Bounds, Filters, NoOverlapError
from vo_server.cutout.fitsfile import FitsFile, header_bytes, padding, without_sums
from vo_server.cutout.regions import inside
from vo_server.cutout.tables import Array, column_name, numbers, rows_of, table_bytes
from vo_server.cutout.windows import ELECTRONVOLT, PLANCK_LIGHT, SCALES
from vo_server.dali.intervals import Interval
from vo_server.dali.shapes import Circle, Range, Shape
from vo_server.errors import UsageError

ROWS = 1 << 16
"""Events that are looked at at once."""
DAY_S = 86400.0
EQUATORIAL = ("ICRS", "FK5", "")
GTI_SUMS = ("ONTIME", "LIVETIME", "EXPOSURE", "TELAPSE")

Mask = npt.NDArray[np.bool_]


def cut_events(file: FitsFile, hdu_number: int | None, filters: Filters, bounds: Bounds, note: str) -> Iterator[bytes]:
    """The file with a part of its events: other HDUs as they are, good time intervals cut to the times asked for.

    All that can fail has been done when this returns. `note` goes into the HISTORY of the events. NoOverlapError if no event is left.
    """
    events = find_events(file, hdu_number)
    bounds.refuse_outside(filters, axes=_axes(events))
    limits = met_interval(events.header, filters.time) if filters.time is not None else None
    kept = [_kept(events, rows, filters, limits) for rows in _pieces(rows_of(file, events))]
    count = sum(int(mask.sum()) for mask in kept)
    if not count:
        raise NoOverlapError("No event lies in what is asked for.")
    gtis = {} if limits is None else {id(hdu): _cut_gti(file, hdu, filters.time) for hdu in file.hdus if is_gti(hdu)}
    header = _events_header(events, filters, count, note)
    if limits is not None:
        _trim_times(header, limits, next((rows for _, rows in gtis.values()), None))
    return _written(file, events, header, kept, gtis)


def find_events(file: FitsFile, number: int | None) -> Any:
    """The HDU with the events; UsageError if there is none."""
    for index, hdu in enumerate(file.hdus):
        named = hdu.name.upper() == "EVENTS" or str(hdu.header.get("HDUCLAS1", "")).strip().upper() == "EVENTS"
        if number in (None, index) and isinstance(hdu, fits.BinTableHDU) and named:
            return hdu
    raise UsageError("The dataset has no table EVENTS: no part of it can be cut out.", parameter="ID")


def is_gti(hdu: Any) -> bool:
    """Whether an HDU holds good time intervals."""
    if not isinstance(hdu, fits.BinTableHDU):
        return False
    named = hdu.name.upper().startswith(("GTI", "STDGTI")) or str(hdu.header.get("HDUCLAS1", "")).strip().upper() == "GTI"
    return named and all(column_name(hdu, name) for name in ("START", "STOP"))


def _axes(events: Any) -> frozenset[str]:
    pairs = (("ENERGY", "BAND"), ("TIME", "TIME"))
    return frozenset(parameter for column, parameter in pairs if column_name(events, column))


def _pieces(records: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, len(records), ROWS):
        yield records[start : start + ROWS]


def _kept(events: Any, records: npt.NDArray[Any], filters: Filters, limits: Interval | None) -> Mask:
    """Which events pass; ends of intervals belong to them."""
    mask = np.ones(len(records), bool)
    if filters.band is not None and (name := column_name(events, "ENERGY")):
        with np.errstate(divide="ignore"):
            wavelength = PLANCK_LIGHT / numbers(events, records, name, "J")
        mask &= (wavelength >= filters.band.lower * (1 - 1e-12)) & (wavelength <= filters.band.upper * (1 + 1e-12))
    if limits is not None and (name := column_name(events, "TIME")):
        times = numbers(events, records, name, "s")
        mask &= (times >= limits.lower) & (times <= limits.upper)
    if filters.region is not None:
        mask[mask] = inside(filters.region, *_positions(events, records[mask]))
    return mask


def _positions(events: Any, records: npt.NDArray[Any]) -> tuple[Array, Array]:
    """ICRS degrees of events."""
    header = events.header
    system = str(header.get("RADESYS", header.get("RADECSYS", ""))).strip().upper()
    names = [column_name(events, name) for name in ("RA", "DEC")]
    if None in names or system not in EQUATORIAL or header.get("EQUINOX", 2000.0) not in (2000.0, 2000):
        raise UsageError("The events have no columns RA and DEC, or not in ICRS or FK5 J2000: no region can be cut out.", parameter="POS")
    ra, dec = (numbers(events, records, str(name), "deg") for name in names)
    if system != "FK5":
        return ra, dec
    place = SkyCoord(ra, dec, unit="deg", frame="fk5").icrs
    return place.ra.deg, place.dec.deg


def met_interval(header: fits.Header, wanted: Interval) -> Interval:
    """An interval of MJD in UTC as the table counts time (GADF 0.3, Time): seconds from MJDREF in its TIMESYS."""
    try:
        whole = float(header["MJDREFI"] if "MJDREFI" in header else header["MJDREF"])
        part = float(header.get("MJDREFF", 0.0)) if "MJDREFI" in header else 0.0
    except KeyError:
        raise UsageError("TIME: the events do not say from when their times count (MJDREF).", parameter="TIME") from None
    scale = SCALES.get(str(header.get("TIMESYS", "TT")).strip().upper(), "tt")

    def seconds(mjd: float) -> float:
        if np.isinf(mjd):
            return mjd
        time = getattr(Time(mjd, format="mjd", scale="utc"), scale)
        days = (time.jd1 - 2400000.5 - whole) + (time.jd2 - part)
        return float(days * DAY_S) - float(header.get("TIMEZERO", 0.0))

    return Interval(seconds(wanted.lower), seconds(wanted.upper))


def _cut_gti(file: FitsFile, hdu: Any, wanted: Interval | None) -> tuple[fits.Header, npt.NDArray[Any]]:
    """A table of good time intervals, of each the part that lies in the times asked for."""
    if wanted is None:
        return hdu.header, rows_of(file, hdu)
    limits = met_interval(hdu.header, wanted)
    records = np.array(rows_of(file, hdu))
    start, stop = (str(column_name(hdu, name)) for name in ("START", "STOP"))
    records[start] = np.maximum(records[start], limits.lower)
    records[stop] = np.minimum(records[stop], limits.upper)
    header = hdu.header.copy()
    _clip(header, limits)
    return header, records[records[start] < records[stop]]


def _clip(header: fits.Header, limits: Interval) -> None:
    if "TSTART" in header and "TSTOP" in header:
        header["TSTART"] = max(float(header["TSTART"]), limits.lower)
        header["TSTOP"] = min(float(header["TSTOP"]), limits.upper)


def _trim_times(header: fits.Header, limits: Interval, gti: npt.NDArray[Any] | None) -> None:
    """What the header says of times, for the part."""
    _clip(header, limits)
    if gti is None or gti.dtype.names is None:
        return
    names = {name.upper(): name for name in gti.dtype.names}
    ontime = float(np.sum(gti[names["STOP"]] - gti[names["START"]]))
    whole = float(header.get("ONTIME", 0.0))
    for keyword in GTI_SUMS:
        if keyword in header and whole > 0:
            header[keyword] = float(header[keyword]) * ontime / whole


def _events_header(events: Any, filters: Filters, count: int, note: str) -> fits.Header:
    header = without_sums(events.header)
    header["NAXIS2"] = count
    header.remove("THEAP", ignore_missing=True)  # the heap follows the rows
    if events.header.get("PCOUNT"):
        header["PCOUNT"] = _heap_size(events)
    number = 1
    while f"DSTYP{number}" in header:
        number += 1
    for offset, (kind, unit, value) in enumerate(_selection(filters)):
        header[f"DSTYP{number + offset}"] = kind
        header[f"DSUNI{number + offset}"] = unit
        header[f"DSVAL{number + offset}"] = value
        if value == "TABLE":
            header[f"DSREF{number + offset}"] = ":GTI"
    header.add_history(note)
    return header


def _selection(filters: Filters) -> Iterator[tuple[str, str, str]]:
    """What was selected, as DSS keywords say it: kind, unit, value."""
    if filters.time is not None:
        yield "TIME", "s", "TABLE"
    if filters.band is not None:
        least, most = (PLANCK_LIGHT / ELECTRONVOLT / bound if bound else np.inf for bound in (filters.band.upper, filters.band.lower))
        yield "ENERGY", "eV", f"{least:g}:{most:g}"
    if filters.region is not None:
        yield "POS(RA,DEC)", "deg", _region_text(filters.region)


def _region_text(shape: Shape) -> str:
    if isinstance(shape, Circle):
        return f"CIRCLE({shape.ra:.10g},{shape.dec:.10g},{shape.radius:.10g})"
    if isinstance(shape, Range):
        corners = [(ra, dec) for dec in shape.dec for ra in shape.ra]
        vertices = [corners[0], corners[1], corners[3], corners[2]]
    else:
        vertices = list(shape.vertices)
    return f"POLYGON({','.join(f'{number:.10g}' for vertex in vertices for number in vertex)})"


def _written(
    file: FitsFile, events: Any, header: fits.Header, kept: list[Mask], gtis: dict[int, tuple[fits.Header, npt.NDArray[Any]]]
) -> Iterator[bytes]:
    for hdu in file.hdus:
        if hdu is events:
            yield header_bytes(header)
            for records, mask in zip(_pieces(rows_of(file, events)), kept, strict=True):
                yield records[mask].tobytes()
            yield from file.heap(events)
            yield padding(int(header["NAXIS1"]) * int(header["NAXIS2"]) + _heap_size(events))
        elif id(hdu) in gtis:
            yield table_bytes(*gtis[id(hdu)])
        else:
            yield from file.copied(hdu)


def _heap_size(events: Any) -> int:
    """Bytes behind the rows, the gap before the heap left out."""
    rows = int(events.header["NAXIS1"]) * int(events.header["NAXIS2"])
    return rows + int(events.header.get("PCOUNT", 0)) - int(events.header.get("THEAP", rows))
