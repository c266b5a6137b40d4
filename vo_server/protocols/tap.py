"""TAP 1.1: ADQL over every published table, synchronously and as jobs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server import adql
from vo_server.dali.uploads import Upload, parse_uploads
from vo_server.db.stream import LimitedPool
from vo_server.documents.vosi import TABLES_ID, vosi_capabilities
from vo_server.errors import NotFoundError, QueryMeaningError, UsageError
from vo_server.formats import FORMATS, Format, choose, negotiate
from vo_server.http.admission import Kind
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, maxrec, read_params, read_run_id
from vo_server.http.reply import stream
from vo_server.http.threads import UPLOADS_S, in_thread
from vo_server.jobs.work import Perform
from vo_server.model.capability import Capability, InputParam, Interface, Language, Limits, OutputFormat, ServiceCapabilities, TableAccess
from vo_server.model.catalogue import Catalogue
from vo_server.model.job import QUERY_KIND, Job
from vo_server.model.result import Info, Statement
from vo_server.protocols import examples, uws, vosi
from vo_server.query.origin import Asked
from vo_server.query.run import Answer
from vo_server.query.uploads import Parts, UploadedTable, missing_part, with_uploads
from vo_server.services import Services
from vo_server.settings import Settings
from vo_server.sql import compile_adql

STANDARD_ID = "ivo://ivoa.net/std/TAP"
PATH = "tap"
JOB_KIND = QUERY_KIND
"""What a TAP job is called in ``vo.jobs``."""
OBSCORE_ID = "ivo://ivoa.net/std/ObsCore#core-1.1"
UPLOAD_METHODS = tuple(f"ivo://ivoa.net/std/TAPRegExt#upload-{method}" for method in ("inline", "http", "https"))
LANGUAGES = ("ADQL", "ADQL-2.0", "ADQL-2.1")

DIALECTS = {"json": Dialect.JSON, "html": Dialect.HTML, "csv": Dialect.TEXT, "tsv": Dialect.TEXT, "txt": Dialect.TEXT}
"""Extension of a format → how its readers are told errors; all others get a VOTable."""

PARAMETERS: tuple[InputParam, ...] = (
    InputParam("LANG", "string", f"Language of the query: {', '.join(LANGUAGES)}", use="required"),
    InputParam("QUERY", "string", "The query", use="required"),
    InputParam("RESPONSEFORMAT", "string", "Format of the rows, by name or media type; VOTable if absent"),
    InputParam("FORMAT", "string", "An older name of RESPONSEFORMAT"),
    InputParam("MAXREC", "integer", "Most rows to send; 0 for the metadata alone"),
    InputParam("UPLOAD", "string", "name,address of a table that comes with the query; the address is of http, https, or param:part"),
    InputParam("RUNID", "string", "A label of your own, at most 64 characters"),
    InputParam("REQUEST", "string", "doQuery, as TAP 1.0 had it"),
)
"""TAP 1.1 §2.7."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked (TAP 1.1 §2.7), every value checked."""

    query: str
    format: Format
    content_type: str
    maxrec: int | None
    """None: the default, unless the query limits itself by TOP."""
    run_id: str | None = None
    uploads: tuple[Upload, ...] = ()

    @classmethod
    def from_params(cls, params: Params, settings: Settings) -> "Request":
        """Read the parameters; raises UsageError that names the one that does not fit."""
        _one_of(params, "REQUEST", ("doQuery",), required=False)
        _one_of(params, "LANG", LANGUAGES, required=True)
        query = params.one("QUERY")
        if query is None or not query.strip():
            raise UsageError("The parameter QUERY is missing: it holds the ADQL text.", parameter="QUERY")
        uploads = parse_uploads(params.all("UPLOAD"))
        format_, content_type = _format(params)
        limit = maxrec(params, default=None, hard=settings.hard_maxrec)
        return cls(query, format_, content_type, limit, read_run_id(params), uploads)


