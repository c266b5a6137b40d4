"""Publishing again after an edit of the descriptor: what is said changes, and the rows stay where they are."""

import os
import random
import string
from datetime import timedelta
from pathlib import Path

import pytest
from publishing import NOON, publish, table
from sqlalchemy import text

from vo_server.db.catalogue import load_resources
from vo_server.db.database import Database
from vo_server.errors import DataError
from vo_server.model.catalogue import Table
from vo_server.model.resource import Resource

ROWS = "name,ra,dec,mjd,flux\nb,200.5,-10,58000.5,1.5\na,10,20,58001,2\nc,,,58002.25,3\n"
SAID = '[resource]\nname = "stars"\ntitle = "Stars"\n[table]\nsource = "stars.csv"\nname = "stars"\n'
LATER = NOON + timedelta(days=1)


@pytest.fixture
def descriptor(tmp_path: Path) -> Path:
    (tmp_path / "stars.csv").write_text(ROWS)
    path = tmp_path / "stars.toml"
    path.write_text(SAID)
    return path


def seen(database: Database) -> tuple[Table, Resource]:
    with database.engine.connect() as connection:
        resource = next(one for one in load_resources(connection) if one.name == "stars")
    return table(database, "data.stars"), resource


def test_an_edit_changes_what_is_said_and_loads_nothing(database: Database, descriptor: Path) -> None:
    assert publish(database, descriptor).loaded
    before, resource = seen(database)
    descriptor.write_text(SAID.replace('"Stars"', '"Bright stars"') + '[columns.flux]\nunit = "Jy"\nucd = "phot.flux"\n')
    again = publish(database, descriptor, LATER)
    after, changed = seen(database)
    assert (again.loaded, again.replaced, again.rows) == (False, True, 3)
    assert "1 of 3 rows have no valid position" in " ".join(again.notes)
    assert after.physical == before.physical
    assert after.datetime_loaded == before.datetime_loaded
    flux = after.column("flux")
    assert flux is not None
    assert (flux.unit, flux.ucd) == ("Jy", "phot.flux")
    assert after.column("name") == before.column("name")  # what was learned of its values still holds
    assert (changed.title, changed.updated) == ("Bright stars", LATER)
    assert (changed.coverage, changed.sample) == (resource.coverage, resource.sample)


def test_nothing_new_moves_no_date(database: Database, descriptor: Path) -> None:
    publish(database, descriptor)
    assert not publish(database, descriptor, LATER).loaded
    assert seen(database)[1].updated == NOON


def replaced_rows(descriptor: Path) -> None:
    data = descriptor.with_name("stars.csv")
    data.write_text(ROWS.replace("1.5", "2.5"))
    os.utime(data, ns=(1, 1))


def renamed_column(descriptor: Path) -> None:
    descriptor.write_text(SAID + '[columns.flux]\nname = "brightness"\n')


def without_position(descriptor: Path) -> None:
    descriptor.write_text(SAID + "position = false\n")


def other_nulls(descriptor: Path) -> None:
    descriptor.write_text(SAID + 'nulls = ["3"]\n')


def another_index(descriptor: Path) -> None:
    descriptor.write_text(SAID + "[columns.flux]\nindex = true\n")


@pytest.mark.parametrize("edit", [replaced_rows, renamed_column, without_position, other_nulls, another_index])
def test_whatever_makes_other_rows_loads_them(database: Database, descriptor: Path, edit: object) -> None:
    publish(database, descriptor)
    before, _ = seen(database)
    edit(descriptor)  # type: ignore[operator]
    assert publish(database, descriptor, LATER).loaded
    assert seen(database)[0].physical != before.physical


def test_reload_loads_whatever_was_there(database: Database, descriptor: Path) -> None:
    publish(database, descriptor)
    assert publish(database, descriptor, LATER, reload=True).loaded


def test_a_table_of_an_older_server_is_loaded(database: Database, descriptor: Path) -> None:
    publish(database, descriptor)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.tables SET origin = NULL, learned = NULL"))
    assert publish(database, descriptor, LATER).loaded


def test_a_column_to_be_indexed_has_an_index_and_says_so(database: Database, descriptor: Path) -> None:
    another_index(descriptor)
    publish(database, descriptor)
    table, _ = seen(database)
    flux = table.column("flux")
    assert flux is not None
    assert flux.indexed
    with database.engine.connect() as connection:
        on_flux = text("SELECT count(*) FROM pg_indexes WHERE schemaname = 'vo_data' AND tablename = :name AND indexdef LIKE '%(flux)'")
        assert connection.execute(on_flux, {"name": table.physical.split(".")[1].strip('"')}).scalar_one() == 1


def test_texts_too_long_for_an_index_are_refused(database: Database, tmp_path: Path) -> None:
    noise = "".join(random.Random(1).choices(string.ascii_letters, k=20_000))
    (tmp_path / "long.csv").write_text(f'a,b\n1,"{noise}"\n')
    (tmp_path / "long.toml").write_text('[table]\nsource = "long.csv"\n[columns.b]\nindex = true\n')
    with pytest.raises(DataError, match=r"long\.csv: .*b.*too long for an index"):
        publish(database, tmp_path / "long.toml")
