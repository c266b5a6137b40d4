"""Files → columns and batches: every format, every type, and what is said when a file is wrong."""

import gzip
import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.time import Time
from astropy.units import UnitsWarning
from readers_kit import content, types

from vo_server.errors import DataError, TooLargeError, VoError
from vo_server.formats.readers import Bounds, open_table
from vo_server.formats.readers.delimited import AS_TEXT
from vo_server.formats.readers.pages import pages
from vo_server.formats.readers.source import BATCH_BYTES
from vo_server.formats.readers.ucds import ucd
from vo_server.formats.readers.units import vounit


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("given", "unit"),
    [
        ("deg", "deg"),
        ("mas/yr", "mas/yr"),
        ("ph cm-2 s-1", "photon.s**-1.cm**-2"),
        ("erg/cm**2/s", "erg.s**-1.cm**-2"),
        ("1 / (cm2 s TeV)", "TeV**-1.s**-1.cm**-2"),
        ("percent", "1e-2"),
        ("degrees", "deg"),
        ("", None),
        ("none", None),
    ],
)
def test_units_become_vounits(given: str, unit: str | None) -> None:
    assert vounit(given) == (unit, None)
    if unit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnitsWarning)  # erg is deprecated, but a unit
            u.Unit(unit, format="vounit")


def test_a_unit_that_means_nothing_is_left_out_and_said() -> None:
    unit, remark = vounit("log10(E/GeV)")
    assert unit is None
    assert remark is not None
    assert "'log10(E/GeV)'" in remark


def test_ucds() -> None:
    assert ucd("pos.eq.ra;meta.main") == ("pos.eq.ra;meta.main", None)
    assert ucd("POS_EQ_RA_MAIN") == ("pos.eq.ra;meta.main", None)
    assert ucd("not a ucd")[0] is None


def test_csv_types_come_from_every_row(tmp_path: Path) -> None:
    rows = (
        "n,wide,x,flag,when,code,long,words,mixed,nothing\n"
        + "1,9007199254740993,1.5,true,2020-01-02,007,12345678901234567890,a b,1,\n" * 3
    )
    source = open_table(write(tmp_path / "t.csv", rows + '-2,,-1e3,FALSE,2020-01-02T03:04:05.678901Z,8,1," ä ""q"" ",None,\n'))
    assert types(source) == {
        "n": ("int", None),
        "wide": ("long", None),
        "x": ("double", None),
        "flag": ("boolean", None),
        "when": ("char", "*"),
        "code": ("char", "*"),
        "long": ("char", "*"),
        "words": ("unicodeChar", "*"),
        "mixed": ("char", "*"),
        "nothing": ("char", "*"),
    }
    last = {name: values[-1] for name, values in content(source).items()}
    assert last["when"].isoformat() == "2020-01-02T03:04:05.678901"
    del last["when"]
    expected = {
        "n": -2,
        "wide": None,
        "x": -1000.0,
        "flag": False,
        "code": "8",
        "long": "1",
        "words": ' ä "q" ',
        "mixed": "None",
        "nothing": None,
    }
    assert last == expected
    assert any("row 4 holds 'None'" in note for note in source.notes)


def test_csv_integers_may_have_a_plus(tmp_path: Path) -> None:
    source = open_table(write(tmp_path / "t.csv", "a,b\n+5,+1\n-7,+5000000000\n"))
    assert types(source) == {"a": ("int", None), "b": ("long", None)}
    assert content(source) == {"a": [5, -7], "b": [1, 5_000_000_000]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("83.63308333333333333", 83.63308333333333),
        ("8.363308333333333333e+01", 83.63308333333333),
        ("9007199254740993.0", 9007199254740992.0),
        ("01.50", 1.5),
        ("-05.1234", -5.1234),
        ("1e400", float("inf")),
        ("1e-400", 0.0),
    ],
)
def test_csv_numbers_that_a_double_spells_otherwise_are_told(tmp_path: Path, text: str, value: float) -> None:
    source = open_table(write(tmp_path / "t.csv", f"id,x\na,1.5\nb,\nc,+1e3\nd,{text}\ne,{text}\n"))
    assert types(source)["x"] == ("double", None)
    assert content(source)["x"] == [1.5, None, 1000.0, value, value]
    assert source.notes == (f"x: is double precision, in which {text!r} of row 4 is {value!r}", AS_TEXT)


