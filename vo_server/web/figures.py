"""``/plots/…``: the drawings of pages, each at an address that names all it is made of."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo_server.errors import NotFoundError, UsageError
from vo_server.http.errors import Dialect, guard
from vo_server.model.catalogue import Table
from vo_server.model.columns import NUMBERS, Column
from vo_server.services import Services
from vo_server.web import plots, skymap, svg
from vo_server.web.cache import Cache
from vo_server.web.kit import find_position, find_resource, find_table
from vo_server.web.samples import Sampler

HEADERS = {"Content-Security-Policy": svg.POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=3600"}


def can_be_drawn(column: Column) -> bool:
    """Whether a column's values have a place on an axis."""
    return (column.datatype in NUMBERS and not column.is_array) or column.is_timestamp


def label(column: Column) -> str:
    """What stands at an axis."""
    unit = "MJD" if column.is_timestamp else column.unit
    return f"{column.name} [{unit}]" if unit else column.name


def routes(services: Services, cache: Cache) -> list[Route]:
    """All drawings."""
    figures = Figures(services, cache)
    shown = {
        "/plots/coverage.svg": figures.coverage,
        "/plots/sky.svg": figures.sky,
        "/plots/columns.svg": figures.columns,
    }
    return [Route(path, guard(draw, Dialect.TEXT), methods=["GET"]) for path, draw in shown.items()]


class Figures:
    """Each method is a drawing; what it shows is said in the query string."""

    def __init__(self, services: Services, cache: Cache) -> None:
        self.services, self.cache = services, cache
        self.sampler = Sampler(services)

    async def coverage(self, request: Request) -> Response:
        """The sky that a ``resource`` covers."""
        resource = find_resource(self.services.snapshot(), request.query_params.get("resource", ""))
        moc = resource.coverage.spatial
        if not moc:
            raise NotFoundError(f"The sky that {resource.id} covers is not known.")
        return await self._drawn(("coverage", moc), partial(skymap.coverage_map, moc, f"Sky covered by {resource.title}"))

    async def sky(self, request: Request) -> Response:
        """Where the rows of a ``table`` lie."""
        table = self._table(request)
        position = find_position(table)

        def draw() -> str:
            ra, dec = self.sampler.numbers(table, (position.ra, position.dec))
            return skymap.density_map(ra, dec, f"Positions of {table.full_name} on the sky")

        return await self._drawn(("sky", self.sampler.state(table)), draw)

    async def columns(self, request: Request) -> Response:
        """Column ``x`` of a ``table``: how often which values occur; with ``y`` one against the other."""
        table = self._table(request)
        chosen = [self._column(table, request.query_params.get(name)) for name in ("x", "y") if request.query_params.get(name)]
        if not chosen:
            raise UsageError("The parameter x names the column to draw.", parameter="x")

        def draw() -> str:
            values = self.sampler.numbers(table, [column.name for column in chosen])
            if len(chosen) == 1:
                return plots.histogram(values[0], label(chosen[0]), f"Values of {chosen[0].name} in {table.full_name}")
            title = f"{chosen[1].name} against {chosen[0].name} in {table.full_name}"
            return plots.against(values[0], values[1], (label(chosen[0]), label(chosen[1])), title)

        return await self._drawn(("columns", self.sampler.state(table), *(column.name for column in chosen)), draw)

    def _table(self, request: Request) -> Table:
        return find_table(self.services.snapshot(), request.query_params.get("table", "")).table

    def _column(self, table: Table, name: str | None) -> Column:
        column = table.column(name or "")
        if column is None or not can_be_drawn(column):
            raise UsageError(f"{table.full_name} has no column {name} of numbers or times.")
        return column

    async def _drawn(self, key: tuple[object, ...], draw: Callable[[], str]) -> Response:
        text = await self.cache.get(("figure", *key), draw, len)
        return Response(text, headers=HEADERS, media_type=svg.MEDIA_TYPE)
