"""``/datasets``: images, spectra and events with their previews. ``/dataset``: one, its footprint, its files, a form for cut-outs."""

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from sqlalchemy import Select, func, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo_server.db import schema
from vo_server.errors import NotFoundError
from vo_server.http.errors import Dialect, guard
from vo_server.http.threads import in_thread
from vo_server.model.dataset import StoredDataset
from vo_server.query.datasets import file_url, find_datasets, is_kept_back
from vo_server.query.descriptors import is_cuttable
from vo_server.services import Services, Snapshot
from vo_server.web import figures, skymap, svg
from vo_server.web.kit import Kit, find_resource

ON_A_PAGE = 24
CIRCLE_POINTS = 72


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A dataset with what its pages need. Addresses are below the public URL; None: there is none, or it is not public yet."""

    dataset: StoredDataset
    kept_back: bool
    preview: str | None

    @property
    def page(self) -> str:
        """Its page."""
        return f"/dataset?{urlencode({'ID': self.dataset.identifier})}"

    @property
    def name(self) -> str:
        """What to call it."""
        return self.dataset.title or self.dataset.identifier.rpartition("/")[2]

    @property
    def footprint(self) -> str | None:
        """The drawing of where it lies."""
        has = self.dataset.shape or self.dataset.circle
        return f"/plots/footprint.svg?{urlencode({'ID': self.dataset.identifier})}" if has else None

    @property
    def can_be_cut(self) -> bool:
        """Whether parts of it can be had here."""
        return not self.kept_back and is_cuttable(self.dataset)


def routes(kit: Kit) -> list[Route]:
    """The list, one of it, its footprint."""
    pages = DatasetPages(kit)
    return [
        Route("/datasets", kit.endpoint(pages.show_all), methods=["GET"]),
        Route("/dataset", kit.endpoint(pages.show), methods=["GET"]),
        Route("/plots/footprint.svg", guard(pages.footprint, Dialect.TEXT), methods=["GET"]),
    ]


class DatasetPages:
    """Each method is a page."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.services = kit.services

    async def show_all(self, request: Request, snapshot: Snapshot) -> str:
        """All datasets, or those of a ``resource``, so many to a page; ``after`` is the last one's key of the page before."""
        asked = request.query_params.get("resource", "")
        after = request.query_params.get("after", "0")
        resource = find_resource(snapshot, asked) if asked else None
        first = int(after) if after.isascii() and after.isdigit() and len(after) < 18 else 0
        views, last, total = await in_thread(self.found, asked, first)
        more = {"after": str(last), **({"resource": asked} if asked else {})}
        return self.kit.render(
            "datasets.html",
            snapshot,
            views=views,
            more=f"/datasets?{urlencode(more)}" if last else None,
            total=total,
            resource=resource,
            begun=after != "0",
        )

    async def show(self, request: Request, snapshot: Snapshot) -> str:
        """One dataset, by its ``ID`` (obs_publisher_did)."""
        view = await in_thread(self.view, request.query_params.get("ID", ""))
        resource = next((one for one in snapshot.resources if one.id == view.dataset.resource), None)
        base = self.services.settings.base_url
        links = [
            (link.description or link.semantics, file_url(link.place, "") if link.place else link.access_url, link.content_type)
            for link in view.dataset.links
            if not (view.kept_back and link.place)
        ]
        return self.kit.render(
            "dataset.html",
            snapshot,
            view=view,
            dataset=view.dataset,
            resource=resource,
            address=(view.dataset.access_url or "").removeprefix(base) or None,
            links=links,
            datalink=f"/datalink/links?{urlencode({'ID': view.dataset.identifier})}",
        )

    async def footprint(self, request: Request) -> Response:
        """The sky, and on it the outline of a dataset."""
        view = await in_thread(self.view, request.query_params.get("ID", ""))
        drawn = skymap.footprint_map(find_outline(view.dataset), f"Footprint of {view.name}")
        return Response(drawn, headers=figures.HEADERS, media_type=svg.MEDIA_TYPE)

    def found(self, resource: str, after: int) -> tuple[list[DatasetView], int | None, int]:
        """A page of datasets behind the key `after`, the key of the last of them if there are more, and how many there are in all."""
        row = schema.obscore.c
        with self.services.database.engine.connect() as connection:
            chosen = _of(select(row.obs_key, row.obs_publisher_did), resource).where(row.obs_key > after)
            rows = connection.execute(chosen.order_by(row.obs_key).limit(ON_A_PAGE + 1)).all()
            total = int(connection.execute(_of(select(func.count()).select_from(schema.obscore), resource)).scalar_one())
            found = find_datasets(connection, [one.obs_publisher_did for one in rows[:ON_A_PAGE]], self.services.settings.base_url)
        views = [self._seen(found[one.obs_publisher_did]) for one in rows[:ON_A_PAGE] if one.obs_publisher_did in found]
        return views, rows[ON_A_PAGE - 1].obs_key if len(rows) > ON_A_PAGE else None, total

    def view(self, identifier: str) -> DatasetView:
        """The dataset of an identifier; NotFoundError."""
        with self.services.database.engine.connect() as connection:
            found = find_datasets(connection, [identifier], self.services.settings.base_url)
        if identifier not in found:
            raise NotFoundError(f"There is no dataset {identifier or 'without an ID'}.", hint="All datasets are listed under /datasets.")
        return self._seen(found[identifier])

    def _seen(self, dataset: StoredDataset) -> DatasetView:
        kept_back = is_kept_back(dataset.release, self.services.clock())
        pictures = (link.place for link in dataset.links if link.semantics == "#preview" and link.place)
        place = None if kept_back else next(pictures, None)
        return DatasetView(dataset, kept_back, file_url(place, "") if place else None)


