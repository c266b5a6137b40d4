"""Values of rows as pages show them."""

from datetime import datetime
from typing import Any

from markupsafe import Markup, escape

from vo_server.model.columns import NUMBERS, Column

LONGEST = 300
"""Characters of a text that are shown."""
MOST_ELEMENTS = 8


def is_number(column: Column) -> bool:
    """Whether a column is set to the right."""
    return column.datatype in NUMBERS and not column.is_array


def web_address(text: str | None) -> str | None:
    """`text` if a browser may be sent there, else None: what a descriptor or a row says is not trusted with ``javascript:``."""
    return text if text and text.startswith(("https://", "http://")) else None


def cell(value: Any, column: Column) -> str:
    """A value that is there, as text or as a link."""
    if column.is_text and web_address(value):
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(value, _short(value.rpartition("/")[2] or value))
    return escape(_short(f"{value:.7g}" if column.datatype == "float" and isinstance(value, float) else spelled(value)))


def spelled(value: Any) -> str:
    """A value as one writes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, (list, tuple)):
        shown = " ".join("–" if element is None else spelled(element) for element in value[:MOST_ELEMENTS])
        return f"{shown} … ({len(value)} values)" if len(value) > MOST_ELEMENTS else shown
    return str(value)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"
