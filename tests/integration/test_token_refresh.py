"""An answer that is lost on the way signs nobody out: the token comes again, and gets what it got."""

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
    """Passes requests on to the project and hangs up on the first instead of bringing the answer back."""

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
    """A proxy before the project."""
    return BreakingProxy(get_settings().supabase_url)


async def through(proxy: BreakingProxy, call: str, *arguments: str) -> Tokens:
    async with await proxy.serve():
        settings = get_settings().model_copy(update={"supabase_auth_url": f"http://127.0.0.1:{proxy.port}/auth/v1"})
        tokens: Tokens = await getattr(SupabaseAuth(settings, http_client()), call)(*arguments)
        return tokens


def test_a_refresh_whose_answer_was_lost_gets_it(api: Api, student: Student, proxy: BreakingProxy) -> None:
    """The session goes on with the tokens of the answer that was lost."""
    tokens = api.run(through(proxy, "refresh", student.registered["refresh_token"]))
    assert proxy.requests == 2
    again = api.post("/api/auth/refresh", {"refresh_token": student.registered["refresh_token"]})
    assert again.json()["data"]["refresh_token"] == tokens.refresh_token
    assert api.post("/api/auth/refresh", {"refresh_token": tokens.refresh_token}).status_code == 200


def test_the_token_of_a_mail_is_sent_once(api: Api, student: Student, proxy: BreakingProxy) -> None:
    """It is used up by the first time, so that a second could only hide what became of it."""
    with pytest.raises(ApiError, match="SERVICE_UNAVAILABLE"):
        api.run(through(proxy, "verify", "recovery", "0" * 56))
    assert proxy.requests == 1
