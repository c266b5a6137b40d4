"""SSAP 1.1: spectra by position, wavelength, time and name, described in the words of the Spectrum data model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server import adql
from vo_server.adql import build, tree
from vo_server.dali.intervals import Interval
from vo_server.dali.numbers import parse_number
from vo_server.dali.rangelists import date_interval, number_interval, parse_range_list
from vo_server.dali.shapes import Circle
from vo_server.db.definitions import PREVIEWED
from vo_server.documents.vosi import vosi_capabilities
from vo_server.errors import UsageError
from vo_server.formats import Format, choose
from vo_server.formats.votable import metadata_document
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, maxrec, read_params
from vo_server.http.reply import stream
from vo_server.http.threads import in_thread
from vo_server.model.capability import InputParam, Interface, ServiceCapabilities, SimpleSpectralAccess
from vo_server.model.catalogue import Catalogue
from vo_server.model.columns import Column
from vo_server.model.holdings import SPECTRA, Holdings
from vo_server.model.media import FITS_TYPES
from vo_server.model.result import Info
from vo_server.model.service import ServiceParam
from vo_server.protocols import constraints, outputs, vosi
from vo_server.protocols.outputs import Output
from vo_server.query.origin import Asked
from vo_server.query.run import Answer
from vo_server.services import Services
from vo_server.settings import Settings
from vo_server.sky.frames import rotated, rotation
from vo_server.sql import translate

STANDARD_ID = "ivo://ivoa.net/std/SSA"
PATH = "ssa"
VERSIONS = ("1.1", "1.0", "1.04", "1")
PROTOCOL = Info("SERVICE_PROTOCOL", VERSIONS[0], "SSAP")

USUAL_SIZE = 0.1
"""Diameter (degrees) of the region if SIZE is not given (§4.1.1.2)."""

VOTABLES = ("application/x-votable+xml", "text/xml;content=x-votable")
GRAPHICS = ("image/jpeg", "image/png", "image/gif")

FORMATS: dict[str, Sequence[str]] = {
    "votable": VOTABLES,
    "fits": FITS_TYPES,
    "xml": ("application/xml", "text/xml"),
    "graphic": GRAPHICS,
    "compliant": (*VOTABLES, *FITS_TYPES, "application/xml", "text/xml"),
}
"""Words of FORMAT → media types (§4.1.1.5)."""

NATIVE = "native"

BANDS: dict[str, Interval] = {
    "radio": Interval(1e-2, float("inf")),
    "millimeter": Interval(1e-4, 1e-2),
    "infrared": Interval(1e-6, 1e-4),
    "optical": Interval(3e-7, 1e-6),
    "ultraviolet": Interval(1e-8, 3e-7),
    "uv": Interval(1e-7, 3e-7),
    "euv": Interval(1e-8, 1e-7),
    "x-ray": Interval(1e-11, 1e-8),
    "gamma-ray": Interval(0.0, 1e-11),
}
"""Names of wavebands → metres (VODataService 1.2 §3.2.3)."""

FRAMES = {"ICRS": "ICRS", "FK5": "FK5", "FK4": "FK4", "GALACTIC": "GALACTIC", "GALACTIC_II": "GALACTIC", "ECLIPTIC": "ECLIPTIC"}
"""Frames of POS (§4.1.1.1) → those of ``sky.frames``."""


def _column(name: str) -> tree.Value:
    return build.column(name)


def _output(
    name: str, utype: str, description: str, value: tree.Value, datatype: str = "char", unit: str | None = None, ucd: str | None = None
) -> Output:
    arraysize = "*" if datatype == "char" else None
    return Output(Column(name, datatype, arraysize, None, unit, ucd, f"ssa:{utype}", description, std=True), value)


def _location(name: str, utype: str, description: str) -> Output:
    value = build.array(_column("s_ra"), _column("s_dec"))
    return Output(Column(name, "double", "2", None, "deg", "pos.eq", f"ssa:{utype}", description, std=True), value)


_SPACE, _TIME, _BAND = "Char.SpatialAxis", "Char.TimeAxis", "Char.SpectralAxis"

OUTPUTS: tuple[Output, ...] = (
    _output("access_url", "Access.Reference", "Address of the spectrum", _column("access_url"), ucd="meta.ref.url"),
    _output("access_format", "Access.Format", "Media type of the spectrum", _column("access_format"), ucd="meta.code.mime"),
    _output("access_estsize", "Access.Size", "Approximate size", _column("access_estsize"), "long", "kbyte", "phys.size;meta.file"),
    _output(
        "data_model",
        "Dataset.DataModel",
        "Data model, in the collection's own words",
        build.call("COALESCE", _column("dataproduct_subtype"), "native"),
    ),
    _output("length", "Dataset.Length", "Number of points", _column("em_xel"), "long", ucd="meta.number"),
    _output(
        "title",
        "DataID.Title",
        "Short description",
        build.call("COALESCE", _column("obs_title"), _column("obs_id")),
        ucd="meta.title;meta.dataset",
    ),
    _output("collection", "DataID.Collection", "Collection that the spectrum belongs to", _column("obs_collection"), ucd="meta.id"),
    _output("instrument", "DataID.Instrument", "Instrument that took it", _column("instrument_name"), ucd="meta.id;instr"),
    _output(
        "date", "DataID.Date", "When it became public", tree.Cast(0, _column("obs_release_date"), "VARCHAR", 10), ucd="time;meta.dataset"
    ),
    _output(
        "obs_publisher_did",
        "Curation.PublisherDID",
        "Publisher's identifier",
        _column("obs_publisher_did"),
        ucd="meta.ref.ivoid;meta.curation",
    ),
    _output("rights", "Curation.Rights", "Who may fetch it", _column("data_rights"), ucd="meta.code"),
    _output("target", "Target.Name", "Object observed", _column("target_name"), ucd="meta.id;src"),
    _location("target_pos", "Target.Pos", "Position of the object: ICRS right ascension and declination"),
    _location("location", f"{_SPACE}.Coverage.Location.Value", "Position observed: ICRS right ascension and declination"),
    _output(
        "aperture",
        f"{_SPACE}.Coverage.Bounds.Extent",
        "Diameter of the aperture",
        _column("s_fov"),
        "double",
        "deg",
        "phys.angSize;instr.fov",
    ),
    _output("region", f"{_SPACE}.Coverage.Support.Area", "Region observed, ICRS", _column("s_region"), ucd="pos.outline;obs.field"),
    _output(
        "space_res",
        f"{_SPACE}.Resolution",
        "Spatial resolution",
        outputs.scaled("s_resolution", 1 / 3600),
        "double",
        "deg",
        "pos.angResolution",
    ),
    _output(
        "time_mid",
        f"{_TIME}.Coverage.Location.Value",
        "Middle of the exposure, MJD",
        outputs.middle("t_min", "t_max"),
        "double",
        "d",
        "time.epoch",
    ),
    _output(
        "time_extent",
        f"{_TIME}.Coverage.Bounds.Extent",
        "Time from begin to end",
        build.calculate(outputs.width("t_min", "t_max"), ("*", 86400.0)),
        "double",
        "s",
        "time.duration",
    ),
    _output("time_start", f"{_TIME}.Coverage.Bounds.Start", "Begin, MJD", _column("t_min"), "double", "d", "time.start;obs.exposure"),
    _output("time_stop", f"{_TIME}.Coverage.Bounds.Stop", "End, MJD", _column("t_max"), "double", "d", "time.end;obs.exposure"),
    _output(
        "time_exposure",
        f"{_TIME}.Coverage.Support.Extent",
        "Exposure time",
        _column("t_exptime"),
        "double",
        "s",
        "time.duration;obs.exposure",
    ),
    _output(
        "band_mid",
        f"{_BAND}.Coverage.Location.Value",
        "Middle of the wavelengths",
        outputs.middle("em_min", "em_max"),
        "double",
        "m",
        "em.wl;instr.bandpass",
    ),
    _output(
        "band_extent",
        f"{_BAND}.Coverage.Bounds.Extent",
        "Width in wavelength",
        outputs.width("em_min", "em_max"),
        "double",
        "m",
        "instr.bandwidth",
    ),
    _output("band_start", f"{_BAND}.Coverage.Bounds.Start", "Shortest wavelength", _column("em_min"), "double", "m", "em.wl;stat.min"),
    _output("band_stop", f"{_BAND}.Coverage.Bounds.Stop", "Longest wavelength", _column("em_max"), "double", "m", "em.wl;stat.max"),
    _output(
        "band_res",
        f"{_BAND}.Resolution",
        "Spectral resolution",
        build.calculate(outputs.middle("em_min", "em_max"), ("/", _column("em_res_power"))),
        "double",
        "m",
        "spect.resolution;em.wl",
    ),
    _output("flux_ucd", "Char.FluxAxis.Ucd", "UCD of what was measured", _column("o_ucd"), ucd="meta.ucd"),
)
"""The columns (§4.2.4, §4.2.5): which spectrum, where it is, what it covers."""


def constants(publisher: str) -> tuple[ServiceParam, ...]:
    """What is true of every row (§4.2.1)."""
    said = (
        ("dataset_type", "Dataset.Type", "Spectrum"),
        ("publisher", "Curation.Publisher", publisher),
        ("creation_type", "DataID.CreationType", "archival"),
        ("space_frame", "CoordSys.SpaceFrame.Name", "ICRS"),
        ("time_frame", "CoordSys.TimeFrame.Name", "UTC"),
        ("band_ucd", f"{_BAND}.Ucd", "em.wl"),
    )
    return tuple(ServiceParam(name, value=value, utype=f"ssa:{utype}") for name, utype, value in said)


Read = Callable[[str, str], tree.Condition | None]
"""From a value and the parameter's name to what it asks of a row, if anything."""


