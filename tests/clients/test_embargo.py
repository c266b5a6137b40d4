"""Data held back until a day to come, as ``--release-date`` has it: everybody sees what there is, and nobody gets it."""

from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table

from vo_server.app import record_keeper
from vo_server.cli.observations import flags
from vo_server.db.database import Database
from vo_server.observations.collections import Collection, Work
from vo_server.observations.images import publish_images
from vo_server.observations.words import Said
from vo_server.settings import Settings

WCS = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 40.0,
    "CRVAL2": 10.0,
    "CRPIX1": 10.5,
    "CRPIX2": 10.5,
    "CDELT1": -0.01,
    "CDELT2": 0.01,
}
UNTIL = "it will be from 2101-02-03"


@pytest.fixture(scope="module")
def dataset(live: str, database: Database, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The row of an image with a preview, as SIA finds it."""
    home: Path = tmp_path_factory.mktemp("embargo")
    (home / "data").mkdir()
    fits.PrimaryHDU(np.arange(400.0).reshape(20, 20), fits.Header(WCS)).writeto(home / "data" / "late.fits")
    said = Said(flags(None, None, None, "2101-02-03"))
    collection = Collection(name="later", directory=home / "data", said=said)
    publish_images(database, collection, Work(records=record_keeper(Settings(public_url=live)), previews=home / "previews"))
    return row(httpx2.get(f"{live}/sia2/query", params={"POS": "CIRCLE 40 10 0.01", "COLLECTION": "later"}))


def row(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (only,) = parse_single_table(BytesIO(answer.content)).to_table()
    return dict(zip(only.colnames, only, strict=True))


def test_what_there_is_can_be_seen(dataset: dict[str, Any]) -> None:
    assert dataset["obs_id"] == "late"
    assert str(dataset["obs_release_date"]).startswith("2101-02-03")


def test_links_say_from_when(live: str, dataset: dict[str, Any]) -> None:
    answer = httpx2.get(f"{live}/datalink/links", params={"ID": dataset["obs_publisher_did"]})
    links = parse_single_table(BytesIO(answer.content)).to_table()
    this = links[links["semantics"] == "#this"][0]
    assert not this["link_authorized"]
    assert "2101-02-03" in this["description"]


def test_neither_file_nor_picture_nor_part_is_handed_out(live: str, dataset: dict[str, Any]) -> None:
    did = dataset["obs_publisher_did"]
    addresses = (
        f"{live}/files/later/late.fits",
        f"{live}/files/later.previews/late.fits.png",
        str(httpx2.URL(f"{live}/soda/sync", params={"ID": did, "CIRCLE": "40 10 0.02"})),
    )
    for address in addresses:
        answer = httpx2.get(address)
        assert answer.status_code == 403, address
        assert UNTIL in answer.text
