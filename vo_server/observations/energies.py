"""Energies, frequencies and wavelengths into the units of ObsCore: metres in vacuum, and eV in its high-energy extension."""

from collections.abc import Iterable

from astropy import units as u


def wavelength(value: float, unit: u.UnitBase) -> float | None:
    """Metres of an energy, a frequency, a wavelength or a wave number; None if `unit` is none of these, or the value not positive."""
    return _converted(value, unit, u.m)


def electronvolts(value: float, unit: u.UnitBase) -> float | None:
    """The energy of the same in eV."""
    return _converted(value, unit, u.eV)


def _converted(value: float, unit: u.UnitBase, target: u.UnitBase) -> float | None:
    if not value > 0:
        return None
    try:
        return float(u.Quantity(value, unit).to_value(target, equivalencies=u.spectral()))
    except u.UnitConversionError:
        return None


def band(values: Iterable[float], unit: u.UnitBase) -> dict[str, float]:
    """em_min and em_max (m) of a photon's energies, frequencies or wavelengths; nothing unless at least one is positive."""
    positive = [value for value in values if value > 0]
    # units convert slowly, and the others lie between these two in any unit
    metres = [length for value in {min(positive), max(positive)} if (length := wavelength(value, unit)) is not None] if positive else []
    return {"em_min": min(metres), "em_max": max(metres)} if metres else {}


def read_unit(text: object) -> u.UnitBase | None:
    """A unit as headers write it; None if it is missing or nobody knows it."""
    name = str(text or "").strip()
    try:
        return u.Unit(name) if name else None
    except ValueError:
        return None
