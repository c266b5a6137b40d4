"""``vo publish-images``: a directory of FITS images for image searches."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from vo_server.app import record_keeper
from vo_server.cli.common import ConfigFile, DataDir, at_its_address, ready_database, say, settings_from
from vo_server.publish import images

Directory = Annotated[
    Path, typer.Argument(help="Directory with FITS images; those in folders below it count too.", exists=True, file_okay=False)
]
Collection = Annotated[str, typer.Option(help="Name of the data collection, which becomes just these images.")]


def publish_images(directory: Directory, collection: Collection, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Publish the FITS images of a directory: found by SIA and ObsTAP, fetched from where they are."""
    settings = settings_from(config, data_dir=data_dir)
    with ready_database(settings) as database:
        settings = at_its_address(settings, database)
        done = images.publish_images(database, directory, collection, records=record_keeper(settings))
    for path, reason in done.skipped:
        say(f"Skipped {path}: {reason}.")
    say(f"Published {done.published} images in the collection {collection}: {settings.base_url}/sia2/query?COLLECTION={quote(collection)}")
