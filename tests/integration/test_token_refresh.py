"""A lost answer signs nobody out: the token is sent again and gets the same answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx
import pytest

from studysync.db.transport import http_client
from studysync.errors import ApiError
from studysync.settings import get_settings
from testing.client import Api, Student
from users.auth import SupabaseAuth
from users.models import Tokens


class BreakingProxy:
    """Forwards requests to the project, and closes the connection of the first instead of returning the answer."""

    def __init__(self, target: str) -> None:
        self._target = httpx.URL(target)
        self.requests = 0
        self.port = 0

    async def serve(self) -> asyncio.Server:
        """Listen on a free port."""
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith("content-length"))
            body = await reader.readexactly(length)
            self.requests += 1
            onward, back = await asyncio.open_connection(self._target.host, self._target.port)
            back.write(head.replace(b"Connection: keep-alive", b"Connection: close") + body)
            answer = await onward.readuntil(b"\r\n\r\n")  # it is done
            if self.requests > 1:
                answered = next(
                    int(line[15:])
                    for line in answer.decode().lower().split("\r\n")
                    if line.startswith("content-length")
                )
                writer.write(answer + await onward.readexactly(answered))
            back.close()
        writer.close()


@pytest.fixture
def proxy() -> BreakingProxy:
    """A proxy in front of the project."""
    return BreakingProxy(get_settings().supabase_url)


async def through(proxy: BreakingProxy, call: str, *arguments: str) -> Tokens:
    async with await proxy.serve():
        settings = get_settings().model_copy(update={"supabase_auth_url": f"http://127.0.0.1:{proxy.port}/auth/v1"})
        tokens: Tokens = await getattr(SupabaseAuth(settings, http_client()), call)(*arguments)
        return tokens


def test_a_refresh_whose_answer_was_lost_gets_it(api: Api, student: Student, proxy: BreakingProxy) -> None:
    """The session continues with the tokens of the lost answer."""
    tokens = api.run(through(proxy, "refresh", student.registered["refresh_token"]))
    assert proxy.requests == 2
    again = api.post("/api/auth/refresh", {"refresh_token": student.registered["refresh_token"]})
    assert again.json()["data"]["refresh_token"] == tokens.refresh_token
    assert api.post("/api/auth/refresh", {"refresh_token": tokens.refresh_token}).status_code == 200


def test_the_token_of_a_mail_is_sent_once(api: Api, student: Student, proxy: BreakingProxy) -> None:
    """A mailed token is used up by its first request, so it is not sent a second time."""
    with pytest.raises(ApiError, match="SERVICE_UNAVAILABLE"):
        api.run(through(proxy, "verify", "recovery", "0" * 56))
    assert proxy.requests == 1
