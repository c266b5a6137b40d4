"""What parameters ask of the rows of ObsCore, the same for SIA 2, SIAP 1 and SSAP: from a value to a condition."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from vo_server.adql import build, tree
from vo_server.dali.intervals import Interval, parse_interval
from vo_server.dali.numbers import INFINITY, parse_integer
from vo_server.dali.shapes import Circle, Range, Shape, parse_shape
from vo_server.dali.timestamps import parse_timestamp
from vo_server.errors import UsageError
from vo_server.model.media import FITS_TYPES
from vo_server.model.service import ServiceParam

STATES = ("I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA")
"""Polarisation states (ObsCore 1.1 §B.6.6)."""

CALIBRATION = range(5)


Reader = Callable[[str, str], tree.Condition]
"""From a value and the parameter's name to what it asks of a row."""


def overlaps(lower: str, upper: str) -> Reader:
    """The interval given and the interval between two columns have a point in common."""

    return lambda text, name: meeting(lower, upper, parse_interval(text, name))


def meeting(lower: str, upper: str, asked: Interval) -> tree.Condition:
    """As `overlaps`, for an interval that is read already."""
    return both(bounded(lower, "<=", asked.upper), bounded(upper, ">=", asked.lower))


def within(column: str) -> Reader:
    """The column's value lies in the interval given."""

    return lambda text, name: lying(column, parse_interval(text, name))


def lying(column: str, asked: Interval) -> tree.Condition:
    """As `within`, for an interval that is read already."""
    return both(bounded(column, ">=", asked.lower), bounded(column, "<=", asked.upper))


def bounded(column: str, sign: str, bound: float) -> tree.Condition:
    """A comparison; against an open end only that there is a value, since a row without one fails (§2.1)."""
    if math.isinf(bound):
        return build.is_null(build.column(column), negated=True)
    return build.compare(build.column(column), sign, bound)


def both(*conditions: tree.Condition) -> tree.Condition:
    """All of the conditions."""
    return tree.Logical(0, "AND", conditions)


def equals(column: str) -> Reader:
    """The column holds just this text."""
    return lambda text, _: build.compare(build.column(column), "=", text)


def one_of(column: str, allowed: Sequence[str]) -> Reader:
    """As `equals`, for a text out of a list."""
    return lambda text, name: build.compare(build.column(column), "=", listed(text, name, allowed))


def listed(text: str, name: str, allowed: Sequence[str]) -> str:
    """`text` if it is one of `allowed`; UsageError otherwise."""
    if text not in allowed:
        raise UsageError(f"{name}={text!r} is not one of {', '.join(allowed)}.", parameter=name)
    return text


def media_type(text: str, _: str) -> tree.Condition:
    """access_format is this media type; FITS has two names (RFC 4047), and images are found by either."""
    column = build.column("access_format")
    return build.one_of(column, FITS_TYPES) if text in FITS_TYPES else build.compare(column, "=", text)


def identifier(text: str, _: str) -> tree.Condition:
    """IVOA identifiers compare without case (IVOA Identifiers 2.0 §2)."""
    return build.compare(build.call("LOWER", build.column("obs_publisher_did")), "=", text.lower())


def polarisation(text: str, name: str) -> tree.Condition:
    """pol_states holds the state between slashes (ObsCore 1.1 §B.6.6)."""
    return build.like(build.column("pol_states"), f"%/{listed(text, name, STATES)}/%")


def calibration(text: str, name: str) -> tree.Condition:
    """calib_level is this integer."""
    level = parse_integer(text, name)
    if level not in CALIBRATION:
        raise UsageError(f"{name}: the level {level} is not between {CALIBRATION[0]} and {CALIBRATION[-1]}.", parameter=name)
    return build.compare(build.column("calib_level"), "=", level)


def dated(column: str) -> Reader:
    """The column's instant is this one, or lies between the two given; -Inf and +Inf leave an end open (SIA 2.1 §2.1.18)."""
    return lambda text, name: _dated(build.column(column), text, name)


def _dated(column: tree.Value, text: str, name: str) -> tree.Condition:
    words = text.split()
    if len(words) not in (1, 2):
        raise UsageError(f"{name}: {text!r} is neither an instant nor two.", hint="Write YYYY-MM-DD.", parameter=name)
    ends = ((">=", words[0]), ("<=", words[-1]))
    bounds = [(sign, word) for sign, word in ends if len(words) == 1 or not INFINITY.fullmatch(word)]
    if not bounds:
        return build.is_null(column, negated=True)
    return both(*(build.compare(column, sign, parse_timestamp(word, name).isoformat()) for sign, word in bounds))


def position(text: str, name: str) -> tree.Condition:
    """The region covered and the region given have a point in common."""
    return touching(parse_shape(text, name))


def touching(shape: Shape) -> tree.Condition:
    """As `position`, for a region that is read already."""
    covered = build.column("s_region")
    if isinstance(shape, Circle):
        return build.meets(covered, build.circle(shape.ra, shape.dec, shape.radius))
    outlines = shape.outlines() if isinstance(shape, Range) else (shape.vertices,)
    return tree.Logical(0, "OR", tuple(build.meets(covered, build.polygon(chain.from_iterable(outline))) for outline in outlines))


def offering(param: ServiceParam, options: Mapping[str, Sequence[str]]) -> ServiceParam:
    """A parameter with the words that find something."""
    return replace(param, options=tuple(options[param.name])) if param.name in options else param
