"""The API under load: ten clients on the whole local stack, gateway and Lambda runtime included."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.harness import Figure, Row, Stage, percentile
from local.home import REPOSITORY, free_port

CLIENTS, WARM_SECONDS, SECONDS, PATIENCE = 10, 4.0, 15.0, 60.0
_CACHED = "GET /gamification/badges"


def run(stage: Stage) -> list[Row]:
    """Students who study, look at leaderboards and go on, as fast as they get answers."""
    samples: dict[str, list[float]] = {}
    errors: list[str] = []
    with _serve() as url, stage.bar("API under load", 1):
        asyncio.run(_load(url, samples, errors))
    everything = [spent for found in samples.values() for spent in found]
    figures = [Figure.of(path, found) for path, found in samples.items()]
    uncached = [spent for path, found in samples.items() if path != _CACHED for spent in found]
    note = (
        f"{len(everything):,} requests in {SECONDS:.0f} s, {len(everything) / SECONDS:.0f} a second; the clients, "
        "gateway, functions, PostgREST and PostgreSQL share two cores."
    )
    cached = Figure.of(_CACHED, samples[_CACHED])
    whole = [Figure.of("uncached, all", uncached), *figures]
    return [
        Row(f"API at {CLIENTS} clients, cached", "under 50 ms", cached.median, 50.0, "ms", [cached], note=note),
        Row(f"API at {CLIENTS} clients, uncached", "under 500 ms", whole[0].median, 500.0, "ms", whole),
        Row(
            f"API at {CLIENTS} clients, slowest",
            "p99 under 2 s",
            percentile(everything, 99),
            2000.0,
            "ms",
            [Figure.of("all requests", everything)],
            value_label="p99",
        ),
        Row(
            f"API at {CLIENTS} clients, errors",
            "none",
            len(errors),
            0.0,
            "",
            [Figure.exact("errors", len(errors))],
            note="" if not errors else f"Such as {errors[0]}.",
        ),
    ]


@contextmanager
def _serve() -> Iterator[str]:
    """The local stack on a home and a port of its own."""
    with TemporaryDirectory(prefix="studysync-bench-") as folder:
        environment = {**os.environ, "STUDYSYNC_HOME": folder, "PORT": str(free_port())}
        log = Path(folder) / "serve.log"
        with log.open("w", encoding="utf-8") as output:
            stack = subprocess.Popen(
                [sys.executable, "-m", "local", "serve"], env=environment, cwd=REPOSITORY, stdout=output, stderr=output
            )
        try:
            yield _wait_for(Path(folder) / "run" / "stack.json", stack, log)
        finally:
            stack.terminate()
            stack.wait(PATIENCE)


def _wait_for(record: Path, stack: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while not record.exists():
        if stack.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the stack did not start: {log.read_text(encoding='utf-8')}")
        time.sleep(0.05)
    url: str = json.loads(record.read_text(encoding="utf-8"))["url"]
    return url


async def _load(url: str, samples: dict[str, list[float]], errors: list[str]) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        students = [await _register(client, number) for number in range(CLIENTS)]
        measured = time.monotonic() + WARM_SECONDS
        workers = [_Student(client, token, measured, samples, errors) for token in students]
        await asyncio.gather(*(worker.study(measured + SECONDS) for worker in workers))


async def _register(client: httpx.AsyncClient, number: int) -> str:
    account = {"username": f"load_{number}", "email": f"load{number}@example.test", "password": "correct horse 1"}
    answer = await client.post("/api/auth/register", json=account)
    answer.raise_for_status()
    token: str = answer.json()["data"]["token"]
    return token


class _Student:
    """One client: asks, waits for the answer, asks again."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        token: str,
        measured_from: float,
        samples: dict[str, list[float]],
        errors: list[str],
    ) -> None:
        self._client, self._headers = client, {"Authorization": f"Bearer {token}"}
        self._measured_from, self._samples, self._errors = measured_from, samples, errors

    async def study(self, until: float) -> None:
        """Go on until `until`, of the monotonic clock."""
        while time.monotonic() < until:
            started = await self._ask("POST", "/sessions/start", json={"duration_minutes": 25})
            session = (started or {}).get("session_id")
            await self._ask("GET", "/gamification/badges")
            if session:
                heartbeat, complete = f"/sessions/{session}/heartbeat", f"/sessions/{session}/complete"
                await self._ask("POST", heartbeat, name="/sessions/{id}/heartbeat")
                await self._ask("POST", complete, name="/sessions/{id}/complete")
            await self._ask("GET", "/gamification/badges")
            await self._ask("GET", "/gamification/leaderboard/weekly")
            await self._ask("GET", "/gamification/xp/me")

    async def _ask(self, method: str, path: str, name: str = "", json: Any = None) -> dict[str, Any] | None:
        began = time.monotonic()
        body = None if method == "GET" else json or {}
        answer = await self._client.request(method, f"/api{path}", headers=self._headers, json=body)
        if began >= self._measured_from:
            self._samples.setdefault(f"{method} {name or path}", []).append((time.monotonic() - began) * 1e3)
        if answer.is_error:
            self._errors.append(f"{method} {name or path}: {answer.status_code}")
            return None
        data = answer.json()["data"]
        return data if isinstance(data, dict) else None