def routes(services: Services, capabilities: vosi.CapabilityList) -> list[Route]:
    """``/tap/sync``, ``/tap/async`` and what VOSI puts beside them."""

    async def run(params: Params, request: HttpRequest) -> Response:
        asked = Request.from_params(params, services.settings)
        seconds = UPLOADS_S if asked.uploads else None
        answer = await in_thread(perform, services, asked, params.upload, limiter=services.traffic.threads_for(params), seconds=seconds)
        return await stream(request, answer, services.traffic, Kind.LONG)

    async def sync(request: HttpRequest) -> Response:
        params = await read_params(request)
        reply = await guard(partial(run, params), dialect(params))(request)
        reply.headers.add_vary_header("Accept")
        return reply

    return [
        Route(f"/{PATH}/sync", guard(sync, Dialect.DALI), methods=["GET", "POST"]),
        *uws.routes(services, f"/{PATH}/async", JOB_KIND, accept, pages="/jobs"),
        *vosi.routes(services, f"/{PATH}", capabilities),
        *vosi.table_routes(services, f"/{PATH}"),
        *examples.routes(services, f"/{PATH}"),
    ]


def dialect(params: Params) -> Dialect:
    """How errors are told: in the format that rows were asked for where it has words for them, else as a VOTable (TAP 1.1 §3.3)."""
    try:
        return DIALECTS.get(_format(params)[0].extension, Dialect.DALI)
    except UsageError:
        return Dialect.DALI


def accept(params: Params) -> None:
    """Refuse at once what no job can do; all else about parameters is told when the job runs (TAP 1.1 §2.2)."""
    for upload in parse_uploads(params.all("UPLOAD")):
        if upload.part is not None and params.upload(upload) is None:
            raise missing_part(upload)


def performer(services: Services) -> Perform:
    """What a worker does with a TAP job: the same as sync, with the job's own time limit."""

    def perform_job(job: Job) -> Answer:
        asked = replace(Request.from_params(Params(job.parameters), services.settings), run_id=job.run_id)

        def parts(upload: Upload) -> Iterator[bytes] | None:
            return services.results.read_upload(job.job_id, upload.name)

        return perform(services, asked, parts, services.job_pool.limited(job.duration_s))

    return perform_job


def perform(services: Services, asked: Request, parts: Parts, pool: LimitedPool | None = None) -> Answer:
    """The answer to `asked`, not yet started; `parts` are those of the form; `pool`: connections with other limits than those of sync."""

    def content(upload: Upload) -> Iterator[bytes] | None:
        return parts(upload) if upload.part is not None else own_result(services, upload.uri)

    uploaded = services.uploads.read(asked.uploads, content, adql.parse(_bounded(services, asked.query))) if asked.uploads else ()
    statement, limit = limited(services, asked, uploaded)
    label = (Info("RUNID", asked.run_id),) if asked.run_id else ()
    wanted, origin = replace(asked, maxrec=limit), Asked(STANDARD_ID, PATH, query=asked.query)
    return services.answer(statement, wanted, origin, infos=label, pool=pool)


def own_result(services: Services, uri: str) -> Iterator[bytes] | None:
    """The result of a job of ours: to use it in the next query needs no connection to ourselves. None for all other addresses.
    NotFoundError if there is no such job.
    """
    prefix, suffix = f"{services.settings.base_url}/{PATH}/async/", "/results/result"
    if not (uri.startswith(prefix) and uri.endswith(suffix)):
        return None
    job = services.jobs.get(uri.removeprefix(prefix).removesuffix(suffix))
    if job.result is None:
        raise NotFoundError(f"UPLOAD: the job {job.job_id} is {job.phase} and has no result.")
    return services.results.read(job.result.path)


def limited(services: Services, asked: Request, uploaded: Sequence[UploadedTable]) -> tuple[Statement, int]:
    """The statement and the most rows to send: MAXREC, else the query's own TOP, else the default; never above the hard limit."""
    settings = services.settings
    limit = settings.default_maxrec if asked.maxrec is None else asked.maxrec
    statement = translate(services, asked.query, uploaded, limit + 1)
    if asked.maxrec is None and statement.limit is not None and statement.limit > limit:
        limit = settings.hard_maxrec
        statement = translate(services, asked.query, uploaded, limit + 1)
    return with_uploads(statement, uploaded), limit


