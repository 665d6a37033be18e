"""A cached function over a source that counts its calls."""

from __future__ import annotations

import asyncio
from typing import Any

from resilience import CacheManager, cached
from resilience.testing import ManualClock


class Source:
    """Something slow that counts its calls, and fails when told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.down = self.gone = False
        self.value: Any = None

    def plain(self, user: str = "u") -> Any:
        self.calls += 1
        if self.down:
            raise ConnectionError
        if self.gone:
            return None
        return self.value or {"user": user, "n": self.calls}

    async def asynchronous(self, user: str = "u") -> Any:
        await asyncio.sleep(0)
        return self.plain(user)


class Kit:
    """A cached function over a source, sync or async, called the same way."""

    def __init__(self, kind: str, clock: ManualClock, store: Any = None, **settings: Any) -> None:
        self.source, self.clock = Source(), clock
        self.manager = CacheManager(clock=clock, store=store)
        source = self.source.plain if kind == "plain" else self.source.asynchronous
        settings = {"ttl": 60, "key": lambda user="u": user, "manager": self.manager} | settings
        self.function: Any = cached(**settings)(source)
        self.kind = kind

    def __call__(self, *args: Any) -> Any:
        if self.kind == "plain":
            return self.function(*args)

        async def scenario() -> Any:
            value = await self.function(*args)
            for _ in range(5):
                await asyncio.sleep(0)
            return value

        return asyncio.run(scenario())
