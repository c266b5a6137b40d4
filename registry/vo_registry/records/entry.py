"""What every record says of itself, whatever its type and format (VOResource 1.2 §3.1)."""

import re
from dataclasses import dataclass
from datetime import datetime

from vo_server.model.resource import Creator, Resource, Site

UNCLASSIFIED = "catalogs"
"""Subject (Unified Astronomy Thesaurus) of a resource that names none: one is required."""

SERVICE_SUBJECTS = ("virtual-observatories", "astronomy-databases")

SHORT_NAME_LENGTH = 16
BIBCODE = re.compile(r"\d{4}[A-Za-z.&]{5}[\w.&]{9}[A-Z.]")
PLAIN_IN_IVOID = re.compile(r"[A-Za-z0-9_.\-/]")


@dataclass(frozen=True, slots=True)
class Relation:
    """How a record is related to others: a term of the vocabulary relationship_type, and (ivoid, title) of each."""

    kind: str
    targets: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The part that all records share. ``rights`` is (text, URI); ``alternatives`` are identifiers of other schemes, as URIs."""

    identifier: str
    title: str
    short_name: str
    description: str
    reference_url: str
    publisher: tuple[str, str]
    contact: tuple[str, str]
    creators: tuple[Creator, ...] = ()
    subjects: tuple[str, ...] = SERVICE_SUBJECTS
    types: tuple[str, ...] = ()
    content_levels: tuple[str, ...] = ("Research",)
    alternatives: tuple[str, ...] = ()
    source: str | None = None
    rights: tuple[str, str | None] | None = None
    relations: tuple[Relation, ...] = ()
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Own:
    """What is the site's own: its services, its registry, itself. ``path`` is its key below the authority, ``kind`` its content type."""

    path: str
    kind: str
    title: str
    description: str
    relations: tuple[Relation, ...] = ()


def entry_of_site(site: Site, base_url: str, own: Own) -> Entry:
    """The entry of something that is the site's own."""
    return Entry(
        identifier=site.ivoid(own.path),
        title=own.title,
        short_name=short(f"{own.path.upper()} {site.authority}"),
        description=f"{own.description} {site.description}",
        reference_url=site.reference_url or f"{base_url}/",
        publisher=publisher(site),
        contact=(site.contact_name, site.contact_email),
        creators=(Creator(site.organisation),),
        types=(own.kind,),
        relations=own.relations,
        created=site.created,
    )


def entry_of_resource(site: Site, resource: Resource, base_url: str, relations: tuple[Relation, ...]) -> Entry:
    """The entry of something published."""
    return Entry(
        identifier=resource_ivoid(site, resource.id),
        title=resource.title,
        short_name=short(resource.short_name or resource.name),
        description=resource.description or resource.title,
        reference_url=resource.reference_url or f"{base_url}/",
        publisher=publisher(site),
        contact=(site.contact_name, site.contact_email),
        creators=resource.creators,
        subjects=resource.subjects or (UNCLASSIFIED,),
        types=resource.type,
        content_levels=resource.content_level,
        alternatives=(doi_uri(resource.doi),) if resource.doi else (),
        source=resource.source,
        rights=(resource.rights or resource.rights_uri or "", resource.rights_uri) if resource.rights or resource.rights_uri else None,
        relations=relations,
        created=resource.created,
    )


def publisher(site: Site) -> tuple[str, str]:
    """(name, ivoid) of the organisation behind the site."""
    return site.organisation, site.ivoid("org")


def resource_ivoid(site: Site, resource: str) -> str:
    """The identifier of the resource with this id. What an ivoid may not hold is ``=`` and its number (IVOA Identifiers 2.0 §2.2)."""
    key = "".join(letter if PLAIN_IN_IVOID.fullmatch(letter) else f"={ord(letter):x}" for letter in resource)
    return site.ivoid(key)


def short(name: str) -> str:
    """A shortName: at most 16 characters (VOResource 1.2 §3.1.1)."""
    return name[:SHORT_NAME_LENGTH].strip()


def doi_uri(doi: str) -> str:
    """A DOI in the one form of VOResource 1.2 §2.2.4, from any of those that people write."""
    return "doi:" + re.sub(r"^(https?://(dx\.)?doi\.org/|doi:)", "", doi.strip(), flags=re.IGNORECASE)


def orcid_uri(orcid: str) -> str:
    """An ORCID iD in the one form of VOResource 1.2 §2.2.4."""
    return "https://orcid.org/" + orcid.strip().rstrip("/").rpartition("/")[2].removeprefix("orcid:")
