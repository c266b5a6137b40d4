"""Images for the demo: how many Hipparcos stars lie in each pixel around each neutrino alert, as FITS maps with a TAN projection."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.wcs import WCS

from vo_server.publish.descriptor import ResourceSection

PIXELS = 120
"""Side of a map, in pixels."""
PIXEL_DEG = 0.05
"""Side of a pixel, in degrees: the maps are 6 degrees wide."""

COLLECTION = "hipparcos_maps"
RESOURCE = ResourceSection.model_validate(
    {
        "schema": "hipparcos",
        "name": "maps",
        "title": "Star counts around neutrino alerts",
        "short_name": "Hipparcos maps",
        "description": "How many Hipparcos stars lie in each pixel of maps around IceCube's neutrino alerts, computed from the catalogue.",
        "creators": ["van Leeuwen, F."],
        "subjects": ["star-counts", "neutrino-astronomy"],
        "source": "2007A&A...474..653V",
    }
)
BAND_M = (340e-9, 880e-9)
"""Where the Hp passband transmits, in metres."""
MISSION = ("1989-11-01", "1993-03-31")
"""Begin and end of Hipparcos' measurements, to the month."""


@dataclass(frozen=True, slots=True)
class Alert:
    """The place a map is centred on: name, ICRS degrees."""

    name: str
    ra: float
    dec: float


def read_alerts(path: Path) -> list[Alert]:
    """The alerts of the demo's CSV table."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Alert(row["name"], float(row["ra"]), float(row["dec"])) for row in csv.DictReader(file)]


def write_maps(directory: Path, alerts: Iterable[Alert], ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]) -> None:
    """One file ``<name>.fits`` an alert; one that holds the same bytes already keeps its date. `ra`, `dec` of the stars: ICRS degrees."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in draw_maps(alerts, ra, dec):
        path = directory / f"{name}.fits"
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


def draw_maps(alerts: Iterable[Alert], ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]) -> Iterator[tuple[str, bytes]]:
    """Name and FITS file of each map."""
    stars = unit_vectors(ra, dec)
    reach = np.cos(np.radians(PIXELS * PIXEL_DEG * 0.75))  # just beyond the corners
    for alert in alerts:
        near = stars @ unit_vectors(np.array([alert.ra]), np.array([alert.dec]))[0] > reach
        yield alert.name, draw_map(alert, ra[near], dec[near])


def draw_map(alert: Alert, ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]) -> bytes:
    """A FITS file whose pixels count the stars given that lie in them."""
    wcs = tangent_wcs(alert)
    x, y = wcs.wcs_world2pix(ra, dec, 0)
    edges = np.arange(PIXELS + 1) - 0.5
    counts, _, _ = np.histogram2d(y, x, bins=(edges, edges))
    image = fits.PrimaryHDU(counts.astype(np.int16), header=wcs.to_header())
    image.header.update(cards(alert))
    buffer = BytesIO()
    image.writeto(buffer, output_verify="exception")
    return buffer.getvalue()


def tangent_wcs(alert: Alert) -> WCS:
    """A TAN projection that touches the sky at the alert, north up, east left (FITS 4.0 §8)."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [alert.ra, alert.dec]
    wcs.wcs.crpix = [(PIXELS + 1) / 2, (PIXELS + 1) / 2]
    wcs.wcs.cdelt = [-PIXEL_DEG, PIXEL_DEG]
    wcs.wcs.radesys = "ICRS"
    return wcs


def cards(alert: Alert) -> dict[str, tuple[str, str]]:
    """What the header says beside the projection."""
    return {
        "OBJECT": (alert.name, "neutrino alert in the centre"),
        "BUNIT": ("count", "stars in the pixel"),
        "TELESCOP": ("Hipparcos", "satellite that measured the stars"),
        "DATE-BEG": (MISSION[0], "begin of the measurements"),
        "DATE-END": (MISSION[1], "end of the measurements"),
        "ORIGIN": ("vo-server demo", "computed from the catalogue"),
        "REFERENC": ("2007A&A...474..653V", "catalogue of the stars"),
        "TITLE": (f"Hipparcos stars around {alert.name}", "number of stars a pixel"),
    }


def unit_vectors(ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Directions of shape (n, 3) of positions in degrees."""
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
