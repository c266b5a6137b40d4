"""From a descriptor of DaCHS and its data to published tables, by the operator's commands."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table
from astropy.wcs import WCS
from publishing import publish, silent
from sqlalchemy import select, text
from typer.testing import CliRunner

from vo_server.cli import app
from vo_server.db import schema
from vo_server.db.catalogue import load_catalogue
from vo_server.db.database import Database
from vo_server.publish import Consent, PublishOptions, publish_in_place

RD = """
<resource schema="survey">
  <meta name="title">A survey</meta><meta name="creator">Doe, J.</meta>
  <STREAM id="position">
    <column name="raj2000" unit="deg" ucd="pos.eq.ra;meta.main" description="Right ascension"/>
    <column name="dej2000" unit="deg" ucd="pos.eq.dec;meta.main" description="Declination"/>
  </STREAM>
  <table id="main" onDisk="True" adql="True" mixin="//scs#q3cindex">
    <column name="name" ucd="meta.id;meta.main" description="Designation"/>
    <FEED source="position"/>
    <column name="flux" unit="ph cm-2 s-1" ucd="phot.flux" description="Flux"/>
    <group name="place"><columnRef key="raj2000"/><columnRef key="dej2000"/></group>
    <foreignKey inTable="fields" source="name" dest="field"/>
  </table>
  <table id="fields" onDisk="True" adql="True"><column name="field" ucd="meta.id;meta.main"/><column name="exposure" unit="s"/></table>
  <table id="visits" onDisk="True" adql="True"><column name="visit" ucd="meta.id;meta.main"/><column name="seeing" unit="arcsec"/></table>
  <table id="spots" onDisk="True" adql="True"><column name="spot" ucd="meta.id;meta.main"/><FEED source="position"/></table>
  <data id="import"><sources pattern="data/*.dat"/>
    <columnGrammar topIgnoredLines="1"><colDefs>name:1-5 RA:7-11 DE:13-17 flux:19-23</colDefs></columnGrammar>
    <make table="main"><rowmaker idmaps="name"><simplemaps>raj2000:RA,dej2000:DE</simplemaps>
      <map dest="flux">parseWithNull(@flux, float, "-999")</map></rowmaker></make></data>
  <data id="import_fields"><sources>data/fields.fits</sources><fitsTableGrammar/>
    <make table="fields"><rowmaker idmaps="*"/></make></data>
  <data id="import_visits"><sources>data/visits.csv</sources><csvGrammar/>
    <make table="visits"><rowmaker idmaps="*"/></make></data>
  <data id="import_spots"><sources>data/spots.vot</sources><voTableGrammar/>
    <make table="spots"><rowmaker idmaps="spot"><map key="raj2000">@ra</map><map key="dej2000">@dec</map></rowmaker></make></data>
  <service id="cone" allowed="scs.xml"><dbCore queriedTable="main"/></service>
</resource>
"""
TABLES = ("fields", "main", "visits", "spots")


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """The descriptor that came of RD, beside data in four formats."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "bright.dat").write_text("name  ra    dec   flux\nSB 01 83.63 22.01 3e-07\nSB 02 128.8 -45.1 -999 \n")
    Table({"FIELD": ["SB 01", "SB 02"], "EXPOSURE": np.array([1.5, 2.5], "f4")}).write(data / "fields.fits")
    (data / "visits.csv").write_text("visit,observer,seeing\n1,someone@example.org,0.8\n2,other@example.org,1.1\n")
    from_table(Table({"spot": [7], "ra": [10.5], "dec": [-3.25], "remark": ["private"]})).to_xml(str(data / "spots.vot"))
    (tmp_path / "q.rd").write_text(RD)
    told = CliRunner().invoke(app, ["import-rd", str(tmp_path / "q.rd")])
    assert told.exit_code == 0, told.output
    assert f"{', '.join(TABLES)}; `vo check" in told.stdout
    assert "not taken over: 0; left out, for DaCHS does not give it to everybody: 0" in told.stderr
    return tmp_path / "q.toml"


