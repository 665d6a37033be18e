"""Heads of HTTP/1.1 requests, parsed and written by hand: the overhead of every call must be minimal."""

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus

_MAX_HEAD = 64 * 1024
# The allowed values of headers that determine a body's end. Anything else is rejected, so that nobody downstream reads
# it differently.
_LENGTHS = ("content-length", "transfer-encoding")


class BadRequestError(Exception):
    """A request that cannot be passed on."""


@dataclass
class Head:
    """The head of a request; names of headers in lower case."""

    method: str
    target: str
    headers: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        """Return the first header with a name."""
        return next((value for each, value in self.headers if each == name), None)

    def set(self, name: str, value: str | None) -> None:
        """Replace all headers of a name by one; None: remove them."""
        self.headers = [pair for pair in self.headers if pair[0] != name]
        if value is not None:
            self.headers.append((name, value))

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def encode(self) -> bytes:
        """Return the head as sent."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Return the next head on a connection; None if the client has disconnected.

    Raises:
        BadRequestError: it is not a valid head.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequestError("The head of the request is too large") from error
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[1].startswith("/") or parts[2] != "HTTP/1.1":  # noqa: PLR2004
        raise BadRequestError("Not a request of HTTP/1.1 for a path")
    headers = [_header(line) for line in lines]
    if len([name for name, _ in headers if name in _LENGTHS]) > 1:
        raise BadRequestError("The length of the body is given twice")
    return Head(parts[0], parts[1], headers)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise BadRequestError("A header without a name")
    return name.lower(), value.strip()


async def copy_body(head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on the body that belongs to a head.

    Raises:
        BadRequestError: its length is unclear.
    """
    if head.get("transfer-encoding") is not None:
        await _copy_chunks(reader, writer)
        return
    left = _number(head.get("content-length") or "0", 10)
    while left:
        data = await reader.read(min(left, 1 << 16))
        if not data:
            raise ConnectionError("the client went away")
        left -= len(data)
        writer.write(data)
        await writer.drain()


async def _copy_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = _number(line.decode("latin-1").partition(";")[0].strip(), 16)
        # The last chunk is empty, and trailers are not supported: none of our clients sends any.
        writer.write(line + await reader.readexactly(size + 2))
        await writer.drain()


def _number(text: str, base: int) -> int:
    try:
        found = int(text, base)
    except ValueError:
        found = -1
    if found < 0:
        raise BadRequestError("The length of the body is not a number")
    return found


def answer(status: int, body: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> bytes:
    """Return a response of the gateway itself, readable for pages; the last one on its connection."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-length: {len(content)}",
        "connection: close",
        "access-control-allow-origin: *",
        *(["content-type: application/json"] if content else []),
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


LIMIT = _MAX_HEAD
"""The maximum size of a head."""
