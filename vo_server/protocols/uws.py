"""UWS 1.1: jobs over HTTP, the same for every protocol that has asynchronous ones."""

import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from vo_server.dali.uploads import parse_uploads
from vo_server.documents import uws
from vo_server.errors import NotFoundError, UsageError
from vo_server.formats import votable
from vo_server.http import cookie
from vo_server.http.compress import codings
from vo_server.http.errors import VOTABLE, Dialect, guard
from vo_server.http.params import Params, read_params, read_run_id
from vo_server.http.ranges import asked_span, has_tag
from vo_server.http.reply import STATUS
from vo_server.http.threads import UPLOADS_S, in_thread
from vo_server.jobs.store import Selection
from vo_server.model.capability import InputParam
from vo_server.model.job import ACTIVE, Job, Phase
from vo_server.services import Services

XML = "text/xml"

DESTINATION = "Sec-Fetch-Dest"
VARY = {"Vary": DESTINATION}
"""What only browsers say (W3C Fetch Metadata §2.1), and no program for them. Accept tells nothing: Java's HTTP client, on which TOPCAT
and Aladin stand, prefers text/html unless told otherwise.
"""

LONGEST_WAIT_S = 30
"""WAIT is cut to this: proxies give up on answers that take much longer (PITFALLS P-14)."""

ELSEWHERE = frozenset({"PHASE", "ACTION"})
ELSEWHERE_HINT = "Post PHASE to …/phase, parameters to …/parameters, and ACTION=DELETE to the job."
CONTROLS = ELSEWHERE | {"RUNID", "EXECUTIONDURATION", "DESTRUCTION"}
"""What a POST says about the job rather than to its work (UWS 1.1 §2.2.3)."""

UPLOAD = "UPLOAD"
UPLOADS_JOINED = ";"


TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,99})?)?)?Z?\Z")

Accept = Callable[[Params], None]
PARAMETERS: dict[tuple[str, str], tuple[InputParam, ...]] = {
    ("GET", ""): (
        InputParam("PHASE", "string", "Only jobs in this phase; may be repeated"),
        InputParam("AFTER", "string", "Only jobs made after this instant (ISO, UTC)"),
        InputParam("LAST", "integer", "Only so many, the newest"),
    ),
    ("POST", ""): (
        InputParam("PHASE", "string", "RUN starts the job at once"),
        InputParam("EXECUTIONDURATION", "integer", "Seconds the job may take; a default if absent"),
        InputParam("DESTRUCTION", "string", "Instant of its end (ISO, UTC); a default if absent"),
    ),
    ("GET", "/{job_id}"): (
        InputParam("WAIT", "integer", "Answer when the phase has changed, or after so many seconds; -1: as long as is allowed"),
        InputParam("PHASE", "string", "Wait only while the job is in this phase"),
    ),
    ("POST", "/{job_id}"): (InputParam("ACTION", "string", "DELETE destroys the job", use="required"),),
    ("POST", "/{job_id}/phase"): (InputParam("PHASE", "string", "RUN or ABORT", use="required"),),
    ("POST", "/{job_id}/executionduration"): (InputParam("EXECUTIONDURATION", "integer", "Seconds the job may take", use="required"),),
    ("POST", "/{job_id}/destruction"): (InputParam("DESTRUCTION", "string", "Instant of its end (ISO, UTC)", use="required"),),
}
"""Method and address below the list of jobs → what can be said there (UWS 1.1 §2.2); a job's own parameters are its protocol's."""

T = TypeVar("T")
Setter = Callable[[str, Params], None]
Handler = Callable[[HttpRequest], Awaitable[Response]]


