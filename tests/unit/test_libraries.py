"""What a server does not import before it needs it."""

import json
import subprocess
import sys

LARGE = {"alembic", "astropy", "cdshealpix", "h5py", "mocpy", "PIL", "pyvo", "requests", "uproot"}
"""Not pandas: where it is installed pyarrow imports it."""


def imported_by(module: str) -> set[str]:
    program = f"import {module}, json, sys; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_a_server_is_small_before_somebody_needs_more() -> None:
    assert imported_by("vo_server.cli.serve") & LARGE == set()


def test_a_module_of_later_is_imported_when_it_is_used() -> None:
    program = "import sys; from vo_server.libraries import later; mocpy = later('mocpy'); assert 'mocpy' not in sys.modules; mocpy.MOC"
    subprocess.run([sys.executable, "-c", program], check=True)
