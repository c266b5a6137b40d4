"""Who may query now: so many at once in all, so many of one user, a few places kept for short requests, and a waiting room."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from prometheus_client import Gauge

from vo_server.errors import TooManyError, UnavailableError

SHARE = 4
"""Nobody takes more than this part of the waiting room."""


RUNNING = Gauge("vo_queries_running", "Synchronous queries that are running.", ("kind",), multiprocess_mode="livesum")
WAITING = Gauge("vo_queries_waiting", "Synchronous queries that wait for their turn.", multiprocess_mode="livesum")


class Kind(Enum):
    """What a request is taken for, from its protocol alone: a plan's cost would cost a plan."""

    SHORT = "a search around a position, mostly milliseconds"
    LONG = "any query at all"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many at once: `total` in all, `long` of them of Kind.LONG, `each` of one user and kind; `waiting` in the waiting room,
    nobody longer than `patience` seconds."""

    total: int
    long: int
    each: int
    waiting: int
    patience: float


@dataclass(slots=True)
class Place:
    """One request's right to a connection; ``leave`` gives it back, once or more often."""

    admission: "Admission"
    user: str
    kind: Kind
    left: bool = False

    def leave(self) -> None:
        """Let the next one in."""
        if not self.left:
            self.left = True
            self.admission._leave(self)


@dataclass(slots=True, eq=False)
class Waiting:
    """Somebody in the waiting room."""

    user: str
    kind: Kind
    turn: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Admission:
    """One event loop's doorkeeper. When a place gets free it goes to whoever has the fewest, then to who has waited longest."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._most = {Kind.SHORT: bounds.total, Kind.LONG: bounds.long}
        self._users: Counter[tuple[str, Kind]] = Counter()
        self._kinds: Counter[Kind] = Counter()
        self._room: list[Waiting] = []

    async def enter(self, user: str, kind: Kind, leaving: "asyncio.Task[None]") -> Place:
        """A place for `user`, at once or after a while; `leaving` is done when he goes away.

        Raises TooManyError if his own requests are in the way, UnavailableError if those of others are.
        """
        if self._fits(user, kind):
            return self._take(user, kind)
        if len(self._room) >= self.bounds.waiting:
            raise self._refusal(user, kind)
        if sum(one.user == user for one in self._room) >= max(1, self.bounds.waiting // SHARE):
            raise TooManyError("You have too many queries waiting already.", hint="Wait for some of them to end.")
        return await self._wait(Waiting(user, kind), leaving)

    async def _wait(self, one: Waiting, leaving: "asyncio.Task[None]") -> Place:
        self._room.append(one)
        WAITING.inc()
        try:
            await asyncio.wait({one.turn, leaving}, timeout=self.bounds.patience, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if one.turn.done():
                Place(self, one.user, one.kind).leave()
            raise
        finally:
            WAITING.dec()
            with suppress(ValueError):
                self._room.remove(one)
        if not one.turn.done():
            raise self._refusal(one.user, one.kind)
        return Place(self, one.user, one.kind)

    def _fits(self, user: str, kind: Kind) -> bool:
        return (
            self._kinds.total() < self.bounds.total and self._kinds[kind] < self._most[kind] and self._users[user, kind] < self.bounds.each
        )

    def _take(self, user: str, kind: Kind) -> Place:
        self._users[user, kind] += 1
        self._kinds[kind] += 1
        RUNNING.labels(kind.name.lower()).inc()
        return Place(self, user, kind)

    def _leave(self, place: Place) -> None:
        self._kinds[place.kind] -= 1
        RUNNING.labels(place.kind.name.lower()).dec()
        self._users[place.user, place.kind] -= 1
        if not self._users[place.user, place.kind]:
            del self._users[place.user, place.kind]
        self._call_in()

    def _call_in(self) -> None:
        while fitting := [one for one in self._room if self._fits(one.user, one.kind)]:
            one = min(fitting, key=lambda one: self._users[one.user, one.kind])
            self._room.remove(one)
            self._take(one.user, one.kind)
            one.turn.set_result(None)

    def _refusal(self, user: str, kind: Kind) -> UnavailableError:
        if self._users[user, kind] >= self.bounds.each:
            return TooManyError(
                f"You have {self.bounds.each} queries running, as many as one user may.",
                hint="Wait for one of them to end, or run long ones asynchronously.",
            )
        return UnavailableError("The server is busy with other queries.", hint="Try again in a moment, or run the query asynchronously.")
