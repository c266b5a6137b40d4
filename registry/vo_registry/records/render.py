"""All records of a site: its authority, its registry, its organisation, its services, and one for each resource."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vo_registry.records.dublincore import dublin_element
from vo_registry.records.entry import Entry, Own, Relation, entry_of_resource, entry_of_site, publisher, resource_ivoid
from vo_registry.records.rendered import Rendered, text_of
from vo_registry.records.voresource import add_organisation, add_provenance, add_tableset, resource_element
from vo_server.documents.vodataservice import Detail
from vo_server.documents.vosi import vosi_capabilities
from vo_server.documents.xml import Element, add
from vo_server.model.capability import Capability, ConeSearch, Harvest, Interface, ServiceCapabilities
from vo_server.model.catalogue import Catalogue, Table
from vo_server.model.resource import Resource, Site

REGISTRY_ID = "ivo://ivoa.net/std/Registry"
OAI_PATH = "oai"
TAP_PATH = "tap"
IMAGES_PATH = "sia2"
OBSCORE = "ivoa.obscore"

IS_SERVED_BY = "IsServedBy"
IS_SERVICE_FOR = "IsServiceFor"


@dataclass(frozen=True, slots=True)
class SharedService:
    """A service over many resources. ``standard_id`` and ``aux_id`` are those of its main capability and of the same one in the records
    of what it serves (Discovering Data Collections 1.0 §2); ``schemas`` are whose tables its own record lists, in ``detail``."""

    path: str
    standard_id: str
    aux_id: str
    title: str
    description: str
    schemas: tuple[str, ...]
    detail: Detail

    def serves(self, resource: Resource) -> bool:
        """Whether the resource is found through this service: tables by TAP, datasets (no tables of their own) by image search."""
        if self.path == TAP_PATH:
            return bool(resource.tables)
        return not resource.tables or OBSCORE in resource.tables


SHARED: tuple[SharedService, ...] = (
    SharedService(
        TAP_PATH,
        "ivo://ivoa.net/std/TAP",
        "ivo://ivoa.net/std/TAP#aux",
        "TAP service",
        "Queries in ADQL over all tables published here, by the Table Access Protocol.",
        ("tap_schema", "ivoa", "rr"),
        "min",
    ),
    SharedService(
        IMAGES_PATH,
        "ivo://ivoa.net/std/SIA#query-2.0",
        "ivo://ivoa.net/std/SIA#query-aux-2.0",
        "image search",
        "Searches by position, time, energy and other properties for all images published here, by Simple Image Access 2.0.",
        ("ivoa",),
        "max",
    ),
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every record of a site may refer to; ``services`` are capabilities by path."""

    site: Site
    resources: Sequence[Resource]
    catalogue: Catalogue
    services: Mapping[str, Sequence[Capability]]
    base_url: str

    def main_capability(self, shared: SharedService) -> Capability | None:
        """The capability that a shared service is registered for, None if it is not served here."""
        return next((one for one in self.services.get(shared.path, ()) if one.standard_id == shared.standard_id), None)

    def shared_by(self, resource: Resource) -> list[tuple[SharedService, Capability]]:
        """The shared services that serve a resource, with their main capabilities."""
        found = [(shared, self.main_capability(shared)) for shared in SHARED if shared.serves(resource)]
        return [(shared, main) for shared, main in found if main is not None]

    def title(self, shared: SharedService) -> str:
        """The title of a shared service's record."""
        return f"{self.site.title}: {shared.title}"


def render_all(
    site: Site, resources: Sequence[Resource], catalogue: Catalogue, services: Sequence[ServiceCapabilities], base_url: str
) -> dict[str, Rendered]:
    """Every record by its identifier. `services` have the paths ``tap``, ``sia2`` and ``scs/<schema.table>``.

    The same arguments give the same texts: only what they say can move a datestamp.
    """
    around = Surroundings(site, resources, catalogue, {service.path.strip("/"): service.capabilities for service in services}, base_url)
    records = [
        _authority(around),
        _registry(around),
        _organisation(around),
        *(_shared_service(around, shared) for shared in SHARED if around.main_capability(shared) is not None),
        *(_resource(around, resource) for resource in resources),
    ]
    return {record.identifier: record for record in records}


