"""A small run of `tests.chaos`: a server, workers, jobs and streams while processes and connections are ended at random."""

from pathlib import Path

import pytest

from tests.acceptance.test_program import free_port
from tests.chaos.run import Plan, run


@pytest.mark.timeout(240)
def test_a_site_survives_the_death_of_its_parts(database_url: str, tmp_path: Path) -> None:
    plan = Plan(jobs=12, clients=3, seconds=5, seed=20, kills_servers=False)
    findings = run(plan, database_url, tmp_path, free_port())
    assert findings.faults == []
    assert findings.counts["connections ended"] > 0
    assert findings.counts["jobs COMPLETED"] > 0
    assert findings.counts["streams whole"] > 0
