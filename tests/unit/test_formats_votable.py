"""The documents around the rows."""

from contextlib import closing
from dataclasses import replace

import pytest
from formats_tables import (
    ARROW,
    BINARY,
    BINARY2,
    CSV,
    JSON,
    NS,
    PARQUET,
    TABLEDATA,
    TSV,
    Sample,
    everything,
    read_binary2,
    without_smallest,
    write,
)
from lxml import etree

from vo_server.formats import Format, UnfinishedError
from vo_server.formats.votable import cone_error_document, error_document
from vo_server.model.columns import Column
from vo_server.model.result import Ending, Info, Outcome, TableHead
from vo_server.model.service import ServiceDescriptor, ServiceParam

VOTABLES = pytest.mark.parametrize("format_", [TABLEDATA, BINARY2, BINARY], ids=["TABLEDATA", "BINARY2", "BINARY"])
QUERY = "SELECT \"a\" FROM t\n\tWHERE x < 1 AND y & '\x02'"


def parse(document: bytes) -> etree._Element:
    root = etree.fromstring(document)
    assert root.tag == f"{NS}VOTABLE"
    return root


def tags(element: etree._Element) -> list[str]:
    return [child.tag.removeprefix(NS) for child in element]


@VOTABLES
@pytest.mark.parametrize("version", ["1.4", "1.5"])
def test_a_result_is_one_resource_with_one_table(format_: Format, version: str) -> None:
    """CHECKLIST VOT-001, VOT-002, VOT-020, GEN-022 (DALI 1.1 §4.4)."""
    document = write(format_, without_smallest(everything()), infos=(Info("QUERY", QUERY), Info("empty", "")), version=version)
    assert document.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE ')
    root = parse(document)
    assert root.get("version") == version
    (results,) = root
    assert results.get("type") == "results"
    assert tags(results) == ["INFO", "INFO", "INFO", "COOSYS", "COOSYS", "TIMESYS", "TIMESYS", "TABLE"]
    infos = [(info.get("name"), info.get("value")) for info in results.iter(f"{NS}INFO")]
    assert infos == [("QUERY_STATUS", "OK"), ("QUERY", QUERY.replace("\x02", "?")), ("empty", "")]
    assert not document.count(b"<?cut")


@VOTABLES
@pytest.mark.parametrize(("ending", "message"), [(Ending.OVERFLOW, None), (Ending.FAILED, "it broke")])
def test_missing_rows_are_told_behind_the_table(format_: Format, ending: Ending, message: str | None) -> None:
    """CHECKLIST GEN-023, GEN-024 (DALI 1.1 §4.4.1)."""
    (results,) = parse(write(format_, without_smallest(everything()), ending=ending))
    assert tags(results)[-2:] == ["TABLE", "INFO"]
    assert (results[-1].get("name"), results[-1].get("value"), results[-1].text) == ("QUERY_STATUS", ending.value, message)


def test_fields_say_all_that_is_known() -> None:
    """CHECKLIST VOT-003, VOT-011."""
    column = Column("v<1>", "double", "3", "interval", "km.s**-1", "spect.dopplerVeloc", "obs:x", "Velocity & more\x00")
    (field,) = parse(write(TABLEDATA, Sample((column,), ()))).iter(f"{NS}FIELD")
    assert dict(field.attrib) == {
        "name": "v<1>",
        "datatype": "double",
        "arraysize": "3",
        "xtype": "interval",
        "unit": "km.s**-1",
        "ucd": "spect.dopplerVeloc",
        "utype": "obs:x",
    }
    assert field.findtext(f"{NS}DESCRIPTION") == "Velocity & more?"


def test_what_is_not_known_is_not_said() -> None:
    """CHECKLIST VOT-013, VOT-014."""
    (field,) = parse(write(TABLEDATA, Sample((Column("n", "int", unit="", ucd="", description=""),), ()))).iter(f"{NS}FIELD")
    assert dict(field.attrib) == {"name": "n", "datatype": "int"}
    assert len(field) == 0


ARRAYSIZES = [
    (Column("c", "char"), "*", "*"),
    (Column("c", "char", "12*"), "12*", "*"),
    (Column("c", "unicodeChar", "8"), "8", "*"),
    (Column("c", "char", "19", xtype="timestamp"), "*", "*"),
    (Column("c", "double", "2x3"), "2x3", "2x3"),
    (Column("c", "double", "10*"), "10*", "*"),
    (Column("c", "double", "3x*"), "3x*", "*"),
    (Column("c", "double"), None, None),
]


@pytest.mark.parametrize(("column", "tabledata", "binary2"), ARRAYSIZES)
def test_arraysize_fits_what_the_rows_hold(column: Column, tabledata: str | None, binary2: str | None) -> None:
    """CHECKLIST VOT-003, VOT-004, VOT-009."""
    for format_, wanted in ((TABLEDATA, tabledata), (BINARY2, binary2)):
        (field,) = parse(write(format_, Sample((column,), ()))).iter(f"{NS}FIELD")
        assert field.get("arraysize") == wanted