def test_what_was_moved_is_published(moved: Path, database: Database) -> None:
    checked = CliRunner().invoke(app, ["check", str(moved)])
    assert checked.exit_code == 0, checked.output
    for place in range(len(TABLES)):
        publish(database, moved, entry=place)
    with database.engine.connect() as connection:
        catalogue = load_catalogue(connection)
        tables = {name: catalogue.table(f"survey.{name}") for name in TABLES}
        columns = {name: [(one.name, one.unit, one.ucd) for one in table.columns] for name, table in tables.items() if table}
        position = [("raj2000", "deg", "pos.eq.ra;meta.main"), ("dej2000", "deg", "pos.eq.dec;meta.main")]
        assert columns == {
            "main": [("name", None, "meta.id;meta.main"), *position, ("flux", "photon.s**-1.cm**-2", "phot.flux")],
            "fields": [("field", None, "meta.id;meta.main"), ("exposure", "s", None)],
            "visits": [("visit", None, "meta.id;meta.main"), ("seeing", "arcsec", None)],
            "spots": [("spot", None, "meta.id;meta.main"), *position],
        }
        main, spots = tables["main"], tables["spots"]
        assert main is not None
        assert spots is not None
        assert [table.position is not None for table in tables.values() if table] == [False, True, False, True]
        assert [column.group and column.group.name for column in main.columns] == [None, "place", "place", None]
        assert [column.description for column in main.columns] == ["Designation", "Right ascension", "Declination", "Flux"]
        rows = connection.execute(text(f"SELECT name, raj2000, dej2000, flux FROM {main.physical} ORDER BY name")).all()
        assert [tuple(row) for row in rows] == [("SB 01", 83.63, 22.01, 3e-7), ("SB 02", 128.8, -45.1, None)]
        stored = connection.execute(text(f"SELECT * FROM {spots.physical}")).mappings().one()
        assert "remark" not in stored


IMAGES = """
<resource schema="plates">
  <meta name="title">Scanned plates</meta><meta name="facility">Hill</meta>
  <table id="main" onDisk="True" adql="True" mixin="//siap#pgs">
    <mixin calibLevel="2" collectionName="'plates'">//obscore#publishSIAP</mixin>
  </table>
  <data id="import"><sources pattern="raw/*.fits"/>
    <fitsProdGrammar><rowfilter procDef="//products#define"><bind key="table">"\\schema.main"</bind></rowfilter></fitsProdGrammar>
    <make table="main"><rowmaker><apply procDef="//siap#computePGS"/></rowmaker></make></data>
</resource>
"""


def test_images_are_published_from_the_descriptor_that_is_written(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "raw").mkdir()
    header = WCS(naxis=2)
    header.wcs.ctype, header.wcs.crval, header.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [77.0, 6.0], [-0.1, 0.1]
    fits.PrimaryHDU(np.zeros((20, 20), np.int16), header=header.to_header()).writeto(tmp_path / "raw" / "a.fits")
    (tmp_path / "q.rd").write_text(IMAGES)
    told = CliRunner().invoke(app, ["import-rd", str(tmp_path / "q.rd")])
    assert told.exit_code == 0, told.output
    assert "the collection plates; `vo publish-images" in told.stdout
    done = CliRunner().invoke(
        app,
        ["publish-images", str(tmp_path / "q.toml"), "--no-previews", "--data-dir", str(tmp_path / "site")],
        env={"VO_DATABASE_URL": database_url},
    )
    assert done.exit_code == 0, done.output
    database = Database(database_url)
    with closing(database), database.engine.connect() as connection:
        row = connection.execute(select(schema.obscore)).one()
    assert (row.obs_collection, row.facility_name, row.calib_level) == ("plates", "Hill", 2)


