"""Files → published tables: what a file says, the operator overrides and we infer; loaded beside, then flipped in one transaction."""

from vo_server.publish.in_place import Consent, publish_in_place
from vo_server.publish.options import Progress, Published, PublishOptions, RecordRenderer, Rehearsal
from vo_server.publish.publisher import publish_file, rehearse
from vo_server.publish.sweep import sweep

__all__ = [
    "Consent",
    "Progress",
    "PublishOptions",
    "Published",
    "RecordRenderer",
    "Rehearsal",
    "publish_file",
    "publish_in_place",
    "rehearse",
    "sweep",
]
