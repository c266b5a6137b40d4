"""What machines ask of a site with pages: its health, what robots may read, its style sheet."""

from collections.abc import Awaitable, Callable
from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from vo_server.http.errors import Dialect, guard
from vo_server.http.ranges import has_tag
from vo_server.services import Services
from vo_server.web.addresses import prefix

SCRIPT = "text/javascript; charset=utf-8"
SCRIPTS = ("page.js", "query.js", "adql.js", "results.js", "drawing.js", "samp.js", "table.js", "jobs.js", "mend.js", "sky.js")
STATIC = {
    "style.css": "text/css; charset=utf-8",
    "sky.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(SCRIPTS, SCRIPT),
}

DISALLOWED = ("/tap/sync", "/tap/async", "/scs", "/sia", "/files", "/oai")
"""Addresses that cost the database something, or hold data rather than text: nothing for web crawlers."""


def routes(services: Services) -> list[Route]:
    """``/health``, ``/robots.txt`` and the files of ``static``."""
    return [
        Route("/health", guard(_health(services), Dialect.TEXT), methods=["GET"]),
        Route("/robots.txt", guard(_robots(services), Dialect.TEXT), methods=["GET"]),
        *(_static(name, media_type) for name, media_type in STATIC.items()),
    ]


def read_static(name: str) -> bytes:
    """A file of ``static``."""
    return (files("vo_server.web") / "static" / name).read_bytes()


@cache
def digest(name: str) -> str:
    """A short text that changes when the file does: addresses that carry it may be cached for long."""
    return sha256(read_static(name)).hexdigest()[:12]


def _health(services: Services) -> Callable[[Request], Awaitable[Response]]:
    async def health(_: Request) -> Response:
        answered = await services.is_up()
        state = {"status": "ok"} if answered else {"status": "unavailable", "reason": "the database does not answer"}
        return JSONResponse(state, 200 if answered else 503, {"Cache-Control": "no-store"})

    return health


def _robots(services: Services) -> Callable[[Request], Awaitable[Response]]:
    start = prefix(services.settings.base_url)
    text = "\n".join(["User-agent: *", *(f"Disallow: {start}{path}" for path in DISALLOWED), ""])

    async def robots(_: Request) -> Response:
        return PlainTextResponse(text)

    return robots


def _static(name: str, media_type: str) -> Route:
    body, tag = read_static(name), f'"{digest(name)}"'
    shared = {"X-Content-Type-Options": "nosniff", "ETag": tag}

    async def static(request: Request) -> Response:
        # scripts name one another without a digest: what could be old is asked for again
        lifetime = "public, max-age=86400" if request.url.query == digest(name) else "no-cache"
        headers = {**shared, "Cache-Control": lifetime}
        if has_tag(request.headers, tag):
            return Response(status_code=304, headers=headers)
        return Response(body, 200, headers, media_type)

    return Route(f"/static/{name}", static, methods=["GET"])
