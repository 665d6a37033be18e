"""Serves the API of this process over HTTP, for browsers and other clients."""

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
    """Serve on a free port, in a thread, on the event loop that the API's connections belong to.

    `api` must not be used inside the block, because its loop is running in that thread.

    Args:
        api: The API whose loop is used.
        app: The app to serve; None serves the whole API.

    Yields:
        The URL, without a slash at its end.
    """
    server = uvicorn.Server(uvicorn.Config(app or AllFunctions(), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: api.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
