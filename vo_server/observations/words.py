"""What an operator says of datasets whose files do not: values of ObsCore columns, intervals with units, patterns of file names."""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, get_type_hints

from astropy import units as u

from vo_server.dali.timestamps import mjd, parse_timestamp
from vo_server.errors import UsageError
from vo_server.observations.energies import band
from vo_server.publish.datasets import SETTABLE, Dataset

Values = Mapping[str, Any]
"""ObsCore column → value."""

TYPES: dict[str, type] = {
    name: next(kind for kind in (datetime, int, float, str) if kind in getattr(hint, "__args__", (hint,)))
    for name, hint in get_type_hints(Dataset).items()
    if name in SETTABLE
}
"""ObsCore column that can be set → its type."""

SEPARATOR = ".."


@dataclass(frozen=True, slots=True)
class Said:
    """Values for datasets: ``defaults`` where a file is silent, ``files`` whatever it says, by patterns of paths (``hess*.fits``)."""

    defaults: Values
    files: tuple[tuple[str, Values], ...] = ()

    def fill(self, dataset: Dataset) -> Dataset:
        """The dataset with what is said of it."""
        silent = {name: value for name, value in self.defaults.items() if name in FORCED or getattr(dataset, name) is None}
        forced = {name: value for pattern, values in self.files if fnmatch.fnmatch(dataset.path, pattern) for name, value in values.items()}
        return replace(dataset, **{**silent, **forced})


FORCED = frozenset({"calib_level", "data_rights", "obs_release_date"})
"""Columns that no file decides on."""


def checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values of the right types, ``band`` and ``time`` taken apart into the columns they stand for. UsageError names what does not fit."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in INTERVALS:
            found |= INTERVALS[name](value if isinstance(value, str) else SEPARATOR.join(map(str, value)), where)
        elif name in TYPES:
            found[name] = _typed(name, value, where)
        else:
            known = ", ".join(sorted({*TYPES, *INTERVALS}))
            raise UsageError(f"{where}: {name} cannot be given for datasets.", hint=f"These can: {known}.")
    return found


def _typed(name: str, value: Any, where: str) -> Any:
    kind = TYPES[name]
    try:
        if kind is datetime:
            return _instant(value, name)
        if isinstance(value, bool) or (kind is int and isinstance(value, float) and not value.is_integer()):
            raise ValueError(value)
        return kind(value)
    except (TypeError, ValueError):
        raise UsageError(f"{where}: {name} = {value!r} is not {'an integer' if kind is int else 'a number'}.") from None


def _instant(value: Any, name: str) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return parse_timestamp(value.isoformat() if isinstance(value, date) else str(value), name)


def _ends(text: str, where: str, name: str, example: str) -> list[str]:
    ends = [end.strip() for end in text.split(SEPARATOR)]
    if len(ends) not in (1, 2) or not all(ends):
        raise UsageError(f"{where}: {name} = {text!r} is no interval.", hint=f"Write it as {example!r}.")
    return ends


def read_band(text: str, where: str) -> dict[str, float]:
    """em_min and em_max (m) of two photon energies, frequencies or wavelengths, or of one: ``100 GeV..10 TeV``."""
    example = "100 GeV..10 TeV"
    found: dict[str, float] = {}
    for end in _ends(text, where, "band", example):
        try:
            quantity = u.Quantity(end)
        except (TypeError, ValueError):
            raise UsageError(f"{where}: {end!r} is not a number with a unit.", hint=f"Write the band as {example!r}.") from None
        one = band([float(quantity.value)], quantity.unit)
        if not one:
            raise UsageError(f"{where}: {end!r} is no energy, frequency or wavelength.", hint=f"Write the band as {example!r}.")
        found = {
            "em_min": min(one["em_min"], found.get("em_min", one["em_min"])),
            "em_max": max(one["em_max"], found.get("em_max", one["em_max"])),
        }
    return found


def read_time(text: str, where: str) -> dict[str, float]:
    """t_min and t_max (MJD) of two instants, or of one: ``2008-08-04..2015-08-02T12:00:00``."""
    days = [mjd(parse_timestamp(end, where)) for end in _ends(text, where, "time", "2008-08-04..2015-08-02")]
    if days[0] > days[-1]:
        raise UsageError(f"{where}: time = {text!r} ends before it begins.")
    return {"t_min": days[0], "t_max": days[-1]}


INTERVALS = {"band": read_band, "time": read_time}
"""Words that stand for two columns each."""