@pytest.mark.parametrize(
    ("column", "refers"),
    [
        (Column("ra", "double", ucd="pos.eq.ra;meta.main"), True),
        (Column("ra", "double", ucd="POS_EQ_RA_MAIN"), True),
        (Column("p", "double", "2", xtype="point"), True),
        (Column("c", "char", "*", xtype="moc"), True),
        (Column("t", "char", "*", xtype="moc", ucd="time.interval;obs.exposure"), False),
        (Column("e", "double", ucd="stat.error;pos.eq.ra"), False),
        (Column("x", "double"), False),
    ],
)
def test_positions_refer_to_the_frame(column: Column, refers: bool) -> None:
    """CHECKLIST VOT-016 (VOTable 1.5 §3.3)."""
    root = parse(write(TABLEDATA, Sample((column, Column("n", "int")), ())))
    frames = [(frame.get("ID"), frame.get("system")) for frame in root.iter(f"{NS}COOSYS")]
    assert frames == ([("icrs", "ICRS")] if refers else [])
    assert [field.get("ref") for field in root.iter(f"{NS}FIELD")] == ["icrs" if refers else None, None]


def systems(version: str, *columns: Column) -> tuple[list[dict[str, str]], list[str | None]]:
    root = parse(write(TABLEDATA, Sample(columns, ()), version=version))
    found = [dict(element.attrib) for tag in ("COOSYS", "TIMESYS") for element in root.iter(f"{NS}{tag}")]
    return found, [field.get("ref") for field in root.iter(f"{NS}FIELD")]


@pytest.mark.parametrize(("version", "word"), [("1.4", "galactic"), ("1.5", "GALACTIC")])
def test_galactic_positions_have_the_word_of_the_version(version: str, word: str) -> None:
    found, refs = systems(version, Column("l", "double", ucd="pos.galactic.lon"), Column("ra", "double", ucd="pos.eq.ra"))
    assert found == [{"ID": "galactic", "system": word}, {"ID": "icrs", "system": "ICRS"}]
    assert refs == ["galactic", "icrs"]


MJD = {"unit": "d", "ucd": "time.epoch"}
TIMES = [
    (Column("t", "char", "*", xtype="timestamp"), {"timescale": "UTC", "refposition": "UNKNOWN"}),
    (Column("t", "char", "*", xtype="timestamp", description="Time (TT)"), {"timescale": "TT", "refposition": "UNKNOWN"}),
    (
        Column("mjd", "double", **MJD, description="Time of the event, UTC"),
        {"timeorigin": "MJD-origin", "timescale": "UTC", "refposition": "UNKNOWN"},
    ),
    (Column("start", "double", **MJD, description="From UTC to TT"), None),
    (Column("start", "double", **MJD, description="MJD"), {"timeorigin": "MJD-origin", "timescale": "UNKNOWN", "refposition": "UNKNOWN"}),
    (
        Column("t_min", "double", unit="d", ucd="time.start;obs.exposure", utype="obscore:Char.TimeAxis.Coverage.Bounds.Limits.StartTime"),
        {"timeorigin": "MJD-origin", "timescale": "UNKNOWN", "refposition": "UNKNOWN"},
    ),
    (
        Column("bjd", "double", **MJD, description="In TDB"),
        {"timeorigin": "JD-origin", "timescale": "TDB", "refposition": "BARYCENTER"},
    ),
    (Column("mjd", "double", unit="s", ucd="time.epoch"), None),
    (Column("mjd_err", "double", unit="d", ucd="stat.error;time.epoch"), None),
]


@pytest.mark.parametrize(("column", "wanted"), TIMES)
def test_times_say_their_scale_and_origin(column: Column, wanted: dict[str, str] | None) -> None:
    """CHECKLIST VOT-017 (VOTable 1.5 §3.4)."""
    found, refs = systems("1.4", column, Column("n", "int"))
    assert [{name: value for name, value in system.items() if name != "ID"} for system in found] == ([wanted] if wanted else [])
    assert refs == [found[0]["ID"] if wanted else None, None]


DECLARED = [
    (Column("n", "unsignedByte"), "short", "-32768"),
    (Column("n", "unsignedByte", "3"), "short", "-32768"),
    (Column("n", "unsignedByte", "*"), "unsignedByte", None),
    (Column("n", "int"), "int", "-2147483648"),
    (Column("n", "long", "*"), "long", None),
    (Column("n", "double"), "double", None),
]


@pytest.mark.parametrize(("column", "datatype", "null"), DECLARED)
def test_binary_declares_which_number_is_null(column: Column, datatype: str, null: str | None) -> None:
    """CHECKLIST VOT-010 (VOTable 1.5 §4.7)."""
    (field,) = parse(write(BINARY, Sample((column,), ()))).iter(f"{NS}FIELD")
    assert field.get("datatype") == datatype
    assert [values.get("null") for values in field] == ([null] if null else [])


def test_no_rows_make_a_whole_document() -> None:
    empty = replace(everything(), rows=())
    assert read_binary2(write(BINARY2, empty), empty.columns) == []
    (results,) = parse(write(TABLEDATA, empty))
    assert len(list(results.iter(f"{NS}FIELD"))) == len(empty.columns)
    assert list(results.iter(f"{NS}TR")) == []


