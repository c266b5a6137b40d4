"""FITS files on disk: opened without reading them, unpacked into a temporary file where they are compressed as a whole."""

import bz2
import gzip
import lzma
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from vo_server import scratch

BLOCK = 2880
"""FITS 4.0 §3.1."""

CHUNK_BYTES = 256 * 1024

UNPACKERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
"""First bytes of a compressed file → what reads it."""

NOT_COPIED = ("CHECKSUM", "DATASUM", "ZHECKSUM", "ZDATASUM", "DATAMIN", "DATAMAX")
"""Cards that tell of the pixels, which are others in a part."""


class FitsFile:
    """A file, until `close`. ``hdus`` are read lazily: headers as they are asked for, data never."""

    def __init__(self, path: Path) -> None:
        self._stack = ExitStack()
        try:
            self.raw = self._stack.enter_context(_plain(path))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is odd in a header is the publisher's matter
                self.hdus: fits.HDUList = self._stack.enter_context(
                    fits.open(self.raw, lazy_load_hdus=True, memmap=True, do_not_scale_image_data=True)
                )
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """Give the file back."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._stack.close()

    def mapped(self, hdu: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """The data of an HDU where they lie in the file, nothing read yet."""
        return np.memmap(self.raw, dtype, mode="r", offset=hdu.fileinfo()["datLoc"], shape=shape)

    def copied(self, hdu: Any) -> Iterator[bytes]:
        """An HDU byte for byte, header and data."""
        place = hdu.fileinfo()
        yield from self._bytes(place["hdrLoc"], place["datLoc"] + place["datSpan"])

    def heap(self, hdu: Any) -> Iterator[bytes]:
        """What lies behind the rows of a table: the elements of its variable-length arrays."""
        header, place = hdu.header, hdu.fileinfo()
        rows = header["NAXIS1"] * header["NAXIS2"]
        begin = place["datLoc"] + header.get("THEAP", rows)
        yield from self._bytes(begin, place["datLoc"] + rows + header.get("PCOUNT", 0))

    def _bytes(self, begin: int, end: int) -> Iterator[bytes]:
        while begin < end:
            self.raw.seek(begin)
            chunk = self.raw.read(min(CHUNK_BYTES, end - begin))
            if not chunk:
                raise EOFError("the file ends too early")
            begin += len(chunk)
            yield chunk


def _plain(path: Path) -> IO[bytes]:
    """The file; if it is compressed, a temporary one with its content."""
    file = path.open("rb")
    start = file.read(8)
    file.seek(0)
    unpack = next((unpack for magic, unpack in UNPACKERS.items() if start.startswith(magic)), None)
    if unpack is None:
        return file
    with file, unpack(file) as packed, tempfile.NamedTemporaryFile(prefix=scratch.prefix("cutout")) as plain:
        shutil.copyfileobj(packed, plain, CHUNK_BYTES)
        plain.flush()
        return Path(plain.name).open("rb")  # it lives on without its name


def header_bytes(header: fits.Header) -> bytes:
    """A header as it stands in a file."""
    text: str = header.tostring()
    return text.encode("ascii")


def padding(size: int, fill: bytes = b"\0") -> bytes:
    """What fills the last block after `size` bytes of data."""
    return fill * (-size % BLOCK)


def without_sums(header: fits.Header) -> fits.Header:
    """A copy without what is true only of all the data."""
    copy = header.copy()
    for keyword in NOT_COPIED:
        copy.remove(keyword, ignore_missing=True, remove_all=True)
    return copy
