"""SIA 2.0: images and cubes found by position, wavelength, time and the other parameters of ObsCore."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server import adql
from vo_server.adql import build, tree
from vo_server.dali.shapes import SYNTAX
from vo_server.documents.vosi import vosi_capabilities
from vo_server.errors import UsageError
from vo_server.formats import Format, choose
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, maxrec, read_params
from vo_server.http.reply import stream
from vo_server.http.threads import in_thread
from vo_server.model.capability import Capability, Interface, ServiceCapabilities
from vo_server.model.catalogue import Catalogue
from vo_server.model.holdings import IMAGES, Holdings
from vo_server.model.obscore import SCHEMA, TABLE
from vo_server.model.resource import Site
from vo_server.model.service import ServiceDescriptor, ServiceParam
from vo_server.protocols import constraints, vosi
from vo_server.query.origin import Asked
from vo_server.query.run import Answer
from vo_server.services import Services
from vo_server.settings import Settings
from vo_server.sql import translate

STANDARD_ID = "ivo://ivoa.net/std/SIA#query-2.0"
PATH = "sia2"

ONE_OR_TWO = "one number, or two for an interval"

Read = constraints.Reader


@dataclass(frozen=True, slots=True)
class Parameter:
    """A search parameter, which may be repeated, which means OR (§2.1): how it is read, and how the service describes it (§3.1.2).

    ``options`` are all values it may have; ``holding`` is the attribute of the datasets here that it compares with.
    """

    read: Read
    described: ServiceParam
    holding: str | None = None


def _interval(name: str, read: Read, description: str, unit: str | None = None) -> Parameter:
    return Parameter(read, ServiceParam(name, "double", "2", unit=unit, xtype="interval", description=f"{description}: {ONE_OR_TWO}"))


def _text(
    name: str, read: Read, description: str, *, options: Sequence[str] = (), holding: str | None = None, ucd: str | None = None
) -> Parameter:
    return Parameter(read, ServiceParam(name, ucd=ucd, description=description, options=tuple(options)), holding)


PARAMETERS: tuple[Parameter, ...] = (
    _text("POS", constraints.position, f"Region that the images shall touch, ICRS: {SYNTAX}", ucd="pos.outline;obs"),
    _interval("BAND", constraints.overlaps("em_min", "em_max"), "Wavelengths in vacuum that the data overlap", "m"),
    _interval("TIME", constraints.overlaps("t_min", "t_max"), "Times that the observation overlaps, MJD", "d"),
    _text("POL", constraints.polarisation, "Polarisation state", options=constraints.STATES),
    _interval("FOV", constraints.within("s_fov"), "Diameter of the region covered", "deg"),
    _interval("SPATRES", constraints.within("s_resolution"), "Spatial resolution", "arcsec"),
    _interval("SPECRP", constraints.within("em_res_power"), "Spectral resolving power"),
    _interval("EXPTIME", constraints.within("t_exptime"), "Exposure time", "s"),
    _interval("TIMERES", constraints.within("t_resolution"), "Temporal resolution", "s"),
    _text("ID", constraints.identifier, "Publisher's identifier of a dataset, without regard to case"),
    _text("COLLECTION", constraints.equals("obs_collection"), "Collection", holding="collection"),
    _text("FACILITY", constraints.equals("facility_name"), "Facility that took the data", holding="facility"),
    _text("INSTRUMENT", constraints.equals("instrument_name"), "Instrument that took the data", holding="instrument"),
    _text("DPTYPE", constraints.one_of("dataproduct_type", IMAGES), "Kind of product", options=IMAGES),
    _text("CALIB", constraints.calibration, "Calibration level", options=[str(level) for level in constraints.CALIBRATION]),
    _text("TARGET", constraints.equals("target_name"), "Object observed"),
    _text("FORMAT", constraints.media_type, "Media type of what access_url returns", holding="format"),
    _text("RELEASEDATE", constraints.dated("obs_release_date"), "Date from which the data are public: one instant, or two for an interval"),
)
"""All search parameters (SIA 2.0 §2.1; RELEASEDATE: SIA 2.1 §2.1.18)."""

CONTROLS: tuple[ServiceParam, ...] = (
    ServiceParam("MAXREC", "int", None, description="Most rows to send; 0 for the metadata alone"),
    ServiceParam("RESPONSEFORMAT", description="Format of the answer; VOTable if absent"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: for each parameter given, the conditions of which one must hold."""

    constraints: tuple[tuple[tree.Condition, ...], ...]
    format: Format
    content_type: str
    maxrec: int
    has_position: bool

    @classmethod
    def from_params(cls, params: Params, settings: Settings) -> "Request":
        """Read the parameters; raises UsageError that names the one that does not fit. Unknown parameters are ignored (DALI 1.1 §3.1)."""
        if params.all("UPLOAD") or "UPLOAD" in {name.upper() for name, _ in params.files}:
            raise UsageError("UPLOAD: this service does not take uploads.", parameter="UPLOAD")
        given = {one.described.name: params.all(one.described.name) for one in PARAMETERS}
        asked = tuple(tuple(one.read(value, name) for value in given[name]) for one in PARAMETERS if given[name := one.described.name])
        format_, content_type = choose(params.one("RESPONSEFORMAT"))
        limit = maxrec(params, default=settings.default_maxrec, hard=settings.hard_maxrec)
        return cls(asked, format_, content_type, settings.default_maxrec if limit is None else limit, bool(params.all("POS")))

    def query(self) -> tree.Query:
        """``SELECT * FROM ivoa.obscore``: of each constraint one condition holds, and the product is an image or a cube (§2.1, §3.1)."""
        products = build.one_of(build.column("dataproduct_type"), IMAGES)
        asked = (build.some(conditions) for conditions in self.constraints)
        return build.select((SCHEMA, TABLE), where=build.every([products, *filter(None, asked)]))