def routes(
    services: Services, path: str, kind: str, accept: Accept, *, repeatable: frozenset[str] = frozenset(), pages: str | None = None
) -> list[Route]:
    """The job list at `path` and everything below it. `accept` refuses parameters that no job can do anything with; those that are
    `repeatable` keep all their values. `pages`: where people see the same jobs.
    """
    tree = JobTree(services, path, kind, accept, repeatable, pages)
    methods: dict[str, dict[str, Handler]] = {
        "": {"GET": tree.show_jobs, "POST": tree.create},
        "/{job_id}": {"GET": tree.show_job, "POST": tree.post_job, "DELETE": tree.delete},
        "/{job_id}/phase": {"GET": tree.text(lambda job: job.phase), "POST": tree.change(tree.set_phase)},
        "/{job_id}/executionduration": {"GET": tree.text(lambda job: str(job.duration_s)), "POST": tree.change(tree.set_duration)},
        "/{job_id}/destruction": {"GET": tree.text(lambda job: uws.written(job.destruction)), "POST": tree.change(tree.set_destruction)},
        "/{job_id}/quote": {"GET": tree.text(lambda _: "")},
        "/{job_id}/owner": {"GET": tree.text(lambda job: job.owner or "")},
        "/{job_id}/parameters": {"GET": tree.document(uws.parameters), "POST": tree.change(tree.set_parameters)},
        "/{job_id}/results": {"GET": tree.document(uws.results)},
        "/{job_id}/results/result": {"GET": tree.send_result},
        "/{job_id}/error": {"GET": tree.show_error},
        "/{job_id}/uploads/{name}": {"GET": tree.send_upload},
    }
    return [
        Route(f"{path}{below}", guard(handler, Dialect.TEXT), methods=[method])
        for below, handlers in methods.items()
        for method, handler in handlers.items()
    ]


