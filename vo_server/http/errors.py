"""Errors as each audience reads them: one table of statuses, one of dialects, and the wrapper that applies both to an endpoint."""

import json
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from html import escape

from starlette.requests import Request
from starlette.responses import Response

from vo_server.db.database import is_away
from vo_server.errors import (
    ForbiddenError,
    InternalError,
    ManyValuesError,
    NotFoundError,
    SetupError,
    TimeLimitError,
    TooLargeError,
    TooManyError,
    UnavailableError,
    UsageError,
    VoError,
    report_incident,
)
from vo_server.formats import votable
from vo_server.scratch import is_full

log = logging.getLogger("vo_server")

Endpoint = Callable[[Request], Awaitable[Response]]


class Dialect(Enum):
    """Who reads the error."""

    DALI = "a VOTable with QUERY_STATUS (DALI 1.1 §4.4)"
    FAULT = "the same, its text behind a fault label (SIA 2.0 §3.3, DataLink 1.1 §3.4)"
    FAULT_TEXT = "the same as text/plain, for those who asked for CSV (SIA 2.0 §3.3)"
    SIMPLE = "a VOTable with QUERY_STATUS and status 200 (SIAP 1.0 §7, SSA 1.1 §8.10)"
    SCS = "a VOTable with INFO Error and status 200 (Simple Cone Search 1.03 §2.3)"
    SODA = "text/plain behind an error label (SODA 1.0 §4.2)"
    TEXT = "text/plain"
    JSON = "an object whose key error holds the text, for those who asked for JSON (TAP 1.1 §3.3)"
    HTML = "a page"


STATUSES: tuple[tuple[type[VoError], int, str, str], ...] = (
    (ManyValuesError, 400, "UsageFault", "MultiValuedParamNotSupported"),
    (UsageError, 400, "UsageFault", "UsageError"),
    (NotFoundError, 404, "NotFoundFault", "UsageError"),
    (ForbiddenError, 403, "UsageFault", "AuthorizationError"),
    (TooLargeError, 413, "UsageFault", "UsageError"),
    (TimeLimitError, 408, "TransientFault", "ServiceUnavailable"),
    (TooManyError, 429, "TransientFault", "ServiceUnavailable"),
    (UnavailableError, 503, "TransientFault", "ServiceUnavailable"),
    (SetupError, 503, "FatalFault", "Error"),
    (InternalError, 500, "FatalFault", "Error"),
)
"""Kind of error → HTTP status, fault label, SODA's label; the first that fits counts."""

VOTABLE = "application/x-votable+xml"


def render(error: VoError, dialect: Dialect) -> Response:
    """The reply that tells `error` in `dialect`."""
    status, fault, soda = next((status, fault, soda) for kind, status, fault, soda in STATUSES if isinstance(error, kind))
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, UnavailableError) else {}
    if dialect is Dialect.DALI:
        return Response(votable.error_document(str(error)), status, headers, VOTABLE)
    if dialect is Dialect.FAULT:
        return Response(votable.error_document(f"{fault}: {error}"), status, headers, VOTABLE)
    if dialect is Dialect.FAULT_TEXT:
        return Response(f"{fault}: {error}\n", status, headers, "text/plain; charset=utf-8")
    # clients of the older protocols do not read the body of a 4xx answer; "not now" must stay what it is
    simple = status if status >= 500 or headers else 200
    if dialect is Dialect.SIMPLE:
        return Response(votable.error_document(str(error)), simple, headers, "text/xml")
    if dialect is Dialect.SCS:
        return Response(votable.cone_error_document(str(error)), simple, headers, "text/xml")
    if dialect is Dialect.SODA:
        return Response(f"{soda}: {error}\n", status, headers, "text/plain; charset=utf-8")
    if dialect is Dialect.TEXT:
        return Response(f"{error}\n", status, headers, "text/plain; charset=utf-8")
    if dialect is Dialect.JSON:
        return Response(json.dumps({"error": str(error)}, ensure_ascii=False), status, headers, "application/json")
    return Response(_page(str(error), status), status, headers, "text/html; charset=utf-8")


def guard(endpoint: Endpoint, dialect: Dialect) -> Endpoint:
    """`endpoint`, with every error told in `dialect`; what we did not foresee gets an incident number in log and reply."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except VoError as error:
            return render(error, dialect)
        except Exception as error:  # noqa: BLE001 the last line of defence: nothing may leave as a stack trace
            if is_away(error):
                return render(UnavailableError("The database does not answer.", hint="Try again in a moment."), dialect)
            if is_full(error):
                log.warning("%s %s: the disk is full: %s", request.method, request.url.path, error)
                return render(UnavailableError("The server's disk is full.", hint="Try again later.", retry_after=60), dialect)
            return render(report_incident(f"{request.method} {request.url.path}", error), dialect)
        finally:
            await request.close()  # the temporary files of a form's parts

    return guarded


def _page(message: str, status: int) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Error</title></head>'
        f'<body><h1>{status}</h1><pre>{escape(message)}</pre><p><a href="/">Start page</a></p></body></html>'
    )
