"""OAI-PMH 2.0 (with RegistryInterfaces 1.1 §2 on top): arguments in, documents out. Records come from whatever `Store` is handed in.

Resumption tokens are stateless: a token is the question itself and the place of the last record given. Pages follow the order of
(datestamp, identifier); a record that changes during a harvest moves to the end of it, so a harvester misses nothing.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from vo_registry.records import StoredRecord, utc_text
from vo_server.documents.xml import NAMESPACES, Element, add, document, legal, parse, serialise
from vo_server.errors import UsageError

PAGE_SIZE = 200
GRANULARITY = "YYYY-MM-DDThh:mm:ssZ"
MANAGED_SET = "ivo_managed"
"""The set of the records that this registry answers for: all of them (RegistryInterfaces 1.1 §2.6)."""

Metadata = Literal["ivo_vor", "oai_dc"]

FORMATS: tuple[tuple[Metadata, str, str], ...] = (
    ("ivo_vor", NAMESPACES["ri"], NAMESPACES["ri"]),
    ("oai_dc", "http://www.openarchives.org/OAI/2.0/oai_dc.xsd", NAMESPACES["oai_dc"]),
)
"""metadataPrefix, schema, namespace."""

DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
WORD = re.compile(r"[A-Za-z0-9\-_.!~*'():]+")
SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

WITHOUT_ECHO = ("badVerb", "badArgument")
"""Errors after which the request's arguments are not repeated (OAI-PMH 2.0 §3.2)."""


class ProtocolError(UsageError):
    """One of the protocol's own errors (OAI-PMH 2.0 §3.6); ``code`` is its word for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Store(Protocol):
    """Where records lie."""

    def find(self, identifier: str, metadata: Metadata | None) -> StoredRecord | None:
        """The record of an identifier, compared without case; tombstones included."""

    def page(
        self,
        *,
        limit: int,
        metadata: Metadata | None,
        since: datetime | None,
        until: datetime | None,
        after: tuple[datetime, str] | None,
    ) -> Sequence[StoredRecord]:
        """At most `limit` records of an interval that includes both ends, in order of (datestamp, identifier), behind `after`."""

    def earliest(self) -> datetime | None:
        """The oldest datestamp."""


@dataclass(frozen=True, slots=True)
class Repository:
    """What Identify says, and the time now. ``registry`` is the identifier of the registry's own record."""

    name: str
    base_url: str
    admin_email: str
    registry: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """What a resumption token stands for. Times are texts: they are compared, stored and sent in this one form."""

    verb: str
    prefix: str
    since: str | None
    until: str | None
    stamp: str | None = None
    identifier: str | None = None
    cursor: int = 0

    @property
    def after(self) -> tuple[datetime, str] | None:
        """The last record given so far."""
        return None if self.stamp is None or self.identifier is None else (_moment(self.stamp), self.identifier)


