"""What descriptors say of coordinates and of columns that belong together, as VOTable's readers see it."""

import io
from pathlib import Path

import pytest
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile

from vo_server.errors import DataError
from vo_server.formats.votable import TABLEDATA, head, tail
from vo_server.model.result import Ending, Outcome, TableHead
from vo_server.publish import PublishOptions
from vo_server.publish.check import check
from vo_server.publish.plan import Plan, make_plan

STARS = """
[table]
source = "tycho.csv"

[[table.frames]]
epoch = "J1991.25"

[[table.frames]]
columns = ["ra50", "dec50"]
frame = "FK4"
epoch = "B1950"

[[table.groups]]
name = "magnitude"
description = "In V, with its error"
columns = ["mag", "e_mag"]

[table.notes]
1 = "Weighted mean of all transits."

[columns.mag]
description = "Brightness"
note = "1"
"""


@pytest.fixture
def descriptor(tmp_path: Path) -> Path:
    (tmp_path / "tycho.csv").write_text("ra,dec,ra50,dec50,mag,e_mag\n10,20,9.5,19.7,8,0.1\n")
    path = tmp_path / "tycho.toml"
    path.write_text(STARS)
    return path


def document(plan: Plan, version: str = "1.4", columns: slice = slice(None)) -> VOTableFile:
    """What a service would answer with some of the columns, and no rows."""
    table = TableHead(plan.columns[columns], votable_version=version)
    text = head(table, TABLEDATA) + tail(table, Outcome(Ending.COMPLETE, 0), TABLEDATA)
    return parse(io.BytesIO(text), verify="exception")


@pytest.mark.parametrize(("version", "old_frame"), [("1.4", "eq_FK4"), ("1.5", "FK4")])
def test_frames_and_epochs_stand_in_results(descriptor: Path, version: str, old_frame: str) -> None:
    answer = document(make_plan(descriptor, PublishOptions()), version)
    systems = {system.ID: (system.system, system.equinox, system.epoch) for system in answer.resources[0].coordinate_systems}
    assert systems == {"icrs-J1991.25": ("ICRS", None, "J1991.25"), "fk4-B1950": (old_frame, "B1950.0", "B1950")}
    refs = {field.name: field.ref for field in answer.get_first_table().fields}
    assert refs == {
        "ra": "icrs-J1991.25",
        "dec": "icrs-J1991.25",
        "ra50": "fk4-B1950",
        "dec50": "fk4-B1950",
        "mag": None,
        "e_mag": None,
    }


def test_groups_and_notes_stand_in_results(descriptor: Path) -> None:
    plan = make_plan(descriptor, PublishOptions())
    table = document(plan).get_first_table()
    (group,) = table.groups
    assert (group.name, group.description) == ("magnitude", "In V, with its error")
    assert [entry.get_ref().name for entry in group.entries] == ["mag", "e_mag"]
    assert table.get_field_by_id_or_name("mag").description == "Brightness (Note 1: Weighted mean of all transits.)"
    assert [entry.get_ref().name for entry in document(plan, columns=slice(0, 5)).get_first_table().groups[0].entries] == ["mag"]
    assert not document(plan, columns=slice(0, 4)).get_first_table().groups


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('epoch = "J1991.25"', 'frame = "FK4"', "ra is searched as ICRS, and its frame is said to be FK4"),
        ('"ra50"', '"raa"', "one of the frames names raa"),
        ('"e_mag"', '"raa"', "one of the groups names raa"),
        ('"e_mag"', '"mag"', "mag is in two of the groups"),
        ('note = "1"', 'note = "2"', "there is no note '2'"),
        ('epoch = "B1950"', 'epoch = "1950"', r"table\.frames\.1\.epoch \(line 11\)"),
    ],
)
def test_what_does_not_fit_is_said(descriptor: Path, before: str, after: str, fault: str) -> None:
    descriptor.write_text(STARS.replace(before, after))
    with pytest.raises(DataError, match=fault):
        make_plan(descriptor, PublishOptions())


def test_check_says_where(descriptor: Path) -> None:
    descriptor.write_text(STARS.replace('"ra50"', '"raa"').replace('note = "1"', 'note = "2"'))
    faults = [str(finding) for finding in check(descriptor) if finding.is_fault]
    assert faults == [
        "line 9: table.frames.1.columns: 'raa' is no column of the table",
        "line 23: columns.mag.note: there is no note '2' in the notes of the table",
    ]


def test_a_votable_keeps_its_frames_and_epochs(tmp_path: Path) -> None:
    plan = make_plan_of_votable(tmp_path)
    assert {column.name: (column.frame, column.epoch) for column in plan.columns} == {
        "ra": ("ICRS", "J2015.5"),
        "dec": ("ICRS", "J2015.5"),
        "old": ("FK4", None),
        "odd": (None, None),
        "mag": (None, None),
    }


def make_plan_of_votable(folder: Path) -> Plan:
    """A table with three coordinate systems, one of an equinox that has no name."""
    fields = (
        ("ra", "a", "pos.eq.ra"),
        ("dec", "a", "pos.eq.dec"),
        ("old", "b", "pos.eq.ra"),
        ("odd", "c", "pos.eq.ra"),
        ("mag", "", "phot.mag"),
    )
    listed = "".join(f'<FIELD name="{name}" datatype="double" ucd="{ucd}"{f" ref={ref!r}" if ref else ""}/>' for name, ref, ucd in fields)
    systems = (
        '<COOSYS ID="a" system="ICRS" epoch="2015.5"/><COOSYS ID="b" system="eq_FK4" equinox="B1950"/>'
        '<COOSYS ID="c" system="eq_FK5" equinox="J1975"/>'
    )
    (folder / "stars.vot").write_text(
        f'<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>{systems}<TABLE>{listed}<DATA><TABLEDATA>'
        "<TR><TD>1</TD><TD>2</TD><TD>3</TD><TD>4</TD><TD>5</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    return make_plan(folder / "stars.vot", PublishOptions())
