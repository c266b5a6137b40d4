"""Who may query: bounds in all, of a user and of long queries; the waiting room; fair turns; whose address counts."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from ipaddress import ip_network
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.requests import Request

from vo_server.errors import TooManyError, UnavailableError
from vo_server.http.admission import Admission, Bounds, Kind, Place
from vo_server.http.identity import caller

LONG, SHORT = Kind.LONG, Kind.SHORT
PATIENCE_S = 30.0

Test = Callable[[], Coroutine[Any, Any, None]]


def in_loop(test: Test) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


class Door:
    """An Admission, and those who stand before it."""

    def __init__(self, total: int = 4, long: int = 3, each: int = 2, waiting: int = 8, patience: float = PATIENCE_S) -> None:
        self.admission = Admission(Bounds(total, long, each, waiting, patience))
        self.clients: list[asyncio.Task[None]] = []

    async def enter(self, user: str, kind: Kind = LONG) -> Place:
        return await self.ask(user, kind)[0]

    def ask(self, user: str, kind: Kind = LONG) -> tuple[Awaitable[Place], "asyncio.Task[None]"]:
        client = asyncio.ensure_future(asyncio.sleep(PATIENCE_S))
        self.clients.append(client)
        return self.admission.enter(user, kind, client), client

    async def wait(self, user: str, kind: Kind = LONG) -> "asyncio.Task[Place]":
        """Somebody who stands in the waiting room."""
        task = asyncio.ensure_future(self.enter(user, kind))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
        return task


@in_loop
async def test_long_queries_leave_places_for_short_ones() -> None:
    door = Door()
    for user in ("a", "b", "c"):
        await door.enter(user)
    waiting = await door.wait("d")
    place = await door.enter("d", SHORT)
    second = await door.wait("e", SHORT)
    place.leave()
    assert (await second).kind is SHORT
    assert not waiting.done()


@in_loop
async def test_one_user_does_not_take_it_all_and_the_next_turn_is_that_of_the_least_served() -> None:
    door = Door()
    first, second = await door.enter("a"), await door.enter("a")
    greedy = await door.wait("a")
    modest = await door.enter("b")
    other = await door.wait("c")
    first.leave()
    assert (await other).user == "c"
    second.leave()
    assert (await greedy).user == "a"
    modest.leave()


@in_loop
async def test_a_place_is_given_back_once() -> None:
    door = Door(total=1, long=1)
    place = await door.enter("a")
    place.leave()
    place.leave()
    await door.enter("a")
    await door.wait("b")


@in_loop
async def test_the_waiting_room_is_bounded_and_nobody_fills_it_alone() -> None:
    door = Door(waiting=4)
    for user in ("a", "b", "c"):
        await door.enter(user)
    await door.wait("d")
    with pytest.raises(TooManyError, match="waiting already"):
        await door.enter("d")
    for user in ("e", "f", "g"):
        await door.wait(user)
    with pytest.raises(UnavailableError, match="busy") as refused:
        await door.enter("h")
    assert not isinstance(refused.value, TooManyError)
    assert refused.value.retry_after > 0


@in_loop
async def test_patience_ends_and_tells_whose_queries_were_in_the_way() -> None:
    door = Door(patience=0.01)
    places = [await door.enter("a"), await door.enter("a")]
    with pytest.raises(TooManyError, match="2 queries running"):
        await door.enter("a")
    await door.enter("b")
    with pytest.raises(UnavailableError, match="busy"):
        await door.enter("c")
    for place in places:
        place.leave()
    await door.enter("a")


@in_loop
async def test_whoever_goes_away_frees_his_chair_and_takes_no_place() -> None:
    door = Door(total=1, long=1)
    place = await door.enter("a")
    asking, client = door.ask("b")
    gone = asyncio.ensure_future(asking)
    await asyncio.sleep(0)
    cancelled = await door.wait("c")
    client.cancel()
    with pytest.raises(UnavailableError):
        await gone
    place.leave()
    cancelled.cancel()  # in the very moment in which its turn came
    await asyncio.sleep(0)
    assert (await door.enter("d")).user == "d"


PROXIES = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", None, "192.0.2.7"),
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),  # not a proxy of ours: anybody can write a header
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),  # what stands further left may be made up
        ("127.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("127.0.0.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
        ("127.0.0.1", "garbage", "127.0.0.1"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("2001:db8:1:2:ffff::1", None, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", None, "192.0.2.7"),
        (None, None, ""),
    ],
)
def test_the_address_that_counts(peer: str | None, forwarded: str | None, expected: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = {"type": "http", "headers": headers, "client": (peer, 1) if peer else None}
    assert caller(Request(scope), PROXIES) == expected


@in_loop
async def test_who_runs_and_who_waits_is_counted() -> None:
    def counted() -> tuple[float, float]:
        running = REGISTRY.get_sample_value("vo_queries_running", {"kind": "long"}) or 0.0
        return running, REGISTRY.get_sample_value("vo_queries_waiting") or 0.0

    before = counted()
    door = Door(each=1)
    place = await door.enter("a")
    waiting = await door.wait("a")
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1]
    place.leave()
    (await waiting).leave()
    assert counted() == before
