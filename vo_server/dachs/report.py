"""What was not taken over of a descriptor, and why."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from vo_server.dachs.nodes import Node


@dataclass(frozen=True, slots=True)
class Remark:
    """About one kind of element: where it stands, and what becomes of it. ``lost`` is false where this server does the same by itself."""

    lines: tuple[int, ...]
    what: str
    message: str
    lost: bool = True

    def __str__(self) -> str:
        some = ", ".join(map(str, self.lines[:6])) + (", …" if len(self.lines) > 6 else "")
        where = f"line{'s' if len(self.lines) > 1 else ''} {some}: " if self.lines[0] else ""
        return f"{where}{self.what}: {self.message}"


@dataclass
class Report:
    """Collects remarks; the same about several elements is said once, with all lines."""

    _said: dict[tuple[str, str, bool], list[int]] = field(default_factory=dict)

    def lost(self, node: Node, message: str, what: str | None = None) -> None:
        """`node` says something that has no place here, or could not be understood."""
        self._add(node, message, what, lost=True)

    def covered(self, node: Node, message: str, what: str | None = None) -> None:
        """`node` asks for something that happens here anyway, or elsewhere."""
        self._add(node, message, what, lost=False)

    def _add(self, node: Node, message: str, what: str | None, *, lost: bool) -> None:
        lines = self._said.setdefault((what or f"<{node.tag}>", message, lost), [])
        if node.line not in lines:
            lines.append(node.line)

    def remarks(self) -> Iterator[Remark]:
        """In the order of their first lines, what was lost before the rest."""
        found = [Remark(tuple(sorted(lines)), what, message, lost) for (what, message, lost), lines in self._said.items()]
        yield from sorted(found, key=lambda remark: (not remark.lost, remark.lines, remark.what))