@dataclass(frozen=True, slots=True)
class Rules:
    """Which arguments a verb takes (OAI-PMH 2.0 §4); a resumptionToken stands alone."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    resumable: bool = False


LISTING = Rules(("metadataPrefix",), ("from", "until", "set"), resumable=True)

VERBS: Mapping[str, Rules] = {
    "Identify": Rules(),
    "ListMetadataFormats": Rules(optional=("identifier",)),
    "ListSets": Rules(resumable=True),
    "ListIdentifiers": LISTING,
    "ListRecords": LISTING,
    "GetRecord": Rules(("identifier", "metadataPrefix")),
}


@dataclass(frozen=True, slots=True)
class Question:
    """A request whose arguments are those that its verb takes."""

    verb: str
    arguments: Mapping[str, str] = field(default_factory=dict)


def answer(pairs: Sequence[tuple[str, str]], repository: Repository, store: Store) -> bytes:
    """The document that answers a request; `pairs` are its arguments as they came (names compare with their case)."""
    try:
        question = read_question(pairs)
        root = _envelope(repository, pairs)
        ANSWERS[question.verb](add(root, f"oai:{question.verb}"), question, repository, store)
    except ProtocolError as error:
        root = _envelope(repository, () if error.code in WITHOUT_ECHO else pairs)
        add(root, "oai:error", str(error), {"code": error.code})
    return serialise(root)


def refusal(message: str, repository: Repository) -> bytes:
    """The document that refuses arguments which cannot be read: what they are is not repeated (OAI-PMH 2.0 §3.6)."""
    root = _envelope(repository, ())
    add(root, "oai:error", message, {"code": "badArgument"})
    return serialise(root)


def read_question(pairs: Sequence[tuple[str, str]]) -> Question:
    """The verb and its arguments; raises ProtocolError badVerb or badArgument."""
    verbs = [value for name, value in pairs if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in VERBS:
        said = "is missing" if not verbs else "is repeated" if len(verbs) > 1 else f"{verbs[0]!r} is not one of the protocol"
        raise ProtocolError("badVerb", f"The verb {said}; verbs are {', '.join(VERBS)}.")
    arguments = {name: value for name, value in pairs if name != "verb"}
    if len(arguments) + 1 != len(pairs):
        raise ProtocolError("badArgument", "An argument is repeated.")
    _check_names(verbs[0], arguments)
    return Question(verbs[0], arguments)


def _check_names(verb: str, arguments: Mapping[str, str]) -> None:
    rules = VERBS[verb]
    if rules.resumable and "resumptionToken" in arguments:
        if len(arguments) > 1:
            raise ProtocolError("badArgument", "A resumptionToken stands alone: it already says the rest.")
        return
    unknown = sorted(arguments.keys() - {*rules.required, *rules.optional})
    if unknown:
        raise ProtocolError("badArgument", f"{verb} does not take {', '.join(unknown)}.")
    missing = [name for name in rules.required if not arguments.get(name)]
    if missing:
        raise ProtocolError("badArgument", f"{verb} needs {', '.join(missing)}.")
    for name in ("metadataPrefix", "set"):
        if name in arguments and not WORD.fullmatch(arguments[name]):
            raise ProtocolError("badArgument", f"{name}={arguments[name]!r} has characters that it cannot have.")


def _identify(body: Element, _: Question, repository: Repository, store: Store) -> None:
    """The repository, with the registry's own record as its description (RegistryInterfaces 1.1 §2.4)."""
    for name, text in (
        ("repositoryName", repository.name),
        ("baseURL", repository.base_url),
        ("protocolVersion", "2.0"),
        ("adminEmail", repository.admin_email),
        ("earliestDatestamp", utc_text(store.earliest() or repository.now)),
        ("deletedRecord", "persistent"),
        ("granularity", GRANULARITY),
    ):
        add(body, f"oai:{name}", text)
    own = store.find(repository.registry, "ivo_vor")
    if own is not None and own.metadata is not None:
        add(body, "oai:description").append(parse(own.metadata))


def _list_formats(body: Element, question: Question, _: Repository, store: Store) -> None:
    """Both formats, which every record has."""
    if "identifier" in question.arguments:
        _known(store, question.arguments["identifier"], None)
    for prefix, schema, namespace in FORMATS:
        element = add(body, "oai:metadataFormat")
        add(element, "oai:metadataPrefix", prefix)
        add(element, "oai:schema", schema)
        add(element, "oai:metadataNamespace", namespace)


def _list_sets(body: Element, question: Question, _: Repository, __: Store) -> None:
    """The one set."""
    if question.arguments:
        raise ProtocolError("badResumptionToken", "The list of sets is short: it was never continued by a token.")
    element = add(body, "oai:set")
    add(element, "oai:setSpec", MANAGED_SET)
    add(element, "oai:setName", "Records that originate from this registry")


def _get_record(body: Element, question: Question, _: Repository, store: Store) -> None:
    """One record, or its tombstone."""
    record = _known(store, question.arguments["identifier"], _prefix(question.arguments["metadataPrefix"]))
    _add_record(body, record)


def _list_records(body: Element, question: Question, _: Repository, store: Store) -> None:
    """A page of records with their metadata."""
    place = _place(question)
    _page(body, place, store, _prefix(place.prefix), _add_record)


def _list_identifiers(body: Element, question: Question, _: Repository, store: Store) -> None:
    """A page of headers."""
    _page(body, _place(question), store, None, _add_header)


ANSWERS: Mapping[str, Callable[[Element, Question, Repository, Store], None]] = {
    "Identify": _identify,
    "ListMetadataFormats": _list_formats,
    "ListSets": _list_sets,
    "ListIdentifiers": _list_identifiers,
    "ListRecords": _list_records,
    "GetRecord": _get_record,
}


def _page(body: Element, place: Place, store: Store, metadata: Metadata | None, show: Callable[[Element, StoredRecord], None]) -> None:
    """The page behind `place`. One record more than fits is read, to know whether another page follows (OAI-PMH 2.0 §3.5)."""
    since, until = (None if text is None else _moment(text) for text in (place.since, place.until))
    found = store.page(limit=PAGE_SIZE + 1, metadata=metadata, since=since, until=until, after=place.after)
    if not found:
        raise ProtocolError("noRecordsMatch", "No record has a datestamp in this interval.")
    shown = found[:PAGE_SIZE]
    for record in shown:
        show(body, record)
    cursor = {"cursor": str(place.cursor)}
    if len(found) > PAGE_SIZE:
        last = shown[-1]
        following = replace(place, stamp=utc_text(last.datestamp), identifier=last.identifier, cursor=place.cursor + len(shown))
        add(body, "oai:resumptionToken", write_token(following), cursor)
    elif place.cursor:
        add(body, "oai:resumptionToken", attributes=cursor)


