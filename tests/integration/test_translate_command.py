"""``vo adql`` with a database."""

import pytest

from vo_server.cli.translate import show
from vo_server.db.database import Database
from vo_server.errors import QueryMeaningError


def test_sql_and_plan_are_shown(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    query = "SELECT table_name FROM tap_schema.tables WHERE table_name LIKE '%s' AND ivo_hasword(description, 'x') = 0"
    with database.engine.connect() as connection:
        show(connection, query, explain=False)
        sql = capsys.readouterr().out
        show(connection, query, explain=True)
        with pytest.raises(QueryMeaningError):
            show(connection, "SELECT x FROM tap_schema.tables", explain=False)
    assert sql.startswith("SELECT")
    shown = capsys.readouterr().out
    assert shown.startswith(f"{sql}\n")
    assert "cost=" in shown
