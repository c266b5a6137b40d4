"""Numbers in parameters: what DALI 1.1 §3.3 and VOTable 1.4 §6 call a double, and nothing else that Python's ``float`` would take."""

import math
import re

from vo_server.errors import UsageError

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
INFINITY = re.compile(r"[+-]?inf", re.ASCII | re.IGNORECASE)
INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def parse_number(text: str, parameter: str, *, infinite: bool = False) -> float:
    """One finite double; with `infinite` also ``Inf``, ``+Inf`` and ``-Inf``. UsageError names `parameter` otherwise."""
    if infinite and INFINITY.fullmatch(text):
        return float(text)
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise UsageError(f"{parameter}: {text!r} is not a number.", parameter=parameter)
    return value


def parse_integer(text: str, parameter: str) -> int:
    """One integer of at most 18 digits. UsageError names `parameter` otherwise."""
    if not INTEGER.fullmatch(text.strip()):
        raise UsageError(f"{parameter}: {text!r} is not an integer.", parameter=parameter)
    return int(text)