@pytest.mark.parametrize("form", ["{:.17g}", "{:.18e}", "{:.25f}"])
def test_csv_one_number_among_many_that_programs_wrote_is_found(tmp_path: Path, form: str) -> None:
    values = [form.format(value) for value in np.random.default_rng(5).uniform(-90, 90, 500)]
    values[333] = "83.63308333333333333"
    note, _ = open_table(write(tmp_path / "t.csv", "\n".join(["x", *values]))).notes
    assert "'83.63308333333333333' of row 334 is" in note


def test_csv_what_to_do_about_rounded_numbers_is_told_once(tmp_path: Path) -> None:
    source = open_table(write(tmp_path / "t.csv", "x,name,y,z\n01.5,a,02.5,3.5\n"))
    told = [f"{name}: is double precision, in which '{text}' of row 1 is {float(text)}" for name, text in (("x", "01.5"), ("y", "02.5"))]
    assert source.notes == (*told, AS_TEXT)


def test_csv_digits_beyond_a_double_are_told_beside_zeros_before_numbers(tmp_path: Path) -> None:
    source = open_table(write(tmp_path / "t.csv", "x,y\n05.5,1\n0.12345678901234567890123,1\n"))
    said = "'0.12345678901234567890123' of row 2 is 0.12345678901234568 and '05.5' of row 1 is 5.5"
    assert source.notes == (f"x: is double precision, in which {said}", AS_TEXT)


@pytest.mark.parametrize("form", [repr, "{:.17g}".format, "{:.18e}".format, "{:.40f}".format, "{:.3f}".format, "{:+.16E}".format])
def test_csv_numbers_as_programs_write_doubles_are_nothing_to_say(tmp_path: Path, form: Callable[[float], str]) -> None:
    values = [0.1, 83.63308333333334, -5.1234567890123456, 0.0, -0.0, 1e-7, float("inf"), *np.random.default_rng(3).uniform(-90, 90, 200)]
    source = open_table(write(tmp_path / "t.csv", "x,y\n" + "".join(f"{form(float(value))},1\n" for value in values)))
    assert source.notes == ()


def test_csv_spellings_of_null_can_be_named(tmp_path: Path) -> None:
    source = open_table(write(tmp_path / "t.csv", "a,b\n1,x\nNone,None\n"), nulls=("None",))
    assert types(source)["a"] == ("int", None)
    assert content(source) == {"a": [1, None], "b": ["x", None]}


def test_csv_nan_is_null_and_infinity_stays(tmp_path: Path) -> None:
    assert content(open_table(write(tmp_path / "t.csv", "a,b\n1.5,1\nnan,1\n-inf,1\n")))["a"] == [1.5, None, float("-inf")]


def test_tsv_comments_and_quoted_line_breaks(tmp_path: Path) -> None:
    source = open_table(write(tmp_path / "t.tsv", '# about\n# this\na\tb\n1\t"two\nlines"\n'))
    assert source.description == "about this"
    assert content(source) == {"a": [1], "b": ["two\nlines"]}


@pytest.mark.parametrize("end", ['1,"x\n"\n', '1,"\n"\n', '1,"x\ny"', '1,"x""\n"""\n', '1,5" and\n'])
def test_quotes_that_are_closed_are_nothing_to_say(tmp_path: Path, end: str) -> None:
    assert open_table(write(tmp_path / "t.csv", "a,b\n" + end)).nrows == 1


