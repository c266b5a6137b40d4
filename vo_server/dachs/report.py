"""What became of each part of a descriptor, and why."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from vo_server.dachs.nodes import Node


class Fate(IntEnum):
    """What became of an element, the weightiest first."""

    WITHHELD = 0
    """DaCHS does not give it to everybody: it is left out unless somebody asks for it."""
    LOST = 1
    """It could not be taken over."""
    COVERED = 2
    """It happens here without being asked for, or elsewhere."""


@dataclass(frozen=True, slots=True)
class Remark:
    """About one kind of element: the lines on which it stands, and what became of it."""

    fate: Fate
    lines: tuple[int, ...]
    what: str
    message: str

    def __str__(self) -> str:
        some = ", ".join(map(str, self.lines[:6])) + (", …" if len(self.lines) > 6 else "")
        return f"line{'s' if len(self.lines) > 1 else ''} {some}: {self.what}: {self.message}"


@dataclass
class Report:
    """Collects remarks; the same about several elements is said once, with all lines."""

    _said: dict[tuple[Fate, str, str], set[int]] = field(default_factory=dict)

    def withheld(self, node: Node, message: str, what: str | None = None) -> None:
        """`node` is left out, for not everybody may see it."""
        self._add(Fate.WITHHELD, node, message, what)

    def lost(self, node: Node, message: str, what: str | None = None) -> None:
        """`node` says something that has no place here, or could not be understood."""
        self._add(Fate.LOST, node, message, what)

    def covered(self, node: Node, message: str, what: str | None = None) -> None:
        """`node` asks for something that happens here anyway, or elsewhere."""
        self._add(Fate.COVERED, node, message, what)

    def _add(self, fate: Fate, node: Node, message: str, what: str | None) -> None:
        self._said.setdefault((fate, what or f"<{node.tag}>", message), set()).add(node.line)

    def remarks(self) -> Iterator[Remark]:
        """The weightiest first, each kind in the order of its first lines."""
        found = [Remark(fate, tuple(sorted(lines)), what, message) for (fate, what, message), lines in self._said.items()]
        yield from sorted(found, key=lambda remark: (remark.fate, remark.lines, remark.what))
