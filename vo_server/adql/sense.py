"""What makes no sense whatever the tables are: types that never fit, constants that order nothing.

The resolver finds all of this too, and much more; this is for judging texts where there is no catalogue (``vo adql --syntax-only``).
Names are not judged, nor coordinate systems: texts of examples and tests name what is nowhere.
"""

from vo_server.adql import tree
from vo_server.adql.functions import BY_NAME
from vo_server.adql.messages import meaning_error

NUMBERS = ("SMALLINT", "INTEGER", "BIGINT", "REAL", "DOUBLE PRECISION")
WORDS = {"text": "a text", "number": "a number"}
RESULTS = {"text": "text", "double": "number", "int": "number", "long": "number", "integer if all integers": "number"}
"""What functions with these rules for their results return."""


def check_sense(query: tree.Query) -> None:
    """Raises QueryMeaningError if no tables could give `query` a meaning."""
    for part in tree.walk(query):
        fault = _fault(part)
        if fault is not None:
            raise meaning_error(query.text, *fault)


def _fault(part: object) -> tuple[int, str] | None:
    """The place of what is wrong with a node, and the message."""
    if isinstance(part, tree.Chain):
        operands = (part.first, *(step.operand for step in part.rest))
        if part.rest[0].sign == "||":
            # the grammar takes any value, and texts of examples join numbers; a CAST says what its author means
            return _misfit(tuple(operand for operand in operands if isinstance(operand, tree.Cast)), "text", "|| joins texts")
        return _misfit(operands, "number", "one calculates with numbers")
    if isinstance(part, tree.Like):
        return _misfit((part.operand, part.pattern), "text", "LIKE compares texts")
    if isinstance(part, tree.Call) and part.name in BY_NAME and part.arguments:
        return _argument(part)
    if isinstance(part, tree.Aggregate) and part.name in ("SUM", "AVG") and part.argument is not None:
        return _misfit((part.argument,), "number", f"{part.name} needs numbers")
    if isinstance(part, tree.OrderKey) and isinstance(part.value, tree.Sign) and isinstance(part.value.operand, tree.Number):
        return part.at, "A constant orders nothing."
    return None


def _argument(call: tree.Call) -> tuple[int, str] | None:
    """An argument of another type than a function takes; a coordinate system in front is none."""
    function = BY_NAME[call.name]
    if function.coosys:
        return None
    for index, argument in enumerate(call.arguments):
        wanted = {"integer": "number"}.get(function.kind(index), function.kind(index))
        fault = _misfit((argument,), wanted, f"{call.name} needs {WORDS[wanted]} here") if wanted in WORDS else None
        if fault is not None:
            return fault
    return None


def _misfit(values: tuple[tree.Value, ...], wanted: str, told: str) -> tuple[int, str] | None:
    """The first of the values that surely is no text, or no number, as `wanted`."""
    for value in values:
        found = _type_of(value)
        if found is not None and found != wanted:
            return value.at, f"This is {WORDS[found]} and not {WORDS[wanted]}: {told}."
    return None


def _type_of(value: tree.Value) -> str | None:
    """Whether a value surely is a number or a text; None if the tables decide, or if a text in quotes may spell a number."""
    if isinstance(value, tree.Number | tree.Sign):
        return "number"
    if isinstance(value, tree.Text):
        return None if _spells_number(value.value) else "text"
    if isinstance(value, tree.Chain):
        return "text" if value.rest[0].sign == "||" else "number"
    if isinstance(value, tree.Cast):
        return "number" if value.type in NUMBERS else "text" if value.type in ("CHAR", "VARCHAR") else None
    if isinstance(value, tree.Aggregate):
        return "number" if value.name in ("COUNT", "SUM", "AVG") else None
    function = BY_NAME.get(value.name) if isinstance(value, tree.Call) else None
    return RESULTS.get(function.result) if function is not None else None


def _spells_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
