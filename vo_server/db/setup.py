"""From an empty database to one that this version of the server can use, and the check that it is one (`vo db init|migrate|status`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from vo_server.db import migrations, roles
from vo_server.db.addresses import masked
from vo_server.db.database import Database, parse_url
from vo_server.db.definitions import are_defined, define
from vo_server.errors import SetupError, UnavailableError
from vo_server.libraries import later

alembic_command, alembic_config = later("alembic.command"), later("alembic.config")

SCRIPTS = Path(migrations.__file__).parent
REVISION = text("SELECT version_num FROM vo.alembic_version")
"""What alembic remembers."""

IS_OURS = text("SELECT pg_catalog.to_regclass('vo.alembic_version') IS NOT NULL")

LOCK = 8_226_043_117
"""Key of the advisory lock under which migrations run: two processes that start at once migrate one after the other."""

IDENTITIES = text(
    "SELECT format('%I.%I', n.nspname, c.relname), a.attname FROM pg_catalog.pg_attribute a "
    "JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'vo' AND a.attidentity <> '' AND c.relkind = 'r' ORDER BY 1"
)
"""Tables of schema vo that number their rows, and the column of the number."""

TAKEN = text(
    "SELECT DISTINCT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = ANY (:ours) AND c.relkind IN ('r', 'v', 'm', 'p', 'f') ORDER BY 1"
)
"""Schemas of these names that hold tables or views."""

INSUFFICIENT_PRIVILEGE = "42501"


@dataclass(frozen=True, slots=True)
class Status:
    """The database's revision (None: nothing of ours in it) and the code's.

    `defined`: functions and descriptions of the standard tables are this code's; `known`: the revision is one of this code's.
    """

    current: str | None
    head: str
    defined: bool
    known: bool

    @property
    def is_current(self) -> bool:
        """Whether this version of the server can work with the database."""
        return self.current == self.head and self.defined

    @property
    def verdict(self) -> str:
        """What to do, in words."""
        if self.current is None:
            return "empty, run `vo db init`"
        if not self.known:
            return "made by a newer version, upgrade vo-server"
        return "up to date" if self.is_current else "out of date, run `vo db migrate`"


def init(database: Database) -> Status:
    """Create roles, schemas, tables, views and grants where they are missing, and migrate what is older. May be repeated.

    Raises SetupError that names a missing right or another program's tables in the way, and UnavailableError if the server does not answer.
    """
    members = _members(database)
    with _reached(database.publish_engine) as connection:
        owner = roles.who(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        before = status(connection)
        _refuse_newer(before)
        if before.current is None:
            _refuse_taken(connection)
        try:
            roles.ensure_roles_and_schemas(connection, database, members)
            _upgrade(connection)
            define(connection)
            roles.grant(connection, database)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
                raise
            raise roles.privilege_error(owner, error) from None
        after = status(connection)
        connection.commit()
        _settle_identities(connection)
    return after


def _settle_identities(connection: Connection) -> None:
    """Set each identity's sequence of schema vo to the largest id there is or was, in a transaction after the one that made it.

    With wal_level = minimal, a sequence that is used in the transaction that creates it takes the next 32 values for logged, which
    they are not: a crash before the next checkpoint sets it back, and ids that are taken would be given again. Setting it logs it.
    """
    for table, column in connection.execute(IDENTITIES).all():
        sequence = connection.execute(text("SELECT pg_catalog.pg_get_serial_sequence(:table, :column)"), {"table": table, "column": column})
        name = sequence.scalar_one()
        connection.exec_driver_sql(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")  # nobody takes an id between reading and setting
        connection.exec_driver_sql(
            f"SELECT pg_catalog.setval('{name}', greatest(last_value, (SELECT max({column}) FROM {table})), "  # noqa: S608 (names of ours)
            f"is_called OR EXISTS (SELECT FROM {table})) FROM {name}"
        )
    connection.commit()


def prepare(database: Database) -> None:
    """Make an empty database usable; refuse one that is out of date (SetupError), which only `vo db migrate` changes."""
    if read_status(database).current is None:
        init(database)
    else:
        check_current(database.publish_engine)


def bring_up_to_date(database: Database) -> str | None:
    """Migrate a database that an older version of the code made; its revision before, None if there was nothing to do."""
    before = read_status(database)
    if before.current is None or not before.known or before.is_current:
        return None
    init(database)
    return before.current


def check_current(engine: Engine) -> None:
    """Raise SetupError unless the database's schema is the one this version of the server was written for."""
    with _reached(engine) as connection:
        found = status(connection)
    if found.current is None:
        raise SetupError("The database has not been prepared for this server.", hint="Run `vo db init`.")
    _refuse_newer(found)
    if not found.is_current:
        revision = f"revision {found.current}" if found.current != found.head else "older functions or descriptions of the standard tables"
        raise SetupError(
            f"The database is out of date: it has {revision}, and this server needs {found.head}.", hint="Run `vo db migrate`."
        )


