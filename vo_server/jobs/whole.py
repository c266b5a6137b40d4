"""Files that appear whole or not at all, in a directory or in an object store (fsspec)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO

PART = ".part"
"""What a file is called, behind its name, that is being written."""

UPLOAD_BYTES = 8 << 20
"""Size of a part of an upload to an object store: what a job holds in memory; ten thousand of them, 80 GB, make an object."""

OBJECT_STORES = ("s3", "s3a")


class Appearing(ABC):
    """How a file system makes files appear. Paths are those of the file system."""

    def __init__(self, files: Any) -> None:
        self._files = files

    @abstractmethod
    def writing(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to be written in a ``with`` block: it is at `path` if the block ends well, and nowhere if it does not."""

    @abstractmethod
    def unfinished(self, folder: str) -> Iterator[tuple[str, Callable[[], None]]]:
        """The paths below `folder` that are being written, or that somebody began to write before he died; and what undoes it."""


class Renamed(Appearing):
    """Directories: a file is written under another name first."""

    @contextmanager
    def writing(self, path: str) -> Iterator[BinaryIO]:
        """See Appearing."""
        self._files.makedirs(self._files._parent(path), exist_ok=True)
        try:
            with self._files.open(path + PART, "wb") as file:
                yield file
            self._files.mv(path + PART, path)
        except BaseException:
            self._remove(path + PART)
            raise

    def unfinished(self, folder: str) -> Iterator[tuple[str, Callable[[], None]]]:
        """See Appearing."""
        for part in self._files.find(folder):
            if part.endswith(PART):
                yield part.removesuffix(PART), partial(self._remove, part)

    def _remove(self, part: str) -> None:
        with suppress(OSError):
            self._files.rm_file(part)


class Uploaded(Appearing):
    """S3: an object is there when its upload is completed. One that nobody completes is seen by nobody, and kept until it is aborted."""

    @contextmanager
    def writing(self, path: str) -> Iterator[BinaryIO]:
        """See Appearing."""
        file = self._files.open(path, "wb", block_size=UPLOAD_BYTES)
        try:
            yield file
            file.close()  # completes the upload
        except BaseException:
            file.closed = True  # to close it would complete it
            with suppress(Exception):  # what was wrong is told already
                file.discard()
            raise

    def unfinished(self, folder: str) -> Iterator[tuple[str, Callable[[], None]]]:
        """See Appearing."""
        bucket, key, _ = self._files.split_path(folder)
        prefix = f"{key}/" if key else ""
        for upload in self._files.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix).get("Uploads", ()):
            yield f"{bucket}/{upload['Key']}", partial(self._files.abort_mpu, bucket, upload["Key"], upload["UploadId"])
