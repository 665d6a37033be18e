"""A TCP proxy on 127.0.0.1 that can be slow, and can cut connections in the middle of an answer."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import suppress

_CHUNK = 65536
_HALF = 2


class Proxy:
    """Passes bytes between a port and another, on a thread of its own.

    Attributes:
        delay: seconds that each chunk of an answer is kept back.
        cut: share of the chunks of answers of which the first half is sent and the connection then reset.
        watch: is given every chunk, and whether it belongs to an answer.
        source: returns the address from which the next connection is opened; ``None`` for any.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self.delay = 0.0
        self.cut = 0.0
        self.watch: Callable[[bytes, bool], object] = lambda _chunk, _answers: None
        self.source: Callable[[], tuple[str, int] | None] = lambda: None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{port}", daemon=True)

    @property
    def origin(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen."""
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def heal(self) -> None:
        """Pass everything on at once and whole."""
        self.delay = self.cut = 0.0

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            other_reader, other_writer = await asyncio.open_connection(
                "127.0.0.1", self._target, local_addr=self.source()
            )
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(
            self._pass_on(reader, other_writer, answers=False), self._pass_on(other_reader, writer, answers=True)
        )

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                self.watch(chunk, answers)
                if answers and self.delay:
                    await asyncio.sleep(self.delay)
                if answers and random.random() < self.cut:
                    writer.write(chunk[: len(chunk) // _HALF])
                    await writer.drain()
                    break
                writer.write(chunk)
                await writer.drain()
        # Both directions end together: a half-open connection would only hide the fault.
        writer.close()
