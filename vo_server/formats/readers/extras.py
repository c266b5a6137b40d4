"""Libraries that only some formats need: optional extras of the installation."""

import importlib
from pathlib import Path
from typing import Any

from vo_server.errors import DataError


def library(module: str, extra: str, path: Path) -> Any:
    """A module; DataError that says what to install if it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DataError(
            f"this format is read with {module}, which is not installed.", source=path.name, hint=f"pip install 'vo-server[{extra}]'"
        ) from None


def chosen(path: Path, names: list[str], wanted: str | None, what: str) -> str:
    """The table to read: the one that is wanted, else the first. DataError names what there is."""
    if not names:
        raise DataError(f"there is no {what} in this file.", source=path.name)
    if wanted is None:
        return names[0]
    for name in names:
        if name.strip("/") == wanted.strip("/"):
            return name
    raise DataError(f"there is no table {wanted!r}.", source=path.name, hint=f"Tables are: {', '.join(names)}.")
