"""``/openapi.json``: every route of the application, with the parameters that its protocol's own table lists."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from typing import TypeVar
from urllib.parse import urlsplit

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from vo_registry import oai
from vo_server.documents.openapi import About, Operation, openapi
from vo_server.formats import FORMATS
from vo_server.http.documents import Documents
from vo_server.http.errors import VOTABLE, Dialect, guard
from vo_server.model.capability import InputParam, ServiceCapabilities
from vo_server.model.media import FITS
from vo_server.model.service import ServiceParam
from vo_server.protocols import scs, sia2, soda, tap, uws, vosi
from vo_server.query.descriptors import LINKS_TYPE
from vo_server.services import Services

PATH = "/openapi.json"
MEDIA_TYPE = "application/json"

TAGS = {
    "tap": "Table Access Protocol 1.1: ADQL queries",
    "scs": "Simple Cone Search 1.03",
    "scs2": "Simple Cone Search 2",
    "sia2": "Simple Image Access 2.0",
    "sia1": "Simple Image Access 1.0",
    "ssa": "Simple Spectral Access 1.1",
    "datalink": "DataLink 1.1",
    "soda": "Server-side Operations for Data Access 1.0",
    "files": "The datasets themselves, with ranges",
    "oai": "The publishing registry: OAI-PMH 2.0",
    "server": "The server itself",
    "pages": "Pages for people",
}
"""First part of an address → what lies below it."""

PAGES = ("/", "/tap", "/tables/", "/resources/", "/query", "/jobs", "/search", "/dataset", "/plots/", "/sky")
JOBS = "/(?:tap|soda)/async"
"""Lists of jobs."""

WORDS: tuple[tuple[str, str], ...] = (
    (r".*/capabilities", "What this service can do (VOSI)"),
    (r".*/availability", "Whether this service is up (VOSI)"),
    (r".*/tables", "The tables of this service (VOSI)"),
    (r"/tap/tables/.*", "One table with its columns (VOSI)"),
    (r"/tap/examples", "Queries to begin with (DALI)"),
    (r"/tap/sync", "Run a query and send its rows"),
    (r"/soda/sync", "Cut a part out of a dataset and send it"),
    (rf"{JOBS}", "The list of asynchronous jobs; POST makes a job (UWS 1.1)"),
    (rf"{JOBS}/\{{job_id\}}", "A job; POST and DELETE remove it"),
    (rf"{JOBS}/\{{job_id\}}/results/.*", "The result of a job that is completed"),
    (rf"{JOBS}/\{{job_id\}}/uploads/.*", "A table that came with a job, as it came"),
    (rf"{JOBS}/\{{job_id\}}/.*", "A part of a job; POST changes it"),
    (r"/files/.*", "A dataset"),
    (r"/oai", "Registry records by OAI-PMH"),
    (r"/health", "Whether the server and its database answer"),
    (r"/metrics", "Measurements for Prometheus"),
    (r"/openapi\.json", "This description"),
    (r"/static/.*|/robots\.txt", "What belongs to the pages"),
    (r"/query/check", "Whether a query can be run, and where it is wrong"),
    (r"/query/.*\.json", "Names that an editor of queries completes"),
    (r"/plots/.*", "A drawing"),
    (r"/sky/layers\.json", "What to show on images of the sky"),
    (r"/|/tap|/tables/.*|/resources/.*|/query|/jobs.*|/search|/datasets?|/sky(/frame)?", "A page for people"),
)
"""Address → what is there; an address that is not listed is a search of the protocol it lies in."""

JOB = rf"{JOBS}/\{{job_id\}}"
ROW_TYPES = tuple(form.media_type for form in FORMATS)
MEDIA_TYPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"/tap/async/\{job_id\}/results/.*", ROW_TYPES),
    (r"/soda/(sync|async/\{job_id\}/results/.*)", (FITS,)),
    (rf"{JOB}/error", (VOTABLE,)),
    (rf"{JOB}/uploads/.*", ("application/octet-stream",)),
    (r"/files/.*", ("*/*",)),
    (rf"{JOBS}|{JOB}(/parameters|/results)?|.*/(capabilities|availability|tables)|/tap/tables/.*|/oai", (vosi.XML,)),
    (r"/datalink/links", (LINKS_TYPE, *ROW_TYPES)),
    (r"/health|/openapi\.json|/query/.*|/sky/layers\.json", (MEDIA_TYPE,)),
    (r"/metrics", (CONTENT_TYPE_LATEST,)),
    (rf"{JOB}/.*|/robots\.txt", ("text/plain",)),
    (r"/|/tap|/tap/examples|/tables/.*|/resources/.*|/query|/jobs.*|/search|/datasets?|/sky(/frame)?", ("text/html",)),
    (r"/plots/.*|/static/.*\.svg", ("image/svg+xml",)),
    (r"/static/.*\.css", ("text/css",)),
    (r"/static/.*\.js", ("text/javascript",)),
)
"""Address → media types of an answer; all others send rows. ``*/*``: whatever the file is."""

WITH_FILES = ("/tap/sync", "/tap/async", "/tap/async/{job_id}/parameters", "/scs2", "/scs2/{table}/scs2")
"""Addresses whose forms may carry tables (UPLOAD)."""

VARIABLE = re.compile(r"\{(\w+)(?::\w+)?\}")

Capabilities = Callable[[], Sequence[ServiceCapabilities]]


def routes(services: Services, others: Sequence[BaseRoute], capabilities: Capabilities) -> list[Route]:
    """The description of `others` and of itself."""
    documents = Documents(services.clock)
    described: list[BaseRoute] = list(others)

    def render() -> bytes:
        found = operations(described, searched(capabilities(), services.settings.base_url))
        return json.dumps(openapi(about(services), found, TAGS), indent=1, ensure_ascii=False).encode()

    async def show(request: Request) -> Response:
        return await documents.reply(request, PATH, services.catalogue().version, render, MEDIA_TYPE)

    own = Route(PATH, guard(show, Dialect.TEXT), methods=["GET"])
    described.append(own)
    return [own]


def about(services: Services) -> About:
    """The publisher and the address of the server."""
    site, settings = services.site(), services.settings
    return About(
        settings.title, site.description, version("vo-server"), settings.base_url, (site.contact_name or site.title, site.contact_email)
    )


def operations(described: Iterable[BaseRoute], searches: dict[str, tuple[InputParam, ...]]) -> list[Operation]:
    """Every method of every route; `searches` are the parameters of protocols by their address."""
    return [
        _operation(route.path, method, searches)
        for route in described
        if isinstance(route, Route)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


def searched(capabilities: Sequence[ServiceCapabilities], base_url: str) -> dict[str, tuple[InputParam, ...]]:
    """Address → parameters, of all interfaces that list them. Those of single tables have addresses of their own."""
    interfaces = (interface for part in capabilities for one in part.capabilities for interface in one.interfaces if interface.params)
    prefix = urlsplit(base_url).path
    return {urlsplit(interface.url).path.removeprefix(prefix): interface.params for interface in interfaces}


def _operation(template: str, method: str, searches: dict[str, tuple[InputParam, ...]]) -> Operation:
    path = VARIABLE.sub(r"{\1}", template)
    return Operation(
        path,
        method,
        _tag(path),
        _first(WORDS, path) or f"{TAGS.get(_tag(path), 'A service')}: search",
        () if _redirects(path, method) else _first(MEDIA_TYPES, path) or ROW_TYPES,
        _params(path, method, searches),
        tuple(VARIABLE.findall(template)),
        "303" if _redirects(path, method) else "200",
        files=method == "POST" and path in WITH_FILES,
    )


def _redirects(path: str, method: str) -> bool:
    """Whatever changes a job answers with where to look (UWS 1.1 §2.2.3)."""
    return re.match(JOBS, path) is not None and method != "GET"


def _tag(path: str) -> str:
    first = path.split("/")[1]
    if path == "/tap" or first in ("", "tables", "resources", "static"):
        return "pages" if path != "/tables" else "scs2"
    return first if first in TAGS else "server"


def _params(path: str, method: str, searches: dict[str, tuple[InputParam, ...]]) -> tuple[InputParam, ...]:
    own = {
        "/tap/sync": tap.PARAMETERS,
        "/soda/sync": soda.PARAMETERS,
        "/oai": oai.PARAMETERS,
        "/tap/tables": (vosi.DETAIL,),
        "/scs/{table}": scs.PARAMETERS,
        "/sia2/query": tuple(map(_input, (*(one.described for one in sia2.PARAMETERS), *sia2.CONTROLS))),
    }
    if jobs := re.match(JOBS, path):
        below = path[jobs.end() :]
        work = soda.PARAMETERS if path.startswith("/soda") else tap.PARAMETERS
        given = uws.PARAMETERS.get((method, below), ())
        return (*work, *given) if method == "POST" and below in ("", "/{job_id}/parameters") else given
    return own.get(path) or searches.get(path.removesuffix("/{table}/scs2"), ())


def _input(param: ServiceParam) -> InputParam:
    return InputParam(param.name, "integer" if param.datatype == "int" else "string", param.description or param.name, param.unit)


Value = TypeVar("Value")


def _first(table: Sequence[tuple[str, Value]], path: str) -> Value | None:
    return next((value for pattern, value in table if re.fullmatch(pattern, path)), None)
