"""What a browser may remember for its anonymous user: the ids of his jobs, signed, so that a list of them can be shown to nobody else."""

import hashlib
import hmac
import re
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

NAME = "vo_jobs"
MOST = 50
"""Ids that are remembered, the newest; browsers keep 4 kB."""

ID = re.compile(r"[0-9a-f]{32}\Z")


def remembered(request: Request, secret: bytes) -> tuple[str, ...]:
    """The ids that the request's cookie names, newest first; none if we did not sign it."""
    text, _, signature = request.cookies.get(NAME, "").rpartition("~")
    # as bytes: texts are compared only if they are ASCII, and anybody may send others
    if not hmac.compare_digest(_signature(text, secret).encode(), signature.encode()):
        return ()
    return tuple(word for word in text.split(".") if ID.match(word))


def remember(request: Request, response: Response, job_id: str, secret: bytes, url: str) -> None:
    """Have the browser remember `job_id` too, and send all of them to `url` and below: to the services, and to the page that lists them."""
    text = ".".join((job_id, *remembered(request, secret))[:MOST])
    place = urlsplit(url)
    response.set_cookie(
        NAME, f"{text}~{_signature(text, secret)}", path=place.path or "/", secure=place.scheme == "https", httponly=True, samesite="lax"
    )


def _signature(text: str, secret: bytes) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