def test_the_same_columns_in_another_serialization_have_their_own_fields() -> None:
    column = Column("c", "char", "12*")
    sizes = [
        next(parse(write(format_, Sample((column,), ()))).iter(f"{NS}FIELD")).get("arraysize")
        for format_ in (TABLEDATA, BINARY2, TABLEDATA)
    ]
    assert sizes == ["12*", "*", "12*"]


def test_an_error_is_a_votable() -> None:
    """CHECKLIST GEN-019, GEN-021 (DALI 1.1 §4.4.2)."""
    root = parse(error_document("Line 1: unexpected '<' & more", (Info("standardID", "ivo://x"),)))
    assert root.get("version") == "1.4"
    (results,) = root
    assert results.get("type") == "results"
    assert [(info.get("name"), info.get("value"), info.text) for info in results] == [
        ("QUERY_STATUS", "ERROR", "Line 1: unexpected '<' & more"),
        ("standardID", "ivo://x", None),
    ]


def test_a_cone_search_error_stands_right_below_votable() -> None:
    info, results = parse(cone_error_document("RA is missing"))
    assert (info.tag, info.get("name"), info.get("value")) == (f"{NS}INFO", "Error", "RA is missing")
    assert [(status.get("name"), status.get("value"), status.text) for status in results] == [("QUERY_STATUS", "ERROR", "RA is missing")]


@pytest.mark.parametrize("format_", [CSV, TSV, JSON, PARQUET, ARROW], ids=lambda format_: format_.name)
def test_a_format_that_cannot_tell_a_failure_breaks_off(format_: Format) -> None:
    writer = format_.writer(TableHead((Column("n", "int"),)))
    with closing(writer), pytest.raises(UnfinishedError, match=f"The {format_.name} output broke off after 7 rows: it broke"):
        list(writer.tail(Outcome(Ending.FAILED, 7, "it broke")))


DESCRIBED = Sample((Column("obs id", "char", "*"), Column("icrs", "int"), Column("n", "int")), (("a", 1, 2),))
SERVICES = (
    ServiceDescriptor(
        "soda",
        "http://vo.test/soda/sync",
        (
            ServiceParam("ID", ref="obs id", ucd="meta.id"),
            ServiceParam("N", "int", None, ref="icrs"),
            ServiceParam("CIRCLE", "double", "3", unit="deg", xtype="circle", maximum="1 2 3", description="Where"),
            ServiceParam("POL", options=("I", "<Q>")),
            ServiceParam("FIXED", value="a&b"),
        ),
        "ivo://ivoa.net/std/SODA#sync-1.0",
        "Cut-outs",
        "Parts of it",
        "ivo://example/soda",
        "application/fits",
        ("http://vo.test/soda/sync?ID=a",),
    ),
)


@VOTABLES
def test_services_for_the_rows_stand_behind_them(format_: Format) -> None:
    """CHECKLIST VOT-012, VOT-019 (DataLink 1.1 §4)."""
    root = parse(write(format_, DESCRIBED, descriptors=SERVICES))
    results, service = root
    ids = {field.get("name"): field.get("ID") for field in results.iter(f"{NS}FIELD")}
    assert ids == {"obs id": "obs_id", "icrs": "icrs_", "n": None}
    assert (service.get("ID"), service.get("type"), service.get("utype")) == ("soda", "meta", "adhoc:service")
    assert service.findtext(f"{NS}DESCRIPTION") == "Parts of it"
    assert [(param.get("name"), param.get("value")) for param in service.findall(f"{NS}PARAM")] == [
        ("accessURL", "http://vo.test/soda/sync"),
        ("standardID", "ivo://ivoa.net/std/SODA#sync-1.0"),
        ("resourceIdentifier", "ivo://example/soda"),
        ("contentType", "application/fits"),
        ("exampleURL", "http://vo.test/soda/sync?ID=a"),
    ]
    (inputs,) = service.findall(f"{NS}GROUP")
    assert inputs.get("name") == "inputParams"
    assert [(param.get("name"), param.get("value"), param.get("ref")) for param in inputs] == [
        ("ID", "", "obs_id"),
        ("N", "", "icrs_"),
        ("CIRCLE", "", None),
        ("POL", "", None),
        ("FIXED", "a&b", None),
    ]
    assert inputs[2].find(f"{NS}VALUES/{NS}MAX").get("value") == "1 2 3"
    assert [option.get("value") for option in inputs[3].iter(f"{NS}OPTION")] == ["I", "<Q>"]


def test_a_broken_result_still_describes_its_services() -> None:
    results, service = parse(write(TABLEDATA, DESCRIBED, descriptors=SERVICES, ending=Ending.OVERFLOW))
    assert (results[-1].get("value"), service.get("utype")) == ("OVERFLOW", "adhoc:service")


def test_a_parameter_has_one_source() -> None:
    with pytest.raises(ValueError, match="either a value or a column"):
        ServiceParam("ID", value="a", ref="obs_id")
