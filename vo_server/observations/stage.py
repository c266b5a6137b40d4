"""Previews on their way: drawn on a stage of their own, moved to the collection's place when the datasets that show them are committed.

So a collection that is not published, for whatever reason, leaves no picture, and one that is shown has all of its pictures. What a
process that was killed left behind is cleared away by the next one that publishes with pictures.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from vo_server.db import schema
from vo_server.db.database import Database
from vo_server.db.locks import EXCLUSIVE, SHARED, take
from vo_server.formats.readers.infer import fold

STAGES = ".stages"
"""Where pictures wait, below the directory of previews; no collection has this name."""
LOCK = "lock"
"""Held while a stage stands; nobody holds it alone unless there is none."""


def place_of(previews: Path, name: str) -> Path:
    """Where the pictures of a collection lie."""
    return previews / fold(name)


@contextmanager
def staged(database: Database, previews: Path | None, name: str) -> Iterator[Path | None]:
    """A directory to draw the pictures of a collection in, None without `previews`. When the block ends well, its transaction committed,
    they are moved to where they are served from, and those that no dataset shows any more are deleted.
    """
    if previews is None:
        yield None
        return
    stages = previews / STAGES
    stages.mkdir(parents=True, exist_ok=True)
    _clear(database, previews)
    held = take(stages / LOCK, SHARED)
    stage = Path(tempfile.mkdtemp(prefix=f"{fold(name)}~", dir=stages))
    try:
        yield stage
        settle(database, place_of(previews, name), stage)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if held is not None:
            os.close(held)


def settle(database: Database, place: Path, stage: Path | None = None, *, anew: bool = True) -> None:
    """Move to `place` the pictures on `stage` that datasets show, and delete those there that none shows.
    `anew`: they replace others of the same name.
    """
    shown = _shown(database, place)
    for path in _files(stage) if stage is not None else []:
        goal = place / path
        if path in shown and stage is not None and (anew or not goal.exists()):
            goal.parent.mkdir(parents=True, exist_ok=True)
            (stage / path).replace(goal)
    for path in set(_files(place)) - shown:
        (place / path).unlink(missing_ok=True)


def _clear(database: Database, previews: Path) -> None:
    """Finish or forget what killed processes left, if nobody else is at work: who was killed after the commit had pictures to move."""
    stages = previews / STAGES
    held = take(stages / LOCK, EXCLUSIVE, patience_s=0)
    if held is None:
        return
    try:
        for stage in stages.iterdir():
            if stage.is_dir():
                settle(database, previews / stage.name.rpartition("~")[0], stage, anew=False)
                shutil.rmtree(stage, ignore_errors=True)
    finally:
        os.close(held)


def _shown(database: Database, place: Path) -> set[str]:
    """The paths, below `place`, of the pictures that datasets show."""
    links, collections = schema.links.c, schema.collections.c
    wanted = select(links.path).join(schema.collections, collections.collection == links.collection)
    with database.engine.connect() as connection:
        return {path for path in connection.execute(wanted.where(collections.root == str(place.resolve()))).scalars() if path}


def _files(directory: Path) -> list[str]:
    return [file.relative_to(directory).as_posix() for file in directory.rglob("*") if file.is_file()]
