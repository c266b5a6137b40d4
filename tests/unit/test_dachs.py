"""Descriptors of DaCHS, written from the language's documentation: each is taken over, or what is not is said."""

# ruff: noqa: E501 — a descriptor is read more easily on one line

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from vo_server.dachs import DataFiles, Imported, import_rd
from vo_server.errors import DataError
from vo_server.publish.descriptor import Descriptor

COLUMNS = '<column name="id" type="text"/><column name="ra" ucd="pos.eq.ra;meta.main" unit="deg"/><column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/>'
MAKE = '<make table="main"><rowmaker idmaps="*"/></make>'
CSV = f'<data id="import"><sources>data.csv</sources><csvGrammar/>{MAKE}</data>'
TABLE = f'<table id="main" onDisk="True" adql="True">{COLUMNS}</table>'


def rd(head: str = "", table: str = TABLE, data: str = CSV, tail: str = "", schema: str = "sky") -> str:
    return f'<resource schema="{schema}">{head}{table}{data}{tail}</resource>'


def of_table(inside: str, attributes: str = "") -> str:
    return rd(table=f'<table id="main" onDisk="True" adql="True" {attributes}>{COLUMNS}{inside}</table>')


def of_grammar(grammar: str, source: str = "data.txt") -> str:
    return rd(data=f"<data><sources>{source}</sources>{grammar}{MAKE}</data>")


def of_maker(maker: str, columns: str = COLUMNS) -> str:
    table = f'<table id="main" adql="True">{columns}</table>'
    return rd(table=table, data=f'<data><sources pattern="data.csv"/><csvGrammar/><make table="main">{maker}</make></data>')


def imported(text: str, files: DataFiles | None = None) -> Imported:
    return import_rd(text.encode(), "q.rd", *([files] if files else []))


@dataclass
class Case:
    """`keys`: dotted path into the TOML → value (None: not there); `said`: pieces of what is reported as lost."""

    name: str
    text: str
    keys: Mapping[str, Any]
    said: Sequence[str] = ()


