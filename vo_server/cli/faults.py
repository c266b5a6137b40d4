"""What a command says when something went wrong that it did not foresee: a sentence, and a file with the rest."""

import os
import secrets
import tempfile
import traceback
from pathlib import Path

from vo_server.db.addresses import masked

AWAY = ("08", "57P")
"""Classes of SQLSTATE of a server that is gone, or going."""


def database_fault(error: Exception) -> str:
    """A sentence about an OperationalError of SQLAlchemy's or psycopg's: no answer, or PostgreSQL's own reason."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    reason = masked(" ".join(str(cause).split()).rstrip("."))
    answers = state is not None and not state.startswith(AWAY)
    return f"The database {'could not do it' if answers else 'does not answer'}: {reason}."


def incident(error: Exception) -> str:
    """A sentence with the number of the incident, and the new file that holds the stack trace, for our own eyes."""
    number = secrets.token_hex(4)
    path = Path(tempfile.gettempdir()) / f"vo-error-{number}.log"
    trace = masked("".join(traceback.format_exception(error)))
    told = f"Something went wrong that should not (incident {number}): {type(error).__name__}."
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(trace)
    except OSError:
        return f"{told}\n{trace}"
    return f"{told} Please report it with the file {path}, which says where."
