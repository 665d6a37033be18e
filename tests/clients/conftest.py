"""The built TypeScript client, and the API over HTTP with a way to break its dependencies."""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from local.backends import Backends
from testing.client import AllFunctions, Api
from testing.served import served

PACKAGE = Path(__file__).parents[2] / "clients" / "typescript"


@dataclass
class Site:
    """Serves the API, the package below `/client`, and an outage on `POST /control/kill-database`."""

    backends: Backends
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """Method and path of each request to the API, in order."""
    _orders: queue.Queue[tuple[Callable[[], None], threading.Event]] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        self._api, self._files = AllFunctions(), StaticFiles(directory=PACKAGE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith("/client/"):
            await self._files({**scope, "root_path": scope.get("root_path", "") + "/client"}, receive, send)
        elif path == "/control/kill-database":
            await self._in_main_thread(self.kill_database)
            await Response(status_code=204)(scope, receive, send)
        else:
            self.asked.append(f"{scope['method']} {path}")
            await self._api(scope, receive, send)

    def kill_database(self) -> None:
        """Kill PostgreSQL as a crash would, and restart it."""
        self.backends.postgres.kill()
        self.backends.postgres.restart()

    async def _in_main_thread(self, order: Callable[[], None]) -> None:
        # A backing process ends with the thread that started it.
        done = threading.Event()
        self._orders.put((order, done))
        await asyncio.to_thread(done.wait)

    def run(self, *command: str | Path, **environment: str) -> str:
        """Run a program in the package's folder and return its output, handling its orders; fails when it fails."""
        process = subprocess.Popen(
            command,
            cwd=PACKAGE,
            env={**os.environ, "STUDYSYNC_URL": self.url, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        reader = threading.Thread(target=lambda: said.append(process.communicate()[0]))
        said: list[str] = []
        reader.start()
        while reader.is_alive():
            try:
                order, done = self._orders.get(timeout=0.05)
            except queue.Empty:
                continue
            order()
            done.set()
        assert process.returncode == 0, said[0]
        return said[0]


@pytest.fixture(scope="session")
def node() -> str:
    """The Node program."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        pytest.skip("no node and npm on this machine: apt-get install nodejs npm")
    return found


@pytest.fixture(scope="session")
def package(node: str) -> Path:
    """The folder of the compiled package."""
    installed, lock = PACKAGE / "node_modules" / ".package-lock.json", PACKAGE / "package-lock.json"
    with lock.open("rb") as one_at_a_time:  # of the processes that share the tests
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=PACKAGE, check=True)
        subprocess.run([node, PACKAGE / "node_modules" / "typescript" / "bin" / "tsc"], cwd=PACKAGE, check=True)
    return PACKAGE


@pytest.fixture(scope="module")
def site(api: Api, backends: Backends, package: Path) -> Iterator[Site]:
    """The API over HTTP; these tests must not use `api` at the same time."""
    site = Site(backends)
    with served(api, site) as site.url:
        yield site
