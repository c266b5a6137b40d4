"""Migrations: their sum is the schema in the code, and TAP_SCHEMA tells the truth about what they made."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from vo_server.db import schema, setup
from vo_server.db.catalogue import load_catalogue, read_version
from vo_server.db.database import Database
from vo_server.db.definitions import KEYS, OBSCORE, TABLES
from vo_server.errors import SetupError, UnavailableError

OURS = ("vo", "vo_data")

VOTABLE_TYPES = {
    "text": "char",
    "integer": "int",
    "bigint": "long",
    "real": "float",
    "double precision": "double",
    "timestamp without time zone": "char",
}


def rows(database: Database, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), parameters)]


@pytest.mark.every_postgres
def test_sum_of_migrations_is_the_schema(database: Database) -> None:
    options = {
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "schema" or name in OURS,
        "version_table_schema": "vo",
        "compare_server_default": True,
    }
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), schema.metadata) == []


def test_history_is_one_line() -> None:
    scripts = ScriptDirectory(str(setup.SCRIPTS))
    assert len(scripts.get_heads()) == 1
    assert [script.revision for script in scripts.walk_revisions()][::-1] == setup.revisions()


@pytest.mark.every_postgres
def test_init_may_be_repeated(database: Database) -> None:
    with database.engine.connect() as connection:
        version = read_version(connection)
    before = rows(database, "SELECT * FROM tap_schema.columns ORDER BY 1, column_index")
    assert setup.init(database).is_current
    assert rows(database, "SELECT * FROM tap_schema.columns ORDER BY 1, column_index") == before
    with database.engine.connect() as connection:
        assert read_version(connection) == version


def test_two_that_initialise_at_once_do_not_disturb_each_other(postgres_url: str) -> None:
    databases = [Database(postgres_url) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        assert all(status.is_current for status in threads.map(setup.init, databases))
    for database in databases:
        database.close()


@pytest.mark.every_postgres
def test_views_have_the_columns_that_tap_schema_lists(database: Database) -> None:
    for table in TABLES:
        found = rows(
            database,
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = :schema AND table_name = :name ORDER BY ordinal_position",
            schema=table.schema,
            name=table.name,
        )
        hidden = {"obscore": ["obs_key", "shape", "cap"], "skymap_areas": ["area_key"]}.get(table.name, [])
        assert [name for name, _ in found] == [column.name for column in table.columns] + hidden
        for (_, sql_type), column in zip(found, table.columns, strict=False):
            assert VOTABLE_TYPES[sql_type] == column.datatype.replace("unicodeChar", "char"), column.name


def test_tap_schema_lists_every_column_once(database: Database) -> None:
    listed = rows(database, 'SELECT table_name, column_name, datatype, arraysize, "size", std FROM tap_schema.columns')
    assert len(listed) == len(set(listed)) == sum(len(table.columns) for table in TABLES)
    assert ("tap_schema.columns", '"size"', "int", None, None, 1) in listed, "SIZE is a reserved word"
    assert ("ivoa.obscore", "s_region", "char", "*", None, 1) in listed


def test_catalogue_holds_the_standard_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        catalogue = load_catalogue(connection)
    obscore = catalogue.table("ivoa.ObsCore")
    assert obscore == OBSCORE
    assert [key.from_table for key in catalogue.keys].count("tap_schema.keys") == 2
    assert catalogue.schemas[-1].name == "tap_schema"


def test_keys_name_columns_as_they_are_typed(database: Database) -> None:
    pairs = rows(
        database,
        "SELECT from_table, from_column, target_table, target_column FROM tap_schema.keys JOIN tap_schema.key_columns USING (key_id)",
    )
    assert ("tap_schema.columns", "table_name", "tap_schema.tables", "table_name") in pairs
    assert ("ivoa.obscore_hea", "obs_publisher_did", "ivoa.obscore", "obs_publisher_did") in pairs
    assert ("rr.capability", "ivoid", "rr.resource", "ivoid") in pairs
    assert len(pairs) == len(KEYS)


def test_names_that_need_quotes_have_them(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(schema.schemas.insert().values(schema_name="my data", tap_name='"my data"'))
        values = {"schema_name": "my data", "table_name": "T", "tap_name": '"my data".T', "physical": "x.y"}
        connection.execute(schema.tables.insert().values(values))
    assert rows(database, "SELECT schema_name, table_name, table_type FROM tap_schema.tables WHERE table_name LIKE '%T'") == [
        ('"my data"', '"my data".T', "table")
    ]


def test_size_is_the_number_of_one_dimensional_arrays(database: Database) -> None:
    sizes = {None: None, "16": 16, "*": None, "16*": None, "2x8": None, "99999999999": None}
    with database.engine.begin() as connection:
        table_id = connection.execute(text("SELECT min(table_id) FROM vo.tables")).scalar_one()
        for index, arraysize in enumerate(sizes, 1000):
            values = {"column_name": "a", "tap_name": "a", "datatype": "float", "arraysize": arraysize, "column_index": index}
            connection.execute(schema.columns.insert().values(table_id=table_id, **values))
    assert dict(rows(database, "SELECT arraysize, \"size\" FROM tap_schema.columns WHERE column_name = 'a'")) == sizes


def test_access_url_begins_with_the_public_address(database: Database) -> None:
    urls = {
        "/files/a/b%20c.fits": "http://vo.test/files/a/b%20c.fits",
        "https://elsewhere.org/x": "https://elsewhere.org/x",
        None: None,
    }
    with database.engine.begin() as connection:
        connection.execute(schema.collections.insert().values(collection="c", root="/data"))
        for number, path in enumerate(urls):
            values = {
                "calib_level": 2,
                "obs_collection": "c",
                "obs_id": "1",
                "obs_publisher_did": f"ivo://x/~?{number}",
                "access_path": path,
            }
            connection.execute(schema.obscore.insert().values(collection="c", **values))
    with psycopg.connect(database.query_uri()) as connection:
        found = connection.execute("SELECT access_url FROM ivoa.obscore ORDER BY obs_publisher_did").fetchall()
    assert [url for (url,) in found] == list(urls.values())


def test_an_empty_database_is_prepared(postgres_url: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(SetupError, match="vo db init"):
        setup.check_current(database.engine)
    assert setup.read_status(database).verdict == "empty, run `vo db init`"
    setup.prepare(database)
    setup.check_current(database.engine)
    assert setup.read_status(database).verdict == "up to date"
    setup.prepare(database)
    database.close()


def test_a_database_of_another_vo_server_is_refused(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA tap_schema")
        connection.execute("CREATE TABLE tap_schema.schemas (schema_name text)")
    with closing(Database(postgres_url)) as database:
        with pytest.raises(SetupError, match="tables of another program in schemas that this server needs: tap_schema"):
            setup.init(database)
        assert setup.read_status(database).current is None


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.alembic_version SET version_num = '9999'"))
    for refused in (lambda: setup.check_current(database.engine), lambda: setup.init(database), lambda: setup.prepare(database)):
        with pytest.raises(SetupError, match="newer one made it"):
            refused()


def test_outdated_descriptions_stop_the_server_until_migrated(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.site SET value = '\"old\"' WHERE key = 'definitions'"))
        connection.execute(text("DELETE FROM vo.columns WHERE column_name = 'o_ucd'"))
        connection.execute(text("DELETE FROM vo.key_columns"))
    with pytest.raises(SetupError, match="vo db migrate"):
        setup.prepare(database)
    assert setup.init(database).is_current
    assert rows(database, "SELECT count(*) FROM tap_schema.columns WHERE column_name = 'o_ucd'") == [(1,)]
    assert rows(database, "SELECT count(*) FROM tap_schema.key_columns") == [(len(KEYS),)]


def test_an_outdated_revision_stops_the_server(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    known = setup.revisions()
    monkeypatch.setattr(setup, "revisions", lambda: [*known, "0099"])
    with pytest.raises(SetupError, match=r"has revision \d+, and this server needs 0099"):
        setup.prepare(database)


def test_a_server_that_is_away_is_named_without_password() -> None:
    database = Database("postgresql://somebody:secret@127.0.0.1:1/vo")
    with pytest.raises(UnavailableError, match=r"somebody:\*\*\*@127\.0\.0\.1:1/vo") as failure:
        setup.prepare(database)
    assert "secret" not in str(failure.value)
