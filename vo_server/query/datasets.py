"""Datasets one by one: found by their identifiers, their files found on disk, kept back until they are released."""

import stat
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from os import stat_result
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Row, func, select

from vo_server.db import schema
from vo_server.errors import ForbiddenError, NotFoundError
from vo_server.model.dataset import DatasetLink, FilePlace, StoredDataset

FILES_PATH = "/files"


def find_datasets(connection: Connection, identifiers: Sequence[str], base_url: str) -> dict[str, StoredDataset]:
    """The datasets with these identifiers (obs_publisher_did), each with its links; those that are not here are missing."""
    obscore, collections, resources, files = schema.obscore, schema.collections, schema.resources, schema.files
    rows = connection.execute(
        select(obscore, files.c.size, (resources.c.schema_name + "/" + resources.c.name).label("resource"))
        .select_from(obscore)
        .join(collections, collections.c.collection == obscore.c.collection)
        .outerjoin(resources, resources.c.resource_id == collections.c.resource_id)
        .outerjoin(files, (files.c.collection == obscore.c.collection) & (files.c.path == obscore.c.path))
        .where(obscore.c.obs_publisher_did.in_(identifiers))
    ).all()
    links = _find_links(connection, [row.obs_key for row in rows])
    return {row.obs_publisher_did: _dataset(row, links[row.obs_key], base_url) for row in rows}


def _find_links(connection: Connection, keys: Sequence[int]) -> dict[int, list[DatasetLink]]:
    found: dict[int, list[DatasetLink]] = defaultdict(list)
    links = schema.links
    for row in connection.execute(select(links).where(links.c.obs_key.in_(keys)).order_by(links.c.link_id)):
        found[row.obs_key].append(
            DatasetLink(
                semantics=row.semantics,
                place=FilePlace(row.collection, row.path, row.hdu) if row.path is not None and row.collection is not None else None,
                access_url=row.access_url,
                description=row.description,
                content_type=row.content_type,
                content_length=row.content_length,
                content_qualifier=row.content_qualifier,
                local_semantics=row.local_semantics,
            )
        )
    return found


def _dataset(row: Row[Any], links: Sequence[DatasetLink], base_url: str) -> StoredDataset:
    address = row.access_path
    return StoredDataset(
        identifier=row.obs_publisher_did,
        place=FilePlace(row.collection, row.path, row.hdu) if row.path is not None else None,
        access_url=f"{base_url}{address}" if address and address.startswith("/") else address,
        content_type=row.access_format,
        content_length=row.size,
        kind=row.dataproduct_type,
        title=row.obs_title,
        shape=tuple(row.shape) if row.shape else None,
        circle=(row.s_ra, row.s_dec, row.s_fov / 2) if None not in (row.s_ra, row.s_dec, row.s_fov) else None,
        pixels=(row.s_xel1, row.s_xel2) if row.s_xel1 and row.s_xel2 else None,
        band=(row.em_min, row.em_max) if row.em_min is not None and row.em_max is not None else None,
        time=(row.t_min, row.t_max) if row.t_min is not None and row.t_max is not None else None,
        pol=tuple(state for state in (row.pol_states or "").split("/") if state),
        release=row.obs_release_date,
        resource=row.resource,
        links=tuple(links),
    )


def file_url(place: FilePlace, base_url: str) -> str:
    """The address under which a file of a collection is served."""
    return f"{base_url}{FILES_PATH}/{quote(place.collection, safe='')}/{quote(place.path)}"


def is_kept_back(release: datetime | None, now: datetime) -> bool:
    """Whether a dataset is not public yet; `now` is aware."""
    return release is not None and release.replace(tzinfo=UTC) > now


def refuse_unreleased(release: datetime | None, now: datetime) -> None:
    """ForbiddenError with the date from which the dataset is public, if that lies ahead."""
    if release is not None and is_kept_back(release, now):
        raise ForbiddenError(f"This is not public yet: it will be from {release:%Y-%m-%dT%H:%M:%SZ} on.", hint="Its metadata are public.")


def release_of_file(connection: Connection, collection: str, path: str) -> datetime | None:
    """From when a file is public: with the last of the datasets in it; a file that only belongs to datasets with the first of those.
    None: always.
    """
    obscore, links = schema.obscore.c, schema.links.c
    own = connection.execute(
        select(func.count(), func.max(obscore.obs_release_date)).where(obscore.collection == collection, obscore.path == path)
    ).one()
    if own[0]:
        return own[1]  # type: ignore[no-any-return]
    dates = (
        connection.execute(
            select(obscore.obs_release_date)
            .join_from(schema.links, schema.obscore, links.obs_key == obscore.obs_key)
            .where(links.collection == collection, links.path == path)
        )
        .scalars()
        .all()
    )
    known = [date for date in dates if date is not None]
    return min(known) if known and len(known) == len(dates) else None


def locate(connection: Connection, collection: str, path: str) -> tuple[Path, stat_result]:
    """The file of a collection and what the file system says of it.

    NotFoundError if there is none, also if ``..`` or a link leads out of the collection's directory.
    """
    missing = NotFoundError(f"There is no file {path!r} in the collection {collection!r}.")
    try:
        home = _root(connection, collection).resolve(strict=True)
        file = (home / path).resolve(strict=True)
        status = file.stat()
    except (OSError, ValueError, RuntimeError):
        raise missing from None
    if not file.is_relative_to(home) or not stat.S_ISREG(status.st_mode):
        raise missing
    return file, status


def resolved_path(connection: Connection, collection: str, file: Path) -> str:
    """The path below its collection's root of a file that `locate` found."""
    return file.relative_to(_root(connection, collection).resolve()).as_posix()


def _root(connection: Connection, collection: str) -> Path:
    roots = schema.collections.c
    root = connection.execute(select(roots.root).where(roots.collection == collection)).scalar()
    if root is None:
        raise NotFoundError(f"There is no collection {collection!r} here.")
    return Path(root)
