"""What lies around a descriptor: files that it names, and descriptors that it calls up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``rd_id`` is the descriptor's own name in DaCHS: its path below the inputs directory, without ``.rd``.

    `match` gives the files of a pattern, below its directory too if told so; `columns` the names of the columns that a section
    ``[table]`` describes, None if they cannot be read; `descriptor` the content of another descriptor by its name, None if there is none.
    """

    rd_id: str
    match: Callable[[str, bool], Sequence[str]] = lambda _pattern, _recurse: ()
    columns: Callable[[Mapping[str, Any]], Sequence[str] | None] = lambda _table: None
    descriptor: Callable[[str], bytes | None] = lambda _rd_id: None
