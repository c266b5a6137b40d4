"""Many files read in parallel processes, and not again as long as they stay as they are."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from vo_server.errors import DataError
from vo_server.publish.datasets import Dataset

FITS_ENDINGS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz", ".fits.bz2", ".fit.bz2")
ALONE_FILES = 40
"""So few files are read here: processes of our own would take longer to begin."""

Task = TypeVar("Task")
Result = TypeVar("Result")

Watcher = Callable[[int, int], None]
"""(files read, files altogether)"""


def kilobytes(size: int) -> int:
    """A number of bytes as ObsCore's access_estsize has it: nothing is less than one (ObsCore 1.1 §4.10)."""
    return max(1, round(size / 1000))


@dataclass(frozen=True, slots=True)
class Request:
    """A file to be read: ``path`` below ``directory``; pictures of what it holds are drawn below ``drawn``, if that is given, and lie
    below ``previews`` if it was read before.
    """

    directory: Path
    path: str
    drawn: Path | None = None
    previews: Path | None = None

    @property
    def file(self) -> Path:
        """Where it lies."""
        return self.directory / self.path

    @property
    def kilobytes(self) -> int:
        """Its size as ObsCore's access_estsize has it."""
        return kilobytes(self.file.stat().st_size)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds. ``skipped`` are the reasons for what of it was passed over."""

    datasets: tuple[Dataset, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileState:
    """By what an unchanged file is known: bytes, nanoseconds since 1970, and the code that read it."""

    size: int
    modified: int
    reader: str


Reader = Callable[[Request], Reading]
"""A function of a module, which other processes can call; DataError says why nothing of a file can be used."""

Known = Mapping[str, tuple[FileState, Reading]]
"""What was read before, by path."""

READING_JSON = TypeAdapter(Reading)


def find_files(directory: Path, endings: Sequence[str] = FITS_ENDINGS) -> list[str]:
    """Paths of the files below `directory`, relative to it, in order; hidden files and directories are passed over."""
    found = []
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in names if name.lower().endswith(tuple(endings)) and not name.startswith(".")]
    return sorted(path.relative_to(directory).as_posix() for path in found if path.is_file())


def without_ending(path: str) -> str:
    """The path without the file's ending of format and compression."""
    ending = next((ending for ending in sorted(FITS_ENDINGS, key=len, reverse=True) if path.lower().endswith(ending)), "")
    return path.removesuffix(path[len(path) - len(ending) :]) if ending else path


@cache
def code_digest() -> str:
    """Changes with the code that reads files."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def state_of(request: Request, reader: Reader) -> FileState:
    """The file as it is now. DataError if it is gone."""
    try:
        status = request.file.stat()
    except OSError as error:
        raise DataError(f"it cannot be read ({error.strerror})") from None
    name = f"{getattr(reader, '__name__', '')} {'with' if request.previews else 'without'} previews {code_digest()}"
    return FileState(status.st_size, status.st_mtime_ns, name)


def read_files(
    requests: Sequence[Request], reader: Reader, known: Known, processes: int, watch: Watcher
) -> dict[str, tuple[FileState, Reading]]:
    """What each file holds, by path in the order of `requests`: as `known` where the file is unchanged, else read by `reader`."""
    states = {request.path: _state(request, reader) for request in requests}
    found: dict[str, Reading] = {}
    fresh: list[Request] = []
    for request in requests:
        before = known.get(request.path)
        if before and before[0] == states[request.path] and _has_previews(request, before[1]):
            found[request.path] = before[1]
        else:
            fresh.append(request)
    watch(len(found), len(requests))
    for path, reading in _read(fresh, reader, processes):
        found[path] = reading
        watch(len(found), len(requests))
    return {request.path: (states[request.path], found[request.path]) for request in requests}


def _state(request: Request, reader: Reader) -> FileState:
    try:
        return state_of(request, reader)
    except DataError:
        return FileState(-1, -1, "")


def _has_previews(request: Request, reading: Reading) -> bool:
    pictures = [link.path for dataset in reading.datasets for link in dataset.links if link.semantics == "#preview" and link.path]
    return request.previews is None or all((request.previews / path).exists() for path in pictures)


def _read(requests: Sequence[Request], reader: Reader, processes: int) -> Iterator[tuple[str, Reading]]:
    return in_processes(partial(_told, reader), requests, processes if len(requests) > ALONE_FILES else 1)


def in_processes(run: Callable[[Task], Result], tasks: Sequence[Task], processes: int) -> Iterator[Result]:
    """What `run`, a function of a module, makes of each task, as they end: in so many processes, here if there is one."""
    if processes == 1:
        yield from map(run, tasks)
        return
    # spawned, not forked: this process has threads and connections
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        begun = [pool.submit(run, task) for task in tasks]
        try:
            yield from (task.result() for task in as_completed(begun))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _told(reader: Reader, request: Request) -> tuple[str, Reading]:
    """The path and what was read; the reason, where nothing of the file can be used."""
    try:
        return request.path, reader(request)
    except DataError as error:
        return request.path, Reading((), (error.message,))
    except MemoryError:
        return request.path, Reading((), ("it does not fit into memory",))
