"""``vo list``: what is published."""

from vo_server.cli.common import ConfigFile, DataDir, at_its_address, ready_database, refuse_nothing, settings_from, show_table
from vo_server.db.catalogue import load_catalogue


def list_tables(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """List the published tables with their rows and addresses."""
    settings = settings_from(config, data_dir=data_dir)
    refuse_nothing(settings)
    with ready_database(settings) as database, database.engine.connect() as connection:
        catalogue = load_catalogue(connection)
        settings = at_its_address(settings, database)
    rows = [
        (
            item.full_name,
            f"{item.nrows:,}" if item.nrows is not None else "",
            item.title or "",
            f"{settings.base_url}/scs/{item.full_name}" if item.position else "",
        )
        for item in catalogue.tables
    ]
    show_table(("table", "rows", "title", "cone search"), rows)
