"""Blocks of pixels out of images and cubes, with their WCS."""

import string
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, WCSSUB_CELESTIAL, WcsError

from vo_server.cutout.filters import Bounds, Filters
from vo_server.cutout.fitsfile import FitsFile, header_bytes, padding, without_sums
from vo_server.cutout.tables import energies, part_of_table
from vo_server.cutout.windows import INSEPARABLE, PLANCK_LIGHT, Window, kind_of, matching, mjds, sky_windows, stokes_window, wavelengths
from vo_server.errors import UsageError

IMAGES = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)
ALTERNATES = ("", *string.ascii_uppercase)
STRUCTURE = ("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "INHERIT")
ENERGY_TABLES = ("EBOUNDS", "BANDS")
"""HDUs with the energies of an axis of which its header says no more than the name: a row a pixel, E_MIN and E_MAX."""
ENERGY_COLUMNS = ("E_MIN", "E_MAX")
TABULATED = ("CPDIS", "CQDIS", "D2IMDIS")
"""Keywords of distortions that stand in tables beside the image."""
BLOCK_BYTES = 1 << 20

Windows = Mapping[int, Window]
"""Axis, counted from 0 and the fastest first as in FITS → what is kept of it; of other axes all is."""


@dataclass(frozen=True)
class Image:
    """An image of a file: its HDU, its axes, and the table with the energies of one of them if there is one."""

    file: FitsFile
    hdu: Any
    wcs: WCS
    energy_table: Any = None

    @property
    def sizes(self) -> list[int]:
        """Pixels along each axis, the fastest first."""
        return [int(self.hdu.header[f"NAXIS{axis + 1}"]) for axis in range(int(self.hdu.header["NAXIS"]))]


def cut_image(file: FitsFile, hdu_number: int | None, filters: Filters, bounds: Bounds, note: str) -> Iterator[bytes]:
    """A FITS file with a part of an image; all that can fail has been done when this returns.

    `hdu_number`: which HDU of the file; None: the first image with positions. `note` goes into the HISTORY. NoOverlapError if no pixel
    would be left, UsageError for what the image does not allow.
    """
    image = read_image(file, hdu_number)
    windows = find_windows(image, filters, bounds)
    header = part_header(image, windows, note)
    return _written(image, windows, header)


def read_image(file: FitsFile, number: int | None) -> Image:
    """An HDU as an image; UsageError if it is none, or if no part of it could keep its WCS."""
    candidates = [hdu for index, hdu in enumerate(file.hdus) if number in (None, index) and isinstance(hdu, IMAGES)]
    for hdu in candidates:
        if hdu.header.get("NAXIS", 0) >= 2 and (wcs := read_wcs(hdu.header)).has_celestial:
            return Image(file, hdu, wcs, energy_table(file, hdu, wcs))
    raise UsageError("The dataset is no image with positions on the sky: no part of it can be cut out.", parameter="ID")


def read_wcs(header: fits.Header) -> WCS:
    """The WCS of an image."""
    ctypes = [str(header.get(f"CTYPE{axis + 1}", "")) for axis in range(int(header["NAXIS"]))]
    tables = [ctype for ctype in ctypes if ctype.endswith("-TAB")] + [str(key) for key in header if str(key).startswith(TABULATED)]
    if tables:
        raise UsageError(
            f"The positions of this image stand in a table beside it ({', '.join(dict.fromkeys(tables))}): a part would lose them.",
            hint="Take the whole image from its access_url.",
            parameter="ID",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd in a header is the publisher's matter
        try:
            return WCS(header)
        except (WcsError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"The WCS of this image cannot be used: {str(error).splitlines()[-1]}", parameter="ID") from None


def energy_table(file: FitsFile, hdu: Any, wcs: WCS) -> Any:
    """The table with the energies of an axis that is called so, outside of the standard; None if there is no such axis or table."""
    sizes = [
        int(hdu.header[f"NAXIS{axis + 1}"]) for axis in range(min(wcs.naxis, int(hdu.header["NAXIS"]))) if kind_of(wcs, axis) == "ENERGY"
    ]
    tables = [
        table
        for table in (file.hdus if sizes else ())
        if table.name in (*ENERGY_TABLES, f"{hdu.name}_BANDS")
        and table.header.get("NAXIS2") in sizes
        and set(ENERGY_COLUMNS) <= {name.upper() for name in table.columns.names}
    ]
    return tables[0] if tables else None


def find_windows(image: Image, filters: Filters, bounds: Bounds) -> Windows:
    """What is kept of each axis."""
    windows: dict[int, Window] = {}
    sizes = image.sizes
    if filters.region is not None:
        axes = sorted((image.wcs.wcs.lng, image.wcs.wcs.lat))
        windows.update(zip(axes, sky_windows(_celestial(image.wcs), filters.region, *(sizes[axis] for axis in axes)), strict=True))
    kinds = {kind_of(image.wcs, axis): axis for axis in range(min(len(sizes), image.wcs.naxis))}
    if "ENERGY" in kinds:
        kinds["BAND"] = kinds["ENERGY"]
    bounds.refuse_outside(filters, axes=frozenset(kinds))
    for kind, wanted, find in (
        ("BAND", filters.band, _band_window),
        ("TIME", filters.time, _time_window),
        ("POL", filters.pol, _pol_window),
    ):
        if wanted and kind in kinds:
            windows[kinds[kind]] = find(image, kinds[kind], wanted)
    return windows


def _celestial(wcs: WCS) -> WCS:
    try:
        return wcs.sub([WCSSUB_CELESTIAL])
    except INSEPARABLE:
        raise UsageError(
            "The sky axes of this image are turned against others: no part of it has positions of its own.",
            hint="Take the whole image from its access_url.",
            parameter="ID",
        ) from None


def _band_window(image: Image, axis: int, wanted: Any) -> Window:
    what = f"the wavelengths {wanted.lower:g} to {wanted.upper:g} m"
    if image.energy_table is not None:
        least, most = (PLANCK_LIGHT / energies(image.file, image.energy_table, name) for name in reversed(ENERGY_COLUMNS))
        return matching(least, most, wanted, what)
    if kind_of(image.wcs, axis) == "ENERGY":
        raise UsageError(f"BAND: the header does not say the energies along axis {axis + 1}.", parameter="BAND")
    edges = wavelengths(image.wcs, axis, _edges(image.sizes[axis]))
    return matching(edges[:-1], edges[1:], wanted, what)


def _time_window(image: Image, axis: int, wanted: Any) -> Window:
    edges = mjds(image.wcs, axis, _edges(image.sizes[axis]))
    return matching(edges[:-1], edges[1:], wanted, f"the times {wanted.lower:g} to {wanted.upper:g}")


def _pol_window(image: Image, axis: int, wanted: Any) -> Window:
    return stokes_window(image.wcs, axis, image.sizes[axis], wanted)


def _edges(size: int) -> Any:
    return np.arange(size + 1) - 0.5


def part_header(image: Image, windows: Windows, note: str) -> fits.Header:
    """The header of the part, as that of a primary HDU: sizes and reference pixels changed, what told of all the pixels gone."""
    cards = without_sums(image.hdu.header)
    if image.hdu.header.get("INHERIT") is True:  # FITS 4.0 §4.4.2.6
        cards.extend((card for card in image.file.hdus[0].header.cards if card.keyword not in cards), strip=True)
    sizes = image.sizes
    for keyword in (*STRUCTURE, *(f"NAXIS{axis + 1}" for axis in range(len(sizes)))):
        cards.remove(keyword, ignore_missing=True)
    for axis, window in windows.items():
        _shift(cards, axis + 1, window.lower)
    header = fits.Header()
    header["SIMPLE"] = True
    header["BITPIX"] = int(image.hdu.header["BITPIX"])
    header["NAXIS"] = len(sizes)
    for axis, size in enumerate(sizes):
        header[f"NAXIS{axis + 1}"] = windows[axis].size if axis in windows else size
    if image.energy_table is not None:
        header["EXTEND"] = True
    for card in cards.cards:
        header.append(card, end=True)
    header.add_history(note)
    return header


def _shift(cards: fits.Header, number: int, pixels: int) -> None:
    """Move the reference pixel of an axis in every WCS that the header has, the IRAF and DSS ones too."""
    if f"CRPIX{number}" not in cards:
        cards[f"CRPIX{number}"] = 0.0  # FITS 4.0 §8.2
    for alternate in ALTERNATES:
        if (keyword := f"CRPIX{number}{alternate}") in cards:
            cards[keyword] -= pixels
    if (keyword := f"LTV{number}") in cards:
        cards[keyword] -= pixels
    if (keyword := f"CNPIX{number}") in cards:
        cards[keyword] += pixels


def _written(image: Image, windows: Windows, header: fits.Header) -> Iterator[bytes]:
    """Header and pixels, a block at a time, then the rows of the energy table that belong to them."""
    slices = tuple(
        slice(windows[axis].lower, windows[axis].upper) if axis in windows else slice(0, size) for axis, size in enumerate(image.sizes)
    )[::-1]
    item = abs(int(header["BITPIX"])) // 8
    read = pixel_reader(image)
    rest = b""
    if image.energy_table is not None:
        axis = next(axis for axis in range(image.wcs.naxis) if kind_of(image.wcs, axis) == "ENERGY")
        rest = part_of_table(image.file, image.energy_table, windows.get(axis, Window(0, image.sizes[axis])))
    size = prod(part.stop - part.start for part in slices) * item

    def chunks() -> Iterator[bytes]:
        yield header_bytes(header)
        for block in blocks(slices, item):
            yield read(block)
        yield padding(size) + rest

    return chunks()


def pixel_reader(image: Image) -> Callable[[tuple[slice, ...]], bytes]:
    """What gives the bytes of a block as FITS has them: unscaled, big-endian."""
    bitpix = int(image.hdu.header["BITPIX"])
    dtype = np.dtype(f">{'f' if bitpix < 0 else 'i'}{abs(bitpix) // 8}") if bitpix != 8 else np.dtype("u1")
    if isinstance(image.hdu, fits.CompImageHDU):
        return lambda block: image.hdu.section[block].astype(dtype, copy=False).tobytes()
    mapped = image.file.mapped(image.hdu, dtype, tuple(image.sizes[::-1]))
    return lambda block: mapped[block].tobytes()


def blocks(slices: Sequence[slice], item: int) -> Iterator[tuple[slice, ...]]:
    """A part of an array (slowest axis first) as pieces of about BLOCK_BYTES, in the order in which they stand in a file."""
    first, *others = slices
    row = prod(part.stop - part.start for part in others) * item
    step = max(1, BLOCK_BYTES // max(row, 1))
    for start in range(first.start, first.stop, step):
        piece = slice(start, min(start + step, first.stop))
        if row > BLOCK_BYTES and others:
            yield from ((piece, *rest) for rest in blocks(others, item))
        else:
            yield (piece, *others)
