"""Parts of a body (RFC 9110 §14), and whether any is needed (§13): which bytes a client asks for."""

import re

from starlette.datastructures import Headers

RANGES = re.compile(
    r"\s*bytes\s*=\s*(?:\d{1,18}-\d{0,18}|-\d{1,18})(?:\s*,\s*(?:\d{1,18}-\d{0,18}|-\d{1,18}))*\s*", re.ASCII | re.IGNORECASE
)
BOUNDS = re.compile(r"(\d+)-(\d+)", re.ASCII)
SINGLE = re.compile(r"\s*bytes\s*=\s*(\d*)-(\d*)\s*", re.ASCII | re.IGNORECASE)


def is_range(text: str) -> bool:
    """Whether a Range header is understood; any other is ignored (RFC 9110 §14.2), also one that ends before it begins (§14.1.1)."""
    return RANGES.fullmatch(text) is not None and all(int(first) <= int(last) for first, last in BOUNDS.findall(text))


def has_tag(asked: Headers, etag: str) -> bool | None:
    """Whether If-None-Match says that the client has what is called `etag`; None: it says nothing (RFC 9110 §13.1.2)."""
    if "if-none-match" not in asked:
        return None
    tags = [tag.strip().removeprefix("W/") for tag in asked["if-none-match"].split(",")]
    return etag in tags or tags == ["*"]


def asked_span(asked: Headers, size: int, etag: str) -> range | None:
    """The bytes of a body of `size` that a GET asks for; None: all of it. A range without any byte cannot be satisfied (416, §15.5.17).

    Of several ranges, and of a range of what the client has another version of (§13.1.5), all is sent, as a server may.
    """
    text = asked.get("range", "")
    single = SINGLE.fullmatch(text)
    if single is None or not is_range(text) or asked.get("if-range", etag) != etag:
        return None
    first, last = single.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    return range(int(first), min(int(last) + 1 if last else size, size))
