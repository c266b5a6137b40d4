"""SIAP 1.0: images and their previews around a position, in the words of UCD1 that its clients look for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server import adql
from vo_server.adql import build, tree
from vo_server.dali.numbers import parse_number
from vo_server.dali.shapes import Range
from vo_server.db.definitions import PREVIEWED
from vo_server.documents.vosi import vosi_capabilities
from vo_server.errors import UsageError
from vo_server.formats import Format, choose
from vo_server.formats.votable import metadata_document
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, maxrec, read_params
from vo_server.http.reply import stream
from vo_server.http.threads import in_thread
from vo_server.model.capability import InputParam, Interface, ServiceCapabilities, SimpleImageAccess
from vo_server.model.catalogue import Catalogue
from vo_server.model.columns import Column
from vo_server.model.holdings import IMAGES, Holdings
from vo_server.model.media import FITS_TYPES
from vo_server.model.obscore import COLUMNS
from vo_server.model.result import Info
from vo_server.model.service import ServiceParam
from vo_server.protocols import constraints, outputs, vosi
from vo_server.protocols.outputs import Output
from vo_server.query.origin import Asked
from vo_server.query.run import Answer
from vo_server.services import Services
from vo_server.settings import Settings
from vo_server.sky.polygons import box
from vo_server.sql import translate

STANDARD_ID = "ivo://ivoa.net/std/SIA"
PATH = "sia1"

INTERSECTIONS = ("OVERLAPS", "COVERS", "ENCLOSED", "CENTER")
"""How image and region must lie to each other (§4.1.3); the first is the default."""
VERBOSITIES = range(4)
USUAL_VERBOSITY = 2

WIDEST_BOX = 90.0
"""Up to this size (degrees) the region is a rectangle around the position; a larger one lies between two meridians and two parallels."""
SAMPLE_SIZE = 0.1

GRAPHICS = {"jpeg": "image/jpeg", "jpg": "image/jpeg", "png": "image/png", "gif": "image/gif"}
"""Formats for people (§4.1.4): names in GRAPHIC-…, media types."""

PREVIEWS = Catalogue(0, (), (PREVIEWED,))
"""What is searched: the rows of ObsCore, and again those that have a preview, with that as the file."""


def _column(name: str) -> tree.Value:
    return build.column(name)


def _output(name: str, ucd: str, description: str, value: tree.Value, datatype: str = "char", unit: str | None = None) -> Output:
    return Output(Column(name, datatype, "*" if datatype == "char" else None, unit=unit, ucd=ucd, description=description), value)


def _array(name: str, ucd: str, description: str, value: tree.Value, datatype: str, unit: str | None = None) -> Output:
    return Output(Column(name, datatype, "*", unit=unit, ucd=ucd, description=description), value)


def _as_it_is(name: str) -> Output:
    """A column of ObsCore under its own name."""
    return Output(next(column for column in COLUMNS if column.name == name), build.column(name))


SCALE = outputs.scaled("s_pixel_scale", 1 / 3600)
SIDES = (build.cast(_column("s_xel1"), "INTEGER"), build.cast(_column("s_xel2"), "INTEGER"))

REQUIRED: tuple[Output, ...] = (
    _output(
        "image_title", "VOX:Image_Title", "Short description of the image", build.call("COALESCE", _column("obs_title"), _column("obs_id"))
    ),
    _output("ra", "POS_EQ_RA_MAIN", "ICRS right ascension of the centre", _column("s_ra"), "double", "deg"),
    _output("dec", "POS_EQ_DEC_MAIN", "ICRS declination of the centre", _column("s_dec"), "double", "deg"),
    _output("naxes", "VOX:Image_Naxes", "Number of celestial axes", build.value(2), "int"),
    _array("naxis", "VOX:Image_Naxis", "Pixels along each celestial axis", build.array(*SIDES), "int", "pix"),
    _array("scale", "VOX:Image_Scale", "Size of a pixel along each axis", build.array(SCALE, SCALE), "double", "deg/pix"),
    _output("format", "VOX:Image_Format", "Media type of the file", _column("access_format")),
    _output("access_url", "VOX:Image_AccessReference", "Address of the file", _column("access_url")),
)
"""What every answer has (§4.2.1)."""

RECOMMENDED: tuple[Output, ...] = (
    _output("instrument", "INST_ID", "Instrument that took the image", _column("instrument_name")),
    _output("date_obs", "VOX:Image_MJDateObs", "Middle of the observation, MJD", outputs.middle("t_min", "t_max"), "double", "d"),
    _output("ref_frame", "VOX:STC_CoordRefFrame", "Reference frame of positions", build.value("ICRS")),
    _output("band_unit", "VOX:BandPass_Unit", "Unit of the following wavelengths", build.value("m")),
    _output("band_ref", "VOX:BandPass_RefValue", "Middle of the wavelengths", outputs.middle("em_min", "em_max"), "double", "m"),
    _output("band_hi", "VOX:BandPass_HiLimit", "Longest wavelength", _column("em_max"), "double", "m"),
    _output("band_lo", "VOX:BandPass_LoLimit", "Shortest wavelength", _column("em_min"), "double", "m"),
    _output("file_size", "VOX:Image_FileSize", "Approximate size of the file", outputs.scaled("access_estsize", 1000), "long", "byte"),
    _output("pix_flags", "VOX:Image_PixFlags", "C: the pixels are those of the original", build.value("C")),
    _as_it_is("obs_publisher_did"),
)
ADDITIONAL = tuple(map(_as_it_is, ("obs_collection", "target_name", "facility_name", "t_exptime", "s_fov", "s_region", "obs_release_date")))

INPUTS: tuple[ServiceParam, ...] = (
    ServiceParam(
        "INPUT:POS", unit="deg", description="Centre of the region: right ascension and declination, ICRS, with a comma between them"
    ),
    ServiceParam("INPUT:SIZE", unit="deg", description="Width and height of the region, with a comma between them, or one number for both"),
    ServiceParam("INPUT:INTERSECT", value=INTERSECTIONS[0], options=INTERSECTIONS, description="How image and region lie to each other"),
    ServiceParam("INPUT:FORMAT", value="ALL", description="Media types, with commas between them, or one of the words listed"),
    ServiceParam(
        "INPUT:VERB", "int", None, str(USUAL_VERBOSITY), options=tuple(map(str, VERBOSITIES)), description="How many columns: 0 few, 3 all"
    ),
    ServiceParam("INPUT:COLLECTION", description="Collection that the images belong to"),
    ServiceParam("INPUT:MAXREC", "int", None, description="Most rows to send"),
)
"""The parameters as FORMAT=METADATA tells them (§6)."""

WORDS = ("ALL", "METADATA", "GRAPHIC", "GRAPHIC-ALL", *(f"GRAPHIC-{kind}" for kind in ("jpeg", "png", "gif")))


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle around a position (§4.1.1, §4.1.2); degrees. Without a size it is the position."""

    ra: float
    dec: float
    width: float
    height: float

    def meets(self, how: str) -> tree.Condition:
        """Whether an image and the region lie to each other as INTERSECT says. UsageError where that cannot be told."""
        covered, point = _column("s_region"), build.call("POINT", self.ra, self.dec)
        if how == "CENTER" or not (self.width or self.height):
            return build.contains(covered, point)
        if max(self.width, self.height) <= WIDEST_BOX:
            rectangle = build.polygon(chain.from_iterable(box(self.ra, self.dec, *self._sides())))
            tests = {
                "OVERLAPS": build.meets(covered, rectangle),
                "COVERS": build.contains(covered, rectangle),
                "ENCLOSED": build.contains(rectangle, covered),
            }
            return tests[how]
        if how != "OVERLAPS":
            raise UsageError(
                f"INTERSECT={how}: SIZE may be {WIDEST_BOX:g} degrees at most.", hint="Use INTERSECT=OVERLAPS.", parameter="SIZE"
            )
        return tree.Logical(0, "OR", tuple(map(constraints.touching, self._ranges())))

    def _sides(self) -> tuple[float, float]:
        """Width and height, neither without any extent."""
        least = 1e-6
        return max(self.width, least), max(self.height, least)

    def _ranges(self) -> tuple[Range, ...]:
        dec = (max(self.dec - self.height / 2, -90.0), min(self.dec + self.height / 2, 90.0))
        west, east = self.ra - self.width / 2, self.ra + self.width / 2
        if self.width >= 360:
            return (Range((0.0, 360.0), dec),)
        pieces = ((west + 360, 360.0), (0.0, east)) if west < 0 else ((west, 360.0), (0.0, east - 360)) if east > 360 else ((west, east),)
        return tuple(Range(piece, dec) for piece in pieces)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. Without ``conditions`` the metadata were (FORMAT=METADATA)."""

    conditions: tuple[tree.Condition, ...] | None
    verbosity: int
    format: Format
    content_type: str
    maxrec: int

    @classmethod
    def from_params(cls, params: Params, settings: Settings) -> "Request":
        """Read the parameters; raises UsageError that names the one that does not fit. Unknown parameters are ignored."""
        format_, content_type = choose(params.one("RESPONSEFORMAT"))
        limit = maxrec(params, default=settings.default_maxrec, hard=settings.hard_maxrec)
        return cls(_conditions(params), _verbosity(params), format_, content_type, settings.default_maxrec if limit is None else limit)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The columns of the answer (§4.1.5)."""
        return REQUIRED + (RECOMMENDED if self.verbosity > 0 else ()) + (ADDITIONAL if self.verbosity == VERBOSITIES[-1] else ())

    def query(self) -> tree.Query:
        """The images, each once for every format in which it is there."""
        images = build.one_of(_column("dataproduct_type"), IMAGES)
        return outputs.select(self.outputs, (PREVIEWED.schema, PREVIEWED.name), build.every([images, *(self.conditions or ())]))


