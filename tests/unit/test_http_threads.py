"""Blocking calls in threads: each has an end, and threads are bounded whatever happens."""

import asyncio
import threading
import time

import pytest
from anyio import CapacityLimiter

from vo_server.errors import UnavailableError, UsageError
from vo_server.http.threads import in_thread


async def until_free(tokens: CapacityLimiter) -> None:
    while tokens.borrowed_tokens:
        await asyncio.sleep(0.01)


def test_results_and_errors_come_back() -> None:
    def fail() -> None:
        raise UsageError("wrong")

    async def check() -> None:
        tokens = CapacityLimiter(1)
        assert await in_thread(max, 3, 4, limiter=tokens) == 4
        with pytest.raises(UsageError):
            await in_thread(fail, limiter=tokens)
        await until_free(tokens)

    asyncio.run(check())


def test_who_waits_is_told_when_the_time_is_over_and_the_thread_keeps_its_token() -> None:
    frozen = threading.Event()

    async def check() -> None:
        tokens = CapacityLimiter(1)
        for _ in range(2):  # the second one waits for a token
            begin = time.monotonic()
            with pytest.raises(UnavailableError):
                await in_thread(frozen.wait, 20, limiter=tokens, seconds=0.1)
            assert time.monotonic() - begin < 10
            assert tokens.borrowed_tokens == 1
        frozen.set()
        await until_free(tokens)
        assert await in_thread(int, "1", limiter=tokens) == 1

    asyncio.run(check())


def test_who_is_cancelled_leaves_no_token_behind() -> None:
    frozen = threading.Event()

    async def check() -> None:
        tokens = CapacityLimiter(2)
        tasks = [asyncio.create_task(in_thread(frozen.wait, 20, limiter=tokens)) for _ in range(4)]
        for round_ in range(3):  # before they begin, while they wait, while they run
            tasks[round_].cancel()
            await asyncio.sleep(0.05 * round_)
        frozen.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until_free(tokens)

    asyncio.run(check())
