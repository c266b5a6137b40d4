"""A drafted descriptor is one that publishes the same; a checked one has all its faults told, with lines and what was meant."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from astropy.table import Table
from typer.testing import CliRunner

from vo_server.cli import app
from vo_server.cli.common import say
from vo_server.errors import DataError, UsageError
from vo_server.formats.readers.ucds import nearest_ucd
from vo_server.formats.readers.units import nearest_unit
from vo_server.publish.check import check
from vo_server.publish.draft import draft
from vo_server.publish.options import PublishOptions
from vo_server.publish.plan import make_plan


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A table whose names, texts and units try TOML's spelling."""
    table = Table({"Name": ["a"], "ra": [1.0], "dec": [2.0], "odd name, [quoted]": [3.0], "dé": [4]})
    table["ra"].unit = table["dec"].unit = "deg"
    table["odd name, [quoted]"].unit = "erg / (cm2 s)"
    table["dé"].description = 'a "quoted" \\ text = [with] # signs'
    path = tmp_path / "My file.ecsv"
    table.write(path)
    return path


def test_a_draft_plans_what_the_file_alone_does(file: Path) -> None:
    text = draft(file, PublishOptions())
    path = file.with_suffix(".toml")
    path.write_text(text, encoding="utf-8")
    alone, drafted = make_plan(file, PublishOptions()), make_plan(path, PublishOptions())
    assert (alone.full_name, alone.columns, alone.resource) == (drafted.full_name, drafted.columns, drafted.resource)
    assert alone.position is not None
    assert drafted.position is not None
    assert (alone.position.ra, alone.position.dec) == (drafted.position.ra, drafted.position.dec)
    assert [finding for finding in check(path) if finding.is_fault] == []


def test_what_is_commented_out_is_toml_too(file: Path) -> None:
    lines = draft(file, PublishOptions()).splitlines()
    keys = [line.removeprefix("# ") for line in lines if line.startswith("# ") and " = " in line and not line.startswith(("# *", "#  "))]
    assert len(keys) > 10
    for line in keys:
        tomllib.loads(line)


def test_a_draft_overwrites_nothing(file: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["draft", str(file)]).exit_code == 0
    again = runner.invoke(app, ["draft", str(file)])
    assert isinstance(again.exception, UsageError)
    with pytest.raises(DataError, match="descriptor already"):
        draft(file.with_suffix(".toml"), PublishOptions())


FAULTY = """\
[resource]
schema = "tap_schema"
title = "x"

[table]
source = "stars.csv"
ra = "ra"
dec = "name"

[columns.flux]
unit = "ergs/cm2/sec"
ucd = "phot.flx.density"

[columns.nothing]
unit = "deg"

[columns.mag]
name = "ra"
ucd = "meta.main;phot.mag"
"""


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    (tmp_path / "stars.csv").write_text("name,ra,dec,flux,mag\nVega,1,2,3,4\n")
    path = tmp_path / "stars.toml"
    path.write_text(FAULTY)
    return path


def test_all_faults_are_told_at_once_with_their_lines(faulty: Path) -> None:
    faults = {(finding.line, finding.where): finding.message for finding in check(faulty) if finding.is_fault}
    assert set(faults) == {
        (2, "resource.schema"),
        (7, "table.ra"),
        (11, "columns.flux.unit"),
        (12, "columns.flux.ucd"),
        (14, "columns.nothing"),
        (19, "columns.mag.ucd"),
        (0, "columns"),  # two columns are called ra
    }
    assert "erg" in faults[11, "columns.flux.unit"]
    assert "phot.flux.density" in faults[12, "columns.flux.ucd"]
    assert "phot.mag;meta.main" in faults[19, "columns.mag.ucd"]
    assert "Vega" not in str(faults)


def test_advice_is_no_fault(faulty: Path) -> None:
    faulty.write_text('[resource]\ntitle = "x"\n[table]\nsource = "stars.csv"\n[columns.flux]\nunit = "erg/cm2/s"\n')
    findings = check(faulty)
    assert findings
    assert not [finding for finding in findings if finding.is_fault]
    assert {"resource.creators", "resource.rights", "columns", "columns.flux.unit"} <= {finding.where for finding in findings}
    assert CliRunner().invoke(app, ["check", str(faulty)]).exit_code == 0


@pytest.mark.parametrize(
    ("text", "line"), [("[resource\n", 1), ('[table]\nsource = "x"\nsauce = 1\n', 3), ("[resource]\ntitle = 1\n[table]\n", 2)]
)
def test_what_is_no_descriptor_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    told = CliRunner().invoke(app, ["check", str(path)])
    assert told.exit_code == 1
    assert f"line {line}" in told.stdout


@pytest.mark.parametrize(
    ("text", "meant"), [("degres", "deg"), ("Jansky/beem", None), ("TeVz", "TeV"), ("ergs/cm2/sec", "erg.s**-1.cm**-2"), ("qqq", None)]
)
def test_units_that_were_meant(text: str, meant: str | None) -> None:
    assert nearest_unit(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("pos.eq.raa;meta.main", "pos.eq.ra;meta.main"),
        ("meta.main;phot.mag", "phot.mag;meta.main"),
        ("stat.eror;pos.eq.dec", "stat.error;pos.eq.dec"),
    ],
)
def test_ucds_that_were_meant(text: str, meant: str) -> None:
    assert nearest_ucd(text) == meant


def test_only_described_columns_are_published(tmp_path: Path) -> None:
    (tmp_path / "stars.csv").write_text("name,observer,mag\na,someone@example.org,1.5\n")
    path = tmp_path / "stars.toml"
    path.write_text('[table]\nsource = "stars.csv"\nonly_described = true\n[columns.name]\n[columns.mag]\nunit = "mag"\n')
    plan = make_plan(path, PublishOptions())
    assert [column.name for column in plan.columns] == ["name", "mag"]
    assert [batch.to_pylist() for batch in plan.batches()] == [[{"name": "a", "mag": 1.5}]]
    assert [finding for finding in check(path) if finding.is_fault] == []
    assert not any("observer" in str(finding) for finding in check(path))
    path.write_text('[table]\nsource = "stars.csv"\nonly_described = true\n[columns.nam]\n')
    assert any("no column is left" in str(finding) for finding in check(path))
    with pytest.raises(DataError, match="there is no column nam"):
        make_plan(path, PublishOptions())
    path.write_text('[table]\nsource = "stars.csv"\nonly_described = true\n')
    with pytest.raises(DataError, match="no column is left of it"):
        make_plan(path, PublishOptions())


def test_subjects_that_are_no_terms_are_told_with_their_line(file: Path) -> None:
    path = file.with_suffix(".toml")
    path.write_text(f'[resource]\nname = "x"\nsubjects = ["blazars", "Neutrino astronomy"]\n\n[table]\nsource = "{file.name}"\n')

    def said(terms: Mapping[str, str] | None) -> list[str]:
        return [str(finding) for finding in check(path, terms) if finding.where == "resource.subjects" and not finding.is_fault]

    terms = {"neutrino-astronomy": "Neutrino astronomy", "blazars": "Blazars"}
    assert said(terms) == ["line 3: resource.subjects: 'Neutrino astronomy' is not a term of the thesaurus: perhaps neutrino-astronomy."]
    (note,) = said(None)
    assert note.endswith("'Neutrino astronomy' is not written as a term of the thesaurus: perhaps neutrino-astronomy.")


def test_words_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Units have colons, too: none of them is a picture."""
    say("RAJ2000: the unit 'h:m:s' [deg]")
    assert capsys.readouterr().err == "RAJ2000: the unit 'h:m:s' [deg]\n"
