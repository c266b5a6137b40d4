"""``vo db``: prepare the database, bring it up to date, say how it is, back it up."""

from pathlib import Path
from typing import Annotated

import typer

from vo_server.cli.common import ConfigFile, DataDir, ready_database, refuse_nothing, say, settings_from
from vo_server.db import setup
from vo_server.db.backup import back_up
from vo_server.db.backup import restore as restore_backup
from vo_server.db.catalogue import load_catalogue
from vo_server.db.database import open_database

app = typer.Typer(help="Prepare the database, bring it up to date, say how it is, back it up.", no_args_is_help=True)

BackupFile = Annotated[Path, typer.Argument(help="The backup.", show_default=False)]


@app.command()
def init(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Create roles, schemas, tables and grants where they are missing. May be repeated; says which right is missing if one is."""
    _bring_up_to_date(config, data_dir)


@app.command()
def migrate(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Bring the database to the revision that this version of the server needs."""
    _bring_up_to_date(config, data_dir)


@app.command()
def status(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Compare the database with what this version of the server needs; exit status 1 if they differ."""
    settings = settings_from(config, data_dir=data_dir)
    refuse_nothing(settings)
    with open_database(settings, say) as database:
        found = setup.read_status(database)
    typer.echo(f"revision {found.current or 'none'}, needed {found.head}: {found.verdict}")
    if not found.is_current:
        raise typer.Exit(1)


@app.command()
def backup(file: BackupFile, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Write the whole database to a file, while the server goes on. Files of datasets and results of jobs are not in it."""
    settings = settings_from(config, data_dir=data_dir)
    refuse_nothing(settings)
    with ready_database(settings) as database:
        back_up(database, file)
    typer.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


@app.command()
def restore(file: BackupFile, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Fill an empty database from a file that `vo db backup` wrote, and bring it up to date."""
    with open_database(settings_from(config, data_dir=data_dir), say) as database:
        restore_backup(database, file)
        with database.engine.connect() as connection:
            tables = len(load_catalogue(connection).tables)
    typer.echo(f"{tables} tables are back.")


def _bring_up_to_date(config: Path | None, data_dir: Path | None) -> None:
    with open_database(settings_from(config, data_dir=data_dir), say) as database:
        before = setup.read_status(database)
        after = setup.init(database)
    change = "was up to date" if before == after else f"was at {before.current or 'nothing'}, is up to date"
    typer.echo(f"revision {after.current}: {change}")
