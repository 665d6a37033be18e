"""The switches of the process that runs the tests."""

from __future__ import annotations

from typing import Any

from health.operations import switches as operations
from studysync.aws import switches
from studysync.settings import get_settings


def deploy_switches(**flags: Any) -> None:
    """Deploy these feature flags to AppConfig directly, not through the API."""
    place = switches.place()
    assert place is not None
    operations._deploy(place, flags, "the stack")


def forget_settings() -> None:
    """Forget the settings and switches that were read, as if in a new process."""
    get_settings.cache_clear()
    switches._forget()
