"""Records as unqualified Dublin Core (``oai_dc``), which every OAI-PMH repository gives beside its own format (OAI-PMH 2.0 §4.5)."""

from vo_registry.records.entry import Entry
from vo_registry.records.rendered import BLANK_DATE
from vo_server.documents.xml import Element, add_texts, document


def dublin_element(entry: Entry) -> Element:
    """oai_dc:dc of an entry; an element without text is left out."""
    root = document("oai_dc:dc", ("dc",))
    for name, texts in (
        ("title", (entry.title,)),
        ("creator", tuple(creator.name for creator in entry.creators)),
        ("subject", entry.subjects),
        ("description", (entry.description,)),
        ("publisher", (entry.publisher[0],)),
        ("date", (BLANK_DATE,)),
        ("type", entry.types),
        ("identifier", (entry.identifier, entry.reference_url, *entry.alternatives)),
        ("source", (entry.source,)),
        ("relation", tuple(identifier for relation in entry.relations for identifier, _ in relation.targets)),
        ("rights", entry.rights or ()),
    ):
        add_texts(root, f"dc:{name}", *texts)
    return root
