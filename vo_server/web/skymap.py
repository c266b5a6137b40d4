"""Maps of the whole sky in Mollweide's projection: coverages and densities of HEALPix cells, and positions.

ICRS, right ascension 0 in the middle and growing to the left, as one sees the sky from inside.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from vo_server.libraries import later
from vo_server.sky.cells import ORDER, cells_of
from vo_server.sky.frames import rotated, rotation
from vo_server.web import svg

mocpy, healpix = later("mocpy"), later("cdshealpix.nested")

WIDTH, HEIGHT = 1440, 720
MARGIN = 12
MOST_CELLS = 2500
"""A map has no more cells: finer coverages are drawn coarser."""
FINEST = 7
DENSITY_ORDER = 4
"""Cells of 3.7°."""
MOST_DOTS = 3000
CONTRAST = 10
"""The darkest shade stands for at least so many times the rows of the lightest: chance alone makes no pattern."""

SMALL_DEG = 3.0
"""Footprints of less height are hard to see."""

Degrees = npt.NDArray[np.float64]
Cells = npt.NDArray[np.uint64]


def project(lon: Degrees, lat: Degrees) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where positions (degrees) lie on a map; longitudes beyond ±180 lie outside its outline (Snyder 1987, §31)."""
    sine = np.sin(np.radians(lat))
    angle = np.radians(lat)
    for _ in range(12):  # Newton's method for 2θ + sin 2θ = π sin φ; at the poles, where it stalls, the start is right
        slope = 2 + 2 * np.cos(2 * angle)
        step = (2 * angle + np.sin(2 * angle) - np.pi * sine) / np.where(slope < 1e-9, 1, slope)
        angle = np.where(slope < 1e-9, angle, angle - step)
    x = WIDTH / 2 - lon / 180 * np.cos(angle) * (WIDTH / 2 - MARGIN)
    y = HEIGHT / 2 - np.sin(angle) * (HEIGHT / 2 - MARGIN)
    return np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)


def centred(lon: Degrees) -> Degrees:
    """Longitudes from -180 to 180."""
    return (np.asarray(lon, np.float64) + 180.0) % 360.0 - 180.0


def coverage_map(moc: str, title: str) -> str:
    """A MOC (in ASCII) as a drawing."""
    covered = mocpy.MOC.from_string(moc, format="ascii")
    for order in range(min(FINEST, covered.max_order), -1, -1):
        shown = covered.degrade_to_order(order) if order < covered.max_order else covered
        if len(numbers := np.asarray(shown.uniq_hpx, np.uint64)) <= MOST_CELLS:
            break
    orders = (np.log2(numbers.astype(np.float64) / 4) / 2).astype(np.int64)
    paths = [cells_path(int(order), numbers[orders == order] - np.uint64(4 << 2 * int(order))) for order in np.unique(orders)]
    return _map(title, [f'<path class="ink edge" fill-opacity=".55" d="{"".join(paths)}"/>'])


def density_map(ra: Degrees, dec: Degrees, title: str) -> str:
    """Positions as a drawing: a few as dots, many as cells by the logarithm of how many are in them."""
    known = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
    ra, dec = ra[known], dec[known]
    if len(ra) <= MOST_DOTS:
        points = zip(*(axis.tolist() for axis in project(centred(ra), dec)), strict=True)
        return _map(title, [svg.dots(points, 9 if len(ra) < 500 else 6)])
    numbers, counts = np.unique(cells_of(ra, dec) >> 2 * (ORDER - DENSITY_ORDER), return_counts=True)
    most = counts.max() + 1
    least = min(counts.min(), most / CONTRAST)
    levels = np.floor(np.log(counts / least) / np.log(most / least) * svg.LEVELS).astype(int)
    parts = [
        f'<path class="ink" fill-opacity="{svg.shade(level)}" d="{cells_path(DENSITY_ORDER, numbers[levels == level].astype(np.uint64))}"/>'
        for level in np.unique(levels)
    ]
    return _map(title, parts)


