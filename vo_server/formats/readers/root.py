"""ROOT files: trees (TTree and its successor RNTuple) through uproot, in steps of a few megabytes."""

import re
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow

from vo_server.errors import DataError
from vo_server.formats.readers.arrow import from_arrow
from vo_server.formats.readers.extras import chosen, library
from vo_server.formats.readers.source import Source, batch_rows, clean
from vo_server.formats.readers.units import vounit

TREES = re.compile(r"TTree|TNtupleD?|ROOT::(Experimental::)?RNTuple")
"""Classes of ROOT whose objects are tables."""

LEAVES = re.compile(r"(\w+(\[\w+\])*/\w:?)+")
"""What ROOT writes itself into a branch's title: names, sizes and types of its leaves."""

UNIT = re.compile(r"(.*?)\s*[\[(]([^\[\]()]*)[\])]\s*")
"""A title that ends in a unit."""

BROKEN = (OSError, ValueError, TypeError, LookupError, AttributeError, AssertionError, RuntimeError, ArithmeticError, struct.error)
"""What uproot raises on values it cannot read, besides exceptions of its own."""


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree of a file, opened anew by whoever reads it. ``branches``: full name of each that can be read → the name that uproot gives
    its values, None where branches inside several others share it.
    """

    path: Path
    name: str
    uproot: Any
    awkward: Any
    branches: Mapping[str, str | None]
    nrows: int
    step: int

    def batches(self, columns: list[str] | None) -> Iterator[tuple[int, pyarrow.RecordBatch]]:
        """The rows as they are stored, each batch with the number of its first row."""
        wanted = [name for name, short in self.branches.items() if columns is None or _belongs(short or name, columns)]
        row = 1
        with _readable(self.path, self.uproot, row), self.open() as tree:
            for step in tree.iterate(**_only(tree, self.branches, wanted), step_size=self.step, library="ak"):
                batch = self.arrow(tree, wanted, step, row - 1, row - 1 + len(step))
                yield row, batch if columns is None else batch.select(columns)
                row += batch.num_rows
        if row <= self.nrows:
            raise DataError(f"there are {self.nrows} rows, of which uproot reads {row - 1}.", source=self.path.name)

    def arrow(self, tree: Any, wanted: list[str], rows: Any, start: int, stop: int) -> pyarrow.RecordBatch:
        """A batch of a column a branch; of a branch of several leaves a column each."""
        columns: dict[str, pyarrow.Array] = {}
        for branch in wanted:
            short = self.branches[branch]
            values = rows[short] if short else _branches(tree)[branch].array(entry_start=start, entry_stop=stop, library="ak")
            columns.update(_leaves(short or branch, self.awkward.to_arrow(values, extensionarray=False)))
        return pyarrow.RecordBatch.from_pydict(columns)

    @contextmanager
    def open(self) -> Iterator[Any]:
        """The tree of the opened file."""
        with self.uproot.open({str(self.path): None}) as file:
            yield file[self.name]


def open_root(path: Path, table: str | None) -> Source:
    """The first tree of a ROOT file, or the one of this name (with its directories). DataError says why it cannot be read.

    Branches that no table can hold (objects, lists of lists) are left out, which the notes say.
    """
    uproot, awkward = library("uproot", "root", path), library("awkward", "root", path)
    with _readable(path, uproot), uproot.open({str(path): None}) as file:
        classes = file.classnames(recursive=True, cycle=False)
        names = [name for name, kind in classes.items() if TREES.fullmatch(kind)]
        name = chosen(path, names, table, "tree (TTree or RNTuple)")
        tree = file[name]
        nrows, title = int(tree.num_entries), clean(getattr(tree, "title", None))
        readable, notes = _readable_branches(tree, uproot, awkward)
        size = int(getattr(tree, "uncompressed_bytes", 0) or 64 * len(readable) * nrows)
        found = _branches(tree)
        shared = Counter(found[branch].name for branch in readable)
        branches = {branch: found[branch].name if shared[found[branch].name] == 1 else None for branch in readable}
        words = {_column_name(short or branch): _words(branch, found[branch]) for branch, short in branches.items()}
        leaves = [leaf for branch, values in readable.items() for leaf in _leaves(branches[branch] or branch, values)]
    schema = pyarrow.schema([(leaf, values.type) for leaf, values in leaves])
    opened = _Tree(path, name, uproot, awkward, branches, nrows, batch_rows(size // max(1, nrows)))
    source = from_arrow(path, name, schema, opened.batches, words, nrows, omit=True)
    others = tuple(other for other in names if other != name)
    own = title if title and title != name.rpartition("/")[2] else None
    return replace(source, title=own, other_tables=others, notes=(*notes, *source.notes))


def _branches(tree: Any) -> dict[str, Any]:
    """The branches (of an RNTuple its fields) that hold values, by their full names."""
    items = tree.iteritems(recursive=hasattr(tree, "branches"), full_paths=True)
    return {name: branch for name, branch in items if not getattr(branch, "branches", None)}


def _readable_branches(tree: Any, uproot: Any, awkward: Any) -> tuple[dict[str, pyarrow.Array], list[str]]:
    """The first value of each branch that can be read, by its full name; and a note on each that cannot."""
    found: dict[str, pyarrow.Array] = {}
    notes = []
    for name, branch in _branches(tree).items():
        try:
            found[name] = awkward.to_arrow(branch.array(entry_stop=1, library="ak"), extensionarray=False)
        except _broken(uproot):
            notes.append(f"{name} was left out: what it holds is neither numbers nor text, or cannot be read")
    return found, notes


def _broken(uproot: Any) -> tuple[type[Exception], ...]:
    reading = uproot.interpretation
    return (
        *BROKEN,
        uproot.deserialization.DeserializationError,
        reading.objects.CannotBeAwkward,
        reading.identify.UnknownInterpretation,
    )


def _only(tree: Any, branches: Mapping[str, str | None], wanted: list[str]) -> dict[str, Any]:
    """What makes uproot read the branches that are wanted and have a name of their own."""
    if not hasattr(tree, "branches"):
        return {"filter_name": wanted}
    keys = {branch.cache_key for name, branch in _branches(tree).items() if name in wanted and branches[name]}
    return {"filter_branch": lambda branch: branch.cache_key in keys}


def _column_name(branch: str) -> str:
    """A branch as a column is called: ``event.energy`` → ``event_energy``."""
    return re.sub(r"[/.]+", "_", branch.strip("/."))


def _belongs(branch: str, columns: list[str]) -> bool:
    name = _column_name(branch)
    return any(column == name or column.startswith(f"{name}_") for column in columns)


def _leaves(branch: str, values: pyarrow.Array) -> Iterator[tuple[str, pyarrow.Array]]:
    """(column, values) of a branch, of several if it is a record."""
    if not pyarrow.types.is_struct(values.type):
        yield _column_name(branch), values
        return
    for field, array in zip(values.type, values.flatten(), strict=True):
        yield from _leaves(f"{branch}_{field.name}", array)


def _words(name: str, branch: Any) -> dict[str, str | None]:
    """Description and unit from a branch's title, unless ROOT wrote it itself."""
    title = clean(getattr(branch, "title", None) or getattr(branch, "description", None))
    if title is None or LEAVES.fullmatch(title) or title == name.rpartition("/")[2]:
        return {}
    ending = UNIT.fullmatch(title)
    if ending and ending[2] and vounit(ending[2])[0]:
        return {"unit": ending[2], "description": ending[1]}
    return {"description": title}


@contextmanager
def _readable(path: Path, uproot: Any, row: int | None = None) -> Iterator[None]:
    """What uproot cannot read as a DataError."""
    try:
        yield
    except DataError:
        raise
    except _broken(uproot) as error:
        said = clean(str(error)) or type(error).__name__
        raise DataError(
            f"the ROOT file cannot be read ({said[:200]}).", source=path.name, row=row, hint="It is damaged, or not closed: fetch it again."
        ) from None
