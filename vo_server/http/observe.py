"""What a request was and how it went: an id for it, a line in the log, numbers for Prometheus.

Who asks follows the IVOA's note on software identification (SoftID 1.0 §2): requests that only test, validate or copy a
service say so in the comment of their User-Agent, ``(IVOA-validate …)``, and are told apart from users' own.
"""

import logging
import re
import secrets
import time
from collections.abc import Sequence

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vo_server import logs
from vo_server.http.identity import Network, caller

log = logging.getLogger("vo_server.requests")

PURPOSE = re.compile(r"\(\s*IVOA-(test|validate|monitor|copy|transfer)\b", re.IGNORECASE)
PURPOSES = {"test": "test", "validate": "test", "monitor": "test", "copy": "copy", "transfer": "copy"}
USE = "use"
"""Purpose of a request that does not name another."""

REQUEST_ID = "X-Request-ID"
ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")

BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

REQUESTS = Counter("vo_requests", "Requests answered.", ("protocol", "status", "purpose"))
FIRST_BYTE = Histogram("vo_first_byte_seconds", "From the request to the head of its answer.", ("protocol",), buckets=BUCKETS)
DURATION = Histogram("vo_request_seconds", "From the request to the end of its answer.", ("protocol",), buckets=BUCKETS)
BYTES = Counter("vo_response_bytes", "Bytes of the bodies of answers.", ("protocol",))
ROW_COUNT = Counter("vo_rows", "Rows in answers to queries.", ("protocol",))


ROWS = "vo_server.rows"
"""Key of an ASGI scope under which whoever answers with rows says how many they were."""


RUN_ID = "vo_server.run_id"
"""The same for RUNID, by which a client marks what belongs to one task of its own (DALI 1.1 §3.4.6)."""


class Observed:
    """Counts and times every answer. A request's id is its proxy's, or a new one; the answer carries it, and so does what is logged."""

    def __init__(self, app: ASGIApp, *, log_requests: bool, trusted_proxies: Sequence[Network]) -> None:
        self.app = app
        self.trusted_proxies = trusted_proxies
        self.log_requests = log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, and note how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID, "")
        watched = Watched(send, given if ID.match(given) else secrets.token_hex(8))
        with logs.about(logs.REQUEST, watched.request_id):
            try:
                await self.app(scope, receive, watched)
            finally:
                self._note(scope, headers, watched)

    def _note(self, scope: Scope, headers: Headers, watched: "Watched") -> None:
        protocol, seconds = protocol_of(scope), time.perf_counter() - watched.began
        purpose = purpose_of(headers.get("user-agent", ""))
        rows = scope.get(ROWS)
        REQUESTS.labels(protocol, str(watched.status), purpose).inc()
        DURATION.labels(protocol).observe(seconds)
        BYTES.labels(protocol).inc(watched.size)
        if watched.headed is not None:
            FIRST_BYTE.labels(protocol).observe(watched.headed - watched.began)
        if rows is not None:
            ROW_COUNT.labels(protocol).inc(rows)
        if self.log_requests:
            log.info(
                "%s %s",
                scope["method"],
                scope["path"],
                extra={
                    "protocol": protocol,
                    "status": watched.status,
                    "seconds": round(seconds, 4),
                    "bytes": watched.size,
                    "rows": rows,
                    "whole": watched.whole,
                    "client": caller(Request(scope), self.trusted_proxies),
                    "purpose": purpose,
                    "agent": headers.get("user-agent"),
                    "runid": scope.get(RUN_ID),
                },
            )


class Watched:
    """A ``send`` that remembers what passed. ``whole``: the body came to its end, rather than breaking off."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send = send
        self.request_id = request_id
        self.began = time.perf_counter()
        self.headed: float | None = None
        self.status = 499
        self.size = 0
        self.whole = False

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.headed, self.status = time.perf_counter(), message["status"]
            MutableHeaders(scope=message)[REQUEST_ID] = self.request_id
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
            self.whole = not message.get("more_body", False)
        await self.send(message)


def protocol_of(scope: Scope) -> str:
    """The first words of the matched route, at most two (``tap/sync``); ``none`` without one, so that no client makes up labels."""
    route = scope.get("route")
    if route is None:
        return "none"
    words = []
    for word in route.path.strip("/").split("/")[:2]:
        if "{" in word:
            break
        words.append(word)
    return "/".join(words) or "pages"


def purpose_of(agent: str) -> str:
    """Whether somebody uses the service, tests it or copies it, by the comment in the User-Agent."""
    found = PURPOSE.search(agent)
    return PURPOSES[found[1].lower()] if found else USE
