"""Advisory locks on files. The kernel lets go of them when their process dies, however it dies, so none is ever stale."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED = fcntl.LOCK_SH
EXCLUSIVE = fcntl.LOCK_EX

PAUSE_S = 0.02


def take(path: Path, kind: int, patience_s: float | None = None) -> int | None:
    """Lock the file (made if missing) and give its descriptor, closing which lets go.

    Waits without end, or `patience_s` seconds and gives None if the lock was not to be had by then.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if patience_s is None:
            fcntl.flock(descriptor, kind)
            return descriptor
        if _take_within(descriptor, kind, patience_s):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def is_free(path: Path, kind: int) -> bool:
    """Whether a lock of this kind could be had just now."""
    descriptor = take(path, kind, patience_s=0)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's exclusive lock."""
    descriptor = take(path, EXCLUSIVE)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _take_within(descriptor: int, kind: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(PAUSE_S)
        else:
            return True