def routes(services: Services, capabilities: vosi.CapabilityList) -> list[Route]:
    """``/sia2/query`` and what VOSI puts beside it."""

    async def search(params: Params, request: HttpRequest) -> Response:
        asked = Request.from_params(params, services.settings)
        answer = await in_thread(lambda: perform(services, asked, params), limiter=services.traffic.threads)
        return await stream(request, answer, services.traffic)

    async def query(request: HttpRequest) -> Response:
        params = await read_params(request)
        dialect = Dialect.FAULT_TEXT if wants_text(params) else Dialect.FAULT
        return await guard(partial(search, params), dialect)(request)

    return [
        Route(f"/{PATH}/query", guard(query, Dialect.FAULT), methods=["GET", "POST"]),
        *vosi.routes(services, f"/{PATH}", capabilities),
    ]


def wants_text(params: Params) -> bool:
    """Whether the answer was to be CSV or TSV, so that an error is plain text too (§3.3)."""
    try:
        return choose(params.one("RESPONSEFORMAT"))[0].extension in ("csv", "tsv")
    except UsageError:
        return False


def describe(settings: Settings, site: Site, holdings: Holdings) -> ServiceDescriptor:
    """The service itself, with the words that find something (SIA 2.0 §3.1.2; PITFALLS P-106)."""
    held = holdings.only(IMAGES)
    params = (replace(one.described, options=held.words(one.holding)) if one.holding else one.described for one in PARAMETERS)
    return ServiceDescriptor(
        id="this",
        name="this",
        access_url=f"{settings.base_url}/{PATH}/query",
        standard_id=STANDARD_ID,
        resource_identifier=site.ivoid(PATH),
        params=(*params, *CONTROLS),
        description="This search for images",
    )


def perform(services: Services, asked: Request, params: Params) -> Answer:
    """The answer to `asked`, said by `params`, not yet started."""
    try:
        statement = translate(adql.resolve(asked.query(), services.catalogue()), max_rows=asked.maxrec + 1)
    except UsageError as error:
        if not asked.has_position:
            raise
        # of all that is asked, only a region can turn out to be more than the database knows
        raise UsageError(f"POS: {error}", hint="A CIRCLE is always understood.", parameter="POS") from None
    itself = describe(services.settings, services.site(), services.snapshot().holdings)
    address = params.address(f"{services.settings.base_url}/{PATH}/query")
    return services.answer(
        statement,
        asked,
        Asked(STANDARD_ID, PATH, address),
        descriptors=(itself,),
    )


def capability(settings: Settings, _: Catalogue) -> ServiceCapabilities:
    """The query capability and the VOSI endpoints (SIA 2.0 §2, §4). Its parameters are the standard's, so they are not listed;
    pyvo would warn of each.
    """
    url = f"{settings.base_url}/{PATH}"
    query = Capability(
        standard_id=STANDARD_ID,
        interfaces=(Interface(f"{url}/query", version="2.0", result_type="application/x-votable+xml"),),
        description="Search for images and cubes by position, wavelength, time and other properties.",
    )
    return ServiceCapabilities(PATH, (query, *vosi_capabilities(url)))
