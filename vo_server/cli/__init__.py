"""The operator's program, ``vo``. Each command is a function in a module of this package; here they are gathered."""

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NoReturn, cast

import psycopg
import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError
from typer.core import TyperGroup
from typer.main import get_group

from vo_server.cli.faults import database_fault, incident
from vo_server.errors import VoError

COMMANDS = {
    "demo": "serve.demo",
    "serve": "serve.serve",
    "worker": "worker.worker",
    "draft": "drafting.draft",
    "check": "drafting.check",
    "import-rd": "importing.import_descriptor",
    "publish": "publish.publish",
    "publish-images": "observations.publish_images",
    "publish-events": "observations.publish_events",
    "publish-skymaps": "observations.publish_skymaps",
    "publish-alerts": "observations.publish_alerts",
    "publish-spectra": "observations.publish_spectra",
    "list": "listing.list_tables",
    "adql": "translate.translate",
    "selftest": "selftest.selftest",
    "config": "config.show",
    "retract": "retract.retract",
    "db": "db.app",
    "registry": "registry.app",
}
"""Command → the module and the function in it, or the ``Typer`` of a group of commands."""


def new_program(**options: Any) -> typer.Typer:
    """A program that looks as all of ``vo`` does."""
    return typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **options)


class Commands(Mapping[str, Any]):
    """COMMANDS, each imported when it is asked for: a server has no use for what publishing needs, and would be a third larger with it."""

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = COMMANDS[name].partition(".")
        found = getattr(import_module(f"{__name__}.{module}"), attribute)
        alone = new_program()
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=name)
        else:
            alone.command(name)(found)
        return get_group(alone).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Program(TyperGroup):
    """``vo`` with its commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast("MutableMapping[str, Any]", Commands())


app = new_program(cls=Program)


@app.callback()
def _program() -> None:
    """Opens astroparticle data to the Virtual Observatory."""


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
    Console(stderr=True, soft_wrap=True, highlight=False, emoji=False).print(f"[bold red]error:[/] {_plain(message)}")
    sys.exit(1)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
