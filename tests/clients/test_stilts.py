"""STILTS, the validator and the engine of TOPCAT, against a live server."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed (Debian package stilts)"),
    pytest.mark.timeout(240),
]


def stilts(*arguments: str) -> str:
    done = subprocess.run(["stilts", *arguments], capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


NOT_KNOWN_TO_IT = "features-adql-conditional"
"""STILTS 3.4.7 was made before ADQL 2.1 became a recommendation, and calls this feature of it (§4.8) unknown."""


def test_taplint_finds_no_error(live: str) -> None:
    report = stilts("taplint", f"tapurl={live}/tap", "stages=TMV TME TMS TMC CPV CAP AVV QGE QPO MDQ OBS", "report=EWF", "maxtable=10")
    faults = [line for line in report.splitlines() if line.startswith(("E-", "F-")) and NOT_KNOWN_TO_IT not in line]
    assert not faults, "\n".join(faults)
    assert "Totals: " in report


@pytest.mark.parametrize("form", ["votable", "votable/b2", "csv"])
def test_a_tap_query_arrives_in_topcats_engine(live: str, form: str, tmp_path: Path) -> None:
    answer = tmp_path / "rows.csv"
    query = "SELECT source_id, name, flux FROM sky.sources ORDER BY source_id"
    stilts("tapquery", f"tapurl={live}/tap", f"adql={query}", "sync=true", f"out={answer}", "ofmt=csv")
    lines = answer.read_text().splitlines()
    assert lines[0] == "source_id,name,flux"
    assert lines[1].startswith("1,Vega,1.5")
    assert lines[2].rstrip() == "2,Rigel,"


def test_jobs_as_taplint_has_them(live: str) -> None:
    report = stilts("taplint", f"tapurl={live}/tap", "stages=TMV UWS QAS", "report=EWF", "maxtable=2")
    assert [line for line in report.splitlines() if line.startswith(("E-", "W-", "F-"))] == []
    assert "Totals: " in report


def test_an_asynchronous_query_arrives_in_topcats_engine(live: str, tmp_path: Path) -> None:
    answer = tmp_path / "rows.csv"
    query = "SELECT source_id, name FROM sky.sources ORDER BY source_id"
    stilts("tapquery", f"tapurl={live}/tap", f"adql={query}", "sync=false", "poll=200", f"out={answer}", "ofmt=csv")
    assert answer.read_text().splitlines()[:2] == ["source_id,name", "1,Vega"]


def test_a_cone_search_document_is_valid(live: str) -> None:
    report = stilts("votlint", f"votable={live}/scs/sky.sources?RA=77.43&DEC=5.79&SR=1", "validate=true")
    assert "ERROR" not in report
