"""SIA 2.0: images and cubes found by position, wavelength, time and the other parameters of ObsCore."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from anyio.to_thread import run_sync
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server import adql
from vo_server.adql import build, tree
from vo_server.dali.intervals import parse_interval
from vo_server.dali.numbers import parse_integer
from vo_server.dali.shapes import Circle, Range, parse_shape
from vo_server.documents.vosi import vosi_capabilities
from vo_server.errors import UsageError
from vo_server.formats import Format, choose
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, maxrec, read_params
from vo_server.http.reply import stream
from vo_server.model.capability import Capability, Interface, ServiceCapabilities
from vo_server.model.catalogue import Catalogue
from vo_server.model.obscore import SCHEMA, TABLE
from vo_server.protocols import vosi
from vo_server.query.run import Answer
from vo_server.services import Services
from vo_server.settings import Settings
from vo_server.sql import translate

STANDARD_ID = "ivo://ivoa.net/std/SIA#query-2.0"
PATH = "sia2"

PRODUCTS = ("image", "cube")
"""What SIA 2.0 searches (§2.1, §3.1)."""

STATES = ("I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA")
"""Polarisation states (ObsCore 1.1 §B.6.6)."""

CALIBRATION = range(5)

FITS = ("application/fits", "image/fits")

Reader = Callable[[str, str], tree.Condition]
"""From a value and the parameter's name to what it asks of a row."""


def overlaps(lower: str, upper: str) -> Reader:
    """The interval given and the interval between two columns have a point in common."""

    def read(text: str, name: str) -> tree.Condition:
        asked = parse_interval(text, name)
        return both(bounded(lower, "<=", asked.upper), bounded(upper, ">=", asked.lower))

    return read


def within(column: str) -> Reader:
    """The column's value lies in the interval given."""

    def read(text: str, name: str) -> tree.Condition:
        asked = parse_interval(text, name)
        return both(bounded(column, ">=", asked.lower), bounded(column, "<=", asked.upper))

    return read


def bounded(column: str, sign: str, bound: float) -> tree.Condition:
    """A comparison; against an open end only that there is a value, since a row without one fails (§2.1)."""
    if math.isinf(bound):
        return build.is_null(build.column(column), negated=True)
    return build.compare(build.column(column), sign, bound)


def both(*conditions: tree.Condition) -> tree.Condition:
    """All of the conditions."""
    return tree.Logical(0, "AND", conditions)


def equals(column: str) -> Reader:
    """The column holds just this text."""
    return lambda text, _: build.compare(build.column(column), "=", text)


def one_of(column: str, allowed: Sequence[str]) -> Reader:
    """As `equals`, for a text out of a list."""
    return lambda text, name: build.compare(build.column(column), "=", listed(text, name, allowed))


def listed(text: str, name: str, allowed: Sequence[str]) -> str:
    """`text` if it is one of `allowed`; UsageError otherwise."""
    if text not in allowed:
        raise UsageError(f"{name}={text!r} is not one of {', '.join(allowed)}.", parameter=name)
    return text


def media_type(text: str, _: str) -> tree.Condition:
    """access_format is this media type; FITS has two names (RFC 4047), and images are found by either."""
    column = build.column("access_format")
    return build.one_of(column, FITS) if text in FITS else build.compare(column, "=", text)


def identifier(text: str, _: str) -> tree.Condition:
    """IVOA identifiers compare without case (IVOA Identifiers 2.0 §2)."""
    return build.compare(build.call("LOWER", build.column("obs_publisher_did")), "=", text.lower())


def polarisation(text: str, name: str) -> tree.Condition:
    """pol_states holds the state between slashes (ObsCore 1.1 §B.6.6)."""
    return build.like(build.column("pol_states"), f"%/{listed(text, name, STATES)}/%")


def calibration(text: str, name: str) -> tree.Condition:
    """calib_level is this integer."""
    level = parse_integer(text, name)
    if level not in CALIBRATION:
        raise UsageError(f"{name}: the level {level} is not between {CALIBRATION[0]} and {CALIBRATION[-1]}.", parameter=name)
    return build.compare(build.column("calib_level"), "=", level)


