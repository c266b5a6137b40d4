"""What the commands share: settings from the command line, the database behind them, words on the screen."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from vo_server.db import embedded
from vo_server.db.catalogue import read_address
from vo_server.db.database import Database, open_database
from vo_server.db.setup import bring_up_to_date, prepare
from vo_server.errors import NotFoundError
from vo_server.settings import Settings, load

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file instead of ./vo.toml.", metavar="FILE")]
Thesaurus = Annotated[Path | None, typer.Option(help="The Unified Astronomy Thesaurus, in desise (JSON).", metavar="FILE")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Directory for the embedded database and datasets.", metavar="DIR")]

console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def say(message: str) -> None:
    """Tell the operator something on stderr, so that stdout stays for results."""
    console.print(message, markup=False)


def show_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on a terminal; elsewhere each row is a line with tabs, and nothing is cut for a width that nobody sees."""
    screen = Console(markup=False, highlight=False, emoji=False)
    if not screen.is_terminal:
        for row in rows:
            print(*row, sep="\t")
        return
    table = Table(box=None, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    screen.print(table)


def settings_from(config: Path | None, **overrides: Any) -> Settings:
    """The settings in force, the command line's own on top."""
    return load(config, None, **{name: str(value) if isinstance(value, Path) else value for name, value in overrides.items()})


@contextmanager
def ready_database(settings: Settings) -> Iterator[Database]:
    """The database of `settings`, started if it is the embedded one, its schema created if there is none, current or refused."""
    with open_database(settings, say) as database:
        prepare(database)
        yield database


@contextmanager
def demo_database(settings: Settings) -> Iterator[Database]:
    """As `ready_database`, but an embedded database that an older version made is brought up to date, which is said. One that the
    operator runs is refused all the same: who else uses it, and when it may change, only its operator knows.
    """
    with open_database(settings, say) as database:
        if settings.database_url is None and (older := bring_up_to_date(database)) is not None:
            say(f"Brought the database in {settings.data_dir.resolve()} up to date: an older version had made it (revision {older}).")
        prepare(database)
        yield database


def refuse_nothing(settings: Settings) -> None:
    """NotFoundError where no embedded database was ever made: a command that only looks makes none."""
    if settings.database_url is None and not embedded.exists(settings.data_dir):
        raise NotFoundError(f"Nothing is published at {settings.data_dir.resolve()}.", hint="Publish there, or name another --data-dir.")


def at_its_address(settings: Settings, database: Database) -> Settings:
    """`settings` with the address under which the database was last served, unless they name one: a table published beside a
    server on another port gets that server's links.
    """
    if settings.public_url is not None:
        return settings
    with database.engine.connect() as connection:
        address = read_address(connection)
    return settings.model_copy(update={"public_url": address}) if address else settings


def end_on_signal() -> None:
    """SIGTERM ends the program as Ctrl-C does, through every ``with`` block."""

    def end(signum: int, _: object) -> NoReturn:
        raise SystemExit(0 if signum == signal.SIGTERM else 130)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