def registry_capabilities(base_url: str) -> tuple[Capability, ...]:
    """What the registry can do: to be harvested, and to say so (RegistryInterfaces 1.1 §3.2)."""
    url = f"{base_url}/{OAI_PATH}"
    interface = Interface(url, type="vg:OAIHTTP", version="1.0")
    return (Harvest(standard_id=REGISTRY_ID, interfaces=(interface,), description="Harvesting by OAI-PMH 2.0."), *vosi_capabilities(url))


def _authority(around: Surroundings) -> Rendered:
    site = around.site
    description = f"The naming authority {site.authority}, under which {site.organisation} registers its resources."
    entry = entry_of_site(site, around.base_url, Own("", "Other", f"{site.title}: naming authority", description))
    root = resource_element("vg:Authority", entry)
    add_organisation(root, "managingOrg", publisher(site))
    return _rendered(entry, root)


def _registry(around: Surroundings) -> Rendered:
    site = around.site
    description = (
        f"The publishing registry of {site.organisation}: the records of all that is published here, for full registries to harvest."
    )
    entry = entry_of_site(site, around.base_url, Own("registry", "Registry", f"{site.title}: publishing registry", description))
    root = resource_element("vg:Registry", entry, registry_capabilities(around.base_url))
    add(root, "full", "false")
    add(root, "managedAuthority", site.authority)
    return _rendered(entry, root)


def _organisation(around: Surroundings) -> Rendered:
    site = around.site
    description = f"{site.organisation}, the publisher of this data centre."
    entry = entry_of_site(site, around.base_url, Own("org", "Organisation", site.organisation, description))
    return _rendered(entry, resource_element("vr:Organisation", entry))


def _shared_service(around: Surroundings, shared: SharedService) -> Rendered:
    """A service over many resources, with its own tables and a relation to each resource it serves."""
    served = tuple((resource_ivoid(around.site, one), one.title) for one in around.resources if shared.serves(one))
    own = Own(shared.path, "Archive", around.title(shared), shared.description, (Relation(IS_SERVICE_FOR, served),))
    entry = entry_of_site(around.site, around.base_url, own)
    root = resource_element("vs:CatalogService", entry, around.services[shared.path])
    tables = [table for table in around.catalogue.tables if table.schema.lower() in shared.schemas]
    add_tableset(root, around.catalogue, tables, shared.detail)
    return _rendered(entry, root)


def _resource(around: Surroundings, resource: Resource) -> Rendered:
    """Something published: found through the shared services, and by cone search of its own where it has positions.

    A resource without a service of its own is a vs:CatalogResource (VODataService 1.2 §3.1).
    """
    shared = around.shared_by(resource)
    relations = tuple(Relation(IS_SERVED_BY, ((around.site.ivoid(one.path), around.title(one)),)) for one, _ in shared)
    entry = entry_of_resource(around.site, resource, around.base_url, relations)
    tables = [table for name in resource.tables if (table := around.catalogue.table(name)) is not None]
    cones = [cone for table in tables for cone in _cones(around, table)]
    auxiliary = [_auxiliary(one, main) for one, main in shared]
    root = resource_element("vs:CatalogService" if cones else "vs:CatalogResource", entry, [*auxiliary, *cones])
    add_provenance(root, resource)
    add_tableset(root, around.catalogue, tables, "max")
    return _rendered(entry, root)


def _auxiliary(shared: SharedService, main: Capability) -> Capability:
    """The shared service as a resource's record names it: its first (anonymous) interface under the auxiliary identifier."""
    return Capability(standard_id=shared.aux_id, interfaces=main.interfaces[:1], description=shared.description)


def _cones(around: Surroundings, table: Table) -> list[Capability]:
    return [one for one in around.services.get(f"scs/{table.full_name}", ()) if isinstance(one, ConeSearch)]


def _rendered(entry: Entry, root: Element) -> Rendered:
    return Rendered(entry.identifier, text_of(root), text_of(dublin_element(entry)), entry.created)
