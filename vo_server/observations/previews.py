"""Previews: small PNG pictures of images and sky maps, for people who look before they fetch."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.visualization import AsinhStretch, PercentileInterval
from PIL import Image, ImageDraw

Pixels = npt.NDArray[np.float64]

SIDE = 400
"""Longest side of a preview, in pixels."""
PLANES_READ = 64 << 20
"""A cube of more values than this is shown by its middle plane, else by the mean of all."""
CLIPPED = 99.5
"""Per cent of the pixels whose values the grey levels span."""
BLANK = 0
"""Grey level of pixels without a value."""

WIDE_RANGE = 30.0
"""An axis of a curve that spans more than this factor is logarithmic."""
DOTTED = 40
"""A curve of fewer points has its points marked."""

HEAT = np.array([[0, 0, 20], [60, 10, 110], [160, 35, 105], [230, 85, 45], [252, 170, 30], [252, 255, 190]], np.float64)
"""Colours of a sky map from low to high, to be interpolated."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What numbers in a file mean: ``zero + scale × number``, or no value where they are ``blank`` (FITS 4.0 §4.4.2.5)."""

    scale: float = 1.0
    zero: float = 0.0
    blank: int | None = None

    def values(self, numbers: Any) -> Pixels:
        """The physical values, NaN where there is none."""
        values = np.asarray(numbers, np.float64) * self.scale + self.zero
        return values if self.blank is None else np.where(numbers == self.blank, np.nan, values)


def draw_image(numbers: Any, scale: Scale) -> Image.Image | None:
    """A picture of an array whose last two axes are the image's, as FITS counts rows: from the bottom. None if it has no values."""
    plane = flat(scale.values(thinned(numbers)))
    if not np.isfinite(plane).any():
        return None
    return fitted(Image.fromarray(stretched(plane)[::-1], "L"))


def thinned(numbers: Any) -> Any:
    """Every n-th pixel of a large image, so that a file that is mapped into memory is not read whole; the middle plane of a large cube."""
    planes = numbers.reshape(-1, *numbers.shape[-2:])
    if planes.size > PLANES_READ:
        planes = planes[len(planes) // 2][None]
    step = max(1, min(planes.shape[-2:]) // (2 * SIDE))
    return planes[:, ::step, ::step]


def flat(planes: Pixels) -> Pixels:
    """The mean of the planes of a cube, where they have values."""
    if len(planes) == 1:
        return np.asarray(planes[0])
    finite = np.isfinite(planes)
    counts = finite.sum(axis=0)
    means: Pixels = np.full(counts.shape, np.nan)
    np.divide(np.where(finite, planes, 0).sum(axis=0), counts, out=means, where=counts > 0)
    return means


def stretched(plane: Pixels) -> npt.NDArray[np.uint8]:
    """Grey levels from 1 to 255; BLANK where there is no value."""
    finite = np.isfinite(plane)
    low, high = PercentileInterval(CLIPPED).get_limits(plane[finite])
    scaled = np.clip((np.where(finite, plane, low) - low) / (high - low or 1.0), 0, 1)
    levels = np.asarray(AsinhStretch(0.1)(scaled) * 254 + 1, np.uint8)
    return np.where(finite, levels, np.uint8(BLANK)).astype(np.uint8)


def fitted(picture: Image.Image) -> Image.Image:
    """The picture with its longest side at most SIDE."""
    factor = SIDE / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST)


def coloured(levels: npt.NDArray[np.uint8]) -> Image.Image:
    """Grey levels as colours of HEAT; BLANK transparent."""
    places = np.linspace(0, 255, len(HEAT))
    palette = np.stack([np.interp(np.arange(256), places, HEAT[:, channel]) for channel in range(3)], axis=-1)
    alpha = np.where(levels == BLANK, 0, 255)
    return Image.fromarray(np.concatenate([palette[levels], alpha[..., None]], axis=-1).astype(np.uint8), "RGBA")


def draw_curve(x: Pixels, y: Pixels, x_label: str, y_label: str) -> Image.Image:
    """A picture of a curve in a frame, the ends of both axes written beside it. Axes that span more than a factor of thirty, all positive,
    are logarithmic; of the values of y the rarest per cent may lie outside.
    """
    height = SIDE * 5 // 8
    left, top, right, bottom = 6, 18, SIDE - 7, height - 19
    order = np.argsort(x, kind="stable")
    places, across = _fractions(np.asarray(x, np.float64)[order], 100.0)
    heights, up = _fractions(np.asarray(y, np.float64)[order], 99.0)
    picture = Image.new("L", (SIDE, height), 255)
    pen = ImageDraw.Draw(picture)
    run: list[tuple[float, float]] = []
    for place, level in zip(places.tolist(), heights.tolist(), strict=True):
        if np.isfinite(level):
            run.append((left + place * (right - left), bottom - level * (bottom - top)))
            continue
        _draw_run(pen, run)
        run = []
    _draw_run(pen, run)
    pen.rectangle((left, top, right, bottom), outline=110)
    pen.text((left, 3), f"{_plain(y_label)}: {up[0]:.3g} .. {up[1]:.3g}", fill=60)
    pen.text((left, bottom + 4), f"{_plain(x_label)}: {across[0]:.4g} .. {across[1]:.4g}", fill=60)
    return picture


def _draw_run(pen: ImageDraw.ImageDraw, run: list[tuple[float, float]]) -> None:
    if len(run) > 1:
        pen.line(run, fill=20)
    for x, y in run if len(run) < DOTTED else ():
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=20)


def _fractions(values: Pixels, percent: float) -> tuple[Pixels, tuple[float, float]]:
    """Values as parts of the axis from 0 to 1, NaN where there are none, and the ends of the axis."""
    finite = values[np.isfinite(values)]
    low, high = (float(end) for end in PercentileInterval(percent).get_limits(finite))
    if low > 0 and high > WIDE_RANGE * low:
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.log(np.where(values > 0, values, np.nan) / low) / np.log(high / low)
    else:
        scaled = (values - low) / (high - low or 1.0)
    return np.clip(scaled, 0, 1), (low, high)


def _plain(label: str) -> str:
    """A label in the letters that the font has."""
    return label.encode("ascii", "replace").decode()


def write(picture: Image.Image, file: Path) -> int:
    """Write a PNG file, whole or not at all; its length in bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    picture.save(beside, "PNG")  # optimize=True would take five times as long to save a tenth of three kilobytes
    beside.replace(file)
    return file.stat().st_size
