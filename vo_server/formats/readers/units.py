"""Units as files spell them → VOUnits 1.1, which is what VO clients parse."""

import difflib
import re
import warnings
from functools import cache

from vo_server.libraries import later

units = later("astropy.units")

ALIASES = {
    "percent": "1e-2",
    "pct": "1e-2",
    "%": "1e-2",
    "degrees": "deg",
    "degs": "deg",
    "arcsecs": "arcsec",
    "arcseconds": "arcsec",
    "arcmins": "arcmin",
    "arcminutes": "arcmin",
    "sec": "s",
    "secs": "s",
    "seconds": "s",
    "minutes": "min",
    "hours": "h",
    "days": "d",
    "mjd": "d",
    "jd": "d",
    "years": "yr",
    "meters": "m",
    "metres": "m",
    "microns": "um",
    "counts": "count",
    "cts": "count",
    "photons": "photon",
    "ergs": "erg",
    "kelvin": "K",
    "jansky": "Jy",
    "mags": "mag",
    "abmag": "mag",
}
"""Spellings that no parser knows, in lower case, and what they mean. A percent is a bare scale: VOUnits' ``%`` is unknown to clients."""

NOTHING = ("", "-", "--", "none", "null", "n/a", "unitless", "dimensionless", "adimensional")
"""Ways of saying that there is no unit, in lower case."""

STRICT = re.compile(r"[^\s*()]+|[^\s*()]+(\*\*(-?\d+|\(-?\d+/\d+\))[^\s*()]*)+")
"""Neither blanks nor a single star: what VOUnits 1.1 §3 allows and lenient parsers do not insist on."""

DIALECTS = ("vounit", "fits", "generic", "cds", "ogip")
"""Tried in this order."""


KNOWN = (
    *(
        "deg",
        "arcmin",
        "arcsec",
        "mas",
        "rad",
        "sr",
        "m",
        "cm",
        "mm",
        "um",
        "nm",
        "km",
        "pc",
        "kpc",
        "Mpc",
        "AU",
        "lyr",
        "s",
        "min",
        "h",
        "d",
    ),
    *(
        "yr",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "eV",
        "keV",
        "MeV",
        "GeV",
        "TeV",
        "PeV",
        "erg",
        "J",
        "W",
        "K",
        "Jy",
        "mJy",
        "mag",
        "kg",
        "g",
        "solMass",
    ),
    *(
        "solLum",
        "solRad",
        "G",
        "T",
        "V",
        "A",
        "count",
        "photon",
        "ct",
        "ph",
        "adu",
        "electron",
        "pix",
        "bin",
        "Angstrom",
        "barn",
        "R",
        "dB",
    ),
)
"""Units that people mean, for suggestions."""


@cache
def vounit(text: str) -> tuple[str | None, str | None]:
    """The unit in VOUnits' spelling, None where there is none; and a remark where `text` means nothing to any parser."""
    stripped = text.strip()
    if stripped.lower() in NOTHING:
        return None, None
    if stripped.lower() in ALIASES:
        return ALIASES[stripped.lower()], None
    for dialect in DIALECTS:
        found = _parse(stripped, dialect)
        if found is not None:
            return (stripped if dialect == "vounit" and STRICT.fullmatch(stripped) else found) or None, None
    return None, f"the unit {stripped!r} is not one VOUnits can say and was left out"


def nearest_unit(text: str) -> str | None:
    """The unit that was probably meant: each word that no parser knows replaced by the one most like it."""

    def known(found: re.Match[str]) -> str:
        word = found[0]
        if _parse(word, "vounit") is not None:
            return word
        near = difflib.get_close_matches(word, KNOWN, 1) or difflib.get_close_matches(word.lower(), KNOWN, 1)
        return ALIASES.get(word.lower()) or (near[0] if near else word)

    guess = re.sub(r"[A-Za-z%µΩÅ]+", known, text.strip())
    return None if vounit(guess)[1] else vounit(guess)[0]


def _parse(text: str, dialect: str) -> str | None:
    """`text` in VOUnits' spelling if it is a unit of `dialect`, else None. Deprecated units (ergs in FITS' eyes) are units."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(units.Unit(text, format=dialect).to_string("vounit"))
    except (ValueError, TypeError, AttributeError):
        return None
