"""``vo serve`` and ``vo demo``: the server in the foreground until Ctrl-C or SIGTERM."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from multiprocessing import get_context
from typing import Annotated

import typer
import uvicorn
from starlette.applications import Starlette

from vo_server import __version__, logs
from vo_server.app import create_app, create_worker, keep_current, record_keeper
from vo_server.cli import processes
from vo_server.cli.common import ConfigFile, DataDir, demo_database, end_on_signal, ready_database, say, settings_from
from vo_server.db.catalogue import read_address, store_address
from vo_server.db.database import Database, patiently
from vo_server.db.serving import first_to_serve
from vo_server.errors import SetupError
from vo_server.jobs.results import ResultStore
from vo_server.libraries import later
from vo_server.publish.sweep import sweep
from vo_server.services import Services
from vo_server.settings import Settings

demonstration = later("vo_server.demo")
"""Whose libraries the server does not need."""

Port = Annotated[int | None, typer.Option(help="Port to listen on.", min=1, max=65535)]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]


def serve(config: ConfigFile = None, host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Serve what is published."""
    settings = settings_from(config, host=host, port=port, data_dir=data_dir)
    logs.configure(settings.log_format)
    end_on_signal()
    with _listen(settings) as listener, ready_database(settings) as database:
        _run(settings, database, listener, runs_jobs=settings.serve_runs_jobs)


def demo(config: ConfigFile = None, host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Publish the demonstration data and serve them: a VO data centre from nothing, with real events, sources, stars and images."""
    settings = settings_from(config, host=host, port=port, data_dir=data_dir)
    logs.configure(settings.log_format)
    end_on_signal()
    with _listen(settings) as listener, demo_database(settings) as database:
        # in a process of its own: what loading takes of memory goes with it, and the server stays small
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_on_signal) as loader:
            loader.submit(_publish_demo, settings).result()
        _run(settings, database, listener, runs_jobs=True)


def _publish_demo(settings: Settings) -> None:
    with ready_database(settings) as database:
        demonstration.publish_demo(database, settings, say, record_keeper(settings))


def _run(settings: Settings, database: Database, listener: socket.socket, *, runs_jobs: bool) -> None:
    with first_to_serve(database) as first:
        take_address(settings, database, first=first)
        sweep(database)
        with database.engine.begin() as connection:
            ResultStore(settings.results_url).claim(connection)
        logging.getLogger("uvicorn.error").addFilter(is_news)
        if settings.processes > 1:
            processes.run(_config(partial(_open_app, settings, runs_jobs=runs_jobs), settings), listener, lambda: _say_ready(settings))
            return
        with _opened(settings, database, runs_jobs=runs_jobs) as app:
            processes.run(_config(lambda: app, settings), listener, lambda: _say_ready(settings))


def take_address(settings: Settings, database: Database, *, first: bool) -> None:
    """Make our address that of the database and its records, unless another server got there `first` and nobody named ours."""
    with database.engine.begin() as connection:
        if first or settings.public_url is not None:
            store_address(connection, settings.base_url)
            keep_current(settings, connection)  # the address may have changed since the records were written
        elif (theirs := read_address(connection)) != settings.base_url:
            say(f"Another server serves this database at {theirs}: its records keep that address. To change it set VO_PUBLIC_URL.")


@contextmanager
def _opened(settings: Settings, database: Database, *, runs_jobs: bool) -> Iterator[Starlette]:
    """The application, with everything open that it needs."""
    processes.give_memory_back()
    services = Services(settings, database)
    services.start()
    try:
        with _running_jobs(services, runs_jobs=runs_jobs):
            yield create_app(services)
    finally:
        services.close()
        processes.end_surely()


def _open_app(settings: Settings, *, runs_jobs: bool) -> Starlette:
    """The application of one of several processes; it closes what it opened when its process ends."""
    processes.end_with_supervisor()
    logs.configure(settings.log_format)
    logging.getLogger("uvicorn.error").addFilter(is_news)

    def open_all() -> tuple[Starlette, ExitStack]:
        with ExitStack() as stack:
            database = stack.enter_context(ready_database(settings))
            app = stack.enter_context(_opened(settings, database, runs_jobs=runs_jobs))
            return app, stack.pop_all()

    app, opened = patiently(open_all)  # whom it replaces may have died together with the database

    @asynccontextmanager
    async def until_shutdown(_: Starlette) -> AsyncIterator[None]:
        with opened:
            yield

    app.router.lifespan_context = until_shutdown
    return app


def _config(make_app: Callable[[], Starlette], settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        make_app,
        factory=True,
        workers=settings.processes,
        http=processes.LingeringProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        headers=[("Server", f"vo-server/{__version__}")],
        lifespan="on",
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_worker_healthcheck=int(processes.READY_S),
    )


def _say_ready(settings: Settings) -> None:
    """Scripts wait for this line on stdout, systemd for its message."""
    print(f"vo-server is ready at {settings.base_url}/  (Ctrl-C ends it)", flush=True)
    processes.notify_systemd("READY=1")


@contextmanager
def _running_jobs(services: Services, *, runs_jobs: bool) -> Iterator[None]:
    """With a worker inside, if this server runs jobs itself."""
    if not runs_jobs:
        yield
        return
    worker = create_worker(services)
    worker.start()
    try:
        yield
    finally:
        worker.stop()


def is_news(record: logging.LogRecord) -> bool:
    """Whether what uvicorn logs is worth a line: not that a reply was broken off on purpose, which was told already, nor where
    the replies stood that were still under way when the server ended.
    """
    ended = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not ended and record.msg != "ASGI callable returned without completing response."


def _listen(settings: Settings) -> socket.socket:
    """The listening socket, taken before anything slow begins, so that a port in use is told at once; systemd's, if it passed one."""
    inherited = processes.inherited_socket()
    if inherited is not None:
        return inherited
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise SetupError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.", hint="Choose another with --port or VO_PORT."
        ) from None
    listener.set_inheritable(False)
    return listener
