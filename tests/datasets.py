"""A collection of small datasets for tests: an image, a cube, events, a spectrum, one that is not released yet."""

from datetime import datetime
from pathlib import Path

import numpy as np
from astropy.io import fits
from sqlalchemy import Connection, insert, select

from vo_server.db import schema
from vo_server.db.catalogue import bump_version
from vo_server.publish.datasets import Dataset, replace_datasets

AUTHORITY = "ivo://example.vo-server/~?sky"
RELEASE = datetime(2031, 5, 6)
SQUARE = (83.8, 21.8, 83.4, 21.8, 83.4, 22.2, 83.8, 22.2)
WCS = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 83.6,
    "CRVAL2": 22.0,
    "CRPIX1": 20.5,
    "CRPIX2": 20.5,
    "CDELT1": -0.01,
    "CDELT2": 0.01,
    "RADESYS": "ICRS",
}
SPECTRAL = {"CTYPE3": "WAVE", "CUNIT3": "m", "CRVAL3": 5e-7, "CDELT3": 1e-8, "CRPIX3": 1.0}


def identifier(name: str) -> str:
    return f"{AUTHORITY}/{name}"


def make(connection: Connection, root: Path) -> None:
    """Files below `root`, and their rows and links in the database."""
    root.mkdir()
    image = np.arange(1600, dtype=np.float32).reshape(40, 40)
    cube = image + 10000 * np.arange(5, dtype=np.float32)[:, None, None]
    for name, data in (("image", image), ("cube", cube), ("late", image)):
        fits.PrimaryHDU(data, fits.Header({**WCS, **(SPECTRAL if name == "cube" else {})})).writeto(root / f"{name}.fits")
    columns = [fits.Column("RA", "D", "deg", array=[83.6, 83.7, 90.0]), fits.Column("DEC", "D", "deg", array=[22.0, 22.0, 22.0])]
    columns.append(fits.Column("ENERGY", "D", "TeV", array=[1.0, 10.0, 1.0]))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="EVENTS")]).writeto(root / "events.fits")
    (root / "spectrum.vot").write_text("<VOTABLE/>")
    (root / "late.png").write_bytes(b"png")
    shared = {"access_format": "application/fits", "access_estsize": 10, "s_ra": 83.6, "s_dec": 22.0, "s_fov": 0.6, "shape": SQUARE}
    pixels = {"s_xel1": 40, "s_xel2": 40}
    rows = (
        Dataset(path="image.fits", obs_id="image", dataproduct_type="image", obs_title="Crab “nebula”", **shared, **pixels),  # type: ignore[arg-type]
        Dataset(path="cube.fits", obs_id="cube", dataproduct_type="cube", em_min=4.95e-7, em_max=5.45e-7, **shared, **pixels),  # type: ignore[arg-type]
        Dataset(path="events.fits", obs_id="events", dataproduct_type="event", em_min=1.24e-20, em_max=1.24e-17, **shared),  # type: ignore[arg-type]
        Dataset(
            path="spectrum.vot",
            obs_id="spectrum",
            dataproduct_type="spectrum",
            access_format="application/x-votable+xml",
            access_estsize=1,
        ),
        Dataset(path="late.fits", obs_id="late", dataproduct_type="image", obs_release_date=RELEASE, **shared, **pixels),  # type: ignore[arg-type]
    )
    replace_datasets(connection, "sky", root, rows)
    keys = dict(connection.execute(select(schema.obscore.c.obs_id, schema.obscore.c.obs_key)).all())
    for name, link in (
        ("late", {"semantics": "#preview", "collection": "sky", "path": "late.png", "content_type": "image/png"}),
        ("events", {"semantics": "#calibration", "collection": "sky", "path": "events.fits", "hdu": 1, "local_semantics": "aeff"}),
        ("events", {"semantics": "#progenitor", "access_url": "http://elsewhere.test/raw?x=1&y=2", "content_length": 2**40}),
    ):
        connection.execute(insert(schema.links).values(obs_key=keys[name], **link))
    bump_version(connection)
