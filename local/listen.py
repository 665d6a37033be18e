"""Listening sockets for the gateway, opened before anything else starts, and uvicorn on top of them."""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from local.errors import StackError

_BACKLOG = 2048
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def take_port(port: int, host: str = "localhost") -> list[socket.socket]:
    """Open sockets on every address that `localhost` may mean, and on `host`; StackError if the port is in use."""
    taken: list[socket.socket] = []
    try:
        for address in _addresses(host):
            with suppress(_NoIPv6Error):
                taken.append(_bind(address, port))
                port = taken[0].getsockname()[1]
    except StackError:
        for listener in taken:
            listener.close()
        raise
    return taken


def is_loopback(host: str) -> bool:
    """Return whether a host is reachable only from this machine."""
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def network_address(host: str) -> str:
    """Return the address at which others on the network reach `host`."""
    if not ipaddress.ip_address(host).is_unspecified:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only consults the routing table
        address: str = probe.getsockname()[0]
        return address
    return socket.gethostname()


def _addresses(host: str) -> list[_Address]:
    try:
        given = [] if host == "localhost" else [ipaddress.ip_address(host)]
    except ValueError:
        raise StackError(f"HOST must be an address of this machine, or 0.0.0.0 for all of them, not {host!r}") from None
    own = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    covered = {each.version for each in given if each.is_unspecified}
    return [*given, *(each for each in own if each not in given and each.version not in covered)]


class _NoIPv6Error(Exception):
    """This machine has no IPv6 loopback."""


def _bind(address: _Address, port: int) -> socket.socket:
    """Listen from now on: clients that connect while the stack starts are answered once it is ready."""
    # The protocol must be explicit: only then asyncio sets TCP_NODELAY, without which every response takes 40 ms.
    family = socket.AF_INET if isinstance(address, ipaddress.IPv4Address) else socket.AF_INET6
    try:
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise _NoIPv6Error from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((str(address), port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StackError(f"Port {port} is in use. Stop what listens there, or choose another: PORT=8001") from error
        if address.is_loopback and family is socket.AF_INET6:
            raise _NoIPv6Error from error
        reason = (error.strerror or str(error)).lower()
        raise StackError(f"Cannot listen on {address} port {port}: {reason}") from error
    return listener


class Server(uvicorn.Server):
    """uvicorn as a task, which leaves signal handling to the stack."""

    def __init__(self, application: Any) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http="h11",
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,  # by default uvicorn trusts X-Forwarded-For from this machine
                timeout_graceful_shutdown=2,
            )
        )
        self._task: asyncio.Task[None] | None = None
        self._up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and report it."""
        await super().startup(sockets)
        self._up.set()

    async def begin(self, sockets: list[socket.socket]) -> None:
        """Start serving; returns once it does."""
        self._task = asyncio.get_running_loop().create_task(self.serve(sockets))
        await self._up.wait()

    async def finish(self) -> None:
        """Stop serving, after current requests finish or two seconds pass."""
        self.should_exit = True
        if self._task is not None:
            with suppress(asyncio.CancelledError):
                await self._task
