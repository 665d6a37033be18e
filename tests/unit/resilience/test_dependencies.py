"""Deadline, caller and degraded answers, set by dependencies of a real FastAPI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from fastapi import Depends, FastAPI

from resilience import caller_scope, current_caller, deadline, remaining


async def in_the_loop() -> AsyncIterator[None]:
    with deadline(2.0), caller_scope("user:17"):
        yield


def in_a_thread() -> Iterator[None]:
    with deadline(2.0), caller_scope("user:17"):
        yield


def seen() -> dict[str, object]:
    return {"left": remaining(), "caller": current_caller()}


async def seen_async() -> dict[str, object]:
    return seen()


def ask(dependency: Callable[..., object], path: str) -> dict[str, object]:
    """The answer of an application whose requests all have this dependency."""
    app = FastAPI(dependencies=[Depends(dependency)])
    app.get("/plain")(seen)
    app.get("/async")(seen_async)

    async def request() -> dict[str, object]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer: dict[str, object] = (await client.get(path)).json()
        return answer

    return asyncio.run(request())


@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_an_async_dependency_reaches_the_route(path: str) -> None:
    """Sync and async routes have the deadline and the caller, which are reset afterwards."""
    answer = ask(in_the_loop, path)
    assert isinstance(answer["left"], float)
    assert 0 < answer["left"] <= 2.0
    assert answer["caller"] == "user:17"
    assert (remaining(), current_caller()) == (None, None)


@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_a_plain_dependency_is_told_that_nobody_sees_it(path: str) -> None:
    """A sync dependency cannot reach the route, so it raises instead of silently having no effect."""
    with pytest.warns(
        RuntimeWarning, match=r"(deadline|caller_scope)\(\) was left in another context.* must be `async def`"
    ):
        assert ask(in_a_thread, path) == {"left": None, "caller": None}
