"""One packet of VOEvent (1.1, 2.0, 2.1) as an alert: who, what, where and when, why, and which earlier packets it is about."""

import bz2
import gzip
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from astropy.time import Time
from lxml import etree

from vo_server.errors import DataError
from vo_server.formats.readers.source import clean
from vo_server.observations.headers import number
from vo_server.sky.frames import rotated, rotation

ENDINGS = (".xml", ".xml.gz", ".xml.bz2", ".voevent")
LARGEST_BYTES = 10_000_000
"""More is no packet."""

WHERE = "WhereWhen/ObsDataLocation/ObservationLocation"
FRAMES = {"ICRS": "ICRS", "FK5": "FK5", "FK4": "FK4", "GALACTIC": "GALACTIC", "GAL": "GALACTIC", "ECLIPTIC": "ECLIPTIC"}
"""Frames in the names of coordinate systems → those of ``sky.frames``."""
DEGREES = {"deg": 1.0, "degrees": 1.0, "deg deg": 1.0, "rad": math.degrees(1)}
SCALES = ("UTC", "TT", "TDB", "TAI", "TCB", "TCG")
COORDS = "Coords_String"
"""The parameter in which GCN says of what kind the position is."""
NOWHERE = ("unavailable", "inappropriate", "undefined")
"""Words with which GCN says that the position in the packet is none."""


@dataclass(frozen=True, slots=True)
class Param:
    """A value with a name (VOEvent 2.0 §3.3.1). ``value`` is the text as it stands."""

    group: str | None
    name: str | None
    value: str | None
    unit: str | None
    ucd: str | None
    description: str | None

    @property
    def number(self) -> float | None:
        """The value where it is a finite number."""
        return number(self.value)


@dataclass(frozen=True, slots=True)
class Citation:
    """An earlier packet, and what this one has to do with it: followup, supersedes, retraction (VOEvent 2.0 §3.7)."""

    cited: str
    cite: str


@dataclass(frozen=True, slots=True)
class Place:
    """When and where (VOEvent 2.0 §3.4): an instant, naive in UTC; ICRS degrees."""

    observed: datetime | None = None
    ra: float | None = None
    dec: float | None = None
    error_radius: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a packet says. ``tables`` counts those in What, which are not read."""

    path: str
    ivorn: str
    role: str
    written: datetime | None = None
    author: str | None = None
    author_ivorn: str | None = None
    place: Place
    observatory: str | None = None
    instrument: str | None = None
    importance: float | None = None
    probability: float | None = None
    concept: str | None = None
    inferred: str | None = None
    description: str | None = None
    reference: str | None = None
    citations: tuple[Citation, ...] = ()
    params: tuple[Param, ...] = ()
    tables: int = 0

    @property
    def stream(self) -> str:
        """Where such alerts come from: the identifier up to its ``#``, without ``ivo://``."""
        return self.ivorn.partition("#")[0].removeprefix("ivo://")


def read_alert(directory: Path, path: str) -> Alert:
    """The packet in a file below `directory`. DataError says why it is none: no XML, no VOEvent, no identifier, no readable time."""
    root = _root(directory / path)
    ivorn = (root.get("ivorn") or "").strip()
    if not (ivorn.startswith("ivo://") and ivorn.isascii()):
        raise DataError("the packet has no identifier: its attribute ivorn is to be ivo://… in ASCII")
    return Alert(
        path=path,
        ivorn=ivorn,
        role=(root.get("role") or "observation").strip().lower(),
        written=_instant(_text(root, "Who/Date"), "UTC", "Who/Date"),
        author=_text(root, "Who/Author/shortName") or _text(root, "Who/Author/contactName") or _text(root, "Who/Author/title"),
        author_ivorn=_text(root, "Who/AuthorIVORN"),
        place=_place(root),
        observatory=_attribute(root, "WhereWhen/ObsDataLocation/ObservatoryLocation", "id"),
        instrument=_text(root, "How/Description"),
        importance=number(_attribute(root, "Why", "importance")),
        probability=number(_attribute(root, "Why/Inference", "probability")),
        concept=_text(root, "Why/Inference/Concept") or _text(root, "Why/Concept"),
        inferred=_text(root, "Why/Inference/Name") or _text(root, "Why/Name"),
        description=_text(root, "Description") or _text(root, "What/Description"),
        reference=_attribute(root, "How/Reference", "uri") or _attribute(root, "Reference", "uri"),
        citations=tuple(_citations(root)),
        params=tuple(_params(root)),
        tables=len(root.findall("What/Table")),
    )