class JobTree:
    """The resources of one job list (UWS 1.1 §2.2)."""

    def __init__(self, services: Services, path: str, kind: str, accept: Accept, repeatable: frozenset[str], pages: str | None) -> None:
        self.services = services
        self.jobs = services.jobs
        self.url = f"{services.settings.base_url}{path}"
        self.kind = kind
        self.accept = accept
        self.repeatable = repeatable
        self.pages = pages

    async def show_jobs(self, request: HttpRequest) -> Response:
        """The caller's jobs, filtered by PHASE, AFTER and LAST (UWS 1.1 §2.2.2.1)."""
        if page := self._page(request):
            return page
        asked = selection(await read_params(request), cookie.remembered(request, self.services.secret))
        found = await in_thread(self.jobs.find, asked)
        return Response(uws.jobs([job for job in found if job.kind == self.kind], self.url), headers=VARY, media_type=XML)

    async def create(self, request: HttpRequest) -> Response:
        """A new job, started at once if PHASE=RUN says so (UWS 1.1 §2.2.3.1, TAP 1.1 §2.2)."""
        params = await read_params(request)
        self.accept(params)
        starts = params.one("PHASE")
        if starts not in (None, "RUN"):
            raise UsageError(f"PHASE={starts!r} does not fit a new job; RUN starts it.", parameter="PHASE")
        pairs, run_id = job_parameters(params, repeatable=self.repeatable), read_run_id(params)
        duration, destruction = asked_duration(params), asked_destruction(params)
        client, size = self.services.client(request), uploaded_bytes(params)

        def make() -> Job:
            job = self.jobs.create(
                self.kind, pairs, run_id, client=client, uploaded_bytes=size, duration_s=duration, destruction=destruction
            )
            try:
                self._keep_uploads(job.job_id, params)
                if starts:
                    self.jobs.start(job.job_id)
            except BaseException:
                self._destroy(job.job_id)
                raise
            return job

        job = await in_thread(make, seconds=UPLOADS_S if params.all(UPLOAD) else None)
        response = self._see(job.job_id)
        cookie.remember(request, response, job.job_id, self.services.secret, self.services.settings.base_url)
        return response

    async def show_job(self, request: HttpRequest) -> Response:
        """The job's document, if WAIT says so when its phase has changed (UWS 1.1 §2.2.1.1)."""
        job = await self._job(request)
        if page := self._page(request, job.job_id):
            return page
        params = await read_params(request)
        if params.one("WAIT") is not None:
            job = await self._wait(job, wait_seconds(params), one_phase(params))
        return Response(uws.job(job, self._url(job.job_id)), headers=VARY, media_type=XML)

    async def post_job(self, request: HttpRequest) -> Response:
        """ACTION=DELETE, for clients that cannot DELETE (UWS 1.1 §2.2.3.2)."""
        if (await read_params(request)).one("ACTION") != "DELETE":
            raise UsageError("A job's own address takes ACTION=DELETE only.", hint=ELSEWHERE_HINT)
        return await self.delete(request)

    async def delete(self, request: HttpRequest) -> Response:
        """Destroy the job: its query is cancelled, its files are gone."""
        job = await self._job(request)
        await in_thread(self._destroy, job.job_id)
        return RedirectResponse(self.url, status_code=303)

    async def send_result(self, request: HttpRequest) -> Response:
        """The result's file, or the range of it that is asked for; nothing if the client has it already."""
        job = await self._job(request)
        if job.result is None:
            why = f": {job.error.message}" if job.error else "."  # astroquery asks for nothing else of a job that failed
            raise NotFoundError(f"The job is {job.phase} and has no result{why}")
        size, etag = job.result.size, f'"{job.job_id}-{job.attempts}"'
        # what is compressed on its way is not advertised in ranges, though it can be had so
        headers = {"ETag": etag} if codings(job.result.content_type) else {"ETag": etag, "Accept-Ranges": "bytes"}
        if has_tag(request.headers, etag):
            return Response(status_code=304, headers=headers)
        span = asked_span(request.headers, size, etag) if request.method == "GET" else None
        if span is not None and not span:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        headers |= {
            "Content-Type": job.result.content_type,  # as asked for: Starlette would add a charset
            "Content-Length": str(size if span is None else len(span)),
            "Content-Disposition": f'inline; filename="{job.result.filename}"',
            **({STATUS: job.result.status} if job.result.status else {}),
        }
        if request.method == "HEAD":
            return Response(headers=headers)
        content = await in_thread(self.services.results.read, job.result.path, span)
        if span is None:
            return StreamingResponse(content, headers=headers)
        return StreamingResponse(content, 206, {**headers, "Content-Range": f"bytes {span.start}-{span.stop - 1}/{size}"})

    async def send_upload(self, request: HttpRequest) -> Response:
        """A table that came with the job, as it came: what the job's parameters refer to (UWS 1.1 §2.1.11)."""
        job = await self._job(request)
        name = request.path_params["name"]
        content = await in_thread(self.services.results.read_upload, job.job_id, name)
        if content is None:
            raise NotFoundError(f"No table {name} came with the job.")
        headers = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(content, headers=headers)

    async def show_error(self, request: HttpRequest) -> Response:
        """Why the job failed, as its result would have said it: status 200, since this is the document (TAP 1.1 §2.2)."""
        job = await self._job(request)
        if job.error is None:
            raise NotFoundError(f"The job is {job.phase} and has no error.")
        return Response(votable.error_document(job.error.message), media_type=VOTABLE)

    def text(self, tell: Callable[[Job], str]) -> Handler:
        """A resource that is a word (UWS 1.1 §2.2.2.4)."""

        async def show(request: HttpRequest) -> Response:
            return PlainTextResponse(tell(await self._job(request)))

        return show

    def document(self, render: Callable[[Job, str], bytes]) -> Handler:
        """A resource that is a part of the job's document."""

        async def show(request: HttpRequest) -> Response:
            job = await self._job(request)
            return Response(render(job, self._url(job.job_id)), media_type=XML)

        return show

    def change(self, apply: Setter) -> Handler:
        """A POST that changes the job and leads back to it."""

        async def post(request: HttpRequest) -> Response:
            job = await self._job(request)
            params = await read_params(request)
            await in_thread(apply, job.job_id, params)
            return self._see(job.job_id)

        return post

    def set_phase(self, job_id: str, params: Params) -> None:
        """PHASE=RUN or PHASE=ABORT; ForbiddenError if the job is beyond that (UWS 1.1 §2.2.3.4)."""
        actions = {"RUN": self.jobs.start, "ABORT": self.jobs.abort}
        action = actions.get(_required("PHASE", params.one("PHASE")))
        if action is None:
            raise UsageError(f"PHASE={params.one('PHASE')!r} is neither RUN nor ABORT.", parameter="PHASE")
        action(job_id)

    def set_duration(self, job_id: str, params: Params) -> None:
        """EXECUTIONDURATION in seconds, however many, lowered to the hard limit."""
        self.jobs.limit(job_id, _required("EXECUTIONDURATION", asked_duration(params)))

    def set_destruction(self, job_id: str, params: Params) -> None:
        """DESTRUCTION as a time, lowered to the hard limit."""
        self.jobs.keep_until(job_id, _required("DESTRUCTION", asked_destruction(params)))

    def set_parameters(self, job_id: str, params: Params) -> None:
        """Add parameters, and what can be said of a new job besides; one of the same name, in whatever case, is replaced."""
        self.accept(params)
        for name in sorted(ELSEWHERE & params.names()):
            raise UsageError(f"{name} is no parameter of a job.", hint=ELSEWHERE_HINT, parameter=name)
        terms = self.jobs.terms
        duration, destruction = asked_duration(params), asked_destruction(params)
        said = {
            "run_id": read_run_id(params),
            "duration_s": None if duration is None else terms.duration(duration),
            "destruction": None if destruction is None else terms.destruction(destruction, self.jobs.clock()),
        }
        with self.jobs.keeping(job_id, uploaded_bytes(params), params.pairs), self.jobs.changing(job_id) as values:
            known = {name.upper(): (name, value) for name, value in values["parameters"]}
            given = job_parameters(params, known.get(UPLOAD, (UPLOAD, None))[1], repeatable=self.repeatable)
            replaced = {name.upper() for name, _ in given}
            kept = [pair for name, pair in known.items() if name not in replaced]
            values |= {"parameters": [*kept, *given], **{name: value for name, value in said.items() if value is not None}}
            self._keep_uploads(job_id, params)

    def _keep_uploads(self, job_id: str, params: Params) -> None:
        """Put the tables that came in the form where whichever worker runs the job finds them."""
        for upload in parse_uploads(params.all(UPLOAD)):
            content = params.upload(upload)
            if content is not None:
                self.services.results.write_upload(job_id, upload.name, content)

    def _destroy(self, job_id: str) -> None:
        self.jobs.remove(job_id)
        self.services.results.remove(job_id)

    async def _wait(self, job: Job, seconds: float, phase: Phase | None) -> Job:
        """The job when it has left its phase, or after `seconds`; at once if it is not in `phase`, or nothing can follow."""
        first = job.phase
        if first not in ACTIVE or phase not in (None, first):
            return job
        deadline = time.monotonic() + seconds
        with self.services.changes.of(job.job_id) as bell:
            while await in_thread(self.jobs.phase, job.job_id) is first and (left := deadline - time.monotonic()) > 0:
                await bell.wait(left)
        return await in_thread(self.jobs.get, job.job_id)

    def _page(self, request: HttpRequest, job_id: str = "") -> Response | None:
        """The way to the page for people, for a browser that shows in its window what it asks for; programs get XML."""
        if self.pages is None or request.headers.get(DESTINATION) != "document" or request.query_params:
            return None
        address = f"{self.services.settings.base_url}{self.pages}/{job_id}".rstrip("/")
        return RedirectResponse(address, status_code=303, headers=VARY)

    async def _job(self, request: HttpRequest) -> Job:
        job = await in_thread(self.jobs.get, request.path_params["job_id"])
        if job.kind != self.kind:
            raise NotFoundError("There is no such job here.")
        return job

    def _url(self, job_id: str) -> str:
        return f"{self.url}/{job_id}"

    def _see(self, job_id: str) -> Response:
        return RedirectResponse(self._url(job_id), status_code=303)


