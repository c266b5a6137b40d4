"""``vo publish`` as an operator types it: what it says, and its exit status."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import tree
from astropy.table import Table
from publishing import catalogue
from sqlalchemy import text
from typer.testing import CliRunner, Result

from vo_server import app as app_module
from vo_server.cli import app
from vo_server.cli import publish as command
from vo_server.db.database import Database
from vo_server.errors import UsageError
from vo_server.formats.readers import votable
from vo_server.publish import Published

GOOD = Table({"id": [1, 2, 3], "ra": [10.0, 20.0, 30.0], "dec": [-5.0, 0.0, 5.0]})
TOO_LARGE = Table({"id": np.array([1, 2**63], "u8")})


@pytest.fixture
def vo(database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A terminal whose ``vo`` works on `database`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VO_DATABASE_URL", database_url)
    return CliRunner()


def publish(vo: CliRunner, tables: dict[str, Table], *options: str) -> Result:
    """What the command makes of a file with these tables, by their names."""
    fits.HDUList([fits.PrimaryHDU(), *(fits.table_to_hdu(table) for table in named(tables))]).writeto("many.fits", overwrite=True)
    return vo.invoke(app, ["publish", "many.fits", *options])


def named(tables: dict[str, Table]) -> list[Table]:
    return [Table(table, meta={"EXTNAME": name}) for name, table in tables.items()]


def in_data(database: Database) -> dict[str, int | None]:
    """Names of the published tables, with their numbers of rows."""
    return {table.name: table.nrows for table in catalogue(database).tables if table.schema == "data"}


def test_one_table_is_published_and_the_others_are_named(vo: CliRunner, database: Database) -> None:
    told = publish(vo, {"EVENTS": GOOD, "GTI": GOOD})
    assert told.exit_code == 0, told.output
    assert "many.fits holds other tables: GTI (--all publishes them too, --part one of them)" in told.output
    assert in_data(database) == {"many": 3}


def test_all_tables_are_published_under_their_names(vo: CliRunner, database: Database) -> None:
    told = publish(vo, {"EVENTS": GOOD, "GTI": GOOD[:2], "Point-Sources": GOOD[:1]}, "--all")
    assert told.exit_code == 0, told.output
    assert in_data(database) == {"many": 3, "many_gti": 2, "many_point_sources": 1}
    assert told.output.count("/scs/data.many") == 3, "each has a cone search"


def test_a_table_that_cannot_be_published_is_said_and_leaves_the_others_alone(vo: CliRunner, database: Database) -> None:
    told = publish(vo, {"EVENTS": GOOD, "BAD": TOO_LARGE, "GTI": GOOD}, "--all")
    assert "BAD was not published: many.fits: row 2, column id: 9223372036854775808 does not fit" in told.output
    assert told.exit_code == 1
    assert isinstance(told.exception, UsageError)
    assert str(told.exception) == "BAD was not published, for the reasons above."
    assert in_data(database) == {"many": 3, "many_gti": 3}


def test_a_votable_is_read_once_however_many_tables_it_has(vo: CliRunner, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tree.VOTableFile()
    file.resources.append(resource := tree.Resource())
    for number in range(1, 5):
        resource.tables.append(table := tree.TableElement.from_table(file, GOOD[: number % 4]))
        table.name, table.ID = f"T{number}", f"t{number}"
    file.to_xml("many.vot")
    passes, read = [], votable._Reader.events
    monkeypatch.setattr(votable._Reader, "events", lambda reader: passes.append(reader.path.name) or read(reader))
    told = vo.invoke(app, ["publish", "many.vot", "--all"])
    assert told.exit_code == 0, told.output
    assert in_data(database) == {"many": 1, "many_t2": 2, "many_t3": 3, "many_t4": 0}
    assert passes == ["many.vot"]
    assert vo.invoke(app, ["publish", "many.vot", "--part", "T3", "--table", "third"]).exit_code == 0
    assert in_data(database)["third"] == 3
    assert passes == ["many.vot", "many.vot"], "another command reads it again"


def test_the_record_of_many_tables_is_rendered_once(vo: CliRunner, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered, render = [], app_module.render_records
    monkeypatch.setattr(app_module, "render_records", lambda *given: rendered.append(given) or render(*given))
    told = publish(vo, {"A": GOOD, "B": GOOD, "C": GOOD}, "--all")
    assert told.exit_code == 0, told.output
    assert len(rendered) == 1
    assert tables_in_registry(database) == {"data.many", "data.many_b", "data.many_c"}


def test_what_was_published_before_an_interruption_is_in_the_registry(
    vo: CliRunner, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = command._tell

    def interrupted(published: Published, base_url: str) -> None:
        tell(published, base_url)
        if published.table == "data.many_b":
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "_tell", interrupted)
    assert publish(vo, {"A": GOOD, "B": GOOD, "C": GOOD}, "--all").exit_code != 0
    assert tables_in_registry(database) == {"data.many", "data.many_b"}


def tables_in_registry(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return set(connection.execute(text("SELECT table_name FROM rr.res_table WHERE table_name LIKE 'data.many%'")).scalars())


def test_two_tables_of_one_name_do_not_replace_each_other(vo: CliRunner, database: Database) -> None:
    told = publish(vo, {"EVENTS": GOOD, "A-1": GOOD[:2], "A+1": GOOD[:1]}, "--all")
    assert "A+1 was not published: A-1 is called data.many_a_1 already. Give it another name: --part A+1 --table NAME." in told.output
    assert told.exit_code == 1
    assert in_data(database) == {"many": 3, "many_a_1": 2}
    assert vo.invoke(app, ["publish", "many.fits", "--part", "A+1", "--table", "a_plus_1"]).exit_code == 0
    assert in_data(database)["a_plus_1"] == 1


def test_a_first_table_that_cannot_be_published_ends_it(vo: CliRunner, database: Database) -> None:
    told = publish(vo, {"BAD": TOO_LARGE, "GTI": GOOD}, "--all")
    assert told.exit_code == 1
    assert "does not fit into a signed 64-bit integer" in str(told.exception)
    assert in_data(database) == {}


def test_a_rehearsal_of_all_tables_says_what_cannot_be_published(vo: CliRunner, database: Database) -> None:
    told = publish(vo, {"EVENTS": GOOD, "BAD": TOO_LARGE, "GTI": GOOD[:2]}, "--all", "--dry-run")
    assert "data.many: 3 rows would be published" in told.output
    assert "data.many_gti: 2 rows would be published" in told.output
    assert "BAD was not published: many.fits: row 2" in told.output
    assert told.exit_code == 1
    assert in_data(database) == {}


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_file_that_cannot_be_published_leaves_the_others_alone(vo: CliRunner, database: Database, options: tuple[str, ...]) -> None:
    TOO_LARGE.write("bad.fits")
    GOOD.write("good.fits")
    Path("wrong.toml").write_text("[tabel]\n", encoding="utf-8")
    told = vo.invoke(app, ["publish", "bad.fits", "wrong.toml", "good.fits", "gone.fits", *options])
    assert "bad.fits was not published: bad.fits: row 2, column id: 9223372036854775808 does not fit" in told.output
    assert "data.good: 3 rows" in told.output
    assert told.exit_code == 1
    assert isinstance(told.exception, UsageError)
    assert str(told.exception) == "bad.fits, wrong.toml, gone.fits were not published, for the reasons above."
    assert in_data(database) == ({} if options else {"good": 3})
