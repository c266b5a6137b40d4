"""From a descriptor of DaCHS and its data to published tables, by the operator's commands."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from sqlalchemy import text
from typer.testing import CliRunner

from vo_server.cli import app
from vo_server.db.catalogue import load_catalogue
from vo_server.db.database import Database
from vo_server.publish import PublishOptions, publish_file

RD = """
<resource schema="survey">
  <meta name="title">A survey</meta><meta name="creator">Doe, J.</meta>
  <table id="main" onDisk="True" adql="True" mixin="//scs#q3cindex">
    <column name="name" ucd="meta.id;meta.main"/>
    <column name="raj2000" unit="deg" ucd="pos.eq.ra;meta.main"/><column name="dej2000" unit="deg" ucd="pos.eq.dec;meta.main"/>
    <column name="flux" unit="ph cm-2 s-1" ucd="phot.flux" description="Flux"/>
    <foreignKey inTable="fields" source="name" dest="field"/>
  </table>
  <table id="fields" onDisk="True" adql="True"><column name="field"/><column name="exposure" unit="s"/></table>
  <data id="import"><sources pattern="data/*.dat"/>
    <columnGrammar topIgnoredLines="1"><colDefs>name:1-5 RA:7-11 DE:13-17 flux:19-23</colDefs></columnGrammar>
    <make table="main"><rowmaker idmaps="name"><simplemaps>raj2000:RA,dej2000:DE</simplemaps>
      <map dest="flux">parseWithNull(@flux, float, "-999")</map></rowmaker></make></data>
  <data id="import_fields"><sources>data/fields.fits</sources><fitsTableGrammar/>
    <make table="fields"><rowmaker idmaps="*"/></make></data>
  <service id="cone" allowed="scs.xml"><dbCore queriedTable="main"/></service>
</resource>
"""


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """The descriptor that came of RD, beside data."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bright.dat").write_text("name  ra    dec   flux\nSB 01 83.63 22.01 3e-07\nSB 02 128.8 -45.1 -999 \n")
    Table({"FIELD": ["SB 01", "SB 02"], "EXPOSURE": np.array([1.5, 2.5], "f4")}).write(tmp_path / "data" / "fields.fits")
    (tmp_path / "q.rd").write_text(RD)
    told = CliRunner().invoke(app, ["import-rd", str(tmp_path / "q.rd")])
    assert told.exit_code == 0, told.output
    assert "fields, main; `vo check" in told.stdout
    assert "0 things were not taken over" in told.stderr
    return tmp_path / "q.toml"


def test_what_was_moved_is_published(moved: Path, database: Database) -> None:
    checked = CliRunner().invoke(app, ["check", str(moved)])
    assert checked.exit_code == 0, checked.output
    for place in (0, 1):
        publish_file(database, moved, PublishOptions(entry=place), records=lambda *_: None)
    with database.engine.connect() as connection:
        catalogue = load_catalogue(connection)
        main = catalogue.table("survey.main")
        fields = catalogue.table("survey.fields")
        assert main is not None
        assert fields is not None
        assert [(column.name, column.unit) for column in main.columns] == [
            ("name", None), ("raj2000", "deg"), ("dej2000", "deg"), ("flux", "photon.s**-1.cm**-2"),
        ]  # fmt: skip
        assert [(column.name, column.unit) for column in fields.columns] == [("field", None), ("exposure", "s")]
        rows = connection.execute(text(f"SELECT name, raj2000, dej2000, flux FROM {main.physical} ORDER BY name")).all()
    assert [tuple(row) for row in rows] == [("SB 01", 83.63, 22.01, 3e-7), ("SB 02", 128.8, -45.1, None)]


def test_nothing_is_overwritten_and_nothing_half_written(moved: Path, tmp_path: Path) -> None:
    again = CliRunner().invoke(app, ["import-rd", str(tmp_path / "q.rd")])
    assert again.exit_code == 1
    assert "exists" in str(again.exception)
    (tmp_path / "closed.rd").write_text(RD.replace('adql="True"', 'adql="False"'))
    told = CliRunner().invoke(app, ["import-rd", str(tmp_path / "closed.rd")])
    assert told.exit_code == 1
    assert 'left out: line 4: <table>: main: it is closed to ADQL: adql="False"' in told.stderr
    assert "nothing can be taken over" in str(told.exception)
    assert not (tmp_path / "closed.toml").exists()
    told = CliRunner().invoke(app, ["import-rd", str(tmp_path / "closed.rd"), "--with-restricted"])
    assert told.exit_code == 0
    assert (tmp_path / "closed.toml").exists()


def test_sources_are_named_from_where_the_descriptor_is_written(moved: Path, tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    told = CliRunner().invoke(app, ["import-rd", str(tmp_path / "q.rd"), "-o", str(tmp_path / "ours" / "q.toml")])
    assert told.exit_code == 0, told.output
    assert 'source = "../data/bright.dat"' in (tmp_path / "ours" / "q.toml").read_text()
    screen = CliRunner().invoke(app, ["import-rd", str(tmp_path / "q.rd"), "-o", "-"])
    assert screen.stdout == moved.read_text()
