"""Descriptors of DaCHS, written from the language's documentation: each is taken over, or what is not is said."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vo_server.dachs import Fate, Imported, Surroundings, import_rd
from vo_server.errors import DataError, VoError
from vo_server.observations.descriptor import CollectionDescriptor
from vo_server.publish.descriptor import Descriptor

FOLDER = Path(__file__).parent.parent / "golden" / "dachs"
CASES = sorted(FOLDER.glob("*.rd"))
SAID = {"withheld": Fate.WITHHELD, "lost": Fate.LOST, "covered": Fate.COVERED}


def imported(text: str | bytes, around: Surroundings | None = None, **options: bool) -> Imported:
    return import_rd(text.encode() if isinstance(text, str) else text, "q.rd", around, **options)


def at(content: Any, path: str) -> Any:
    for part in path.split("|" if "|" in path else "."):
        content = content.get(part) if isinstance(content, dict) else content[int(part)] if content is not None else None
    return content


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_descriptor_becomes_what_its_comment_says(path: Path) -> None:
    text = path.read_bytes()
    expected = tomllib.loads(text.decode().partition("<!--")[2].partition("-->")[0])
    error = expected.pop("error", None)
    if error is not None:
        with pytest.raises(DataError, match=re.escape(error)):
            imported(text)
        return
    made = imported(text, **{key: expected.pop(key, False) for key in ("with_restricted", "in_place")})
    content = tomllib.loads(made.text)
    if made.tables:
        Descriptor.model_validate(content)
    for name, collection in made.collections.items():
        CollectionDescriptor.model_validate(tomllib.loads(collection)).said(name)
        content[name] = tomllib.loads(collection)
    assert list(made.tables) == expected.pop("tables", ["main"])
    assert list(made.collections) == expected.pop("collections", [])
    for key, fate in SAID.items():
        said = [f"{remark.what}: {remark.message}" for remark in made.of(fate)]
        for piece in expected.pop(key, []):
            assert any(piece in one for one in said), said
    assert [where for where in expected.pop("absent", []) if at(content, where) is not None] == []
    assert {where: at(content, where) for where in expected} == expected


def test_there_are_fifty_and_more() -> None:
    assert len(CASES) >= 50


def test_what_is_not_taken_over_stands_at_the_head_of_the_file() -> None:
    for path in CASES:
        if b"error =" in path.read_bytes().partition(b"-->")[0]:
            continue
        made = imported(path.read_bytes())
        for text in (made.text, *made.collections.values()):
            for remark in made.remarks if text else ():
                assert f"# * {' '.join(str(remark).split())}" in text


SOURCES = "<sources>x</sources>"
MAKE = '<make table="main"/>'
TABLE = '<table id="main" onDisk="True" adql="True"><column name="a"/></table>'


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (f"<data>{SOURCES}<fitsProdGrammar/>{MAKE}</data>", "`vo publish-images DIR`"),
        (f"<data>{SOURCES}<embeddedGrammar/>{MAKE}</data>", "rows are made by Python code"),
        (f"<data>{SOURCES}<dictlistGrammar/>{MAKE}</data>", "rows come from Python code"),
        (f"<data>{SOURCES}<directGrammar/>{MAKE}</data>", "rows are made by a C program"),
        (f"<data>{SOURCES}<oddGrammar/>{MAKE}</data>", "this grammar is not known"),
        (f"<data>{SOURCES}<reGrammar fieldSep='[ab]+' names='a'/>{MAKE}</data>", "regular expression [ab]+"),
        (f"<data>{SOURCES}<reGrammar recordSep='END' names='a'/>{MAKE}</data>", "rows are found by regular expressions"),
        (f"<data>{SOURCES}<reGrammar/>{MAKE}</data>", "it names no columns"),
        (f"<data>{SOURCES}<columnGrammar colDefs='a:b'/>{MAKE}</data>", "the places of the columns are not understood: a:b"),
        (f"<data><csvGrammar/>{MAKE}</data>", "it names no sources"),
        (
            f"<data><sources>\\getConfig{{inputsDir}}/x</sources><csvGrammar/>{MAKE}</data>",
            "only DaCHS knows what \\getConfig{inputsDir} is",
        ),
        (f"<data>{SOURCES}{MAKE}</data>", "it has no grammar"),
        (f'<data>{SOURCES}<csvGrammar/><make table="main" rowSource="parameters"/></data>', "its rows are the parameters of files"),
        (f'<data>{SOURCES}<csvGrammar/><make table="other"/></data>', "the table other is not in this descriptor"),
        (f'<data>{SOURCES}<csvGrammar/><make table="main"><rowmaker idmaps="b"/></make></data>', "main: nothing of the file goes into it"),
        ("", "main: no <data> makes its rows"),
    ],
)
def test_what_leaves_no_table_says_why(data: str, why: str) -> None:
    made = imported(f'<resource schema="sky">{TABLE}{data}</resource>')
    assert made.tables == ()
    assert made.text == ""
    assert any(why in str(remark) for remark in made.of(Fate.LOST)), made.remarks


STREAM = '<STREAM id="s%d"><LOOP listItems="%s"><events><FEED source="s%d"/></events></LOOP></STREAM>'
STREAMS = "".join(STREAM % (number, "x " * 60, number + 1) for number in range(5))
MACRO = '<macDef name="mm%d">%s</macDef>'
MACROS = MACRO % (0, "x") + "".join(MACRO % (number, f"\\mm{number - 1}" * 40) for number in range(1, 9))
ENTITY = '<!ENTITY e%d "%s">'
ENTITIES = ENTITY % (0, "x" * 1000) + "".join(ENTITY % (number, f"&e{number - 1};" * 10) for number in range(1, 9))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("plain text", "q.rd: this is not XML: line 1, column 1: Start tag expected"),
        ("<resource>\n <meta>\n</resource>", "line 3, column 1[0-9]: Opening and ending tag mismatch"),
        ("<resource>\n<a b='&x;'/></resource>", "line 2, column [0-9]+: Entity 'x' not defined"),
        ("<a/>", "line 1: the root is <a>"),
        ('\n<!DOCTYPE resource [<!ENTITY x SYSTEM "file:///etc/passwd">]><resource>&x;</resource>', "line 2: there is a document type"),
        ("<resource>" + "<a>" * 120 + "</a>" * 120 + "</resource>", "nested too deeply"),
        ('<resource><STREAM id="aa"><FEED source="aa"/></STREAM><FEED source="aa"/></resource>', "line 1: q#aa feeds itself"),
        (f'<resource>{STREAMS}<STREAM id="s5"><meta/></STREAM><FEED source="s0"/></resource>', "more than 200,000 elements"),
        (f"<resource>{MACROS}<meta name='title'>\\mm8</meta></resource>", "make a text of more than 1,048,576 characters"),
        (f"<resource>{'<!-- x -->' * 4_000_000}</resource>", "more than 32 megabytes"),
    ],
)  # fmt: skip
def test_what_is_no_descriptor_is_refused_with_its_place(text: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        imported(text)


def test_a_bomb_of_entities_does_not_go_off() -> None:
    for inside in ("&e8;", '<meta name="&e8;"/>'):
        with pytest.raises(DataError, match=r"document type|[Ee]ntity"):
            imported(f'<?xml version="1.0"?><!DOCTYPE resource [{ENTITIES}]><resource>{inside}</resource>')


@pytest.mark.parametrize(
    "inside",
    [
        '<data>%s<columnGrammar colDefs="{long}"/>%s</data>',
        '<data>%s<csvGrammar/><make table="main"><rowmaker simplemaps="{long}"/></make></data>%s',
        "<data>%s<csvGrammar/>%s</data><meta name='title'>{macros}</meta>",
    ],
)
def test_long_texts_take_no_longer_than_reading_them(inside: str) -> None:
    data = (inside % (SOURCES, MAKE)).format(long="a" * 300_000, macros="\\aa{" * 100_000)
    imported(f'<resource schema="sky">{TABLE}{data}</resource>')


TAGS = sorted({tag for path in CASES for tag in re.findall(r"<([A-Za-z]+)", path.read_text())} | {"x"})
KEYS = sorted({key for path in CASES for key in re.findall(r"([A-Za-z]+)=\"", path.read_text())})
WORDS = sorted({word for path in CASES for word in re.findall(r"=\"([^\"<&]*)\"", path.read_text())})
TEXT = st.one_of(st.sampled_from(WORDS), st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=20))
ATTRIBUTES = st.dictionaries(st.sampled_from(KEYS), TEXT, max_size=4)
ELEMENT = st.recursive(
    st.tuples(st.sampled_from(TAGS), ATTRIBUTES, TEXT, st.just([])),
    lambda inner: st.tuples(st.sampled_from(TAGS), ATTRIBUTES, TEXT, st.lists(inner, max_size=5)),
    max_leaves=25,
)


def xml(element: Any) -> str:
    def escaped(text: str) -> str:
        return "".join(f"&#{ord(sign)};" if sign in "<>&\"'" or not 32 <= ord(sign) < 127 else sign for sign in text)

    tag, attributes, text, children = element
    pairs = "".join(f' {key}="{escaped(value)}"' for key, value in attributes.items())
    return f"<{tag}{pairs}>{escaped(text)}{''.join(map(xml, children))}</{tag}>"


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYS), TEXT, max_size=3), st.lists(ELEMENT, max_size=8), st.booleans())
def test_any_elements_become_a_descriptor_or_an_error_of_ours(
    attributes: dict[str, str], children: list[Any], with_restricted: bool
) -> None:
    try:
        made = imported(xml(("resource", attributes, "", children)), with_restricted=with_restricted)
    except VoError:
        return
    if made.tables:
        Descriptor.model_validate(tomllib.loads(made.text))


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(CASES), st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=6)), min_size=1, max_size=4))
def test_any_bytes_become_a_descriptor_or_an_error_of_ours(path: Path, changes: list[tuple[int, bytes]]) -> None:
    content = path.read_bytes()
    for place, put in changes:
        place %= len(content) + 1
        content = content[:place] + put + content[place + len(put) // 2 :]
    try:
        imported(content)
    except VoError:
        return


FILES = Surroundings("sky/q", lambda pattern, recurse: ["d/1.csv", "d/2.csv"], lambda table: ["ID", "RA", "Dec", "secret"])


def test_the_files_settle_what_columns_are_called() -> None:
    made = imported((FOLDER / "plain.rd").read_text().replace("data.csv", "d/*.csv"), FILES)
    content = tomllib.loads(made.text)
    assert content["table"]["source"] == "d/1.csv"
    assert set(content["columns"]) == {"ID", "RA", "Dec"}
    assert content["columns"]["RA"]["name"] == "ra"
    assert content["table"]["only_described"] is True
    assert any("there are 2 files, of which this takes d/1.csv" in str(remark) for remark in made.of(Fate.LOST))


def test_what_is_called_up_from_a_descriptor_beside_it_is_written_out() -> None:
    aux = b"""<resource schema="sky">
      <STREAM id="mags"><LOOP listItems="B V"><events><column name="mag\\item" unit="mag"/></events></LOOP></STREAM>
      <mixinDef id="flux"><mixinPar key="band">R</mixinPar><events><column name="flux\\band" unit="Jy"/></events></mixinDef>
      <table id="other"><column name="z" ucd="src.redshift"/></table></resource>"""
    around = Surroundings("sky/q", descriptor=lambda rd_id: aux if rd_id == "sky/aux" else None)
    text = """<resource schema="sky"><table id="main" onDisk="True" adql="True">
        <FEED source="sky/aux#mags"><EDIT ref="column[magV]" description="Visual"/></FEED><mixin band="K">sky/aux#flux</mixin>
        <column original="sky/aux#other.z" description="Redshift"/><FEED source="away/q#x"/>
      </table><data><sources>d.csv</sources><csvGrammar/><make table="main"/></data></resource>"""
    made = imported(text, around)
    columns = tomllib.loads(made.text)["columns"]
    assert columns == {
        "magB": {"unit": "mag"},
        "magV": {"unit": "mag", "description": "Visual"},
        "fluxK": {"unit": "Jy"},
        "z": {"ucd": "src.redshift", "description": "Redshift"},
    }
    assert [str(remark) for remark in made.of(Fate.LOST)] == [
        "line 3: <FEED>: away/q#x: it is defined elsewhere: write its columns into the descriptor"
    ]


def test_what_is_said_of_several_elements_is_said_once() -> None:
    columns = "\n".join(f'<column name="x{n}"><values min="1"/></column>' for n in range(9))
    made = imported(f'<resource schema="a"><table id="main" onDisk="True" adql="True">{columns}</table>'
                    f'<data>{SOURCES}<csvGrammar/>{MAKE}</data></resource>')  # fmt: skip
    lines = [remark.lines for remark in made.of(Fate.LOST) if remark.what == "<values>"]
    assert lines == [tuple(range(1, 10))]
    assert any("lines 1, 2, 3, 4, 5, 6, …: <values>" in str(remark) for remark in made.remarks)
