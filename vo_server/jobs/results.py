"""Files that jobs write, in a directory or an object store (fsspec). What has its final name is whole."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress

import fsspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from vo_server.db import schema
from vo_server.errors import NotFoundError, SetupError

MARK = "vo-server-results"
"""File at the store's root with the name of the store, which the database knows too: so a worker sees whether it has the server's store."""

STORE_KEY = "result_store"

CHUNK_BYTES = 256 * 1024


class ResultStore:
    """Files below `url`, one folder a job."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise SetupError(
                f"The result store {url} cannot be opened: {error}.", hint="For s3:// install vo-server[s3]; else name a directory."
            ) from None

    def claim(self, connection: Connection) -> None:
        """Make this the store of the database's server; SetupError if it cannot be written to."""
        try:
            name = self._read_mark() or secrets.token_hex(16)
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(self._path(MARK), name.encode())
        except OSError as error:
            raise SetupError(f"The result store {self._url} cannot be written to: {error}.", hint="See the setting result_store.") from None
        row = insert(schema.site).values(key=STORE_KEY, value=name)
        connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))

    def check(self, connection: Connection) -> None:
        """SetupError unless this is the store of the database's server."""
        name = connection.execute(select(schema.site.c.value).where(schema.site.c.key == STORE_KEY)).scalar()
        if name is None:
            raise SetupError("No server has chosen a result store for this database yet.", hint="Start `vo serve` first.")
        try:
            mine = self._read_mark()
        except OSError as error:
            raise SetupError(f"The result store {self._url} cannot be reached: {error}.", hint="See the setting result_store.") from None
        if mine != name:
            raise SetupError(
                f"{self._url} is not the result store of the server.",
                hint="Give the worker the same result_store as the server: a directory that both reach, or s3://…",
            )

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """Write a file; it gets its name when it is whole. Gives its size in bytes; a failure leaves nothing."""
        part = self._path(f"{path}.part")
        self._files.makedirs(self._files._parent(part), exist_ok=True)
        size = 0
        try:
            with self._files.open(part, "wb") as file:
                for chunk in chunks:
                    size += file.write(chunk)
            self._files.mv(part, self._path(path))
        except BaseException:
            with suppress(OSError):
                self._files.rm_file(part)
            raise
        return size

    def read(self, path: str) -> Iterator[bytes]:
        """The content of a file, opened before this returns; NotFoundError if it is not there."""
        try:
            file = self._files.open(self._path(path), "rb", block_size=4 * 1024 * 1024)
        except FileNotFoundError:
            raise NotFoundError("The result is not in the result store any more.") from None

        def chunks() -> Iterator[bytes]:
            with file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk

        return chunks()

    def write_upload(self, job_id: str, name: str, chunks: Iterable[bytes]) -> int:
        """Keep the content of the table `name` (an identifier) that came with a job, for whichever worker runs it."""
        return self.write(_upload_path(job_id, name), chunks)

    def read_upload(self, job_id: str, name: str) -> Iterator[bytes] | None:
        """What `write_upload` kept under this name; None if there is nothing."""
        if not name.isidentifier():
            return None
        with suppress(NotFoundError):
            return self.read(_upload_path(job_id, name))
        return None

    def remove(self, job_id: str) -> None:
        """Delete all files of a job."""
        with suppress(FileNotFoundError):
            self._files.rm(self._path(job_id), recursive=True)

    def job_ids(self) -> set[str]:
        """The jobs that have files."""
        with suppress(FileNotFoundError):
            return {entry.rstrip("/").rpartition("/")[2] for entry in self._files.ls(self._root, detail=False, refresh=True)} - {MARK}
        return set()

    def _read_mark(self) -> str | None:
        with suppress(FileNotFoundError):
            return str(self._files.cat_file(self._path(MARK)).decode())
        return None

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _upload_path(job_id: str, name: str) -> str:
    return f"{job_id}/uploads/{name.lower()}"
