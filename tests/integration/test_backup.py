"""A backup restored elsewhere is the same site: catalogue, rows, records, jobs; with the grants of its new database."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from vo_server.app import record_keeper
from vo_server.db.backup import back_up, restore
from vo_server.db.catalogue import load_catalogue
from vo_server.db.database import Database
from vo_server.db.replicas import query_pool
from vo_server.db.setup import read_status
from vo_server.errors import DataError, SetupError
from vo_server.publish import PublishOptions, publish_file
from vo_server.settings import Settings
from vo_server.sql import compile_adql


@pytest.fixture
def empty(postgres_url: str) -> Iterator[Database]:
    with closing(Database(postgres_url)) as database:
        yield database


@pytest.mark.every_postgres
def test_what_was_backed_up_comes_back(database: Database, empty: Database, tmp_path: Path) -> None:
    (tmp_path / "stars.csv").write_text("name,ra,dec\nVega,279.2347,38.7837\nRigel,78.6345,-8.2016\n")
    publish_file(database, tmp_path / "stars.csv", PublishOptions(), records=record_keeper(Settings()), progress=None)
    file = tmp_path / "site.backup"
    back_up(database, file)
    restore(empty, file)
    assert read_status(empty).is_current
    with database.engine.connect() as before, empty.engine.connect() as after:
        assert load_catalogue(before).tables == load_catalogue(after).tables
        catalogue = load_catalogue(after)
    pool = query_pool(empty, 1, {})
    cone = "SELECT name FROM data.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(279, 39, 1))"
    assert pool.ask(compile_adql(cone, catalogue, max_rows=9)) == "Vega"
    pool.close()
    with psycopg.connect(empty.query_uri()) as users, pytest.raises(psycopg.errors.InsufficientPrivilege):
        users.execute("SELECT * FROM vo.jobs")
    again = publish_file(empty, tmp_path / "stars.csv", PublishOptions(), records=record_keeper(Settings()), progress=None)
    assert again.replaced


def test_nothing_is_overwritten(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "site.backup"
    back_up(database, file)
    with pytest.raises(SetupError, match="exists"):
        back_up(database, file)
    with pytest.raises(SetupError, match="holds a site already"):
        restore(database, file)


def test_a_file_that_is_no_backup_changes_nothing(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        restore(empty, tmp_path / "nothing")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(SetupError, match="pg_restore"):
        restore(empty, tmp_path / "text")
    assert read_status(empty).current is None
