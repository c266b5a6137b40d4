"""``/jobs``: the queries of this browser that run on their own; what UWS is to programs."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from vo_server.errors import ForbiddenError, NotFoundError, UsageError
from vo_server.http import cookie
from vo_server.http.params import read_params
from vo_server.http.threads import in_thread
from vo_server.jobs.store import Selection
from vo_server.model.job import ACTIVE, QUERY_KIND, Job
from vo_server.services import Snapshot
from vo_server.web.kit import Kit

LANGUAGE = ("LANG", "ADQL")


def routes(kit: Kit) -> list[Route]:
    """The list, and a job."""
    jobs = Jobs(kit)
    return [
        Route("/jobs", kit.endpoint(jobs.show_all), methods=["GET"]),
        Route("/jobs", kit.endpoint(jobs.create), methods=["POST"]),
        Route("/jobs/{job_id}", kit.endpoint(jobs.show), methods=["GET"]),
        Route("/jobs/{job_id}", kit.endpoint(jobs.act), methods=["POST"]),
    ]


class Jobs:
    """The endpoints of ``/jobs``."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.services = kit.services

    async def show_all(self, request: Request, snapshot: Snapshot) -> str:
        """The jobs that this browser made, newest first."""
        ids = cookie.remembered(request, self.services.secret)
        found = await in_thread(partial(self.services.jobs.find, ahead=True), Selection(ids)) if ids else []
        return self._page(snapshot, [job for job in found if job.kind == QUERY_KIND], single=False)

    async def create(self, request: Request, _: Snapshot) -> Response:
        """A new job with the parameters QUERY and RESPONSEFORMAT, begun at once."""
        params = await read_params(request)
        query, form = params.one("QUERY"), params.one("RESPONSEFORMAT") or "votable"
        if not query or not query.strip():
            raise UsageError("There is no query to run.", hint="Go back and write one.")

        client = self.services.client(request)

        def make() -> Job:
            job = self.services.jobs.create(QUERY_KIND, [LANGUAGE, ("QUERY", query), ("RESPONSEFORMAT", form)], client=client)
            self.services.jobs.start(job.job_id)
            return job

        job = await in_thread(make)
        reply = self._see(job.job_id)
        cookie.remember(request, reply, job.job_id, self.services.secret, self.services.settings.base_url)
        return reply

    async def show(self, request: Request, snapshot: Snapshot) -> str:
        """One job."""
        return self._page(snapshot, [await self._job(request)], single=True)

    async def act(self, request: Request, _: Snapshot) -> Response:
        """ACTION=ABORT ends the job, ACTION=DELETE destroys it and its result."""
        job, action = await self._job(request), (await read_params(request)).one("ACTION")
        if action == "ABORT":
            with suppress(ForbiddenError):  # it ended meanwhile: its page says how
                await in_thread(self.services.jobs.abort, job.job_id)
            return self._see(job.job_id)
        if action == "DELETE":
            await in_thread(self.services.jobs.remove, job.job_id)
            await in_thread(self.services.results.remove, job.job_id)
            return self._see("")
        raise UsageError(f"ACTION={action} is neither ABORT nor DELETE.", parameter="ACTION")

    async def _job(self, request: Request) -> Job:
        job_id = request.path_params["job_id"]
        if not cookie.ID.match(job_id):
            raise NotFoundError(f"There is no job {job_id}.", hint="Jobs have ids of 32 hexadecimal digits.")
        job = await in_thread(self.services.jobs.get, job_id)
        if job.kind != QUERY_KIND:
            raise NotFoundError("There is no such job here.")
        return job

    def _page(self, snapshot: Snapshot, jobs: Sequence[Job], *, single: bool) -> str:
        return self.kit.render(
            "jobs.html",
            snapshot,
            jobs=[(job, dict(job.parameters).get("QUERY", "")) for job in jobs],
            single=single,
            active=any(job.phase in ACTIVE for job in jobs),
            now=self.services.clock(),
            hours=self.services.settings.retention_hours,
        )

    def _see(self, job_id: str) -> Response:
        address = self.kit.environment.globals["here"]
        return RedirectResponse(f"{address}/jobs/{job_id}".rstrip("/"), status_code=303)