def footprint_map(corners: Sequence[tuple[float, float]], title: str) -> str:
    """A polygon on the sky as a drawing, ringed where it is small."""
    lon, lat = (np.array([corner[axis] for corner in corners], np.float64) for axis in (0, 1))
    lon = centred(lon[:1]) + centred(lon - lon[0])
    turns = [0.0, *([-360.0] if lon.max() > 180 else []), *([360.0] if lon.min() < -180 else [])]
    path = "".join(outlines((lon + turn)[None, :], lat[None, :]) for turn in turns)
    (x,), (y,) = project(centred(lon[:1]), lat[:1])
    ring = f'<circle class="line" cx="{x}" cy="{y}" r="28"/>' if np.ptp(lat) < SMALL_DEG else ""
    return _map(title, [f'<path class="ink edge" fill-opacity=".55" d="{path}"/>{ring}'])


def cells_path(order: int, cells: Cells) -> str:
    """The outlines of HEALPix cells, with points between their corners where their edges are curved on the map."""
    step = max(1, 8 >> order)
    corners_lon, corners_lat = healpix.vertices(cells, order, step=step)
    middle, _ = healpix.healpix_to_lonlat(cells, order)
    start = centred(middle.deg)[:, None]
    lon = start + centred(corners_lon.deg - start)  # whole, though it may lie across the map's edge
    lat = corners_lat.deg
    across = np.abs(lon).max(axis=1) > 180.0
    turns = np.where(lon[across].max(axis=1) > 180.0, -360.0, 360.0)[:, None]
    return outlines(np.concatenate((lon, lon[across] + turns)), np.concatenate((lat, lat[across])))


def outlines(lon: Degrees, lat: Degrees) -> str:
    """Polygons (rows of the two arrays) as a path of SVG, each point relative to the one before."""
    x, y = project(lon, lat)
    moves = np.stack((np.diff(x, axis=1), np.diff(y, axis=1)), axis=2).reshape(len(x), -1)
    return "".join(
        f"M{x0} {y0}l{' '.join(map(str, rest))}z" for x0, y0, rest in zip(x[:, 0].tolist(), y[:, 0].tolist(), moves.tolist(), strict=True)
    )


def _map(title: str, parts: Iterable[str]) -> str:
    outline = f'<ellipse cx="{WIDTH // 2}" cy="{HEIGHT // 2}" rx="{WIDTH // 2 - MARGIN}" ry="{HEIGHT // 2 - MARGIN}"'
    return svg.document(
        WIDTH,
        HEIGHT,
        title,
        (
            f'<clipPath id="sky">{outline}/></clipPath>{outline} class="back"/><g clip-path="url(#sky)">',
            *parts,
            f'<path class="line fine" d="{GRATICULE}"/><path class="line" stroke-opacity=".6" d="{GALACTIC_PLANE}"/>',
            f'</g>{outline} class="line"/>',
            LABELS,
        ),
    )


def _line(lon: Degrees, lat: Degrees) -> str:
    """A line over the map, broken where it leaves at one side and comes back at the other."""
    x, y = project(lon, lat)
    parts = [f"M{x[0]} {y[0]}"]
    parts += [f"{'M' if abs(there - here) > WIDTH // 2 else 'L'}{there} {down}" for here, there, down in zip(x, x[1:], y[1:], strict=False)]
    return "".join(parts)


def _graticule() -> str:
    latitudes, longitudes = np.linspace(-90, 90, 31), np.linspace(-180, 180, 5)
    meridians = [_line(np.full(31, lon), latitudes) for lon in range(-120, 180, 60)]
    return "".join(meridians + [_line(longitudes, np.full(5, lat)) for lat in (-60.0, -30.0, 0.0, 30.0, 60.0)])


def _plane() -> str:
    turn = rotation("GALACTIC", "ICRS")
    ra, dec = zip(*(rotated((float(lon), 0.0), turn) for lon in range(0, 361, 4)), strict=True)
    return _line(centred(np.array(ra)), np.array(dec))


def _labels() -> str:
    hours = (120, 60, 0, -60, -120)
    x, y = project(np.array(hours, np.float64), np.zeros(len(hours)))
    return "".join(svg.text(at + 6, down - 6, f"{hour % 360}°", "start") for at, down, hour in zip(x, y, hours, strict=True))


GRATICULE = _graticule()
GALACTIC_PLANE = _plane()
LABELS = _labels()
