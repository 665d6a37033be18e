"""The API of this process over HTTP, for a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from testing.client import AllFunctions, Api


@contextmanager
def served(api: Api, app: ASGIApp | None = None) -> Iterator[str]:
    """Serve on a free port, on the loop that the API's connections belong to; yields the URL.

    Args:
        api: whose loop it is.
        app: what is served; the API without it.

    Nobody may use `api` meanwhile.
    """
    server = uvicorn.Server(uvicorn.Config(app or AllFunctions(), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: api.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
