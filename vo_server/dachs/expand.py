"""Streams, loops and mixins: a descriptor written out, as DaCHS itself reads it (Reference Documentation, "Active Tags")."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from vo_server.dachs.macros import written_out
from vo_server.dachs.nodes import Node, parse
from vo_server.dachs.report import Report
from vo_server.dachs.surroundings import Surroundings
from vo_server.errors import DataError

LICENCES = {
    "license-cc0": ("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "license-cc-by": ("CC BY 3.0", "https://creativecommons.org/licenses/by/3.0/"),
    "license-cc-by-sa": ("CC BY-SA 3.0", "https://creativecommons.org/licenses/by-sa/3.0/"),
}
"""Streams of DaCHS that state a licence → its name and address, as DaCHS 2.7 states them."""

DEFINITIONS = ("STREAM", "NXSTREAM", "mixinDef", "macDef", "procDef")
REPLAYED = ("FEED", "LFEED")
NOT_PLAYED = ("doc", "DEFAULTS")
REGULAR = ("fieldSep", "recordSep", "recordCleaner", "commentPat", "stopPat")
"""Regular expressions, in which a backslash begins no macro."""

EMPTY = ("__EMPTY__", "__NULL__")
EDITED = re.compile(r"(\w+)\[(\w+)\]")
MOST_NODES = 200_000
LONGEST = 1 << 26
"""Characters of all texts together, written out."""
DEEPEST = 100

Scope = Mapping[str, str]
Inside = tuple[str, ...]
"""Names of the streams that are being fed, the outermost first."""


@dataclass
class Shared:
    """What the descriptors have in common that are read for one."""

    report: Report
    surroundings: Surroundings
    known: dict[str, "Expander | None"] = field(default_factory=dict)
    made: int = 0
    length: int = 0
    depth: int = 0

    def count(self, node: Node, source: str) -> None:
        """One element more has been written out. DataError, with its line, if there are too many of them."""
        self.made += 1
        self.length += len(node.text) + sum(map(len, node.attributes.values()))
        if self.made > MOST_NODES or self.length > LONGEST or self.depth > DEEPEST:
            raise DataError(
                f"line {node.line}: written out it is too large or too deep: more than {MOST_NODES:,} elements, "
                f"{LONGEST >> 20} megabytes or {DEEPEST} levels.",
                source=source,
                hint="Do its streams feed each other?",
            )


class Expander:
    """Writes out one descriptor. Definitions of descriptors that lie beside it are called up; those of DaCHS itself stay as they are."""

    def __init__(self, root: Node, source: str, rd_id: str, shared: Shared) -> None:
        self.root, self.source, self.rd_id, self.shared = root, source, rd_id, shared
        self.named = {(node.tag, name): node for node in root.walk() if (name := node.attributes.get("id"))}
        self.macros = {"schema": root.get("schema") or "", "rdId": rd_id, "rdIdDotted": rd_id.replace("/", ".")}
        for node in root.all("macDef", "meta"):
            name, text = node.attributes.get("name", ""), self._text(node.text, {})
            self.macros |= {name: text} if node.tag == "macDef" else {f"metaString {name}": " ".join(text.split())}

    @cached_property
    def expanded(self) -> Node:
        """The descriptor without streams, loops and macros. DataError if it defines itself by itself."""
        return self._one(self.root, {}, ())

    @cached_property
    def tables(self) -> dict[str, Node]:
        """Its tables, written out, by their ids."""
        return {name: node for node in self.expanded.walk() if node.tag == "table" and (name := node.get("id"))}

    def table(self, reference: str) -> "tuple[Expander, Node] | None":
        """The table that `reference` names, and the descriptor in which it stands."""
        home, name = self._home(reference)
        node = home.tables.get(name) if home is not None else None
        return (home, node) if home is not None and node is not None else None

    def column(self, reference: str) -> Node | None:
        """The column with the id that `reference` names."""
        home, name = self._home(reference)
        nodes = home.expanded.walk() if home is not None else ()
        return next((node for node in nodes if node.tag == "column" and node.get("id") == name), None)

    def _home(self, reference: str) -> "tuple[Expander | None, str]":
        """The descriptor that `reference` points into, None if it is not at hand, and the bare name."""
        place, hash_, name = reference.strip().rpartition("#")
        if not hash_ or place == self.rd_id:
            return self, name
        known = self.shared.known
        if place not in known:
            content = self.shared.surroundings.descriptor(place)
            known[place] = None if content is None else Expander(parse(content, f"{place}.rd"), f"{place}.rd", place, self.shared)
        return known[place], name

    def _defined(self, reference: str, *tags: str) -> "tuple[Expander, Node, str] | None":
        """What `reference` names: where it stands, the node, and its full name."""
        home, name = self._home(reference)
        node = next((home.named[tag, name] for tag in tags if (tag, name) in home.named), None) if home is not None else None
        return (home, node, f"{home.rd_id}#{name}") if home is not None and node is not None else None

    def _one(self, node: Node, scope: Scope, inside: Inside) -> Node:
        text = node.text if node.tag in REGULAR else self._text(node.text, scope)
        written = Node(node.tag, node.line, self._attributes(node, scope), text)
        self.shared.count(written, self.source)
        if node.tag == "table" and (mixin := written.attributes.pop("mixin", "")):
            node = replace(node, children=[*(Node("mixin", node.line, {}, name) for name in mixin.split(",")), *node.children])
        self.shared.depth += 1
        for child in node.children:
            written.children += self._some(child, scope, inside)
        self.shared.depth -= 1
        return written

    def _some(self, node: Node, scope: Scope, inside: Inside) -> list[Node]:
        if node.tag in DEFINITIONS:
            return []
        if node.tag in REPLAYED:
            return self._fed(node, scope, inside)
        if node.tag == "LOOP":
            return self._looped(node, scope, inside)
        if node.tag == "mixin":
            return self._mixed(node, scope, inside)
        return [self._one(node, scope, inside)]

    def _fed(self, node: Node, scope: Scope, inside: Inside) -> list[Node]:
        given = self._parameters(node, scope)
        name = given.pop("source", "").strip()
        if name.startswith("//procs#") and (licence := LICENCES.get(name.rpartition("#")[2])):
            return self._licensed(node, *licence)
        body = self._body(node, name, inside)
        if body is None:
            return [Node("FEED", node.line, {"source": name})]
        return self._replayed(node, body, [given], scope)

    def _licensed(self, node: Node, name: str, address: str) -> list[Node]:
        if not name.startswith("CC0"):
            self._lost(node, f"the licence is written as {name}, which DaCHS states up to 2.7: compare with your record")
        return [Node("meta", node.line, {"name": "rights"}, name), Node("meta", node.line, {"name": "rights.rightsURI"}, address)]

    def _looped(self, node: Node, scope: Scope, inside: Inside) -> list[Node]:
        given = self._parameters(node, scope)
        items = self._items(node, scope)
        if items is None:
            self._lost(node, "its items come from Python code: write them out")
            return []
        body = self._body(node, given.pop("source", "").strip(), inside)
        if body is None:
            self._lost(node, "what it repeats is not in this descriptor, nor in one beside it")
            return []
        return self._replayed(node, body, [{**given, **item} for item in items], scope)

    def _items(self, node: Node, scope: Scope) -> list[dict[str, str]] | None:
        listed, table = node.get("listItems"), node.get("csvItems")
        if listed is not None:
            return [{"item": item} for item in self._text(listed, scope).split()]
        if table is not None:
            lines = [line.strip() for line in self._text(table, scope).splitlines() if line.strip()]
            rows = csv.DictReader(lines, skipinitialspace=True, restval="", restkey="")
            return [{key.strip(): value.strip() for key, value in row.items() if key and isinstance(value, str)} for row in rows]
        return None

    def _body(self, node: Node, name: str, inside: Inside) -> "tuple[Expander, Node, Inside] | None":
        """What is replayed: the stream of that name, or the events of the element itself."""
        if not name:
            events = node.all("events")
            return (self, events[0], inside) if events else None
        found = self._defined(name, "STREAM", "NXSTREAM")
        if found is None:
            return None
        home, stream, full = found
        self._refuse_loop(node, full, inside)
        return home, stream, (*inside, full)

    def _replayed(self, node: Node, body: "tuple[Expander, Node, Inside]", scopes: Iterable[Scope], outer: Scope) -> list[Node]:
        """The events of a stream once for each scope, without what PRUNE takes away and with what EDIT changes."""
        home, stream, inside = body
        defaults = {key: value for one in stream.all("DEFAULTS") for key, value in self._parameters(one, {}).items()}
        made = [one for scope in scopes for one in home._events(stream, {**outer, **defaults, **scope}, inside)]
        return self._edited(node, self._placed(made, home, node), outer, inside)

    def _placed(self, made: list[Node], home: "Expander", node: Node) -> list[Node]:
        """Elements that stand in another file are reported where they are called up."""
        if home is not self:
            for one in (below for top in made for below in top.walk()):
                one.line = node.line
        return made

    def _edited(self, node: Node, made: list[Node], scope: Scope, inside: Inside) -> list[Node]:
        for prune in node.all("PRUNE"):
            wanted = self._attributes(prune, scope)
            made = [one for one in made if not (wanted and all(self._fits(prune, value, one.get(key)) for key, value in wanted.items()))]
        for edit in node.all("EDIT"):
            matched = EDITED.fullmatch(self._text(edit.attributes.get("ref", ""), scope).strip())
            below = (one for top in made for one in top.walk())
            found = [one for one in below if matched and one.tag == matched[1] and matched[2] in (one.get("name"), one.get("id"))]
            if not found:
                self._lost(edit, "what it edits is not there")
            for one in found:
                one.attributes |= {key: value for key, value in self._attributes(edit, scope).items() if key != "ref"}
                for child in edit.children:
                    one.children += self._some(child, scope, inside)
        return made

    def _fits(self, prune: Node, pattern: str, value: str | None) -> bool:
        try:
            return value is not None and re.search(pattern, value) is not None
        except re.error:
            self._lost(prune, f"{pattern} is no regular expression")
            return False

    def _mixed(self, node: Node, scope: Scope, inside: Inside) -> list[Node]:
        """A mixin that is at hand is written out; the others stay as they are."""
        name = self._text(node.text, scope).strip()
        found = self._defined(name, "mixinDef")
        if found is None:
            return [self._one(replace(node, text=name), scope, inside)]
        home, mixin, full = found
        self._refuse_loop(node, full, inside)
        known = {par.get("name", "key") or "": par.text.strip() for par in mixin.all("mixinPar")}
        pars = {key: "" if value in EMPTY else value for key, value in {**known, **self._parameters(node, scope)}.items()}
        bodies = mixin.all("events", "lateEvents", *REPLAYED, "LOOP")
        made = [one for body in bodies for one in home._played(body, {**scope, **pars}, (*inside, full))]
        return self._placed(made, home, node)

    def _played(self, body: Node, scope: Scope, inside: Inside) -> list[Node]:
        return self._events(body, scope, inside) if body.tag in ("events", "lateEvents") else self._some(body, scope, inside)

    def _events(self, body: Node, scope: Scope, inside: Inside) -> list[Node]:
        return [made for child in body.children if child.tag not in NOT_PLAYED for made in self._some(child, scope, inside)]

    def _refuse_loop(self, node: Node, name: str, inside: Inside) -> None:
        if name in inside:
            raise DataError(f"line {node.line}: {name} feeds itself.", source=self.source)

    def _lost(self, node: Node, message: str) -> None:
        is_own = self.rd_id == self.shared.surroundings.rd_id
        self.shared.report.lost(node, message, None if is_own else f"<{node.tag}> of {self.rd_id}")

    def _attributes(self, node: Node, scope: Scope) -> dict[str, str]:
        return {key: value if key in REGULAR else self._text(value, scope) for key, value in node.attributes.items()}

    def _parameters(self, node: Node, scope: Scope) -> dict[str, str]:
        """Parameters as attributes, or as elements."""
        elements = {child.tag: child.text.strip() for child in node.children if not child.children}
        return {key: self._text(value, scope) for key, value in (elements | node.attributes).items()}

    def _text(self, text: str, scope: Scope) -> str:
        return written_out(text, scope, self.macros)
