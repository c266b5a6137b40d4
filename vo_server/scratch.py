"""What is needed for a moment in the system's temporary directory: its name says whose it is, so that whatever was killed leaves nothing
for longer than until the next program starts.
"""

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

NAME = re.compile(r"vo-[a-z]+-(?P<pid>\d+)-")


def prefix(kind: str) -> str:
    """How names of temporary files and directories of a kind (a lower-case word) begin in this process."""
    return f"vo-{kind}-{os.getpid()}-"


def sweep() -> None:
    """Remove what processes that are no more have left."""
    for path in Path(tempfile.gettempdir()).glob("vo-*-*-*"):
        found = NAME.match(path.name)
        if found is None or _lives(int(found["pid"])):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
