"""Just enough HTTP/1.1 for the single client of the Runtime API.

A general server would cost more than everything else here. A response is sent in one write: otherwise the second write
waits 40 ms for the client's delayed acknowledgement.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

_END = b"\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True)
class RuntimeRequest:
    """A request to the Runtime API; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class RuntimeConnection(asyncio.Protocol):
    """A connection; `serve` is called with every request, and responds now or later through `respond`."""

    def __init__(self, serve: Callable[["RuntimeConnection", RuntimeRequest], None]) -> None:
        self._serve = serve
        self._buffer = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport for responses."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Clear the transport; the process itself shows whether it is alive."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Buffer data until a request is complete."""
        self._buffer += data
        while self._read_head() and self._read_body():
            pass

    def respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Respond to the last request."""
        if self._transport is None:
            return
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
        # awslambdaric's native client crashes if a response has no content type.
        lines.append("Content-Type: application/json")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._transport.write("\r\n".join(lines).encode() + _END + body)

    def _read_head(self) -> bool:
        if self._head is not None:
            return True
        end = self._buffer.find(_END)
        if end < 0:
            return False
        request_line, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + len(_END)]
        method, path, _ = request_line.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._head = (method, path, headers)
        if headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(_CONTINUE)
        return True

    def _read_body(self) -> bool:
        assert self._head is not None
        method, path, headers = self._head
        length = int(headers.get("content-length", "0"))
        if len(self._buffer) < length:
            return False
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        self._serve(self, RuntimeRequest(method, path, headers, body))
        return True
