"""Rotations between the reference frames of the IVOA's vocabulary ``refframe``; what the catalogue of user defined functions asks."""

from functools import cache
from math import radians

from vo_server.sky.healpix import vector
from vo_server.sky.polygons import Position, dot, position

Matrix = tuple[float, ...]
"""Nine numbers, row by row."""

FROM_ICRS: dict[str, Matrix] = {
    "ICRS": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    "FK5": (
        *(0.9999999999999929, -0.0000001110223330, -0.0000000441180450),
        *(0.0000001110223372, 0.9999999999999891, 0.0000000964779224),
        *(0.0000000441180343, -0.0000000964779272, 0.9999999999999943),
    ),
    "FK4": (
        *(0.9999256809514503, 0.0111813717538848, 0.0048589607407388),
        *(-0.0111813722038499, 0.9999374861373456, -0.0000270733285359),
        *(-0.0048589597052854, -0.0000272585320938, 0.9999881948140964),
    ),
    "GALACTIC": (
        *(-0.0548756577125917, -0.8734370519556165, -0.4838350736167155),
        *(0.4941094371927274, -0.4448297212232950, 0.7469821839866675),
        *(-0.8676661375596588, -0.1980763372730006, 0.4559838136873016),
    ),
    "SUPER_GALACTIC": (
        *(0.3750155557030321, 0.3413588718562473, 0.8618801851683192),
        *(-0.8983204377276136, -0.0957271002488513, 0.4287851600030196),
        *(0.2288749093754374, -0.9350456902649071, 0.2707504994924455),
    ),
    "ECLIPTIC": (
        *(0.9999999999999942, -0.0000000707836896, 0.0000000805621398),
        *(0.0000000328970041, 0.9174821299149581, 0.3977769994440482),
        *(-0.0000001020704473, -0.3977769994440430, 0.9174821299149555),
    ),
}
"""FK5 and the ecliptic at J2000, FK4 at B1950 without its terms of aberration (up to 0.34 arcsec)."""


@cache
def rotation(source: str, target: str) -> Matrix:
    """The matrix from one frame to another, by their identifiers (keys of FROM_ICRS, case-sensitive)."""
    first, second = FROM_ICRS[source], FROM_ICRS[target]
    # the inverse of a rotation is its transpose
    return tuple(sum(second[3 * row + part] * first[3 * column + part] for part in range(3)) for row in range(3) for column in range(3))


def rotated(place: Position, matrix: Matrix) -> Position:
    """A position (degrees) after a rotation."""
    point = vector(radians(place[0]), radians(place[1]))
    rows = [(matrix[first], matrix[first + 1], matrix[first + 2]) for first in (0, 3, 6)]
    return position((dot(rows[0], point), dot(rows[1], point), dot(rows[2], point)))