def routes(services: Services, capabilities: vosi.CapabilityList) -> list[Route]:
    """``/sia1`` and what VOSI puts beside it."""

    async def query(request: HttpRequest) -> Response:
        params = await read_params(request)
        asked = Request.from_params(params, services.settings)
        if asked.conditions is None:
            return Response(describe(services, asked), media_type="text/xml")
        answer = await in_thread(lambda: perform(services, asked, params), limiter=services.traffic.threads)
        return await stream(request, answer, services.traffic)

    return [
        Route(f"/{PATH}", guard(query, Dialect.SIMPLE), methods=["GET", "POST"]),
        *vosi.routes(services, f"/{PATH}", capabilities),
    ]


def perform(services: Services, asked: Request, params: Params) -> Answer:
    """The answer to `asked`, said by `params`, not yet started."""
    statement = translate(adql.resolve(asked.query(), PREVIEWS), max_rows=asked.maxrec + 1)
    described = outputs.columns_of(asked.outputs)
    address = params.address(f"{services.settings.base_url}/{PATH}")
    return services.answer(
        statement,
        asked,
        Asked(STANDARD_ID, PATH, address),
        columns=described,
        infos=(PROTOCOL,),
    )


PROTOCOL = Info("SERVICE_PROTOCOL", "1.0", "SIAP")


