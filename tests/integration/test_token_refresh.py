"""A refresh token is sent once, whatever becomes of its connection: a second time would look like theft."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx
import pytest

from studysync.db.transport import http_client
from studysync.errors import ApiError
from studysync.settings import get_settings
from testing.client import Api, Student


class BreakingProxy:
    """Passes requests on to Supabase Auth and hangs up instead of bringing the answer back."""

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
            back.write(head + body)
            await onward.readuntil(b"\r\n\r\n")  # it is done
            back.close()
        writer.close()


def test_a_lost_answer_does_not_send_the_token_again(api: Api, student: Student) -> None:
    """The client is told to try again later; nothing of ours spends the token twice."""
    from users.auth import SupabaseAuth

    settings = get_settings()
    proxy = BreakingProxy(settings.supabase_auth_url)

    async def refresh() -> None:
        async with await proxy.serve():
            auth_url = str(httpx.URL(settings.supabase_auth_url).copy_with(host="127.0.0.1", port=proxy.port))
            through = settings.model_copy(update={"supabase_auth_url": auth_url})
            await SupabaseAuth(through, http_client()).refresh(student.registered["refresh_token"])

    with pytest.raises(ApiError, match="SERVICE_UNAVAILABLE"):
        api.run(refresh())
    assert proxy.requests == 1


def test_a_refresh_keeps_no_connection(api: Api, student: Student) -> None:
    """One that dies between two refreshes cannot get in the way of the second."""
    from users.auth import supabase_auth

    tokens = api.run(supabase_auth().refresh(student.registered["refresh_token"]))
    transport = supabase_auth()._sent_once._http_client._transport
    assert transport._pool.connections == []  # type: ignore[attr-defined]
    assert api.run(supabase_auth().refresh(tokens.refresh_token)).user_id == tokens.user_id
