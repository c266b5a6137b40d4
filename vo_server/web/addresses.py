"""The addresses that pages link to, as paths below the public URL (a contract: see the reference of addresses)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from vo_server.model.catalogue import Table
from vo_server.model.names import adql_table_name
from vo_server.model.resource import Resource
from vo_server.query.examples import RADIUS_DEG

FIRST_ROWS = 100

FIRST_IMAGES = "/sia2/query?MAXREC=10"
"""Without POS an image search finds images anywhere (SIA 2.0 §2.1)."""


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service as the start page lists it; ``links`` are names and paths of what can be looked at."""

    purpose: str
    standard: str
    path: str
    links: tuple[tuple[str, str], ...] = ()


def _vosi(path: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("capabilities", f"{path}/capabilities"), ("availability", f"{path}/availability"), *more)


SERVICES = (
    ServiceLine("Queries", "TAP 1.1", "/tap", _vosi("/tap", ("tables", "/tap/tables"), ("examples", "/tap/examples"))),
    ServiceLine("Catalogues around a position", "Simple Cone Search 1.03", "/scs/table"),
    ServiceLine("The same with conditions", "SCS 2", "/scs2", _vosi("")),
    ServiceLine("Images", "SIA 2.0", "/sia2/query", _vosi("/sia2", ("first images", FIRST_IMAGES))),
    ServiceLine("Images, for older programs", "SIA 1.0", "/sia1", _vosi("/sia1")),
    ServiceLine("Spectra", "SSA 1.1", "/ssa", _vosi("/ssa")),
    ServiceLine("What belongs to a dataset", "DataLink 1.1", "/datalink/links", _vosi("/datalink")),
    ServiceLine("Cut-outs", "SODA 1.0", "/soda/sync", _vosi("/soda")),
    ServiceLine(
        "Registry records",
        "OAI-PMH 2.0",
        "/oai",
        (("Identify", "/oai?verb=Identify"), ("records", "/oai?verb=ListRecords&metadataPrefix=ivo_vor")),
    ),
)


def prefix(base_url: str) -> str:
    """What links on pages begin with: the path of the public URL alone, so that they work under any name of the host."""
    return urlsplit(base_url).path


def table_page(table: Table) -> str:
    """The page of a table."""
    return f"/tables/{quote(table.full_name, safe='')}"


def resource_page(resource: Resource) -> str:
    """The page of a resource: the reference URL of its registry record where its publisher gave none."""
    return f"/resources/{quote(resource.schema, safe='')}/{quote(resource.name, safe='')}"


def fields(table: Table) -> str:
    """The columns of a table as VOSI tells them."""
    return f"/tap/tables/{quote(table.full_name, safe='')}"


def cone(table: Table) -> str:
    """The cone search of a table, without parameters."""
    return f"/scs/{quote(table.full_name, safe='')}"


def cone_example(table: Table, sample: tuple[float, float]) -> str:
    """A cone search around a known row."""
    return f"{cone(table)}?{urlencode({'RA': sample[0], 'DEC': sample[1], 'SR': RADIUS_DEG})}"


def query(adql: str, form: str) -> str:
    """The answer to an ADQL query in a format, by its short name (DALI 1.1 §3.4.3)."""
    return f"/tap/sync?{urlencode({'LANG': 'ADQL', 'RESPONSEFORMAT': form, 'QUERY': adql})}"


def first_rows(table: Table, form: str) -> str:
    """Some rows of a table."""
    return query(f"SELECT TOP {FIRST_ROWS} * FROM {adql_table_name(table.schema, table.name)}", form)  # noqa: S608 ADQL in a link


def record(ivoid: str) -> str:
    """A registry record."""
    return f"/oai?{urlencode({'verb': 'GetRecord', 'metadataPrefix': 'ivo_vor', 'identifier': ivoid})}"


def coverage_map(resource: Resource) -> str:
    """The drawing of the sky that a resource covers."""
    return f"/plots/coverage.svg?{urlencode({'resource': resource.id, 'of': resource.updated.date().isoformat()})}"


def sky_map(table: Table) -> str:
    """The drawing of where the rows of a table lie; the address changes with its rows."""
    return f"/plots/sky.svg?{urlencode({'table': table.full_name, 'of': _rows(table)})}"


def columns_plot(table: Table, chosen: Mapping[str, str]) -> str:
    """The drawing of one column (``x``), or of one (``y``) against another."""
    return f"/plots/columns.svg?{urlencode({'table': table.full_name, 'of': _rows(table), **chosen})}"


def _rows(table: Table) -> str:
    """A short name that changes with a table's rows: that of a load, or a sum of the query that selects them."""
    return table.physical if table.physical.startswith("vo_data.") else hashlib.sha256(table.physical.encode()).hexdigest()[:16]


def query_page(adql: str) -> str:
    """The editor with a query in it."""
    return f"/query?{urlencode({'QUERY': adql})}"


def datasets_page(resource: Resource | None = None) -> str:
    """The images and other datasets, of one resource or all."""
    return "/datasets" + (f"?{urlencode({'resource': resource.id})}" if resource else "")


def sky_page(**what: str) -> str:
    """A table, a resource or a dataset over images of the sky."""
    return f"/sky?{urlencode(what)}"
