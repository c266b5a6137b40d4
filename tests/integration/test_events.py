"""Event lists into datasets and tables: pointing, times, energies, response functions, indexes, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from mocpy import TimeMOC
from publishing import silent, table
from sqlalchemy import select, text

from vo_server.db import schema
from vo_server.db.catalogue import load_catalogue, load_products, load_resources
from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.model import obscore_hea
from vo_server.observations.catalogues import publish_event_catalogue
from vo_server.observations.collections import Collection, PublishedCollection, Work, retract_collection, with_own_schema
from vo_server.observations.eventtables import publish_events
from vo_server.publish.retract import retract_table

REFERENCE = {"MJDREFI": 51910, "MJDREFF": 0.000742870370370241, "TIMESYS": "TT", "TIMEUNIT": "s"}
START = 86400.0 * 1000


def response(name: str, kind: str, shape: str) -> fits.BinTableHDU:
    columns = [fits.Column("THETA_LO", "1E", "deg", array=[0.0]), fits.Column("THETA_HI", "1E", "deg", array=[2.5])]
    hdu = fits.BinTableHDU.from_columns(columns, name=name)
    hdu.header.update({"HDUCLAS1": "RESPONSE", "HDUCLAS2": kind, "HDUCLAS3": "FULL-ENCLOSURE", "HDUCLAS4": shape})
    return hdu


def write_run(path: Path, obs_id: int, *, ra: float = 83.63, energy_unit: str = "TeV", energy: str = "E", responses: bool = True) -> None:
    columns = [
        fits.Column("EVENT_ID", "K", array=[1, 2, 3]),
        fits.Column("TIME", "D", "s", array=[START, START + 10, START + 1000]),
        fits.Column("RA", "E", "deg", array=[ra, ra + 0.1, ra - 0.2]),
        fits.Column("DEC", "E", "deg", array=[22.0, 22.1, 21.9]),
        fits.Column("ENERGY", energy, energy_unit, array=[0.5, 20.0, 1.0]),
    ]
    events = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    events.header.update(
        {"HDUCLASS": "GADF", "HDUCLAS1": "EVENTS", "OBS_ID": obs_id, "OBJECT": "Crab Nebula", "TELESCOP": "EYE", "INSTRUME": "Left"}
    )
    events.header.update({"RA_PNT": ra, "DEC_PNT": 22.5, "LIVETIME": 1400.0, "OBS_MODE": "WOBBLE", "EV_CLASS": "std", **REFERENCE})
    gti = fits.BinTableHDU.from_columns(
        [fits.Column("START", "D", "s", array=[START, START + 900]), fits.Column("STOP", "D", "s", array=[START + 600, START + 1500])],
        name="GTI",
    )
    gti.header.update(REFERENCE)
    beside = [response("AEFF", "EFF_AREA", "AEFF_2D"), response("PSF", "RPSF", "PSF_TABLE")] if responses else []
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), events, gti, *beside]).writeto(path)


def publish(database: Database, directory: Path, name: str = "runs", previews: Path | None = None) -> PublishedCollection:
    collection = with_own_schema(Collection(name=name, directory=directory))
    return publish_events(database, collection, Work(records=silent, previews=previews))


def rows(database: Database, query: str) -> list[Any]:
    with database.engine.connect() as connection:
        return list(connection.execute(text(query)))


def physical(database: Database, name: str) -> str:
    return table(database, name).physical


def test_an_observation_is_a_dataset_with_its_responses(database: Database, tmp_path: Path) -> None:
    write_run(tmp_path / "data" / "run1.fits", 101)
    (tmp_path / "data" / "README.txt").write_text("Two runs.")
    done = publish(database, tmp_path / "data", previews=tmp_path / "pictures")
    assert (done.published, done.skipped) == (1, ())
    (row,) = rows(database, "SELECT * FROM vo_data.obscore")
    assert (row.dataproduct_type, row.dataproduct_subtype, row.obs_id, row.path, row.hdu) == (
        "event",
        "hea-event-bundle",
        "101",
        "run1.fits",
        1,
    )
    assert row.obs_publisher_did == "ivo://example.vo-server/~?runs/101"
    assert row.shape == pytest.approx([83.63, 22.5, 2.5])
    assert row.t_min == pytest.approx(51910 + 1000, abs=1e-6)  # the reference time is midnight, 64.184 s ahead of UTC
    assert row.t_max - row.t_min == pytest.approx(1500 / 86400, abs=1e-9)
    assert row.t_exptime == 1400.0
    assert row.em_min == pytest.approx(1.2398419843e-6 / 20e12)
    assert row.em_max == pytest.approx(1.2398419843e-6 / 0.5e12)
    (hea,) = rows(database, "SELECT * FROM ivoa.obscore_hea")
    assert hea.obs_publisher_did == row.obs_publisher_did
    assert (hea.ev_xel, hea.energy_min, hea.energy_max) == (3, pytest.approx(0.5e12), pytest.approx(20e12))
    assert (hea.messenger_name, hea.messenger_pdgid, hea.obs_mode, hea.analysis_mode) == ("photon", "+22", "WOBBLE", "std")
    intervals = next(column for column in obscore_hea.COLUMNS if column.name == "t_intervals")
    assert intervals.xtype is None, "moc is for the sky (DALI 1.2 §3.11)"
    assert TimeMOC.from_string(hea.t_intervals).total_duration.to_value("s") == pytest.approx(1200, abs=5)
    with database.engine.connect() as connection:
        links = connection.execute(select(schema.links).order_by(schema.links.c.link_id)).all()
    assert {(link.semantics, link.local_semantics, link.path, link.hdu) for link in links} == {
        ("#calibration", "aeff_2d", "run1.fits", 3),
        ("#calibration", "psf_table", "run1.fits", 4),
        ("#auxiliary", "gti", "run1.fits", 2),
        ("#preview", None, "run1.fits.png", None),
        ("#documentation", None, "README.txt", None),
    }
    assert next(link for link in links if link.hdu == 3).content_qualifier == "http://www.ivoa.net/rdf/response-type#aeff"


def test_all_events_are_one_table_beside_one_of_observations(database: Database, tmp_path: Path) -> None:
    write_run(tmp_path / "run1.fits", 101)
    write_run(tmp_path / "run2.fits.gz", 102, ra=200.0, energy="D", responses=False)
    index = fits.BinTableHDU.from_columns(
        [
            fits.Column("OBS_ID", "K", array=[101, 102, 103]),
            fits.Column("QUALITY", "J", array=[0, 2, 1]),
            fits.Column("ZEN_PNT", "E", "deg", array=[20.0, np.nan, 50.0]),
        ],
        name="OBS_INDEX",
    )
    index.header.update({"HDUCLAS1": "INDEX", "HDUCLAS2": "OBS"})
    index.writeto(tmp_path / "obs-index.fits")
    done = publish(database, tmp_path)
    assert (done.published, done.skipped) == (2, ())
    assert any("1 observations of the index have no events here and were left out: 103" in note for note in done.notes)
    events = rows(database, f'SELECT obs_id, "EVENT_ID", "ENERGY", mjd FROM {physical(database, "runs.events")} ORDER BY 1, 2')
    assert [row[:3] for row in events[2:5]] == [("101", 3, 1.0), ("102", 1, 0.5), ("102", 2, 20.0)]
    assert events[2].mjd - events[0].mjd == pytest.approx(1000 / 86400, abs=1e-9)
    runs = rows(database, f"SELECT obs_id, quality, zen_pnt, event_count FROM {physical(database, 'runs.observations')} ORDER BY 1")
    assert [tuple(row) for row in runs] == [("101", 0, 20.0, 3), ("102", 2, None, 3)]
    with database.engine.connect() as connection:
        catalogue, resources = load_catalogue(connection), load_resources(connection)
    assert [resource.tables for resource in resources] == [("runs.events", "runs.observations")]
    table = catalogue.table("runs.events")
    assert table is not None
    assert table.position is not None
    assert {column.name: (column.unit, column.ucd) for column in table.columns}["ENERGY"] == ("TeV", "phys.energy")
    keys = {(key.from_table, key.target_table) for key in catalogue.keys}
    assert keys >= {("runs.events", "runs.observations"), ("runs.observations", "ivoa.obscore")}


def test_publishing_again_replaces_all_of_it(database: Database, tmp_path: Path) -> None:
    write_run(tmp_path / "run1.fits", 101)
    publish(database, tmp_path)
    before = rows(database, "SELECT body FROM vo.resources")
    publish(database, tmp_path)
    assert rows(database, "SELECT body FROM vo.resources") == before
    write_run(tmp_path / "run2.fits", 102)
    publish(database, tmp_path)
    assert rows(database, f"SELECT count(*) FROM {physical(database, 'runs.events')}") == [(6,)]
    assert rows(database, "SELECT obs_id FROM vo_data.obscore ORDER BY 1") == [("101",), ("102",)]


def test_units_that_differ_are_refused_and_nothing_changes(database: Database, tmp_path: Path) -> None:
    write_run(tmp_path / "run1.fits", 101)
    publish(database, tmp_path)
    write_run(tmp_path / "run2.fits", 102, energy_unit="MeV")
    with pytest.raises(DataError, match=r"run2.fits: column ENERGY: it is in MeV, and in TeV"):
        publish(database, tmp_path)
    assert rows(database, "SELECT obs_id FROM vo_data.obscore") == [("101",)]
    assert rows(database, f"SELECT count(*) FROM {physical(database, 'runs.events')}") == [(3,)]


def test_files_without_events_are_named(database: Database, tmp_path: Path) -> None:
    write_run(tmp_path / "run1.fits", 101)
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "dark.fits")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  = not really")
    done = publish(database, tmp_path)
    assert [path for path, _ in done.skipped] == ["broken.fits", "dark.fits"]
    assert "no list of events" in done.skipped[1][1]
    with pytest.raises(DataError, match="No list of events"):
        publish(database, tmp_path / "nothing" if (tmp_path / "nothing").mkdir() is None else tmp_path, "others")


def test_a_catalogue_of_neutrinos_is_a_dataset(database: Database, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = ["ra,dec,mjd,log10_energy_gev", *(f"{ra:.3f},{dec:.3f},{55000 + number},{3 + number / 100}" for number, (ra, dec) in
             enumerate(zip(rng.uniform(0, 360, 200), rng.uniform(-89, 89, 200), strict=True)))]  # fmt: skip
    (tmp_path / "nu.csv").write_text("\n".join(lines) + "\n")
    table = Table.read(tmp_path / "nu.csv")
    table["log10_energy_gev"].meta["ucd"] = "em.energy"
    table.write(tmp_path / "nu.ecsv")
    (tmp_path / "secret.txt").write_text("not to be served")
    collection = with_own_schema(Collection(name="neutrinos", directory=tmp_path / "datasets" / "neutrinos"))
    publish_event_catalogue(database, collection, tmp_path / "nu.ecsv", "neutrino", Work(records=silent))
    (row,) = rows(database, "SELECT o.*, h.* FROM ivoa.obscore AS o JOIN ivoa.obscore_hea AS h USING (obs_publisher_did)")
    assert (row.ev_xel, row.messenger_name, row.em_min, row.em_max) == (200, "neutrino", None, None)
    assert (row.energy_min, row.energy_max) == (pytest.approx(1e12), pytest.approx(10 ** (3 + 1.99) * 1e9))
    assert (row.t_min, row.t_max) == (55000, 55199)
    assert rows(database, f"SELECT count(*) FROM {physical(database, 'neutrinos.events')}") == [(200,)]
    assert [path.name for path in collection.directory.iterdir()] == ["nu.ecsv"]
    with database.engine.connect() as connection:
        (sample,) = [one.sample for one in load_resources(connection)]
    placed = f"SELECT count(*) FROM {physical(database, 'neutrinos.events')} WHERE ra = {sample[0]!r} AND dec = {sample[1]!r}"
    assert rows(database, placed) == [(1,)], "the query that tests the cone search finds an event"


def test_unchanged_events_are_not_loaded_again(database: Database, tmp_path: Path) -> None:
    write_run(tmp_path / "data" / "run1.fits", 101)
    publish(database, tmp_path / "data")
    table = physical(database, "runs.events")
    assert "runs.events: unchanged" in publish(database, tmp_path / "data").notes
    assert physical(database, "runs.events") == table
    assert rows(database, "SELECT obs_id FROM vo_data.obscore") == [("101",)]
    (tmp_path / "data" / "run1.fits").unlink()
    write_run(tmp_path / "data" / "run1.fits", 101, ra=84.0)
    publish(database, tmp_path / "data")
    assert physical(database, "runs.events") != table


def test_a_retracted_collection_takes_its_tables_along(database: Database, tmp_path: Path) -> None:
    write_run(tmp_path / "run1.fits", 101)
    publish(database, tmp_path)
    with database.engine.begin() as connection:
        assert retract_collection(connection, "runs", silent) == ["runs.events", "runs.observations"]
    with database.engine.connect() as connection:
        assert load_catalogue(connection).table("runs.events") is None
        assert load_resources(connection) == ()
    assert rows(database, "SELECT * FROM vo_data.obscore") == rows(database, "SELECT * FROM ivoa.obscore_hea") == []
    publish(database, tmp_path)
    assert rows(database, f"SELECT count(*) FROM {physical(database, 'runs.events')}") == [(3,)]


def test_datasets_keep_their_record_when_the_last_table_is_taken_away(database: Database, tmp_path: Path) -> None:
    write_run(tmp_path / "run1.fits", 101)
    publish(database, tmp_path)
    for name in ("runs.events", "runs.observations"):
        with database.engine.begin() as connection:
            assert retract_table(connection, name, silent).resource is None
    with database.engine.begin() as connection:
        (resource,) = load_resources(connection)
        assert resource.tables == ()
        assert load_products(connection) == {resource.id: {("event", "application/fits")}}
        assert retract_collection(connection, "runs", silent) == []
        assert load_resources(connection) == ()
