"""What is learned of the rows while they pass: how many, where on the sky, when."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo_server.libraries import later
from vo_server.model.columns import CELL, Column
from vo_server.sky.cells import cells_of

mocpy = later("mocpy")

COVERAGE_ORDER = 6
"""HEALPix order of a table's coverage: cells of about one degree."""

LONGEST_MOC = 10_000
"""Characters: registry records should stay small."""

CELL_ORDER = 29
MJD_RANGE = (10_000.0, 120_000.0)
JD_OF_MJD = 2_400_000.5


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of all rows: how many, how many of them without a valid position, where (an ASCII MOC), when (MJD), the position of
    one of them, and the column that proved to identify a row.
    """

    rows: int
    placeless: int = 0
    spatial: str | None = None
    temporal: tuple[float, float] | None = None
    sample: tuple[float, float] | None = None
    identifier: str | None = None


def together(one: Learned, other: Learned) -> Learned:
    """What is known of the rows of both; `other` has seen what identifies all of them."""
    return Learned(
        one.rows + other.rows,
        one.placeless + other.placeless,
        joined(one.spatial, other.spatial),
        spanned(one.temporal, other.temporal),
        one.sample or other.sample,
        other.identifier,
    )


def joined(one: str | None, other: str | None) -> str | None:
    """The union of two MOCs in ASCII, either of which may be missing."""
    if one is None or other is None:
        return one or other
    return compact(mocpy.MOC.from_string(one).union(mocpy.MOC.from_string(other)))


def spanned(one: tuple[float, float] | None, other: tuple[float, float] | None) -> tuple[float, float] | None:
    """The shortest interval around two, either of which may be missing."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


@dataclass
class Survey:
    """Sees every batch on its way into the database; `position` are the names of ra and dec (ICRS degrees), if there are any."""

    position: tuple[str, str] | None
    times: Sequence[Column] = ()
    rows: int = 0
    placeless: int = 0
    sample: tuple[float, float] | None = None
    _cells: set[int] = field(default_factory=set)
    _instants: list[float] = field(default_factory=list)

    def see(self, batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
        """The batch with its cells (CELL, int64, NULL without a valid position) behind the other columns, if the table has positions."""
        self.rows += batch.num_rows
        for column in self.times:
            self._see_times(batch.column(column.name))
        if self.position is None:
            return batch
        ra, dec = (_degrees(batch.column(name)) for name in self.position)
        cells = numpy.asarray(cells_of(ra, dec), dtype=numpy.int64)
        self._see_cells(ra, dec, cells)
        values = pyarrow.array(cells, pyarrow.int64(), mask=cells < 0)
        return pyarrow.RecordBatch.from_arrays([*batch.columns, values], schema=batch.schema.append(pyarrow.field(CELL, pyarrow.int64())))

    def learned(self, identifier: str | None = None) -> Learned:
        """What all rows that were seen have told."""
        return Learned(self.rows, self.placeless, self.spatial, self.temporal, self.sample, identifier)

    def _see_cells(self, ra: NDArray[numpy.float64], dec: NDArray[numpy.float64], cells: NDArray[numpy.int64]) -> None:
        valid = cells >= 0
        self.placeless += int(len(cells) - valid.sum())
        self._cells.update(numpy.unique(cells[valid] >> (2 * (CELL_ORDER - COVERAGE_ORDER))).tolist())
        if self.sample is None and valid.any():
            place = int(numpy.argmax(valid))
            self.sample = (float(ra[place]), float(dec[place]))

    def _see_times(self, values: pyarrow.Array) -> None:
        bounds = pc.min_max(values)
        self._instants += [float(bounds[key].as_py()) for key in ("min", "max") if bounds[key].is_valid]

    @property
    def spatial(self) -> str | None:
        """The coverage as an ASCII MOC."""
        if not self._cells:
            return None
        cells = numpy.fromiter(self._cells, dtype=numpy.uint64)
        moc = mocpy.MOC.from_healpix_cells(cells, numpy.full(len(cells), COVERAGE_ORDER, dtype=numpy.uint8), COVERAGE_ORDER)
        return compact(moc)

    @property
    def temporal(self) -> tuple[float, float] | None:
        """First and last instant, MJD; None unless all are plausible as MJD or as JD."""
        instants = [time - JD_OF_MJD if time > JD_OF_MJD else time for time in self._instants]
        if not instants or min(instants) < MJD_RANGE[0] or max(instants) > MJD_RANGE[1]:
            return None
        return min(instants), max(instants)


def compact(moc: Any) -> str:
    """A MOC (mocpy's) in ASCII, as fine as fits into a registry record."""
    order = int(moc.max_order)
    text = str(moc.to_string("ascii"))
    while len(text) > LONGEST_MOC and order > 0:
        order -= 1
        text = str(moc.degrade_to_order(order).to_string("ascii"))
    return text


def _degrees(values: pyarrow.Array) -> NDArray[numpy.float64]:
    """As doubles, NULL as NaN."""
    return numpy.asarray(values.cast(pyarrow.float64()).to_numpy(zero_copy_only=False), dtype=numpy.float64)
