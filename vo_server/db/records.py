"""Registry records in PostgreSQL: stored when their content changes, never forgotten, read in the order of their datestamps.

A datestamp moves exactly when the content of a record does, so a restart moves none. A record that is no longer rendered becomes a
tombstone; one that returns gets a new datestamp (OAI-PMH 2.0 §2.5.1). Datestamps never run backwards, also when the clock does or two
processes store at once: an incremental harvest would miss what it has already passed.

It would miss too what got its datestamp before the harvest and was committed after it. So who stores renders and compares first, then
waits for the harvests that are reading and sets the datestamp, and harvests wait from then on until the commit: two modes of one lock.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ARRAY, Connection, Row, Select, Text, any_, func, literal, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from vo_registry.records import Rendered, StoredRecord
from vo_server.db.regtap import forget_rows, store_rows
from vo_server.db.schema import record_versions, records

Metadata = Literal["ivo_vor", "oai_dc"]
"""The columns that hold a record's text."""

PATIENCE = "5s"
"""A harvest waits so long for records that are being stored; then it is to come again."""

BATCH = 500
"""Records written at once: their rows of ``rr`` are many."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Identifiers of the records that storing changed: new or returned, changed, deleted."""

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.created or self.changed or self.deleted)

    def __add__(self, more: "Changes") -> "Changes":
        return Changes(self.created + more.created, self.changed + more.changed, self.deleted + more.deleted)


def lock_records(connection: Connection) -> None:
    """Be the only one who stores records until the transaction ends; readers are not disturbed.

    Call it before reading the catalogue that the records are rendered from, else an older view of it could bury a newer record.
    """
    connection.execute(text("LOCK TABLE vo.records IN SHARE ROW EXCLUSIVE MODE"))


