"""Descriptors with several tables, foreign keys and an embargo, through the program."""

import datetime as dt
from pathlib import Path

import pytest
from publishing import publish
from sqlalchemy import text

from vo_server.db.catalogue import load_catalogue, load_resources
from vo_server.db.database import Database
from vo_server.errors import DataError, EmbargoError
from vo_server.publish.check import check
from vo_server.publish.descriptor import entries, line_of, read_descriptor

TWO = """\
[resource]
schema = "grb"
name = "bursts"
title = "Gamma-ray bursts"
description = "Bursts and their afterglows"

[[tables]]
source = "bursts.csv"
description = "Bursts"

[tables.columns.t90]
unit = "s"

[[tables]]
source = "afterglows.csv"
title = "Afterglows"

[tables.columns.flux]
unit = "Jy"

[[tables.keys]]
columns = "burst"
target = "grb.bursts"
target_columns = "name"
description = "The burst it belongs to"

[[examples]]
title = "Long bursts"
query = "SELECT name FROM grb.bursts WHERE t90 > 2"
"""


@pytest.fixture
def two(tmp_path: Path) -> Path:
    (tmp_path / "bursts.csv").write_text("name,ra,dec,t90\nA,1,2,3.5\nB,10,20,0.5\n")
    (tmp_path / "afterglows.csv").write_text("burst,flux\nA,1.5\nA,0.5\n")
    path = tmp_path / "grb.toml"
    path.write_text(TWO)
    return path


def publish_all(database: Database, path: Path) -> None:
    for entry in range(len(entries(read_descriptor(path)))):
        publish(database, path, entry=entry)


def test_several_tables_are_one_resource_and_know_each_other(database: Database, two: Path) -> None:
    publish_all(database, two)
    publish_all(database, two)  # again: nothing doubles
    with database.engine.connect() as connection:
        catalogue, resources = load_catalogue(connection), load_resources(connection)
    [resource] = [one for one in resources if one.name == "bursts"]
    assert resource.tables == ("grb.bursts", "grb.afterglows")
    assert [example.name for example in resource.examples] == ["Long bursts"]
    flux = next(table for table in catalogue.tables if table.full_name == "grb.afterglows").column("flux")
    assert flux is not None
    assert flux.unit == "Jy"
    [key] = [key for key in catalogue.keys if key.from_table == "grb.afterglows"]
    assert (key.target_table, key.columns, key.description) == ("grb.bursts", (("burst", "name"),), "The burst it belongs to")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('target = "grb.bursts"', 'target = "grb.nothing"', r"no such table.*Publish that table first"),
        ('target_columns = "name"', 'target_columns = "title"', r"title, which is no column of grb\.bursts"),
        ('columns = "burst"', 'columns = "blast"', r"blast, which is no column of grb\.afterglows"),
    ],
)
def test_a_key_that_leads_nowhere_publishes_nothing(database: Database, two: Path, old: str, new: str, words: str) -> None:
    two.write_text(TWO.replace(old, new))
    publish(database, two)
    with pytest.raises(DataError, match=words):
        publish(database, two, entry=1)
    with database.engine.connect() as connection:
        assert load_catalogue(connection).table("grb.afterglows") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[resource]\ntitle = 'x'\n", "one \\[table\\], or several"),
        (TWO + "[columns.x]\nunit = 'm'\n", "stand in each of them"),
        (TWO.replace('name = "bursts"\n', ""), "needs a name"),
        (TWO.replace('columns = "burst"', 'columns = ["a", "b"]'), "not equally many"),
    ],
)
def test_descriptors_that_contradict_themselves(two: Path, text: str, words: str) -> None:
    two.write_text(text)
    with pytest.raises(DataError, match=words):
        read_descriptor(two)


def test_faults_in_the_second_table_are_found_where_they_are(two: Path) -> None:
    two.write_text(TWO.replace('unit = "Jy"', 'unit = "Jansk"').replace('columns = "burst"', 'columns = "blast"'))
    faults = {(finding.line, finding.where) for finding in check(two) if finding.is_fault}
    assert faults == {(19, "tables.1.columns.flux.unit"), (22, "tables.1.keys.0.columns")}


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["resource", "title"], 4),
        (["tables", "0", "source"], 8),
        (["tables", "1", "source"], 15),
        (["tables", "1", "columns", "flux", "unit"], 19),
        (["tables", "1", "keys", "0", "target"], 23),
        (["tables", "1", "nothing"], 14),
        (["examples", "0", "query"], 29),
        (["nothing"], None),
    ],
)
def test_lines_of_keys(keys: list[str], line: int | None) -> None:
    assert line_of(TWO, keys) == line


def test_what_is_under_embargo_does_not_exist(database: Database, two: Path) -> None:
    two.write_text(TWO.replace('description = "Bursts"', "embargo = 2027-01-01"))
    before = dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC)
    with pytest.raises(EmbargoError, match="until 2027-01-01"):
        publish(database, two, before)
    with database.engine.connect() as connection:
        assert load_catalogue(connection).table("grb.bursts") is None
        assert connection.execute(text("SELECT count(*) FROM vo.loads")).scalar_one() == 0
    publish(database, two, before + dt.timedelta(minutes=1))
    with database.engine.connect() as connection:
        assert load_catalogue(connection).table("grb.bursts") is not None


def test_wavebands_are_words_of_the_vocabulary(two: Path) -> None:
    """What no registry takes would disappear from the record (VODataService 1.2 §3.2)."""
    two.write_text(TWO.replace('name = "bursts"', 'name = "bursts"\nwaveband = ["gamma-RAY", "neutrino"]', 1))
    descriptor = read_descriptor(two)
    assert descriptor.resource.waveband == ["Gamma-ray", "Neutrino"]
    two.write_text(TWO.replace('name = "bursts"', 'name = "bursts"\nwaveband = "gamma"', 1))
    with pytest.raises(DataError, match="'gamma' is not one of Radio"):
        read_descriptor(two)
