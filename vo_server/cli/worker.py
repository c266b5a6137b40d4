"""``vo worker``: runs asynchronous jobs, beside a server or on another machine."""

import threading
from typing import Annotated

import typer

from vo_server import logs
from vo_server.app import create_worker
from vo_server.cli.common import ConfigFile, DataDir, at_its_address, end_on_signal, ready_database, settings_from
from vo_server.services import Services

Concurrency = Annotated[int | None, typer.Option(help="Jobs at the same time.", min=1, max=100)]


def worker(config: ConfigFile = None, data_dir: DataDir = None, concurrency: Concurrency = None) -> None:
    """Run asynchronous jobs until Ctrl-C or SIGTERM; those that are not finished then go back into the queue."""
    settings = settings_from(config, data_dir=data_dir, worker_concurrency=concurrency)
    logs.configure(settings.log_format)
    end_on_signal()
    with ready_database(settings) as database:
        services = Services(at_its_address(settings, database), database)
        try:
            runner = create_worker(services)
            services.start()
            runner.start()
            print("vo worker is ready  (Ctrl-C ends it)", flush=True)
            try:
                threading.Event().wait()
            finally:
                runner.stop()
        finally:
            services.close()