def hold_storing(connection: Connection) -> None:
    """See every record whose datestamp has passed: wait for who has set one and not committed yet, and let nobody set one until the
    transaction ends. Raises sqlalchemy's OperationalError after PATIENCE: somebody stores very many records.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
    connection.execute(text("LOCK TABLE vo.records IN ROW SHARE MODE"))


def _hold_harvests(connection: Connection) -> datetime | None:
    """Be sure that no harvest reads on without what is now stored; the newest datestamp there is."""
    connection.execute(text("LOCK TABLE vo.records IN EXCLUSIVE MODE"))
    newest: datetime | None = connection.execute(select(func.max(records.c.datestamp))).scalar()
    return newest


def sync_records(
    connection: Connection, rendered: Mapping[str, Rendered], clock: Callable[[], datetime], scope: Collection[str] | None = None
) -> Changes:
    """Make what is stored equal to `rendered`: all records there are, or all of those in `scope`. `clock` gives aware times.

    Commit soon: harvests wait from the moment on that the datestamp is set.
    """
    lock_records(connection)
    state = _state() if scope is None else _state().where(records.c.identifier.in_({*scope, *rendered}))
    stored = {row.identifier: row for row in connection.execute(state)}
    alive = {identifier for identifier, row in stored.items() if not row.deleted}
    created = tuple(identifier for identifier in rendered if identifier not in alive)
    known = [identifier for identifier in rendered if identifier in alive]
    changed = tuple(identifier for identifier in known if stored[identifier].content_hash != rendered[identifier].content_hash)
    changes = Changes(created, changed, deleted=tuple(sorted(alive - rendered.keys())))
    if changes:
        newest = _hold_harvests(connection)
        stamp = max(filter(None, (clock().astimezone(UTC).replace(microsecond=0), newest)))
        for some in _batches((*created, *changed)):
            _store(connection, [_values(rendered[identifier], stored.get(identifier), stamp) for identifier in some])
        _bury(connection, changes.deleted, stamp)
    return changes


def find_record(connection: Connection, identifier: str, metadata: Metadata | None = None) -> StoredRecord | None:
    """The record of this ivoid, tombstones included, with its text; ivoids compare without case (IVOA Identifiers 2.0 §2.1)."""
    exact = connection.execute(_select(metadata).where(records.c.identifier == identifier)).first()
    row = exact or connection.execute(_select(metadata).where(func.lower(records.c.identifier) == identifier.lower())).first()
    return None if row is None else StoredRecord(*row)


def page_of_records(
    connection: Connection,
    *,
    limit: int,
    metadata: Metadata | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, str] | None = None,
) -> list[StoredRecord]:
    """At most `limit` records, tombstones included, in order of (datestamp, identifier), both ends of the interval inclusive.

    `after` is the place of the last record already seen: what changes meanwhile moves behind it, so nothing is missed.
    """
    place = tuple_(records.c.datestamp, records.c.identifier)
    query = _select(metadata).order_by(records.c.datestamp, records.c.identifier).limit(limit)
    if since is not None:
        query = query.where(records.c.datestamp >= since)
    if until is not None:
        query = query.where(records.c.datestamp <= until)
    if after is not None:
        query = query.where(place > tuple_(literal(after[0]), literal(after[1])))
    return [StoredRecord(*row) for row in connection.execute(query)]


def versions_of_record(connection: Connection, identifier: str) -> list[StoredRecord]:
    """Every version there was, the oldest first; a version without text is a deletion."""
    mine = func.lower(record_versions.c.identifier) == identifier.lower()
    rows = connection.execute(select(record_versions).where(mine).order_by(record_versions.c.datestamp))
    return [StoredRecord(row.identifier, row.datestamp, row.ivo_vor is None, row.ivo_vor) for row in rows]


def all_identifiers(connection: Connection) -> list[str]:
    """The identifiers of all records that are not deleted, in order."""
    return list(connection.execute(select(records.c.identifier).where(~records.c.deleted).order_by(records.c.identifier)).scalars())


def earliest_datestamp(connection: Connection) -> datetime | None:
    """The oldest datestamp, None before anything was stored."""
    oldest: datetime | None = connection.execute(select(func.min(records.c.datestamp))).scalar()
    return oldest


def _state() -> Select[Any]:
    return select(records.c.identifier, records.c.datestamp, records.c.created, records.c.deleted, records.c.content_hash)


def _select(metadata: Metadata | None) -> Select[Any]:
    """The columns of a StoredRecord, in its order."""
    wanted = literal(None) if metadata is None else records.c[metadata]
    return select(records.c.identifier, records.c.datestamp, records.c.deleted, wanted)


def _values(one: Rendered, before: Row[Any] | None, stamp: datetime) -> dict[str, Any]:
    """The row of a record that is new, has changed or returns; when it was created is said once."""
    created = before.created if before is not None else min(one.created or stamp, stamp)
    ivo_vor, oai_dc = one.dated(created, stamp)
    return {
        "identifier": one.identifier,
        "datestamp": stamp,
        "created": created,
        "deleted": False,
        "content_hash": one.content_hash,
        "ivo_vor": ivo_vor,
        "oai_dc": oai_dc,
    }


def _batches(identifiers: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (identifiers[begin : begin + BATCH] for begin in range(0, len(identifiers), BATCH))


def _store(connection: Connection, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    columns = [literal([row[name] for row in rows], ARRAY(records.c[name].type)) for name in names]
    given = select(func.unnest(*columns).table_valued(*names).render_derived())
    statement = insert(records).from_select(names, given)
    changing = {name: statement.excluded[name] for name in names if name != "identifier"}
    connection.execute(statement.on_conflict_do_update(index_elements=["identifier"], set_=changing))
    store_rows(connection, {row["identifier"]: row["ivo_vor"] for row in rows})
    _remember(connection, [row["identifier"] for row in rows])


def _bury(connection: Connection, identifiers: tuple[str, ...], stamp: datetime) -> None:
    """Leave tombstones: the identifier and the time of deletion stay for ever, the metadata goes (OAI-PMH 2.0 §2.5.1)."""
    if identifiers:
        gone = {"deleted": True, "datestamp": stamp, "ivo_vor": None, "oai_dc": None}
        connection.execute(update(records).where(records.c.identifier.in_(identifiers)).values(**gone))
        forget_rows(connection, identifiers)
        _remember(connection, identifiers)


def _remember(connection: Connection, identifiers: Sequence[str]) -> None:
    """Keep these records as they are now as versions; of several within one second, the last: no harvester saw another."""
    names = ["identifier", "datestamp", "ivo_vor"]
    now = select(*(records.c[name] for name in names)).where(records.c.identifier == any_(literal(list(identifiers), ARRAY(Text))))
    statement = insert(record_versions).from_select(names, now)
    changing = {"ivo_vor": statement.excluded.ivo_vor}
    connection.execute(statement.on_conflict_do_update(index_elements=["identifier", "datestamp"], set_=changing))
