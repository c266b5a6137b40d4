"""Columns as drawings: how often which values occur, and one column against another."""

from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
import numpy.typing as npt

from vo_server.web import svg

WIDTH, HEIGHT = 1440, 720
LEFT, RIGHT, TOP, BOTTOM = 150, 24, 24, 96
BINS = 48
GRID = (72, 40)
MOST_DOTS = 4000
DECADES = 3.0
"""Positive values over so many powers of ten are drawn by their logarithms."""

ROWS = "rows"
STRAIGHT = ("[deg]", "[rad]", "[MJD]", "[d]", ROWS)
"""Ends of labels of axes that are never logarithmic."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`, over `start` to `start + length` of the drawing; where `log`, both are exponents of ten."""

    label: str
    low: float
    high: float
    log: bool
    start: int
    length: int

    @classmethod
    def over(cls, values: Values, label: str, start: int, length: int) -> "Axis":
        """An axis on which all of `values` (finite, not empty) lie; angles are not drawn by their logarithms."""
        spans = values.min() > 0 and np.log10(values.max() / values.min()) >= DECADES
        log = bool(spans and not label.endswith(STRAIGHT))
        scaled = np.log10(values) if log else values
        low, high = float(scaled.min()), float(scaled.max())
        if low == high:
            low, high = low - 0.5, high + 0.5
        return cls(label, low, high, log, start, length)

    def scaled(self, values: Values) -> Values:
        """Values as the axis counts them, from 0 to 1."""
        return ((np.log10(values) if self.log else values) - self.low) / (self.high - self.low)

    def at(self, values: Values) -> npt.NDArray[np.int64]:
        """Where values lie in the drawing."""
        return np.rint(self.start + self.scaled(values) * self.length).astype(np.int64)

    def ticks(self) -> list[tuple[float, str]]:
        """Where round numbers lie in the drawing, and how they are written; about six."""
        rough = (self.high - self.low) / 6
        scale = 10.0 ** floor(log10(rough))
        step = next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= rough)
        if self.log:
            step = max(1.0, float(ceil(step)))
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        at = self.length / (self.high - self.low)
        return [(self.start + (n * step - self.low) * at, _number(n * step, step, self.log)) for n in range(first, last + 1)]


def histogram(values: Values, label: str, title: str) -> str:
    """How often which values occur, in BINS bins."""
    values = values[np.isfinite(values)]
    if not len(values):
        return nothing(title)
    across = Axis.over(values, label, LEFT, WIDTH - LEFT - RIGHT)
    counts, edges = np.histogram(across.scaled(values), BINS, (0.0, 1.0))
    up = Axis.over(np.array([0.0, counts.max()]), ROWS, HEIGHT - BOTTOM, -(HEIGHT - BOTTOM - TOP))
    left, tops = across.start + edges * across.length, up.at(counts.astype(np.float64))
    bars = [f"M{left[n]:.0f} {up.start}V{tops[n]}H{max(left[n + 1] - 2, left[n] + 1):.0f}V{up.start}z" for n in np.flatnonzero(counts)]
    return _drawing(title, across, up, [f'<path class="ink" fill-opacity=".8" d="{"".join(bars)}"/>'])


def against(x: Values, y: Values, labels: tuple[str, str], title: str) -> str:
    """One column against another: dots, or for many rows a grid shaded by the logarithm of how many lie there."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if not len(x):
        return nothing(title)
    across = Axis.over(x, labels[0], LEFT, WIDTH - LEFT - RIGHT)
    up = Axis.over(y, labels[1], HEIGHT - BOTTOM, -(HEIGHT - BOTTOM - TOP))
    if len(x) <= MOST_DOTS:
        points = sorted(set(zip(across.at(x).tolist(), up.at(y).tolist(), strict=True)))
        return _drawing(title, across, up, [svg.dots(points, 9 if len(x) < 1000 else 6)])
    counts, _, _ = np.histogram2d(across.scaled(x), up.scaled(y), GRID, ((0.0, 1.0), (0.0, 1.0)))
    levels = np.floor(np.log(np.maximum(counts, 1)) / np.log(counts.max() + 1) * svg.LEVELS).astype(int)
    wide, tall = across.length / GRID[0], -up.length / GRID[1]
    parts = []
    for level in range(svg.LEVELS):
        here = np.argwhere((levels == level) & (counts > 0))
        path = "".join(
            f"M{across.start + i * wide:.0f} {up.start - j * tall:.0f}h{ceil(wide)}v-{ceil(tall)}h-{ceil(wide)}z" for i, j in here
        )
        parts.append(f'<path class="ink" fill-opacity="{svg.shade(level)}" d="{path}"/>')
    return _drawing(title, across, up, parts)


def nothing(title: str) -> str:
    """A drawing that says there is nothing to draw."""
    return svg.document(WIDTH, 160, title, [svg.text(WIDTH / 2, 90, "No values to draw.")])


def _drawing(title: str, across: Axis, up: Axis, parts: list[str]) -> str:
    lines = [f'<path class="line" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>']
    for place, words in across.ticks():
        lines.append(f'<path class="line fine" d="M{place:.0f} {TOP}V{HEIGHT - BOTTOM}"/>' + svg.text(place, HEIGHT - BOTTOM + 32, words))
    for place, words in up.ticks():
        lines.append(f'<path class="line fine" d="M{LEFT} {place:.0f}H{WIDTH - RIGHT}"/>' + svg.text(LEFT - 14, place + 8, words, "end"))
    lines.append(svg.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, across.label))
    lines.append(svg.text(30, (TOP + HEIGHT - BOTTOM) / 2, up.label, turned=True))
    return svg.document(WIDTH, HEIGHT, title, [*lines, *parts])


def _number(value: float, step: float, log: bool) -> str:
    if log:
        return f"{10.0**value:g}" if -4 <= value <= 5 else f"1e{value:.0f}"
    if abs(value) < step / 2:
        return "0"
    digits = max(0, -floor(log10(step) + 1e-9))
    return f"{value:.{digits}f}" if digits <= 6 and abs(value) < 1e7 else f"{value:.6g}"
