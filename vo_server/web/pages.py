"""The pages of what is published: start, TAP, a resource, a table."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.routing import Route

from vo_server.errors import VoError
from vo_server.http.threads import in_thread
from vo_server.model.catalogue import Table
from vo_server.model.columns import FLOATS
from vo_server.services import Services, Snapshot
from vo_server.web import addresses, beside, datasets, figures, jobs, metrics, queries, search, skyview, snippets
from vo_server.web.citation import cite
from vo_server.web.datasets import has_datasets
from vo_server.web.figures import can_be_drawn
from vo_server.web.kit import Kit, find_resource, find_table, table_views
from vo_server.web.samples import Rows, Statistics

OBSCORE = "ivoa.obscore"
ON_HOME = 100
"""Resources on the start page at once."""


def routes(services: Services) -> list[Route]:
    """Every page, and what stands beside them."""
    kit = Kit(services)
    pages = Pages(kit)
    shown = {
        "/": pages.home,
        "/tap": pages.tap,
        "/tables/{name:path}": pages.table,
        "/resources/{schema}/{name:path}": pages.resource,
    }
    return [
        *(Route(path, kit.endpoint(show), methods=["GET"]) for path, show in shown.items()),
        *queries.routes(kit),
        *jobs.routes(kit),
        *search.routes(kit),
        *datasets.routes(kit),
        *skyview.routes(kit),
        *figures.routes(services, kit.cache),
        *beside.routes(services),
        *metrics.routes(services),
    ]


class Pages:
    """Each method is a page."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.settings = kit.services.settings

    async def home(self, request: Request, snapshot: Snapshot) -> str:
        """What is here and how to use it; ``from`` is the number of the first resource shown, where there are many."""
        asked = request.query_params.get("from", "0")
        first = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
        shown, after = snapshot.resources[first : first + ON_HOME], first + ON_HOME
        return self.kit.render(
            "home.html",
            snapshot,
            resources=[(resource, table_views(snapshot, resource.tables)) for resource in shown],
            more=after if after < len(snapshot.resources) else None,
            others=table_views(snapshot, (table.full_name for table in snapshot.catalogue.tables if table.resource is None)),
            **self._use(snapshot, snippets.example(snapshot.catalogue, snapshot.resources)),
        )

    async def tap(self, _: Request, snapshot: Snapshot) -> str:
        """What a person sees at the address of the TAP service (TAP 1.1 §2)."""
        return self.kit.render(
            "tap.html",
            snapshot,
            settings=self.settings,
            example=snippets.example(snapshot.catalogue, snapshot.resources),
            tables=table_views(snapshot, (table.full_name for table in snapshot.catalogue.tables)),
        )

    async def resource(self, request: Request, snapshot: Snapshot) -> str:
        """A resource: who made it, how to cite it, its tables. Raises NotFoundError."""
        resource = find_resource(snapshot, "{schema}/{name}".format_map(request.path_params))
        address = self.settings.base_url + addresses.resource_page(resource)
        return self.kit.render(
            "resource.html",
            snapshot,
            resource=resource,
            tables=table_views(snapshot, resource.tables),
            citation=cite(resource, snapshot.site, address),
            has_datasets=await in_thread(has_datasets, self.kit.services, resource.id),
            **self._use(snapshot, snippets.example(snapshot.catalogue, [resource]) if resource.tables else None),
        )

    async def table(self, request: Request, snapshot: Snapshot) -> str:
        """A table: what is in its columns, first rows, drawings, cone search, downloads. Raises NotFoundError."""
        view = find_table(snapshot, request.path_params["name"])
        table = view.table
        drawable = [column for column in table.columns if can_be_drawn(column)]
        first, statistics = await self._looks(table)
        return self.kit.render(
            "table.html",
            snapshot,
            view=view,
            table=table,
            resource=next((resource for resource in snapshot.resources if resource.id == table.resource), None),
            first=first,
            statistics=statistics,
            drawable=drawable,
            chosen=chosen_columns(request, table),
            whole=f"SELECT * FROM {view.adql_name}",  # noqa: S608 ADQL in a link
            limit=self.settings.hard_maxrec,
        )

    async def _looks(self, table: Table) -> tuple[Rows | None, Statistics | None]:
        """A first look and statistics; None where the database does not give them in time, which the page says."""
        sampler, state = self.kit.sampler, self.kit.sampler.state(table)

        async def look(name: str, make: Callable[[], Rows | Statistics]) -> Rows | Statistics | None:
            try:
                return await self.kit.cache.get((name, state), make, lambda _: 2000 + 200 * len(table.columns))
            except VoError:
                return None

        first = await look("first", partial(sampler.first, table))
        statistics = await look("statistics", partial(sampler.statistics, table))
        return first if isinstance(first, Rows) else None, statistics if isinstance(statistics, Statistics) else None

    def _use(self, snapshot: Snapshot, shown: snippets.Example | None) -> dict[str, object]:
        """What ``use.html`` shows."""
        return {
            "example": shown,
            "snippets": snippets.write_all(self.settings.base_url, shown) if shown else (),
            "has_images": snapshot.catalogue.table(OBSCORE) is not None,
        }


def chosen_columns(request: Request, table: Table) -> dict[str, str]:
    """The columns to draw: those that the address names, else the first that can be drawn and is no position."""
    found = {name: column.name for name in ("x", "y") if (column := table.column(request.query_params.get(name, "")))}
    if "x" not in found:
        places = (table.position.ra, table.position.dec) if table.position else ()
        drawable = [column for column in table.columns if can_be_drawn(column) and column.name not in places]
        best = sorted(drawable, key=lambda column: (column.datatype not in FLOATS, not column.principal))  # numbers of things come last
        found = {"x": best[0].name} if best else {}
    return found
