"""A cut-out as work that a reply streams or a job writes to a file."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vo_server.cutout.filters import Bounds, Filters, NoOverlapError
from vo_server.cutout.regions import refuse_degenerate
from vo_server.errors import TimeLimitError, UsageError, VoError
from vo_server.libraries import later

if TYPE_CHECKING:
    from vo_server.cutout.fitsfile import FitsFile

cutters = later("vo_server.cutout.cutters")


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset that can be cut: its file, which HDU of it (None: the first that fits), its kind, and where it lies."""

    identifier: str
    file: Path
    hdu: int | None
    kind: str
    bounds: Bounds


class Cutout:
    """A part of `source`. `start` does all that can fail; NoOverlapError if nothing would be left. Bytes come as they are asked for."""

    failure: VoError | None = None
    rows = None

    def __init__(self, source: Source, filters: Filters) -> None:
        self.content_type = "application/fits"
        self.status: str | None = None
        self.filename: str | None = f"{_stem(source.file.name)}-cutout.fits"
        self._source, self._filters = source, filters
        self._file: FitsFile | None = None
        self._parts: Iterator[bytes] = iter(())
        self._cancelled = False

    def start(self) -> None:
        """Open the file and find what of it is wanted."""
        cutter = cutters.CUTTERS.get(self._source.kind)
        if cutter is None:
            raise UsageError(f"There are no parts of a dataset of the kind {self._source.kind!r}.", parameter="ID")
        if self._filters.region is not None:
            refuse_degenerate(self._filters.region, "POS")
        self._file = cutters.FitsFile(self._source.file)
        note = f"Part of {self._source.identifier}"
        self._parts = cutter(self._file, self._source.hdu, self._filters, self._source.bounds, note)

    def chunks(self) -> Iterator[bytes]:
        """The FITS file, piece by piece."""
        for part in self._parts:
            if self._cancelled:
                raise TimeLimitError("The cut-out was cancelled.")
            yield part

    def cancel(self) -> None:
        """Stop before the next piece."""
        self._cancelled = True

    def give_up(self) -> None:
        """Nothing of the database is held."""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class JobCutout(Cutout):
    """A cut-out for a job: it takes at most `seconds` (UWS 1.1 §2.1.5), and must have a result: one without content is a text that says so
    (SODA 1.0 §5).
    """

    def __init__(self, source: Source, filters: Filters, seconds: float) -> None:
        super().__init__(source, filters)
        self._seconds, self._end = seconds, inf

    def start(self) -> None:
        """As `Cutout.start`, but nothing is an answer too."""
        self._end = time.monotonic() + self._seconds
        try:
            super().start()
        except NoOverlapError as error:
            self.content_type, self.filename = "text/plain; charset=utf-8", "nothing.txt"
            self._parts = iter((f"Error: {error}\n".encode(),))

    def chunks(self) -> Iterator[bytes]:
        """The FITS file, piece by piece, as long as there is time."""
        for part in super().chunks():
            if time.monotonic() > self._end:
                raise TimeLimitError(f"The cut-out took longer than {self._seconds} s.")
            yield part


def _stem(name: str) -> str:
    """A file's name without its endings, of letters that a header can hold."""
    path = PurePosixPath(name)
    while path.suffix.lower() in (".gz", ".bz2", ".xz", ".fz", ".fits", ".fit", ".fts"):
        path = path.with_suffix("")
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-+") else "_" for letter in path.name) or "dataset"
