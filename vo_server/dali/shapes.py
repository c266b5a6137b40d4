"""Regions of the sky in parameters: ``CIRCLE``, ``RANGE`` and ``POLYGON``, ICRS degrees (SIA 2.0 §2.1.1, DALI 1.1 §3.3.6–3.3.7)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from vo_server.dali.numbers import parse_number
from vo_server.errors import UsageError

SYNTAX = "CIRCLE ra dec radius, RANGE ra1 ra2 dec1 dec2 or POLYGON ra1 dec1 ra2 dec2 ra3 dec3 …, in degrees, separated by blanks"


Outline = tuple[tuple[float, float], ...]
"""Vertices (ra, dec) of a polygon of great-circle arcs."""

WIDEST = 45.0
"""Widest polygon that a range is cut into, in degrees of longitude."""
THINNEST = 1e-6
STEP = 0.5
"""Farthest distance of vertices along a parallel, in degrees of longitude."""


@dataclass(frozen=True, slots=True)
class Circle:
    """All points within ``radius`` (0 to 180 degrees) of a centre."""

    ra: float
    dec: float
    radius: float


@dataclass(frozen=True, slots=True)
class Range:
    """A coordinate box between two meridians and two parallels, within [0, 360] and [-90, 90]."""

    ra: tuple[float, float]
    dec: tuple[float, float]

    def outlines(self) -> tuple[Outline, ...]:
        """The box as polygons of great-circle arcs, none wider than an eighth of the sky or across the equator.

        Between their vertices the arcs leave the parallels by at most an arcsecond; a box without width or height
        is given some milliarcseconds of it.
        """
        west, east = _widened(self.ra, 0.0, 360.0)
        south, north = _widened(self.dec, -90.0, 90.0)
        bands = [band for band in ((south, min(north, 0.0)), (max(south, 0.0), north)) if band[0] < band[1]]
        count = math.ceil((east - west) / WIDEST)
        edges = [west + (east - west) * index / count for index in range(count + 1)]
        return tuple(_outline(pair, band) for band in bands for pair in pairwise(edges))


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon of great-circle arcs; ``vertices`` are (ra, dec), at least three, the last not repeating the first."""

    vertices: Outline


Shape = Circle | Range | Polygon


def parse_shape(text: str, parameter: str) -> Shape:
    """The region that `text` says, its keyword as SIA 2.0 (CIRCLE) or as DALI 1.2 (circle) writes it. UsageError names `parameter` and
    what is wrong with it.
    """
    keyword, *words = text.split() or [""]
    if keyword.upper() not in PARSERS:
        raise UsageError(
            f"{parameter}: {text!r} does not begin with CIRCLE, RANGE or POLYGON.", hint=f"Write {SYNTAX}.", parameter=parameter
        )
    return PARSERS[keyword.upper()](words, parameter)


def _circle(words: list[str], parameter: str) -> Circle:
    _count(len(words) == 3, "CIRCLE takes three numbers", parameter)
    radius = parse_number(words[2], parameter)
    if not 0 <= radius <= 180:
        raise UsageError(f"{parameter}: the radius {words[2]} is not between 0 and 180 degrees.", parameter=parameter)
    return Circle(_longitude(words[0], parameter), _latitude(words[1], parameter), radius)


def _range(words: list[str], parameter: str) -> Range:
    _count(len(words) == 4, "RANGE takes four numbers", parameter)
    numbers = [parse_number(word, parameter, infinite=True) for word in words]
    west, east = max(numbers[0], 0.0), min(numbers[1], 360.0)
    south, north = max(numbers[2], -90.0), min(numbers[3], 90.0)
    if west > east or south > north:
        raise UsageError(
            f"{parameter}: RANGE {' '.join(words)} is empty.",
            hint="The smaller number comes first; across RA 0 give two: RANGE 350 360 … and RANGE 0 10 ….",
            parameter=parameter,
        )
    return Range((west, east), (south, north))


def _widened(pair: tuple[float, float], least: float, most: float) -> tuple[float, float]:
    lower, upper = pair
    return pair if upper - lower >= THINNEST else (max(lower - THINNEST, least), min(upper + THINNEST, most))


def _outline(ra: tuple[float, float], dec: tuple[float, float]) -> Outline:
    """The vertices around a box, counter-clockwise seen from inside: south edge to the west, north edge back; a pole is one vertex."""
    south, north = (_parallel(ra, latitude) for latitude in dec)
    return (*reversed(south), *north)


def _parallel(ra: tuple[float, float], dec: float) -> Outline:
    if abs(dec) == 90:
        return ((ra[0], dec),)
    steps = 1 if dec == 0 else max(1, math.ceil((ra[1] - ra[0]) / STEP))
    return tuple((ra[0] + (ra[1] - ra[0]) * index / steps, dec) for index in range(steps + 1))


def _polygon(words: list[str], parameter: str) -> Polygon:
    _count(len(words) % 2 == 0, "POLYGON takes pairs of numbers", parameter)
    vertices = [(_longitude(ra, parameter), _latitude(dec, parameter)) for ra, dec in zip(words[::2], words[1::2], strict=True)]
    if len(vertices) > 1 and vertices[0] == vertices[-1]:
        vertices.pop()
    _count(len(vertices) >= 3, "POLYGON takes at least three different vertices", parameter)
    return Polygon(tuple(vertices))


PARSERS: dict[str, Callable[[list[str], str], Shape]] = {"CIRCLE": _circle, "RANGE": _range, "POLYGON": _polygon}
"""Keyword → what reads its numbers."""


def _count(fits: bool, rule: str, parameter: str) -> None:
    if not fits:
        raise UsageError(f"{parameter}: {rule}.", hint=f"Write {SYNTAX}.", parameter=parameter)


def _longitude(word: str, parameter: str) -> float:
    value = parse_number(word, parameter)
    if not 0 <= value <= 360:
        raise UsageError(f"{parameter}: the longitude {word} is not between 0 and 360 degrees.", parameter=parameter)
    return value


def _latitude(word: str, parameter: str) -> float:
    value = parse_number(word, parameter)
    if not -90 <= value <= 90:
        raise UsageError(f"{parameter}: the latitude {word} is not between -90 and 90 degrees.", parameter=parameter)
    return value
