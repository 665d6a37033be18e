"""The switches of the process that runs the tests."""

from __future__ import annotations

from typing import Any

from health.operations import switches as operations
from studysync.aws import switches
from studysync.settings import get_settings


def deploy_switches(**flags: Any) -> None:
    """Change the switches without asking the API."""
    place = switches.place()
    assert place is not None
    operations._deploy(place, flags, "the stack")


def forget_settings() -> None:
    """Go on as another process, which reads its settings and the switches anew."""
    get_settings.cache_clear()
    switches._forget()
