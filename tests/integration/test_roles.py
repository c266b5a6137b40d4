"""Roles: users' queries read what is published and nothing else, and a missing right is named with the SQL that gives it."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import adbc_driver_postgresql.dbapi
import psycopg
import pytest
from sqlalchemy import make_url, text

from vo_server.db import setup
from vo_server.db.addresses import masked
from vo_server.db.database import Database, parse_url
from vo_server.errors import SetupError

if TYPE_CHECKING:
    from conftest import Server

pytestmark = pytest.mark.every_postgres

numbers = itertools.count(1)


@pytest.fixture
def newcomer(postgres_server: "Server") -> Iterator[tuple[str, str]]:
    """A login without any right, and an empty database that belongs to the superuser."""
    name = f"newcomer_{next(numbers)}"
    postgres_server.execute(f"CREATE ROLE {name} LOGIN")
    postgres_server.execute(f"CREATE DATABASE {name}")
    yield name, postgres_server.url(name, name)
    postgres_server.drop(name)


def run_as_administrator(server: "Server", database: str, script: str) -> None:
    with psycopg.connect(server.url(database, "postgres"), autocommit=True) as connection:
        connection.execute(script.encode())


def remedy(error: SetupError) -> str:
    """The SQL that the error proposes: the indented lines of its hint."""
    assert error.hint is not None
    return "\n".join(line for line in error.hint.splitlines() if line.startswith("    "))


def test_queries_read_what_is_published(database: Database) -> None:
    with database.publish_engine.begin() as connection:
        connection.execute(text("CREATE TABLE vo_data.t1_1 AS SELECT 1 AS a"))
    with psycopg.connect(database.query_uri(), autocommit=True) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("vo_query",)
        assert connection.execute("SELECT a FROM vo_data.t1_1").fetchone() == (1,)
        assert connection.execute("SELECT count(*) > 0 FROM tap_schema.columns").fetchone() == (True,)
        assert connection.execute("SELECT count(*) FROM ivoa.obscore").fetchone() == (0,)


FORBIDDEN = (
    "SELECT * FROM vo.site",
    "SELECT * FROM vo.records",
    "SELECT * FROM vo.alembic_version",
    "INSERT INTO vo_data.obscore_cells VALUES (1, 2, 3)",
    "DELETE FROM vo_data.obscore",
    "UPDATE tap_schema.schemas SET description = ''",
    "CREATE TABLE vo_data.mine (a int)",
    "CREATE TABLE tap_schema.mine (a int)",
    "DROP TABLE vo_data.obscore",
)


def test_queries_reach_nothing_else_even_when_they_may_write(database: Database) -> None:
    with psycopg.connect(database.query_uri({"default_transaction_read_only": "off"}), autocommit=True) as connection:
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_queries_may_call_our_functions(database: Database) -> None:
    with psycopg.connect(database.query_uri()) as connection:
        assert connection.execute("SELECT vo.distance(10, 0, 12, 0)::numeric(9, 6)").fetchone() == (2,)


def test_query_sessions_are_read_only_and_know_the_public_address(database: Database) -> None:
    with psycopg.connect(database.query_uri({"statement_timeout": "1234ms"}), autocommit=True) as connection:
        settings = ("transaction_read_only", "search_path", "timezone", "statement_timeout", "vo.public_url")
        found = [(connection.execute("SELECT current_setting(%s)", [name]).fetchone() or ("",))[0] for name in settings]
    assert found == ["on", "pg_catalog", "UTC", "1234ms", "http://vo.test"]


def test_adbc_understands_the_addresses(database: Database) -> None:
    odd = Database(database.app_uri, public_url="http://vo.test/a path\\with+signs")
    with adbc_driver_postgresql.dbapi.connect(odd.query_uri()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user::text, current_setting('vo.public_url')")
        assert cursor.fetchone() == ("vo_query", "http://vo.test/a path\\with+signs")
    with adbc_driver_postgresql.dbapi.connect(database.publish_uri) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user::text, current_setting('timezone')")
        assert cursor.fetchone() == ("vo_owner", "UTC")


def test_every_client_understands_an_awkward_password(postgres_server: "Server", database: Database) -> None:
    """The server trusts everybody: what matters is that both libraries read user, password and database from the address."""
    postgres_server.execute('CREATE ROLE "o\'d user+x" LOGIN')
    user, password = "o'd user+x", "p@ss/w ord%1"
    given = make_url(database.app_uri).set(username=user, password=password)
    odd = Database(given.render_as_string(hide_password=False))
    for uri in (odd.app_uri, odd.publish_uri, odd.query_login_uri):
        assert psycopg.conninfo.conninfo_to_dict(uri)["password"] == password
        with adbc_driver_postgresql.dbapi.connect(uri) as connection, connection.cursor() as cursor:
            assert cursor.execute("SELECT current_user::text").fetchone() == (user,)
    with odd.engine.connect() as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == user
    odd.close()
    postgres_server.execute('DROP ROLE "o\'d user+x"')


@pytest.mark.parametrize(
    "message",
    [
        'could not read "postgresql+psycopg://me:s3cret@h/d?host=/x"',
        "postgres://me:s3@cret@h/d failed",
        "host=h password=s3cret user=me",
        "host=h password='s3cret x' user=me",
    ],
)
def test_passwords_in_messages_are_masked(message: str) -> None:
    shown = masked(message)
    assert "***" in shown
    assert "cret" not in shown
    assert "+psycopg" not in shown


def test_engines_work_in_utc(database: Database) -> None:
    with database.engine.connect() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"


def test_missing_rights_are_named_with_their_remedy(postgres_server: "Server", newcomer: tuple[str, str]) -> None:
    name, url = newcomer
    database = Database(url, role_prefix=f"p_{postgres_server.major}_{name}")
    with pytest.raises(SetupError) as failure:
        setup.init(database)
    message = str(failure.value)
    assert f"may not create the role {database.query_role}" in message
    assert "may not create the schemas vo, vo_data, tap_schema, ivoa" in message
    run_as_administrator(postgres_server, name, remedy(failure.value))
    assert setup.init(database).is_current
    with psycopg.connect(database.query_uri()) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (database.query_role,)
    database.close()


def test_a_membership_that_is_missing_is_named(postgres_server: "Server", newcomer: tuple[str, str]) -> None:
    name, url = newcomer
    database = Database(url, role_prefix=f"m_{name}")
    for role in (database.query_role, database.app_role):
        postgres_server.execute(f"CREATE ROLE {role}")
    postgres_server.execute(f"GRANT CREATE ON DATABASE {name} TO {name}")
    with pytest.raises(SetupError, match=f'GRANT {database.query_role} TO "{name}";') as failure:
        setup.init(database)
    run_as_administrator(postgres_server, name, remedy(failure.value))
    assert setup.init(database).is_current
    database.close()


def test_a_schema_of_somebody_else_is_named(postgres_server: "Server", newcomer: tuple[str, str]) -> None:
    name, url = newcomer
    run_as_administrator(
        postgres_server, name, f"GRANT CREATE ON DATABASE {name} TO {name}; ALTER ROLE {name} CREATEROLE; CREATE SCHEMA ivoa"
    )
    database = Database(url, role_prefix=f"s_{name}")
    with pytest.raises(SetupError, match="the schema ivoa belongs to somebody else") as failure:
        setup.init(database)
    run_as_administrator(postgres_server, name, remedy(failure.value))
    assert setup.init(database).is_current
    database.close()


def test_a_database_that_another_login_prepared_is_refused(
    postgres_server: "Server", database: Database, newcomer: tuple[str, str]
) -> None:
    stranger = Database(postgres_server.url(parse_url(database.app_uri).database or "", newcomer[0]))
    for look in (setup.init, setup.read_status, setup.prepare):
        with pytest.raises(SetupError, match=rf"user {newcomer[0]} may not read the schema vo .* another login"):
            look(stranger)
    stranger.close()


def test_a_right_that_only_postgresql_misses_is_explained(postgres_server: "Server", database: Database) -> None:
    """A table in our schema that a person made by hand as superuser."""
    name = parse_url(database.app_uri).database
    assert name is not None
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.site SET value = '\"old\"' WHERE key = 'definitions'"))
    run_as_administrator(
        postgres_server, name, "ALTER TABLE vo.keys OWNER TO postgres; REVOKE ALL ON vo.keys FROM PUBLIC, vo_owner, vo_app"
    )
    with pytest.raises(SetupError, match=r"lacks a right in .*keys"):
        setup.init(database)


def test_three_logins(postgres_server: "Server", postgres_url: str) -> None:
    name, prefix = parse_url(postgres_url).database, f"three_{postgres_server.major}"
    for login in ("app", "query"):
        postgres_server.execute(f"CREATE ROLE {prefix}_{login}_login LOGIN")
    database = Database(
        postgres_server.url(str(name), f"{prefix}_app_login"),
        publish_url=postgres_url,
        query_url=postgres_server.url(str(name), f"{prefix}_query_login"),
        role_prefix=prefix,
    )
    setup.init(database)
    assert not database.sets_role
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE vo.site SET value = value"))
        connection.execute(text("SELECT count(*) FROM vo_data.obscore"))
    with psycopg.connect(database.app_uri) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE vo_data.x (a int)")
    with psycopg.connect(database.query_uri(), autocommit=True) as connection:
        assert connection.execute("SELECT session_user").fetchone() == (f"{prefix}_query_login",)
        assert connection.execute("SELECT count(*) > 0 FROM tap_schema.columns").fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM vo.site")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SET ROLE {prefix}_app".encode())
    database.close()


def test_a_database_that_is_not_utf8_is_refused(postgres_server: "Server") -> None:
    name = f"latin_{next(numbers)}"
    postgres_server.execute(f"CREATE DATABASE {name} OWNER vo_owner ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    database = Database(postgres_server.url(name))
    with pytest.raises(SetupError, match="encoded in LATIN1"):
        setup.init(database)
    database.close()
    postgres_server.drop(name)


@pytest.mark.parametrize("address", ["mysql://u:secret@h/d", "nonsense secret", "http://u:secret@h"])
def test_addresses_that_are_not_postgresqls_are_refused_without_their_password(address: str, postgres_server: "Server") -> None:
    with pytest.raises(SetupError) as failure:
        Database(address)
    assert "secret" not in str(failure.value)
