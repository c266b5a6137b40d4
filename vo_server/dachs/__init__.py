"""Descriptors of DaCHS resources → our descriptors: what both can say is taken over, and all the rest is named, element by element."""

from vo_server.dachs.report import Fate, Remark
from vo_server.dachs.resource import Imported, import_rd
from vo_server.dachs.surroundings import Surroundings

__all__ = ["Fate", "Imported", "Remark", "Surroundings", "import_rd"]
