"""Tables that commands print: whole for programs, folded for people."""

import pytest
from rich.console import Console

from vo_server.cli import common
from vo_server.cli.common import show_table

ADDRESS = "http://127.0.0.1:8000/scs/a_schema_with_a_long_name.a_table_with_a_name_that_is_longer"
ROWS = [("t", "[CII] emission", ADDRESS)]


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("table", "title", "cone search"), ROWS)
    assert capsys.readouterr().out == f"t\t[CII] emission\t{ADDRESS}\n"


def test_a_terminal_cuts_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "Console", lambda **options: Console(force_terminal=True, color_system=None, width=50, **options))
    show_table(("table", "title", "cone search"), ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 50
    assert "…" not in "".join(lines)
    assert "[CII]" in "".join(lines)
