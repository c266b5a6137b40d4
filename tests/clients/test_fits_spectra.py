"""What an astronomer does with spectra in FITS files: a search with pyvo, the file, its points, its picture."""

import gc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen

import astropy.units as u
import numpy as np
import pytest
import pyvo
from astropy.io import fits
from astropy.table import QTable
from PIL import Image

from vo_server.app import record_keeper
from vo_server.db.database import Database
from vo_server.observations.collections import Collection, Work
from vo_server.observations.descriptor import SpectrumSection
from vo_server.observations.spectrumfiles import publish_spectrum_files
from vo_server.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

WAVES = np.linspace(400, 900, 200)


@pytest.fixture
def spectra(live: str, database: Database, tmp_path: Path) -> Iterator[str]:
    """A site with two spectra, a table and an image of one dimension, at the same place."""
    files = tmp_path / "files"
    files.mkdir()
    primary = fits.PrimaryHDU()
    primary.header.update({"RA": 83.6, "DEC": 22.0, "OBJECT": "HD 1"})
    flux = fits.Column("FLUX", "D", "erg cm-2 s-1 Angstrom-1", array=WAVES / 1e17)
    fits.HDUList([primary, fits.BinTableHDU.from_columns([fits.Column("WAVE", "D", "nm", array=WAVES), flux])]).writeto(files / "a.fits")
    header = fits.Header({"CTYPE1": "FREQ", "CUNIT1": "GHz", "CRPIX1": 1.0, "CRVAL1": 1.4, "CDELT1": 0.001, "RA": 83.6, "DEC": 22.0})
    fits.PrimaryHDU(np.ones(64, np.float32), header).writeto(files / "radio.fits")
    work = Work(records=record_keeper(Settings(public_url=live)), previews=tmp_path / "pictures")
    publish_spectrum_files(database, Collection(name="stars", directory=files), work, SpectrumSection())
    yield live
    gc.collect()  # pyvo leaves connections open, which are not to be noticed in another test


def test_a_spectrum_is_found_fetched_and_seen(spectra: str) -> None:
    service = pyvo.dal.SSAService(f"{spectra}/ssa?")
    (star,) = service.search(pos=(83.6, 22.0), diameter=0.1, band=[4.9e-7, 5.1e-7] * u.m, format="application/fits")
    assert (star["title"], star["length"], star["data_model"]) == ("HD 1", 200, "native")
    points = QTable.read(BytesIO(urlopen(star.getdataurl()).read()), hdu=1)
    assert points["WAVE"].to_value("nm").tolist() == WAVES.tolist()
    pictures = list(service.search(pos=(83.6, 22.0), diameter=0.1, format="image/png").getcolumn("access_url"))
    assert len(pictures) == 2
    for url in pictures:
        with Image.open(BytesIO(urlopen(url).read())) as picture:
            assert (picture.format, picture.size) == ("PNG", (400, 250))
