"""SODA 1.0: parts of images, cubes and event lists, at once or as jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server.cutout import Bounds, Cutout, Filters, JobCutout, NoOverlapError, Source
from vo_server.dali.intervals import Interval, parse_interval
from vo_server.dali.shapes import Shape, parse_shape
from vo_server.documents.vosi import vosi_capabilities
from vo_server.errors import ManyValuesError, NotFoundError, UsageError
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, read_params
from vo_server.http.reply import stream
from vo_server.http.threads import in_thread
from vo_server.jobs.work import Perform
from vo_server.model.capability import Capability, InputParam, Interface, ServiceCapabilities
from vo_server.model.catalogue import Catalogue
from vo_server.model.job import Job
from vo_server.model.media import FITS, FITS_TYPES
from vo_server.protocols import uws, vosi
from vo_server.protocols.constraints import STATES, listed
from vo_server.query.datasets import find_datasets, locate, refuse_unreleased
from vo_server.query.descriptors import PLANCK_LIGHT_EV, SODA_SYNC_ID, SODA_SYNC_PATH, is_cuttable
from vo_server.services import Services
from vo_server.settings import Settings

STANDARD_ID = SODA_SYNC_ID
ASYNC_ID = "ivo://ivoa.net/std/SODA#async-1.0"
PATH = "soda"
JOB_KIND = "soda"
"""What a SODA job is called in ``vo.jobs``."""

FORMATS = (*FITS_TYPES, "fits")

REGIONS: dict[str, Callable[[str], Shape]] = {
    "POS": lambda value: parse_shape(value, "POS"),
    "CIRCLE": lambda value: parse_shape(f"CIRCLE {value}", "CIRCLE"),
    "POLYGON": lambda value: parse_shape(f"POLYGON {value}", "POLYGON"),
}
"""Parameter → what reads its value; a request has one of them."""


PARAMETERS: tuple[InputParam, ...] = (
    InputParam("ID", "string", "obs_publisher_did of the dataset", use="required"),
    InputParam("POS", "string", "Region, ICRS: CIRCLE ra dec r, RANGE ra1 ra2 dec1 dec2, or POLYGON ra dec ra dec …", "deg"),
    InputParam("CIRCLE", "string", "Region, ICRS: ra dec r", "deg"),
    InputParam("POLYGON", "string", "Region, ICRS: ra dec ra dec …", "deg"),
    InputParam("BAND", "string", "Interval of wavelengths", "m"),
    InputParam("ENERGY", "string", "The same as an interval of energies", "eV"),
    InputParam("TIME", "string", "Interval of times, MJD in UTC", "d"),
    InputParam("POL", "string", f"Polarisation states, of {', '.join(STATES)}; may be repeated"),
    InputParam("RESPONSEFORMAT", "string", f"Format of the part: {FITS}, which is the only one"),
)
"""SODA 1.0 §3; a region is said in one way."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: a part of one dataset."""

    identifier: str
    filters: Filters

    @classmethod
    def from_params(cls, params: Params) -> "Request":
        """Read the parameters; UsageError names the one that does not fit, ManyValuesError one with several values (§3.1). POL alone may
        have several, which are one filter.
        """
        identifier = _one(params, "ID")
        if identifier is None or not identifier.strip():
            raise UsageError("The parameter ID is missing: it says of which dataset.", parameter="ID")
        form = _one(params, "RESPONSEFORMAT")
        if form is not None and form.strip().lower() not in FORMATS:
            raise UsageError(f"RESPONSEFORMAT={form!r} is not known here; parts come as {FITS}.", parameter="RESPONSEFORMAT")
        pol = tuple(dict.fromkeys(listed(state, "POL", STATES) for value in params.all("POL") for state in value.split()))
        return cls(identifier, Filters(_region(params), _band(params), _interval(params, "TIME"), pol))


def _one(params: Params, name: str) -> str | None:
    values = list(dict.fromkeys(params.all(name)))
    if len(values) > 1:
        raise ManyValuesError(
            f"{name} was given {len(values)} values; a request takes one.", hint="Send a request for each.", parameter=name
        )
    return values[0] if values else None


