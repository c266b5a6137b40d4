"""Instants: ``YYYY-MM-DD[Thh:mm:ss[.SSS]]``, UTC, no offset (DALI 1.1 §3.3.3; FITS 4.0 §9.1.1 writes the same)."""

import re
from datetime import UTC, datetime

from vo_server.errors import UsageError

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?)?Z?", re.ASCII)
MJD_OF_UNIX_EPOCH = 40587


def parse_timestamp(text: str, parameter: str) -> datetime:
    """A naive datetime in UTC, cut to microseconds. UsageError names `parameter`; a blank for the T and offsets are refused."""
    word = text.strip()
    try:
        if not TIMESTAMP.fullmatch(word):
            raise ValueError(word)
        return datetime.fromisoformat(word.removesuffix("Z"))
    except ValueError:
        raise UsageError(
            f"{parameter}: {text!r} is not a timestamp.", hint="Write YYYY-MM-DD or YYYY-MM-DDThh:mm:ss, in UTC.", parameter=parameter
        ) from None


def mjd(instant: datetime) -> float:
    """The Modified Julian Date (UTC, days) of a naive datetime in UTC."""
    return MJD_OF_UNIX_EPOCH + instant.replace(tzinfo=UTC).timestamp() / 86400
