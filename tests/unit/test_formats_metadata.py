"""What is known of columns reaches those who read a result, in each format that has words for it.

CHECKLIST VOT-014 to VOT-019, VOT-029, VOT-030.
"""

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from formats_tables import ARROW, BINARY, BINARY2, FITS, JSON, PARQUET, TABLEDATA, Sample, write

from vo_server.formats import Format
from vo_server.model.columns import Column
from vo_server.model.result import Info
from vo_server.model.service import ServiceDescriptor, ServiceParam

COLUMNS = (
    Column("event", "char", "*", ucd="meta.id;meta.main", description='It\'s <one> & "only"'),
    Column("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main", utype="stc:Position2D.ra", description="Right ascension, ICRS"),
    Column("rate", "float", unit="GeV.cm**-2.s**-1", ucd="phot.flux.density;em.gamma"),
    Column("l", "double", unit="deg", ucd="pos.galactic.lon"),
    Column("seen", "char", "*", xtype="timestamp", ucd="time.epoch"),
    Column("mjd", "double", unit="d", ucd="time.epoch", description="MJD, in TT"),
    Column("shape", "double", "*", xtype="polygon", unit="deg", ucd="pos.outline"),
    Column("cover", "char", "*", xtype="moc"),
    Column("matrix", "float", "2x2", description="A matrix"),
)
WORDS = ("unit", "ucd", "utype", "xtype", "description")
KNOWN = {column.name: {word: getattr(column, word) for word in WORDS if getattr(column, word)} for column in COLUMNS}
INFOS = (Info("QUERY", "SELECT '<a>' & \"b\""), Info("citation", "2018Sci...361.1378I"), Info("citation", "2020Sci...370.9999X"))
DESCRIPTORS = (
    ServiceDescriptor(
        id="links",
        access_url="http://vo.test/datalink/links",
        standard_id="ivo://ivoa.net/std/DataLink#links-1.1",
        params=(ServiceParam("ID", "char", "*", ref="event"),),
    ),
)
SAMPLE = Sample(COLUMNS, (("IC-1", 10.5, 1e-12, 120.0, None, 58018.5, [1.0, 1.0, 2.0, 1.0, 2.0, 2.0], "1/0", [1.0, 2.0, 3.0, 4.0]),))

Known = dict[str, dict[str, str]]


def told(values: dict[str, str | None]) -> dict[str, str]:
    return {word: value for word in WORDS if (value := values.get(word))}


def of_votable(document: bytes) -> Known:
    fields = votable.parse(io.BytesIO(document), verify="exception").get_first_table().fields
    return {
        field.name: told({word: getattr(field, word) for word in WORDS} | {"unit": field.unit and field.unit.to_string("vounit")})
        for field in fields
    }


def of_parquet(document: bytes) -> Known:
    return of_votable(pq.read_metadata(io.BytesIO(document)).metadata[b"IVOA.VOTable-Parquet.content"])


def of_fits(document: bytes) -> Known:
    keywords = dict(zip(WORDS, ("TUNIT", "TUCD", "TUTYP", "TXTYP", "TCOMM"), strict=True))
    with fits.open(io.BytesIO(document)) as hdus:
        header = hdus[1].header
        numbers = range(1, header["TFIELDS"] + 1)
        return {header[f"TTYPE{n}"]: told({word: header.get(f"{keyword}{n}") for word, keyword in keywords.items()}) for n in numbers}


def of_json(document: bytes) -> Known:
    return {column["name"]: told(column) for column in json.loads(document)["metadata"]}


def of_schema(schema: pa.Schema) -> Known:
    return {field.name: told({key.decode(): value.decode() for key, value in field.metadata.items()}) for field in schema}


def of_arrow(document: bytes) -> Known:
    return of_schema(pa.ipc.open_stream(document).schema)


def of_parquet_fields(document: bytes) -> Known:
    return of_schema(pq.read_schema(io.BytesIO(document)))


READERS: list[tuple[Format, Callable[[bytes], Known]]] = [
    *((form, of_votable) for form in (TABLEDATA, BINARY2, BINARY)),
    (PARQUET, of_parquet),
    (PARQUET, of_parquet_fields),
    (FITS, of_fits),
    (JSON, of_json),
    (ARROW, of_arrow),
]


