"""Numbers and coverage as one says them."""

from datetime import date, timedelta
from math import floor

from vo_server.model.resource import Coverage

MJD_ZERO = date(1858, 11, 17)
JOULE_PER_EV = 1.602176634e-19
SKY_DEG2 = 41252.96
ENERGY_UNITS = ((1e18, "EeV"), (1e15, "PeV"), (1e12, "TeV"), (1e9, "GeV"), (1e6, "MeV"), (1e3, "keV"), (1.0, "eV"))


def number(value: int) -> str:
    """``117955`` → ``117,955``."""
    return f"{value:,}"


def count(value: int, noun: str) -> str:
    """``1 row``, ``117,955 rows``."""
    return f"{number(value)} {noun}" + ("" if value == 1 else "s")


def summary(text: str, limit: int = 260) -> str:
    """The first sentences of `text` that fit into `limit` characters; at least some words, with an ellipsis where a sentence is cut."""
    words = " ".join(text.split())
    if len(words) <= limit:
        return words
    end = words.rfind(". ", 0, limit)
    if end > 0:
        return words[: end + 1]
    return words[:limit].rsplit(" ", 1)[0] + " …"


def covered(coverage: Coverage) -> list[str]:
    """Where, when and at which energies the data lie, a phrase each; empty where nothing is known."""
    phrases = [
        sky(coverage.spatial) if coverage.spatial else None,
        dates(*coverage.temporal) if coverage.temporal else None,
        energies(*coverage.spectral) if coverage.spectral else None,
        ", ".join(coverage.waveband) or None,
    ]
    return [phrase for phrase in phrases if phrase]


def sky(moc: str) -> str:
    """How much of the sky a MOC (in ASCII) covers."""
    fraction = sky_fraction(moc)
    if fraction > 0.995:
        return "whole sky"
    if fraction >= 0.01:
        return f"{fraction:.0%} of the sky".replace("%", " %")
    return f"{fraction * SKY_DEG2:.3g} square degrees of sky"


def sky_fraction(moc: str) -> float:
    """The part of the sky that a MOC in ASCII covers (MOC 2.0, string serialisation): ``order/cell first-last …``."""
    fraction, whole = 0.0, 12
    for word in moc.replace(",", " ").split():
        order, slash, cells = word.rpartition("/")
        if slash:
            whole = 12 * 4 ** int(order)
        if cells:
            first, _, last = cells.partition("-")
            fraction += (int(last or first) - int(first) + 1) / whole
    return fraction


def dates(first: float, last: float) -> str:
    """An interval of Modified Julian Dates, in days: ``2011-12-16 to 2023-11-05``."""
    # days are told, not instants: the minute between TDB and UTC does not show
    days = [(MJD_ZERO + timedelta(days=floor(mjd))).isoformat() for mjd in (first, last)]
    return days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"


def energies(low: float, high: float) -> str:
    """An interval of photon energies in joule: ``100 MeV to 1 TeV``."""
    return " to ".join(dict.fromkeys(_energy(value / JOULE_PER_EV) for value in (low, high)))


def _energy(electronvolts: float) -> str:
    # a value that rounds to 1000 of one unit is 1 of the next
    scale, unit = next(((scale, unit) for scale, unit in ENERGY_UNITS if electronvolts >= scale * 0.9995), ENERGY_UNITS[-1])
    return f"{electronvolts / scale:.3g} {unit}"
