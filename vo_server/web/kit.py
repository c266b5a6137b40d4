"""What every page is made with: the templates and the words they use, what is kept between requests, errors as pages, headers."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vo_server.errors import InternalError, NotFoundError, VoError
from vo_server.http.errors import Dialect, Endpoint, guard, render
from vo_server.http.threads import in_thread
from vo_server.model.catalogue import Position, Table
from vo_server.model.columns import Column
from vo_server.model.names import adql_table_name
from vo_server.model.resource import Resource
from vo_server.services import Services, Snapshot
from vo_server.settings import Settings
from vo_server.web import addresses, beside, cells, words
from vo_server.web.cache import Cache
from vo_server.web.samples import Sampler
from vo_server.web.security import HEADERS

FORMS = (("CSV", "csv"), ("VOTable", "votable"), ("JSON", "json"))
"""Formats offered where there is little room: what people call them, RESPONSEFORMAT."""

ALL_FORMS = (
    ("VOTable", "votable"),
    ("VOTable (binary)", "votable/b2"),
    ("FITS", "fits"),
    ("CSV", "csv"),
    ("TSV", "tsv"),
    ("JSON", "json"),
    ("Parquet", "parquet"),
    ("Arrow", "arrow"),
    ("HTML", "html"),
    ("plain text", "text"),
)
"""The same, every one."""

Show = Callable[[Request, Snapshot], Awaitable[str | Response]]


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


@dataclass
class Kit:
    """One for all pages of a server."""

    services: Services
    cache: Cache = field(default_factory=Cache)

    @cached_property
    def sampler(self) -> Sampler:
        """Rows to look at."""
        return Sampler(self.services)

    @cached_property
    def environment(self) -> Environment:
        """The templates."""
        return make_environment(self.services.settings)

    def render(self, template: str, snapshot: Snapshot, **values: object) -> str:
        """A template filled in."""
        return self.environment.get_template(template).render(site=snapshot.site, **values)

    def endpoint(self, show: Show, headers: dict[str, str] = HEADERS) -> Endpoint:
        """An endpoint that answers with what `show` makes of the snapshot; its errors are pages too, all under the same strict headers.

        What the snapshot at hand does not hold is looked for once more in what was published this very moment.
        """

        async def find(request: Request) -> Response:
            try:
                return await answer(request)
            except NotFoundError:
                if not await in_thread(self.services.refresh):
                    raise
            return await answer(request)

        async def answer(request: Request) -> Response:
            shown = await show(request, self.services.snapshot())
            return HTMLResponse(shown) if isinstance(shown, str) else shown

        def tell(error: VoError, dialect: Dialect) -> Response:
            return render(error, dialect) if isinstance(error, InternalError) else self.tell(error)  # the fault may be the page's own

        found = guard(find, Dialect.HTML, tell)

        async def secured(request: Request) -> Response:
            reply = await found(request)
            reply.headers.update(headers)
            return reply

        return secured

    def tell(self, error: VoError) -> Response:
        """An error as a page."""
        plain = render(error, Dialect.TEXT)
        page = self.render("error.html", self.services.snapshot(), status=plain.status_code, message=error.message, hint=error.hint)
        kept = {name: value for name, value in plain.headers.items() if name == "retry-after"}
        return HTMLResponse(page, plain.status_code, kept)


def table_views(snapshot: Snapshot, names: Iterable[str]) -> list[TableView]:
    """The tables of these full names, as far as they are published."""
    samples = {resource.id: resource.sample for resource in snapshot.resources}
    tables = [table for name in names if (table := snapshot.catalogue.table(name))]
    return [TableView(table, samples.get(table.resource or "")) for table in tables]


def find_table(snapshot: Snapshot, name: str) -> TableView:
    """The table of an address; NotFoundError."""
    views = table_views(snapshot, [name]) or table_views(snapshot, [name.replace('"', "")])  # as in addresses, or as in ADQL
    if not views:
        raise NotFoundError(f"There is no table {name}.", hint="The start page lists all tables.")
    return views[0]


def find_position(table: Table) -> Position:
    """The columns with a table's positions; NotFoundError."""
    if table.position is None:
        raise NotFoundError(f"The table {table.full_name} has no positions.")
    return table.position


def find_resource(snapshot: Snapshot, identifier: str) -> Resource:
    """The resource of this id, ``schema/name``; NotFoundError."""
    found = next((one for one in snapshot.resources if one.id == identifier), None)
    if found is None:
        raise NotFoundError(f"There is no resource {identifier}.", hint="The start page lists all resources.")
    return found


def make_environment(settings: Settings) -> Environment:
    """The templates with the words they use. Everything is escaped; a name that a template misspells is an error."""
    environment = Environment(
        loader=PackageLoader("vo_server.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        here=addresses.prefix(settings.base_url),
        base=settings.base_url,
        title=settings.title,
        has_sky_view=bool(settings.aladin_url),
        at=addresses,
        forms=FORMS,
        all_forms=ALL_FORMS,
        static=static_address,
    )
    environment.filters.update(
        summary=words.summary,
        covered=words.covered,
        sky_words=words.sky,
        date_words=lambda span: words.dates(*span),
        energy_words=lambda span: words.energies(*span),
        size_words=words.number,
        type_words=type_words,
        web_address=cells.web_address,
        is_number=cells.is_number,
        cell=cells.cell,
    )
    return environment


def static_address(name: str) -> str:
    """Where a file of ``static`` lies; the address changes with its content."""
    return f"/static/{name}?{beside.digest(name)}"


def type_words(column: Column) -> str:
    """The type of a column as one says it: ``double``, ``text``, ``timestamp``, ``float[16]``."""
    if column.xtype:
        return column.xtype.removeprefix("adql:").lower()
    if column.is_text:
        return "text"
    return column.datatype + (f"[{column.arraysize}]" if column.arraysize else "")
