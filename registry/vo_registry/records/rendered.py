"""A record before and after it is stored. Two dates belong to storing, and so are blank in what is rendered."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from vo_server.documents.xml import Element, parse, serialise

BLANK_DATE = "1970-01-01T00:00:00Z"
"""Stands for dates that only storing knows; it never leaves the house."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A record as its content makes it: the same content gives the same text, so that its hash tells whether anything changed.

    ``created`` is when the resource came to be, None: when its record is first stored.
    """

    identifier: str
    ivo_vor: str
    oai_dc: str
    created: datetime | None = None

    @property
    def content_hash(self) -> str:
        """A fingerprint of both texts, whose blank dates do not count."""
        return hashlib.sha256(f"{self.ivo_vor}\0{self.oai_dc}".encode()).hexdigest()

    def dated(self, created: datetime, updated: datetime) -> tuple[str, str]:
        """Both texts (ivo_vor, oai_dc) with their dates: ``created``, ``updated`` and ``dc:date`` (VOResource 1.2 §3.1, in UTC with Z).

        The blanks stand in the root's attributes and in an element of its own, and no text before or beside them can look like that,
        so they are filled in without reading the documents.
        """
        resource = self.ivo_vor.replace(f'created="{BLANK_DATE}"', f'created="{utc_text(created)}"', 1)
        resource = resource.replace(f'updated="{BLANK_DATE}"', f'updated="{utc_text(updated)}"', 1)
        return resource, self.oai_dc.replace(f"<dc:date>{BLANK_DATE}<", f"<dc:date>{utc_text(updated)}<")

    def like(self, stored: str) -> str:
        """The ivo_vor text with the dates of the version that is `stored`, so that only other differences show."""
        resource, before = parse(self.ivo_vor), parse(stored)
        for date in ("created", "updated"):
            resource.set(date, before.get(date, BLANK_DATE))
        return text_of(resource)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it lies in the database; ``metadata`` is its text in the format asked for, None when deleted or not asked for."""

    identifier: str
    datestamp: datetime
    deleted: bool
    metadata: str | None = None


def utc_text(moment: datetime) -> str:
    """An aware time as OAI-PMH and VOResource write it: UTC, whole seconds, with Z."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def text_of(root: Element) -> str:
    """A document as text, without its declaration: records travel inside other documents."""
    return serialise(root).decode().partition("?>")[2].lstrip()
