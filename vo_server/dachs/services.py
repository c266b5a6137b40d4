"""``<service>`` → what is served here in its stead (DaCHS Reference Documentation, "Renderers available", "Cores available")."""

import re
from collections.abc import Mapping

from vo_server.dachs.access import core_of, queried
from vo_server.dachs.metadata import metas
from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report
from vo_server.dachs.tables import Table

CONE, PAGE = "scs.xml", "form"
EVERYWHERE = {
    "tap": "TAP answers for all tables at /tap",
    "availability": "/availability answers for the whole site",
    "capabilities": "/capabilities answers for the whole site",
    "tableMetadata": "/tables answers for the whole site",
    "examples": "examples stand in [[examples]]",
    "pubreg.xml": "the registry is at /oai",
    "get": "the page of a table offers its rows",
    "qp": "the page of a table offers its rows",
    "api": "TAP answers for all tables at /tap",
    "async": "TAP answers for all tables at /tap",
    "sync": "TAP answers for all tables at /tap",
    "info": "the page of a table describes it",
    PAGE: "the page of a table offers its rows",
}
"""Renderers that need nothing → what does the same."""

DATASETS = {
    "siap.xml": "image searches find what `vo publish-images` has published",
    "siap2.xml": "image searches find what `vo publish-images` has published",
    "ssap.xml": "spectra are found once `vo publish-spectra` has published them",
    "slap.xml": "spectral lines (SLAP) are not served",
    "dlmeta": "DataLink answers for datasets, not for rows of tables",
    "dlget": "SODA answers for datasets, not for rows of tables",
    "dlasync": "SODA answers for datasets, not for rows of tables",
    "static": "files beside a descriptor are not served",
    "upload": "there is no upload of rows",
    "mupload": "there is no upload of rows",
    "fixed": "pages of one's own are not served",
    "custom": "pages of one's own are not served",
    "docform": "pages of one's own are not served",
    "jpeg": "pages of one's own are not served",
    "volatile": "pages of one's own are not served",
}
OWN_CORES = ("pythonCore", "customCore", "computedCore", "fancyQueryCore", "fixedQueryCore", "debugCore", "nullCore", "uploadCore")


def served(service: Node, cores: Mapping[str, Node], tables: Mapping[str, Table], report: Report) -> None:
    """Says what becomes of a service."""
    named = f'<service id="{service.get("id") or ""}">'
    core = core_of(service, cores)
    if core is not None and core.tag in OWN_CORES:
        report.lost(service, f"<{core.tag}> computes its answers in a way of its own", named)
        return
    table = queried(core)
    for renderer in _renderers(service):
        if renderer == CONE:
            _cone(service, tables.get(table), table, named, report)
        elif renderer in EVERYWHERE:
            report.covered(service, f"{renderer}: {EVERYWHERE[renderer]}", named)
        else:
            report.lost(service, f"{renderer}: {DATASETS.get(renderer, 'there is no such renderer here')}", named)
    for publish in service.all("publish"):
        if "ivo_managed" not in (publish.get("sets") or ""):
            report.covered(publish, "it was not in the VO Registry; every table that is published here gets a record")
    for child in service.all("outputTable"):
        report.covered(child, "all columns are given; users choose theirs")
    for name, _, node in metas(service):
        if name.partition(".")[0] not in ("title", "shortName", "description", "testQuery"):
            report.lost(node, "services have no metadata of their own", f'<meta name="{name}">')


def _cone(service: Node, table: Table | None, name: str, named: str, report: Report) -> None:
    if table is None:
        report.lost(service, f"{CONE}: the table {name or '?'} was not taken over", named)
    elif table.has_position:
        report.covered(service, f"{CONE}: {table.name} gets a cone search, for it has positions", named)
    else:
        report.lost(
            service, f"{CONE}: nothing says which columns of {table.name} are right ascension and declination: set ra and dec", named
        )


def _renderers(service: Node) -> list[str]:
    allowed = [word for word in re.split(r"[,\s]+", service.get("allowed") or "") if word]
    published = [node.get("render") for node in service.all("publish")]
    return list(dict.fromkeys([*allowed, *(one for one in published if one)])) or [service.get("defaultRenderer") or PAGE]