LOADED = """
<resource schema="dachs">
  <meta name="title">Loaded by DaCHS</meta>
  <table id="main" onDisk="True" adql="True" mixin="//scs#q3cindex">
    <column name="Name" ucd="meta.id;meta.main" description="Designation"/>
    <column name="ra" unit="deg" ucd="pos.eq.ra;meta.main"/><column name="dec" unit="deg" ucd="pos.eq.dec;meta.main"/>
    <column name="quoted/G mag" unit="mag" description="Computed by Python"/><column name="owner" hidden="True"/>
  </table>
  <table id="closed" onDisk="True"><column name="id"/></table>
  <data id="import"><sources>x</sources><embeddedGrammar/><make table="main"/></data>
  <table id="bright" onDisk="True" adql="True"><column original="main.Name"/>
    <viewStatement>CREATE VIEW \\curtable AS (SELECT \\colNames FROM \\schema.main)</viewStatement></table>
</resource>
"""


def test_what_dachs_has_loaded_is_published_where_it_is(tmp_path: Path, database: Database) -> None:
    with database.publish_engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA dachs"))
        connection.execute(text('CREATE TABLE dachs.main (name text, ra float8, dec float8, "G mag" real, owner text, later text)'))
        connection.execute(text("INSERT INTO dachs.main VALUES ('a', 10, 20, 5.5, 'me', 'x')"))
        connection.execute(text("CREATE VIEW dachs.bright AS SELECT name FROM dachs.main"))
    (tmp_path / "q.rd").write_text(LOADED)
    told = CliRunner().invoke(app, ["import-rd", "--in-place", str(tmp_path / "q.rd")])
    assert told.exit_code == 0, told.output
    assert "main, bright; `vo publish --in-place" in told.stdout
    assert "closed: it has no adql" in told.stderr
    for place in (0, 1):
        publish_in_place(database, str(tmp_path / "q.toml"), PublishOptions(entry=place), Consent(grant=True, index=True), records=silent)
    with database.engine.connect() as connection:
        catalogue = load_catalogue(connection)
    main, bright = catalogue.table("dachs.main"), catalogue.table("dachs.bright")
    assert main is not None
    assert bright is not None
    assert main.position is not None
    assert [(one.name, one.unit, one.description) for one in main.columns] == [
        ("Name", None, "Designation"), ("ra", "deg", None), ("dec", "deg", None), ("G mag", "mag", "Computed by Python"),
    ]  # fmt: skip
    assert [(one.name, one.description) for one in bright.columns] == [("Name", "Designation")]


DATA = """name     ra       dec      flux1   flux2   seen
SB 0001   83.6331  22.0145 3.1e-07 1.2e-07 20230401
SB 0002  128.8359 -45.1764 9.8e-07 -999    20230407
SB 0003  266.4168 -29.0078 2.2e-07 7.0e-08 20230502
"""


def test_the_example_of_the_documentation_is_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    howto = Path(__file__).parents[2].joinpath("docs", "howto", "from-dachs.md").read_text()
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data", "bright.dat").write_text(DATA)
    Path("q.rd").write_text(howto.partition("```xml\n")[2].partition("```")[0])
    told = CliRunner().invoke(app, ["import-rd", "q.rd"])
    assert told.exit_code == 0, told.output
    assert f"```\n{told.stderr}{told.stdout}```" in howto
    written = Path("q.toml").read_text()
    described = written[written.index("[resource]") :].strip()
    assert f"```toml\n{described}\n```" in howto


def test_nothing_is_overwritten_and_nothing_half_written(moved: Path, tmp_path: Path) -> None:
    again = CliRunner().invoke(app, ["import-rd", str(tmp_path / "q.rd")])
    assert again.exit_code == 1
    assert "exists" in str(again.exception)
    (tmp_path / "closed.rd").write_text(RD.replace('adql="True"', 'adql="False"'))
    told = CliRunner().invoke(app, ["import-rd", str(tmp_path / "closed.rd")])
    assert told.exit_code == 1
    assert 'left out: line 8: <table>: main: it is closed to ADQL: adql="False"' in told.stderr
    assert "nothing can be taken over" in str(told.exception)
    assert "--with-restricted takes over" in str(told.exception)
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
