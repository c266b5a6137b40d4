"""Units of expressions, as texts in the syntax of VOUnits 1.1: products and ratios are written, not simplified."""

import re
from functools import lru_cache

LONGEST = 100
"""Characters of a unit that is converted: reading one takes time that grows faster than it."""
_SIMPLE = re.compile(r"[^\s.*/]+")


def _factor(unit: str) -> str:
    return unit if _SIMPLE.fullmatch(unit) else f"({unit})"


def product(left: str | None, right: str | None) -> str | None:
    """The unit of a product; a side without unit is a plain number."""
    if left is None or right is None:
        return left or right
    return f"{_factor(left)}**2" if left == right else f"{_factor(left)}.{_factor(right)}"


def ratio(left: str | None, right: str | None) -> str | None:
    """The unit of a ratio: equal ones cancel."""
    if right is None or left == right:
        return None if right is not None else left
    return f"{_factor(left)}/{_factor(right)}" if left else f"{_factor(right)}**-1"


def common(left: str | None, right: str | None) -> str | None:
    """The unit of a sum or of alternatives: that of both; a side without unit takes the other's."""
    return left if right is None or left == right else right if left is None else None


class UnitError(ValueError):
    """A unit is unknown, or the two do not measure the same thing."""


@lru_cache(maxsize=1024)
def conversion(source: str, target: str) -> float:
    """The factor from `source` to `target`. Raises UnitError."""
    for text in (source, target):
        if len(text) > LONGEST:
            raise UnitError(f"A unit of {len(text)} characters is not one: they have {LONGEST} at most")
    from astropy import units  # half a second that only queries with IN_UNIT need

    found = []
    for text in (source, target):
        try:
            found.append(units.Unit(text, format="vounit"))
        except ValueError:
            raise UnitError(f"{text!r} is not a unit of VOUnits") from None
    try:
        # astropy multiplies factors of many units: the last digit is noise
        return float(f"{found[0].to(found[1]):.15g}")
    except units.UnitConversionError:
        raise UnitError(f"{source} cannot be converted to {target}") from None
