"""Spectra from a catalogue's fluxes in bands: their numbers, their files, and their rows in ObsCore."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from PIL import Image
from publishing import silent
from sqlalchemy import text

from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.observations import spectra
from vo_server.observations.collections import Collection, Work
from vo_server.observations.descriptor import SpectrumSection
from vo_server.observations.reading import Request
from vo_server.observations.spectra import file_names, publish_spectra, read_lat_catalogue
from vo_server.observations.spectrumfiles import publish_spectrum_files, read_spectra
from vo_server.observations.words import Said
from vo_server.publish.datasets import Dataset

ERG_IN_MEV = 624150.9074


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


@pytest.mark.parametrize("processes", [1, 2])
def test_each_source_has_a_spectrum(database: Database, tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectra, "SHARE", 1)
    write_catalogue(tmp_path / "catalogue.fits")
    found = read_lat_catalogue(tmp_path / "catalogue.fits")
    collection = Collection(name="spectra", directory=tmp_path / "files")
    done = publish_spectra(database, collection, Work(records=silent, previews=tmp_path / "previews", processes=processes), found)
    assert (done.published, done.files) == (2, 1)
    assert len(list(tmp_path.glob("previews/spectra/*.png"))) == 2
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


# spectra in FITS files

NOWHERE = SpectrumSection()


def table(path: Path, columns: list[fits.Column], **cards: Any) -> Path:
    """A FITS file of one table; keywords of `cards` have - for _, and stand in the primary header."""
    hdu = fits.BinTableHDU.from_columns(columns, name="SPECTRUM")
    primary = fits.PrimaryHDU()
    primary.header.update({key.replace("__", "-"): value for key, value in cards.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([primary, hdu]).writeto(path)
    return path


def line(path: Path, values: Any, **cards: Any) -> Path:
    """A FITS file of one image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = fits.Header({key.replace("__", "-"): value for key, value in cards.items()})
    fits.PrimaryHDU(np.asarray(values, np.float32), header).writeto(path)
    return path


def read(path: Path, section: SpectrumSection = NOWHERE) -> Dataset:
    (dataset,) = read_spectra(Request(path.parent, path.name), section).datasets
    return dataset


def points(count: int, low: float, high: float, unit: str, name: str = "WAVE") -> fits.Column:
    return fits.Column(name, "D", unit, array=np.linspace(low, high, count))


def fluxes(count: int, unit: str, name: str = "FLUX") -> fits.Column:
    return fits.Column(name, "E", unit, array=np.arange(count, dtype=np.float32))


def test_a_table_of_points_is_a_spectrum(tmp_path: Path) -> None:
    found = read(
        table(
            tmp_path / "star.fits",
            [points(50, 400, 800, "nm"), fluxes(50, "erg cm-2 s-1 Angstrom-1")],
            RA=83.6,
            DEC=22.0,
            OBJECT="Crab",
            SPEC_RES=5000.0,
            APERTURE=0.001,
            DATE__OBS="2020-01-01T00:00:00",
            EXPTIME=60.0,
        )
    )
    assert (found.em_min, found.em_max, found.em_xel) == (pytest.approx(4e-7), pytest.approx(8e-7), 50)
    assert (found.dataproduct_type, found.hdu, found.part, found.access_format) == ("spectrum", 1, None, "application/fits")
    assert (found.shape, found.s_fov, found.em_res_power) == ((83.6, 22.0, 0.0005), 0.001, 5000.0)
    assert (found.o_ucd, found.target_name, found.obs_title, found.t_exptime) == ("phot.flux.density;em.wl", "Crab", "Crab", 60.0)
    assert found.t_min == 58849