@pytest.mark.parametrize(
    ("name", "body", "row", "words"),
    [
        ("ragged.csv", b"a,b\n1,2\n3\n", 2, "1 values for 2 columns"),
        ("open.csv", b'a,b\n1,2\n3,"4\n5,6\n', 2, "column b: .*never closed"),
        ("inside.csv", b'a,b,c\n\n1,2,3\n3,"4,5\n5,6,7\n', 2, "column b: .*never closed"),
        ("end.csv", b'a,b\n1,"x\n""y"" z\n', 1, "column b: .*never closed"),
        ("one.csv", b'a\n1\n"2\n3\n', 2, "column a: .*never closed"),
        ("long.csv", b'a,b\n1,2\n3,"4\n' + b"5,6\n" * 3_000_000, 2, "column b: .*never closed"),
        ("mac.csv", b"a,b\r1,2\r", None, "carriage return alone"),
        ("mac.tsv", b"# about\ra\tb\r1\t2", None, "carriage return alone"),
        ("latin.csv", b"a,b\n1,2\n3,\xe4\n", 2, "UTF-8"),
        ("nul.csv", b"a,b\n1,x\n2,y\x00z\n", 2, "U+0000"),
        ("empty.csv", b"", None, "empty"),
        ("cut.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 100_000)[:-20], None, "cannot be read"),
        ("words.txt", b"some words\n", None, "none of the formats"),
        ("bad.vot", b"<?xml version='1.0'?><VOTABLE><RESOURCE><TABLE><FIELD", None, "cannot be read"),
        ("none.vot", b"<?xml version='1.0'?><VOTABLE version='1.4'></VOTABLE>", None, "no table"),
        ("bad.parquet", b"PAR1garbage", None, "Parquet"),
        ("bad.ecsv", b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int32}\na\nx\n", None, "ECSV"),
        ("bad.fits", b"SIMPLE  = nonsense", None, "FITS"),
    ],
)
def test_a_bad_file_is_named_with_its_row(tmp_path: Path, name: str, body: bytes, row: int | None, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    with pytest.raises(DataError, match=words.replace("+", r"\+")) as caught:
        list(open_table(path).batches())
    assert caught.value.row == row
    assert str(caught.value).startswith(name)


def fits_table(path: Path, columns: list[fits.Column], **cards: Any) -> Path:
    table = fits.BinTableHDU.from_columns(columns, name="ONE")
    for key, value in cards.items():
        table.header[key] = value
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


def test_fits_types_and_values(tmp_path: Path) -> None:
    columns = [
        fits.Column("bit", "1X", array=np.array([[True], [False]])),
        fits.Column("bits", "11X", array=np.array([[True, False] * 5 + [True]] * 2)),
        fits.Column("logical", "L", array=np.array([True, False])),
        fits.Column("byte", "B", array=np.array([0, 255], "u1")),
        fits.Column("signed", "B", bzero=-128, array=np.array([-128, 127], "i1")),
        fits.Column("short", "I", null=-1, array=np.array([-1, 7], "i2")),
        fits.Column("ushort", "I", bzero=32768, array=np.array([0, 65535], "u2")),
        fits.Column("uint", "J", bzero=2**31, array=np.array([0, 2**32 - 1], "u4")),
        fits.Column("ulong", "K", bzero=2**63, array=np.array([0, 2**63 - 1], "u8")),
        fits.Column("scaled", "I", array=np.array([1, 2], "i2")),
        fits.Column("x", "E", unit="ph cm-2 s-1", array=np.array([np.nan, np.inf], "f4")),
        fits.Column("matrix", "6D", dim="(2,3)", array=np.arange(12.0).reshape(2, 3, 2)),
        fits.Column("ragged", "PE()", array=np.array([np.array([1, np.nan], "f4"), np.array([], "f4")], dtype=object)),
        fits.Column("text", "8A", array=np.array(["a b ", ""])),
        fits.Column("words", "9A", dim="(3,3)", array=np.array([["ab", "c", ""], ["d", "e", "f"]])),
    ]
    source = open_table(fits_table(tmp_path / "t.fits", columns, TSCAL10=0.5, TZERO10=10))
    assert types(source) == {
        "bit": ("boolean", None),
        "bits": ("boolean", "11"),
        "logical": ("boolean", None),
        "byte": ("unsignedByte", None),
        "signed": ("short", None),
        "short": ("short", None),
        "ushort": ("int", None),
        "uint": ("long", None),
        "ulong": ("long", None),
        "scaled": ("double", None),
        "x": ("float", None),
        "matrix": ("double", "2x3"),
        "ragged": ("float", "*"),
        "text": ("char", "*"),
        "words": ("char", "*"),
    }
    rows = content(source)
    assert str(rows.pop("ragged")) == "[[1.0, nan], []]"
    assert rows == {
        "bit": [True, False],
        "bits": [[True, False] * 5 + [True]] * 2,
        "logical": [True, False],
        "byte": [0, 255],
        "signed": [-128, 127],
        "short": [None, 7],
        "ushort": [0, 65535],
        "uint": [0, 2**32 - 1],
        "ulong": [0, 2**63 - 1],
        "scaled": [10.5, 11.0],
        "x": [None, float("inf")],
        "matrix": [[0.0, 1, 2, 3, 4, 5], [6.0, 7, 8, 9, 10, 11]],
        "text": ["a b", None],
        "words": ["ab;c;", "d;e;f"],
    }
    assert {column.name: column.unit for column in source.columns}["x"] == "photon.s**-1.cm**-2"


def test_fits_metadata_and_several_tables(tmp_path: Path) -> None:
    path = fits_table(tmp_path / "t.fits", [fits.Column("RA", "D", unit="deg", array=[1.0])], TUCD1="pos.eq.ra", TCOMM1="where")
    with fits.open(path, mode="append") as hdus:
        hdus.append(fits.BinTableHDU.from_columns([fits.Column("b", "J", array=[5])], name="TWO"))
    packed = tmp_path / "t.fits.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    first = open_table(packed)
    assert (first.name, first.other_tables, first.nrows) == ("ONE", ("TWO",), 1)
    assert (first.columns[0].ucd, first.columns[0].unit, first.columns[0].description) == ("pos.eq.ra", "deg", "where")
    assert content(open_table(packed, "TWO")) == {"b": [5]}
    with pytest.raises(DataError, match="ONE, TWO"):
        open_table(packed, "THREE")


def test_fits_unsigned_beyond_a_long_names_row_and_column(tmp_path: Path) -> None:
    path = fits_table(tmp_path / "t.fits", [fits.Column("big", "K", bzero=2**63, array=np.array([1, 2**63], "u8"))])
    with pytest.raises(DataError, match="row 2, column big"):
        content(open_table(path))


def test_fits_truncated_and_complex_are_refused(tmp_path: Path) -> None:
    path = fits_table(tmp_path / "t.fits", [fits.Column("x", "D", array=np.arange(5000.0))])
    cut = tmp_path / "cut.fits"
    cut.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(DataError, match="ends after row"):
        open_table(cut)
    with pytest.raises(DataError, match=r"column z: complex.*two columns"):
        open_table(fits_table(tmp_path / "z.fits", [fits.Column("z", "C", array=np.array([1j]))]))


def test_fits_latin_text_and_text_behind_a_nul(tmp_path: Path) -> None:
    raw = np.array([b"caf\xe9", b"ab\x00c"], "S4")
    path = fits_table(tmp_path / "t.fits", [fits.Column("t", "4A", array=np.array(["xxxx", "yyyy"]))])
    path.write_bytes(path.read_bytes().replace(b"xxxxyyyy", raw.tobytes()))
    source = open_table(path)
    assert types(source)["t"] == ("unicodeChar", "*")
    assert content(source) == {"t": ["café", "ab"]}
    assert len(source.notes) == 2


def test_parquet_types_metadata_and_values(tmp_path: Path) -> None:
    fields = {
        "u8": pa.array([1, None], pa.uint8()),
        "i8": pa.array([-1, None], pa.int8()),
        "u16": pa.array([65535, None], pa.uint16()),
        "u32": pa.array([2**32 - 1, None], pa.uint32()),
        "u64": pa.array([2**63 - 1, None], pa.uint64()),
        "half": pa.array(np.array([0.5, np.nan], "f2")),
        "x": pa.array([float("nan"), float("inf")]),
        "ok": pa.array([True, None]),
        "text": pa.array(["ä", ""]),
        "bytes": pa.array([b"ab", None]),
        "cat": pa.array(["p", "q"]).dictionary_encode(),
        "day": pa.array([1, None], pa.date32()),
        "at": pa.array([1_000_000_001, None], pa.timestamp("ns", tz="UTC")),
        "list": pa.array([[1, None], None], pa.list_(pa.int16())),
        "three": pa.array([[1.0, float("nan"), 3.0], None], pa.list_(pa.float64(), 3)),
        "names": pa.array([["a", "b"], None]),
    }
    table = pa.table(fields).replace_schema_metadata({"x": "deg;pos.eq.ra;meta.main", "u8": "count", "text": "meta.id"})
    pq.write_table(table, tmp_path / "t.parquet")
    source = open_table(tmp_path / "t.parquet")
    assert [column.datatype for column in source.columns] == [
        *("unsignedByte", "short", "int", "long", "long", "float", "double", "boolean", "unicodeChar", "char", "char"),
        *("char", "char", "short", "double", "char"),
    ]
    by_name = {column.name: column for column in source.columns}
    assert (by_name["x"].unit, by_name["x"].ucd) == ("deg", "pos.eq.ra;meta.main")
    assert (by_name["u8"].unit, by_name["text"].ucd) == ("count", "meta.id")
    assert (by_name["list"].arraysize, by_name["three"].arraysize) == ("*", "3")
    rows = content(source)
    assert [rows[name][0] for name in ("u8", "i8", "u16", "u32", "u64", "half")] == [1, -1, 65535, 2**32 - 1, 2**63 - 1, 0.5]
    assert (rows["x"], rows["half"][1], rows["text"]) == ([None, float("inf")], None, ["ä", ""])
    assert rows["names"] == ["a;b", None]
    assert str(rows["three"]) == "[[1.0, nan, 3.0], None]"
    assert rows["at"][0].isoformat() == "1970-01-01T00:00:01"
    assert "at: nanoseconds were cut to microseconds" in source.notes


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pa.array([{"a": 1}]), "struct"),
        (pa.array([[[1]]]), "nested lists"),
        (pa.array([2**63], pa.uint64()), "row 1, column v"),
        (pa.array([[1], [2**63]], pa.list_(pa.uint64())), "row 2, column v"),
        (pa.array(["ok", "a\0b"]), "row 2, column v"),
        (pa.array([b"ok", b"\xff"]), "row 2, column v"),
    ],
)
def test_parquet_refuses_what_tables_cannot_hold(tmp_path: Path, values: pa.Array, words: str) -> None:
    pq.write_table(pa.table({"v": values}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=words):
        content(open_table(tmp_path / "t.parquet"))


def test_parquet_written_by_astropy_keeps_its_metadata(tmp_path: Path) -> None:
    table = Table({"f": [1.0] * u.Jy})
    table["f"].info.description = "Flux"
    table["f"].info.meta = {"ucd": "phot.flux"}
    table.write(tmp_path / "t.parquet")
    column = open_table(tmp_path / "t.parquet").columns[0]
    assert (column.unit, column.ucd, column.description) == ("Jy", "phot.flux", "Flux")


def astropy_table() -> Table:
    table = Table()
    table["Name"] = MaskedColumn(["a", "ä  b", "c"], mask=[False, False, True], description="names")
    table["n"] = MaskedColumn(np.array([1, 2, 3], "i4"), mask=[False, True, False])
    table["x"] = np.array([1.5, np.nan, np.inf]) * u.mag
    table["v"] = np.arange(6, dtype="f4").reshape(3, 2)
    table["ok"] = [True, False, True]
    return table


@pytest.mark.parametrize("serialisation", ["tabledata", "binary", "binary2"])
def test_votable(tmp_path: Path, serialisation: str) -> None:
    table = astropy_table()
    table["x"].info.meta = {"ucd": "phot.mag"}
    second = 2 if serialisation == "binary" else None  # BINARY cannot say that an integer is null
    if second:
        table["n"] = np.array([1, 2, 3], "i4")
    table.write(tmp_path / "t.vot", format="votable", tabledata_format=serialisation)
    source = open_table(tmp_path / "t.vot")
    rows = content(source)
    assert types(source) | {"Name": None} == {
        "Name": None,
        "n": ("int", None),
        "x": ("double", None),
        "v": ("float", "2"),
        "ok": ("boolean", None),
    }
    assert rows["Name"][:2] == ["a", "ä  b"]
    assert {name: rows[name] for name in ("n", "x", "v", "ok")} == {
        "n": [1, second, 3],
        "x": [1.5, None, float("inf")],
        "v": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]],
        "ok": [True, False, True],
    }
    assert (source.columns[2].unit, source.columns[0].description) == ("mag", "names")


