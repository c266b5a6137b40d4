"""What the registry says of everything served here, as VOResource and as Dublin Core; pure: nothing is stored or sent."""

from vo_registry.records.relational import relational_rows
from vo_registry.records.render import OAI_PATH, registry_capabilities, render_all
from vo_registry.records.rendered import Rendered, StoredRecord, utc_text

__all__ = ["OAI_PATH", "Rendered", "StoredRecord", "registry_capabilities", "relational_rows", "render_all", "utc_text"]
