"""Event lists (DL3: GADF, OGIP) → datasets: one row an observation, with its response functions as links."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits

from vo_server.errors import DataError
from vo_server.model.media import PNG, media_type
from vo_server.observations import gadf
from vo_server.observations.energies import band, electronvolts, read_unit
from vo_server.observations.footprints import directions_of, distances, position
from vo_server.observations.headers import number, read_texts, read_times
from vo_server.observations.images import UNREADABLE
from vo_server.observations.previews import Scale, draw_image, write
from vo_server.observations.reading import Reading, Request, without_ending
from vo_server.publish.datasets import Dataset, HighEnergy, Link

CORE = 99.0
"""Per cent of the events that lie in the field of view, where no response function says how wide it is."""
BINS = 100
"""Pixels across the counts map that is an observation's preview."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Field:
    """Where the telescope looked: ICRS degrees; ``radius`` of the field of view."""

    ra: float
    dec: float
    radius: float


def read_events(request: Request) -> Reading:
    """The observations of a file, one an EVENTS extension. DataError says why there is none; indexes are read elsewhere."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd in others' headers is not for us to complain of
            with fits.open(request.file, memmap=True) as hdus:
                lists = [index for index, hdu in enumerate(hdus) if gadf.is_events(hdu)]
                if not lists and any(gadf.is_index(hdu) or gadf.response_of(hdu.header) for hdu in hdus):
                    return Reading()
                datasets = tuple(_observation(request, hdus, index, whole=len(lists) == 1) for index in lists)
    except UNREADABLE as error:
        raise DataError(f"it could not be read as FITS ({next(iter(str(error).splitlines()), type(error).__name__)})") from None
    if not datasets:
        raise DataError("it holds no list of events (an extension EVENTS)")
    return Reading(datasets)


def _observation(request: Request, hdus: fits.HDUList, index: int, *, whole: bool) -> Dataset:
    hdu = hdus[index]
    header = hdu.header
    if not len(hdu.data):
        raise DataError("its list of events is empty")
    sky = _directions(hdu)
    field = _field(header, hdus, sky)
    intervals = _intervals(hdus, header)
    energies, unit = _energies(hdu)
    links = _responses(request, hdus) + _intervals_link(request, hdus)
    bundled = any(link.semantics == "#calibration" for link in links)
    texts = read_texts(header)
    obs_id = str(header.get("OBS_ID", "")).strip().removesuffix(".0") or without_ending(request.path)
    said: dict[str, Any] = {
        **texts,
        **read_times(header),
        **({"t_min": min(intervals[0]), "t_max": max(intervals[1])} if intervals else {}),
        **(band(_ends(energies), unit) if unit is not None and energies.size else {}),
    }
    said["obs_title"] = " ".join(filter(None, [texts.get("facility_name"), f"observation {obs_id}", _of(texts.get("target_name"))]))
    return Dataset(
        path=request.path,
        hdu=index,
        part=None if whole else str(index),
        obs_id=obs_id,
        access_format=media_type(request.path),
        access_estsize=request.kilobytes,
        dataproduct_type="event",
        dataproduct_subtype="hea-event-bundle" if bundled else "hea-event-list",
        s_ra=field.ra,
        s_dec=field.dec,
        s_fov=min(2 * field.radius, 360.0),
        shape=(field.ra, field.dec, field.radius),
        o_ucd="phot.count",
        hea=_high_energy(header, len(hdu.data), intervals, energies, unit),
        links=(*links, *_preview(request, index, sky, field, whole=whole)),
        **said,
    )


def _of(target: str | None) -> str | None:
    return f"of {target}" if target else None


def _directions(hdu: fits.BinTableHDU) -> Values:
    """ICRS unit vectors of the events, shape (n, 3). DataError if the events have no positions."""
    names = {name.upper(): name for name in hdu.columns.names}
    if "RA" not in names or "DEC" not in names:
        raise DataError("its events have no columns RA and DEC")
    vectors = directions_of(hdu.data[names["RA"]], hdu.data[names["DEC"]], str(hdu.header.get("RADECSYS", hdu.header.get("RADESYS", ""))))
    valid: Values = vectors[np.isfinite(vectors).all(axis=1)]
    if not len(valid):
        raise DataError("none of its events has a valid position")
    return valid


def _field(header: fits.Header, hdus: fits.HDUList, sky: Values) -> Field:
    """Pointing and field of view: from the header and the response functions, else around the events."""
    pointing = number(header.get("RA_PNT")), number(header.get("DEC_PNT"))
    if pointing[0] is None or pointing[1] is None:
        mean = sky.mean(axis=0)
        length = float(np.linalg.norm(mean))
        if length < 0.05:  # all over the sky
            return Field(*position(sky[0]), 180.0)
        ra, dec = position(mean / length)
        return Field(ra, dec, min(180.0, float(distances(sky, mean / length).max())))
    centre = directions_of([pointing[0]], [pointing[1]], str(header.get("RADECSYS", header.get("RADESYS", ""))))[0]
    ra, dec = position(centre)
    return Field(ra, dec, _offset(hdus) or float(np.percentile(distances(sky, centre), CORE)))


def _offset(hdus: fits.HDUList) -> float | None:
    """The largest angle from the pointing for which an effective area is given, in degrees."""
    areas = [hdu for hdu in hdus if str(hdu.header.get("HDUCLAS2", "")).strip().upper() == "EFF_AREA" and "THETA_HI" in hdu.columns.names]
    offsets = [u.Quantity(np.max(hdu.data["THETA_HI"]), read_unit(hdu.columns["THETA_HI"].unit) or u.deg).to_value(u.deg) for hdu in areas]
    return max((float(offset) for offset in offsets if offset > 0), default=None)


def _intervals(hdus: fits.HDUList, header: fits.Header) -> tuple[list[float], list[float]] | None:
    """Starts and stops of the good time intervals, MJD in UTC; those of the whole observation, where there is no table of them."""
    table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and hdu.name in ("GTI", "STDGTI") and len(hdu.data)), None)
    if table is not None and (reference := gadf.reference_time(table.header) or gadf.reference_time(header)) is not None:
        return gadf.days(table.data["START"], reference).tolist(), gadf.days(table.data["STOP"], reference).tolist()
    ends, reference = (number(header.get("TSTART")), number(header.get("TSTOP"))), gadf.reference_time(header)
    if reference is None or ends[0] is None or ends[1] is None:
        return None
    start, stop = gadf.days([ends[0], ends[1]], reference).tolist()
    return [start], [stop]


def _energies(hdu: fits.BinTableHDU) -> tuple[Values, u.UnitBase | None]:
    """The positive energies of the events, and their unit."""
    name = next((name for name in hdu.columns.names if name.upper() == "ENERGY"), None)
    if name is None:
        return np.zeros(0), None
    values = np.asarray(hdu.data[name], np.float64)
    return values[np.isfinite(values) & (values > 0)], read_unit(hdu.columns[name].unit or hdu.header.get("EUNIT"))


def _ends(energies: Values) -> list[float]:
    return [float(energies.min()), float(energies.max())]


def _high_energy(
    header: fits.Header, events: int, intervals: tuple[list[float], list[float]] | None, energies: Values, unit: u.UnitBase | None
) -> HighEnergy:
    bounds = [electronvolts(end, unit) for end in _ends(energies)] if unit is not None and energies.size else [None, None]
    return HighEnergy(
        ev_xel=events,
        t_intervals=gadf.time_moc(*intervals) if intervals else None,
        energy_min=bounds[0],
        energy_max=bounds[1],
        obs_mode=_text(header, "OBS_MODE"),
        tracking_mode="sidereal" if "RA_PNT" in header else None,
        pointing_mode="parallel" if number(header.get("CONV_DEP")) == 0 else None,
        analysis_mode=_text(header, "EV_CLASS"),
        messenger_name="photon",
        messenger_pdgid="+22",
    )


def _text(header: fits.Header, key: str) -> str | None:
    return str(header.get(key, "")).strip() or None


def _responses(request: Request, hdus: fits.HDUList) -> tuple[Link, ...]:
    """The response functions in the same file."""
    found = [(index, hdu, kind) for index, hdu in enumerate(hdus) if (kind := gadf.response_of(hdu.header))]
    return tuple(calibration(request.path, index, hdu, kind) for index, hdu, kind in found)


def calibration(path: str, index: int, hdu: Any, kind: gadf.Kind) -> Link:
    """The link to a response function: an HDU of a file."""
    shape = str(hdu.header.get("HDUCLAS4", hdu.name)).strip().lower()
    extent = str(hdu.header.get("HDUCLAS3", "")).strip().lower()
    return Link(
        semantics="#calibration",
        local_semantics=shape,
        path=path,
        hdu=index,
        content_type=media_type(path),
        content_qualifier=f"{gadf.RESPONSE_TYPES}{kind.word}",
        description=f"{kind.description} ({', '.join(filter(None, [shape, extent]))}), HDU {index} {hdu.name}",
    )


def _intervals_link(request: Request, hdus: fits.HDUList) -> tuple[Link, ...]:
    index = next((index for index, hdu in enumerate(hdus) if hdu.name == "GTI"), None)
    if index is None:
        return ()
    return (
        Link(
            semantics="#auxiliary",
            local_semantics="gti",
            path=request.path,
            hdu=index,
            content_type=media_type(request.path),
            description=f"Good time intervals, HDU {index} GTI",
        ),
    )


def _preview(request: Request, index: int, sky: Values, field: Field, *, whole: bool) -> tuple[Link, ...]:
    """A map of the counts in the field of view, north up, east left."""
    if request.drawn is None:
        return ()
    centre = SkyCoord(field.ra, field.dec, unit="deg")
    offsets = centre.skyoffset_frame()
    places = SkyCoord(*sky.T, representation_type="cartesian").transform_to(offsets)
    side = min(field.radius, 180.0)
    edges = np.linspace(-side, side, BINS + 1)
    counts, _, _ = np.histogram2d(places.lat.deg, -places.lon.wrap_at(180 * u.deg).deg, bins=(edges, edges))
    picture = draw_image(counts, Scale())
    if picture is None:
        return ()
    name = f"{request.path}.png" if whole else f"{request.path}.{index}.png"
    length = write(picture, request.drawn / name)
    return (Link(semantics="#preview", path=name, content_type=PNG, content_length=length, description="Map of the counts"),)