def test_ecsv_with_times(tmp_path: Path) -> None:
    table = astropy_table()
    table["t"] = Time(["2020-01-02T03:04:05.678901", "2021-01-01T00:00:00", "2022-01-01T00:00:00"], scale="utc", precision=6)
    table.meta["description"] = "About it"
    table.write(tmp_path / "t.ecsv", format="ascii.ecsv")
    source = open_table(tmp_path / "t.ecsv")
    rows = content(source)
    assert source.description == "About it"
    assert rows["t"][0].isoformat() == "2020-01-02T03:04:05.678901"
    assert rows["Name"] == ["a", "ä  b", None]
    assert (rows["n"], rows["v"][2]) == ([1, None, 3], [4.0, 5.0])
    assert {column.name: column.xtype for column in source.columns}["t"] == "timestamp"


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(DataError, match="no ordinary file"):
        open_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match="no ordinary file"):
        open_table(Path("/dev/null"))


def test_names_stay_unless_they_are_twins(tmp_path: Path) -> None:
    source = open_table(write(tmp_path / "t.csv", "a,A,a,,b c\n1,2,3,4,5\n"))
    assert [column.name for column in source.columns] == ["a", "A", "a_2", "col4", "b c"]
    assert len(source.notes) == 2


def test_a_small_parquet_file_that_stands_for_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bounds = Bounds(rows=1_000_000, size=10_000_000)
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["x" * 100_000])
    for column in (text, pa.array([[0.0] * 3_000_000]), pa.array([0.0] * 2_000_000)):
        pq.write_table(pa.table({"a": column}), tmp_path / "t", compression="zstd")
        assert (tmp_path / "t").stat().st_size < 1_000_000
        with pytest.raises(TooLargeError, match=r"t: .* more than"):
            open_table(tmp_path / "t", bounds=bounds)
    pq.write_table(pa.table({"a": text[:50], "v": [[1.5, 2.5]] * 50}), tmp_path / "t")
    assert open_table(tmp_path / "t", bounds=bounds).nrows == 50