def _root(file: Path) -> etree._Element:
    """The packet's outermost element; its children bear no namespace, whatever the version."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        content = _content(file)
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise DataError(f"it is no XML ({error})") from None
    except (OSError, EOFError) as error:
        raise DataError(f"it cannot be read ({error})") from None
    if etree.QName(root).localname != "VOEvent":
        raise DataError(f"it is no VOEvent: the outermost element is {etree.QName(root).localname}")
    for element in root.iter(etree.Element):
        element.tag = etree.QName(element).localname
    return root


def _content(file: Path) -> bytes:
    packed = {".gz": gzip.GzipFile, ".bz2": bz2.BZ2File}.get(file.suffix.lower())
    with packed(file) if packed else file.open("rb") as stream:
        content = stream.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise DataError(f"it is larger than {LARGEST_BYTES // 1_000_000} MB, too large for a packet")
    return content


def _text(root: etree._Element, path: str) -> str | None:
    return clean(root.findtext(path))


def _attribute(root: etree._Element, path: str, name: str) -> str | None:
    element = root.find(path)
    return None if element is None else clean(element.get(name))


def _place(root: etree._Element) -> Place:
    coords = root.find(f"{WHERE}/AstroCoords")
    if coords is None:
        return Place()
    system = coords.get("coord_system_id") or _attribute(root, f"{WHERE}/AstroCoordSystem", "id") or "UTC-ICRS-TOPO"
    words = system.upper().split("-")
    told = (_text(coords, "Time/TimeInstant/TimeScale") or "").upper()
    scale = next((word for word in (told, *words) if word in SCALES), "UTC")
    time = _text(coords, "Time/TimeInstant/ISOTime") or _text(coords, "Time/TimeInterval/ISOTimeStart")
    frame = next((FRAMES[word] for word in words if word in FRAMES), None)
    placeless = frame is None or any(word in _said_of_place(root) for word in NOWHERE)
    return Place(_instant(time, scale, "ISOTime"), *(() if placeless else _position(coords, str(frame))))


def _said_of_place(root: etree._Element) -> str:
    """What GCN says of the position in words."""
    kinds = [param.get("value", "") for param in root.iter("Param") if param.get("name") == COORDS]
    return " ".join([_text(root, "WhereWhen/Description") or "", *kinds]).lower()


def _position(coords: etree._Element, frame: str) -> tuple[float, float, float | None] | tuple[()]:
    """Position and error; nothing if they are what streams write for an unknown one: out of range, or 0, 0 without an error."""
    found = coords.find("Position2D")
    place = coords.find("Position3D") if found is None else found
    if place is None:
        return ()
    factor = DEGREES.get((place.get("unit") or "deg").strip().lower())
    values = [number(place.findtext(f"{value}/{axis}")) for value in ("Value2", "Value3") for axis in ("C1", "C2")]
    numbers = [value for value in values if value is not None]
    if factor is None or len(numbers) != 2:
        return ()
    lon, lat = numbers[0] * factor, numbers[1] * factor
    radius = (number(place.findtext("Error2Radius")) or 0.0) * factor
    if not (0 <= lon <= 360 and -90 <= lat <= 90 and radius < 180) or (lon == lat == 0 and radius <= 0):
        return ()
    ra, dec = (lon, lat) if frame == "ICRS" else rotated((lon, lat), rotation(frame, "ICRS"))
    return ra % 360, dec, radius if radius > 0 else None


def _instant(text: str | None, scale: str, what: str) -> datetime | None:
    """An ISO 8601 instant in this time scale as UTC; DataError if it is none."""
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"{what}: {text!r} is not a time") from None
    if told.tzinfo is not None:
        return told.astimezone(UTC).replace(tzinfo=None)
    if scale == "UTC":
        return told
    exact: datetime = Time(told, scale=scale.lower()).utc.to_datetime()
    return exact


def _params(root: etree._Element) -> Iterator[Param]:
    for element in root.findall("What/Param"):
        yield _param(element, None)
    for group in root.findall("What/Group"):
        name = clean(group.get("name")) or clean(group.get("type"))
        for element in group.findall("Param"):
            yield _param(element, name)


def _param(element: etree._Element, group: str | None) -> Param:
    value = clean(element.findtext("Value") if element.get("value") is None else element.get("value"))
    name, unit, ucd = (clean(element.get(key)) for key in ("name", "unit", "ucd"))
    return Param(group, name, value, unit, ucd, _text(element, "Description"))


def _citations(root: etree._Element) -> Iterator[Citation]:
    for element in root.findall("Citations/EventIVORN"):
        if cited := clean(element.text):
            yield Citation(cited, (element.get("cite") or "followup").strip().lower())
