"""What makes no sense whatever the tables are: types that never fit, constants that order nothing.

The resolver finds all of this too, and much more; this is for judging texts where there is no catalogue (``vo adql --syntax-only``).
Names are not judged, nor coordinate systems: texts of examples and tests name what is nowhere.
"""

from vo_server.adql import tree
from vo_server.adql.messages import meaning_error

TEXTS = ("CHAR", "VARCHAR")
NUMBERS = ("SMALLINT", "INTEGER", "BIGINT", "REAL", "DOUBLE PRECISION")


def check_sense(query: tree.Query) -> None:
    """Raises QueryMeaningError if no tables could give `query` a meaning."""
    for part in tree.walk(query):
        fault = _fault(part)
        if fault is not None:
            raise meaning_error(query.text, *fault)


def _fault(part: object) -> tuple[int, str] | None:
    """The place of what is wrong with a node, and the message."""
    if isinstance(part, tree.Chain):
        return _misfit(part)
    if isinstance(part, tree.OrderKey) and isinstance(part.value, tree.Sign) and isinstance(part.value.operand, tree.Number):
        return part.at, "A constant orders nothing."
    return None


def _misfit(chain: tree.Chain) -> tuple[int, str] | None:
    """A CAST whose type one cannot calculate with, or cannot join to a text."""
    joins = chain.rest[0].sign == "||"
    for operand in (chain.first, *(step.operand for step in chain.rest)):
        if isinstance(operand, tree.Cast) and operand.type in (NUMBERS if joins else TEXTS):
            wanted = "a text, and || joins texts only" if joins else "a number, and one cannot calculate with it"
            return operand.at, f"CAST(… AS {operand.type}) is not {wanted}."
    return None