PAGES: tuple[dict[str, Any], ...] = (
    {},
    {"compression": "zstd", "row_group_size": 700},
    {"compression": "gzip", "data_page_version": "2.0"},
    {"use_dictionary": False, "data_page_size": 1000, "write_page_checksum": True, "write_page_index": True},
    {"use_dictionary": False, "column_encoding": {"s": "DELTA_BYTE_ARRAY", "n": "DELTA_BINARY_PACKED"}},
)


@pytest.mark.parametrize("options", PAGES)
def test_pages_of_parquet_tell_what_the_footer_does(tmp_path: Path, options: dict[str, Any]) -> None:
    table = pa.table({"n": [1, None, 3] * 1000, "s": ["a", "bb", "c" * 30] * 1000, "v": [[1.5, 2.5], [], None] * 1000, "b": [True] * 3000})
    pq.write_table(table, tmp_path / "t", **options)
    metadata = pq.read_metadata(tmp_path / "t")
    found = list(pages(tmp_path / "t"))
    chunks = [metadata.row_group(group).column(place) for group in range(metadata.num_row_groups) for place in range(metadata.num_columns)]
    claimed = sum(chunk.total_uncompressed_size for chunk in chunks)  # with the headers
    assert sum(page.values for page in found) == sum(chunk.num_values for chunk in chunks)
    assert claimed - 100 * len(found) < sum(page.size for page in found) < claimed
    assert any(page.is_repeating for page in found) == ("column_encoding" in options)