def selection(params: Params, ids: tuple[str, ...]) -> Selection:
    """Which of the jobs `ids` are asked for; UsageError for values that do not fit (UWS 1.1 §2.2.2.1)."""
    after, last = params.one("AFTER"), params.one("LAST")
    if last is not None and not (re.fullmatch(r"\d{1,9}", last, re.ASCII) and int(last) > 0):
        raise UsageError(f"LAST={last!r} is not a positive number.", parameter="LAST")
    return Selection(
        ids,
        frozenset(_phase(text) for text in params.all("PHASE")),
        None if after is None else read_time("AFTER", after),
        None if last is None else int(last),
    )


def wait_seconds(params: Params) -> float:
    """WAIT, with -1 for as long as possible."""
    text = params.one("WAIT") or ""
    if not re.fullmatch(r"-1|\d{1,9}", text, re.ASCII):
        raise UsageError(f"WAIT={text!r} is neither a number of seconds nor -1.", parameter="WAIT")
    seconds = int(text)
    return LONGEST_WAIT_S if seconds < 0 else min(seconds, LONGEST_WAIT_S)


def one_phase(params: Params) -> Phase | None:
    """PHASE beside WAIT: the phase to wait in."""
    text = params.one("PHASE")
    return None if text is None else _phase(text)


