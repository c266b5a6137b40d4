"""Macros, streams, loops and mixins: a descriptor written out, as DaCHS itself reads it (Reference Documentation, "Active Tags")."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from vo_server.dachs.nodes import Node
from vo_server.dachs.report import Report
from vo_server.errors import DataError

MACRO = re.compile(r"\\{1,2}([A-Za-z_]\w*)((?:\{[^{}]*\})*)")
"""``\\name{argument}``; a second backslash keeps a macro for the stream that is fed."""
CONTINUED = re.compile(r"\\\n[ \t]*")
LICENCES = {
    "license-cc0": ("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "license-cc-by": ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "license-cc-by-sa": ("CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
}
"""Streams of DaCHS that state a licence → its name and address."""

DEFINITIONS = ("STREAM", "NXSTREAM", "mixinDef", "macDef")
MOST_NODES = 200_000


@dataclass
class Expander:
    """Writes out what one descriptor defines. What it calls up from elsewhere is said in the report."""

    source: str
    report: Report
    streams: dict[str, Node] = field(default_factory=dict)
    mixins: dict[str, Node] = field(default_factory=dict)
    macros: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def expand(self, root: Node) -> Node:
        """The whole descriptor."""
        self.macros |= {
            "schema": root.get("schema") or "",
            "rdId": str(PurePosixPath(self.source).with_suffix("")),
            "rdIdDotted": str(PurePosixPath(self.source).with_suffix("")).replace("/", "."),
        }
        for node in root.walk():
            name = node.attributes.get("id")
            if name and node.tag in ("STREAM", "NXSTREAM"):
                self.streams[name] = node
            elif name and node.tag == "mixinDef":
                self.mixins[name] = node
            elif node.tag == "macDef":
                self.macros[node.attributes.get("name", "")] = node.text
        for node in root.children:
            if node.tag == "meta" and node.attributes.get("name") == "title":
                self.macros["metaString title"] = " ".join(node.text.split())
        return self._one(root, {}, ())

    def _one(self, node: Node, scope: Mapping[str, str], inside: tuple[str, ...]) -> Node:
        self.made += 1
        if self.made > MOST_NODES:
            raise DataError(
                f"written out it has more than {MOST_NODES:,} elements.", source=self.source, hint="Streams that feed each other?"
            )
        written = Node(
            node.tag, node.line, {key: self._text(value, scope) for key, value in node.attributes.items()}, self._text(node.text, scope)
        )
        if node.tag == "table" and "mixin" in written.attributes:
            name = written.attributes.pop("mixin")
            node = replace(node, children=[Node("mixin", node.line, {}, name), *node.children])
        for child in node.children:
            written.children += self._some(child, scope, inside)
        return written

    def _some(self, node: Node, scope: Mapping[str, str], inside: tuple[str, ...]) -> list[Node]:
        if node.tag in DEFINITIONS:
            return []
        if node.tag in ("FEED", "LFEED", "RESTREAM"):
            return self._fed(node, scope, inside)
        if node.tag == "LOOP":
            return self._looped(node, scope, inside)
        if node.tag == "mixin":
            return self._mixed(node, scope, inside)
        return [self._one(node, scope, inside)]

    def _fed(self, node: Node, scope: Mapping[str, str], inside: tuple[str, ...]) -> list[Node]:
        name = self._text(node.attributes.get("source", ""), scope).strip()
        given = {key: self._text(value, scope) for key, value in node.attributes.items() if key != "source"}
        if "license-" in name and (licence := LICENCES.get(name.rpartition("#")[2])):
            return [
                Node("meta", node.line, {"name": "rights"}, licence[0]),
                Node("meta", node.line, {"name": "rights.rightsURI"}, licence[1]),
            ]
        events = node.all("events")
        if not name and events:
            return self._events(events[0], {**scope, **given}, inside)
        stream = self._local(name, self.streams)
        if stream is None:
            return [Node("FEED", node.line, {"source": name})]
        self._refuse_loop(name, inside)
        defaults = {key: value for one in stream.all("DEFAULTS") for key, value in one.attributes.items()}
        fed = self._events(stream, {**scope, **defaults, **given}, (*inside, name))
        return self._edited(node, fed, scope, inside)

    def _edited(self, node: Node, fed: list[Node], scope: Mapping[str, str], inside: tuple[str, ...]) -> list[Node]:
        """What a stream gave, without what PRUNE takes away and with what EDIT changes."""
        for prune in node.all("PRUNE"):
            wanted = {key: self._text(value, scope) for key, value in prune.attributes.items()}
            fed = [one for one in fed if not all(_is(one, key, value) for key, value in wanted.items())]
        for edit in node.all("EDIT"):
            matched = re.fullmatch(r"(\w+)\[([^\]]+)\]", self._text(edit.attributes.get("ref", ""), scope).strip())
            found = [one for one in fed if matched and one.tag == matched[1] and matched[2] in (one.get("name"), one.get("id"))]
            if not found:
                self.report.lost(edit, "what it edits is not there")
            for one in found:
                one.attributes.update({key: self._text(value, scope) for key, value in edit.attributes.items() if key != "ref"})
                for child in edit.children:
                    one.children += self._some(child, scope, inside)
        return fed

    def _looped(self, node: Node, scope: Mapping[str, str], inside: tuple[str, ...]) -> list[Node]:
        body = self._local(node.attributes.get("source", ""), self.streams) or next(iter(node.all("events")), None)
        items = self._items(node, scope)
        if body is None or items is None:
            self.report.lost(node, "its items come from Python code: write them out" if body is not None else "there is nothing to repeat")
            return []
        name = node.attributes.get("source", "")
        self._refuse_loop(name, inside)
        return [made for item in items for made in self._events(body, {**scope, **item}, (*inside, name) if name else inside)]

    def _items(self, node: Node, scope: Mapping[str, str]) -> list[dict[str, str]] | None:
        listed, table = node.get("listItems"), node.get("csvItems")
        if listed is not None:
            return [{"item": item} for item in self._text(listed, scope).split()]
        if table is not None:
            lines = [line.strip() for line in self._text(table, scope).splitlines() if line.strip()]
            rows = csv.DictReader(lines, skipinitialspace=True, restval="", restkey="")
            return [{key: value.strip() for key, value in row.items() if key and isinstance(value, str)} for row in rows]
        return None

    def _mixed(self, node: Node, scope: Mapping[str, str], inside: tuple[str, ...]) -> list[Node]:
        """A mixin that the descriptor itself defines is written out; the others stay as they are."""
        name = self._text(node.text, scope).strip()
        mixin = self._local(name, self.mixins)
        if mixin is None:
            return [self._one(replace(node, text=name), scope, inside)]
        self._refuse_loop(name, inside)
        given = {child.tag: child.text.strip() for child in node.children if not child.children} | node.attributes
        known = {par.attributes.get("name") or par.attributes.get("key", ""): par.text.strip() for par in mixin.all("mixinPar")}
        pars = {**scope, **known, **{key: self._text(value, scope) for key, value in given.items()}}
        bodies = [*mixin.all("events"), *mixin.all("lateEvents"), *mixin.all("FEED", "LOOP")]
        return [made for body in bodies for made in self._body(body, pars, (*inside, name))]

    def _body(self, body: Node, scope: Mapping[str, str], inside: tuple[str, ...]) -> list[Node]:
        return self._events(body, scope, inside) if body.tag in ("events", "lateEvents") else self._some(body, scope, inside)

    def _events(self, body: Node, scope: Mapping[str, str], inside: tuple[str, ...]) -> list[Node]:
        return [made for child in body.children if child.tag not in ("doc", "DEFAULTS") for made in self._some(child, scope, inside)]

    def _local(self, name: str, defined: Mapping[str, Node]) -> Node | None:
        """What this descriptor defines as `name`, spelled with or without itself in front."""
        place, hash_, bare = name.rpartition("#")
        return defined.get(bare) if not hash_ or place == self.macros["rdId"] else None

    def _refuse_loop(self, name: str, inside: tuple[str, ...]) -> None:
        if name in inside:
            raise DataError(f"{name} feeds itself.", source=self.source)

    def _text(self, text: str, scope: Mapping[str, str], depth: int = 0) -> str:
        """`text` with the macros that are known; others stay as they are, for whoever takes the text to complain of."""
        if "\\" not in text or depth > 9:
            return text

        def known(found: re.Match[str]) -> str:
            name, arguments = found[1], re.findall(r"\{([^{}]*)\}", found[2])
            if name in scope:
                return scope[name] + found[2]
            if name in self.macros:
                return self._text(self.macros[name], scope, depth + 1)
            if name == "metaString" and arguments and f"metaString {arguments[0]}" in self.macros:
                return self._text(self.macros[f"metaString {arguments[0]}"], scope, depth + 1)
            if name in ("upper", "lower", "decapitalize") and arguments:
                return {"upper": str.upper, "lower": str.lower}.get(name, lambda one: one[:1].lower() + one[1:])(arguments[0])
            return found[0]

        return MACRO.sub(known, CONTINUED.sub("", text)).replace("\\+", "")


def unknown_macro(text: str) -> str | None:
    """The first macro that is left in a text, if there is one."""
    found = MACRO.search(text)
    return found[0] if found else None


def _is(node: Node, key: str, value: str) -> bool:
    """Whether `node` has this value."""
    return node.get(key) == value
