"""``vo adql``: what an ADQL text becomes."""

from typing import Annotated

import typer

from vo_server.cli.common import ConfigFile, DataDir, ready_database, settings_from
from vo_server.db.catalogue import load_catalogue
from vo_server.sql import compile_adql


def translate(query: Annotated[str, typer.Argument(help="The ADQL text.")], config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Print the SQL of an ADQL query over the published tables."""
    settings = settings_from(config, data_dir=data_dir)
    with ready_database(settings) as database, database.engine.connect() as connection:
        statement = compile_adql(query, load_catalogue(connection))
    print(statement.sql)
