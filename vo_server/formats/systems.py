"""Which frame or time system the values of a column refer to, as far as its metadata tell (VOTable 1.5 §3.3–3.4)."""

import re
from dataclasses import dataclass

from vo_server.model.columns import Column

POSITION_XTYPES = ("point", "circle", "polygon", "moc")
"""DALI 1.2 §3.3: always ICRS. A MOC may be one of times, as its UCD says then."""
EQUATORIAL_UCD = re.compile(r"pos\.eq([.;]|$)|pos_eq_", re.IGNORECASE)
GALACTIC_UCD = re.compile(r"pos\.galactic([.;]|$)", re.IGNORECASE)
INSTANT_UCD = re.compile(r"time\.(epoch|start|end)([.;]|$)", re.IGNORECASE)
JULIAN = re.compile(r"(?<![a-z])(m|b|h)?jd(?![a-z])|mjd|julian", re.IGNORECASE)
SCALE = re.compile(r"\b(UTC|TT|TAI|TDB|TCB|TCG|UT1|GPS)\b")
UNKNOWN = "UNKNOWN"
OF_1_4 = {"GALACTIC": "galactic", "FK4": "eq_FK4", "FK5": "eq_FK5", "ECLIPTIC": "ecl_FK5", "SUPER_GALACTIC": "supergalactic"}
"""``system`` of COOSYS: VOTable 1.5 takes the words of the vocabulary refframe, 1.4 those of its schema."""

EQUINOXES = {"FK4": "B1950.0", "FK5": "J2000.0", "ECLIPTIC": "J2000.0"}
"""The equinox of frames that have one (VOTable 1.5 §3.3)."""


@dataclass(frozen=True, slots=True)
class System:
    """An element for FIELDs to refer to: its tag, ID, and other attributes."""

    tag: str
    id: str
    attributes: tuple[tuple[str, str], ...]

    def dressed(self, version: str) -> dict[str, str]:
        """The attributes in the words of a version of VOTable."""
        return {"ID": self.id, **{name: value if version >= "1.5" else OF_1_4.get(value, value) for name, value in self.attributes}}


ICRS = System("COOSYS", "icrs", (("system", "ICRS"),))
GALACTIC = System("COOSYS", "galactic", (("system", "GALACTIC"),))
TIME_IDS = "time-"
"""How the IDs of time systems begin."""


def system_of(column: Column) -> System | None:
    """The system of a column's values; None if it has none, or if nothing tells which."""
    known = _told(column)
    if column.frame is None and column.epoch is None:
        return known
    frame = column.frame or (dict(known.attributes).get("system") if known else None) or "ICRS"
    equinox = (("equinox", EQUINOXES[frame]),) if frame in EQUINOXES else ()
    epoch = (("epoch", column.epoch),) if column.epoch else ()
    return System("COOSYS", "-".join(filter(None, (frame.lower(), column.epoch))), (("system", frame), *equinox, *epoch))


def _told(column: Column) -> System | None:
    """The system that UCD, type and names tell."""
    ucd = column.ucd or ""
    if (column.xtype in POSITION_XTYPES and not ucd.startswith("time")) or EQUATORIAL_UCD.match(ucd):
        return ICRS
    if GALACTIC_UCD.match(ucd):
        return GALACTIC
    if column.is_timestamp:
        return _time(None, _scale(column) or "UTC", UNKNOWN)  # DALI 1.1 §3.3.3: UTC unless something else is said
    if INSTANT_UCD.match(ucd) and column.unit == "d" and not column.is_array:
        return _julian(column)
    return None


def _julian(column: Column) -> System | None:
    """Days since one of the two origins with a name, by what the column is called or what is said of it."""
    words = f"{column.name} {column.description or ''}"
    if not (JULIAN.search(words) or (column.utype or "").startswith("obscore:Char.TimeAxis")):
        return None
    kinds = {kind.lower() for kind in re.findall(r"([mbh]?jd)(?![a-z])", column.name, re.IGNORECASE)}
    if re.search(r"mjd|modified julian", words, re.IGNORECASE) or (column.utype or "").startswith("obscore:"):
        return _time("MJD-origin", _scale(column) or UNKNOWN, UNKNOWN)
    place = "BARYCENTER" if "bjd" in kinds else "HELIOCENTER" if "hjd" in kinds else UNKNOWN
    return _time("JD-origin", _scale(column) or UNKNOWN, place)


def _scale(column: Column) -> str | None:
    """The time scale that the description names, if it names one."""
    named = set(SCALE.findall(column.description or ""))
    return named.pop() if len(named) == 1 else None


def _time(origin: str | None, scale: str, place: str) -> System:
    words = [origin.partition("-")[0] if origin else "iso", scale, *([place] if place != UNKNOWN else [])]
    attributes = (*((("timeorigin", origin),) if origin else ()), ("timescale", scale), ("refposition", place))
    return System("TIMESYS", TIME_IDS + "-".join(words).lower(), attributes)