NAMES = ["a", "b", "c"]
CASES = [
    Case("plain", rd(), {"resource.schema": "sky", "resource.name": "sky", "table.name": "main", "table.source": "data.csv", "table.ra": "ra"}),
    Case(
        "metadata as elements",
        rd('<meta name="title">A  sky\n survey</meta><meta name="description">One.\n\n  Two\n  lines.</meta><meta name="subject">stars, galaxies</meta>'),
        {"resource.title": "A sky survey", "resource.description": "One.\n\nTwo lines.", "resource.subjects": ["stars", "galaxies"]},
    ),
    Case(
        "metadata as lines",
        rd("<meta>title: Sky\nsubject: stars\nsubject: neutrinos\ndescription: It goes \\\n  on.\n</meta>"),
        {"resource.title": "Sky", "resource.subjects": ["stars", "neutrinos"], "resource.description": "It goes on."},
    ),
    Case(
        "creators in one text",
        rd('<meta name="creator">Abbasi, R.; Ackermann, M.;</meta>'),
        {"resource.creators": ["Abbasi, R.", "Ackermann, M."]},
    ),
    Case(
        "creators with identifiers",
        rd(
            '<meta name="creator"><meta name="name">Abbasi, R.</meta><meta name="altIdentifier">https://orcid.org/0000-0001-6141-4205</meta></meta>'
            '<meta name="creator.name">Other, A.</meta>'
        ),
        {"resource.creators": [{"name": "Abbasi, R.", "orcid": "0000-0001-6141-4205"}, "Other, A."]},
    ),
    Case(
        "instruments, wavebands, kinds",
        rd(
            '<meta name="instrument">LAT</meta><meta name="facility">Fermi</meta><meta name="coverage"><meta name="waveband">Gamma-ray</meta></meta>'
            '<meta name="contentLevel">Research</meta><meta name="content.type">Survey</meta>'
        ),
        {"resource.instrument": ["LAT"], "resource.facility": ["Fermi"], "resource.waveband": ["Gamma-ray"], "resource.type": ["Survey"]},
    ),
    Case("a bibcode", rd('<meta name="source">see 2023ApJS..269...25A</meta>'), {"resource.source": "2023ApJS..269...25A"}),
    Case(
        "a DOI as source", rd('<meta name="source">https://doi.org/10.1234/abc.d</meta>'), {"resource.doi": "10.1234/abc.d", "resource.source": None}
    ),
    Case("a source that is none", rd('<meta name="source">in prep.</meta>'), {"resource.source": None}, ["'in prep.' is neither a bibcode nor a DOI"]),
    Case(
        "a licence as metadata",
        rd('<meta name="rights">CC BY 4.0</meta><meta name="rights.rightsURI">https://creativecommons.org/licenses/by/4.0/</meta>'),
        {"resource.rights": "CC BY 4.0", "resource.rights_uri": "https://creativecommons.org/licenses/by/4.0/"},
    ),
    Case(
        "a licence as stream",
        rd('<FEED source="//procs#license-cc0" what="the sky"/>'),
        {"resource.rights": "CC0 1.0", "resource.rights_uri": "https://creativecommons.org/publicdomain/zero/1.0/"},
    ),
    Case("a licence as macro", rd('<meta name="copyright">\\RSTccbysa{the sky}</meta>'), {"resource.rights": "CC BY-SA 4.0"}),
    Case(
        "names and addresses",
        rd('<meta name="shortName">sky cone</meta><meta name="referenceURL">https://example.org/sky</meta>'),
        {"resource.short_name": "sky cone", "resource.reference_url": "https://example.org/sky"},
    ),
    Case(
        "a long short name",
        rd('<meta name="shortName">a name that is rather long</meta>'),
        {"resource.short_name": None},
        ["more than the 16 characters"],
    ),
    Case("a relative address", rd('<meta name="referenceURL">/sky/q</meta>'), {"resource.reference_url": None}, ["'/sky/q' is no address"]),
    Case("what nobody has filled in", rd('<meta name="title">%title%</meta>'), {"resource.title": None}, ["nobody has filled it in yet"]),
    Case("metadata without a key", rd('<meta name="_longdoc" format="rst">Much</meta>'), {}, ['<meta name="_longdoc">: there is no key for it']),
    Case(
        "a macro of the installation",
        rd('<meta name="description">See \\internallink{sky/q}.</meta>'),
        {"resource.description": None},
        ["only DaCHS knows what \\internallink{sky/q} is"],
    ),
    Case(
        "macros that are known",
        rd('<macDef name="who">us</macDef><meta name="title">Of \\who</meta><meta name="description">\\metaString{title}, \\schema, \\rdId</meta>'),
        {"resource.title": "Of us", "resource.description": "Of us, sky, q"},
    ),
    Case("a schema with capitals", rd(schema="My-Sky"), {"resource.schema": "my_sky"}, ["is called my_sky"]),
    Case("a reserved schema", rd(schema="public"), {"resource.schema": None}, ["the schema public is reserved here"]),
    Case(
        "values as elements",
        rd(table="<table><id>main</id><adql>True</adql><column><name>id</name><unit>km</unit><description>An  id</description></column></table>"),
        {"columns.id.unit": "km", "columns.id.description": "An id"},
    ),
    Case(
        "units, UCDs, utypes, headings",
        of_table('<column name="flux" unit="ph cm-2 s-1" ucd="phot.flux" utype="a:b" tablehead="Flux"/>'),
        {
            "columns.flux.unit": "photon.s**-1.cm**-2",
            "columns.flux.ucd": "phot.flux",
            "columns.flux.utype": "a:b",
            "columns.flux.description": "Flux",
        },
    ),
    Case("a unit that is none", of_table('<column name="x" unit="degres"/>'), {"columns.x": None}, ["'degres' is no unit of VOUnits; 'deg'?"]),
    Case("a UCD that is none", of_table('<column name="x" ucd="not a ucd"/>'), {"columns.x": None}, ["'not a ucd' is no UCD"]),
    Case(
        "notes",
        of_table('<column name="x" description="X." note="1"/><meta name="note" tag="1">Rough.</meta>'),
        {"columns.x.description": "X. Note: Rough."},
    ),
    Case("quoted names", of_table('<column name="quoted/My Col" unit="m"/>'), {"columns.My Col.unit": "m"}),
    Case("another table's column", rd(
        table=f'<table id="other"><column name="x" unit="m" description="X"/></table><table id="main" adql="True">{COLUMNS}<column original="other.x" description="Y"/></table>'
    ), {"columns.x.unit": "m", "columns.x.description": "Y"}, ["other: no <data> makes its rows"]),
    Case("a whole other table", rd(
        table=f'<table id="other">{COLUMNS}</table><table id="main" original="other" adql="True"><column name="x" unit="m"/></table>'
    ), {"table.ra": "ra", "columns.x.unit": "m"}),
    Case("a column from elsewhere", of_table('<column original="//obscore#main.s_ra"/>'), {}, ["it copies //obscore#main.s_ra, which is not in this descriptor"]),
    Case("a loop over words", of_table('<LOOP listItems="B V"><events><column name="mag\\item" unit="mag" description="In \\item"/></events></LOOP>'),
         {"columns.magB.description": "In B", "columns.magV.unit": "mag"}),
    Case("a loop over rows", of_table('<LOOP><csvItems>\n  band,what\n  u, near UV\n  g, green\n</csvItems><events><column name="m_\\band" description="\\what"/></events></LOOP>'),
         {"columns.m_u.description": "near UV", "columns.m_g.description": "green"}),
    Case("a loop over Python", of_table("<LOOP><codeItems>yield {'item': 1}</codeItems><events><column name='x'/></events></LOOP>"), {}, ["its items come from Python code"]),
    Case("a stream", rd(head='<STREAM id="mags"><doc>Some</doc><DEFAULTS of="stars"/><column name="\\band" description="\\band of \\of"/></STREAM>',
                        table=f'<table id="main" adql="True">{COLUMNS}<FEED source="mags" band="V"/></table>'), {"columns.V.description": "V of stars"}),
    Case("a stream changed", rd(head='<STREAM id="s"><column name="x"/><column name="y" unit="m"/></STREAM>',
                        table=f'<table id="main" adql="True">{COLUMNS}<FEED source="s"><PRUNE name="x"/><EDIT ref="column[y]" description="Y" unit="km"/></FEED></table>'),
         {"columns.x": None, "columns.y.unit": "km", "columns.y.description": "Y"}),
    Case("a stream from elsewhere", of_table('<FEED source="other/q#s"/>'), {}, ["other/q#s is defined elsewhere"]),
    Case("a mixin of one's own", rd(head='<mixinDef id="flux"><mixinPar name="band">V</mixinPar><events><column name="f_\\band" unit="Jy"/></events></mixinDef>',
                        table=f'<table id="main" adql="True" mixin="flux">{COLUMNS}<mixin band="B">flux</mixin></table>'),
         {"columns.f_V.unit": "Jy", "columns.f_B.unit": "Jy"}),
    Case("position indexes", of_table("<mixin>//scs#pgs-pos-index</mixin>", 'mixin="//scs#q3cindex"'), {"table.dec": "dec"}),
    Case("images", of_table('<mixin calibLevel="2">//siap#pgs</mixin><mixin>//obscore#publishSIAP</mixin>'), {}, ["`vo publish-images DIR`", "ivoa.obscore has what"]),
    Case("EPN-TAP", of_table('<mixin spatial_frame_type="body">//epntap2#table-2_0</mixin>'), {}, ["EPN-TAP is not served"]),
    Case("STC with an epoch", of_table('<stc>Position ICRS Epoch J2016.0 "ra" "dec" Error "e_ra" "e_dec"</stc>'), {"table.ra": "ra"}, ["the epoch J2016.0 is not kept"]),
    Case("galactic positions", of_table('<stc>Position GALACTIC "l" "b"</stc>'), {"table.position": False, "table.ra": None}, ["positions are GALACTIC"]),
    Case("positions in hours", rd(table='<table id="main" adql="True"><column name="ra" ucd="pos.eq.ra;meta.main" unit="h"/><column name="dec" ucd="pos.eq.dec;meta.main" unit="deg"/></table>'),
         {"table.position": False}, ["not in degrees: no cone search"]),
    Case("ranges, parameters, metadata of tables", of_table('<column name="x"><values min="1" max="3"/></column><param name="p">1</param><meta name="source">x</meta>'), {},
         ["ranges and lists of values are not kept", "tables have no parameters: p = 1", "tables have no such metadata"]),
    Case("closed tables", rd(table=f'<table id="main" onDisk="True">{COLUMNS}</table>'), {}, ["was not open to ADQL there"]),
    Case("CSV with names of its own", of_grammar('<csvGrammar names="a, b c" delimiter=";" topIgnoredLines="2"/>'),
         {"table.layout.names": NAMES, "table.layout.separator": ";", "table.layout.skip": 2}, ["ra: no column of the file goes into it"]),
    Case("CSV in .txt", of_grammar('<csvGrammar delimiter="\\t"/>'), {"table.layout.separator": "\t", "table.layout.skip": 1}),
    Case("columns between blanks", of_grammar('<reGrammar topIgnoredLines="1" commentPat="(?m)^#.*$"><names>id,ra,dec</names></reGrammar>'),
         {"table.layout": {"names": ["id", "ra", "dec"], "comment": "#", "skip": 1}, "table.ra": "ra"}),
    Case("columns between bars", of_grammar(r'<reGrammar fieldSep="\s*\|\s*" names="\colNames{main}"/>'), {"table.layout.separator": "|", "table.layout.names": ["id", "ra", "dec"]}),
    Case("columns at places", of_grammar('<columnGrammar commentIntroducer="!"><colDefs>id: 1-5 ra :6 - 10\n dec:11-</colDefs></columnGrammar>'),
         {"table.layout.places": {"id": "1-5", "ra": "6-10", "dec": "11-"}, "table.layout.comment": "!"}),
    Case("columns at places, one by one", of_grammar('<columnGrammar><col key="id">1</col><col key="ra">-9</col><col key="dec">10-12</col></columnGrammar>'),
         {"table.layout.places": {"id": "1", "ra": "1-9", "dec": "10-12"}}),
    Case("FITS", of_grammar('<fitsTableGrammar hdu="2"/>', "cat.fits"), {"table.source": "cat.fits", "table.layout": None}, ["hdu=2: name that table"]),
    Case("VOTable", of_grammar("<voTableGrammar/>", "cat.vot"), {"table.source": "cat.vot"}),
    Case("filters, packing, encoding", of_grammar('<csvGrammar preFilter="bin/mend" encoding="latin1"><rowfilter procDef="//products#define"/></csvGrammar>', "d.csv"), {},
         ["run `bin/mend` yourself", "convert it with iconv", "rows are taken as they stand"]),
    Case("other names in the grammar", of_grammar("<csvGrammar><mapKeys>id:ID, ra:RAJ2000</mapKeys></csvGrammar>", "d.csv"),
         {"columns.ID.name": "id", "columns.RAJ2000.name": "ra", "table.ra": "ra"}),
    Case("several patterns", rd(data=f'<data><sources recurse="True"><pattern>a/*.csv</pattern></sources><csvGrammar/>{MAKE}</data>'), {"table.source": "a/*.csv"}, ["no file is there that a/*.csv matches"]),
    Case("other names in the row maker", of_maker('<rowmaker idmaps="id"><simplemaps>ra:RA</simplemaps><map dest="dec" src="DE"/></rowmaker>'),
         {"columns.RA.name": "ra", "columns.DE.name": "dec", "table.dec": "dec", "columns.id": None}),
    Case("what Python only passes on", of_maker('<rowmaker idmaps="*"><map key="ra">float(@RA)</map><map dest="dec">vars["DE"]</map></rowmaker>'),
         {"columns.RA.name": "ra", "columns.DE.name": "dec"}),
    Case("what Python computes", of_maker('<rowmaker idmaps="*"><var key="x">float(@y)/15</var><map dest="ra">hmsToDeg(@RA, ":")</map><map key="dec">@x</map><apply procDef="//siap#setMeta"/></rowmaker>'),
         {"table.ra": None}, ["ra is computed by Python: hmsToDeg", "dec is computed by Python: @x", "it computes with rows"]),
    Case("missing values", of_maker('<rowmaker idmaps="*"><map dest="ra">parseWithNull(@ra, float, "-1")</map><map key="dec" nullExpr="0">@dec</map></rowmaker>'),
         {"table.nulls": None}, ["0 would be a missing value in this column only", "-1 would be"]),
    Case("unmistakable missing values", of_maker('<rowmaker idmaps="*"><map dest="ra">parseWithNull(@ra, float, "-999.9")</map><map dest="dec">parseWithNull(@dec, float, "N/A")</map></rowmaker>'),
         {"table.nulls": ["-999.9", "N/A"]}),
    Case("a row maker elsewhere", rd(data='<rowmaker id="rm" idmaps="*"><map key="id" source="NAME"/></rowmaker><data><sources>d.csv</sources><csvGrammar/><make table="main" rowmaker="rm"/></data>'),
         {"columns.NAME.name": "id"}),
    Case("several tables and keys", rd(
        table=f'<table id="main" adql="True">{COLUMNS}<foreignKey inTable="obs" source="id" dest="obs_id"/></table><table id="obs" adql="True"><column name="obs_id" unit="m"/></table>',
        data=CSV + f'<data><sources>obs.fits</sources><fitsTableGrammar/>{MAKE.replace("main", "obs")}</data>',
    ), {"tables.0.name": "obs", "tables.1.keys.0": {"columns": ["id"], "target": "sky.obs", "target_columns": ["obs_id"]}, "tables.0.columns.obs_id.unit": "m"}),
    Case("a cone search", rd(tail='<service id="cone" allowed="scs.xml,form"><meta name="shortName">sky cone</meta><dbCore queriedTable="main"/><publish render="scs.xml" sets="ivo_managed"/></service>'),
         {"resource.short_name": "sky cone"}),
    Case("services of other kinds", rd(tail='<service id="s" allowed="siap.xml,ssap.xml,dlget,static,odd" limitTo="us"><dbCore queriedTable="main"/><publish render="form" sets="local"/><outputTable/></service>'), {},
         ["siap.xml: image searches", "spectra are found", "SODA answers", "files beside a descriptor", "there is no such renderer", "it was open to us only", "gets a record", "all columns are given"]),
    Case("services of one's own", rd(tail='<service id="s"><pythonCore><coreProc/></pythonCore></service><service id="t" core="c"/><customCore id="c"/>'), {}, ["<pythonCore> computes", "<customCore> computes"]),
    Case("cone searches without positions", rd(table='<table id="main" adql="True"><column name="id"/></table>', tail='<service id="c" allowed="scs.xml"><scsCore queriedTable="main"/></service>'), {},
         ["nothing says which columns of main are right ascension"]),
    Case("what runs and what is tested", rd(tail='<execute title="a" every="100"><job/></execute><regSuite title="a"/><coverage><spatial>0/1</spatial></coverage><odd/>'), {},
         ["use cron or a systemd timer", "`vo selftest URL`", "<odd>: there is no place for it"]),
    Case("text that TOML would trip over", rd('<meta name="title">"""\\\\ # [x]\u007f</meta>'), {"resource.title": '"""\\\\ # [x]\u007f'}),
]  # fmt: skip