def same_units(known: Known) -> Known:
    """Units as one spelling of them: astropy has its own order of factors."""
    return {
        name: words | ({"unit": ".".join(sorted(words["unit"].split(".")))} if "unit" in words else {}) for name, words in known.items()
    }


@pytest.mark.parametrize(("form", "read"), READERS, ids=lambda one: one.name if isinstance(one, Format) else one.__name__)
def test_columns_keep_their_metadata(form: Format, read: Callable[[bytes], Known]) -> None:
    assert same_units(read(write(form, SAMPLE, infos=INFOS, descriptors=DESCRIPTORS))) == same_units(KNOWN)


@pytest.mark.parametrize("form", [TABLEDATA, BINARY2, BINARY, FITS], ids=lambda form: form.name)
@pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS is not installed")
def test_stil_sees_them_too(form: Format, tmp_path: Path) -> None:
    file = tmp_path / f"result.{form.extension}"
    file.write_bytes(write(form, SAMPLE, infos=INFOS, descriptors=DESCRIPTORS))
    command = ["stilts", "tpipe", f"in={file}", "cmd=meta name units ucd utype xtype description", "omode=out", "ofmt=csv", "out=-"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    rows = csv.DictReader(io.StringIO(run.stdout))
    seen = {
        row["Name"]: told({word: row.get("Units" if word == "unit" else word.title(), row.get(word.upper())) for word in WORDS})
        for row in rows
    }
    untold = {"xtype"} if form is FITS else set()  # STIL 4.1 does not read TXTYP
    assert seen == {name: {word: text for word, text in words.items() if word not in untold} for name, words in KNOWN.items()}


SYSTEMS = {
    "ra": {"system": "ICRS"},
    "l": {"system": "galactic"},
    "seen": {"timescale": "UTC", "refposition": "UNKNOWN"},
    "mjd": {"timescale": "TT", "refposition": "UNKNOWN", "timeorigin": "MJD-origin"},
    "shape": {"system": "ICRS"},
    "cover": {"system": "ICRS"},
}


def described_by(form: Format) -> bytes:
    document = write(form, SAMPLE, infos=INFOS, descriptors=DESCRIPTORS)
    return pq.read_metadata(io.BytesIO(document)).metadata[b"IVOA.VOTable-Parquet.content"] if form is PARQUET else document


@pytest.mark.parametrize("form", [TABLEDATA, BINARY2, BINARY, PARQUET], ids=lambda form: form.name)
def test_a_votable_has_systems_services_and_infos(form: Format) -> None:
    """CHECKLIST VOT-016 to VOT-020, GEN-025."""
    file = votable.parse(io.BytesIO(described_by(form)), verify="exception")
    results = file.resources[0]
    systems = {system.ID: system for system in (*results.coordinate_systems, *results.time_systems)}
    words = ("system", "timescale", "refposition", "timeorigin")
    referred = {
        field.name: {word: value for word in words if (value := getattr(systems[field.ref], word, None))}
        for field in file.get_first_table().fields
        if field.ref
    }
    assert referred == SYSTEMS
    assert [(info.name, info.value) for info in results.infos if info.name != "QUERY_STATUS"] == [(info.name, info.value) for info in INFOS]
    (service,) = [resource for resource in file.resources if resource.utype == "adhoc:service"]
    assert {param.name: param.value for param in service.params} == {
        "accessURL": DESCRIPTORS[0].access_url,
        "standardID": DESCRIPTORS[0].standard_id,
    }
    assert [entry.ref for entry in service.groups[0].entries] == [file.get_first_table().get_field_by_id_or_name("event").ID]


def test_other_formats_have_the_infos() -> None:
    assert json.loads(write(JSON, SAMPLE, infos=INFOS))["infos"] == [{"name": info.name, "value": info.value} for info in INFOS]
    lines = {"INFO.QUERY": INFOS[0].value, "INFO.citation": f"{INFOS[1].value}\n{INFOS[2].value}"}
    for schema in (
        pa.ipc.open_stream(write(ARROW, SAMPLE, infos=INFOS)).schema,
        pq.read_schema(io.BytesIO(write(PARQUET, SAMPLE, infos=INFOS))),
    ):
        assert {key: schema.metadata[key.encode()].decode() for key in lines} == lines
    with fits.open(io.BytesIO(write(FITS, SAMPLE, infos=INFOS))) as hdus:
        assert list(hdus[1].header["HISTORY"]) == [f"{info.name}: {info.value}" for info in INFOS]
