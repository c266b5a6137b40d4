"""What an address says that nothing is routed to: a page to people, plain text to programs."""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from vo_server.errors import NotFoundError
from vo_server.http.errors import Dialect, render
from vo_server.http.middleware import allowed
from vo_server.services import Services
from vo_server.web.kit import Kit
from vo_server.web.security import HEADERS

BROWSER_TYPE = "application/xhtml+xml"
"""Every browser names it in Accept when it opens a page. Java's HTTP client, and so TOPCAT, names text/html but never this one."""


def http_errors(services: Services) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Starlette's handler for HTTPException: unknown paths (404) and methods that an address does not take (405)."""
    kit = Kit(services)

    async def tell(request: Request, error: Exception) -> Response:
        status, detail, headers = _parts(error)
        if status == 405:
            methods = allowed(request.app.routes, request.scope)
            said = f"{request.url.path} does not take {request.method}. Use one of: {methods}."
            return PlainTextResponse(f"{said}\n", status, {"Allow": methods})
        if status != 404:
            return PlainTextResponse(f"{detail}: {request.method} {request.url.path}\n", status, headers)
        missing = NotFoundError(f"There is nothing at {request.url.path}.", hint="The start page lists what is here.")
        if BROWSER_TYPE not in request.headers.get("accept", ""):
            return render(missing, Dialect.TEXT)
        reply = kit.tell(missing)
        reply.headers.update(HEADERS | {"Vary": "Accept"})
        return reply

    return tell


def _parts(error: Exception) -> tuple[int, str, dict[str, str]]:
    if isinstance(error, HTTPException):
        return error.status_code, error.detail, dict(error.headers or {})
    raise error
