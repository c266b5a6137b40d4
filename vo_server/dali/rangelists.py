"""Lists of values and ranges as SSAP writes them: ``1e-7/3e-6,5e-6;source`` (SSA 1.1 §8.7.2); and its incomplete dates (§4.1.1.4)."""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from vo_server.dali.intervals import Interval
from vo_server.dali.numbers import parse_number
from vo_server.dali.timestamps import mjd
from vo_server.errors import UsageError

DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d(?:\.\d{1,6})?))?)?)?)?Z?", re.ASCII)

Reader = Callable[[str, str], Interval]
"""From a word and the parameter's name to the interval that it means, which is a point for a number."""


@dataclass(frozen=True, slots=True)
class RangeList:
    """Intervals of which one must fit, and the word behind the semicolon."""

    intervals: tuple[Interval, ...]
    qualifier: str | None = None


def parse_range_list(text: str, parameter: str, read: Reader) -> RangeList:
    """The ranges that `text` says, each of its words read by `read`; an end that is missing is open. UsageError names `parameter`."""
    listed, _, qualifier = text.strip().partition(";")
    return RangeList(tuple(_range(item.strip(), parameter, read) for item in listed.split(",")), qualifier.strip() or None)


def number_interval(word: str, parameter: str) -> Interval:
    """A number as an interval."""
    value = parse_number(word, parameter)
    return Interval(value, value)


def date_interval(word: str, parameter: str) -> Interval:
    """A date as all of the year, month, day or instant that it names, MJD (UTC)."""
    try:
        return Interval(*map(mjd, _period(word)))
    except ValueError:
        raise UsageError(
            f"{parameter}: {word!r} is not a date.",
            hint="Write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss, in UTC.",
            parameter=parameter,
        ) from None


def _range(item: str, parameter: str, read: Reader) -> Interval:
    words = [word.strip() for word in item.split("/")]
    if len(words) > 2 or not any(words):
        raise UsageError(
            f"{parameter}: {item!r} is not a range.",
            hint="Write a value, or two with a slash between them: a/b, a/ or /b.",
            parameter=parameter,
        )
    if len(words) == 1:
        return read(words[0], parameter)
    lower = read(words[0], parameter).lower if words[0] else float("-inf")
    upper = read(words[1], parameter).upper if words[1] else float("inf")
    if lower > upper:
        raise UsageError(f"{parameter}: the range {item!r} ends before it begins.", parameter=parameter)
    return Interval(lower, upper)


def _period(word: str) -> tuple[datetime, datetime]:
    """The first and the last moment of a date; ValueError if it is none."""
    found = DATE.fullmatch(word)
    if found is None:
        raise ValueError(word)
    year, month, day, hour, minute, second = found.groups()
    first = datetime(int(year), int(month or 1), int(day or 1))
    if hour is not None:
        moment = first + timedelta(hours=int(hour), minutes=int(minute), seconds=float(second or 0))
        if not (int(hour) < 24 and int(minute) < 60 and float(second or 0) < 61):
            raise ValueError(word)
        return moment, moment
    last_month = int(month or 12)
    last_day = int(day or calendar.monthrange(int(year), last_month)[1])
    return first, datetime.combine(date(int(year), last_month, last_day), time.max)
