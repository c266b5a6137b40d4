"""The values of UPLOAD: names of tables, and where their content is (DALI 1.1 §3.4.5, TAP 1.1 §2.7.6)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vo_server.errors import UsageError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
LONGEST_NAME = 63
MOST = 100
"""Tables of one query."""

PARAM = "param:"
"""What the address of inline content begins with; the name of the part of the form follows."""

NEXT = re.compile(r";(?=[^;,:/?]*,)")
"""A semicolon between two pairs: a name and a comma follow, as they hardly do within an address."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A table to upload: its name in the schema TAP_UPLOAD, and the address of its content."""

    name: str
    uri: str

    @property
    def part(self) -> str | None:
        """The part of the form that holds the content; None if it is elsewhere."""
        return self.uri[len(PARAM) :] if self.uri.lower().startswith(PARAM) else None


def parse_uploads(values: Iterable[str]) -> tuple[Upload, ...]:
    """The uploads of all values of UPLOAD: pairs ``name,uri``, several in one value separated by semicolons.

    Raises UsageError for what is no pair, for a name that cannot stand in a query, and for two that differ in case only.
    """
    pairs = [pair for value in values for pair in NEXT.split(value) if pair.strip(" ;")]
    if len(pairs) > MOST:
        raise UsageError(f"UPLOAD: there are {len(pairs)} tables; at most {MOST} are taken.", parameter="UPLOAD")
    uploads = tuple(_parse_pair(pair) for pair in pairs)
    names = [upload.name.lower() for upload in uploads]
    for upload in uploads:
        if names.count(upload.name.lower()) > 1:
            raise UsageError(f"UPLOAD: two tables are called {upload.name}.", hint="Give each a name of its own.", parameter="UPLOAD")
    return uploads


def _parse_pair(text: str) -> Upload:
    name, comma, uri = (piece.strip() for piece in text.strip(" ;").partition(","))
    if not comma or not uri:
        raise UsageError(f"UPLOAD={text!r} is not a name and an address.", hint=EXAMPLE, parameter="UPLOAD")
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UsageError(
            f"UPLOAD: {name!r} cannot be the name of a table.",
            hint=f"It begins with a letter and has at most {LONGEST_NAME} letters, digits and underscores; queries say TAP_UPLOAD.name.",
            parameter="UPLOAD",
        )
    return Upload(name, uri)


EXAMPLE = "Write UPLOAD=mine,param:part for a part of the form, or UPLOAD=mine,https://… for a file elsewhere."
