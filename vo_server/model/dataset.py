"""A dataset as it is asked for by its identifier, and what belongs to it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file that we serve: below the root of a collection; ``hdu`` if one HDU of it is meant."""

    collection: str
    path: str
    hdu: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLink:
    """Something that belongs to a dataset (DataLink 1.1 §3.2): a file of ours or an address elsewhere."""

    semantics: str
    place: FilePlace | None = None
    access_url: str | None = None
    description: str | None = None
    content_type: str | None = None
    content_length: int | None = None
    content_qualifier: str | None = None
    local_semantics: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDataset:
    """What is known of a dataset, in ObsCore's units; ``shape`` as numbers: a circle or the vertices of a polygon, ICRS degrees;
    ``circle`` covers it.
    ``release`` is naive UTC; ``resource`` is the ``schema/name`` of the resource that describes its collection.
    """

    identifier: str
    place: FilePlace | None
    access_url: str | None
    content_type: str | None
    content_length: int | None
    kind: str | None
    title: str | None
    shape: tuple[float, ...] | None
    circle: tuple[float, float, float] | None
    pixels: tuple[int, int] | None
    band: tuple[float, float] | None
    time: tuple[float, float] | None
    pol: tuple[str, ...]
    release: datetime | None
    resource: str | None
    links: tuple[DatasetLink, ...]
