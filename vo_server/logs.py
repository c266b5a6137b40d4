"""What the programs log: a line an event, for people or as JSON, with the request or job it belongs to."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

REQUEST: ContextVar[str | None] = ContextVar("request", default=None)
"""Id of the request that is being answered; threads that work for it see it too."""

JOB: ContextVar[str | None] = ContextVar("job", default=None)
"""Id of the asynchronous job that is being run."""

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes that every record has; the others were given with the event by ``extra=``."""


@contextmanager
def about(subject: ContextVar[str | None], identifier: str) -> Iterator[None]:
    """Everything logged inside belongs to the request or job of this id."""
    token = subject.set(identifier)
    try:
        yield
    finally:
        subject.reset(token)


def configure(form: str) -> None:
    """Log to stderr from now on: warnings of everybody, news of our own. `form`: ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMS[form]())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("vo_server").setLevel(logging.INFO)


def facts(record: logging.LogRecord) -> dict[str, object]:
    """What an event says beside its message: the request or job it belongs to, and what it was given."""
    subjects = {name: value for name, value in (("request", REQUEST.get()), ("job", JOB.get())) if value is not None}
    return subjects | {name: value for name, value in vars(record).items() if name not in STANDARD and value is not None}


def moment(record: logging.LogRecord) -> str:
    """When it happened, in UTC, to the millisecond."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextFormatter(logging.Formatter):
    """``2026-11-25T09:48:10.123Z WARNING message name=value …``, and the stack trace below."""

    def format(self, record: logging.LogRecord) -> str:
        """One event."""
        said = " ".join(f"{name}={value}" for name, value in facts(record).items())
        line = " ".join(filter(None, (moment(record), f"{record.levelname:<7}", record.getMessage().replace("\n", "\\n"), said)))
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, stack traces inside it, so that no collector has to guess where an event ends."""

    def format(self, record: logging.LogRecord) -> str:
        """One event."""
        event: dict[str, object] = {
            "time": moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        event |= facts(record)
        if record.exc_info:
            event["trace"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False, default=str)


FORMS: dict[str, type[logging.Formatter]] = {"text": TextFormatter, "json": JsonFormatter}
