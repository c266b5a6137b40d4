"""MOCs in ASCII → ranges of order-29 cells (IVOA MOC 2.0 §4.3.2, the spatial part)."""

import re

from vo_server.sky.healpix import MAX_ORDER
from vo_server.sky.ranges import SKY, Range, merge

_WORD = re.compile(r"(?:s)?(?:(\d{1,2})/)?(?:(\d{1,19})(?:-(\d{1,19}))?)?")
_SEPARATORS = re.compile(r"[\s,]+")
SQUARE_DEGREES = 41252.96124941927
"""Of the whole sky."""


class MocError(ValueError):
    """A text is no MOC."""


def parse_moc(text: str) -> list[Range]:
    """The ranges of a MOC such as ``3/12 14-17 4/200``, merged and in order; none for an empty one. Raises MocError."""
    found: list[Range] = []
    order: int | None = None
    for word in filter(None, _SEPARATORS.split(text)):
        match = _WORD.fullmatch(word)
        if match is None:
            raise MocError(f"{word[:40]!r} is neither an order (3/), a cell (12) nor a range of cells (12-14)")
        if match[1] is not None:
            order = int(match[1])
        if order is None or order > MAX_ORDER:
            raise MocError("a MOC begins with an order, from 0/ to 29/")
        if match[2] is not None:
            found.append(_range(order, int(match[2]), int(match[3] or match[2])))
    return merge(found, len(found) or 1)


def _range(order: int, first: int, last: int) -> Range:
    shift = 2 * (MAX_ORDER - order)
    if not first <= last < 12 << 2 * order:
        raise MocError(f"order {order} has no cells {first} to {last}")
    return first << shift, ((last + 1) << shift) - 1


def moc_area(ranges: list[Range]) -> float:
    """Area in square degrees."""
    return SQUARE_DEGREES * sum(high - low + 1 for low, high in ranges) / (SKY[1] + 1)