def test_a_parquet_page_that_unpacks_to_much_is_refused_whatever_the_footer_says(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": ["x" * 50_000_000]}), tmp_path / "t", compression="zstd", use_dictionary=False, write_statistics=False)
    assert (tmp_path / "t").stat().st_size < 50_000
    with pytest.raises(TooLargeError, match=r"t: .* more than 10000000 bytes"):
        open_table(tmp_path / "t", bounds=Bounds(rows=10, size=10_000_000))
    pq.write_table(pa.table({"a": ["x"]}), tmp_path / "t", use_dictionary=False, column_encoding={"a": "DELTA_BYTE_ARRAY"})
    with pytest.raises(DataError, match="DELTA_BYTE_ARRAY are not taken"):
        open_table(tmp_path / "t", bounds=Bounds(rows=10, size=10_000_000))
    whole = (tmp_path / "t").read_bytes()
    (tmp_path / "t").write_bytes(whole[:4] + bytes([255] * 8) + whole[12:])
    with pytest.raises(DataError, match="pages cannot be found"):
        open_table(tmp_path / "t", bounds=Bounds(rows=10, size=10_000_000))


def heap(rows: int, code: str, elements: int) -> bytes:
    """A FITS table whose rows all point to the same array."""
    size = elements * (4 if code == "E" else 1)
    cards = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 8, "NAXIS2": rows, "PCOUNT": size, "GCOUNT": 1, "TFIELDS": 1}
    header = fits.Header({**cards, "TTYPE1": "a", "TFORM1": f"1P{code}({elements})"})
    data = np.tile(np.array([elements, 0], ">i4"), rows).tobytes() + b"\x3f" * size
    return (fits.PrimaryHDU().header.tostring() + header.tostring()).encode() + data + bytes(-len(data) % 2880)