def _region(params: Params) -> Shape | None:
    given = {name: value for name in REGIONS if (value := _one(params, name)) is not None}
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} both say a region; give one.", parameter=next(iter(given)))
    return next((REGIONS[name](value) for name, value in given.items()), None)


def _interval(params: Params, name: str) -> Interval | None:
    value = _one(params, name)
    return None if value is None else parse_interval(value, name)


def _band(params: Params) -> Interval | None:
    """BAND in metres, or ENERGY in electronvolts, which is ours and means the same the other way round."""
    band, energy = _interval(params, "BAND"), _interval(params, "ENERGY")
    if band is not None and energy is not None:
        raise UsageError("BAND and ENERGY say the same; give one.", parameter="BAND")
    if energy is None:
        return band
    lower, upper = (PLANCK_LIGHT_EV / bound if bound > 0 else inf for bound in (energy.upper, energy.lower))
    return Interval(lower, upper)


def routes(services: Services, capabilities: vosi.CapabilityList) -> list[Route]:
    """``/soda/sync``, ``/soda/async`` and what VOSI puts beside them."""

    async def sync(request: HttpRequest) -> Response:
        asked = Request.from_params(await read_params(request))
        work = await in_thread(lambda: perform(services, asked), limiter=services.traffic.threads)
        try:
            return await stream(request, work, services.traffic)
        except NoOverlapError:
            return Response(status_code=204)

    return [
        Route(SODA_SYNC_PATH, guard(sync, Dialect.SODA), methods=["GET", "POST"]),
        *uws.routes(services, f"/{PATH}/async", JOB_KIND, accept, repeatable=frozenset({"POL"})),
        *vosi.routes(services, f"/{PATH}", capabilities),
    ]


def accept(params: Params) -> None:
    """Refuse at once several values of what takes one: the job's list of parameters would lose them."""
    for name in ("ID", *REGIONS, "BAND", "ENERGY", "TIME"):
        _one(params, name)


def performer(services: Services) -> Perform:
    """What a worker does with a SODA job: the same as sync, with the job's own time limit. A part without content has a result that says
    so (§5).
    """

    def perform_job(job: Job) -> Cutout:
        return perform(services, Request.from_params(Params(job.parameters)), partial(JobCutout, seconds=job.duration_s))

    return perform_job


def perform(services: Services, asked: Request, make: Callable[[Source, Filters], Cutout] = Cutout) -> Cutout:
    """The part that is asked for, not yet begun, as `make` makes it. NotFoundError, ForbiddenError or UsageError if it cannot be had."""
    with services.database.engine.connect() as connection:
        dataset = find_datasets(connection, [asked.identifier], services.settings.base_url).get(asked.identifier)
        if dataset is None:
            raise NotFoundError(f"There is no dataset {asked.identifier!r} here.", hint="ID takes an obs_publisher_did of ivoa.obscore.")
        refuse_unreleased(dataset.release, services.clock())
        if dataset.place is None or not is_cuttable(dataset):
            raise UsageError(
                f"The dataset {asked.identifier} is no FITS image, cube or event list: it can be had as a whole only.", parameter="ID"
            )
        file, _ = locate(connection, dataset.place.collection, dataset.place.path)
    bounds = Bounds(dataset.band, dataset.time, dataset.pol)
    return make(Source(dataset.identifier, file, dataset.place.hdu, dataset.kind or "", bounds), asked.filters)


def capability(settings: Settings, _: Catalogue) -> ServiceCapabilities:
    """Both resources and the VOSI endpoints (§2.5)."""
    url = f"{settings.base_url}/{PATH}"
    parts = tuple(
        Capability(
            standard_id=standard,
            interfaces=(Interface(f"{url}/{name}", use="full", version="1.0", result_type=FITS),),
            description=description,
        )
        for standard, name, description in (
            (SODA_SYNC_ID, "sync", "Parts of images, cubes and event lists."),
            (ASYNC_ID, "async", "Parts of images, cubes and event lists, as jobs."),
        )
    )
    return ServiceCapabilities(PATH, (*parts, *vosi_capabilities(url)))