def test_arrays_in_one_row_logarithms_and_energies(tmp_path: Path) -> None:
    """As ESO's and SDSS's archives write spectra, and gamma-ray analyses points of flux."""
    arrays = [
        fits.Column("W", "30D", "Angstrom", array=[np.linspace(3000, 9000, 30)]),
        fits.Column("F", "30E", "Jy", array=[np.ones(30)]),
    ]
    path = table(tmp_path / "eso.fits", arrays)
    with fits.open(path, mode="update") as hdus:
        hdus[1].header.update({"TUCD1": "em.wl", "TUCD2": "phot.flux.density;em.freq"})
    found = read(path, SpectrumSection(flux="f"))  # its axis is known by the UCD
    assert (found.em_min, found.em_max, found.em_xel) == (pytest.approx(3e-7), pytest.approx(9e-7), 30)
    assert found.o_ucd == "phot.flux.density;em.freq"
    logarithms = fits.Column("loglam", "E", array=np.linspace(3.6, 3.9, 20))
    found = read(table(tmp_path / "sdss.fits", [fluxes(20, "", "flux"), logarithms], RA="05:34:31.97", DEC="+22:00:52.1"))
    assert (found.em_min, found.em_max) == (pytest.approx(10**3.6 * 1e-10, rel=1e-6), pytest.approx(10**3.9 * 1e-10, rel=1e-6))
    assert (found.s_ra, found.s_dec) == (pytest.approx(83.63321, abs=1e-5), pytest.approx(22.01447, abs=1e-5))
    found = read(table(tmp_path / "gamma.fits", [points(6, 1, 10, "TeV", "e_ref"), fluxes(6, "cm-2 s-1 TeV-1", "dnde")]))
    assert found.em_max == pytest.approx(1.2398419843e-6 / 1e12)
    assert (found.o_ucd, found.shape) == ("phot.flux.density;em.energy", None)


def test_images_of_one_dimension_have_their_axis_from_the_wcs(tmp_path: Path) -> None:
    found = read(
        line(tmp_path / "a.fits", np.ones(100), CTYPE1="WAVE", CUNIT1="Angstrom", CRPIX1=1.0, CRVAL1=4000.0, CDELT1=10.0, BUNIT="Jy")
    )
    assert (found.em_min, found.em_max, found.em_xel) == (pytest.approx(4e-7), pytest.approx(4.99e-7), 100)
    assert (found.o_ucd, found.hdu) == ("phot.flux.density;em.freq", 0)
    found = read(line(tmp_path / "b.fits", np.ones((1, 1, 64)), CTYPE1="FREQ", CUNIT1="GHz", CRPIX1=1.0, CRVAL1=1.4, CDELT1=0.001))
    assert found.em_max == pytest.approx(299792458 / 1.4e9)
    iraf = {"CTYPE1": "LINEAR", "CRVAL1": 3.6, "CDELT1": 0.001, "CRPIX1": 1.0, "DC__FLAG": 1, "WAT1_001": "wtype=linear units=angstroms"}
    assert read(line(tmp_path / "c.fits", np.ones(101), **iraf)).em_max == pytest.approx(10**3.7 * 1e-10)
    linear = {"CTYPE1": "LINEAR", "CRVAL1": 1.0, "CDELT1": 0.1, "CRPIX1": 1.0}
    assert read(line(tmp_path / "d.fits", np.ones(11), **linear), SpectrumSection(axis_unit="um")).em_max == pytest.approx(2e-6)
    velocities = {"CTYPE1": "VRAD", "CUNIT1": "km/s", "CRVAL1": -100.0, "CDELT1": 1.0, "CRPIX1": 1.0, "RESTFRQ": 1.420405752e9}
    assert read(line(tmp_path / "e.fits", np.ones(200), **velocities)).em_min == pytest.approx(0.21106 * (1 - 1e2 / 3e5), rel=1e-3)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ([points(5, 1, 2, ""), fluxes(5, "Jy")], "WAVE has no unit; --axis-unit gives it"),
        ([points(5, 1, 2, "kg"), fluxes(5, "Jy")], "WAVE is measured in kg, which is no wavelength"),
        ([points(5, 1, 2, "furlong"), fluxes(5, "Jy")], "nobody knows the unit 'furlong'"),
        ([points(5, -1, 3, "nm"), fluxes(5, "Jy")], r"2 values that are not positive, the first \(-1.0\) at point 1"),
        ([points(5, 1, 2, "nm"), fluxes(5, "Jy", "WEIGHT")], r"none of its columns holds fluxes \(WAVE, WEIGHT\); --flux names one"),
        ([fluxes(5, "Jy")], "it holds no spectrum: no column and no axis of wavelengths, frequencies or energies"),
        (
            [fits.Column("WAVE", "4D", "nm", array=np.ones((3, 4))), fits.Column("FLUX", "4E", array=np.ones((3, 4)))],
            "3 rows, which are many",
        ),
    ],
)
def test_tables_that_are_no_spectra_say_why(tmp_path: Path, columns: list[fits.Column], reason: str) -> None:
    path = table(tmp_path / "bad.fits", columns)
    with pytest.raises(DataError, match=reason):
        read(path)


