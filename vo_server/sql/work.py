"""What translating one statement may take: things are counted, so that no text keeps a server busy (ADQL texts come from anybody)."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from vo_server.sky.ranges import Range

T = TypeVar("T")

MOST_SPANNED = 6
"""Regions of a statement whose spans are computed, which takes one to three milliseconds each; ranges do for the others."""
MOST_RIM = 8000
"""Cells on the rims of all shapes that MOC(order, shape) turns into cells: 2 µs each, of polygons for each of some edges."""
MOST_VALUES = 100_000
"""Values that are written, parts of others included. Formulas name a position more than once, so that each in another doubles the text."""
LONGEST_VALUE = 1_000_000
"""Characters of SQL of one value, a MOC's literal included."""


class Work:
    """Counts for one statement."""

    def __init__(self) -> None:
        self.spanned = 0
        self.rim = 0.0
        self.values = 0
        self._mocs: dict[int, list[Range]] = {}
        self._found: dict[Hashable, Any] = {}

    def may_span(self) -> bool:
        """Whether one more region may have spans; then it is counted."""
        self.spanned += 1
        return self.spanned <= MOST_SPANNED

    def may_write(self, length: int) -> bool:
        """Whether one more value, of `length` characters of SQL, may be written; then it is counted."""
        self.values += 1
        return length <= LONGEST_VALUE and self.values <= MOST_VALUES

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` finds, once for each `key`: a test is looked at before it is written."""
        if key not in self._found:
            self._found[key] = make()
        found: T = self._found[key]
        return found

    def moc(self, key: int, rim: float, make: Callable[[], list[Range]]) -> list[Range] | None:
        """The cells that `make` finds, once for each `key`; None if those on the rim, about `rim`, are too many for one statement."""
        if key not in self._mocs:
            self.rim += rim
            if self.rim > MOST_RIM:
                return None
            self._mocs[key] = make()
        return self._mocs[key]
