"""pyvo 1.5, the oldest in use: ``OLD_PYVO`` names a Python that has it."""

import os
import subprocess
from pathlib import Path

import pytest

PYTHON = os.environ.get("OLD_PYVO")

SAID = """\
tables True ['source_id', 'name']
search ['Vega', 'Rigel']
maxrec True 3
async 5
upload ['Rigel', 'Sirius']
upload async ['Rigel', 'Sirius']
error True
examples True
cone ['TXS 0506+056']
sia2 0
ssa 0
"""


@pytest.mark.skipif(PYTHON is None, reason="OLD_PYVO names no Python with pyvo 1.5")
def test_scripts_for_pyvo_1_5_still_work(live: str) -> None:
    script = Path(__file__).with_name("old_pyvo.py")
    done = subprocess.run([str(PYTHON), str(script), live], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    version, _, said = done.stdout.partition("\n")
    assert version.startswith("version 1.5")
    assert said == SAID
