"""The gateway: each client connection gets one to the part behind it, and responses are streamed unchanged."""

import asyncio
from contextlib import suppress

from local.supabase.api_keys import ApiKeys, RefusedError
from local.supabase.heads import LIMIT, BadRequestError, Head, answer, copy_body, read_head
from local.supabase.settings import Settings
from local.web_pages import is_own_host

HEALTH = "/-/health"
_REST, _AUTH, _MAILBOX = "/rest/v1", "/auth/v1", "/mailbox"
# Opened by links in emails, and by anyone who verifies tokens.
_OPEN = ("/auth/v1/verify", "/auth/v1/callback", "/auth/v1/authorize", "/auth/v1/.well-known/")
_PREFLIGHT = {
    "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
    "access-control-max-age": "3600",
    "vary": "access-control-request-headers",
}


class _DoneError(Exception):
    """The response was sent here; nothing is passed on."""

    def __init__(self, sent: bytes) -> None:
        super().__init__()
        self.sent = sent


class Gateway:
    """Serves connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._keys = settings, ApiKeys(settings.keys_file)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until either side closes."""
        behind = _Behind(writer)
        try:
            while (head := await read_head(reader)) is not None:
                port = self._route(head, writer.get_extra_info("peername")[0])
                upstream = await behind.connected(port)
                upstream.write(head.encode())
                await copy_body(head, reader, upstream)
                await upstream.drain()
        except _DoneError as done:
            writer.write(done.sent)
        except BadRequestError as error:
            writer.write(answer(400, {"message": str(error)}))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            behind.close()
            with suppress(ConnectionError):
                writer.close()

    def _route(self, head: Head, client: str) -> int:
        """Return the port for a request, and prepare its head."""
        if not is_own_host(head.get("host")):
            raise _DoneError(answer(403, {"message": "Use localhost or an IP address"}))
        if head.path == HEALTH:
            raise _DoneError(answer(200, {"status": "ok"}))
        if head.method == "OPTIONS" and head.get("origin") is not None:
            asked = head.get("access-control-request-headers") or ""
            raise _DoneError(answer(204, headers={**_PREFLIGHT, "access-control-allow-headers": asked}))
        head.set("x-forwarded-for", client)
        if head.path == _MAILBOX or head.path.startswith(f"{_MAILBOX}/"):
            return self._settings.auth_port
        if not head.path.startswith((f"{_REST}/", f"{_AUTH}/")):
            raise _DoneError(answer(404, {"message": "No such path here: there are /auth/v1, /rest/v1 and /mailbox"}))
        self._admit(head)
        if head.path.startswith(_REST):
            head.target = head.target.removeprefix(_REST)
            return self._settings.rest_port
        return self._settings.auth_port

    def _admit(self, head: Head) -> None:
        if head.path.startswith(_OPEN):
            return
        try:
            self._keys.admit(head)
        except RefusedError as error:
            raise _DoneError(answer(401, {"message": str(error)})) from error


class _Behind:
    """The connection behind a client's, to one part at a time: a client's next request follows its last response."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self._client, self._port = client, 0
        self._upstream: asyncio.StreamWriter | None = None
        self._passing: asyncio.Task[None] | None = None

    async def connected(self, port: int) -> asyncio.StreamWriter:
        """The connection to a part."""
        if self._upstream is None or port != self._port:
            self.close()
            try:
                reader, self._upstream = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
            except OSError as error:
                raise _DoneError(answer(502, {"message": "The part behind this path does not answer"})) from error
            self._port = port
            self._passing = asyncio.get_running_loop().create_task(self._pass(reader))
        return self._upstream

    async def _pass(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                self._client.write(data)
                await self._client.drain()
        with suppress(ConnectionError):
            self._client.close()  # the client notices what happened behind, and retries on another connection

    def close(self) -> None:
        """Close the connection."""
        if self._passing is not None:
            self._passing.cancel()
        if self._upstream is not None:
            self._upstream.close()
        self._upstream = self._passing = None
