"""Which columns are the main position, in words of data models: an annotation by MIVOT 1.0 of MANGO's EpochPosition.

Clients make sky coordinates of it without knowing what columns are called. Nothing is guessed: a parameter without a column of its own,
with several, or with a unit of another kind is left out, and without both coordinates there is no annotation.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lxml import etree

from vo_server.formats.systems import System, system_of
from vo_server.formats.texts import legal_xml
from vo_server.model.columns import NUMBERS, Column

NAMESPACE = "http://www.ivoa.net/xml/mivot"
MODELS = (
    ("ivoa", "https://www.ivoa.net/xml/VODML/IVOA-v1.vo-dml.xml"),
    ("coords", "https://ivoa.net/xml/VODML/Coords-v1.vo-dml.xml"),
    ("mango", "https://raw.githubusercontent.com/ivoa-std/MANGO/refs/heads/wd-v1.0/vo-dml/mango.vo-dml.xml"),
)
"""Prefix of a model → its definition. That of MANGO is a working draft, at the address by which pyvo names it."""

AXES: Mapping[str, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(("ICRS", "FK4", "FK5"), (("pos.eq.ra", "pos.eq.dec"),)),
    "GALACTIC": (("pos.galactic.lon", "pos.galactic.lat"),),
}
"""Frame → the UCDs of its axes. Clients take the frames that are missing here for ICRS."""
PLACES = {"ICRS": "BARYCENTER"}
"""Where a frame has its origin, by its definition; of all others nothing is known (words of the vocabulary refposition)."""

ANGLE = re.compile(r"deg|rad|arcmin|arcsec|[mu]?as|[mu]arcsec")
TIME = r"(yr|a|cyr|Gyr|d|h|s)"
MOTION = re.compile(rf"({ANGLE.pattern})(/{TIME}|[. ]{TIME}(\*\*|\^)?-1)")
SPEED = re.compile(r"[kc]?m(/s|[. ]s(\*\*|\^)?-1)")
YEARS = re.compile("yr|a")
NO_UNIT = re.compile("")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a column of the position is told by: UCDs, the surest first, in which {lon} and {lat} stand for those of the axes; its unit."""

    ucds: tuple[str, ...]
    unit: re.Pattern[str]


MAIN = {
    "longitude": Parameter(("{lon};meta.main", "{lon_main}"), ANGLE),
    "latitude": Parameter(("{lat};meta.main", "{lat_main}"), ANGLE),
}
OTHERS = {
    "parallax": Parameter(("pos.parallax.trig;meta.main", "pos.parallax.trig", "pos.parallax;meta.main", "pos.parallax"), ANGLE),
    "radialVelocity": Parameter(
        tuple(f"spect.dopplerVeloc{kind}{main}" for kind in (".opt", "", ".radio") for main in (";meta.main", "")), SPEED
    ),
    "pmLongitude": Parameter(("pos.pm;{lon};meta.main", "pos.pm;{lon}"), MOTION),
    "pmLatitude": Parameter(("pos.pm;{lat};meta.main", "pos.pm;{lat}"), MOTION),
}
"""Attributes of EpochPosition, without its date."""
TOGETHER = ("pmLongitude", "pmLatitude")
"""One says nothing without the other."""
REFERENCE_EPOCH = Parameter(("meta.ref;time.epoch", "time.epoch;meta.ref"), YEARS)
IDENTIFIER_UCDS = ("meta.id;meta.main", "id_main")

ERRORS = {
    "position": ("longitude", "latitude"),
    "parallax": ("parallax",),
    "radialVelocity": ("radialVelocity",),
    "properMotion": TOGETHER,
}
"""Attributes of EpochPositionErrors → those of EpochPosition whose standard deviations they are."""
ERROR_CLASSES = {1: ("PErrorSym1D", ("sigma",)), 2: ("PErrorSym2D", ("sigma1", "sigma2"))}
"""Number of deviations → the class of the error, and their names in it."""

CORRELATIONS = {
    "longitudeLatitude": ("longitude", "latitude"),
    "longitudeParallax": ("longitude", "parallax"),
    "longitudePmLongitude": ("longitude", "pmLongitude"),
    "longitudePmLatitude": ("longitude", "pmLatitude"),
    "latitudeParallax": ("latitude", "parallax"),
    "latitudePmLongitude": ("latitude", "pmLongitude"),
    "latitudePmLatitude": ("latitude", "pmLatitude"),
    "pmLongitudeParallax": ("parallax", "pmLongitude"),
    "pmLatitudeParallax": ("parallax", "pmLatitude"),
    "pmLongitudePmLatitude": ("pmLongitude", "pmLatitude"),
}
"""Attributes of EpochPositionCorrelations → what they correlate, in the order in which catalogues put it into a UCD."""