def at(content: Any, path: str) -> Any:
    for part in path.split("."):
        content = content.get(part) if isinstance(content, dict) else content[int(part)] if content is not None else None
    return content


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_descriptor_is_taken_over(case: Case) -> None:
    made = imported(case.text)
    content = tomllib.loads(made.text)
    Descriptor.model_validate(content)
    assert {path: at(content, path) for path in case.keys} == dict(case.keys)
    lost = [str(remark) for remark in made.lost]
    for piece in case.said:
        assert any(piece in one for one in lost), lost
    for one in lost:
        assert f"# * {' '.join(one.split())}" in made.text


def test_there_are_fifty_and_more() -> None:
    assert len(CASES) >= 50
    assert len({case.text for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("<data><sources>x</sources><fitsProdGrammar/>%s</data>", "`vo publish-images DIR`"),
        ("<data><sources>x</sources><embeddedGrammar/>%s</data>", "rows are made by Python code"),
        ("<data><sources>x</sources><directGrammar/>%s</data>", "rows are made by a C program"),
        ("<data><sources>x</sources><oddGrammar/>%s</data>", "this grammar is not known"),
        ("<data><sources>x</sources><reGrammar fieldSep='[ab]+' names='a'/>%s</data>", "regular expression [ab]+"),
        ("<data><sources>x</sources><reGrammar recordSep='END' names='a'/>%s</data>", "rows are found by regular expressions"),
        ("<data><sources>x</sources><reGrammar/>%s</data>", "it names no columns"),
        ("<data><sources>x</sources><columnGrammar colDefs='a:b'/>%s</data>", "the places of the columns are not understood"),
        ("<data><csvGrammar/>%s</data>", "it names no sources"),
        ("<data><sources>\\getConfig{inputsDir}/x</sources><csvGrammar/>%s</data>", "only DaCHS knows what \\getConfig{inputsDir} is"),
        ("<data><sources>x</sources>%s</data>", "it has no grammar"),
        ("", "main: no <data> makes its rows"),
    ],
)
def test_what_leaves_no_table_says_why(data: str, why: str) -> None:
    made = imported(rd(data=data % MAKE if data else ""))
    assert made.tables == ()
    assert any(why in str(remark) for remark in made.lost)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("plain text", "this is not XML"),
        ("<a/>", "the root is <a>"),
        ('<!DOCTYPE resource [<!ENTITY x SYSTEM "file:///etc/passwd">]><resource schema="a">&x;</resource>', "document type"),
        ("<resource>" + "<a>" * 120 + "</a>" * 120 + "</resource>", "nested too deeply"),
        (rd('<STREAM id="a"><FEED source="b"/></STREAM><STREAM id="b"><FEED source="a"/></STREAM><FEED source="a"/>'), "feeds itself"),
        (
            rd("".join(f'<STREAM id="s{n}"><LOOP listItems="{"x " * 60}"><events><FEED source="s{n + 1}"/></events></LOOP></STREAM>' for n in range(5)))
            .replace("<table", '<STREAM id="s5"><meta/></STREAM><FEED source="s0"/><table', 1),
            "more than 200,000 elements",
        ),
    ],
)  # fmt: skip
def test_what_is_no_descriptor_is_refused(text: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        imported(text)


def test_the_files_settle_what_columns_are_called() -> None:
    files = DataFiles(lambda pattern: ["d/1.csv", "d/2.csv"], lambda table: ["ID", "RA", "Dec", "more"])
    made = imported(rd(data=f'<data><sources pattern="d/*.csv"/><csvGrammar/>{MAKE}</data>'), files)
    content = tomllib.loads(made.text)
    assert content["table"]["source"] == "d/1.csv"
    assert content["columns"]["RA"]["name"] == "ra"
    said = [str(remark) for remark in made.remarks]
    assert any("there are 2 files, of which this takes d/1.csv" in one for one in said)
    assert any("also those not described there: more" in one for one in said)


def test_what_is_said_of_several_elements_is_said_once() -> None:
    made = imported(of_table("\n".join(f'<column name="x{n}"><values min="1"/></column>' for n in range(9))))
    lines = [remark.lines for remark in made.lost if remark.what == "<values>"]
    assert lines == [tuple(range(1, 10))]
    assert any("lines 1, 2, 3, 4, 5, 6, …: <values>" in str(remark) for remark in made.lost)
