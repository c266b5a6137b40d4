"""Values that are known before any row is read."""

import sys

from vo_server.adql.resolved import Call, Chain, Constant, Sign, Value

Number = int | float
_LARGEST = {int: 2**63 - 1, float: sys.float_info.max}
"""Beyond, PostgreSQL tells that there is no such number."""


def known(value: Value) -> Number | None:
    """The number that an expression of constants makes, as PostgreSQL would compute it (integers divide as integers); else None."""
    if isinstance(value, Constant):
        return value.value if isinstance(value.value, int | float) and not isinstance(value.value, bool) else None
    if isinstance(value, Sign):
        inner = known(value.operand)
        return None if inner is None else -inner if value.sign == "-" else inner
    if isinstance(value, Chain):
        return _chain(value)
    if isinstance(value, Call) and value.function.name == "PI":
        return 3.141592653589793
    return None


def _chain(chain: Chain) -> Number | None:
    total = known(chain.first)
    for sign, operand in chain.rest:
        right = known(operand)
        if total is None or right is None or sign not in "+-*/":
            return None
        total = _step(total, sign, right)
    return total


def _step(left: Number, sign: str, right: Number) -> Number | None:
    if sign == "/":
        return _quotient(left, right)
    result = left + right if sign == "+" else left - right if sign == "-" else left * right
    return result if abs(result) <= _LARGEST[type(result)] else None


def _quotient(left: Number, right: Number) -> Number | None:
    if right == 0:
        return None
    if isinstance(left, int) and isinstance(right, int):
        return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    try:
        return left / right
    except OverflowError:
        return None
