"""All records of a site: its authority, its registry, its organisation, its services, and one for each resource."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from vo_registry.records.dublincore import dublin_element
from vo_registry.records.entry import Entry, Own, Relation, entry_of_resource, entry_of_site, publisher, resource_ivoid
from vo_registry.records.rendered import Rendered, text_of
from vo_registry.records.voresource import add_organisation, add_products, add_provenance, add_tableset, resource_element
from vo_server.documents.vodataservice import Detail
from vo_server.documents.vosi import vosi_capabilities
from vo_server.documents.xml import Element, add
from vo_server.model.capability import (
    Capability,
    ConeSearch,
    Harvest,
    Interface,
    ServiceCapabilities,
    SimpleImageAccess,
    SimpleSpectralAccess,
)
from vo_server.model.catalogue import Catalogue, Table
from vo_server.model.holdings import CUTTABLE, IMAGES, SPECTRA, Product
from vo_server.model.media import FITS_TYPES
from vo_server.model.resource import MESSENGERS, WAVEBANDS, Resource, Site

REGISTRY_ID = "ivo://ivoa.net/std/Registry"
OAI_PATH = "oai"
TAP_PATH = "tap"
IMAGES_PATH = "sia2"

Products = Mapping[str, Collection[Product]]
"""Id of a resource → what its datasets are."""

IS_SERVED_BY = "IsServedBy"
IS_SERVICE_FOR = "IsServiceFor"


@dataclass(frozen=True, slots=True)
class SharedService:
    """A service over many resources. ``standard_id`` and ``aux_id`` are those of its main capability and of the same one in the records
    of what it serves (Discovering Data Collections 1.0 §2), None where the standard has no such thing and only the relationship says
    it; ``schemas`` are whose tables its own record lists, in ``detail``."""

    path: str
    standard_id: str
    aux_id: str | None
    title: str
    description: str
    schemas: tuple[str, ...] = ()
    detail: Detail = "min"
    kind: str = "vs:CatalogService"
    takes: Callable[[Product], bool] | None = None
    """Which datasets it serves; None: it serves tables."""

    def serves(self, resource: Resource, products: Products) -> bool:
        """Whether something of the resource is reached through this service."""
        return bool(resource.tables) if self.takes is None else any(map(self.takes, products.get(resource.id, ())))

    def products(self, products: Products) -> list[Product]:
        """What it serves of all there is."""
        return [] if self.takes is None else [one for held in products.values() for one in held if self.takes(one)]


def _of_kinds(kinds: Collection[str], formats: Collection[str] | None = None) -> Callable[[Product], bool]:
    return lambda product: product.kind in kinds and (formats is None or product.format in formats)


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
        takes=_of_kinds(IMAGES),
    ),
    SharedService(
        "sia1",
        "ivo://ivoa.net/std/SIA",
        "ivo://ivoa.net/std/SIA#aux",
        "image search (SIA 1)",
        "Searches around a position for all images published here, by Simple Image Access 1.0.",
        takes=_of_kinds(IMAGES),
    ),
    SharedService(
        "ssa",
        "ivo://ivoa.net/std/SSA",
        "ivo://ivoa.net/std/SSA#aux",
        "spectrum search",
        "Searches by position, wavelength, time and name for all spectra published here, by Simple Spectral Access 1.1.",
        takes=_of_kinds(SPECTRA),
    ),
    SharedService(
        "datalink",
        "ivo://ivoa.net/std/DataLink#links-1.1",
        None,
        "links of datasets",
        "What belongs to a dataset published here, by its identifier: files, previews, calibration, cut-outs, by DataLink 1.1.",
        kind="vs:DataService",
        takes=lambda _: True,
    ),
    SharedService(
        "soda",
        "ivo://ivoa.net/std/SODA#sync-1.0",
        None,
        "cut-outs",
        "Parts of images, cubes and event lists published here, at once or as jobs, by SODA 1.0.",
        kind="vs:DataService",
        takes=_of_kinds(CUTTABLE, FITS_TYPES),
    ),
)

MOST_RELATED = 1000
"""A shared service names no more resources than these: each of them names the service, and its record must not grow without end."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every record of a site may refer to; ``services`` are capabilities by path."""

    site: Site
    resources: Sequence[Resource]
    catalogue: Catalogue
    services: Mapping[str, Sequence[Capability]]
    base_url: str
    products: Products
    listed: bool
    newer: bool

    def main_capability(self, shared: SharedService) -> Capability | None:
        """The capability that a shared service is registered for, None if it is not served here or finds nothing yet."""
        found = next((one for one in self.services.get(shared.path, ()) if one.standard_id == shared.standard_id), None)
        idle = shared.takes is not None and not shared.products(self.products)
        idle |= isinstance(found, SimpleImageAccess | SimpleSpectralAccess) and found.test_query is None
        return None if idle else found

    def shared_by(self, resource: Resource) -> list[tuple[SharedService, Capability]]:
        """The shared services that serve a resource, with their main capabilities."""
        found = [(shared, self.main_capability(shared)) for shared in SHARED if shared.serves(resource, self.products)]
        return [(shared, main) for shared, main in found if main is not None]

    def title(self, shared: SharedService) -> str:
        """The title of a shared service's record."""
        return f"{self.site.title}: {shared.title}"


