"""Alerts into datasets and tables: what stands, what superseded it, what is skipped, and what is left when they are taken away."""

from pathlib import Path
from typing import Any

import publishing
import pytest
from astropy.io.votable.ucd import check_ucd
from publishing import silent
from sqlalchemy import select, text

from vo_server.db import schema
from vo_server.db.catalogue import load_catalogue
from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.observations.alerts import ALERT_ROWS, CITATION_ROWS, PARAM_ROWS, Shape, publish_alerts
from vo_server.observations.collections import Collection, PublishedCollection, Work, retract_collection, with_own_schema

PACKET = """<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://a.net/nu#{local}" version="2.0" role="observation">
<Who><Date>{date}</Date></Who><What><Param name="signalness" value="{value}"/><Param name="kind" value="gold"/></What>
<WhereWhen><ObsDataLocation><ObservatoryLocation id="x"/><ObservationLocation><AstroCoordSystem id="UTC-ICRS-TOPO"/>
<AstroCoords coord_system_id="UTC-ICRS-TOPO"><Time><TimeInstant><ISOTime>2017-09-22T20:54:30</ISOTime></TimeInstant></Time>
<Position2D unit="deg"><Value2><C1>77.43</C1><C2>5.79</C2></Value2><Error2Radius>0.5</Error2Radius></Position2D>
</AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>{cites}</voe:VOEvent>"""


def write(
    directory: Path, local: str, *, date: str = "2017-09-22T21:00:00", value: str = "0.57", cites: tuple[str, str] | None = None
) -> None:
    about = f'<Citations><EventIVORN cite="{cites[0]}">ivo://a.net/nu#{cites[1]}</EventIVORN></Citations>' if cites else ""
    directory.mkdir(exist_ok=True)
    (directory / f"{local}.xml").write_text(PACKET.format(local=local, date=date, value=value, cites=about))


def publish(database: Database, directory: Path, name: str = "nu") -> PublishedCollection:
    return publish_alerts(database, with_own_schema(Collection(name=name, directory=directory)), Work(records=silent))


def rows(database: Database, table: str, columns: str, order: str = "1, 2") -> list[tuple[Any, ...]]:
    physical = publishing.table(database, table).physical
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM {physical} ORDER BY {order}"))]


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    directory = tmp_path / "packets"
    write(directory, "first")
    write(directory, "second", date="2017-09-22T22:00:00", cites=("supersedes", "first"))
    write(directory, "third", date="2017-09-22T23:00:00", value="unknown", cites=("retraction", "second"))
    write(directory, "other", cites=("followup", "first"))
    return directory


def test_what_is_superseded_or_retracted_says_by_what(database: Database, alerts: Path) -> None:
    done = publish(database, alerts)
    assert (done.published, done.files, done.skipped) == (4, 4, ())
    assert done.notes == ("nu.alerts: 4 rows", "nu.params: 8 rows", "nu.citations: 3 rows")
    assert rows(database, "nu.alerts", "ivorn, superseded_by, citation") == [
        ("ivo://a.net/nu#first", "ivo://a.net/nu#second", None),
        ("ivo://a.net/nu#other", None, "followup"),
        ("ivo://a.net/nu#second", "ivo://a.net/nu#third", "supersedes"),
        ("ivo://a.net/nu#third", None, "retraction"),
    ]


def test_parameters_are_texts_and_numbers(database: Database, alerts: Path) -> None:
    publish(database, alerts)
    found = rows(database, "nu.params", "ivorn, name, value_text, value_number")
    assert found[0] == ("ivo://a.net/nu#first", "kind", "gold", None)
    assert found[1] == ("ivo://a.net/nu#first", "signalness", "0.57", 0.57)
    assert found[-1] == ("ivo://a.net/nu#third", "signalness", "unknown", None)


def test_a_packet_is_a_dataset_with_its_error_circle(database: Database, alerts: Path) -> None:
    publish(database, alerts)
    with database.engine.connect() as connection:
        found = connection.execute(
            select(schema.obscore).where(schema.obscore.c.collection == "nu", schema.obscore.c.obs_id == "ivo://a.net/nu#first")
        ).one()
        keys = connection.execute(select(schema.keys.c.key_id).where(schema.keys.c.key_id.like("nu.%"))).scalars().all()
    assert (found.s_ra, found.s_dec, found.s_region, found.s_fov) == (77.43, 5.79, "Circle ICRS 77.43 5.79 0.5", 1.0)
    assert found.t_min == found.t_max == pytest.approx(58018.8711806, abs=1e-7)
    assert (found.access_format, found.access_path) == ("application/xml", "/files/nu/first.xml")
    assert sorted(keys) == ["nu.alerts.obs_publisher_did", "nu.citations.ivorn", "nu.params.ivorn"]
    dids = [did for (did,) in rows(database, "nu.alerts", "obs_publisher_did", "1")]
    assert found.obs_publisher_did in dids


def test_files_that_are_no_packets_are_skipped_and_named(database: Database, alerts: Path) -> None:
    (alerts / "a_note.xml").write_text("<note/>")
    (alerts / "twice.xml").write_text((alerts / "third.xml").read_text())
    done = publish(database, alerts)
    assert done.published == 4
    assert done.skipped == (
        ("a_note.xml", "it is no VOEvent: the outermost element is note"),
        ("twice.xml", "the same packet is in third.xml"),
    )


def test_a_directory_without_packets_changes_nothing(database: Database, alerts: Path, tmp_path: Path) -> None:
    publish(database, alerts)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.xml").write_text("<a/>")
    with pytest.raises(DataError, match=r"No packet of VOEvent was found \(1 XML files looked at; a.xml: it is no VOEvent"):
        publish(database, tmp_path / "empty")
    assert len(rows(database, "nu.alerts", "ivorn", "1")) == 4


def test_packets_without_citations_make_an_empty_table(database: Database, tmp_path: Path) -> None:
    write(tmp_path / "one", "only")
    publish(database, tmp_path / "one")
    assert rows(database, "nu.citations", "*", "1") == []


def test_the_same_name_again_replaces_and_retracting_takes_all_away(database: Database, alerts: Path) -> None:
    publish(database, alerts)
    (alerts / "third.xml").unlink()
    publish(database, alerts)
    assert rows(database, "nu.alerts", "superseded_by", "ivorn")[-1] == (None,)
    with database.engine.begin() as connection:
        assert retract_collection(connection, "nu", silent) == ["nu.alerts", "nu.citations", "nu.params"]
        assert load_catalogue(connection).table("nu.alerts") is None


@pytest.mark.parametrize("shape", [ALERT_ROWS, PARAM_ROWS, CITATION_ROWS])
def test_ucds_are_of_the_list(shape: Shape) -> None:
    """PITFALLS P-59: clients warn of others at each query."""
    assert [column.name for column, _ in shape.columns if column.ucd and not check_ucd(column.ucd, check_controlled_vocabulary=True)] == []
