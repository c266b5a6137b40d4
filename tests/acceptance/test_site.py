"""The documentation is built without a warning."""

import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_the_documentation_is_built(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="sphinx is not installed")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        str(tmp_path / "trees"),
        str(DOCS),
        str(tmp_path / "html"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert "Your FITS file in the Virtual Observatory" in (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
