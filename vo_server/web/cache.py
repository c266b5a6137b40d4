"""What is costly to make and seldom changes: made once, kept while it is asked for, made by one while the others wait."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from anyio import CapacityLimiter

from vo_server.http.threads import in_thread

T = TypeVar("T")

MOST_BYTES = 32 << 20
AT_ONCE = 2
"""Things that are made at the same time: pages take no more than this many of the connections that queries have."""


class Cache:
    """Values by key, the longest unused thrown away when all together are larger than MOST_BYTES. A key names all that its value is
    made of, so that nothing has to be thrown away because it is old.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._size = 0
        self._making: dict[Hashable, asyncio.Task[Any]] = {}
        self._makers = CapacityLimiter(AT_ONCE)

    async def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The value of `key`; `make` runs in a thread, and what it raises reaches all who wait for it."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key][0]  # type: ignore[no-any-return]
        if key not in self._making:
            self._making[key] = asyncio.create_task(self._make(key, make, size))
        return await asyncio.shield(self._making[key])

    async def _make(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        try:
            value = await in_thread(make, limiter=self._makers)
        finally:
            del self._making[key]
        self._values[key] = value, size(value)
        self._size += size(value)
        while self._size > self.most_bytes and len(self._values) > 1:
            self._size -= self._values.popitem(last=False)[1][1]
        return value
