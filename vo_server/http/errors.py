"""Errors as each audience reads them: one table of statuses, one of dialects, and the wrapper that applies both to an endpoint."""

import json
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from html import escape
from typing import NamedTuple

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
from vo_server.http.params import refuse_nul
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


class Kind(NamedTuple):
    """A kind of errors: its HTTP status, its fault label (SIA 2.0 §3.3) and SODA's (SODA 1.0 §4.2)."""

    error: type[VoError]
    status: int
    fault: str
    soda: str


KINDS = (
    Kind(ManyValuesError, 400, "UsageFault", "MultiValuedParamNotSupported"),
    Kind(UsageError, 400, "UsageFault", "UsageError"),
    Kind(NotFoundError, 404, "NotFoundFault", "UsageError"),
    Kind(ForbiddenError, 403, "UsageFault", "AuthorizationError"),
    Kind(TooLargeError, 413, "UsageFault", "UsageError"),
    Kind(TimeLimitError, 408, "TransientFault", "ServiceUnavailable"),
    Kind(TooManyError, 429, "TransientFault", "ServiceUnavailable"),
    Kind(UnavailableError, 503, "TransientFault", "ServiceUnavailable"),
    Kind(SetupError, 503, "FatalFault", "Error"),
    Kind(InternalError, 500, "FatalFault", "Error"),
)
"""The first that an error is of counts."""


class Manner(NamedTuple):
    """How a dialect tells an error: the body, made of the error's text and kind, and its type.

    ``lenient``: with status 200, since clients of the older protocols do not read the body of a 4xx answer; "not now" stays what it is.
    """

    body: Callable[[str, Kind], str | bytes]
    media_type: str
    lenient: bool = False


VOTABLE = "application/x-votable+xml"
XML = "text/xml"
PLAIN = "text/plain; charset=utf-8"

MANNERS = {
    Dialect.DALI: Manner(lambda text, _: votable.error_document(text), VOTABLE),
    Dialect.FAULT: Manner(lambda text, kind: votable.error_document(f"{kind.fault}: {text}"), VOTABLE),
    Dialect.FAULT_TEXT: Manner(lambda text, kind: f"{kind.fault}: {text}\n", PLAIN),
    Dialect.SIMPLE: Manner(lambda text, _: votable.error_document(text), XML, lenient=True),
    Dialect.SCS: Manner(lambda text, _: votable.cone_error_document(text), XML, lenient=True),
    Dialect.SODA: Manner(lambda text, kind: f"{kind.soda}: {text}\n", PLAIN),
    Dialect.TEXT: Manner(lambda text, _: f"{text}\n", PLAIN),
    Dialect.JSON: Manner(lambda text, _: json.dumps({"error": text}, ensure_ascii=False), "application/json"),
    Dialect.HTML: Manner(lambda text, kind: _page(text, kind.status), "text/html; charset=utf-8"),
}


def render(error: VoError, dialect: Dialect) -> Response:
    """The reply that tells `error` in `dialect`."""
    kind = next(kind for kind in KINDS if isinstance(error, kind.error))
    manner = MANNERS[dialect]
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, UnavailableError) else {}
    status = 200 if manner.lenient and kind.status < 500 and not headers else kind.status
    return Response(manner.body(str(error), kind), status, headers, manner.media_type)


def guard(endpoint: Endpoint, dialect: Dialect, tell: Callable[[VoError, Dialect], Response] = render) -> Endpoint:
    """`endpoint`, with every error told in `dialect`; what we did not foresee gets an incident number in log and reply.

    `tell`: how, for protocols that have a language of their own for some errors.
    """

    async def guarded(request: Request) -> Response:
        try:
            _refuse_nul(request)
            return await endpoint(request)
        except VoError as error:
            return tell(error, dialect)
        except Exception as error:  # noqa: BLE001 the last line of defence: nothing may leave as a stack trace
            if is_away(error):
                return tell(UnavailableError("The database does not answer.", hint="Try again in a moment."), dialect)
            if is_full(error):
                log.warning("%s %s: the disk is full: %s", request.method, request.url.path, error)
                return tell(UnavailableError("The server's disk is full.", hint="Try again later.", retry_after=60), dialect)
            return tell(report_incident(f"{request.method} {request.url.path}", error), dialect)
        finally:
            await request.close()  # the temporary files of a form's parts

    return guarded


def _refuse_nul(request: Request) -> None:
    """U+0000 stands in no text of the database: NotFoundError for a path that holds it, UsageError for a parameter."""
    if "\0" in request.url.path:
        raise NotFoundError("There is nothing at this address, which holds the character U+0000.")
    refuse_nul(request.query_params.multi_items())


def _page(message: str, status: int) -> str:
    """A page without links: only the pages' own know under which path the server is seen."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Error</title></head>'
        f"<body><h1>{status}</h1><pre>{escape(message)}</pre></body></html>"
    )