def ranges(lower: str, upper: str, read: Callable[[str, str], Interval]) -> Read:
    """One of the ranges listed overlaps the interval between two columns."""

    def condition(text: str, name: str) -> tree.Condition | None:
        listed = parse_range_list(text, name, read)
        return build.some(constraints.meeting(lower, upper, asked) for asked in listed.intervals)

    return condition


def band(word: str, name: str) -> Interval:
    """A wavelength in metres, or the name of a waveband (§4.1.1.3)."""
    if word.lower() in BANDS:
        return BANDS[word.lower()]
    if word[:1].isalpha():
        raise UsageError(
            f"{name}: the band {word!r} is not known here.", hint=f"Write metres, or one of {', '.join(BANDS)}.", parameter=name
        )
    return number_interval(word, name)


def at_most(column: str, factor: float = 1.0) -> Read:
    """The resolution is this good or better; the parameter's unit times `factor` is the column's."""
    return lambda text, name: build.compare(build.column(column), "<=", parse_number(text.strip(), name) * factor)


def at_least(column: str) -> Read:
    """The column's value is this or more."""
    return lambda text, name: build.compare(build.column(column), ">=", parse_number(text.strip(), name))


def named(column: str) -> Read:
    """The column holds one of these texts, without regard to case."""

    def condition(text: str, _: str) -> tree.Condition:
        names = [name.strip().lower() for name in text.split(",")]
        return build.one_of(build.call("LOWER", build.column(column)), names)

    return condition


