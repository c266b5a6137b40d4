"""Spectra for the demo: the spectral energy distributions of bright Fermi-LAT sources, from the catalogue's fluxes in bands.

``fermi_spectra.csv`` has the eight bands of the forty sources of highest energy flux and of TXS 0506+056, taken from the file
gll_psc_v35 (4FGL-DR4, CC0): energies in MeV, nuFnu_Band in MeV cm⁻² s⁻¹, and its errors, scaled from Unc_Flux_Band.
"""

import csv
import math
from itertools import groupby
from pathlib import Path

from vo_server.observations.spectra import Distribution, Distributions
from vo_server.publish.descriptor import ResourceSection

COLLECTION = "fermi_spectra"
FILE = f"{COLLECTION}.csv"
RESOURCE = ResourceSection.model_validate(
    {
        "schema": "fermi",
        "name": "spectra",
        "title": "Spectral energy distributions of bright Fermi-LAT sources",
        "short_name": "Fermi spectra",
        "description": "Spectral energy distributions between 50 MeV and 1 TeV of the forty sources of highest energy flux in the fourth "
        "Fermi-LAT catalogue, data release 4, and of the blazar TXS 0506+056: the catalogue's fluxes in eight bands.",
        "creators": ["Fermi-LAT Collaboration", "Ballet, J."],
        "subjects": ["gamma-ray-astronomy", "gamma-ray-sources", "spectral-energy-distribution"],
        "reference_url": "https://fermi.gsfc.nasa.gov/ssc/data/access/lat/14yr_catalog/",
        "source": "2022ApJS..260...53A",
        "rights": "CC0 1.0; please cite Abdollahi et al. 2022, ApJS 260, 53 and Ballet et al. 2023, arXiv:2307.12546.",
        "rights_uri": "https://creativecommons.org/publicdomain/zero/1.0/",
    }
)
MEASURED = {"t_min": 54682.65452905, "t_max": 59793.91117842}
"""Begin and end of the measurements, MJD: DATE-OBS and DATE-END of the catalogue."""
SIZES = ("nufnu", "nufnu_err_low", "nufnu_err_high")


def read_spectra(path: Path) -> Distributions:
    """The distributions of the table; rows of a source follow each other."""
    with path.open(encoding="utf-8", newline="") as file:
        bands = [(row, source(row)) for row in csv.DictReader(file)]
    sources = (
        Distribution(name, ra, dec, tuple(point(row) for row, _ in rows))
        for (name, ra, dec), rows in groupby(bands, key=lambda band: band[1])
    )
    return Distributions(tuple(sources), MEASURED, "Fermi", "LAT")


def source(row: dict[str, str]) -> tuple[str, float, float]:
    """Name and ICRS position in degrees."""
    return row["name"], float(row["ra"]), float(row["dec"])


def point(row: dict[str, str]) -> tuple[float | None, ...]:
    """Middle and ends of the band, the value and its errors."""
    low, high = float(row["energy_min"]), float(row["energy_max"])
    return (math.sqrt(low * high), low, high, *(float(row[name]) if row[name] else None for name in SIZES))
