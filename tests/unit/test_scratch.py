"""Temporary files of processes that were killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from vo_server import scratch


def test_only_what_the_dead_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = int(subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True).stdout)
    for name in (f"vo-upload-{dead}-a", scratch.prefix("upload") + "b", "vo-upload-c", f"other-upload-{dead}-d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    (tmp_path / f"vo-cutout-{dead}-e").write_text("")
    scratch.sweep()
    assert {path.name for path in tmp_path.iterdir()} == {scratch.prefix("upload") + "b", "vo-upload-c", f"other-upload-{dead}-d"}