def job_parameters(params: Params, uploads_before: str | None = None, *, repeatable: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """What is said to the job's work; names are unique without regard to case (UWS 1.1 §2.2.3.5), different values of one are refused,
    unless it is `repeatable`: then they are one value, separated by blanks.

    UPLOADs accumulate (TAP 1.1 §2.7.6): theirs are one value, behind `uploads_before`. Parts with tables are no parameters.
    """
    uploads = params.all(UPLOAD)
    parts = {upload.part for upload in parse_uploads(uploads)}
    names = {name.upper(): name for name, _ in params.pairs if name.upper() not in CONTROLS and name not in parts}
    spelled = names.pop(UPLOAD, UPLOAD)
    pairs = [(name, " ".join(params.all(name)) if key in repeatable else params.one(name) or "") for key, name in names.items()]
    if uploads:
        together = UPLOADS_JOINED.join([uploads_before, *uploads] if uploads_before else uploads)
        parse_uploads([together])  # two of one name are refused
        pairs.append((spelled, together))
    return pairs


def uploaded_bytes(params: Params) -> int:
    """How large the tables are that came in the form."""
    return sum(params.upload_bytes(upload) for upload in parse_uploads(params.all(UPLOAD)) if upload.part is not None)


def read_time(name: str, text: str) -> datetime:
    """A time in ISO 8601; without a Z it is UTC all the same (DALI 1.1 §3.1.2)."""
    try:
        if TIME.match(text.strip()):
            return datetime.fromisoformat(text.strip().removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise UsageError(f"{name}={text!r} is not a time such as 2030-01-31T12:00:00Z.", parameter=name)


def asked_duration(params: Params) -> int | None:
    """EXECUTIONDURATION in seconds, however many; UsageError unless it is a number of them."""
    text = params.one("EXECUTIONDURATION")
    if text is not None and not re.fullmatch(r"\s*\d{1,99}\s*", text, re.ASCII):
        raise UsageError(f"EXECUTIONDURATION={text!r} is not a number of seconds.", parameter="EXECUTIONDURATION")
    return None if text is None else int(text)


def asked_destruction(params: Params) -> datetime | None:
    """DESTRUCTION as a time; UsageError unless it is one."""
    text = params.one("DESTRUCTION")
    return None if text is None else read_time("DESTRUCTION", text)


def _required(name: str, value: T | None) -> T:
    if value is None:
        raise UsageError(f"The parameter {name} is missing.", parameter=name)
    return value


def _phase(text: str) -> Phase:
    try:
        return Phase(text)
    except ValueError:
        raise UsageError(f"PHASE={text!r} is not a phase; there are {', '.join(Phase)}.", parameter="PHASE") from None