@pytest.mark.parametrize("code", "EAB")
def test_rows_of_fits_that_point_to_one_array_are_counted_as_if_each_had_its_own(tmp_path: Path, code: str) -> None:
    (tmp_path / "t").write_bytes(heap(100, code, 300_000))
    with pytest.raises(TooLargeError, match="more than 10000000 bytes"):
        open_table(tmp_path / "t", bounds=Bounds(rows=1000, size=10_000_000))
    batches = list(open_table(tmp_path / "t").batches())
    assert sum(batch.num_rows for batch in batches) == 100
    assert max(batch.nbytes for batch in batches) < 2 * BATCH_BYTES, "of the operator's own files few rows are in memory at a time"


def test_arrays_of_fits_lie_in_the_heap_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "t.fits").write_bytes(heap(3, "B", 8))
    with fits.open(tmp_path / "t.fits", mode="update") as hdus:
        start = hdus[1].fileinfo()["datLoc"]
    whole = bytearray((tmp_path / "t.fits").read_bytes())
    whole[start : start + 24] = np.array([[2, 6], [0, 0], [3, 1]], ">i4").tobytes()
    whole[start + 24 : start + 32] = bytes(range(8))
    (tmp_path / "t.fits").write_bytes(whole)
    assert content(open_table(tmp_path / "t.fits")) == {"a": [[6, 7], [], [1, 2, 3]]}


def samples() -> dict[str, bytes]:
    """A small file of each format that strangers may send."""
    table = Table({"a": np.arange(20), "s": [f"x{n}" for n in range(20)], "v": np.arange(60.0).reshape(20, 3)})
    content = {"csv": b"a,b,c\n" + b"1,2.5,x\n" * 30}
    for name, options in {"fits": {"format": "fits"}, "votable": {"format": "votable", "tabledata_format": "binary2"}}.items():
        file = io.BytesIO()
        table.write(file, **options)
        content[name] = file.getvalue()
    file = io.BytesIO()
    pq.write_table(pa.table({"a": [1, None, 3] * 10, "s": ["a", "bb", None] * 10, "v": [[1.5], [], None] * 10}), file)
    return content | {"parquet": file.getvalue()}


def test_whatever_is_damaged_in_a_file_is_told(tmp_path: Path) -> None:
    """Never another error than ours, and never the end of the process, which Arrow knows for some footers of Parquet."""
    dice = np.random.default_rng(1)
    bounds = Bounds(rows=100_000, size=50_000_000)
    told = 0
    for whole in samples().values():
        for _ in range(150):
            damaged = bytearray(whole)
            for _ in range(dice.integers(1, 6)):
                damaged[-int(dice.integers(1, min(len(damaged), 4000)))] = int(dice.integers(256))
            (tmp_path / "t").write_bytes(damaged)
            try:
                source = open_table(tmp_path / "t", bounds=bounds)
                pa.Table.from_batches(list(source.batches()), source.schema).validate(full=True)
            except VoError:
                told += 1
    assert told > 100
