"""Resets the process that runs the tests: environment variables, and what the code under test has cached or opened."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from resilience import configure
from studysync import aws_clients
from studysync.aws.snapstart import forget
from studysync.db.transport import http_client, http_transport


class Process:
    """One process that acts as one Lambda environment after another, with a single event loop, as on Lambda."""

    def __init__(self) -> None:
        self._shell = environment()
        # A runner, because `loop.close()` alone drops connections that are still closing, and the warnings about them
        # would be blamed on the last test.
        self._runner = asyncio.Runner()
        self.loop = self._runner.get_loop()

    def wake(self, variables: Mapping[str, str] | None = None) -> None:
        """Continue as a new environment: nothing open or cached, with the shell's environment variables and these."""
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
        """Close everything and restore the environment variables."""
        self.wake()
        self._runner.close()


def environment() -> dict[str, str]:
    """Return the environment variables, without those that pytest sets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def set_environment(variables: Mapping[str, str]) -> None:
    """Set exactly these environment variables; those of pytest stay."""
    for name in environment().keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)
