"""HDF5 and ROOT files → columns and batches, as h5py, astropy, PyTables, pandas, vaex and uproot write them."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import uproot
from astropy.table import Column, MaskedColumn, Table
from astropy.time import Time
from readers_kit import content, types

from vo_server.errors import DataError
from vo_server.formats.readers import Bounds, Source, open_table
from vo_server.publish import PublishOptions, rehearse
from vo_server.publish.check import check
from vo_server.publish.draft import draft

ROWS = 200_000


def said(source: Source) -> dict[str, tuple[str | None, str | None, str | None]]:
    return {column.name: (column.unit, column.ucd, column.description) for column in source.columns}


def test_hdf5_records(tmp_path: Path) -> None:
    kind = np.dtype(
        [
            ("id", ">i8"),
            ("energy", "f4"),
            ("name", "S6"),
            ("text", h5py.string_dtype()),
            ("cov", "f8", (2, 3)),
            ("hits", h5py.vlen_dtype("i4")),
            ("good", "?"),
            ("kind", h5py.enum_dtype({"GAMMA": 0, "PROTON": 101})),
            ("at", [("x", "f4"), ("y", "f4")]),
            ("amplitude", "c16"),
            ("big", "u8"),
        ]
    )
    rows = np.zeros(3, kind)
    rows["id"], rows["energy"], rows["good"], rows["kind"] = [1, 2, 3], [0.5, np.nan, 2.5], [True, False, True], [0, 101, 0]
    rows["name"], rows["text"] = [b"a", b"bb", b""], ["α Ori", "b", ""]
    rows["cov"] = np.arange(18).reshape(3, 2, 3)
    rows["at"]["y"], rows["big"] = [7, 8, 9], [1, 2, 2**63 - 1]
    for place, hits in enumerate(([1, 2], [], [3])):
        rows["hits"][place] = np.array(hits, "i4")
    with h5py.File(tmp_path / "events.h5", "w") as file:
        file["dl3/events"] = rows
        file["dl3/events"].attrs.update({"TITLE": "Events", "CTAFIELD_1_UNIT": "TeV", "CTAFIELD_1_DESC": "Energy", "id_UCD": "meta.id"})
        file["bins"] = np.arange(4.0)
    source = open_table(tmp_path / "events.h5")
    assert (source.name, source.other_tables, source.title, source.nrows) == ("/dl3/events", ("/",), "Events", 3)
    assert source.notes == ("amplitude was left out: complex numbers have no place in a TAP table",)
    assert types(source) == {
        "id": ("long", None),
        "energy": ("float", None),
        "name": ("char", "*"),
        "text": ("unicodeChar", "*"),
        "cov": ("double", "3x2"),
        "hits": ("int", "*"),
        "good": ("boolean", None),
        "kind": ("unsignedByte", None),
        "at_x": ("float", None),
        "at_y": ("float", None),
        "big": ("long", None),
    }
    assert said(source)["energy"] == ("TeV", None, "Energy")
    assert said(source)["id"] == (None, "meta.id", None)
    assert said(source)["kind"] == (None, None, "(0 GAMMA, 101 PROTON)")
    values = content(source)
    assert values["energy"] == [0.5, None, 2.5]
    assert values["text"] == ["α Ori", "b", ""]
    assert values["cov"][1] == [6, 7, 8, 9, 10, 11]
    assert values["hits"] == [[1, 2], [], [3]]
    assert values["at_y"] == [7, 8, 9]
    assert values["big"][2] == 2**63 - 1


def test_hdf5_unsigned_beyond_a_long_names_row_and_column(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "big.h5", "w") as file:
        file["t"] = np.array([(1,), (2**63,)], [("n", "u8")])
    with pytest.raises(DataError, match=r"big\.h5: row 2, column n: 9223372036854775808 does not fit"):
        open_table(tmp_path / "big.h5")


def test_hdf5_groups_of_datasets_in_slices(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "columns.h5", "w") as file:
        group = file.create_group("sky/stars")
        group.create_dataset("ra", data=np.arange(ROWS) / 1000.0, chunks=(7001,), compression="gzip").attrs["units"] = "deg"
        group["dec"] = np.zeros((ROWS, 2), "f4")
        group["dec"].attrs["long_name"] = "Two of them"
        group["edges"] = np.arange(5.0)
        group["gone"] = h5py.SoftLink("/nowhere")
    source = open_table(tmp_path / "columns.h5", "sky/stars")
    assert source.notes == ("edges was left out: it has 5 rows, and the others 200,000",)
    assert said(source) == {"dec": (None, None, "Two of them"), "ra": ("deg", None, None)}
    sizes = [batch.num_rows for batch in source.batches()]
    assert len(sizes) > 2
    assert all(size % 7001 == 0 for size in sizes[:-1])
    assert content(source)["ra"] == (np.arange(ROWS) / 1000.0).tolist()


def test_hdf5_of_astropy(tmp_path: Path) -> None:
    table = Table({"ra": Column([1.0, 2.0], unit="deg", description="Right ascension", meta={"ucd": "pos.eq.ra"}), "name": ["a", "é"]})
    table.meta["description"] = "Two stars"
    table.write(tmp_path / "plain.h5", path="cat/stars", serialize_meta=True)
    source = open_table(tmp_path / "plain.h5")
    assert (source.name, source.other_tables, source.description) == ("/cat/stars", (), "Two stars")
    assert said(source)["ra"] == ("deg", "pos.eq.ra", "Right ascension")
    assert content(source) == {"ra": [1.0, 2.0], "name": ["a", "é"]}


def test_hdf5_of_astropy_with_times_and_masks(tmp_path: Path) -> None:
    table = Table({"n": MaskedColumn([1, 2], mask=[False, True]), "t": Time(["2020-01-01", "2021-01-01"], scale="utc")})
    table.write(tmp_path / "objects.h5", path="t", serialize_meta=True)
    values = content(open_table(tmp_path / "objects.h5"))
    assert values["n"] == [1, None]
    assert [time.year for time in values["t"]] == [2020, 2021]


def test_hdf5_of_pandas(tmp_path: Path) -> None:
    """As pandas 2 and PyTables 3.10 write a frame of two numbers, a text and an instant."""
    kind = np.dtype([("index", "i8"), ("values_block_0", "f8", (2,)), ("values_block_1", "S3", (1,)), ("values_block_2", "i8", (1,))])
    rows = np.zeros(2, kind)
    rows["values_block_0"] = [[1, 2], [3, 4]]
    rows["values_block_1"] = [[b"a"], [b"nan"]]
    rows["values_block_2"] = [[1_577_836_800_000_000_000], [np.iinfo("i8").min]]
    with h5py.File(tmp_path / "frames.h5", "w") as file:
        table = file.create_group("table")
        table.attrs.update(
            {"pandas_type": np.bytes_("frame_table"), "non_index_axes": np.bytes_(b"(lp0\n(I1\n(lp1\nVname\naVra\naVdec\naVt\natp7\na.")}
        )
        table["table"] = rows
        table["_i_table/index/bounds"] = np.zeros((2, 3))
        for block, names in enumerate((b"(lp0\nVra\np1\naVdec\np2\na.", b"(lp0\nVname\np1\na.", b"(lp0\nVt\np1\na.")):
            table["table"].attrs[f"values_block_{block}_kind"] = np.bytes_(names)
        table["table"].attrs["values_block_1_nan_rep"] = np.bytes_("nan")
        table["table"].attrs["values_block_2_dtype"] = np.bytes_("datetime64[ns]")
        fixed = file.create_group("fixed")
        fixed.attrs.update({"pandas_type": np.bytes_("frame"), "nblocks": 1})
        fixed["axis0"], fixed["axis1"] = np.array([b"dec", b"ra"]), np.arange(2)
        fixed["block0_items"], fixed["block0_values"] = np.array([b"ra", b"dec"]), np.array([[1.0, 2.0], [3.0, 4.0]])
    source = open_table(tmp_path / "frames.h5", "table")
    values = content(source)
    assert list(values) == ["index", "name", "ra", "dec", "t"]
    assert (values["ra"], values["dec"], values["name"]) == ([1, 3], [2, 4], ["a", None])
    assert (values["t"][0].year, values["t"][1]) == (2020, None)
    assert set(source.other_tables) == {"/fixed"}
    assert content(open_table(tmp_path / "frames.h5", "/fixed")) == {"index": [0, 1], "dec": [2, 4], "ra": [1, 3]}


def test_hdf5_of_vaex(tmp_path: Path) -> None:
    texts = [b"a", b"", "é".encode(), b"dd"]
    with h5py.File(tmp_path / "vaex.hdf5", "w") as file:
        file.create_group("table").attrs["type"] = "table"
        columns = file.create_group("table/columns")
        columns["ra/data"] = np.arange(4.0)
        columns["ra"].attrs.update({"unit": "deg", "ucd": "pos.eq.ra"})
        columns["n/data"], columns["n/mask"] = np.arange(4), np.array([False, True, False, False])
        columns["name/data"] = np.frombuffer(b"".join(texts), "u1")
        columns["name/indices"] = np.cumsum([0, *map(len, texts)])
        columns["name/null_bitmap"] = np.array([0b1101], "u1")
    source = open_table(tmp_path / "vaex.hdf5")
    assert said(source)["ra"] == ("deg", "pos.eq.ra", None)
    assert content(source) == {"n": [0, None, 2, 3], "name": ["a", None, "é", "dd"], "ra": [0, 1, 2, 3]}


def test_root_trees(tmp_path: Path) -> None:
    counts = np.arange(ROWS) % 3
    with uproot.recreate(tmp_path / "events.root") as file:
        kinds = {"run": "int32", "e": "float64", "ok": "bool", "m": ("float32", (2, 3)), "hits": "var * float32"}
        tree = file.mktree("dir/events", kinds, title="Events of a run")
        import awkward

        rows = {"run": np.arange(ROWS, dtype="i4"), "e": np.arange(ROWS) / 8, "ok": np.arange(ROWS) % 2 == 0}
        tree.extend({**rows, "m": np.ones((ROWS, 2, 3), "f4"), "hits": awkward.unflatten(np.full(counts.sum(), 1.5, "f4"), counts)})
        file.mkrntuple("names", {"s": awkward.Array(["a", "é"]), "nested": awkward.Array([[[1]], [[2], [3]]])})
    source = open_table(tmp_path / "events.root")
    assert (source.name, source.title, source.nrows, source.other_tables) == ("dir/events", "Events of a run", ROWS, ("names",))
    assert types(source) == {
        "run": ("int", None),
        "e": ("double", None),
        "ok": ("boolean", None),
        "m": ("float", "3x2"),
        "nhits": ("int", None),
        "hits": ("float", "*"),
    }
    assert sum(1 for _ in source.batches()) > 2
    values = content(source)
    assert values["run"] == list(range(ROWS))
    assert values["e"] == (np.arange(ROWS) / 8).tolist()
    assert values["hits"] == [[1.5] * count for count in counts]
    names = open_table(tmp_path / "events.root", "names")
    assert content(names) == {"s": ["a", "é"]}
    assert names.notes == ("nested was left out: nested lists have no place in a TAP table.",)


@pytest.mark.parametrize("ending", ["h5", "root"])
def test_a_table_that_is_not_there_and_one_that_is_damaged(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"file.{ending}"
    if ending == "h5":
        with h5py.File(path, "w") as file:
            file["a/events"] = np.arange(5000, dtype="f8").view([("x", "f8")])
            file["b/events"] = np.arange(5000, dtype="f8").view([("x", "f8")])
    else:
        with uproot.recreate(path) as file:
            file.mktree("a/events", {"x": "f8"}).extend({"x": np.random.default_rng(1).random(5000)})
            file.mktree("b/events", {"x": "f8"}).extend({"x": np.random.default_rng(1).random(5000)})
    with pytest.raises(DataError, match=r"no table 'c/events'") as refused:
        open_table(path, "c/events")
    assert "a/events" in str(refused.value)
    assert "b/events" in str(refused.value)
    cut = tmp_path / f"cut.{ending}"
    cut.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DataError, match=rf"cut\.{ending}"):
        content(open_table(cut, "b/events"))


@pytest.mark.parametrize(("begins", "library", "extra"), [(b"\x89HDF\r\n\x1a\n", "h5py", "hdf5"), (b"root", "uproot", "root")])
def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins: bytes, library: str, extra: str) -> None:
    path = tmp_path / "file.dat"
    path.write_bytes(begins + b"\0" * 600)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DataError, match=f"{library}, which is not installed.*\\[{extra}\\]"):
        open_table(path)


@pytest.mark.parametrize("begins", [b"\x89HDF\r\n\x1a\n", b"root"])
def test_strangers_may_not_send_them(tmp_path: Path, begins: bytes) -> None:
    path = tmp_path / "upload"
    path.write_bytes(begins + b"\0" * 600)
    with pytest.raises(DataError, match="none of the formats") as refused:
        open_table(path, bounds=Bounds(1000, 1000))
    assert "HDF5" not in str(refused.value)


def test_draft_check_and_rehearsal(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "stars.h5", "w") as file:
        for name in ("one", "two"):
            group = file.create_group(name)
            group["ra"], group["dec"], group["mag"] = np.array([10.0, 20.0]), np.array([-1.0, 2.0]), np.array([1.0, 2.0])
    text = draft(tmp_path / "stars.h5", PublishOptions(part="two"))
    assert 'part = "two"' in text
    (tmp_path / "stars.toml").write_text(text)
    assert not [finding for finding in check(tmp_path / "stars.toml") if finding.is_fault]
    rehearsed = rehearse(tmp_path / "stars.toml", PublishOptions())
    assert (rehearsed.table, rehearsed.rows) == ("data.stars", 2)
    (tmp_path / "stars.toml").write_text(text.replace('part = "two"', 'part = "three"'))
    assert "Tables are: /one, /two" in "".join(str(finding) for finding in check(tmp_path / "stars.toml"))
