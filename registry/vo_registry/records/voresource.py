"""Records as VOResource elements (``ivo_vor``): ri:Resource of one of the types that registries know (RegistryInterfaces 1.1 §2)."""

from collections.abc import Iterable, Sequence

from vo_registry.records.entry import BIBCODE, Entry, Relation, orcid_uri
from vo_registry.records.rendered import BLANK_DATE, utc_text
from vo_server.documents.capabilities import add_capability, prefixes
from vo_server.documents.vodataservice import Detail, add_coverage, add_schema
from vo_server.documents.xml import Element, add, add_texts, document
from vo_server.model.capability import Capability
from vo_server.model.catalogue import Catalogue, Key, Table
from vo_server.model.holdings import Product
from vo_server.model.resource import Resource

VERSION = "1.2"
"""Of VOResource, as the attribute says it."""

PRODUCT_TYPES = {"event": "event-list"}
"""Kinds of datasets that ObsCore and the vocabulary product-type call differently."""


def resource_element(kind: str, entry: Entry, capabilities: Sequence[Capability] = ()) -> Element:
    """ri:Resource of xsi:type `kind` with what all types share; services get rights and `capabilities` behind that.

    All prefixes that stand in an ``xsi:type`` anywhere below are declared here.
    """
    attributes = {"xsi:type": kind, "version": VERSION, "created": BLANK_DATE, "updated": BLANK_DATE, "status": "active"}
    root = document("ri:Resource", {"vr", "vs", kind.partition(":")[0]} | prefixes(capabilities), attributes)
    add(root, "title", entry.title)
    add_texts(root, "shortName", entry.short_name)
    add(root, "identifier", entry.identifier)
    add_texts(root, "altIdentifier", *entry.alternatives)
    _add_curation(root, entry)
    _add_content(root, entry)
    if entry.rights is not None:
        add(root, "rights", entry.rights[0], {"rightsURI": entry.rights[1]})
    for capability in capabilities:
        add_capability(root, capability)
    return root


def add_organisation(root: Element, name: str, organisation: tuple[str, str]) -> None:
    """An element `name` that refers to an organisation's record: (name, ivoid)."""
    add(root, name, organisation[0], {"ivo-id": organisation[1]})


def add_provenance(root: Element, resource: Resource, messengers: Sequence[str]) -> None:
    """Facilities, instruments and coverage, which follow the capabilities of a vs:DataResource (VODataService 1.2 §3.1)."""
    add_texts(root, "facility", *resource.facilities)
    add_texts(root, "instrument", *resource.instruments)
    add_coverage(root, resource.coverage, messengers)


def add_products(root: Element, products: Iterable[Product]) -> None:
    """Of which kinds the datasets are, in the words of the vocabulary product-type (draft of VODataService 1.3 §3.1)."""
    kinds = {product.kind for product in products if product.kind is not None}
    add_texts(root, "productTypeServed", *sorted(PRODUCT_TYPES.get(kind, kind) for kind in kinds))


def add_tableset(root: Element, catalogue: Catalogue, tables: Sequence[Table], detail: Detail) -> None:
    """The tableset of a record: `tables` under their schemas; no tables, no element (it may not be empty)."""
    if not tables:
        return
    element = add(root, "tableset")
    for schema in catalogue.schemas:
        inside = [table for table in tables if table.schema == schema.name]
        if inside:
            add_schema(element, schema, inside, _keys_between(catalogue, tables), detail)


def _keys_between(catalogue: Catalogue, tables: Iterable[Table]) -> list[Key]:
    """Foreign keys whose both ends are in the tableset: others would point at nothing."""
    names = {table.full_name for table in tables}
    return [key for key in catalogue.keys if key.from_table in names and key.target_table in names]


def _add_curation(root: Element, entry: Entry) -> None:
    curation = add(root, "curation")
    add_organisation(curation, "publisher", entry.publisher)
    for creator in entry.creators:
        element = add(curation, "creator")
        add(element, "name", creator.name)
        add_texts(element, "altIdentifier", orcid_uri(creator.orcid) if creator.orcid else None)
    if entry.created is not None:
        add(curation, "date", utc_text(entry.created), {"role": "Created"})
    contact = add(curation, "contact")
    add(contact, "name", entry.contact[0])
    add(contact, "email", entry.contact[1])


def _add_content(root: Element, entry: Entry) -> None:
    content = add(root, "content")
    add_texts(content, "subject", *entry.subjects)
    add(content, "description", entry.description)
    if entry.source:
        add(content, "source", entry.source, {"format": "bibcode" if BIBCODE.fullmatch(entry.source) else None})
    add(content, "referenceURL", entry.reference_url)
    add_texts(content, "type", *entry.types)
    add_texts(content, "contentLevel", *entry.content_levels)
    for relation in entry.relations:
        _add_relation(content, relation)


def _add_relation(content: Element, relation: Relation) -> None:
    if not relation.targets:
        return
    element = add(content, "relationship")
    add(element, "relationshipType", relation.kind)
    for identifier, title in relation.targets:
        add(element, "relatedResource", title, {"ivo-id": identifier})
