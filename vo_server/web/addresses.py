"""The addresses that pages link to, as paths below the public URL (a contract: see the reference of addresses)."""

from urllib.parse import quote, urlencode, urlsplit

from vo_server.model.catalogue import Table
from vo_server.model.names import adql_table_name
from vo_server.model.resource import Resource
from vo_server.query.examples import RADIUS_DEG

FIRST_ROWS = 100

FIRST_IMAGES = "/sia2/query?MAXREC=10"
"""Without POS an image search finds images anywhere (SIA 2.0 §2.1)."""


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