def containing(column: str) -> Read:
    """The column's text contains this one, without regard to case (§4.1.2.14)."""
    return lambda text, _: build.like(build.column(column), f"%{text.strip()}%", fold=True)


def matching(column: str) -> Read:
    """The column's text fits this pattern, in which ``*`` is any text and ``?`` any character; case does not matter."""
    return lambda text, _: build.like(build.column(column), text.translate({ord("*"): "%", ord("?"): "_"}), fold=True)


def formats(text: str, _: str) -> tree.Condition | None:
    """The file is of one of these media types (§4.1.1.5)."""
    words = [word.strip().lower() for word in text.split(",")]
    if "all" in words:
        return None
    column = build.column("access_format")
    listed = [kind for word in words if word != NATIVE for kind in FORMATS.get(word, FITS_TYPES if word in FITS_TYPES else (word,))]
    asked = [build.one_of(column, listed)] if listed else []
    if NATIVE in words:
        asked.append(build.no(build.one_of(column, (*VOTABLES, *GRAPHICS))))
    return build.some(asked)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A search parameter: how it is read, and how FORMAT=METADATA and the registry describe it."""

    name: str
    read: Read
    description: str
    unit: str | None = None
    number: bool = False
    std: bool = True
    options: tuple[str, ...] = ()
    holding: str | None = None
    """The attribute of the datasets here that it compares with."""


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "BAND", ranges("em_min", "em_max", band), "Wavelengths in vacuum: ranges a/b, values or wavebands", "m", options=tuple(BANDS)
    ),
    Parameter("TIME", ranges("t_min", "t_max", date_interval), "Time of the observation, UTC: ranges a/b of dates such as 2017-09-22"),
    Parameter(
        "FORMAT",
        formats,
        "Media types, or words, with commas between them",
        options=("ALL", *map(str.upper, FORMATS), "NATIVE", "METADATA"),
        holding="format",
    ),
    Parameter("SPECRP", at_least("em_res_power"), "Least spectral resolving power", number=True),
    Parameter("SPATRES", at_most("s_resolution", 3600.0), "Spatial resolution to be reached", "deg", number=True),
    Parameter("TIMERES", at_most("t_resolution"), "Time resolution to be reached", "s", number=True),
    Parameter("TARGETNAME", named("target_name"), "Object observed; several with commas between them"),
    Parameter("WILDTARGET", matching("target_name"), "Object observed, as a pattern with * and ?", std=False),
    Parameter("PUBDID", constraints.identifier, "Publisher's identifier of the spectrum"),
    Parameter("COLLECTION", containing("obs_collection"), "Part of the collection's name", holding="collection"),
)
"""What a spectrum can be asked for beside POS (§4.1.1, §4.1.2)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. Without ``conditions`` the metadata were (FORMAT=METADATA). ``centre``: the position (ICRS degrees) to sort by."""

    conditions: tuple[tree.Condition, ...] | None
    centre: tuple[float, float] | None
    format: Format
    content_type: str
    maxrec: int
    top: int | None

    @classmethod
    def from_params(cls, params: Params, settings: Settings) -> "Request":
        """Read the parameters; raises UsageError that names the one that does not fit. Unknown parameters are ignored."""
        _check_operation(params)
        format_, content_type = choose(params.one("RESPONSEFORMAT"))
        limit = maxrec(params, default=settings.default_maxrec, hard=settings.hard_maxrec)
        rows, top = settings.default_maxrec if limit is None else limit, _top(params)
        if "metadata" in [word.strip().lower() for text in params.all("FORMAT") for word in text.split(",")]:
            return cls(None, None, format_, content_type, rows, top)
        region = _region(params)
        asked = [_condition(params, parameter) for parameter in PARAMETERS]
        conditions = ((_near(region),) if region else ()) + tuple(filter(None, asked))
        return cls(conditions, (region.ra, region.dec) if region else None, format_, content_type, rows, top)

    def query(self) -> tree.Query:
        """The spectra, the nearest first, each once for every format in which it is there: itself before its picture, which has no
        identifier.
        """
        spectra = build.one_of(_column("dataproduct_type"), SPECTRA)
        order = (tree.OrderKey(0, self._distance()), tree.OrderKey(0, _column("obs_publisher_did"))) if self.centre else ()
        where = build.every([spectra, *(self.conditions or ())])
        return outputs.select(OUTPUTS, (PREVIEWED.schema, PREVIEWED.name), where, order, self.top)

    def _distance(self) -> tree.Value:
        return build.call("DISTANCE", build.call("POINT", _column("s_ra"), _column("s_dec")), build.call("POINT", *(self.centre or ())))


def routes(services: Services, capabilities: vosi.CapabilityList) -> list[Route]:
    """``/ssa`` and what VOSI puts beside it."""

    async def query(request: HttpRequest) -> Response:
        params = await read_params(request)
        asked = Request.from_params(params, services.settings)
        if asked.conditions is None:
            return Response(describe(services), media_type="text/xml")
        answer = await in_thread(lambda: perform(services, asked, params), limiter=services.traffic.threads)
        return await stream(request, answer, services.traffic)

    return [
        Route(f"/{PATH}", guard(query, Dialect.SIMPLE), methods=["GET", "POST"]),
        *vosi.routes(services, f"/{PATH}", capabilities),
    ]


def perform(services: Services, asked: Request, params: Params) -> Answer:
    """The answer to `asked`, said by `params`, not yet started."""
    statement = translate(adql.resolve(asked.query(), SPECTRA_AND_PREVIEWS), max_rows=asked.maxrec + 1)
    address = params.address(f"{services.settings.base_url}/{PATH}")
    return services.answer(
        statement,
        asked,
        Asked(STANDARD_ID, PATH, address),
        columns=outputs.columns_of(OUTPUTS),
        infos=(PROTOCOL,),
        params=constants(services.site().organisation),
    )


def describe(services: Services) -> bytes:
    """What one can ask, and what comes back, as PARAMs (§4.3)."""
    held = services.snapshot().holdings.only(SPECTRA)
    known = [
        ServiceParam(
            f"INPUT:{one.name}",
            unit=one.unit,
            description=one.description,
            options=(*one.options, *(held.words(one.holding) if one.holding else ())),
        )
        for one in PARAMETERS
    ]
    told = [
        ServiceParam(
            f"OUTPUT:{column.name}",
            column.datatype,
            column.arraysize,
            unit=column.unit,
            ucd=column.ucd,
            utype=column.utype,
            description=column.description,
        )
        for column in outputs.columns_of(OUTPUTS)
    ]
    fixed = [replace(param, name=f"OUTPUT:{param.name}") for param in constants(services.site().organisation)]
    return metadata_document(services.head((), Asked(STANDARD_ID, PATH), infos=(PROTOCOL,), params=(*INPUTS, *known, *told, *fixed)))


INPUTS: tuple[ServiceParam, ...] = (
    ServiceParam("INPUT:REQUEST", value="queryData", options=("queryData",), description="Operation"),
    ServiceParam("INPUT:VERSION", value=VERSIONS[0], options=VERSIONS, description="Version of the protocol"),
    ServiceParam(
        "INPUT:POS",
        unit="deg",
        description=f"Right ascension and declination with a comma between them, ICRS; or in another frame: 83.6,22.0;{'|'.join(FRAMES)}",
    ),
    ServiceParam(
        "INPUT:SIZE", "double", None, str(USUAL_SIZE), unit="deg", minimum="0", maximum="360", description="Diameter of the region"
    ),
    ServiceParam("INPUT:TOP", "int", None, description="Most rows, the nearest first"),
    ServiceParam("INPUT:MAXREC", "int", None, description="Most rows to send"),
)
"""The parameters that are no properties of spectra."""

SPECTRA_AND_PREVIEWS = Catalogue(0, (), (PREVIEWED,))


def capability(settings: Settings, holdings: Holdings) -> ServiceCapabilities:
    """The spectrum search and the VOSI endpoints (SimpleDALRegExt 1.2 §3.3)."""
    url = f"{settings.base_url}/{PATH}"
    sample = holdings.only(SPECTRA).sample
    test = "REQUEST=queryData&FORMAT=METADATA" if sample is None else "REQUEST=queryData&POS={},{}&SIZE={}".format(*sample, USUAL_SIZE)
    general = (InputParam(one.name.removeprefix("INPUT:"), "string", one.description or "", one.unit) for one in INPUTS)
    special = (InputParam(one.name, "real" if one.number else "string", one.description, one.unit, std=one.std) for one in PARAMETERS)
    spectra = SimpleSpectralAccess(
        standard_id=STANDARD_ID,
        interfaces=(
            Interface(f"{url}?", version="1.1", result_type="application/x-votable+xml", params=(*general, *special), test_query=test),
        ),
        description="Search for spectra by position, wavelength, time and name, by SSAP 1.1.",
        compliance="query",
        data_sources=("survey", "pointed"),
        creation_types=("archival",),
        frames=tuple(name for name in FRAMES if name != "GALACTIC"),  # older schemas call it GALACTIC_II only
        max_search_radius=360.0,
        max_records=settings.hard_maxrec,
        default_max_records=settings.default_maxrec,
        test_query=None if sample is None else (sample, USUAL_SIZE),
    )
    return ServiceCapabilities(PATH, (spectra, *vosi_capabilities(url)))


def _check_operation(params: Params) -> None:
    """REQUEST and VERSION (§8.2)."""
    request, version = params.one("REQUEST"), params.one("VERSION")
    if request is None or request.strip().lower() != "querydata":
        said = "is missing" if request is None else f"is {request!r}"
        raise UsageError(f"The parameter REQUEST {said}.", hint="This service knows REQUEST=queryData.", parameter="REQUEST")
    if version is not None and version.strip() not in VERSIONS:
        raise UsageError(f"VERSION={version!r} is not spoken here.", hint=f"Use {VERSIONS[0]}, or leave it out.", parameter="VERSION")


def _condition(params: Params, parameter: Parameter) -> tree.Condition | None:
    text = params.one(parameter.name)
    if text is None or not text.strip():
        return None
    return parameter.read(text, parameter.name)


def _region(params: Params) -> Circle | None:
    """POS and SIZE (§4.1.1.1, §4.1.1.2)."""
    text = params.one("POS")
    size = parse_number((params.one("SIZE") or str(USUAL_SIZE)).strip(), "SIZE")
    if not 0 <= size <= 360:
        raise UsageError(f"SIZE={size:g} is not between 0 and 360 degrees.", parameter="SIZE")
    if text is None or not text.strip():
        return None
    place, _, frame = text.strip().partition(";")
    words = place.split(",")
    if len(words) != 2:
        raise UsageError(f"POS={text!r} is no position.", hint="Write POS=ra,dec in degrees, ICRS.", parameter="POS")
    longitude, latitude = (parse_number(word.strip(), "POS") for word in words)
    if not -90 <= latitude <= 90:
        raise UsageError(f"POS: the latitude {latitude:g} is not between -90 and 90 degrees.", parameter="POS")
    return Circle(*_in_icrs(longitude % 360.0, latitude, frame.strip().upper() or "ICRS"), size / 2 or POINT_RADIUS)


POINT_RADIUS = 1 / 3600
"""Radius (degrees) of the region for SIZE=0: positions of spectra are no better than that."""


def _in_icrs(longitude: float, latitude: float, frame: str) -> tuple[float, float]:
    if frame not in FRAMES:
        raise UsageError(f"POS: the frame {frame!r} is not known here.", hint=f"Use one of {', '.join(FRAMES)}.", parameter="POS")
    if frame == "ICRS":
        return longitude, latitude
    return rotated((longitude, latitude), rotation(FRAMES[frame], "ICRS"))


def _near(region: Circle) -> tree.Condition:
    """The region observed meets the one asked for; of what has no region, the position lies in it."""
    lies = build.within(_column("s_ra"), _column("s_dec"), region.ra, region.dec, region.radius)
    alone = tree.Logical(0, "AND", (build.is_null(_column("s_region")), lies))
    return tree.Logical(0, "OR", (constraints.touching(region), alone))


def _top(params: Params) -> int | None:
    text = params.one("TOP")
    if text is None or not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdigit()) or len(text.strip()) > 9:
        raise UsageError(f"TOP={text!r} is not a number of rows.", parameter="TOP")
    return int(text)