def read_status(database: Database) -> Status:
    """How the database stands to this version of the server; UnavailableError if it does not answer."""
    with _reached(database.publish_engine) as connection:
        return status(connection)


def status(connection: Connection) -> Status:
    """Compare the database's revision with the code's. SetupError if the login may not read what another one has made."""
    known, login = revisions(), roles.who(connection)
    try:
        current = connection.execute(REVISION).scalar() if connection.execute(IS_OURS).scalar_one() else None
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
            raise
        raise SetupError(
            f"The database user {login.name} may not read the schema vo of {login.database}: another login has prepared that database.",
            hint="Name that login by publish_database_url (or database_url), or give this server a database of its own.",
        ) from None
    defined = current == known[-1] and are_defined(connection)
    return Status(current, known[-1], defined=defined, known=current is None or current in known)


def revisions() -> list[str]:
    """The code's revisions, the oldest first. The names of the files (``rNNNN_name.py``) say them: a server that only looks needs no
    alembic.
    """
    return sorted(path.name[1:].partition("_")[0] for path in (SCRIPTS / "versions").glob("r*_*.py"))


def _upgrade(connection: Connection) -> None:
    """Run what is missing, in the connection's transaction."""
    config = alembic_config.Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic_command.upgrade(config, "head")


def _refuse_newer(found: Status) -> None:
    if not found.known:
        raise SetupError(
            f"The database has revision {found.current}, which this version of the server does not know: a newer one made it.",
            hint="Upgrade vo-server.",
        )


def _refuse_taken(connection: Connection) -> None:
    """SetupError if the schemas that the standards name hold somebody else's tables: another VO server's, as a rule."""
    if taken := connection.execute(TAKEN, {"ours": list(roles.SCHEMAS)}).scalars().all():
        raise SetupError(
            f"The database has tables of another program in schemas that this server needs: {', '.join(taken)}.",
            hint="Give this server a database of its own; tables can be copied from there with pg_dump --schema.",
        )


def _members(database: Database) -> dict[str, str]:
    """Which login must be a member of which role: the one for queries, and the app's if it is not the owner."""
    with _reached(database.publish_engine) as connection:
        owner = roles.who(connection).name
    with _reached(database.engine) as connection:
        app = roles.who(connection).name
    query_engine = create_engine(parse_url(database.query_login_uri).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with _reached(query_engine) as connection:
        members = {database.query_role: roles.who(connection).name}
    return members | ({database.app_role: app} if app != owner else {})


@contextmanager
def _reached(engine: Engine) -> Iterator[Connection]:
    """A connection; UnavailableError that says which server did not answer, SetupError if it refused the login."""
    try:
        connection = engine.connect()
    except OperationalError as error:
        where = masked(engine.url.render_as_string(hide_password=True)).partition("?")[0]
        raise UnavailableError(f"No connection to the database {where}: {_reason(error)}.") from None
    with connection:
        yield connection


def _reason(error: OperationalError) -> str:
    """PostgreSQL's own words, on one line."""
    return masked(" ".join(str(error.orig).split()).rstrip("."))
