"""What is needed for a moment on disk. In the system's temporary directory its name says whose it is, so that whatever was killed leaves
nothing for longer than until the next program starts; files without a name (spools) have a limited room.
"""

import errno
import os
import re
import shutil
import tempfile
import threading
from contextlib import suppress
from math import inf
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


class SpoolRoom:
    """The disk that all spools of a process may use: `most` bytes together, `most_each` in a file of what a slow reader has not taken yet.
    ``directory`` None: the system's. For any thread.
    """

    def __init__(self, directory: Path | None = None, most_each: float = inf, most: float = inf) -> None:
        self.directory = directory
        self.most_each, self.most = most_each, most
        self.used = 0
        self._lock = threading.Lock()

    def grant(self, size: int, held: int, most_each: float | None = None) -> bool:
        """Take `size` bytes for a file that has `held` already, if there is room for them."""
        with self._lock:
            if held + size > (self.most_each if most_each is None else most_each) or self.used + size > self.most:
                return False
            self.used += size
            return True

    def free(self, size: int) -> None:
        """Give `size` bytes back."""
        with self._lock:
            self.used -= size


def is_full(error: BaseException) -> bool:
    """Whether a disk had no room."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