def describe(services: Services, asked: Request) -> bytes:
    """Parameters and columns, without rows (§6)."""
    held = services.snapshot().holdings.only(IMAGES)
    options = {"INPUT:FORMAT": (*WORDS, *held.words("format")), "INPUT:COLLECTION": held.words("collection")}
    params = tuple(constraints.offering(param, options) for param in INPUTS)
    return metadata_document(services.head(outputs.columns_of(asked.outputs), Asked(STANDARD_ID, PATH), infos=(PROTOCOL,), params=params))


def capability(settings: Settings, holdings: Holdings) -> ServiceCapabilities:
    """The image search and the VOSI endpoints (SimpleDALRegExt 1.2 §3.2)."""
    url = f"{settings.base_url}/{PATH}"
    sample = holdings.only(IMAGES).sample
    test = "FORMAT=METADATA" if sample is None else "POS={},{}&SIZE={}".format(*sample, SAMPLE_SIZE)
    images = SimpleImageAccess(
        standard_id=STANDARD_ID,
        interfaces=(Interface(f"{url}?", result_type="text/xml", params=PARAMETERS, test_query=test),),
        description="Search for images and their previews around a position, by SIAP 1.0.",
        image_service_type="Pointed",
        max_query_region_size=(360.0, 180.0),
        max_records=settings.hard_maxrec,
        test_query=None if sample is None else (sample, (SAMPLE_SIZE, SAMPLE_SIZE)),
    )
    return ServiceCapabilities(PATH, (images, *vosi_capabilities(url)))


