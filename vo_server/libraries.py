"""Modules that are large and that few requests need: a server is half as large without them, and starts in less time."""

from importlib import import_module
from typing import Any


class Later:
    """A module that is imported when something of it is first used: ``later("mocpy").MOC``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


def later(name: str) -> Any:
    """Stands for the module of this name, whose types are unknown until then."""
    return Later(name)
