"""What publishing infers, and what a descriptor may say."""

from pathlib import Path

import pyarrow
import pytest

from vo_server.errors import DataError
from vo_server.formats.readers.infer import find_position, fold, given_position, id_candidates, plausible, safe_names, with_position
from vo_server.model.columns import Column, text
from vo_server.publish.descriptor import descriptor_schema, read_descriptor
from vo_server.publish.options import PublishOptions
from vo_server.publish.plan import make_plan

ROOT = Path(__file__).parents[2]


def double(name: str, unit: str | None = "deg", ucd: str | None = None) -> Column:
    return Column(name, "double", unit=unit, ucd=ucd)


def never(ra: str, dec: str) -> bool:
    raise AssertionError("the unit says it already")


@pytest.mark.parametrize(
    ("name", "folded"),
    [("gll_psc_v35_4FGL-DR4", "gll_psc_v35_4fgl_dr4"), ("2PC", "t_2pc"), ("Ünïcode  x", "n_code_x"), ("x" * 99, "x" * 48)],
)
def test_names_of_files_fold(name: str, folded: str) -> None:
    assert fold(name) == folded


@pytest.mark.parametrize("main", [("A", "B"), ("RAJ2000", "DEJ2000")])
def test_the_main_position_wins(main: tuple[str, str]) -> None:
    columns = [double("ra"), double("dec"), double("RA_2", ucd="pos.eq.ra"), double("DEC_2", ucd="pos.eq.dec")]
    columns += [double(main[0], ucd="pos.eq.ra;meta.main"), double(main[1], ucd="pos.eq.dec;meta.main")]
    pair, notes = find_position(columns, never)
    assert pair is not None
    assert (pair.ra, pair.dec) == main
    assert "UCD pos.eq.ra;meta.main" in notes[0]


@pytest.mark.parametrize("plausible", [True, False])
def test_names_without_units_are_judged_by_values(plausible: bool) -> None:
    pair, notes = find_position([double("RAJ2000", None), double("DEJ2000", None)], lambda ra, dec: plausible)
    assert (pair is not None) is plausible
    assert ("taken to be degrees" in notes[0]) is plausible


@pytest.mark.parametrize("column", [double("ra", "h"), text("ra"), Column("ra", "double", "2", unit="deg")])
def test_other_than_degrees_is_no_position(column: Column) -> None:
    pair, notes = find_position([column, double("dec")], never)
    assert pair is None
    assert notes[0].startswith("ra is ")
    with pytest.raises(DataError, match="ICRS degrees"):
        given_position([column, double("dec")], "RA", "dec", "file")


def test_there_is_exactly_one_main_position() -> None:
    columns = [double("a", ucd="pos.eq.ra;meta.main"), double("b", ucd="pos.eq.dec;meta.main"), double("ra", None), double("dec")]
    marked, notes = with_position(columns, given_position(columns, "ra", "dec", "file"))
    assert [column.ucd for column in marked] == ["pos.eq.ra", "pos.eq.dec", "pos.eq.ra;meta.main", "pos.eq.dec;meta.main"]
    assert (marked[2].unit, marked[2].indexed, marked[0].indexed) == ("deg", True, False)
    assert len(notes) == 2


def test_identifying_columns_need_telling_names() -> None:
    columns = [double("x_id"), text("Assoc_Name"), Column("source_id", "long"), text("comment"), Column("m_id", "int", ucd="phot.mag")]
    assert id_candidates(columns) == ["source_id", "Assoc_Name"]


def test_names_that_postgresql_has_already() -> None:
    columns, notes = safe_names([text("xmin"), text("xmin_"), text("é" * 40), text("ok")])
    assert not any("by case" in note for note in notes)
    names = [column.name for column in columns]
    assert names[0] == "xmin_2"
    assert names[1] == "xmin_"
    assert names[2] == "é" * 31
    assert len(notes) == 2


def files(tmp_path: Path, descriptor: str) -> Path:
    (tmp_path / "d.csv").write_text("name,x,y,n\na,10,20,1\nb,11,21,2\n")
    path = tmp_path / "d.toml"
    path.write_text(descriptor)
    return path


