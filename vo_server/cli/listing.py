"""``vo list``: what is published."""

from rich.console import Console
from rich.table import Table

from vo_server.cli.common import ConfigFile, DataDir, at_its_address, ready_database, refuse_nothing, settings_from
from vo_server.db.catalogue import load_catalogue


def list_tables(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """List the published tables with their rows and addresses."""
    settings = settings_from(config, data_dir=data_dir)
    refuse_nothing(settings)
    with ready_database(settings) as database, database.engine.connect() as connection:
        catalogue = load_catalogue(connection)
        settings = at_its_address(settings, database)
    table = Table("table", "rows", "title", "cone search", box=None, header_style="bold")
    for item in catalogue.tables:
        rows = f"{item.nrows:,}" if item.nrows is not None else ""
        table.add_row(item.full_name, rows, item.title or "", f"{settings.base_url}/scs/{item.full_name}" if item.position else "")
    Console(highlight=False, soft_wrap=True, emoji=False).print(table)
