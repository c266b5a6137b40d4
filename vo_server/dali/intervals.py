"""Intervals: two numbers, either end open with ``-Inf`` or ``+Inf`` (DALI 1.1 §3.3.4)."""

from dataclasses import dataclass

from vo_server.dali.numbers import parse_number
from vo_server.errors import UsageError


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval, ``lower`` ≤ ``upper``; an infinite end does not limit. The unit is the parameter's."""

    lower: float
    upper: float

    @property
    def is_scalar(self) -> bool:
        """Whether it is a single value."""
        return self.lower == self.upper


def parse_interval(text: str, parameter: str) -> Interval:
    """``"500e-9 600e-9"``, or one number for the interval that holds just it (SIA 2.0 §2.1.2). UsageError names `parameter`."""
    words = text.split()
    if len(words) == 1:
        value = parse_number(words[0], parameter)
        return Interval(value, value)
    if len(words) != 2:
        raise UsageError(
            f"{parameter}: {text!r} is not an interval.",
            hint="Write one number, or two separated by a blank, smaller first; -Inf and +Inf leave an end open.",
            parameter=parameter,
        )
    lower, upper = (parse_number(word, parameter, infinite=True) for word in words)
    if lower > upper:
        raise UsageError(
            f"{parameter}: the interval {text!r} ends before it begins.", hint="Write the smaller number first.", parameter=parameter
        )
    return Interval(lower, upper)