PARAMETERS: tuple[InputParam, ...] = tuple(
    InputParam(
        param.name.removeprefix("INPUT:"),
        {"int": "integer"}.get(param.datatype, "string"),
        param.description or "",
        param.unit,
        use="required" if param.name in ("INPUT:POS", "INPUT:SIZE") else "optional",
        std=param.name not in ("INPUT:COLLECTION", "INPUT:MAXREC"),
    )
    for param in INPUTS
)


def _conditions(params: Params) -> tuple[tree.Condition, ...] | None:
    formats = _formats(params)
    if formats is None:
        return None
    how = (params.one("INTERSECT") or INTERSECTIONS[0]).strip().upper()
    if how not in INTERSECTIONS:
        raise UsageError(f"INTERSECT={how!r} is not one of {', '.join(INTERSECTIONS)}.", parameter="INTERSECT")
    collections = params.all("COLLECTION")
    asked = (build.some(constraints.equals("obs_collection")(name, "COLLECTION") for name in collections), *formats)
    return (_region(params).meets(how), *filter(None, asked))


def _region(params: Params) -> Region:
    ra, dec = _numbers(params, "POS", (2,))
    sizes = _numbers(params, "SIZE", (1, 2))
    if not -90 <= dec <= 90:
        raise UsageError(f"POS: the declination {dec:g} is not between -90 and 90 degrees.", parameter="POS")
    if not (0 <= sizes[0] <= 360 and 0 <= sizes[-1] <= 360):
        raise UsageError("SIZE: width and height are between 0 and 360 degrees.", parameter="SIZE")
    return Region(ra % 360.0, dec, sizes[0], min(sizes[-1], 180.0))


def _numbers(params: Params, name: str, counts: Sequence[int]) -> list[float]:
    """Numbers with commas between them (§4.1.1)."""
    text = params.one(name)
    if text is None or not text.strip():
        raise UsageError(f"The parameter {name} is missing.", hint="An image search needs POS=ra,dec and SIZE, in degrees.", parameter=name)
    words = text.split(",")
    if len(words) not in counts:
        raise UsageError(f"{name}={text!r} has {len(words)} numbers.", hint="Write POS=ra,dec and SIZE=width,height.", parameter=name)
    return [parse_number(word.strip(), name) for word in words]


def _formats(params: Params) -> tuple[tree.Condition, ...] | None:
    """What FORMAT asks of the file (§4.1.4); None: only the metadata are asked for."""
    words = [word.strip() for text in params.all("FORMAT") or ["ALL"] for word in text.split(",")]
    upper = {word.upper() for word in words}
    if "METADATA" in upper:
        return None
    if "ALL" in upper:
        return ()
    listed = [kind for word in _graphics(words) for kind in _kinds(word)]
    return (build.one_of(_column("access_format"), listed),)


def _graphics(words: Sequence[str]) -> list[str]:
    """In GRAPHIC-png,jpeg the words after the first belong to it too."""
    graphic = words[0].upper().startswith("GRAPHIC-")
    return [f"GRAPHIC-{word}" if graphic and word.lower() in GRAPHICS else word for word in words]


def _kinds(word: str) -> Sequence[str]:
    """The media types that a word of FORMAT means."""
    if word.upper() in ("GRAPHIC", "GRAPHIC-ALL"):
        return sorted(set(GRAPHICS.values()))
    if word.upper().startswith("GRAPHIC-"):
        kind = word[len("GRAPHIC-") :].lower()
        if kind not in GRAPHICS and kind not in GRAPHICS.values():
            raise UsageError(f"FORMAT={word!r}: {kind!r} is not one of {', '.join(GRAPHICS)}.", parameter="FORMAT")
        return (GRAPHICS.get(kind, kind),)
    lower = word.lower()
    return FITS_TYPES if lower in FITS_TYPES else (lower,)


def _verbosity(params: Params) -> int:
    text = (params.one("VERB") or str(USUAL_VERBOSITY)).strip()
    if text not in map(str, VERBOSITIES):
        raise UsageError(f"VERB={text!r} is not one of 0, 1, 2 and 3.", parameter="VERB")
    return int(text)
