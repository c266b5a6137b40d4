"""Regions in words: the part of STC-S that REGION takes (ADQL 2.1 §4.2.20, TAP 1.0 §6), and DALI's bare numbers."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"[()]|[^\s()]+")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")
_SIZES = {"POSITION": (2, 2), "CIRCLE": (3, 3), "BOX": (4, 4), "POLYGON": (6, None)}
"""How many numbers each shape has: at least, at most."""
_BY_COUNT = {2: "POSITION", 3: "CIRCLE"}
"""What numbers without a name are, as in DALI 1.1 §3.3.5–7; all others are polygons."""
_FUNCTIONS = {"POSITION": "POINT"}
_ALIKE_ICRS = frozenset({"ICRS", "FK5", "J2000", "UNKNOWNFRAME", "UNKNOWN"})
_ELSEWHERE = frozenset({"GALACTIC", "GALACTICII", "ECLIPTIC", "FK4", "B1950", "SUPERGALACTIC", "SUPER_GALACTIC"})
_OTHER_WORDS = frozenset(
    {"GEOCENTER", "BARYCENTER", "HELIOCENTER", "TOPOCENTER", "LSR", "UNKNOWNREFPOS", "SPHERICAL2", "UNIT", "DEG", "FILLFACTOR"}
)
MAX_DEPTH = 10
MAX_PARTS = 30
"""Shapes of one region, nested unions and numbers of one polygon: bounds for the time that translating takes."""
MAX_NUMBERS = 1000


class RegionError(ValueError):
    """A text is no region that we know."""


@dataclass(frozen=True, slots=True)
class Part:
    """A shape: the ADQL function that makes it, and its numbers in degrees."""

    function: str
    numbers: tuple[float, ...]


def parse_region(text: str) -> tuple[Part, ...]:
    """The shapes whose union a text describes: Position, Circle, Box or Polygon, or ``Union ICRS (…)`` of them.

    Numbers without a name are a point, a circle or a polygon. Raises RegionError.
    """
    words = _TOKEN.findall(text)
    if words and _NUMBER.fullmatch(words[0]):
        words.insert(0, _BY_COUNT.get(len(words), "POLYGON"))
    parts, rest = _region(words, 0, 0)
    if len(parts) > MAX_PARTS or any(len(part.numbers) > MAX_NUMBERS for part in parts):
        raise RegionError(f"a region has at most {MAX_PARTS} shapes of at most {MAX_NUMBERS} numbers each")
    if rest != len(words):
        raise RegionError(f"{words[rest][:40]!r} follows the end of the region")
    return parts


def _region(words: list[str], at: int, depth: int) -> tuple[tuple[Part, ...], int]:
    """The region that begins at word `at`, and the number of the word behind it."""
    name = words[at].upper() if at < len(words) else ""
    at = _skip_frame(words, at + 1)
    if name == "UNION":
        return _union(words, at, depth + 1)
    if name not in _SIZES:
        found = f"not {name[:40].capitalize()!r}" if name else "and nothing stands here"
        raise RegionError(f"a region is a Position, Circle, Box, Polygon or Union of them, {found}")
    end = at
    while end < len(words) and _NUMBER.fullmatch(words[end]):
        end += 1
    least, most = _SIZES[name]
    count = end - at
    if count < least or (most is not None and count > most) or (name == "POLYGON" and count % 2):
        wanted = f"{least}" if most else f"an even number of numbers, at least {least}"
        raise RegionError(f"{name.capitalize()} has {count} numbers where {wanted} should be")
    return (Part(_FUNCTIONS.get(name, name), tuple(float(word) for word in words[at:end])),), end


def _union(words: list[str], at: int, depth: int) -> tuple[tuple[Part, ...], int]:
    if depth > MAX_DEPTH or at >= len(words) or words[at] != "(":
        raise RegionError("Union has its regions in parentheses")
    at += 1
    parts: list[Part] = []
    while at < len(words) and words[at] != ")":
        found, at = _region(words, at, depth)
        parts += found
    if at >= len(words) or not parts:
        raise RegionError("Union has its regions in parentheses")
    return tuple(parts), at + 1


def _skip_frame(words: list[str], at: int) -> int:
    """Behind frame, reference position and flavour; only frames that are ICRS, or within its errors, will do."""
    while at < len(words) and (word := words[at].upper()) in _ALIKE_ICRS | _ELSEWHERE | _OTHER_WORDS:
        if word in _ELSEWHERE:
            raise RegionError(f"the region is in {word}, and only those in ICRS can be used; ivo_geom_transform converts shapes")
        at += 1
    return at