EPOCHS = {"J": "mango:JulianEpoch", "B": "mango:BesselianEpoch"}
"""How an epoch begins → its type."""


@dataclass(frozen=True, slots=True)
class EpochPosition:
    """The main position of a row: its system, its columns, their errors and correlations, each by its attribute in MANGO."""

    system: System
    values: dict[str, Column]
    errors: dict[str, tuple[Column, ...]]
    correlations: dict[str, Column]
    date: Column | None
    identifier: Column | None

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns that the annotation refers to."""
        pairs = (column for columns in self.errors.values() for column in columns)
        single = (column for column in (self.date, self.identifier) if column)
        return (*self.values.values(), *pairs, *self.correlations.values(), *single)


def position_of(columns: Iterable[Column]) -> EpochPosition | None:
    """The main position among the columns of one table, None if there is none, or no telling which."""
    by_ucd: dict[str, list[Column]] = {}
    for column in columns:
        by_ucd.setdefault((column.ucd or "").lower(), []).append(column)
    for longitude, latitude in dict.fromkeys(axes for pairs in AXES.values() for axes in pairs):
        search = _Search(by_ucd, longitude, latitude)
        found = search.all(MAIN)
        if len(found) == len(MAIN):
            return _position(search, found)
    return None


def annotation(position: EpochPosition, ids: Mapping[str, str]) -> etree._Element:
    """VODML, the element that stands in a RESOURCE of type ``meta`` (MIVOT 1.0 §4); `ids` are those of FIELDs, by the names of columns."""
    root = etree.Element(f"{{{NAMESPACE}}}VODML", nsmap={None: NAMESPACE})
    _add(root, "REPORT", status="OK")
    for name, url in MODELS:
        _add(root, "MODEL", name=name, url=url)
    space = _space(_add(root, "GLOBALS"), position.system)
    parent = _add(root, "TEMPLATES")
    if position.identifier:  # without one there is no MangoObject
        source = _add(parent, "INSTANCE", dmtype="mango:MangoObject")
        _add(source, "ATTRIBUTE", dmrole="mango:MangoObject.identifier", dmtype="ivoa:string", ref=ids[position.identifier.name])
        parent = _add(source, "COLLECTION", dmrole="mango:MangoObject.propertyDock")
    _epoch_position(_add(parent, "INSTANCE", dmtype="mango:EpochPosition"), position, ids, space)
    return root


@dataclass(frozen=True, slots=True)
class _Search:
    """Columns by their UCDs in small letters, with the UCDs of longitude and latitude."""

    by_ucd: Mapping[str, list[Column]]
    longitude: str
    latitude: str

    def one(self, parameter: Parameter) -> Column | None:
        """The column of a parameter, if there is exactly one."""
        for ucd in parameter.ucds:
            found = self.by_ucd.get(self._spelt(ucd), [])
            if found:
                return found[0] if len(found) == 1 and _fits(found[0], parameter.unit) else None
        return None

    def all(self, parameters: Mapping[str, Parameter]) -> dict[str, Column]:
        """Those that have a column."""
        return {role: column for role, parameter in parameters.items() if (column := self.one(parameter))}

    def error(self, parameter: Parameter) -> Column | None:
        return self.one(Parameter(tuple(f"stat.error;{ucd}" for ucd in parameter.ucds), parameter.unit))

    def correlation(self, first: Parameter, second: Parameter) -> Column | None:
        pairs = tuple(f"stat.correlation;{one};{other}" for one in first.ucds for other in second.ucds)
        return self.one(Parameter(tuple(pair for pair in pairs if "meta.main" not in pair), NO_UNIT))

    def _spelt(self, ucd: str) -> str:
        old = {f"{axis}_main": f"{value.replace('.', '_')}_main" for axis, value in (("lon", self.longitude), ("lat", self.latitude))}
        return ucd.format(lon=self.longitude, lat=self.latitude, **old).lower()


def _fits(column: Column, unit: re.Pattern[str]) -> bool:
    return column.datatype in NUMBERS and not column.is_array and unit.fullmatch(column.unit or "") is not None


def _position(search: _Search, main: dict[str, Column]) -> EpochPosition | None:
    """What belongs to the coordinates; None if they are of no frame that clients know, or of two."""
    systems = {system_of(column) for column in main.values()}
    system = systems.pop()
    if systems or system is None or (search.longitude, search.latitude) not in AXES.get(_said(system, "system") or "", ()):
        return None
    values = main | search.all(OTHERS)
    if any(role not in values for role in TOGETHER):
        values = {role: column for role, column in values.items() if role not in TOGETHER}
    plain = {
        "longitude": Parameter(("{lon}", *MAIN["longitude"].ucds), ANGLE),
        "latitude": Parameter(("{lat}", *MAIN["latitude"].ucds), ANGLE),
    } | OTHERS
    errors = {}
    for role, of in ERRORS.items():
        deviations = tuple(column for each in of if each in values and (column := search.error(plain[each])))
        if len(deviations) == len(of):
            errors[role] = deviations
    correlations = {
        role: column
        for role, (one, other) in CORRELATIONS.items()
        if one in values and other in values and (column := search.correlation(plain[one], plain[other]))
    }
    identifiers = [column for ucd in IDENTIFIER_UCDS for column in search.by_ucd.get(ucd, [])]
    date = None if _said(system, "epoch") else search.one(REFERENCE_EPOCH)
    return EpochPosition(system, values, errors, correlations, date, identifiers[0] if len(identifiers) == 1 else None)


def _space(parent: etree._Element, system: System) -> str:
    """The system as an instance that others refer to; gives what they refer by."""
    frame, dmid = _said(system, "system") or "", "_" + re.sub(r"\W", "_", system.id)
    space = _add(parent, "INSTANCE", dmid=dmid, dmtype="coords:SpaceSys")
    instance = _add(space, "INSTANCE", dmrole="coords:PhysicalCoordSys.frame", dmtype="coords:SpaceFrame")
    _add(instance, "ATTRIBUTE", dmrole="coords:SpaceFrame.spaceRefFrame", dmtype="ivoa:string", value=frame)
    if equinox := _said(system, "equinox"):
        _add(instance, "ATTRIBUTE", dmrole="coords:SpaceFrame.equinox", dmtype="coords:Epoch", value=equinox)
    place = _add(instance, "INSTANCE", dmrole="coords:SpaceFrame.refPosition", dmtype="coords:StdRefLocation")
    _add(place, "ATTRIBUTE", dmrole="coords:StdRefLocation.position", dmtype="ivoa:string", value=PLACES.get(frame, "UNKNOWN"))
    return dmid


def _epoch_position(instance: etree._Element, position: EpochPosition, ids: Mapping[str, str], space: str) -> None:
    kind = "mango:EpochPosition"
    for role, column in position.values.items():
        _refer(instance, f"{kind}.{role}", column, ids)
    if epoch := _said(position.system, "epoch"):
        _add(instance, "ATTRIBUTE", dmrole=f"{kind}.obsDate", dmtype=EPOCHS[epoch[0]], value=epoch[1:])
    elif position.date:
        _refer(instance, f"{kind}.obsDate", position.date, ids, EPOCHS["J"])
    if position.correlations:
        inner = _add(instance, "INSTANCE", dmrole=f"{kind}.correlations", dmtype=f"{kind}Correlations")
        _add(inner, "ATTRIBUTE", dmrole=f"{kind}Correlations.isCovariance", dmtype="ivoa:boolean", value="false")
        for role, column in position.correlations.items():
            _refer(inner, f"{kind}Correlations.{role}", column, ids, "ivoa:real")
    if position.errors:
        inner = _add(instance, "INSTANCE", dmrole=f"{kind}.errors", dmtype=f"{kind}Errors")
        for role, deviations in position.errors.items():
            name, parts = ERROR_CLASSES[len(deviations)]
            error = _add(inner, "INSTANCE", dmrole=f"{kind}Errors.{role}", dmtype=f"mango:error.{name}")
            for part, column in zip(parts, deviations, strict=True):
                _refer(error, f"mango:error.{name}.{part}", column, ids)
    _add(instance, "REFERENCE", dmrole=f"{kind}.spaceSys", dmref=space)


def _refer(parent: etree._Element, role: str, column: Column, ids: Mapping[str, str], kind: str = "ivoa:RealQuantity") -> None:
    _add(parent, "ATTRIBUTE", dmrole=role, dmtype=kind, ref=ids[column.name], unit=column.unit)


def _said(system: System, name: str) -> str | None:
    return dict(system.attributes).get(name)


def _add(parent: etree._Element, tag: str, **attributes: str | None) -> etree._Element:
    """A new last child, with the attributes that have a value."""
    said = {name: legal_xml(value) for name, value in attributes.items() if value}
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{tag}", said)
