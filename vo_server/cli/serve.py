"""``vo serve`` and ``vo demo``: the server in the foreground until Ctrl-C or SIGTERM."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Annotated

import typer
import uvicorn

from vo_server import __version__
from vo_server.app import create_app, create_worker, record_keeper
from vo_server.cli.common import ConfigFile, DataDir, end_on_signal, ready_database, say, settings_from
from vo_server.db.catalogue import read_address, store_address
from vo_server.db.database import Database
from vo_server.db.serving import first_to_serve
from vo_server.demo import pending, publish_demo
from vo_server.errors import SetupError
from vo_server.publish.sweep import sweep
from vo_server.services import Services
from vo_server.settings import Settings

Port = Annotated[int | None, typer.Option(help="Port to listen on.", min=1, max=65535)]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]

SHUTDOWN_S = 5
"""Replies under way get this long to end."""


def serve(config: ConfigFile = None, host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Serve what is published."""
    settings = settings_from(config, host=host, port=port, data_dir=data_dir)
    end_on_signal()
    with _listen(settings) as listener, ready_database(settings) as database:
        _run(settings, database, listener, runs_jobs=settings.serve_runs_jobs)


def demo(config: ConfigFile = None, host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Publish the demonstration data and serve them: a VO data centre from nothing, with real events, sources, stars and images."""
    settings = settings_from(config, host=host, port=port, data_dir=data_dir)
    end_on_signal()
    with _listen(settings) as listener, ready_database(settings) as database:
        if pending(database, settings, record_keeper(settings)):
            # in a process of its own: what loading takes of memory goes with it, and the server stays small
            with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_on_signal) as loader:
                loader.submit(_publish_demo, settings).result()
        _run(settings, database, listener, runs_jobs=True)


def _publish_demo(settings: Settings) -> None:
    with ready_database(settings) as database:
        publish_demo(database, settings, say, record_keeper(settings))


def _run(settings: Settings, database: Database, listener: socket.socket, *, runs_jobs: bool) -> None:
    with first_to_serve(database) as first:
        take_address(settings, database, first=first)
        _answer(settings, database, listener, runs_jobs=runs_jobs)


def take_address(settings: Settings, database: Database, *, first: bool) -> None:
    """Make our address that of the database and its records, unless another server got there `first` and nobody named ours."""
    with database.engine.begin() as connection:
        if first or settings.public_url is not None:
            store_address(connection, settings.base_url)
            record_keeper(settings)(connection)  # the address may have changed since the records were written
        elif (theirs := read_address(connection)) != settings.base_url:
            say(f"Another server serves this database at {theirs}: its records keep that address. To change it set VO_PUBLIC_URL.")


def _answer(settings: Settings, database: Database, listener: socket.socket, *, runs_jobs: bool) -> None:
    sweep(database)
    services = Services(settings, database)
    with database.engine.begin() as connection:
        services.results.claim(connection)
    services.start()
    try:
        app = create_app(services)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            headers=[("Server", f"vo-server/{__version__}")],
            lifespan="off",
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
            h11_max_incomplete_event_size=256 * 1024,
        )
        logging.getLogger("uvicorn.error").addFilter(is_news)
        with _running_jobs(services, runs_jobs=runs_jobs):
            _Server(config, settings.base_url).run(sockets=[listener])
    finally:
        services.close()


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


class _Server(uvicorn.Server):
    """uvicorn, saying when it is ready: scripts wait for this line on stdout."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self.address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"vo-server is ready at {self.address}/  (Ctrl-C ends it)", flush=True)


def _listen(settings: Settings) -> socket.socket:
    """The listening socket, taken before anything slow begins, so that a port in use is told at once."""
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
