"""Simple Cone Search 1.03: the rows of one table around one position, for every table that has positions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server.dali.numbers import parse_number
from vo_server.documents.vosi import vosi_capabilities
from vo_server.errors import UsageError
from vo_server.formats import Format, choose
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, maxrec, read_params
from vo_server.http.reply import stream
from vo_server.http.threads import in_thread
from vo_server.model.capability import ConeSearch, InputParam, Interface, ServiceCapabilities
from vo_server.model.catalogue import Table
from vo_server.model.resource import Resource
from vo_server.protocols import cones, outputs, vosi
from vo_server.query.origin import Asked
from vo_server.query.run import Answer
from vo_server.services import Services
from vo_server.settings import Settings

STANDARD_ID = "ivo://ivoa.net/std/ConeSearch"
PATH = "scs"

PARAMETERS: tuple[InputParam, ...] = (
    cones.RA,
    cones.DEC,
    replace(cones.SR, description="Radius of the cone; 0 for the metadata alone"),
    cones.VERB,
    replace(cones.MAXREC, std=False),
    replace(cones.RESPONSEFORMAT, std=False),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked (§2.1): a cone in ICRS degrees, 0 ≤ ra < 360, and how much of its rows."""

    ra: float
    dec: float
    radius: float
    verbosity: int
    format: Format
    content_type: str
    maxrec: int

    @classmethod
    def from_params(cls, params: Params, settings: Settings) -> "Request":
        """Read the parameters; raises UsageError that names the one that does not fit. Unknown parameters are ignored."""
        ra = _number(params, "RA") % 360.0
        dec = _bounded(params, "DEC", -90.0, 90.0)
        radius = _bounded(params, "SR", 0.0, cones.MAX_SR)
        format_, content_type = choose(params.one("RESPONSEFORMAT"))
        limit = maxrec(params, default=settings.default_maxrec, hard=settings.hard_maxrec)
        verbosity = cones.verbosity_of(params.one("VERB"))
        return cls(ra, dec, radius, verbosity, format_, content_type, settings.default_maxrec if limit is None else limit)


def routes(services: Services, capabilities: vosi.TableCapabilities) -> list[Route]:
    """``/scs/{schema.table}`` and what VOSI puts beside it."""

    async def search(request: HttpRequest) -> Response:
        params = await read_params(request)
        asked = Request.from_params(params, services.settings)
        answer = await in_thread(lambda: perform(services, request.path_params["table"], asked, params), limiter=services.traffic.threads)
        return await stream(request, answer, services.traffic)

    return [
        *vosi.routes_of_tables(services, f"/{PATH}/{{table:path}}", partial(cones.find_table, services), capabilities),
        Route(f"/{PATH}/{{table:path}}", guard(search, Dialect.SCS), methods=["GET", "POST"]),
    ]


def perform(services: Services, name: str, asked: Request, params: Params) -> Answer:
    """The answer to `asked`, said by `params`, of the table called `name`, not yet started: the nearest rows first."""
    table = cones.find_table(services, name)
    shown = (cones.separation(table, asked.ra, asked.dec), *cones.outputs_of(table, asked.verbosity))
    cone = cones.is_near(table, asked.ra, asked.dec, asked.radius)
    statement = cones.statement_of(table, shown, cone, cones.NEAREST_FIRST, services.catalogue(), asked.maxrec + 1)
    described = outputs.columns_of(shown)
    address = params.address(f"{services.settings.base_url}/{path_of(table)}")
    return services.answer(
        statement,
        asked,
        Asked(STANDARD_ID, table.resource or PATH, address),
        columns=described,
        description=table.title,
    )


def path_of(table: Table) -> str:
    """The address of a table's search below the public URL."""
    return f"{PATH}/{table.full_name}"


def capability(settings: Settings, table: Table, resources: Sequence[Resource]) -> ServiceCapabilities:
    """The cone search of one table, and the VOSI endpoints (SimpleDALRegExt 1.2 §3.1)."""
    test = cones.test_query(table, resources)
    url = f"{settings.base_url}/{PATH}/{quote(table.full_name)}"
    cone = ConeSearch(
        standard_id=STANDARD_ID,
        interfaces=(
            Interface(
                f"{url}?",
                result_type="application/x-votable+xml",
                params=PARAMETERS,
                test_query=None if test is None else "RA={}&DEC={}&SR={}".format(*test),
            ),
        ),
        description=f"Rows of {table.full_name} around a position.",
        max_sr=cones.MAX_SR,
        max_records=settings.hard_maxrec,
        verbosity=cones.is_verbose(table),
        test_query=test,
    )
    return ServiceCapabilities(path_of(table), (cone, *vosi_capabilities(url)))


def _number(params: Params, name: str) -> float:
    text = params.one(name)
    if text is None or not text.strip():
        raise UsageError(f"The parameter {name} is missing.", hint="A cone search needs RA, DEC and SR, in degrees.", parameter=name)
    return parse_number(text.strip(), name)


def _bounded(params: Params, name: str, lower: float, upper: float) -> float:
    value = _number(params, name)
    if not lower <= value <= upper:
        raise UsageError(f"{name}={value:g} is not between {lower:g} and {upper:g} degrees.", parameter=name)
    return value
