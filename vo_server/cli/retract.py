"""``vo retract``: what is published is no more."""

from typing import Annotated

import typer

from vo_server.app import record_keeper
from vo_server.cli.common import ConfigFile, DataDir, at_its_address, ready_database, refuse_nothing, settings_from
from vo_server.observations.collections import is_collection, retract_collection
from vo_server.observations.stage import place_of, settle
from vo_server.publish.retract import retract_table

Names = Annotated[list[str], typer.Argument(help="Tables (schema.table) or collections of datasets.", metavar="NAME…")]


def retract(names: Names, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Take tables or collections away. Harvesters get a tombstone for the record; the same name may be published again. Files stay,
    their previews do not.
    """
    settings = settings_from(config, data_dir=data_dir)
    refuse_nothing(settings)
    with ready_database(settings) as database:
        records = record_keeper(at_its_address(settings, database))
        retracted: list[str] = []
        for name in names:
            with database.engine.begin() as connection:
                if "." not in name or is_collection(connection, name):
                    tables = ", ".join(retract_collection(connection, name, records))
                    retracted.append(name)
                    print(f"{name}: the collection is retracted{tables and f' with {tables}'}, its files stay")
                    continue
                done = retract_table(connection, name, records)
            print(f"{done.table}: retracted" + (f", and with it the record {done.resource}" if done.resource else ""))
        for name in retracted:
            settle(database, place_of(settings.previews, name))
