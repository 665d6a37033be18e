"""Child process of the real request benchmarks: it handles the same events over and over.

Its argument is a handler's module, or `floor`: then the events are PostgREST calls, sent over one bare socket.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

WARM_UP, BATCHES, BATCH = 40, 10, 10


class _Context:
    function_name = "benchmark"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:benchmark"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 15_000


def _handled(module: str) -> Callable[[Any], int]:
    handler = importlib.import_module(module).handler

    def answer(event: Any) -> int:
        status: int = handler(event, _Context())["statusCode"]
        return status

    return answer


def _floor() -> Callable[[Any], int]:
    loop = asyncio.new_event_loop()
    opened: dict[tuple[str, int], tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def call(event: Any) -> int:
        where = event["host"], event["port"]
        if where not in opened:
            opened[where] = await asyncio.open_connection(*where)
        reader, writer = opened[where]
        writer.write(event["request"].encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length:" in head:
            body = await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        else:  # chunked encoding
            body = b""
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        json.loads(body)
        return int(head.split(b" ")[1])

    return lambda event: loop.run_until_complete(call(event))


def main() -> None:
    """Write a line of JSON to stderr: by event name, (CPU ms, wall ms) per request for each measured batch."""
    answer = _floor() if sys.argv[1] == "floor" else _handled(sys.argv[1])
    found: dict[str, list[tuple[float, float]]] = {}
    for name, event in json.load(sys.stdin).items():
        for number in range(-WARM_UP // BATCH, BATCHES):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(BATCH):
                status = answer(event)
                assert status < 300, (name, status)
            if number >= 0:
                spent = (time.process_time() - cpu, time.perf_counter() - wall)
                found.setdefault(name, []).append((spent[0] / BATCH * 1000, spent[1] / BATCH * 1000))
    sys.stderr.write("\n" + json.dumps(found) + "\n")


main()
