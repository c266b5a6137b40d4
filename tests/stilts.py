"""STILTS, the validator and the engine of TOPCAT, run as a user runs it."""

import shutil
import subprocess
from urllib.parse import urlencode

import pytest

needs_stilts = pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed (Debian package stilts)")

SERIALISATIONS = ("votable/td", "votable/b", "votable/b2")

NOT_OURS = "F-LOC-NOTP"
"""That a stage was not run, since there is no ivoa.obsplan: it is for observatories that plan (ObsLocTAP 1.0)."""

NEWER_WORD = 'Non-DALI xtype value "moc"'
"""A word of DALI 1.2, which this STILTS does not know and TOPCAT draws by."""


def stilts(*arguments: str) -> str:
    """What a task prints; AssertionError with what it complains of."""
    done = subprocess.run(["stilts", *arguments], capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def taplint(site: str, *options: str) -> list[str]:
    """What taplint finds in all its stages: errors, warnings, and what it could not look at."""
    report = stilts("taplint", f"tapurl={site}/tap", "report=EWF", *options)
    assert "Totals: " in report
    return [line for line in report.splitlines() if line.startswith(("E-", "W-", "F-")) and not line.startswith(NOT_OURS)]


def votlint(site: str, form: str, query: str) -> list[str]:
    """What votlint finds in the answer to a query."""
    asked = urlencode({"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form, "MAXREC": 300})
    found = stilts("votlint", f"votable={site}/tap/sync?{asked}", "validate=true")
    return [line for line in found.splitlines() if NEWER_WORD not in line]
