"""Phases: what may follow what."""

import pytest

from vo_server.model.job import ACTIVE, EDGES, Phase, before

ENDS = {Phase.COMPLETED, Phase.ERROR, Phase.ABORTED}


def test_every_active_phase_leads_to_an_end() -> None:
    for phase in ACTIVE:
        reached, new = set(), {phase}
        while new:
            reached |= new
            new = {target for source in new for target in EDGES.get(source, ())} - reached
        assert reached >= {Phase.ABORTED, Phase.COMPLETED}, phase


@pytest.mark.parametrize("phase", sorted(ENDS))
def test_nothing_follows_an_end(phase: Phase) -> None:
    assert phase not in EDGES
    assert all(phase not in before(target) for target in Phase)


def test_only_what_was_started_executes_and_only_what_executes_completes() -> None:
    """UWS-009, UWS 1.1 §2.1.3."""
    assert before(Phase.EXECUTING) == {Phase.QUEUED}
    assert before(Phase.COMPLETED) == {Phase.EXECUTING}
    assert before(Phase.ABORTED) == ACTIVE == {Phase.PENDING, Phase.QUEUED, Phase.EXECUTING}


def test_clients_never_see_phases_they_do_not_understand() -> None:
    """UWS-001, UWS 1.1 §2.1.3: nor HELD or ARCHIVED ones, which they may ask for all the same."""
    entered = {target for targets in EDGES.values() for target in targets}
    assert not entered & {Phase.HELD, Phase.SUSPENDED, Phase.UNKNOWN, Phase.ARCHIVED}
