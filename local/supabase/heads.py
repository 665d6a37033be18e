"""The heads of HTTP/1.1 requests, read and written by hand: what stands before every call must cost next to none."""

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus

_MAX_HEAD = 64 * 1024
# What a header may say of where a body ends. Anything else is refused, and nobody downstream reads it otherwise.
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
        """The first header with a name."""
        return next((value for each, value in self.headers if each == name), None)

    def set(self, name: str, value: str | None) -> None:
        """Put one header in place of all with its name; None: leave them out."""
        self.headers = [pair for pair in self.headers if pair[0] != name]
        if value is not None:
            self.headers.append((name, value))

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def encode(self) -> bytes:
        """The head as it is sent."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head on a connection; None where the client has gone.

    Raises:
        BadRequestError: it is none.
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
        raise BadRequestError("Where the body ends is said twice")
    return Head(parts[0], parts[1], headers)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise BadRequestError("A header without a name")
    return name.lower(), value.strip()


async def copy_body(head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on the body that belongs to a head.

    Raises:
        BadRequestError: it does not say where it ends.
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
        # The last one has no content, and trailers are not for us: none of our clients sends any.
        writer.write(line + await reader.readexactly(size + 2))
        await writer.drain()


def _number(text: str, base: int) -> int:
    try:
        found = int(text, base)
    except ValueError:
        found = -1
    if found < 0:
        raise BadRequestError("The length of the body is no number")
    return found


def answer(status: int, body: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> bytes:
    """An answer of the gateway's own, which pages may read; the last on its connection."""
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
"""What a reader of heads may hold."""