def render_all(
    site: Site,
    resources: Sequence[Resource],
    catalogue: Catalogue,
    services: Sequence[ServiceCapabilities],
    base_url: str,
    products: Products = MappingProxyType({}),
    *,
    newer: bool = False,
) -> dict[str, Rendered]:
    """Every record by its identifier. `services` have the paths ``tap``, ``sia2`` and ``scs/<schema.table>``; `products` says what
    datasets a resource has. `newer`: say too what newer standards and drafts know, and the registry of registries refuses.

    The same arguments give the same texts: only what they say can move a datestamp.
    """
    listed = len(resources) <= MOST_RELATED
    around = Surroundings(site, resources, catalogue, _by_path(services), base_url, products, listed, newer)
    return _by_identifier(
        _authority(around),
        _registry(around),
        _organisation(around),
        *_shared_services(around),
        *(_resource(around, resource) for resource in resources),
    )


def render_about(
    name: str,
    site: Site,
    resources: Sequence[Resource],
    catalogue: Catalogue,
    services: Sequence[ServiceCapabilities],
    base_url: str,
    products: Products,
    *,
    listed: bool,
    newer: bool = False,
) -> dict[str, Rendered]:
    """The records that change with the resource `name` (an id), as `render_all` writes them: its own, and those of the shared services.

    `resources` are all of them if they are `listed`, few enough to be named by the services; else at least the one.
    """
    around = Surroundings(site, resources, catalogue, _by_path(services), base_url, products, listed, newer)
    return _by_identifier(*_shared_services(around), *(_resource(around, one) for one in resources if one.id == name))


def identifiers_about(name: str, site: Site) -> set[str]:
    """Which records `render_about` may give, those included that are no longer to be."""
    return {resource_ivoid(site, name), *shared_identifiers(site)}


def shared_identifiers(site: Site) -> set[str]:
    """The records of the shared services: where one comes or goes, so does what all that it serves say of it."""
    return {site.ivoid(shared.path) for shared in SHARED}


def _by_path(services: Sequence[ServiceCapabilities]) -> dict[str, Sequence[Capability]]:
    return {service.path.strip("/"): service.capabilities for service in services}


def _by_identifier(*records: Rendered) -> dict[str, Rendered]:
    return {record.identifier: record for record in records}


def _shared_services(around: Surroundings) -> list[Rendered]:
    return [_shared_service(around, shared) for shared in SHARED if around.main_capability(shared) is not None]


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
    served = [one for one in around.resources if shared.serves(one, around.products)] if around.listed else []
    related = tuple((resource_ivoid(around.site, one.id), one.title) for one in served)
    own = Own(shared.path, "Archive", around.title(shared), shared.description, (Relation(IS_SERVICE_FOR, related),))
    entry = entry_of_site(around.site, around.base_url, own)
    root = resource_element(shared.kind, entry, around.services[shared.path])
    if around.newer:
        add_products(root, shared.products(around.products))
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
    cones = [cone for table in tables for cone in _cones(around, resource, table)]
    auxiliary = [_auxiliary(one.aux_id, one.description, main) for one, main in shared if one.aux_id is not None]
    root = resource_element("vs:CatalogService" if cones else "vs:CatalogResource", entry, [*auxiliary, *cones])
    add_provenance(root, resource, MESSENGERS if around.newer else WAVEBANDS)
    if around.newer:
        add_products(root, around.products.get(resource.id, ()))
    add_tableset(root, around.catalogue, tables, "max")
    return _rendered(entry, root)


def _auxiliary(standard_id: str, description: str, main: Capability) -> Capability:
    """The shared service as a resource's record names it: its first (anonymous) interface under the auxiliary identifier.

    The query for validators belongs to the service's own record: its position may be that of another resource's dataset.
    """
    interface = replace(main.interfaces[0], test_query=None)
    return Capability(standard_id=standard_id, interfaces=(interface,), description=description)


def _cones(around: Surroundings, resource: Resource, table: Table) -> list[Capability]:
    """The cone searches of a table. The draft of SCS2 (§6.1) wants tables registered whose columns are all described and whose place in
    the sky is known.
    """
    newer = around.newer and resource.coverage.spatial and all(column.description for column in table.columns)
    paths = (f"scs/{table.full_name}", *([f"scs2/{table.full_name}"] if newer else ()))
    return [one for path in paths for one in around.services.get(path, ()) if isinstance(one, ConeSearch)]


def _rendered(entry: Entry, root: Element) -> Rendered:
    return Rendered(entry.identifier, text_of(root), text_of(dublin_element(entry)), entry.created)
