"""ADQL text → tree → tree whose names and types are known (ADQL 2.1)."""

from vo_server.adql.functions import features
from vo_server.adql.parser import parse
from vo_server.adql.resolver import resolve

__all__ = ["features", "parse", "resolve"]
