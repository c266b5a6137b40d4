"""Descriptors of DaCHS resources → our descriptors: what both can say is taken over, and all the rest is named, element by element."""

from vo_server.dachs.report import Remark, Report
from vo_server.dachs.resource import Imported, import_rd
from vo_server.dachs.sources import DataFiles, no_files

__all__ = ["DataFiles", "Imported", "Remark", "Report", "import_rd", "no_files"]
