"""Rows added to a published table, through a new load: whole or not at all, in the order of their cells, known like any others."""

from pathlib import Path

import publishing
import pytest
from publishing import table
from sqlalchemy import text
from typer.testing import CliRunner

from vo_server.cli import app
from vo_server.db.catalogue import load_resources
from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.model.catalogue import Table
from vo_server.publish import Published


def publish(database: Database, path: Path, **options: object) -> Published:
    return publishing.publish(database, path, table="stars", **options)


def stars(database: Database) -> Table:
    return table(database, "data.stars")


def values(database: Database, column: str) -> list[object]:
    with database.engine.connect() as connection:
        return list(connection.execute(text(f"SELECT {column} FROM {stars(database).physical}")).scalars())


@pytest.fixture
def night(tmp_path: Path) -> Path:
    path = tmp_path / "night1.csv"
    path.write_text("name,ra,dec,mjd\na,10,20.25,58001\nb,200.5,-10,58000.5\nc,,,58002.25\n")
    return path


@pytest.fixture
def next_night(tmp_path: Path) -> Path:
    path = tmp_path / "night2.csv"
    path.write_text("name,ra,dec,mjd\nd,10,20,58010\né,300,5,58011\n")
    return path


def test_rows_are_added_and_known(database: Database, night: Path, next_night: Path) -> None:
    publish(database, night)
    before = stars(database)
    done = publish(database, next_night, append=True)
    after = stars(database)
    assert (done.rows, done.replaced, after.nrows) == (5, True, 5)
    assert after.physical != before.physical
    assert sorted(map(str, values(database, "name"))) == ["a", "b", "c", "d", "é"]
    cells = [cell for cell in values(database, "_hpx29") if cell is not None]
    assert cells == sorted(cells)  # type: ignore[type-var]
    with database.engine.connect() as connection:
        [resource] = [one for one in load_resources(connection) if one.name == "stars"]
    assert resource.coverage.temporal == (58000.5, 58011.0)
    name = after.column("name")
    assert name is not None
    assert name.ucd == "meta.id;meta.main"


def test_appending_twice_is_what_was_asked(database: Database, night: Path, next_night: Path) -> None:
    publish(database, night)
    for rows in (5, 7):
        assert publish(database, next_night, append=True).rows == rows
    name = stars(database).column("name")
    assert name is not None
    assert name.ucd != "meta.id;meta.main"  # it does not identify a row any more


def test_the_whole_file_again_replaces_all(database: Database, night: Path, next_night: Path) -> None:
    publish(database, night)
    publish(database, next_night, append=True)
    again = publish(database, night)
    assert (again.loaded, again.rows) == (True, 3)


def test_a_table_without_positions_grows_too(database: Database, night: Path, next_night: Path) -> None:
    publish(database, night, position=False)
    assert publish(database, next_night, position=False, append=True).rows == 5
    assert values(database, "name") == ["a", "b", "c", "d", "é"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("name,ra,dec\nd,1,2\n", "mjd"),
        ("name,ra,dec,mjd\nd,1,2,soon\n", "mjd"),
        ("ra,name,dec,mjd\n1.5,d,2,58000\n", "another order"),
        ("name,ra,dec,mjd\nd,1,2,58000\nbroken,1\n", "row|line"),
    ],
)
def test_what_does_not_fit_changes_nothing(database: Database, night: Path, next_night: Path, rows: str, words: str) -> None:
    publish(database, night)
    before = stars(database)
    next_night.write_text(rows)
    with pytest.raises(DataError, match=words):
        publish(database, next_night, append=True)
    assert stars(database) == before


def test_there_must_be_a_table(database: Database, night: Path) -> None:
    with pytest.raises(DataError, match=r"no table data\.stars"):
        publish(database, night, append=True)


def test_a_rehearsal_says_all_and_changes_nothing(night: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["publish", str(night), "--dry-run", "--data-dir", str(tmp_path / "none")])
    assert told.exit_code == 0, told.output
    assert "data.night1: 3 rows would be published" in told.output
    assert "1 of 3 rows have no valid position" in told.output
    assert not (tmp_path / "none").exists()
    night.write_text(night.read_text() + "broken,1\n")
    refused = CliRunner().invoke(app, ["publish", str(night), "--dry-run"])
    assert isinstance(refused.exception, DataError)
