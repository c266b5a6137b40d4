"""VOSI 1.1: capabilities and availability beside every service, tables beside TAP."""

from collections.abc import Callable, Sequence

from anyio.to_thread import run_sync
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server.documents import vosi
from vo_server.errors import NotFoundError, UsageError
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import read_params
from vo_server.model.capability import Capability, Interface
from vo_server.services import Services

STANDARD_ID = "ivo://ivoa.net/std/VOSI"
CAPABILITIES_ID = STANDARD_ID + "#capabilities"
AVAILABILITY_ID = STANDARD_ID + "#availability"
TABLES_ID = STANDARD_ID + "#tables-1.1"
XML = "text/xml"

CapabilityList = Callable[[], Sequence[Capability]]


def capability(standard_id: str, url: str, description: str) -> Capability:
    """The capability of a VOSI endpoint (VOSI 1.1 §5)."""
    return Capability(standard_id=standard_id, interfaces=(Interface(url, use="full"),), description=description)


def beside(service_url: str) -> tuple[Capability, ...]:
    """The VOSI capabilities of every service."""
    return (
        capability(CAPABILITIES_ID, f"{service_url}/capabilities", "What this service can do (this document)."),
        capability(AVAILABILITY_ID, f"{service_url}/availability", "Whether this service is up."),
    )


def routes(services: Services, path: str, capabilities: CapabilityList) -> list[Route]:
    """``/capabilities`` and ``/availability`` below `path`."""

    async def show_capabilities(_: HttpRequest) -> Response:
        return Response(vosi.capabilities(capabilities()), media_type=XML)

    async def show_availability(_: HttpRequest) -> Response:
        return Response(vosi.availability(services.started), media_type=XML)

    return [
        Route(f"{path}/capabilities", guard(show_capabilities, Dialect.TEXT), methods=["GET"]),
        Route(f"{path}/availability", guard(show_availability, Dialect.TEXT), methods=["GET"]),
    ]


def table_routes(services: Services, path: str) -> list[Route]:
    """``/tables`` and ``/tables/{name}`` below `path` (VOSI 1.1 §3.3)."""

    async def show_tables(request: HttpRequest) -> Response:
        detail = (await read_params(request)).one("detail")
        if detail not in (None, "min", "max"):
            raise UsageError(f"detail={detail!r} is neither min nor max.", parameter="detail")
        catalogue = services.catalogue()
        return Response(await run_sync(lambda: vosi.tables(catalogue, detail=detail or "max")), media_type=XML)

    async def show_table(request: HttpRequest) -> Response:
        name = request.path_params["name"].replace('"', "")
        table = services.catalogue().table(name)
        if table is None and await run_sync(services.refresh):
            table = services.catalogue().table(name)
        if table is None:
            raise NotFoundError(f"There is no table {request.path_params['name']}.", hint="See /tap/tables for all tables.")
        return Response(vosi.table(table, services.catalogue().keys), media_type=XML)

    return [
        Route(f"{path}/tables", guard(show_tables, Dialect.TEXT), methods=["GET"]),
        Route(f"{path}/tables/{{name:path}}", guard(show_table, Dialect.TEXT), methods=["GET"]),
    ]