def test_images_that_are_no_spectra_say_why(tmp_path: Path) -> None:
    for name, values, cards, reason in (
        ("picture", np.ones((5, 5)), {}, "it holds no spectrum"),
        ("bare", np.ones(5), {}, "its axis has no scale"),
        ("unitless", np.ones(5), {"CRVAL1": 1.0, "CDELT1": 1.0}, "nothing says the unit of its axis"),
        ("speed", np.ones(5), {"CTYPE1": "VELO", "CUNIT1": "m/s", "CRVAL1": 1.0, "CDELT1": 1.0}, "neither RESTWAV nor RESTFRQ"),
    ):
        path = line(tmp_path / f"{name}.fits", values, **cards)
        with pytest.raises(DataError, match=reason):
            read(path)


def test_a_directory_of_spectra_is_published_with_pictures(database: Database, tmp_path: Path) -> None:
    table(tmp_path / "in/a.fits", [points(50, 400, 800, "nm"), fluxes(50, "Jy")], RA=10.0, DEC=20.0)
    table(tmp_path / "in/sub/b.fits", [points(5, 400, 800, ""), fluxes(5, "Jy")])
    line(tmp_path / "in/picture.fits", np.ones((4, 4)))
    said = Said({}, (("sub/*", {"s_ra": 30.0, "s_dec": -5.0}),))
    collection = Collection(name="stars", directory=tmp_path / "in", said=said)
    work = Work(records=silent, previews=tmp_path / "pictures")
    done = publish_spectrum_files(database, collection, work, NOWHERE)
    assert [path for path, _ in done.skipped] == ["picture.fits", "sub/b.fits"]
    done = publish_spectrum_files(database, collection, work, SpectrumSection(axis_unit="nm"))  # read again: the section is another
    assert (done.published, [path for path, _ in done.skipped], done.notes) == (2, ["picture.fits"], ())
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM ivoa.obscore ORDER BY obs_id")).all()
        links = connection.execute(text("SELECT semantics, path, content_type FROM vo.links ORDER BY path")).all()
    assert [(row.obs_id, row.s_ra, row.s_region) for row in rows] == [
        ("a", 10.0, "Circle ICRS 10 20 0.00027778"),
        ("sub/b", 30.0, "Circle ICRS 30 -5 0.00027778"),
    ]
    assert [tuple(link) for link in links] == [("#preview", f"{name}.fits.png", "image/png") for name in ("a", "sub/b")]
    with Image.open(tmp_path / "pictures/stars/a.fits.png") as picture:
        assert picture.size == (400, 250)
        assert np.asarray(picture).min() < 50  # the curve
    homeless = Collection(name="lost", directory=tmp_path / "in/sub")
    assert "1 of them have no position" in publish_spectrum_files(database, homeless, work, SpectrumSection(axis_unit="nm")).notes[0]
