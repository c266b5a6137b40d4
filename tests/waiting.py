"""To wait for what happens elsewhere, and a query that gives it time."""

import time
from collections.abc import Callable

SOON_S = 30.0
"""What does not happen within this time never does."""

PAUSE_S = 0.02

ENDLESS = "SELECT COUNT(*) AS n FROM " + ", ".join(f"tap_schema.columns AS c{number}" for number in range(8))
"""Nobody sees the end of it."""


def until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds."""
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(PAUSE_S)
