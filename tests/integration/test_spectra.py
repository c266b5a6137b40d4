"""Spectra from a catalogue's fluxes in bands: their numbers, their files, and their rows in ObsCore."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from sqlalchemy import Connection, text

from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.observations.collections import Collection, Work
from vo_server.observations.spectra import file_names, publish_spectra, read_lat_catalogue

ERG_IN_MEV = 624150.9074


def keep_nothing(connection: Connection, resource: str | None = None) -> None:
    """A record renderer without records."""


def write_catalogue(path: Path, bands: int = 2) -> None:
    flux = np.array([[2e-8, 1e-12], [3e-9, 4e-10]], np.float32)[:, :bands]
    errors = np.array([[-1e-9, 2e-9, np.nan, 5e-10], [-3e-10, 3e-10, -1e-10, 1e-10]], np.float32)[:, : 2 * bands]
    columns = [
        fits.Column("Source_Name", "18A", array=["4FGL J0509.4+0542", "4FGL J0534.5+2200"]),
        fits.Column("RAJ2000", "E", "deg", array=[77.36, 83.63]),
        fits.Column("DEJ2000", "E", "deg", array=[5.7, 22.0]),
        fits.Column("Flux_Band", f"{bands}E", "ph cm-2 s-1", array=flux),
        fits.Column("Unc_Flux_Band", f"{2 * bands}E", "ph cm-2 s-1", array=errors),
        fits.Column("nuFnu_Band", f"{bands}E", "erg cm-2 s-1", array=flux * np.float32(1e-4)),
    ]
    bounds = [fits.Column("LowerEnergy", "E", "MeV", array=[300, 100, 100]), fits.Column("UpperEnergy", "E", "MeV", array=[1000, 300, 300])]
    table = fits.BinTableHDU.from_columns(columns, name="LAT_Point_Source_Catalog")
    table.header.update({"DATE-OBS": "2008-08-04T15:43:36", "DATE-END": "2022-08-02T21:53:15"})
    fits.HDUList([fits.PrimaryHDU(), table, fits.BinTableHDU.from_columns(bounds, name="EnergyBounds")]).writeto(path)


def test_each_source_has_a_spectrum(database: Database, tmp_path: Path) -> None:
    write_catalogue(tmp_path / "catalogue.fits")
    found = read_lat_catalogue(tmp_path / "catalogue.fits")
    collection = Collection(name="spectra", directory=tmp_path / "files")
    assert publish_spectra(database, collection, Work(records=keep_nothing), found).published == 2
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM vo_data.obscore ORDER BY obs_id")).all()
    assert [(row.obs_id, row.dataproduct_type, row.em_xel, row.facility_name) for row in rows] == [
        ("4FGL J0509.4+0542", "sed", 2, "Fermi"),
        ("4FGL J0534.5+2200", "sed", 2, "Fermi"),
    ]
    assert rows[0].em_min == pytest.approx(1.2398419843e-6 / 1e9)
    assert rows[0].em_max == pytest.approx(1.2398419843e-6 / 1e8)
    spectrum = Table.read(tmp_path / "files" / rows[0].path, format="votable")
    assert spectrum["energy_min"].tolist() == [100, 300]
    assert spectrum["nufnu"].tolist() == pytest.approx([2e-12 * ERG_IN_MEV, 1e-16 * ERG_IN_MEV], rel=1e-5)
    assert spectrum["nufnu_err_low"].tolist() == [pytest.approx(1e-13 * ERG_IN_MEV, rel=1e-5), None]
    assert spectrum["nufnu_err_high"].tolist() == pytest.approx([2e-13 * ERG_IN_MEV, 5e-14 * ERG_IN_MEV], rel=1e-5)
    written = (tmp_path / "files" / rows[0].path).read_text()
    assert 'utype="spec:Spectrum.Data.FluxAxis.Value"' in written
    assert 'value="4FGL J0509.4+0542"' in written


def test_catalogues_without_bands_are_refused(tmp_path: Path) -> None:
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "empty.fits")
    with pytest.raises(DataError, match="no fluxes in bands"):
        read_lat_catalogue(tmp_path / "empty.fits")
    write_catalogue(tmp_path / "odd.fits", bands=1)
    with pytest.raises(DataError, match="EnergyBounds has 2 bands"):
        read_lat_catalogue(tmp_path / "odd.fits")


def test_sources_that_differ_by_a_sign_have_files_of_their_own() -> None:
    names = file_names(["4FGL J0534.5+2200", "4FGL J0534.5-2200", "a/b", "A b", "../x"])
    assert names == ["4FGL_J0534.5+2200.vot", "4FGL_J0534.5-2200.vot", "a_b.vot", "A_b~2.vot", "_x.vot"]
