"""Where the rows of an answer come from, as INFOs that travel with them (IVOA Note Data Origin in the VO 1.1; DALI 1.1 §4.4.4)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from vo_registry.records.entry import doi_uri, resource_ivoid
from vo_server import __version__
from vo_server.model.resource import Resource, Site
from vo_server.model.result import Info

SOFTWARE = f"vo-server/{__version__}"
"""As the IVOA's note on software identification has it."""

MOST_CREATORS = 10
"""The record in the registry has them all."""


@dataclass(frozen=True, slots=True)
class Asked:
    """By what rows are asked for: ``service`` is the path of the service's record, or the id of the resource whose record has it;
    ``request`` the whole address for protocols without a language, ``query`` the text for those with one.
    """

    standard_id: str
    service: str
    request: str | None = None
    query: str | None = None


def query_origin(site: Site, asked: Asked, now: datetime) -> Iterator[Info]:
    """How the rows were asked for (§5.1)."""
    yield Info("standardID", asked.standard_id)
    yield Info("service_protocol", asked.standard_id, "Protocol by which the rows were asked for")
    yield Info("service_ivoid", resource_ivoid(site, asked.service), "Service that gave them")
    if asked.request is not None:
        yield Info("request", asked.request, "What was asked")
    if asked.query is not None:
        yield Info("query", asked.query)
    yield Info("request_date", _instant(now), "When it was asked")
    yield Info("server_software", SOFTWARE)
    yield Info("publisher", site.organisation, "Data centre that gave the rows")
    yield Info("contact", site.contact_email, "Whom to ask about the service")


def data_origin(site: Site, resource: Resource) -> Iterator[Info]:
    """Which data the rows are of, and how to cite them (§5.2): what the registry's record says too. What is not known is not said."""
    yield Info("data_ivoid", resource_ivoid(site, resource.id), f"Record of the data: {resource.title}")
    if resource.doi:
        yield Info("citation", doi_uri(resource.doi), "Identifier to cite the data by")
    if resource.source:
        yield Info("article", resource.source, "Publication to cite with the data")
    if resource.reference_url:
        yield Info("reference_url", resource.reference_url, "Page about the data")
    for creator in resource.creators[:MOST_CREATORS]:
        yield Info("creator", creator.name)
    if len(resource.creators) > MOST_CREATORS:
        yield Info("creator", "et al.", f"{len(resource.creators)} in all, see the record")
    if resource.rights_uri:
        yield Info("rights_uri", resource.rights_uri, "Licence")
    if resource.rights:
        yield Info("rights", resource.rights)
    yield Info("publication_date", _instant(resource.created), "When the data were first published here")
    yield Info("last_update_date", _instant(resource.updated), "When they last changed here")


def _instant(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
