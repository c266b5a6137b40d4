"""Macros: ``\\name{argument}`` in the texts of a descriptor (DaCHS Reference Documentation, "Macros available")."""

import re
from collections.abc import Callable, Mapping

from vo_server.errors import DataError

MACRO = re.compile(r"\\{1,2}([A-Za-z_]\w+)((?:\{[^{}]{0,999}\})*)")
"""Names have two letters at least, so that the classes of regular expressions are none. A second backslash keeps a macro for the stream
that is fed.
"""
ARGUMENT = re.compile(r"\{([^{}]*)\}")
CONTINUED = re.compile(r"\\\r?\n[ \t]*")
LONGEST = 1 << 20
"""Characters that macros may make of one text."""

FUNCTIONS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "decapitalize": lambda text: text[:1].lower() + text[1:],
}

Macros = Mapping[str, str]
"""Name of a macro → what it stands for; ``metaString title`` for those of metadata."""


def written_out(text: str, scope: Macros, macros: Macros) -> str:
    """`text` with the macros that are known, of `scope` first; others stay, for whoever takes the text to complain of. DataError if it
    becomes endless.
    """
    if "\\" not in text:
        return text
    length = 0

    def known(found: re.Match[str]) -> str:
        nonlocal length
        made = _value(found, scope, macros)
        length += len(made)
        if length > LONGEST:
            raise DataError(f"macros such as \\{found[1]} make a text of more than {LONGEST:,} characters.")
        return made

    return MACRO.sub(known, CONTINUED.sub("", text)).replace("\\+", "")


def _value(found: re.Match[str], scope: Macros, macros: Macros) -> str:
    name, arguments = found[1], [written_out(argument, scope, macros) for argument in ARGUMENT.findall(found[2])]
    if name in scope:
        return scope[name] + found[2]
    if name == "metaString" and arguments:
        return macros.get(f"metaString {arguments[0]}", arguments[1] if len(arguments) > 1 else found[0])
    if name in FUNCTIONS and arguments:
        return FUNCTIONS[name](arguments[0])
    return macros.get(name, found[0])


def unknown_macro(text: str) -> str | None:
    """The first macro that is left in a text, if there is one."""
    found = MACRO.search(text)
    return found[0] if found else None
