"""``/metrics``: numbers for Prometheus, of all processes of this server together, and of the queue of jobs."""

from collections.abc import Iterator

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import MutexValue, ValueClass
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo_server import __version__
from vo_server.http.errors import Dialect, guard
from vo_server.http.threads import in_thread
from vo_server.services import Services

ALONE = ValueClass is MutexValue
"""Whether this process counts for itself, rather than into files that all processes of the server share."""


class ServiceCollector(Collector):
    """What is true of the site now, asked of the database when somebody looks."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def collect(self) -> Iterator[Metric]:
        """The families of numbers; those of the database are missing while it is away, and ``vo_database_up`` says so."""
        catalogue = self.services.catalogue()
        yield GaugeMetricFamily("vo_server_info", f"vo-server {__version__}", value=1)
        yield GaugeMetricFamily("vo_tables", "Published tables.", value=len(catalogue.tables))
        yield GaugeMetricFamily("vo_catalogue_version", "Grows with each change of what is published.", value=catalogue.version)
        try:
            phases = self.services.jobs.count_phases()
        except SQLAlchemyError:
            phases = None
        yield GaugeMetricFamily("vo_database_up", "Whether the database answers.", value=0 if phases is None else 1)
        if phases is not None:
            jobs = GaugeMetricFamily("vo_jobs", "Asynchronous jobs by phase.", labels=("phase",))
            for phase, count in phases.items():
                jobs.add_metric([phase], count)
            yield jobs


def routes(services: Services) -> list[Route]:
    """``/metrics``."""

    def exposition() -> bytes:
        registry = CollectorRegistry()
        registry.register(ServiceCollector(services))
        counted = REGISTRY
        if not ALONE:
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(registry)

    async def metrics(_: Request) -> Response:
        return Response(await in_thread(exposition), headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE_LATEST})

    return [Route("/metrics", guard(metrics, Dialect.TEXT), methods=["GET"])]
