"""``vo db`` on a database of somebody's: status, init, status."""

import pytest
from typer.testing import CliRunner

from vo_server.cli.db import app


def test_status_init_status(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VO_DATABASE_URL", postgres_url)
    runner = CliRunner()
    before = runner.invoke(app, ["status"])
    assert before.exit_code == 1
    assert "revision none" in before.stdout
    assert "vo db init" in before.stdout
    made = runner.invoke(app, ["init"])
    assert (made.exit_code, made.exception) == (0, None)
    assert "was at nothing, is up to date" in made.stdout
    after = runner.invoke(app, ["status"])
    assert after.exit_code == 0
    assert "up to date" in after.stdout
    assert "was up to date" in runner.invoke(app, ["migrate"]).stdout
