"""A PostgREST that gives the answers it is configured with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest

from studysync.errors import ApiError
from studysync.settings import Settings

SETTINGS = Settings(supabase_url="https://x.supabase.co", supabase_secret_key="sb_secret_key")


class Answers:
    """A server in between that counts its requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def refused(work: Awaitable[Any]) -> ApiError:
    async def wait() -> Any:
        return await work

    with pytest.raises(ApiError) as raised:
        asyncio.run(wait())
    return raised.value
