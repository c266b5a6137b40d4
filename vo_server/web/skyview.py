"""``/sky``: rows, footprints and coverages over images of the sky, by Aladin Lite.

Aladin Lite is a program of somebody else, loaded from where the setting ``aladin_url`` says. It runs in a frame without an origin of its
own (``sandbox``), so that it reads nothing of this site but what anybody may, and the strict policy of all other pages stays as it is.
"""

from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from vo_server.errors import UsageError
from vo_server.http.errors import Dialect, guard
from vo_server.http.threads import in_thread
from vo_server.libraries import later
from vo_server.model.catalogue import Table
from vo_server.model.names import adql_name, adql_table_name
from vo_server.model.resource import Resource
from vo_server.services import Snapshot
from vo_server.sky.mocs import blurred
from vo_server.sql import compile_adql
from vo_server.web.datasets import DatasetPages, find_outline, outline
from vo_server.web.kit import Kit, find_position, find_resource, find_table
from vo_server.web.samples import read_rows

mocpy = later("mocpy")

MOST_ROWS = 5000
MOST_ORDER = 7
"""Coverages are shown no finer."""
LABELS = "meta.id;meta.main"
SURVEYS = "https://*.unistra.fr https://*.u-strasbg.fr"
"""Where images of the sky come from."""

NOTHING: dict[str, Any] = {"name": "", "points": [], "labels": [], "footprints": [], "moc": None, "target": None}


def routes(kit: Kit) -> list[Route]:
    """The page, its frame, and what the frame shows; none of them where Aladin Lite is switched off."""
    if not kit.services.settings.aladin_url:
        return []
    view = SkyView(kit)
    return [
        Route("/sky", kit.endpoint(view.page), methods=["GET"]),
        Route("/sky/frame", view.frame, methods=["GET"]),
        Route("/sky/layers.json", guard(view.layers, Dialect.TEXT), methods=["GET"]),
    ]


def frame_headers(aladin_url: str) -> dict[str, str]:
    """The policy of the frame: scripts from here and from the one origin of Aladin Lite."""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(aladin_url))
    policy = (
        f"default-src 'none'; script-src 'self' {origin} 'wasm-unsafe-eval'; style-src 'self'; "
        f"img-src 'self' data: blob: {origin} {SURVEYS}; connect-src 'self' data: blob: {origin} {SURVEYS}; worker-src blob:; "
        "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
    )
    return {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class SkyView:
    """The endpoints of ``/sky``."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.datasets = DatasetPages(kit)

    async def page(self, request: Request, snapshot: Snapshot) -> str:
        """A ``table``, a ``resource`` or a dataset (``ID``) on the sky."""
        layers = await self._layers(request, snapshot)
        return self.kit.render("sky.html", snapshot, layers=layers, asked=request.url.query, aladin=self.kit.services.settings.aladin_url)

    async def frame(self, _: Request) -> Response:
        """The document that Aladin Lite runs in."""
        url = self.kit.services.settings.aladin_url
        page = self.kit.environment.get_template("frame.html").render(aladin=url)
        return HTMLResponse(page, headers=frame_headers(url))

    async def layers(self, request: Request) -> Response:
        """What to show, as JSON: ``name``, ``points`` ([ra, dec] each) with ``labels``, ``footprints`` (lists of corners), ``moc`` (order →
        cells), all in degrees (ICRS).
        """
        return JSONResponse(await self._layers(request, self.kit.services.snapshot()), headers={"Cache-Control": "max-age=60"})

    async def _layers(self, request: Request, snapshot: Snapshot) -> dict[str, Any]:
        asked = request.query_params
        if "table" in asked:
            table = find_table(snapshot, asked["table"]).table
            key = ("layers", self.kit.sampler.state(table))
            return await self.kit.cache.get(key, partial(self._of_table, table, snapshot), lambda _: 60 * MOST_ROWS)
        if "resource" in asked:
            return await in_thread(self._of_resource, find_resource(snapshot, asked["resource"]))
        if "ID" in asked:
            view = await in_thread(self.datasets.view, asked["ID"])
            corners = find_outline(view.dataset)
            return {**NOTHING, "name": view.name, "footprints": [corners], "target": corners[0], "page": view.page}
        raise UsageError("Say what to show: a table, a resource, or the ID of a dataset.", parameter="table")

    def _of_table(self, table: Table, snapshot: Snapshot) -> dict[str, Any]:
        position = find_position(table)
        label = next((column.name for column in table.columns if (column.ucd or "") == LABELS), None)
        columns = [position.ra, position.dec, *([label] if label else [])]
        names = ", ".join(adql_name(name) for name in columns)
        adql = f"SELECT TOP {MOST_ROWS} {names} FROM {adql_table_name(table.schema, table.name)}"  # noqa: S608 ADQL
        rows = read_rows(self.kit.services.page_pool, compile_adql(adql, snapshot.catalogue), MOST_ROWS).values
        known = [row for row in rows if row[0] is not None and row[1] is not None]
        return {
            **NOTHING,
            "name": table.title or table.full_name,
            "points": [(float(row[0]), float(row[1])) for row in known],
            "labels": [str(row[2]) for row in known] if label else [],
        }

    def _of_resource(self, resource: Resource) -> dict[str, Any]:
        moc = None
        if resource.coverage.spatial:
            moc = mocpy.MOC.from_string(blurred(resource.coverage.spatial, MOST_ORDER)).serialize(format="json")
        views, _, _ = self.datasets.found(resource.id, 0)
        outlines = [outline(view.dataset) for view in views if view.dataset.shape or view.dataset.circle]
        return {**NOTHING, "name": resource.title, "footprints": outlines, "moc": moc, "target": resource.sample}