def _place(question: Question) -> Place:
    """Where the page that `question` asks for begins."""
    arguments = question.arguments
    if "resumptionToken" in arguments:
        return read_token(arguments["resumptionToken"], question.verb)
    _prefix(arguments["metadataPrefix"])
    since, until = arguments.get("from"), arguments.get("until")
    begin = None if since is None else _boundary("from", since)
    end = None if until is None else _boundary("until", until)
    if since is not None and until is not None and len(since) != len(until):
        raise ProtocolError("badArgument", "from and until have different granularities.")
    if begin is not None and end is not None and begin > end:
        raise ProtocolError("badArgument", "from is later than until.")
    if arguments.get("set", MANAGED_SET) != MANAGED_SET:
        raise ProtocolError("noRecordsMatch", f"There is no set but {MANAGED_SET}.")
    return Place(question.verb, arguments["metadataPrefix"], _text(begin), _text(end))


def write_token(place: Place) -> str:
    """A resumption token: text that is safe in an address."""
    return base64.urlsafe_b64encode(json.dumps(asdict(place), separators=(",", ":")).encode()).decode().rstrip("=")


def read_token(token: str, verb: str) -> Place:
    """What `token` stands for; raises ProtocolError badResumptionToken if it is not one of ours for `verb`."""
    try:
        values: dict[str, Any] = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        place = Place(**values)
        if _is_ours(place, verb):
            return place
    except (ValueError, TypeError, AttributeError):  # not base64, not JSON, not our fields
        pass
    raise ProtocolError("badResumptionToken", "This is not a resumption token for this verb; please start the list again.")


def _is_ours(place: Place, verb: str) -> bool:
    """Whether a token's values are such as write_token writes; raises ValueError or TypeError if a time is none."""
    times = [_moment(text) for text in (place.stamp, place.since, place.until) if text is not None]
    name = place.identifier
    known = place.verb == verb and place.prefix in {prefix for prefix, _, _ in FORMATS}
    return (
        known
        and bool(times)
        and place.stamp is not None
        and isinstance(name, str)
        and legal(name) == name
        and isinstance(place.cursor, int)
    )


def _boundary(name: str, text: str) -> datetime:
    """A day or a second as an instant; `until` a day includes the whole of it (OAI-PMH 2.0 §2.7.1)."""
    try:
        if SECOND.fullmatch(text):
            return _moment(text)
        if DAY.fullmatch(text):
            midnight = _moment(f"{text}T00:00:00Z")
            return midnight + timedelta(days=1, seconds=-1) if name == "until" else midnight
    except (ValueError, OverflowError):
        pass
    raise ProtocolError("badArgument", f"{name}={text!r} is neither a day (YYYY-MM-DD) nor a second ({GRANULARITY}).")


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)


def _prefix(text: str) -> Metadata:
    for prefix, _, _ in FORMATS:
        if prefix == text:
            return prefix
    raise ProtocolError("cannotDisseminateFormat", f"There is no format {text!r}; formats are {', '.join(one for one, _, _ in FORMATS)}.")


def _known(store: Store, identifier: str, metadata: Metadata | None) -> StoredRecord:
    record = store.find(identifier, metadata) if legal(identifier) == identifier else None
    if record is None:
        raise ProtocolError("idDoesNotExist", f"There is no record {identifier!r}.")
    return record


def _add_record(parent: Element, record: StoredRecord) -> None:
    """Header and metadata; a tombstone is a header alone (OAI-PMH 2.0 §2.5.1)."""
    element = add(parent, "oai:record")
    _add_header(element, record)
    if not record.deleted and record.metadata is not None:
        add(element, "oai:metadata").append(parse(record.metadata))


def _add_header(parent: Element, record: StoredRecord) -> None:
    element = add(parent, "oai:header", attributes={"status": "deleted" if record.deleted else None})
    add(element, "oai:identifier", record.identifier)
    add(element, "oai:datestamp", utc_text(record.datestamp))
    add(element, "oai:setSpec", MANAGED_SET)


def _envelope(repository: Repository, echo: Sequence[tuple[str, str]]) -> Element:
    root = document("oai:OAI-PMH")
    add(root, "oai:responseDate", utc_text(repository.now))
    add(root, "oai:request", repository.base_url, dict(echo))
    return root
