"""VOSI 1.1: capabilities and availability beside every service, tables beside TAP."""

from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo_server.adql.messages import did_you_mean, nearest
from vo_server.documents import vosi
from vo_server.documents.vodataservice import Detail
from vo_server.errors import NotFoundError, UsageError
from vo_server.http.documents import Documents
from vo_server.http.errors import Dialect, guard
from vo_server.http.params import Params, read_params
from vo_server.http.threads import in_thread
from vo_server.model.capability import Capability, InputParam
from vo_server.model.catalogue import Catalogue, Table
from vo_server.model.names import bare_full_name
from vo_server.services import Services

XML = "text/xml"

DETAIL = InputParam("detail", "string", "min: without columns; max: with them, as without the parameter")
"""VOSI 1.1 §3.3.1."""

TAP_PLUS = ("tables", "only_tables", "share_accessible")
"""What the archives of ESA take at ``/tables``, and so astroquery sends: names of tables; whether without columns; whether with tables
that others share, of which there are none. It reads no column without an attribute of ESA's, which no schema of the IVOA allows: so
these parameters, which nobody else sends, bring it, and VOSI's own document goes without.
"""

CapabilityList = Callable[[], Sequence[Capability]]


def routes(services: Services, path: str, capabilities: CapabilityList) -> list[Route]:
    """``/capabilities`` and ``/availability`` below `path`."""

    documents = Documents(services.clock)

    async def show_capabilities(request: HttpRequest) -> Response:
        version = services.catalogue().version
        return await documents.reply(request, "capabilities", version, lambda: vosi.capabilities(capabilities()), XML)

    async def show_availability(_: HttpRequest) -> Response:
        return await availability(services)

    return [
        Route(f"{path}/capabilities", guard(show_capabilities, Dialect.TEXT), methods=["GET"]),
        Route(f"{path}/availability", guard(show_availability, Dialect.TEXT), methods=["GET"]),
    ]


TableCapabilities = Callable[[Table], Sequence[Capability]]


def routes_of_tables(services: Services, path: str, find: Callable[[str], Table], capabilities: TableCapabilities) -> list[Route]:
    """The same, and ``/tables``, below `path` for services that search one table each: its name is the path's ``{table}``."""

    documents = Documents(services.clock)

    async def show_capabilities(request: HttpRequest) -> Response:
        table = await in_thread(find, request.path_params["table"])
        version = services.catalogue().version
        return await documents.reply(
            request, f"{table.full_name} capabilities", version, lambda: vosi.capabilities(capabilities(table)), XML
        )

    async def show_tables(request: HttpRequest) -> Response:
        table = await in_thread(find, request.path_params["table"])
        catalogue = services.catalogue().only((table,))
        return await documents.reply(request, f"{table.full_name} tables", catalogue.version, lambda: vosi.tables(catalogue), XML)

    async def show_availability(request: HttpRequest) -> Response:
        await in_thread(find, request.path_params["table"])
        return await availability(services)

    shown = (("capabilities", show_capabilities), ("tables", show_tables), ("availability", show_availability))
    return [Route(f"{path}/{name}", guard(show, Dialect.TEXT), methods=["GET"]) for name, show in shown]


async def show_catalogue(services: Services, chosen: Callable[[Catalogue], Catalogue], _: HttpRequest) -> Response:
    """The tables that `chosen` leaves of the catalogue."""
    return Response(await in_thread(lambda: vosi.tables(chosen(services.catalogue()))), media_type=XML)


async def availability(services: Services) -> Response:
    """Whether the services are up: they stand and fall with the database."""
    up = await services.is_up()
    note = None if up else "The database does not answer."
    return Response(vosi.availability(services.started, available=up, note=note), media_type=XML)


def table_routes(services: Services, path: str) -> list[Route]:
    """``/tables`` and ``/tables/{name}`` below `path` (VOSI 1.1 §3.3)."""

    documents = Documents(services.clock)

    async def find(name: str) -> Table:
        table = _find(services.catalogue(), name)
        if table is None and await in_thread(services.refresh):
            table = _find(services.catalogue(), name)
        if table is None:
            meant = did_you_mean(nearest(name, (one.full_name for one in services.catalogue().tables)))
            raise NotFoundError(f"There is no table {name}.", hint=meant or f"See {path}/tables for all tables.")
        return table

    async def show_tables(request: HttpRequest) -> Response:
        params = await read_params(request)
        if any(params.one(name) for name in TAP_PLUS):
            return await show_tables_plus(request, params)
        detail = _detail(params.one("detail"))
        catalogue = services.catalogue()
        return await documents.reply(request, f"detail={detail}", catalogue.version, lambda: vosi.tables(catalogue, detail=detail), XML)

    async def show_tables_plus(request: HttpRequest, params: Params) -> Response:
        detail: Detail = "min" if params.one("only_tables") == "true" else "max"
        wanted = params.one("tables")
        if wanted:  # not kept: names can be put together in too many ways
            named = tuple([await find(name) for name in wanted.split(",")])
            some = services.catalogue().only(named)
            return Response(await in_thread(lambda: vosi.tables(some, detail=detail, flags=True)), media_type=XML)
        catalogue = services.catalogue()
        render = partial(vosi.tables, catalogue, detail=detail, flags=True)
        return await documents.reply(request, f"detail={detail} flags", catalogue.version, render, XML)

    async def show_table(request: HttpRequest) -> Response:
        shown = await find(request.path_params["name"])
        catalogue = services.catalogue()
        return await documents.reply(request, shown.full_name, catalogue.version, lambda: vosi.table(shown, catalogue.keys), XML)

    return [
        Route(f"{path}/tables", guard(show_tables, Dialect.TEXT), methods=["GET"]),
        Route(f"{path}/tables/{{name:path}}", guard(show_table, Dialect.TEXT), methods=["GET"]),
    ]


def _find(catalogue: Catalogue, name: str) -> Table | None:
    """A table by its bare name, as addresses here have it, or as one writes it in ADQL, in quotes where they are needed."""
    return catalogue.table(name) or catalogue.table(bare_full_name(name))


def _detail(text: str | None) -> Detail:
    """How much of each table (VOSI 1.1 §3.3.1); all of it unless asked otherwise."""
    if text in (None, "max"):
        return "max"
    if text == "min":
        return "min"
    raise UsageError(f"detail={text!r} is neither min nor max.", parameter="detail")
