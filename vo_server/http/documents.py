"""Documents that are the same for everybody until something is published: made once, and sent only to those who do not have them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from threading import Lock

from starlette.requests import Request
from starlette.responses import Response

from vo_server.http.ranges import has_tag
from vo_server.http.threads import in_thread

MOST = 64
"""So many documents are kept; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Made:
    """A document, for which state of things it was made, and when it last changed."""

    body: bytes
    version: int
    tag: str
    changed: datetime


class Documents:
    """Documents by name. `clock` tells when one was made, which is when it changed, as far as clients are concerned."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._made: dict[str, Made] = {}

    async def reply(self, request: Request, name: str, version: int, render: Callable[[], bytes], media_type: str) -> Response:
        """The document called `name`, by `render` if it was made for another `version`; 304 for a client that has it already
        (RFC 9110 §13.1). `render` runs in a thread; what it raises is not remembered.
        """
        made = await in_thread(self._find, name, version, render)
        headers = {"ETag": made.tag, "Last-Modified": format_datetime(made.changed, usegmt=True), "Cache-Control": "no-cache"}
        if has_it(request, made):
            return Response(status_code=304, headers=headers)
        return Response(made.body, 200, headers, media_type)

    def _find(self, name: str, version: int, render: Callable[[], bytes]) -> Made:
        with self._lock:
            known = self._made.get(name)
        if known is not None and known.version == version:
            return known
        body = render()
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        same = known is not None and known.tag == tag
        changed = known.changed if known is not None and same else self._clock().astimezone(UTC).replace(microsecond=0)
        made = Made(body, version, tag, changed)
        with self._lock:
            self._made.pop(name, None)
            self._made[name] = made
            while len(self._made) > MOST:
                self._made.pop(next(iter(self._made)))
        return made


def has_it(request: Request, made: Made) -> bool:
    """Whether the client says that it has the document as it is; a tag counts more than a date."""
    same = has_tag(request.headers, made.tag)
    if same is not None:
        return same
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except (ValueError, OverflowError):  # no date, or one that no calendar has
        return False
    return since.tzinfo is not None and made.changed <= since
