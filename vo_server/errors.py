"""What can go wrong, as one tree without HTTP in it.

``http.errors`` renders these for each audience (DALI, SCS, plain text, OAI, HTML) and chooses the status; the command line prints them.
A message says what was wrong, where, and what to do; it is written for the person who caused it.

    VoError
    ├── UsageError            a parameter, query, file or setting is wrong
    │   ├── ManyValuesError   one value is taken, several were given
    │   ├── QueryError        an ADQL text is wrong, at a line and column
    │   └── DataError         a file to publish is wrong, at a row and column
    ├── NotFoundError         no such table, job, dataset, record
    ├── ForbiddenError        it exists, and this caller may not have it
    ├── EmbargoError          not to be published yet
    ├── TooLargeError         more than the declared limits allow
    ├── TimeLimitError        the query ran longer than allowed
    ├── UnavailableError      not now: overload, database down; try again
    │   └── TooManyError      not now: this user has too much under way already
    ├── SetupError            the installation cannot work as it is configured
    └── InternalError         our own fault; carries an id that stands in the log
"""

import logging
import secrets

log = logging.getLogger("vo_server")


class VoError(Exception):
    """Anything we can explain. ``message`` is a sentence, ``hint`` what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(VoError):
    """A parameter, query, file or setting is wrong; ``parameter`` names it where known."""

    def __init__(self, message: str, *, hint: str | None = None, parameter: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.parameter = parameter


class ManyValuesError(UsageError):
    """A parameter that takes one value was given several."""


class QueryError(UsageError):
    """An ADQL text is wrong at ``line`` and ``column`` (both from 1); ``word`` is the offending text, ``expected`` what fits there."""

    def __init__(
        self,
        message: str,
        *,
        line: int,
        column: int,
        word: str = "",
        expected: tuple[str, ...] = (),
        hint: str | None = None,
        excerpt: str = "",
    ) -> None:
        super().__init__(message, hint=hint, parameter="QUERY")
        self.line = line
        self.column = column
        self.word = word
        self.expected = expected
        self.excerpt = excerpt

    def __str__(self) -> str:
        text = f"Line {self.line}, column {self.column}: {super().__str__()}"
        return f"{text}\n{self.excerpt}" if self.excerpt else text


class QuerySyntaxError(QueryError):
    """The text is not ADQL: the grammar alone refuses it."""


class QueryMeaningError(QueryError):
    """The text is ADQL, but names or types do not fit the published tables."""


class DataError(UsageError):
    """A file to publish is wrong; ``row`` counts from 1, as people do. ``fault`` is the message without the place."""

    def __init__(
        self, message: str, *, source: str = "", row: int | None = None, column: str | None = None, hint: str | None = None
    ) -> None:
        where = "".join(
            (f"{source}: " if source else "", f"row {row}, " if row is not None else "", f"column {column}: " if column is not None else "")
        )
        super().__init__(where + message, hint=hint)
        self.fault = message
        self.source = source
        self.row = row
        self.column = column


class NotFoundError(VoError):
    """No such table, job, dataset or record."""


class ForbiddenError(VoError):
    """It exists, and this caller may not have it."""


class EmbargoError(VoError):
    """Not to be published before a day that has not come yet."""


class TooLargeError(VoError):
    """More rows, bytes or text than the declared limits allow."""


class TimeLimitError(VoError):
    """The query ran longer than it may."""


class UnavailableError(VoError):
    """Not now: overload, or the database is away. ``retry_after`` is in seconds."""

    def __init__(self, message: str, *, hint: str | None = None, retry_after: int = 10) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class TooManyError(UnavailableError):
    """Not now: this user has as much under way as one may."""


class SetupError(VoError):
    """The installation cannot work as it is configured: what is missing, and the command that mends it."""


class InternalError(VoError):
    """Our own fault. ``incident`` stands in the log beside the stack trace, which nobody else sees."""

    def __init__(self, incident: str) -> None:
        super().__init__(f"The server made a mistake (incident {incident}).", hint="Please report this number to the service's operator.")
        self.incident = incident


def report_incident(what: str, error: BaseException) -> InternalError:
    """Log `error` under a fresh incident number, and give the error to tell instead of it."""
    incident = secrets.token_hex(4)
    log.error("incident %s: %s", incident, what, exc_info=error)
    return InternalError(incident)
