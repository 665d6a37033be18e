"""Listening sockets for the gateway, taken before anything else is started, and uvicorn over them."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from local.errors import StackError

_BACKLOG = 2048


def take_port(port: int) -> list[socket.socket]:
    """Sockets on every address that `localhost` may stand for; StackError when the port is taken."""
    taken = [_bind(socket.AF_INET, "127.0.0.1", port)]
    if port == 0:
        port = taken[0].getsockname()[1]
    if socket.has_ipv6:
        try:
            taken.append(_bind(socket.AF_INET6, "::1", port))
        except StackError:
            taken[0].close()
            raise
        except OSError:
            pass  # a machine without IPv6 on its loopback
    return taken


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Listening from now on: whoever calls while the stack comes up waits, and is answered then."""
    # With the protocol spelled out: asyncio sets TCP_NODELAY only then, and without it every answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StackError(f"Port {port} is in use. Stop what listens there, or choose another: PORT=8001") from error
        raise
    return listener


class Server(uvicorn.Server):
    """uvicorn as one task among others, which leaves the signals to the stack."""

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
                proxy_headers=False,  # by itself uvicorn believes X-Forwarded-For of whoever calls from this machine
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
        """Start, and say so."""
        await super().startup(sockets)
        self._up.set()

    async def begin(self, sockets: list[socket.socket]) -> None:
        """Start serving, and return once it does."""
        self._task = asyncio.get_running_loop().create_task(self.serve(sockets))
        await self._up.wait()

    async def finish(self) -> None:
        """Stop serving, after the requests in hand or two seconds."""
        self.should_exit = True
        if self._task is not None:
            with suppress(asyncio.CancelledError):
                await self._task
