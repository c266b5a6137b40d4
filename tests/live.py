"""A running server with a worker beside it, for tests with real clients; and jobs run by hand, so that phases hold still."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from sqlalchemy import text

from vo_server.app import create_app, create_worker, performers
from vo_server.db.database import QUEUE_SCHEMA, Database
from vo_server.jobs.worker import Runner
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
    try:
        yield settings.base_url
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        worker.stop()
        services.close()


def run_newest_job(services: Services) -> None:
    """Run, in this thread, the job that came last."""
    statement = f"SELECT id, args->>'job_id' FROM {QUEUE_SCHEMA}.procrastinate_jobs WHERE status = 'todo' ORDER BY id DESC LIMIT 1"
    with services.database.engine.connect() as connection:
        number, job_id = connection.execute(text(statement)).one()
    Runner(services.jobs, services.results, performers(services)).run(job_id, number)
