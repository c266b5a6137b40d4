"""The operator's program, ``vo``. Each command is a function in a module of this package; here they are gathered."""

import sys
from typing import NoReturn

import psycopg
import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError

from vo_server.cli import (
    config,
    db,
    drafting,
    importing,
    listing,
    observations,
    publish,
    registry,
    retract,
    selftest,
    serve,
    translate,
    worker,
)
from vo_server.cli.faults import database_fault, incident
from vo_server.errors import VoError

app = typer.Typer(
    help="Opens astroparticle data to the Virtual Observatory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(serve.demo)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("draft")(drafting.draft)
app.command("check")(drafting.check)
app.command("import-rd")(importing.import_descriptor)
app.command("publish")(publish.publish)
app.command("publish-images")(observations.publish_images)
app.command("publish-events")(observations.publish_events)
app.command("publish-skymaps")(observations.publish_skymaps)
app.command("publish-alerts")(observations.publish_alerts)
app.command("publish-spectra")(observations.publish_spectra)
app.command("list")(listing.list_tables)
app.command("adql")(translate.translate)
app.command("selftest")(selftest.selftest)
app.command("config")(config.show)
app.command("retract")(retract.retract)
app.add_typer(db.app, name="db")
app.add_typer(registry.app, name="registry")


def main() -> None:
    """Run ``vo``. What a person can mend is told in a sentence, with exit status 1; nothing ends in a stack trace by design."""
    try:
        app()
    except VoError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except (OperationalError, psycopg.OperationalError) as error:
        _fail(database_fault(error))
    except Exception as error:  # noqa: BLE001 — the last resort: no stack trace on a screen
        _fail(incident(error))


def _fail(message: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {_plain(message)}")
    sys.exit(1)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
