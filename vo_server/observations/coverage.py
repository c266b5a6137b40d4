"""Where, when and at which energies the datasets of a collection lie, for its registry record (VODataService 1.2 §3.2)."""

from collections.abc import Iterable, Sequence

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, Latitude, Longitude, SkyCoord
from mocpy import MOC

from vo_server.model.resource import Coverage
from vo_server.publish.datasets import Dataset
from vo_server.publish.survey import compact

PLANCK_LIGHT = 1.986445857e-25
"""h·c in J m."""

FINEST, COARSEST = 10, 4
"""HEALPix orders of a collection's coverage."""
CELLS_ACROSS = 4
"""So many cells lie across the smallest dataset."""

WAVEBANDS: tuple[tuple[str, float, float], ...] = (
    ("Gamma-ray", 0.0, 1.2e-11),
    ("X-ray", 1.2e-11, 1e-8),
    ("EUV", 1e-8, 1e-7),
    ("UV", 1e-7, 3e-7),
    ("Optical", 3e-7, 1e-6),
    ("Infrared", 1e-6, 1e-4),
    ("Millimeter", 1e-4, 1e-2),
    ("Radio", 1e-2, np.inf),
)
"""Words of the messenger vocabulary, each with its shortest and longest wavelength in metres."""


def coverage(datasets: Sequence[Dataset]) -> Coverage:
    """The coverage of all datasets together."""
    bands = [(one.em_min, one.em_max) for one in datasets if one.em_min is not None and one.em_max is not None]
    messengers = {one.hea.messenger_name for one in datasets if one.hea and one.hea.messenger_name not in (None, "photon")}
    return Coverage(
        spatial(datasets),
        _span((one.t_min, one.t_max) for one in datasets),
        (PLANCK_LIGHT / max(high for _, high in bands), PLANCK_LIGHT / min(low for low, _ in bands)) if bands else None,
        (
            *(word for word, low, high in WAVEBANDS if any(first < high and last >= low for first, last in bands)),
            *(sorted(str(name).capitalize() for name in messengers)),
        ),
    )


def _span(ends: Iterable[tuple[float | None, float | None]]) -> tuple[float, float] | None:
    known = [(low, high) for low, high in ends if low is not None and high is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def spatial(datasets: Sequence[Dataset]) -> str | None:
    """The union of the regions as an ASCII MOC, as fine as the smallest of them asks for."""
    shapes = {one.shape for one in datasets if one.shape}
    if not shapes:
        return None
    if any(len(shape) == 3 and shape[2] >= 180 for shape in shapes):
        return "0/0-11"
    sizes = [one.s_fov for one in datasets if one.shape and one.s_fov]
    order = _order(min(sizes)) if sizes else FINEST
    first, *others = (*_circles(shapes, order), *_polygons(shapes, order))
    return compact(first.union(*others) if others else first)


def _order(fov: float) -> int:
    """The order whose cells (58.6° at order 0) are small beside a field of view in degrees."""
    return int(np.clip(np.ceil(np.log2(58.6 * CELLS_ACROSS / max(fov, 1e-3))), COARSEST, FINEST))


def _circles(shapes: Iterable[tuple[float, ...]], order: int) -> list[MOC]:
    return [
        MOC.from_cone(Longitude(ra, u.deg), Latitude(dec, u.deg), radius=Angle(max(radius, 1e-6), u.deg), max_depth=order)
        for ra, dec, radius in (shape for shape in shapes if len(shape) == 3)
    ]


def _polygons(shapes: Iterable[tuple[float, ...]], order: int) -> list[MOC]:
    outlines = [SkyCoord(list(shape[::2]), list(shape[1::2]), unit="deg") for shape in shapes if len(shape) > 3]
    return list(MOC.from_polygons(outlines, max_depth=order)) if outlines else []
