"""Asynchronous jobs: their phases, and what is known of one (UWS 1.1 §2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

QUERY_KIND = "tap"
"""What a job is called that runs an ADQL query."""


class Phase(StrEnum):
    """Where a job is in its life. Ours never enter the last four, which clients may ask for."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    UNKNOWN = "UNKNOWN"
    HELD = "HELD"
    SUSPENDED = "SUSPENDED"
    ARCHIVED = "ARCHIVED"


EDGES: Mapping[Phase, frozenset[Phase]] = MappingProxyType(
    {
        Phase.PENDING: frozenset({Phase.QUEUED, Phase.ABORTED}),
        Phase.QUEUED: frozenset({Phase.EXECUTING, Phase.ABORTED, Phase.ERROR}),
        # back to QUEUED: its worker is gone, another one shall run it again
        Phase.EXECUTING: frozenset({Phase.COMPLETED, Phase.ERROR, Phase.ABORTED, Phase.QUEUED}),
    }
)
"""Phase → phases that may follow. What is not named here is an end."""

ACTIVE = frozenset(EDGES)
"""Phases that something may still follow: those in which WAIT waits (UWS 1.1 §2.2.1.1)."""


def before(target: Phase) -> frozenset[Phase]:
    """The phases from which `target` may be entered."""
    return frozenset(source for source, targets in EDGES.items() if target in targets)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job ended in ERROR. ``transient``: the same job may succeed later."""

    message: str
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A file in the result store: ``path`` below the store's root, ``size`` in bytes; ``status``: QUERY_STATUS, of results with rows."""

    path: str
    content_type: str
    size: int
    filename: str
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job at one moment. ``duration_s`` is the longest database time in seconds; times are aware."""

    job_id: str
    kind: str
    phase: Phase
    owner: str | None
    run_id: str | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    duration_s: int
    destruction: datetime
    parameters: tuple[tuple[str, str], ...]
    attempts: int
    rows_written: int | None
    result: Result | None
    error: Failure | None
    ahead: int | None = None
    """How many jobs will be begun before this one; None unless it is QUEUED."""
