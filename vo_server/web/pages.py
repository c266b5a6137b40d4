"""The pages: start, TAP, a table, a resource."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from anyio.to_thread import run_sync
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vo_server.errors import NotFoundError
from vo_server.http.errors import Dialect, Endpoint, guard
from vo_server.model.catalogue import Table
from vo_server.model.columns import Column
from vo_server.model.names import adql_table_name
from vo_server.services import Services, Snapshot
from vo_server.settings import Settings
from vo_server.web import addresses, beside, metrics, snippets, words
from vo_server.web.security import HEADERS

OBSCORE = "ivoa.obscore"

FORMS = (("CSV", "csv"), ("VOTable", "votable"), ("JSON", "json"))
"""Formats offered on pages: what people call them, RESPONSEFORMAT."""

Show = Callable[..., str]


@dataclass(frozen=True, slots=True)
class TableView:
    """A table with what its pages need. ``sample``: where one of its resource's rows lies, None: not known."""

    table: Table
    sample: tuple[float, float] | None

    @property
    def adql_name(self) -> str:
        """As it is written after FROM."""
        return adql_table_name(self.table.schema, self.table.name)

    @property
    def size(self) -> str:
        """Rows (where they are counted) and columns, in words."""
        rows = [words.count(self.table.nrows, "row")] if self.table.nrows is not None else []
        return ", ".join([*rows, words.count(len(self.table.columns), "column")])


class Pages:
    """Snapshot → HTML. Each method is a page; the parameters behind the snapshot come from its address."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.environment = make_environment(settings.base_url, settings.title)

    def home(self, snapshot: Snapshot) -> str:
        """What is here and how to use it."""
        base, shown = self.settings.base_url, snippets.example(snapshot.catalogue, snapshot.resources)
        return self._render(
            "home.html",
            snapshot,
            resources=[(resource, table_views(snapshot, resource.tables)) for resource in snapshot.resources],
            others=table_views(snapshot, (table.full_name for table in snapshot.catalogue.tables if table.resource is None)),
            example=shown,
            snippets=snippets.write_all(base, shown) if shown else (),
            has_images=snapshot.catalogue.table(OBSCORE) is not None,
        )

    def tap(self, snapshot: Snapshot) -> str:
        """What a person sees at the address of the TAP service (TAP 1.1 §2)."""
        return self._render(
            "tap.html",
            snapshot,
            settings=self.settings,
            example=snippets.example(snapshot.catalogue, snapshot.resources),
            tables=table_views(snapshot, (table.full_name for table in snapshot.catalogue.tables)),
        )

    def table(self, snapshot: Snapshot, name: str) -> str:
        """A table: its columns, first rows, cone search. Raises NotFoundError."""
        views = table_views(snapshot, [name]) or table_views(snapshot, [name.replace('"', "")])  # as in addresses, or as in ADQL
        if not views:
            raise NotFoundError(f"There is no table {name}.", hint="The start page lists all tables.")
        resource = next((resource for resource in snapshot.resources if resource.id == views[0].table.resource), None)
        return self._render("table.html", snapshot, view=views[0], table=views[0].table, resource=resource)

    def resource(self, snapshot: Snapshot, schema: str, name: str) -> str:
        """A resource: who made it, how to cite it, its tables. Raises NotFoundError."""
        resource = next((resource for resource in snapshot.resources if (resource.schema, resource.name) == (schema, name)), None)
        if resource is None:
            raise NotFoundError(f"There is no resource {schema}/{name}.", hint="The start page lists all resources.")
        return self._render("resource.html", snapshot, resource=resource, tables=table_views(snapshot, resource.tables))

    def _render(self, template: str, snapshot: Snapshot, **values: object) -> str:
        return self.environment.get_template(template).render(site=snapshot.site, **values)


def routes(services: Services) -> list[Route]:
    """Every page, and what stands beside them."""
    pages = Pages(services.settings)
    shown: tuple[tuple[str, Show], ...] = (
        ("/", pages.home),
        ("/tap", pages.tap),
        ("/tables/{name:path}", pages.table),
        ("/resources/{schema}/{name:path}", pages.resource),
    )
    return [
        *(Route(path, page(services, show), methods=["GET"]) for path, show in shown),
        *beside.routes(services),
        *metrics.routes(services),
    ]


def page(services: Services, show: Show) -> Endpoint:
    """An endpoint that answers with what `show` makes of the snapshot; its errors are pages too, all under the same strict headers.

    What the snapshot at hand does not hold is looked for once more in what was published this very moment.
    """

    async def find(request: Request) -> Response:
        try:
            return HTMLResponse(show(services.snapshot(), **request.path_params))
        except NotFoundError:
            if not await run_sync(services.refresh):
                raise
            return HTMLResponse(show(services.snapshot(), **request.path_params))

    found = guard(find, Dialect.HTML)

    async def secured(request: Request) -> Response:
        reply = await found(request)
        reply.headers.update(HEADERS)
        return reply

    return secured


def table_views(snapshot: Snapshot, names: Iterable[str]) -> list[TableView]:
    """The tables of these full names, as far as they are published."""
    samples = {resource.id: resource.sample for resource in snapshot.resources}
    tables = [table for name in names if (table := snapshot.catalogue.table(name))]
    return [TableView(table, samples.get(table.resource or "")) for table in tables]


def make_environment(base_url: str, title: str) -> Environment:
    """The templates with the words they use. Everything is escaped; a name that a template misspells is an error."""
    environment = Environment(
        loader=PackageLoader("vo_server.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        here=addresses.prefix(base_url),
        base=base_url,
        title=title,
        at=addresses,
        forms=FORMS,
        style=f"/static/style.css?{beside.digest('style.css')}",
    )
    environment.filters.update(summary=words.summary, covered=words.covered, type_words=type_words, web_address=web_address)
    return environment


def type_words(column: Column) -> str:
    """The type of a column as one says it: ``double``, ``text``, ``timestamp``, ``float[16]``."""
    if column.xtype:
        return column.xtype.removeprefix("adql:").lower()
    if column.is_text:
        return "text"
    return column.datatype + (f"[{column.arraysize}]" if column.arraysize else "")


def web_address(text: str | None) -> str | None:
    """`text` if a browser may be sent there, else None: what a descriptor says is not trusted with ``javascript:``."""
    return text if text and text.startswith(("https://", "http://")) else None