def position(text: str, name: str) -> tree.Condition:
    """The region covered and the region given have a point in common."""
    covered = build.column("s_region")
    shape = parse_shape(text, name)
    if isinstance(shape, Circle):
        return build.meets(covered, build.circle(shape.ra, shape.dec, shape.radius))
    outlines = shape.outlines() if isinstance(shape, Range) else (shape.vertices,)
    return tree.Logical(0, "OR", tuple(build.meets(covered, build.polygon(chain.from_iterable(outline))) for outline in outlines))


PARAMETERS: dict[str, Reader] = {
    "POS": position,  # degrees
    "BAND": overlaps("em_min", "em_max"),  # metres
    "TIME": overlaps("t_min", "t_max"),  # MJD
    "POL": polarisation,
    "FOV": within("s_fov"),  # degrees
    "SPATRES": within("s_resolution"),  # arcseconds
    "SPECRP": within("em_res_power"),
    "EXPTIME": within("t_exptime"),  # seconds
    "TIMERES": within("t_resolution"),  # seconds
    "ID": identifier,
    "COLLECTION": equals("obs_collection"),
    "FACILITY": equals("facility_name"),
    "INSTRUMENT": equals("instrument_name"),
    "DPTYPE": one_of("dataproduct_type", PRODUCTS),
    "CALIB": calibration,
    "TARGET": equals("target_name"),
    "FORMAT": media_type,
}
"""All search parameters; each may be repeated, which means OR (SIA 2.0 §2.1)."""


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
        if params.all("UPLOAD") or "UPLOAD" in {name.upper() for name in params.files}:
            raise UsageError("UPLOAD: this service does not take uploads.", parameter="UPLOAD")
        given = [(name, params.all(name)) for name in PARAMETERS]
        refuse_nul(given)
        constraints = tuple(tuple(PARAMETERS[name](value, name) for value in values) for name, values in given if values)
        format_, content_type = choose(params.one("RESPONSEFORMAT"))
        limit = maxrec(params, default=settings.default_maxrec, hard=settings.hard_maxrec)
        return cls(constraints, format_, content_type, settings.default_maxrec if limit is None else limit, bool(params.all("POS")))

    def query(self) -> tree.Query:
        """``SELECT * FROM ivoa.obscore``: of each constraint one condition holds, and the product is an image or a cube (§2.1, §3.1)."""
        products = build.one_of(build.column("dataproduct_type"), PRODUCTS)
        constraints = (build.some(conditions) for conditions in self.constraints)
        return build.select((SCHEMA, TABLE), where=build.every([products, *filter(None, constraints)]))


def refuse_nul(given: Sequence[tuple[str, Sequence[str]]]) -> None:
    """U+0000 stands in no text of the database: UsageError that names the parameter."""
    for name, values in given:
        if any("\0" in value for value in values):
            raise UsageError(f"{name}: the character U+0000 cannot stand in a text.", parameter=name)


def routes(services: Services, capabilities: vosi.CapabilityList) -> list[Route]:
    """``/sia2/query`` and what VOSI puts beside it."""

    async def query(request: HttpRequest) -> Response:
        asked = Request.from_params(await read_params(request), services.settings)
        answer = await run_sync(lambda: perform(services, asked), limiter=services.limiter)
        return await stream(request, answer, services.limiter)

    return [
        Route(f"/{PATH}/query", guard(query, Dialect.FAULT), methods=["GET", "POST"]),
        *vosi.routes(services, f"/{PATH}", capabilities),
    ]


def perform(services: Services, asked: Request) -> Answer:
    """The answer to `asked`, not yet started."""
    try:
        statement = translate(adql.resolve(asked.query(), services.catalogue()), max_rows=asked.maxrec + 1)
    except UsageError as error:
        if not asked.has_position:
            raise
        # of all that is asked, only a region can turn out to be more than the database knows
        raise UsageError(f"POS: {error}", hint="A CIRCLE is always understood.", parameter="POS") from None
    return services.answer(statement, STANDARD_ID, asked.format, asked.content_type, asked.maxrec)


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
