"""STILTS, the validator and the engine of TOPCAT, against a live server."""

from pathlib import Path

import httpx2
import pytest

from tests import kinds
from tests.stilts import SERIALISATIONS, needs_stilts, stilts, taplint, votlint
from vo_server.db.database import Database
from vo_server.settings import Settings

pytestmark = [needs_stilts, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def live(live: str, database: Database, tmp_path_factory: pytest.TempPathFactory) -> str:
    """With columns of all kinds, some of whose xtypes validators do not know."""
    folder = tmp_path_factory.mktemp("kinds")
    kinds.publish(database, Settings(public_url=live, data_dir=folder), folder)
    return live


OF_KINDS = (
    'SELECT id, "Odd name, ""so called""", "größe", shown, large, code, bounded, three, plane, many,'
    ' seen, span, place, around, "region", "key", "day" FROM sky.kinds'
)
"""All but the MOC, whose xtype is of DALI 1.2, and the polygon: STILTS 3.4.7 reads those well and checks them wrongly."""


def test_taplint_finds_nothing(live: str) -> None:
    assert taplint(live, "maxtable=20") == []


@pytest.mark.parametrize("form", SERIALISATIONS)
@pytest.mark.parametrize("query", ["SELECT * FROM sky.sources", "SELECT * FROM tap_schema.columns", "SELECT * FROM ivoa.obscore", OF_KINDS])
def test_votlint_finds_nothing(live: str, form: str, query: str) -> None:
    assert votlint(live, form, query) == []


def test_a_tap_query_arrives_in_topcats_engine(live: str, tmp_path: Path) -> None:
    answer = tmp_path / "rows.csv"
    query = "SELECT source_id, name, flux FROM sky.sources ORDER BY source_id"
    stilts("tapquery", f"tapurl={live}/tap", f"adql={query}", "sync=true", f"out={answer}", "ofmt=csv")
    lines = answer.read_text().splitlines()
    assert lines[0] == "source_id,name,flux"
    assert lines[1].startswith("1,Vega,1.5")
    assert lines[2].rstrip() == "2,Rigel,"


def test_an_asynchronous_query_arrives_in_topcats_engine(live: str, tmp_path: Path) -> None:
    answer = tmp_path / "rows.csv"
    query = "SELECT source_id, name FROM sky.sources ORDER BY source_id"
    stilts("tapquery", f"tapurl={live}/tap", f"adql={query}", "sync=false", "poll=200", f"out={answer}", "ofmt=csv")
    assert answer.read_text().splitlines()[:2] == ["source_id,name", "1,Vega"]


def test_a_cone_search_document_is_valid(live: str) -> None:
    report = stilts("votlint", f"votable={live}/scs/sky.sources?RA=77.43&DEC=5.79&SR=1", "validate=true")
    assert "ERROR" not in report


@pytest.mark.parametrize("serialisation", ["TABLEDATA", "BINARY", "BINARY2"])
def test_uploads_by_topcats_engine(live: str, serialisation: str, tmp_path: Path) -> None:
    """Two tables, with a query and with a job."""
    (tmp_path / "mine.csv").write_text("count,ra,dec,Name\n1,279.2347,38.7837,a\n2,10,10,\n")
    (tmp_path / "more.csv").write_text("count,interval\n1,5\n")
    query = (
        'SELECT m."count", m.name, s.name AS source, i."interval" FROM TAP_UPLOAD.m'
        " LEFT JOIN sky.sources AS s ON DISTANCE(m.ra, m.dec, s.ra, s.dec) < 1/3600."
        ' LEFT JOIN TAP_UPLOAD.i ON i."count" = m."count" ORDER BY 1'
    )
    uploads = [f"upload1={tmp_path}/mine.csv", "upname1=m", f"upload2={tmp_path}/more.csv", "upname2=i", f"upvotformat={serialisation}"]
    for mode in (["sync=true"], ["sync=false", "poll=200"]):
        answer = tmp_path / mode[0]
        stilts("tapquery", f"tapurl={live}/tap", f"adql={query}", *mode, "nupload=2", *uploads, f"out={answer}", "ofmt=csv")
        assert answer.read_text().splitlines() == ["count,Name,source,interval", "1,a,Vega,5", "2,,,"]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own positions: near Vega, near nothing, without one, near the blazar."""
    path = tmp_path_factory.mktemp("mine") / "mine.csv"
    path.write_text("label,RA,DE\na,279.2348,38.7838\nb,10,10\nc,,\nd,77.359,5.694\n")
    return path


def test_cone_searches_of_topcat_window_and_of_its_multiple_search(live: str, mine: Path) -> None:
    """*VO → Cone Search* asks once, *Multiple Cone Search* for each row of a table."""
    cone = f"serviceurl={live}/scs/sky.sources"
    once = stilts("cone", cone, "lon=77.4", "lat=5.7", "radius=0.5", "out=-", "ofmt=csv", "ocmd=keepcols 'name flux'")
    assert once.splitlines() == ["name,flux", "TXS 0506+056,0.125"]
    keep = "ocmd=keepcols 'label name'"
    many = ("coneskymatch", f"in={mine}", "ifmt=csv", "ra=RA", "dec=DE", "sr=0.01", "usefoot=false", cone, "out=-", "ofmt=csv", keep)
    assert stilts(*many, "find=each").splitlines() == ["label,name", "a,Vega", "b,", "c,", "d,TXS 0506+056"]
    assert stilts(*many, "find=best", "parallel=3").splitlines() == ["label,name", "a,Vega", "d,TXS 0506+056"]


def test_a_match_by_uploads_in_blocks(live: str, mine: Path) -> None:
    """What *VO → TAP* matches of TOPCAT do with long tables: blocks of rows are uploaded one after the other."""
    table = ("taptable=sky.sources", "taplon=ra", "taplat=dec", "tapcols=name,flux", "blocksize=2", "sr=0.01")
    match = ("tapskymatch", f"in={mine}", "ifmt=csv", "inlon=RA", "inlat=DE", f"tapurl={live}/tap", *table)
    found = stilts(*match, "find=best", "out=-", "ofmt=csv", "ocmd=keepcols 'label name flux'")
    assert found.splitlines() == ["label,name,flux", "a,Vega,1.5", "d,TXS 0506+056,0.125"]


def test_a_job_is_taken_up_again(live: str, tmp_path: Path) -> None:
    """TOPCAT's *Resume Job*: who has a job's address gets its result."""
    reply = httpx2.post(f"{live}/tap/async", data={"LANG": "ADQL", "PHASE": "RUN", "QUERY": "SELECT COUNT(*) AS n FROM sky.sources"})
    answer = stilts("tapresume", f"joburl={reply.headers['location']}", "poll=200", "delete=never", "out=-", "ofmt=csv")
    assert answer.splitlines() == ["n", "5"]


WRITERS = ("votable-tabledata", "votable-binary-inline", "votable-binary2-inline", "fits-basic", "csv")


def test_every_format_that_topcats_engine_writes_can_be_uploaded(live: str, tmp_path: Path) -> None:
    """The same rows in all of them: integers of each size with gaps, texts, truth values, and arrays where the format has any."""
    (tmp_path / "rows").write_text("s,i,l,f,d,t,b\n7,1,1000000007,0.125,0.25,,false\n14,,2000000014,0.25,,two,true\n21,3,3,,0.5,three,\n")
    commands = ["cmd=replacecol s (short)s", "cmd=replacecol l (long)l", "cmd=replacecol f (float)f"]
    answers = set()
    for writer in WRITERS:
        file = tmp_path / writer
        stilts("tpipe", f"in={tmp_path}/rows", "ifmt=csv", *commands, f"out={file}", f"ofmt={writer}")
        form = {
            "LANG": "ADQL",
            "QUERY": "SELECT s, i, l, f, d, t, b FROM TAP_UPLOAD.x ORDER BY s",
            "RESPONSEFORMAT": "csv",
            "UPLOAD": "x,param:x",
        }
        reply = httpx2.post(f"{live}/tap/sync", data=form, files={"x": file.read_bytes()})
        assert reply.status_code == 200, reply.text
        answers.add(reply.text)
    assert len(answers) == 1, answers
    assert answers.pop().splitlines()[1:] == ["7,1,1000000007,0.125,0.25,,false", "14,,2000000014,0.25,,two,true", "21,3,3,,0.5,three,"]
