"""What the registry says of everything served here, as VOResource and as Dublin Core; pure: nothing is stored or sent."""

from vo_registry.records.relational import relational_rows
from vo_registry.records.render import (
    MOST_RELATED,
    OAI_PATH,
    identifiers_about,
    registry_capabilities,
    render_about,
    render_all,
    shared_identifiers,
)
from vo_registry.records.rendered import Rendered, StoredRecord, utc_text

__all__ = [
    "MOST_RELATED",
    "OAI_PATH",
    "Rendered",
    "StoredRecord",
    "identifiers_about",
    "registry_capabilities",
    "relational_rows",
    "render_about",
    "render_all",
    "shared_identifiers",
    "utc_text",
]
