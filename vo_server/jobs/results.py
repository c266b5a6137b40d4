"""Files that jobs write, in a directory or an object store (fsspec). What has its final name is whole."""

import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress

import fsspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from vo_server.db import schema
from vo_server.errors import NotFoundError, SetupError, UnavailableError, VoError
from vo_server.jobs.whole import OBJECT_STORES, Renamed, Uploaded
from vo_server.model.result import Piece
from vo_server.scratch import is_full

log = logging.getLogger("vo_server")

MARK = "vo-server-results"
"""File at the store's root with the name of the store, which the database knows too: so a worker sees whether it has the server's store."""

STORE_KEY = "result_store"

CHUNK_BYTES = 256 * 1024

BLOCK_BYTES = 4 << 20
"""What one request to an object store reads."""

UPLOADS = "uploads"

Attempt = tuple[str, int]
"""A job's id, and which time it runs; 0: before it is started."""


class ResultStore:
    """Files below `url`, one folder a job. A store that does not answer raises UnavailableError."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            # what others wrote shall be seen at once; and processes that are forked share no connection
            self._files, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except (ImportError, ValueError) as error:
            raise SetupError(
                f"The result store {url} cannot be opened: {error}.", hint="For s3:// install vo-server[s3]; else name a directory."
            ) from None
        self._holds_objects = not set(OBJECT_STORES).isdisjoint([self._files.protocol, *self._files.protocol])
        self._appearing = (Uploaded if self._holds_objects else Renamed)(self._files)

    def claim(self, connection: Connection) -> None:
        """Make this the store of the database's server; SetupError if it cannot be written to."""
        try:
            name = self._read_mark() or secrets.token_hex(16)
            if not self._holds_objects:  # a bucket is made by its owner
                self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(self._path(MARK), name.encode())
        except Exception as error:  # noqa: BLE001 stores raise what their libraries raise
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
        except Exception as error:  # noqa: BLE001 as above
            raise SetupError(f"The result store {self._url} cannot be reached: {error}.", hint="See the setting result_store.") from None
        if mine != name:
            raise SetupError(
                f"{self._url} is not the result store of the server.",
                hint="Give the worker the same result_store as the server: a directory that both reach, or s3://…",
            )

    def write(self, path: str, chunks: Iterable[Piece]) -> int:
        """Write a file; it is there when it is whole. Gives its size in bytes; a failure leaves nothing."""
        size, source = 0, Source(chunks)
        with self._answering(source), self._appearing.writing(self._path(path)) as file:
            for chunk in source:
                size += file.write(chunk)
        return size

    def write_result(self, attempt: Attempt, filename: str, chunks: Iterable[Piece]) -> tuple[str, int]:
        """Keep what a job computes; gives the path to `read` it, and its size in bytes."""
        job_id, number = attempt
        path = f"{job_id}/{number}-{filename}"
        return path, self.write(path, chunks)

    def read(self, path: str, span: range | None = None) -> Iterator[bytes]:
        """The content of a file, or the bytes of a `span` of it; opened before this returns. NotFoundError if it is not there."""
        with self._answering():
            try:
                file = self._files.open(self._path(path), "rb", block_size=BLOCK_BYTES)
            except FileNotFoundError:
                raise NotFoundError("The result is not in the result store any more.") from None

        def chunks() -> Iterator[bytes]:
            with self._answering(), file:
                left = file.size if span is None else len(span)
                file.seek(span.start if span else 0)
                while left and (chunk := file.read(min(CHUNK_BYTES, left))):
                    left -= len(chunk)
                    yield chunk

        return chunks()

    def write_upload(self, job_id: str, name: str, chunks: Iterable[Piece]) -> int:
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
        """Delete all files of a job. If the store does not answer they stay, and are swept later: the job is gone all the same."""
        with suppress(UnavailableError), self._answering():
            for _, undo in self._appearing.unfinished(self._path(job_id)):
                undo()
            with suppress(FileNotFoundError):
                self._files.rm(self._path(job_id), recursive=True)

    def clear(self, job_id: str, *, but: str | None = None) -> None:
        """Delete what attempts at a job have written, whole or not, `but` one file; nobody writes any more. What came with the job stays.
        If the store does not answer everything stays, until the job is destroyed.
        """
        with suppress(UnavailableError), self._answering():
            for _, undo in self._appearing.unfinished(self._path(job_id)):
                undo()
            with suppress(FileNotFoundError):
                for entry in self._files.ls(self._path(job_id), detail=True):
                    if entry["type"] == "file" and not entry["name"].endswith(f"/{but}"):
                        self._files.rm_file(entry["name"])

    def job_ids(self) -> set[str]:
        """The jobs that have files."""
        with self._answering(), suppress(FileNotFoundError):
            return {entry.rstrip("/").rpartition("/")[2] for entry in self._files.ls(self._root, detail=False)} - {MARK}
        return set()

    def drop_unfinished(self, living: Callable[[Collection[Attempt]], Collection[Attempt]]) -> int:
        """Do away with what was half written by all but those of them that are `living`; gives how many files that were."""
        with self._answering():
            found = [(_attempt(path.removeprefix(f"{self._root}/")), undo) for path, undo in self._appearing.unfinished(self._root)]
            alive = living({attempt for attempt, _ in found}) if found else ()
            left = [undo for attempt, undo in found if attempt not in alive]
            for undo in left:
                undo()
        return len(left)

    def _read_mark(self) -> str | None:
        with suppress(FileNotFoundError):
            return str(self._files.cat_file(self._path(MARK)).decode())
        return None

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def _answering(self, source: "Source | None" = None) -> Iterator[None]:
        """What goes wrong in the store as one error; what goes wrong in `source` as it is."""
        try:
            yield
        except Exception as error:
            if isinstance(error, VoError) or (source is not None and error is source.failure):
                raise
            fault = "has no room left" if is_full(error) else "does not answer"
            log.warning("the result store %s %s: %s", self._url, fault, error)
            raise UnavailableError(f"The result store {fault}.", hint="Try again in a moment.") from error


class Source:
    """Chunks on their way into the store; ``failure`` is what they ended in, if they did."""

    def __init__(self, chunks: Iterable[Piece]) -> None:
        self._chunks = chunks
        self.failure: BaseException | None = None

    def __iter__(self) -> Iterator[Piece]:
        try:
            yield from self._chunks
        except BaseException as error:
            self.failure = error
            raise


def _upload_path(job_id: str, name: str) -> str:
    return f"{job_id}/{UPLOADS}/{name.lower()}"


def _attempt(path: str) -> Attempt:
    job_id, _, name = path.partition("/")
    number = name.partition("-")[0]
    return job_id, int(number) if number.isdigit() else 0
