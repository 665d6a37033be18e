"""The process that runs the tests, as the code under test sees it: its environment, and what it read or opened."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from resilience import configure
from studysync import aws_clients
from studysync.aws.snapstart import forget
from studysync.db.transport import http_client, http_transport


class Process:
    """One process that is many environments, one after another; one event loop underneath, as Lambda has it."""

    def __init__(self) -> None:
        self._shell = environment()
        # A runner, because a loop that is merely closed drops connections that are just being closed, and whatever test
        # came last is then blamed for them.
        self._runner = asyncio.Runner()
        self.loop = self._runner.get_loop()

    def wake(self, variables: Mapping[str, str] | None = None) -> None:
        """Go on as a copy that wakes up with the shell's environment and `variables`: nothing is open, read or kept."""
        set_environment({**self._shell, **(variables or {})})
        asyncio.set_event_loop(self.loop)
        forget()
        self.loop.run_until_complete(http_transport().aclose())
        http_client.cache_clear()
        http_transport.cache_clear()
        aws_clients._clients.clear()
        configure()
        asyncio.set_event_loop(None)

    def close(self) -> None:
        """Leave nothing open, and the environment as it was found."""
        self.wake()
        self._runner.close()


def environment() -> dict[str, str]:
    """Return the variables, without those that pytest sets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def set_environment(variables: Mapping[str, str]) -> None:
    """Set exactly these variables."""
    for name in environment().keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)
