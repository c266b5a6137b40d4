"""A site's database in one file, and a database from such a file: pg_dump and pg_restore, with the programs that fit the server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import text

from vo_server.db import roles, setup
from vo_server.db.cluster import wheel_programs
from vo_server.db.database import Database
from vo_server.errors import DataError, SetupError

DEBIAN = "/usr/lib/postgresql/{}/bin"


def back_up(database: Database, file: Path) -> None:
    """Write everything of ours in the database to `file`, as one transaction sees it, while the server goes on.

    What is not in the database is not in it: files of datasets, results of jobs. `file` is there when it is whole.
    """
    if file.exists():
        raise SetupError(f"{file} exists.", hint="Choose another name, or take it away.")
    part = file.with_name(f"{file.name}.part")
    schemas = [f"--schema={name}" for name in roles.SCHEMAS]
    try:
        _run(database, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", *schemas, f"--file={part}")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def restore(database: Database, file: Path) -> None:
    """Fill an empty database from a file of `back_up`, in one transaction, and bring it up to date. Grants are made anew for the
    logins of `database`. Raises SetupError if there is something of ours already.
    """
    if not file.is_file():
        raise DataError("there is no such file.", source=str(file))
    if setup.read_status(database).current is not None:
        raise SetupError(
            "The database holds a site already, and a backup is only restored into an empty one.",
            hint="Create another database, and name it by VO_DATABASE_URL.",
        )
    with database.publish_engine.begin() as connection:
        for name in roles.SCHEMAS:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {name}"))  # only if nothing is in it
    # the file makes the schemas itself; roles and grants are not in it
    _run(database, "pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", str(file))
    setup.init(database)


def _run(database: Database, name: str, *words: str) -> None:
    """Run one of PostgreSQL's programs on the owner's login; its own words are told if it fails."""
    given = {key: str(value) for key, value in conninfo_to_dict(database.publish_uri).items() if value is not None}
    secret = given.pop("password", "")
    given.pop("options", None)
    address = [f"--dbname={make_conninfo(**given)}"]
    command = [str(_program(database, name)), *address, *words]
    environment = os.environ | ({"PGPASSWORD": secret} if secret else {})  # never on the command line, which everybody can read
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 our own words
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise SetupError(f"{name} could not do it: {lines[0] if lines else 'it gives no reason'}")


def _program(database: Database, name: str) -> Path:
    """The program of the server's own major version: a newer pg_restore says what an older server does not know."""
    with database.publish_engine.connect() as connection:
        major = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10000
    found = shutil.which(name)
    for path in (Path(DEBIAN.format(major)) / name, Path(found) if found else None, wheel_programs() / name):
        if path is not None and path.exists() and _major(path) == major:
            return path
    raise SetupError(f"{name} of PostgreSQL {major} is not installed.", hint=f"On Debian: apt install postgresql-client-{major}.")


def _major(program: Path) -> int | None:
    told = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
    return int(found[1]) if found else None