def has_datasets(services: Services, resource: str) -> bool:
    """Whether a resource has any datasets."""
    with services.database.engine.connect() as connection:
        return connection.execute(_of(select(schema.obscore.c.obs_key), resource).limit(1)).first() is not None


def find_outline(dataset: StoredDataset) -> list[tuple[float, float]]:
    """The outline of a dataset; NotFoundError if it is not known where it lies."""
    if dataset.shape is None and dataset.circle is None:
        raise NotFoundError("It is not known where this dataset lies.")
    return outline(dataset)


def outline(dataset: StoredDataset) -> list[tuple[float, float]]:
    """The corners of a dataset's footprint, or points on its circle, in degrees."""
    shape = dataset.shape if dataset.shape and len(dataset.shape) > 3 else None
    if shape:
        return list(zip(shape[::2], shape[1::2], strict=True))
    ra, dec, radius = dataset.shape or dataset.circle or (0.0, 0.0, 0.0)
    turn = np.linspace(0, 2 * np.pi, CIRCLE_POINTS, endpoint=False)
    lat = np.arcsin(
        np.sin(np.radians(dec)) * np.cos(np.radians(radius)) + np.cos(np.radians(dec)) * np.sin(np.radians(radius)) * np.cos(turn)
    )
    east = np.sin(turn) * np.sin(np.radians(radius)) * np.cos(np.radians(dec))
    lon = np.radians(ra) + np.arctan2(east, np.cos(np.radians(radius)) - np.sin(np.radians(dec)) * np.sin(lat))
    return list(zip(np.degrees(lon).tolist(), np.degrees(lat).tolist(), strict=True))


def _of(chosen: Select, resource: str) -> Select:  # type: ignore[type-arg]
    """The same for the datasets of one resource; of all where its id is empty."""
    if not resource:
        return chosen
    name = schema.resources.c.schema_name + "/" + schema.resources.c.name
    of = select(schema.collections.c.collection).join(schema.resources).where(name == resource)
    return chosen.where(schema.obscore.c.collection.in_(of))
