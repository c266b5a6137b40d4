"""What a client has not taken yet: in order, bounded in memory and on disk, nothing left behind."""

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from vo_server.http import backlog as module
from vo_server.http.backlog import MEMORY_BYTES, PIECE_BYTES, Backlog
from vo_server.http.reply import MEGABYTE
from vo_server.scratch import SpoolRoom

KILOBYTE = 1024


def piece(number: int, size: int = 64 * KILOBYTE) -> bytes:
    return bytes([number % 251]) * size


async def drained(backlog: Backlog) -> bytes:
    backlog.end()
    taken = []
    while (one := await backlog.take()) is not None:
        taken.append(one)
    return b"".join(taken)


def spooled(room: SpoolRoom, pieces: list[bytes]) -> bytes:
    """What comes out when nothing is taken before all is put."""

    async def run() -> bytes:
        backlog = Backlog(room)
        for one in pieces:
            await asyncio.wait_for(backlog.put(one), 10)
        try:
            return await drained(backlog)
        finally:
            await backlog.close()

    return asyncio.run(run())


@pytest.mark.parametrize("count", [0, 1, 16, 17, 100])
def test_everything_comes_out_in_order(tmp_path: Path, count: int) -> None:
    room = SpoolRoom(tmp_path, 64 * MEGABYTE, 64 * MEGABYTE)
    pieces = [piece(number) for number in range(count)]
    assert spooled(room, pieces) == b"".join(pieces)
    assert room.used == 0
    assert list(tmp_path.iterdir()) == [], "the file never had a name"


def test_a_client_that_keeps_up_gets_the_very_same_pieces_and_no_file() -> None:
    async def run() -> None:
        backlog = Backlog(SpoolRoom(Path("/nowhere"), MEGABYTE, MEGABYTE))
        for number in range(10):
            large = piece(number, 3 * MEMORY_BYTES)
            await backlog.put(large)
            assert await backlog.take() is large

    asyncio.run(run())


def test_a_file_that_was_read_begins_anew_and_gives_its_room_back(tmp_path: Path) -> None:
    room = SpoolRoom(tmp_path, 4 * MEGABYTE, 4 * MEGABYTE)

    async def run() -> None:
        backlog = Backlog(room)
        expected, taken = b"", b""
        for turn in range(5):
            for number in range(3):
                one = piece(turn * 3 + number, MEGABYTE)
                expected += one
                await asyncio.wait_for(backlog.put(one), 10)
            while len(taken) < len(expected):
                taken += await backlog.take() or b""
        assert taken == expected
        await backlog.close()

    asyncio.run(run())
    assert room.used == 0


@pytest.mark.parametrize(("each", "together"), [(MEGABYTE, 9 * MEGABYTE), (9 * MEGABYTE, MEGABYTE), (0, 0)])
def test_without_room_it_waits_for_the_client_and_loses_nothing(tmp_path: Path, each: int, together: int) -> None:
    room = SpoolRoom(tmp_path, each, together)
    pieces = [piece(number, MEMORY_BYTES // 2) for number in range(12)]

    async def run() -> bytes:
        backlog = Backlog(room)
        put = 0

        async def fill() -> None:
            nonlocal put
            for one in pieces:
                await backlog.put(one)
                put += 1
            backlog.end()

        filling = asyncio.create_task(fill())
        await asyncio.sleep(0.2)
        assert put <= 2 + min(each, together) // len(pieces[0])
        taken = []
        while (one := await backlog.take()) is not None:
            taken.append(one)
        await filling
        await backlog.close()
        return b"".join(taken)

    assert asyncio.run(run()) == b"".join(pieces)
    assert room.used == 0


def test_a_full_disk_is_a_file_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "pwrite", full)
    room = SpoolRoom(tmp_path, 64 * MEGABYTE, 64 * MEGABYTE)

    async def run() -> None:
        backlog = Backlog(room)
        await backlog.put(piece(1, MEMORY_BYTES))
        waiting = asyncio.create_task(backlog.put(piece(2, MEMORY_BYTES)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        assert await backlog.take() == piece(1, MEMORY_BYTES)
        await asyncio.wait_for(waiting, 10)
        assert await drained(backlog) == piece(2, MEMORY_BYTES)
        await backlog.close()

    asyncio.run(run())
    assert "No space left" in caplog.text
    assert room.used == 0


def test_what_is_taken_while_the_disk_refuses_wakes_who_puts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = SpoolRoom(tmp_path, 64 * MEGABYTE, 64 * MEGABYTE)
    emptied = threading.Event()

    def full(*_: Any) -> int:
        emptied.wait(10)
        raise OSError(errno.ENOSPC, "No space left on device")

    async def run() -> None:
        backlog = Backlog(room)
        await backlog.put(piece(1, MEMORY_BYTES))
        monkeypatch.setattr(module.os, "pwrite", full)
        waiting = asyncio.create_task(backlog.put(piece(2, MEMORY_BYTES)))
        await asyncio.sleep(0.05)
        assert await backlog.take() == piece(1, MEMORY_BYTES)
        emptied.set()
        await asyncio.wait_for(waiting, 10)
        assert await drained(backlog) == piece(2, MEMORY_BYTES)
        await backlog.close()

    asyncio.run(run())
    assert room.used == 0


def test_when_the_client_has_gone_nobody_waits(tmp_path: Path) -> None:
    room = SpoolRoom(tmp_path, MEGABYTE, MEGABYTE)

    async def run() -> None:
        backlog = Backlog(room)
        await backlog.put(piece(1, MEMORY_BYTES))
        await backlog.put(piece(2, MEGABYTE))
        waiting = asyncio.create_task(backlog.put(piece(3, MEGABYTE)))
        await asyncio.sleep(0.05)
        backlog.drop()
        await asyncio.wait_for(waiting, 10)
        assert await backlog.take() is None
        assert room.used == MEGABYTE
        await backlog.close()

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(run())
    assert room.used == 0
    assert len(os.listdir("/proc/self/fd")) <= before


def test_what_is_read_from_the_file_comes_in_small_pieces(tmp_path: Path) -> None:
    async def run() -> None:
        backlog = Backlog(SpoolRoom(tmp_path, 8 * MEGABYTE, 8 * MEGABYTE))
        await backlog.put(piece(1, MEMORY_BYTES))
        await backlog.put(piece(2, MEMORY_BYTES))
        await backlog.take()
        assert len(await backlog.take() or b"") == PIECE_BYTES
        await backlog.close()

    asyncio.run(run())
