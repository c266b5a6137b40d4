"""Roles, schemas and grants: what `vo db init` makes, and which right is missing if it cannot."""

from dataclasses import dataclass

from psycopg.sql import Identifier
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from vo_server.db.database import Database
from vo_server.errors import SetupError

SCHEMAS = ("vo", "vo_data", "tap_schema", "ivoa", "rr", "vo_queue")
READABLE = ("vo_data", "tap_schema", "ivoa", "rr")
"""Schemas whose tables and views users' queries may read."""

OLDEST = 140000
"""server_version_num of PostgreSQL 14: the oldest that the SQL we write runs on."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A right that is missing, as a sentence, and the SQL with which an administrator gives it."""

    right: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Login:
    """Who a connection is, and what it may do in the cluster."""

    name: str
    database: str
    superuser: bool
    creates_roles: bool


def ensure_roles_and_schemas(connection: Connection, database: Database, members: dict[str, str]) -> None:
    """Create the two roles and the schemas where they are missing.

    `connection` is the owner's (the publish login). `members` maps role → login that must be a member of it.
    Raises SetupError that names every missing right at once, with the SQL that gives it.
    """
    check_server(connection)
    login = who(connection)
    missing = [*_missing_roles(connection, login, (database.query_role, database.app_role)), *_missing_schema_rights(connection, login)]
    if missing:
        raise _refusal(login, missing)
    for role in (database.query_role, database.app_role):
        if not _role_exists(connection, role):
            connection.execute(text(f"CREATE ROLE {role} NOLOGIN"))
    failed = [fault for role, member in members.items() if (fault := _admit(connection, role, member))]
    if failed:
        raise _refusal(login, failed)
    for name in _absent_schemas(connection):
        connection.execute(text(f"CREATE SCHEMA {name}"))


def grant(connection: Connection, database: Database) -> None:
    """Give both roles what they need, and nothing more; may be repeated."""
    query, app = database.query_role, database.app_role
    readable = ", ".join(READABLE)
    for statement in (
        f"GRANT USAGE ON SCHEMA {', '.join(SCHEMAS)} TO {app}",
        f"GRANT USAGE ON SCHEMA vo, {readable} TO {query}",
        "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA vo FROM PUBLIC",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vo TO {query}, {app}",
        # whoever writes into a table published in place computes its index
        "GRANT USAGE ON SCHEMA vo TO PUBLIC",
        "GRANT EXECUTE ON FUNCTION vo.healpix(float8, float8), vo.spread(bigint) TO PUBLIC",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {readable} TO {query}, {app}",
        f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA vo_data, rr TO {app}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA vo, vo_queue TO {app}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA vo_queue TO {app}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA vo_data GRANT SELECT ON TABLES TO {query}, {app}",
    ):
        connection.execute(text(statement))


def check_server(connection: Connection) -> None:
    """Refuse a server that is too old, and a database that is not in UTF-8."""
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if version < OLDEST:
        raise SetupError(
            f"The server is PostgreSQL {version // 10000}, and 14 is the oldest that will do.", hint="Upgrade it, or use another one."
        )
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        name = who(connection).database
        raise SetupError(
            f"The database {name} is encoded in {encoding}; texts of astronomy need UTF-8.",
            hint=f"Create it again: CREATE DATABASE {_quoted(name)} ENCODING 'UTF8' TEMPLATE template0;",
        )


def who(connection: Connection) -> Login:
    """The login of a connection."""
    row = connection.execute(
        text("SELECT current_user, current_database(), rolsuper, rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user")
    ).one()
    return Login(*row)


def privilege_error(login: Login, error: DBAPIError) -> SetupError:
    """The error to tell when PostgreSQL itself refused something for lack of a right."""
    detail = str(error.orig).splitlines()[0]
    return SetupError(
        f"The database user {login.name} lacks a right in {login.database}: {detail}.",
        hint=f"Everything in the schemas {', '.join(SCHEMAS)} must belong to {login.name}. An administrator can see to it with: "
        f"REASSIGN OWNED BY <their owner> TO {_quoted(login.name)};",
    )


def _refusal(login: Login, missing: list[Missing]) -> SetupError:
    rights = "; ".join(fault.right for fault in missing)
    remedies = "\n".join(f"    {line}" for fault in missing for line in fault.remedy.splitlines())
    return SetupError(
        f"The database user {login.name} lacks rights in the database {login.database}: {rights}.",
        hint=f"An administrator can give them by running, connected to {login.database}:\n{remedies}",
    )


def _missing_roles(connection: Connection, login: Login, roles: tuple[str, ...]) -> list[Missing]:
    if login.superuser or login.creates_roles:
        return []
    return [
        Missing(
            f"it may not create the role {role}",
            f"CREATE ROLE {role} NOLOGIN;\nGRANT {role} TO {_quoted(login.name)} WITH ADMIN OPTION;",
        )
        for role in roles
        if not _role_exists(connection, role)
    ]


def _missing_schema_rights(connection: Connection, login: Login) -> list[Missing]:
    absent = _absent_schemas(connection)
    found = []
    if absent and not connection.execute(text("SELECT has_database_privilege(current_database(), 'CREATE')")).scalar_one():
        target, user = _quoted(login.database), _quoted(login.name)
        found.append(Missing(f"it may not create the schemas {', '.join(absent)}", f"GRANT CREATE ON DATABASE {target} TO {user};"))
    for name in SCHEMAS:
        if name not in absent and not _owns_schema(connection, name):
            remedy = f"ALTER SCHEMA {name} OWNER TO {_quoted(login.name)};"
            found.append(Missing(f"the schema {name} belongs to somebody else", remedy))
    return found


def _owns_schema(connection: Connection, name: str) -> bool:
    """Whether the connection's login is the owner, a member of the owning role, or a superuser."""
    statement = "SELECT pg_has_role(nspowner, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = :name"
    return bool(connection.execute(text(statement), {"name": name}).scalar_one())


def _admit(connection: Connection, role: str, member: str) -> Missing | None:
    """Make `member` a member of `role` that may SET ROLE to it; what is missing if that is refused."""
    if member == role or _may_set(connection, role, member):
        return None
    statement = f"GRANT {role} TO {_quoted(member)}"
    try:
        with connection.begin_nested():
            connection.execute(text(statement))
    except DBAPIError:
        return Missing(f"it may not make {member} a member of the role {role}", f"{statement};")
    return None


def _may_set(connection: Connection, role: str, member: str) -> bool:
    """Whether `member` may become `role`: any membership until PostgreSQL 15, one with the SET option from 16 on."""
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    privilege = "SET" if version >= 160000 else "MEMBER"
    statement = text("SELECT pg_has_role(:member, :role, :privilege)")
    return bool(connection.execute(statement, {"member": member, "role": role, "privilege": privilege}).scalar_one())


def _absent_schemas(connection: Connection) -> tuple[str, ...]:
    there = set(connection.execute(text("SELECT nspname FROM pg_catalog.pg_namespace")).scalars())
    return tuple(name for name in SCHEMAS if name not in there)


def _role_exists(connection: Connection, role: str) -> bool:
    return connection.execute(text("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = :role"), {"role": role}).scalar() is not None


def _quoted(name: str) -> str:
    return Identifier(name).as_string()
