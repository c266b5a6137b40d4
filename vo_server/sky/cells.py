"""Positions → HEALPix cells, many at once, for loading tables and uploads."""

import numpy as np
from numpy.typing import NDArray

from vo_server.libraries import later

coordinates, healpix = later("astropy.coordinates"), later("cdshealpix.nested")

ORDER = 29
NOWHERE = -1
"""The cell of a row without a position; stored as NULL."""


def cells_of(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.int64]:
    """The order-29 NESTED cells of positions in degrees.

    NOWHERE where a coordinate is NaN, infinite or masked, or |dec| exceeds 90. RA is taken modulo 360.
    """
    right = np.ma.filled(np.ma.asarray(ra, dtype=np.float64), np.nan)
    up = np.ma.filled(np.ma.asarray(dec, dtype=np.float64), np.nan)
    good = np.isfinite(right) & (np.abs(up) <= 90.0)
    cells = np.full(right.shape, NOWHERE, dtype=np.int64)
    if good.any():
        longitude = coordinates.Longitude(np.mod(right[good], 360.0), "deg", copy=False)
        latitude = coordinates.Latitude(up[good], "deg", copy=False)
        cells[good] = healpix.lonlat_to_healpix(longitude, latitude, ORDER).astype(np.int64)
    return cells
