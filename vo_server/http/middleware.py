"""Pure ASGI middleware: what holds for every answer."""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vo_server.errors import TooLargeError

EXPOSED = (
    "Location, Content-Disposition, Content-Length, Content-Range, Accept-Ranges, ETag, Last-Modified, Retry-After, X-Request-ID, "
    "X-VO-Query-Status"
)


PREFLIGHT = "access-control-request-method"
"""Header by which a browser asks before it sends what a form could not have sent."""


def allowed(routes: Iterable[BaseRoute], scope: Scope) -> str:
    """The methods that the address of `scope` takes, by all routes that lead to it (RFC 9110 §10.2.1); empty if there is nothing there."""
    leading = (route for route in routes if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE)
    methods = {method for route in leading for method in route.methods or ()}
    return ", ".join(sorted(methods | {"OPTIONS"})) if methods else ""


class AnyOrigin:
    """CORS for anonymous data: every answer, errors too, may be read by any page; OPTIONS is answered here (CHECKLIST GEN-028)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers on the way out."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            methods = allowed(scope["app"].routes, scope)
            if methods or PREFLIGHT in Headers(scope=scope):
                await self._options(scope, methods or "GET, HEAD, OPTIONS", send)
                return

        async def send_open(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*"
                headers["Access-Control-Expose-Headers"] = EXPOSED
            await send(message)

        await self.app(scope, receive, send_open)

    @staticmethod
    async def _options(scope: Scope, methods: str, send: Send) -> None:
        wanted = Headers(scope=scope).get("access-control-request-headers", "*")
        headers = [
            (b"access-control-allow-origin", b"*"),
            (b"access-control-allow-methods", methods.encode()),
            (b"access-control-allow-headers", wanted.encode("latin-1")),
            (b"access-control-max-age", b"86400"),
            (b"allow", methods.encode()),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class OneSpelling:
    """``/tap/sync/`` and ``//tap/sync`` are ``/tap/sync``: answered in place, since a redirect would lose a POST's body (PITFALLS P-03).

    astroquery's TapPlus puts two slashes before what it is told of a service that lies at the root of its host.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take slashes off the path's ends."""
        if scope["type"] == "http" and (scope["path"].startswith("//") or scope["path"].endswith("/")):
            scope = {**scope, "path": "/" + scope["path"].strip("/")}
        await self.app(scope, receive, send)


LINGERING = 4
"""So many times the limit are read and dropped, for clients that read nothing before they have sent all."""


class BoundedBody:
    """No body of a request is longer than `most` bytes: TooLargeError where the endpoint reads it (CHECKLIST TAP-024)."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what comes in."""
        seen = 0

        async def receive_bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.most:
                while message.get("more_body", False) and seen <= LINGERING * self.most:
                    message = await receive()
                    seen += len(message.get("body", b""))
                raise TooLargeError(
                    f"The request has more than {self.most} bytes, the limit.", hint="Send only the rows and columns that are needed."
                )
            return message

        await self.app(scope, receive_bounded if scope["type"] == "http" and scope["method"] == "POST" else receive, send)
