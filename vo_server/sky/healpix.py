"""The geometry of HEALPix cells one at a time, in plain Python: what a query's few cells need (Górski et al. 2005, ApJ 622, 759).

No numpy and no astropy: a server translates thousands of small regions, each of some hundred cells.
"""

from math import acos, atan2, cos, pi, sin, sqrt

MAX_ORDER = 29
Vector = tuple[float, float, float]

_RING = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
_COLUMN = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)
"""Where the twelve base cells lie: their lowest corner's ring, and their column in units of 45°."""


def center(face: int, x: int, y: int, order: int) -> Vector:
    """The unit vector to the centre of cell (x, y) of a base cell; x and y count from its southern corner to north-east and north-west."""
    side = 1 << order
    ring = _RING[face] * side - x - y - 1
    if ring < side:
        band, height = ring, 1.0 - ring * ring / (3.0 * side * side)
        # near the poles 1 - z² loses digits; written this way it does not
        flat = ring / side * sqrt((2.0 - ring * ring / (3.0 * side * side)) / 3.0)
    elif ring > 3 * side:
        band = 4 * side - ring
        height = band * band / (3.0 * side * side) - 1.0
        flat = band / side * sqrt((2.0 - band * band / (3.0 * side * side)) / 3.0)
    else:
        band, height = side, (2 * side - ring) * 2.0 / (3.0 * side)
        flat = sqrt(1.0 - height * height)
    longitude = (_COLUMN[face] * band + x - y) * pi / (4.0 * band)
    return flat * cos(longitude), flat * sin(longitude), height


def _largest_radius(order: int) -> float:
    """The largest distance (radians) from a cell's centre to one of its corners, over all cells of the order."""
    side = 1 << order
    shrunk = (1.0 - 1.0 / side) ** 2 / 3.0
    one = sqrt(5.0 / 9.0) * cos(pi / (4 * side)), sqrt(5.0 / 9.0) * sin(pi / (4 * side)), 2.0 / 3.0
    other = sqrt(1.0 - (1.0 - shrunk) ** 2), 0.0, 1.0 - shrunk
    chord = sqrt(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)))
    return acos(1.0 - chord * chord / 2.0) if order < 10 else chord * (1.0 + 1e-5)


RADII = tuple(_largest_radius(order) for order in range(MAX_ORDER + 1))
"""By order: every cell lies within this distance (radians) of its centre."""


def vector(ra: float, dec: float) -> Vector:
    """The unit vector to a position in radians."""
    return cos(dec) * cos(ra), cos(dec) * sin(ra), sin(dec)


def locate(point: Vector) -> tuple[int, float, float]:
    """The base cell of a unit vector, and its place there: x and y from 0 to 1."""
    height = point[2]
    turn = atan2(point[1], point[0]) * 2.0 / pi % 4.0
    if abs(height) > 2.0 / 3.0:
        return _locate_polar(turn, height)
    rising, falling = 0.5 + turn - 0.75 * height, 0.5 + turn + 0.75 * height
    south, north = int(rising), int(falling)
    face = (south & 3) + 4 if south == north else south & 3 if south < north else (north & 3) + 8
    return face, falling - north, 1.0 - (rising - south)


def _locate_polar(turn: float, height: float) -> tuple[int, float, float]:
    quarter = min(3, int(turn))
    part = turn - quarter
    distance = sqrt(3.0 * (1.0 - abs(height)))
    if height > 0:
        return quarter, 1.0 - (1.0 - part) * distance, 1.0 - part * distance
    return quarter + 8, part * distance, (1.0 - part) * distance


_SPREADS = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def nested(x: int, y: int) -> int:
    """The number in NESTED order within its base cell: the bits of x and y in turn, those of x lowest."""
    for shift, mask in _SPREADS:
        x = (x | (x << shift)) & mask
        y = (y | (y << shift)) & mask
    return x | (y << 1)
