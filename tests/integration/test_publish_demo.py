"""The whole demonstration, into an empty database."""

from pathlib import Path
from typing import Any

import numpy as np
import publishing
import pytest
from publishing import silent
from sqlalchemy import text

from vo_server import demo
from vo_server.db.catalogue import load_catalogue, load_resources, read_version
from vo_server.db.database import Database
from vo_server.demo import publish_demo
from vo_server.settings import Settings
from vo_server.sql.literals import quote_identifier

KINDS = """
SELECT collection, dataproduct_type, count(*), count(s_region), min(calib_level) FROM vo_data.obscore GROUP BY 1, 2 ORDER BY 1
"""
AREA = "SELECT area_deg2 FROM ivoa.skymap_areas WHERE obs_id = 'IC170922A' AND probability = 0.9"


def start(database: Database, data_dir: Path) -> list[str]:
    said: list[str] = []
    publish_demo(database, Settings(data_dir=data_dir), said.append, silent)
    return said


def column_types(database: Database, table: str) -> dict[str, str]:
    return {column.name: column.sql_type for column in publishing.table(database, table).columns}


def cell(database: Database, table: str, column: str, name: str) -> Any:
    query = f"SELECT {quote_identifier(column)} FROM {publishing.table(database, table).physical} WHERE name = :name"
    with database.engine.connect() as connection:
        return connection.execute(text(query), {"name": name}).scalar_one()


def test_everything_is_published_once(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(start(database, tmp_path)) == 10
    with database.engine.connect() as connection:
        catalogue, resources, version = load_catalogue(connection), load_resources(connection), read_version(connection)
        kinds = connection.execute(text(KINDS)).all()
        (events,) = connection.execute(text("SELECT ev_xel, messenger_name, energy_max FROM ivoa.obscore_hea")).all()
        area = connection.execute(text(AREA)).scalar_one()
    rows = {table.full_name: (table.nrows, table.position is not None) for table in catalogue.tables if table.resource}
    assert rows == {
        "auger.events": (20, True),
        "fermi.bright": (200, True),
        "gw.superevents": (34, False),
        "hipparcos.stars": (117_955, True),
        "icecube.alerts": (24, True),
        "tev.sources": (19, True),
    }
    collections = {"hipparcos/maps", "fermi/spectra", "icecube/skymaps", "icecube/events"}
    assert {resource.id for resource in resources} == {name.replace(".", "/") for name in rows} | collections
    assert [tuple(kind) for kind in kinds] == [
        ("fermi_spectra", "sed", 41, 41, 4),
        ("hipparcos_maps", "image", 24, 24, 4),
        ("icecube_events", "event", 1, 1, 3),
        ("icecube_skymaps", "image", 1, 1, 3),
    ]
    assert tuple(events) == (24, "neutrino", pytest.approx(5960e12))
    assert area == pytest.approx(np.pi * (1.14 + 0.75) / 2 * (0.64 + 0.41) / 2 * np.cos(np.radians(5.79)), rel=0.1)
    assert column_types(database, "icecube.alerts")["event_time"] == "timestamp"
    assert column_types(database, "tev.sources")["discovery_date"] == "text"
    assert cell(database, "icecube.alerts", "energy", "IC170922A") == 264.0
    assert cell(database, "fermi.bright", "association", "4FGL J0509.4+0542") == "TXS 0506+056"

    assert start(database, tmp_path) == []
    with database.engine.connect() as connection:
        assert read_version(connection) == version

    (tmp_path / "datasets" / "hipparcos_maps" / "IC170922A.fits").unlink()
    assert start(database, tmp_path) == ["Published 24 images in the collection hipparcos_maps."]

    monkeypatch.setattr(demo, "IMAGE_DEFAULTS", {**demo.IMAGE_DEFAULTS, "calib_level": 3})
    assert start(database, tmp_path) == ["Published 24 images in the collection hipparcos_maps."]

    (tmp_path / "datasets" / "icecube_skymaps").rename(tmp_path / "elsewhere")
    assert start(database, tmp_path) == ["Published 1 sky map in the collection icecube_skymaps."]