def translate(services: Services, query: str, uploaded: Sequence[UploadedTable], max_rows: int) -> Statement:
    """SQL for an ADQL text. A name that is not known is looked for once more in what was published this very moment."""
    query = _bounded(services, query)
    more = tuple(one.table for one in uploaded)
    try:
        return compile_adql(query, services.catalogue().with_tables(more), max_rows=max_rows)
    except QueryMeaningError:
        if not services.refresh():
            raise
        return compile_adql(query, services.catalogue().with_tables(more), max_rows=max_rows)


def _bounded(services: Services, query: str) -> str:
    """`query`, unless it is too long to be looked at."""
    most = services.settings.max_query_length
    if len(query) > most:
        raise UsageError(f"The query is {len(query)} characters long; at most {most} are taken.", parameter="QUERY")
    return query


def capability(settings: Settings, catalogue: Catalogue) -> ServiceCapabilities:
    """tr:TableAccess and the VOSI endpoints, as they are (TAPRegExt 1.0)."""
    url = f"{settings.base_url}/{PATH}"
    has_obscore = catalogue.table("ivoa.obscore") is not None
    access = TableAccess(
        standard_id=STANDARD_ID,
        interfaces=(Interface(url, version="1.1"),),
        description="ADQL queries over all published tables, and over tables that come with the query: up to "
        f"{settings.upload_rows} rows each, {settings.upload_bytes} bytes together; VOTable, FITS, Parquet, CSV or TSV. "
        f"A query has at most {settings.max_query_length} characters, and {settings.sync_seconds} seconds if it is synchronous; "
        "executionDuration is of jobs.",
        languages=(_language(settings),),
        output_formats=tuple(OutputFormat(format_.media_type, format_.aliases, format_.ivoid) for format_ in FORMATS),
        data_models=(("ObsCore-1.1", OBSCORE_ID),) if has_obscore else (),
        retention_s=Limits(settings.retention_hours * 3600, settings.hard_retention_hours * 3600, "s"),
        duration_s=Limits(settings.async_seconds, settings.hard_async_seconds, "s"),
        output_limit=Limits(settings.default_maxrec, settings.hard_maxrec, "row"),
        upload_methods=UPLOAD_METHODS,
        upload_limit=Limits(settings.upload_rows, settings.upload_rows, "row"),
    )
    tables = Capability(standard_id=TABLES_ID, interfaces=(Interface(f"{url}/tables", use="full"),), description="The published tables.")
    return ServiceCapabilities(PATH, (access, *vosi_capabilities(url), tables, examples.capability(url)))


def _language(settings: Settings) -> Language:
    versions = (("2.0", "ivo://ivoa.net/std/ADQL#v2.0"), ("2.1", "ivo://ivoa.net/std/ADQL#v2.1"))
    return Language("ADQL", versions, "ADQL 2.1; texts written for 2.0 are understood too.", adql.features(newer=settings.newer_features))


def _one_of(params: Params, name: str, allowed: Sequence[str], *, required: bool) -> None:
    value = params.one(name)
    if value is None and required:
        raise UsageError(f"The parameter {name} is missing; it is one of {', '.join(allowed)}.", parameter=name)
    if value is not None and value.upper() not in map(str.upper, allowed):
        raise UsageError(f"{name}={value!r} is not known here; it is one of {', '.join(allowed)}.", parameter=name)


def _format(params: Params) -> tuple[Format, str]:
    """The format of RESPONSEFORMAT, else the one that the Accept header likes best (DALI 1.1 §3.4.3), and its Content-Type."""
    asked = _response_format(params)
    return choose(asked) if asked else negotiate(params.accept)


def _response_format(params: Params) -> str | None:
    """RESPONSEFORMAT, or TAP's older FORMAT; two that disagree are refused."""
    values = {value for name in ("RESPONSEFORMAT", "FORMAT") if (value := params.one(name)) is not None}
    if len(values) > 1:
        raise UsageError("RESPONSEFORMAT and its older name FORMAT disagree; give one of them.", parameter="RESPONSEFORMAT")
    return values.pop() if values else None
