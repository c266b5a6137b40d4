"""``vo serve`` and ``vo demo``: the server in the foreground until Ctrl-C or SIGTERM."""

import signal
import socket
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated, NoReturn

import typer
import uvicorn

from vo_server import __version__
from vo_server.app import create_app, record_keeper
from vo_server.cli.common import ConfigFile, DataDir, ready_database, say, settings_from
from vo_server.db.catalogue import store_address
from vo_server.db.database import Database
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
    _end_on_signal()
    with _listen(settings) as listener, ready_database(settings) as database:
        _run(settings, database, listener)


def demo(config: ConfigFile = None, host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Publish the demonstration data and serve them: a VO data centre from nothing, with real events, sources, stars and images."""
    settings = settings_from(config, host=host, port=port, data_dir=data_dir)
    _end_on_signal()
    with _listen(settings) as listener, ready_database(settings) as database:
        if pending(database, settings, record_keeper(settings)):
            # in a process of its own: what loading takes of memory goes with it, and the server stays small
            with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_on_signal) as loader:
                loader.submit(_publish_demo, settings).result()
        _run(settings, database, listener)


def _publish_demo(settings: Settings) -> None:
    with ready_database(settings) as database:
        publish_demo(database, settings, say, record_keeper(settings))


def _run(settings: Settings, database: Database, listener: socket.socket) -> None:
    with database.engine.begin() as connection:
        store_address(connection, settings.base_url)
        record_keeper(settings)(connection)  # the address may have changed since the records were written
    sweep(database)
    services = Services(settings, database)
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
        _Server(config, settings.base_url).run(sockets=[listener])
    finally:
        services.close()


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


def _end_on_signal() -> None:
    """SIGTERM ends the program as Ctrl-C does, through every ``with`` block."""

    def end(signum: int, _: object) -> NoReturn:
        raise SystemExit(0 if signum == signal.SIGTERM else 130)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
