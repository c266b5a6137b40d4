"""What is asked of a dataset, and what is known of it beforehand."""

from dataclasses import dataclass

from vo_server.dali.intervals import Interval
from vo_server.dali.shapes import Shape
from vo_server.errors import UsageError, VoError


class NoOverlapError(VoError):
    """Nothing of the dataset lies in what was asked for: no error, but no content either (SODA 1.0 §4.1)."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What of a dataset is wanted; None: no limit. ``region`` in ICRS degrees, ``band`` in metres (vacuum wavelength), ``time`` in MJD UTC,
    ``pol`` polarisation states, any of which will do.
    """

    region: Shape | None = None
    band: Interval | None = None
    time: Interval | None = None
    pol: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a dataset lies along the axes that its pixels may not have (ObsCore's columns, their units)."""

    band: tuple[float, float] | None = None
    time: tuple[float, float] | None = None
    pol: tuple[str, ...] = ()

    def refuse_outside(self, filters: Filters, *, axes: frozenset[str]) -> None:
        """For filters along axes that the dataset does not have (all but `axes`): all of it passes, or nothing does, which raises
        NoOverlapError. UsageError where that is not known.
        """
        checks = (("BAND", filters.band, self.band), ("TIME", filters.time, self.time))
        for name, wanted, known in checks:
            if wanted is None or name in axes:
                continue
            if known is None:
                raise UsageError(f"{name}: the dataset has no such axis, and where it lies is not known.", parameter=name)
            if known[0] > wanted.upper or known[1] < wanted.lower:
                raise NoOverlapError(f"The dataset lies outside of {name}.")
        if filters.pol and "POL" not in axes:
            if not self.pol:
                raise UsageError("POL: the dataset has no polarisation axis, and its states are not known.", parameter="POL")
            if not set(filters.pol) & set(self.pol):
                raise NoOverlapError("The dataset has none of the polarisation states.")
