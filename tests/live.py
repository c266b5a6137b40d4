"""A running server with a worker beside it, for tests with real clients."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from vo_server.app import create_app, create_worker
from vo_server.db.database import Database
from vo_server.services import Services
from vo_server.settings import Settings


@contextmanager
def serving(database: Database, settings: Settings, listener: socket.socket) -> Iterator[str]:
    """Answers on `listener` as long as the block lasts; gives the base URL."""
    services = Services(settings, database)
    with database.engine.begin() as connection:
        services.results.claim(connection)
    services.start()
    worker = create_worker(services)
    worker.start()
    server = uvicorn.Server(uvicorn.Config(create_app(services), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield settings.base_url
    server.should_exit = True
    thread.join(timeout=10)
    worker.stop()
    services.close()