def test_descriptor_over_file_and_flags_over_descriptor(tmp_path: Path) -> None:
    path = files(
        tmp_path,
        '[resource]\nschema = "s"\nname = "r"\ntitle = "T"\n[table]\nsource = "d.csv"\nname = "t"\nra = "x"\ndec = "y"\n'
        '[columns.n]\nname = "Count"\nunit = "counts"\nucd = "meta.number"\ndescription = "How many"\n',
    )
    plan = make_plan(path, PublishOptions(title="Mine"))
    assert (plan.full_name, plan.resource, plan.title) == ("s.t", "r", "Mine")
    count = plan.columns[3]
    assert (count.name, count.unit, count.ucd, count.description) == ("Count", "count", "meta.number", "How many")
    assert plan.position is not None
    assert plan.id_candidates == ("name",)


@pytest.mark.parametrize(
    ("descriptor", "words"),
    [
        ('[table]\nsource = "d.csv"\nnam = "x"\n', r"table\.nam \(line 3\): there is no such key, but name"),
        ('[table]\nsource = "d.csv"\n[table.layout]\nzzz = 1\n', "no such key, only comment, names, places, separator, skip"),
        ('[resource]\ncreators = [{name = "A", orchid = "x"}]\n[table]\nsource = "d.csv"\n', r"orchid \(line 2\).*no such key, but orcid"),
        ('[[tables]]\nsource = "d.csv"\n[tables.columns.n]\nunti = "x"\n', r"\.unti \(line 4\): there is no such key, but unit"),
        ('[table]\nsource = "d.csv"\n[columns.n]\nunti = "x"\n', r"columns\.n\.unti \(line 4\): there is no such key, but unit"),
        ('[resource]\ndoi = "none"\n[table]\nsource = "d.csv"\n', r"resource\.doi \(line 2\)"),
        ("[resource]\n", r"one \[table\], or several"),
        ("not toml", "not TOML"),
        ('[table]\nsource = "d.csv"\n[columns.zzz]\nunit = "deg"\n', r"\[columns\.zzz\].*name, x, y, n"),
        ('[table]\nsource = "no.csv"\n', "no such file"),
        ('[table]\nsource = "d.csv"\n[columns.n]\nname = "x"\n', "two columns are called 'x'"),
    ],
)
def test_a_wrong_descriptor_is_named_with_key_and_line(tmp_path: Path, descriptor: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        make_plan(files(tmp_path, descriptor), PublishOptions())


def test_creators_with_and_without_orcid(tmp_path: Path) -> None:
    path = files(tmp_path, '[resource]\ncreators = ["A", {name = "B", orcid = "0000-0001-2345-678X"}]\n[table]\nsource = "d.csv"\n')
    assert [(one.name, one.orcid) for one in read_descriptor(path).resource.people] == [("A", None), ("B", "0000-0001-2345-678X")]


@pytest.mark.parametrize("options", [PublishOptions(schema="public"), PublishOptions(schema="pg_x"), PublishOptions(table="a b")])
def test_names_that_may_not_be(tmp_path: Path, options: PublishOptions) -> None:
    files(tmp_path, "")
    with pytest.raises(DataError, match=r"reserved|cannot be the name"):
        make_plan(tmp_path / "d.csv", options)


def test_the_schema_of_descriptors_is_current() -> None:
    assert (ROOT / "schemas" / "resource.schema.json").read_text(encoding="utf-8") == descriptor_schema()


def test_names_that_differ_by_case_only_are_told_apart() -> None:
    """``SELECT *`` would have to rename one of them, and ADQL without quotes could name neither."""
    columns, notes = safe_names([text("x"), text("X"), text("x_2"), text("Y")])
    assert [column.name for column in columns] == ["x", "X_3", "x_2", "Y"]
    assert notes == ["column X is called X_3: another differs from it by case only"]


@pytest.mark.parametrize(
    ("ra", "dec", "are_degrees"),
    [
        ([0.002, 1.5, 6.28], [-1.4, 0.0, 1.5], False),
        ([0.002, 1.5, 6.28], [-0.2, 0.0, 0.3], True),
        ([5.1, 5.5, 6.2], [-1.4, 0.0, 1.5], True),
        ([0.002, 1.5, 6.3], [-1.4, 0.0, 1.5], True),
        ([0.002, 1.5, 360.5], [-1.4, 0.0, 1.5], False),
        ([None, None, None], [None, None, None], False),
    ],
)
def test_positions_all_over_the_sky_in_radians_are_no_degrees(ra: list[float | None], dec: list[float | None], are_degrees: bool) -> None:
    halves = [(pyarrow.array(ra[part], pyarrow.float64()), pyarrow.array(dec[part], pyarrow.float64())) for part in (slice(2), slice(2, 3))]
    assert plausible(halves) is are_degrees
