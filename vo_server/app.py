"""The composition root: everything that is routed, and everything that is said of it, on one screen."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from vo_registry import oai
from vo_registry.records import MOST_RELATED, Rendered, identifiers_about, render_about, render_all, shared_identifiers
from vo_server import openapi, web
from vo_server.db.catalogue import (
    count_resources,
    load_catalogue,
    load_holdings,
    load_products,
    load_resources,
    load_site,
    read_fingerprint,
    store_fingerprint,
)
from vo_server.db.definitions import read_digest
from vo_server.db.records import Changes as RecordChanges
from vo_server.db.records import lock_records, sync_records
from vo_server.http.compress import Compressed
from vo_server.http.middleware import AnyOrigin, BoundedBody, OneSpelling
from vo_server.http.observe import Observed
from vo_server.jobs.work import Perform
from vo_server.jobs.worker import Runner, Worker
from vo_server.model.capability import Capability, ServiceCapabilities
from vo_server.model.catalogue import Table
from vo_server.protocols import cones, datalink, files, scs, scs2, sia1, sia2, soda, ssa, tap
from vo_server.services import Clock, Services, Snapshot, load_snapshot, utc_now
from vo_server.settings import Settings


def create_app(services: Services) -> Starlette:
    """The web application over what `services` has open."""

    def of(path: str) -> Callable[[], tuple[Capability, ...]]:
        return lambda: next(part.capabilities for part in capabilities(services.settings, services.snapshot()) if part.path == path)

    def of_table(path: str) -> Callable[[Table], tuple[Capability, ...]]:
        return lambda table: of(f"{path}/{table.full_name}")()

    routes: list[BaseRoute] = [
        *web.routes(services),
        *tap.routes(services, of(tap.PATH)),
        *scs.routes(services, of_table(scs.PATH)),
        *scs2.routes(services, of(scs2.PATH), of_table(scs2.PATH)),
        *sia2.routes(services, of(sia2.PATH)),
        *sia1.routes(services, of(sia1.PATH)),
        *ssa.routes(services, of(ssa.PATH)),
        *datalink.routes(services, of(datalink.PATH)),
        *soda.routes(services, of(soda.PATH)),
        *files.routes(services),
        *oai.routes(services),
    ]
    routes += openapi.routes(services, routes, lambda: capabilities(services.settings, services.snapshot()))
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(OneSpelling),
            Middleware(AnyOrigin),
            Middleware(Compressed),
            Middleware(Observed, log_requests=services.settings.log_requests, trusted_proxies=services.settings.trusted_proxies),
            Middleware(BoundedBody, most=services.settings.body_bytes),
        ],
        exception_handlers={HTTPException: web.http_errors(services)},
    )
    app.router.redirect_slashes = False  # both spellings are answered in place, by OneSpelling
    return app


def performers(services: Services) -> dict[str, Perform]:
    """What each kind of job does."""
    return {tap.JOB_KIND: tap.performer(services), soda.JOB_KIND: soda.performer(services)}


def create_worker(services: Services) -> Worker:
    """A worker for all kinds of jobs, not yet started; SetupError if it does not reach the server's result store."""
    with services.database.engine.connect() as connection:
        services.results.check(connection)
    settings = services.settings
    runner = Runner(services.jobs, services.results, performers(services))
    return Worker(services.database, runner, settings.worker_concurrency, settings.stalled_seconds)


def capabilities(settings: Settings, snapshot: Snapshot) -> tuple[ServiceCapabilities, ...]:
    """Every service and what it can do, for VOSI and for the registry."""
    catalogue = snapshot.catalogue
    return (
        tap.capability(settings, catalogue),
        sia2.capability(settings, catalogue),
        sia1.capability(settings, snapshot.holdings),
        datalink.capability(settings, catalogue),
        soda.capability(settings, catalogue),
        ssa.capability(settings, snapshot.holdings),
        scs2.capability(settings, catalogue, snapshot.resources),
        *(
            describe(settings, table, snapshot.resources)
            for table in filter(cones.is_searchable, catalogue.tables)
            for describe in (scs.capability, scs2.table_capability)
        ),
    )


def render_records(settings: Settings, connection: Connection, resource: str | None = None) -> dict[str, Rendered]:
    """All records as they are to be now, by identifier; or those that the resource with this id is said in."""
    if resource is None:
        every = load_snapshot(connection)
        services = capabilities(settings, every)
        products = load_products(connection)
        return render_all(every.site, every.resources, every.catalogue, services, settings.base_url, products, newer=settings.newer_records)
    listed = count_resources(connection) <= MOST_RELATED
    some = Snapshot(
        load_catalogue(connection, resource),
        load_resources(connection, None if listed else resource),
        load_site(connection),
        load_holdings(connection),
    )
    return render_about(
        resource,
        some.site,
        some.resources,
        some.catalogue,
        capabilities(settings, some),
        settings.base_url,
        load_products(connection),
        listed=listed,
        newer=settings.newer_records,
    )


def record_keeper(settings: Settings, clock: Clock = utc_now) -> Callable[..., RecordChanges]:
    """What publishing calls inside its transaction (RecordRenderer): records rendered anew, those that changed stored."""

    def keep(connection: Connection, resource: str | None = None) -> RecordChanges:
        lock_records(connection)  # before reading: nobody with an older view may store after us
        if resource is None or read_fingerprint(connection) is None:
            store_fingerprint(connection, fingerprint(settings, connection))
            return sync_records(connection, render_records(settings, connection), clock)
        site = load_site(connection)
        changes = sync_records(connection, render_records(settings, connection, resource), clock, identifiers_about(resource, site))
        if shared_identifiers(site).isdisjoint((*changes.created, *changes.deleted)):
            return changes
        return changes + sync_records(connection, render_records(settings, connection), clock)

    return keep


def keep_current(settings: Settings, connection: Connection) -> None:
    """Render all records, unless nothing that they are made of has changed since that was last done: publishing keeps them current."""
    if read_fingerprint(connection) != fingerprint(settings, connection):
        record_keeper(settings)(connection)


def fingerprint(settings: Settings, connection: Connection) -> str:
    """Of all that records say beside what is published: the publisher, the settings, the standard tables, the program itself."""
    program = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(Path(__file__).parent.rglob("*.py"))]
    program += [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(Path(oai.__file__).parent.rglob("*.py"))]
    content = [settings.base_url, settings.model_dump_json(), load_site(connection), read_digest(connection), program]
    return hashlib.sha256(repr(content).encode()).hexdigest()
