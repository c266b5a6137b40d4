"""A descriptor as TOML with comments."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BARE = re.compile(r"[A-Za-z0-9_-]+")


def value(given: Any) -> str:
    """A value of TOML: what JSON writes is one, but for objects."""
    if isinstance(given, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {value(one)}" for name, one in given.items()) + " }"
    if isinstance(given, Sequence) and not isinstance(given, str):
        return f"[{', '.join(map(value, given))}]"
    return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    """A key of TOML: bare where it may be."""
    return name if BARE.fullmatch(name) else value(name)


def section(header: str, keys: Mapping[str, Any]) -> Iterator[str]:
    """A table of TOML, with an empty line behind it; tables in it that are long stand below it."""
    nested = {name: one for name, one in keys.items() if isinstance(one, Mapping)}
    yield header
    for name, one in keys.items():
        if name not in nested:
            yield f"{key(name)} = {value(one)}"
    yield ""
    for name, one in nested.items():
        yield from section(f"[{header.strip('[]')}.{key(name)}]", one)


def comment(text: str) -> str:
    """A line of comment, whatever is in `text`."""
    return "# " + " ".join(text.split())
